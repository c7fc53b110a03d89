// Superblock and mount state: what identifies a file system and says how its last mount ended.
//
// The superblock never changes and has a replica in the last block. The state has two copies that are written in turn, so that one is
// always whole. Threads: at format, mount and unmount only.
#pragma once

#include "engines/base/result.h"
#include "engines/native/format.h"
#include "engines/native/volume.h"
#include "engines/pmem/region.h"

namespace daxlab::native {

/// The smallest medium: fixed blocks, one inode block, the replica, and room to work in.
inline constexpr uint64_t kBlocksMin = 64;

/// Makes an empty file system; everything is durable on return. The label is the caller's.
Result<void> format_volume(pmem::Region& region);

/// Reads the superblock, or its replica if it is damaged (which is then repaired). kCorrupt if neither will do or the medium is not the one it
/// describes.
Result<SuperblockDisk> read_superblock(pmem::Region& region);

/// The newer valid state; kCorrupt if there is none.
Result<StateDisk> read_state(const Volume& volume);
/// Writes the next state over the older copy; durable on return.
void write_state(const Volume& volume, StateDisk& state);

}  // namespace daxlab::native
