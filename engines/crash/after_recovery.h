// What is done behind a recovery, so that what the recovery stored must hold when something is built on it and when it is put away.
//
// A crash image is mounted under the recorder, used once and unmounted. The one operation is drawn by the image: over many images
// every kind of change meets every kind of recovery. The images of that trace are crashes inside the mount, inside the operation
// and inside the unmount of a medium that had crashed before.
//
// Threads: one, as the recorder.
#pragma once

#include <cstdint>

#include "engines/api/registry.h"
#include "engines/base/result.h"
#include "engines/crash/oracle.h"
#include "engines/pmem/recorder.h"
#include "engines/pmem/region.h"

namespace daxlab::crash {

/// A mount of a crash image, and what was done behind it.
struct Recovery {
  pmem::Trace trace;
  History after;  ///< Of the tree that the mount found: one operation, and the unmount, which changes nothing.
};

/// An operation that fits `tree`: first a kind is drawn, then the place, both by `choice`.
Op op_after_recovery(const Tree& tree, uint64_t choice);

/// Mounts the image in `region`, does the operation drawn by `choice`, unmounts. The error is the engine's.
Result<Recovery> record_recovery(const EngineSpec& engine, pmem::Region& region, uint64_t choice);

}  // namespace daxlab::crash
