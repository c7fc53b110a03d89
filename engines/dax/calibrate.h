// What mapped files cost on this machine, by MMU kind: map, faults, fsync of a dirty page, invalidation with and without a second
// thread whose TLB must be shot down. Measured over a file whose translation costs nothing, so these are floors for every engine.
#pragma once

#include <vector>

#include "engines/base/result.h"
#include "engines/pmem/floors.h"

namespace daxlab::dax {

/// Names: KIND_map, KIND_fault_extent, KIND_fault_read, KIND_fault_write, KIND_fault_upgrade, KIND_fault_redirty, KIND_sync_page,
/// KIND_invalidate, KIND_invalidate_shared, KIND_unmap, KIND_fault_2m, for each KIND of uffd, sigsegv, soft that this machine
/// has; 2m where it gives huge pages. About half a second.
Result<std::vector<pmem::Floor>> measure_faults();

}  // namespace daxlab::dax
