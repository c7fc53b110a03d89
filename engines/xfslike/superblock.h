// The superblock: what mkfs decided. Written once, to the first block of every group, and only read from then on.
#pragma once

#include <cstdint>

#include "engines/base/result.h"
#include "engines/pmem/region.h"
#include "engines/xfslike/format.h"

namespace daxlab::xfslike {

/// The superblock, from block 0 or, where that is damaged, from another group's copy. kCorrupt.
Result<SuperblockDisk> read_superblock(pmem::Region& region);
/// Seals `superblock` and writes the copies, group 0's last: before it is durable there is no file system. Flushed and fenced.
void write_superblocks(pmem::Region& region, SuperblockDisk superblock);

}  // namespace daxlab::xfslike
