// The crash laboratory on a kernel's file system, step by step: hidden command `guest-crash`, started by the launcher (crash.py).
//
//   fill    in the guest: the device holds what an earlier use left
//   record  in the guest: a sequence of operations on a mounted file system, between marks that the plugin records by
//   images  on the host: crash images from what it recorded, as batches
//   judge   in the guest: each image of a batch is written to the device, mounted, compared with what the oracle allows, used,
//           unmounted, and now and then checked by the file system's own program
//
// The kernel's file systems are deferred engines to the oracle: what was fsynced is there, and what was not is any earlier state. Threads:
// one.
#pragma once

#include "harness/json.h"

namespace daxlab::harness {

/// Does one step. kUsage, kCorrupt where the file system contradicts the model, or what the system says.
Result<Json> run_crash_step(const Json& task);

}  // namespace daxlab::harness
