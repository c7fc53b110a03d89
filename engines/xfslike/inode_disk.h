// Inodes as they lie on the medium: sealing, checking, and a block of free ones.
#pragma once

#include <cstddef>
#include <cstdint>

#include "engines/base/result.h"
#include "engines/xfslike/format.h"

namespace daxlab::xfslike {

/// crc32c of the inode with its crc field 0.
uint32_t inode_crc(const InodeDisk& inode);
/// A free inode, sealed.
InodeDisk free_inode_disk(uint64_t ino, uint32_t generation, const Uuid& uuid);
/// kCorrupt unless it is what it says, whether free or not.
Result<void> verify_inode(const InodeDisk& inode, uint64_t ino, const Uuid& uuid);
/// Stores a block of free inodes at `address`; the caller fences. Nobody can find them yet.
void write_free_inodes(std::byte* address, uint64_t block, const Uuid& uuid);

}  // namespace daxlab::xfslike
