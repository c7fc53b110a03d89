// Targets of symbolic links that do not fit into the inode: in blocks of their own, at addresses 0, 1, ... of the link's BlockSpace.
//
// Each block begins with the owner's 64-byte self-describing header, then SymlinkDisk, then its part of the target. (XFS:
// fs/xfs/libxfs/xfs_symlink_remote.c, whose targets end at 1024 bytes; here they may have kSymlinkBytesMax.) A target that fits into
// the literal area is there as it is, without anything around it.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "engines/api/types.h"
#include "engines/base/result.h"
#include "engines/pmem/on_media.h"
#include "engines/xfslike/metadata_bytes.h"

namespace daxlab::xfslike {

inline constexpr uint32_t kSymlinkMagic = 0x4b4c5358u;  // "XSLK"

struct SymlinkDisk {
  uint32_t magic;
  uint32_t offset;  ///< Of this part in the target.
  uint32_t bytes;   ///< Of this part.
  uint32_t reserved;
};
DAXLAB_ON_MEDIA(SymlinkDisk, 16, 4);

/// Objects of `block_bytes` that a target takes: what the caller reserves.
uint32_t symlink_blocks(size_t target_bytes, uint32_t block_bytes);
/// Adds the blocks; the target has 1 to kSymlinkBytesMax bytes.
Result<void> write_symlink(BlockSpace& space, std::string_view target);
/// The target of `target_bytes` (the inode's size); kCorrupt where the blocks say otherwise.
Result<std::string> read_symlink(BlockSpace& space, uint64_t target_bytes);
Result<void> remove_symlink(BlockSpace& space, uint64_t target_bytes);

}  // namespace daxlab::xfslike
