// What a transaction may need at most, by operation: log bytes, blocks, and objects of several blocks. (XFS:
// fs/xfs/libxfs/xfs_trans_resv.c.)
//
// All of it is taken before the transaction changes anything, so that it never finds itself without space half way. Log bytes are for
// each of `parts` commits: a transaction that frees extents is two, one that unmaps them with an intent and one that frees them.
#pragma once

#include <cstdint>

namespace daxlab::xfslike {

struct Volume;

struct Reservation {
  uint32_t log_bytes = 0;   ///< Of each part.
  uint32_t parts = 1;
  uint64_t blocks = 0;
  uint32_t objects = 0;     ///< Directory blocks (of dirblock bytes); counted beside `blocks`.
  bool privileged = false;  ///< May use the last blocks: operations that give space back.
};

/// Operations by what they touch. `objects` are directory blocks that may be added (DirectoryIndex::insert_blocks()).
namespace reservation {
/// Inodes alone: times, mode, size, owner.
Reservation attributes(const Volume& volume, uint32_t inodes = 1);
/// A new inode and a name for it; `target_blocks` for a symlink's target (symlink_blocks()).
Reservation create(const Volume& volume, uint32_t objects, uint32_t target_blocks = 0);
/// Names come and go in up to two directories, of which one may grow by `objects`, for up to `inodes` inodes: link, unlink, rename.
/// With no objects it may use the last blocks.
Reservation names(const Volume& volume, uint32_t objects, uint32_t inodes);
/// `blocks` more blocks of a file, at most kAllocateBlocks, in at most `extents` extents; also what converts unwritten extents.
Reservation write(const Volume& volume, uint64_t blocks, uint32_t extents = 1);
inline constexpr uint64_t kAllocateBlocks = 16384;
/// unmap_blocks() once.
Reservation unmap(const Volume& volume);
/// Freeing an inode whose fork is empty.
Reservation free_inode(const Volume& volume);
/// A chunk of inodes; `sparse`: a part of one.
Reservation inode_chunk(const Volume& volume, bool sparse);
/// Freeing `extents` extents of `blocks` in all: an intent that recovery found.
Reservation finish_intent(const Volume& volume, uint32_t extents, uint64_t blocks);
}  // namespace reservation

}  // namespace daxlab::xfslike
