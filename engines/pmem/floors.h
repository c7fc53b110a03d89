// What this machine's medium costs at least: the floors that every result is held against. Measured, never assumed.
#pragma once

#include <string>
#include <vector>

#include "engines/pmem/region.h"

namespace daxlab::pmem {

/// One floor. `name` is public (environment.json): stream_4k_fence, persist_line, fence_idle, flush_line, stream_line,
/// load_line, wakeup.
struct Floor {
  std::string name;
  std::string what;  ///< One line for people.
  double p50_ns;
  double p99_ns;
};

/// Overwrites the region's blocks: for a medium without a file system. Random placement over the whole region, which should be
/// at least four times the last-level cache (last_level_cache_bytes()) for the numbers to mean the medium. About a second.
std::vector<Floor> measure_floors(Region& region, uint64_t seed = 1);
uint64_t last_level_cache_bytes();

}  // namespace daxlab::pmem
