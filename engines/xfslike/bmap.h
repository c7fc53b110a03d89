// Where a file's blocks are, and changing it. (XFS: fs/xfs/libxfs/xfs_bmap.c.)
//
// Offsets and counts are in blocks of the file. Functions that change take a transaction that has the inode joined and blocks reserved
// (reservation.h): they fail with kNoSpace only before their first change. Blocks that are unmapped are freed by the transaction's
// deferred part and may be reused once that is durable.
//
// Threads: the inode's ilock, shared for look-ups once load_extents() has run, exclusive otherwise.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "engines/api/types.h"
#include "engines/base/result.h"
#include "engines/xfslike/buffer_mapping.h"
#include "engines/xfslike/extent_map.h"

namespace daxlab::xfslike {

class Inode;
class Transaction;

/// Reads the extents of a tree that has not been read yet (Inode::extents_loaded). ilock exclusive.
Result<void> load_extents(Inode& inode);

/// What lies at `offset`: an extent cut to begin there, or a hole (block 0) up to the next extent; at most `count` long.
struct Mapped {
  uint64_t offset = 0;
  uint64_t block = 0;  ///< 0: a hole.
  uint64_t count = 0;
  bool unwritten = false;
  bool hole() const { return block == 0; }
};
Mapped map_blocks(const Inode& inode, uint64_t offset, uint64_t count);
/// The first data or hole at or after `offset`, in blocks; kNoData. Unwritten extents count as holes, as on DAX nothing caches over them.
Result<uint64_t> seek_blocks(const Inode& inode, uint64_t offset, SeekWhat what);

/// Allocates blocks for the hole that begins at `offset`, at most `count`, as one extent near its neighbours; returns what was mapped,
/// which may be shorter. The new blocks' content is undefined: unless `unwritten`, the caller stores and fences it before the commit.
Result<Extent> allocate_blocks(Transaction& transaction, Inode& inode, uint64_t offset, uint64_t count, bool unwritten);
/// [offset, offset + count), all of it unwritten extents, becomes written. The caller has stored and fenced the content.
Result<void> convert_unwritten(Transaction& transaction, Inode& inode, uint64_t offset, uint64_t count);
/// ... and the reverse, for a zeroed range that keeps its blocks. Holes in it stay.
Result<void> convert_to_unwritten(Transaction& transaction, Inode& inode, uint64_t offset, uint64_t count);
/// Unmaps [offset, offset + count) from its end on, at most kUnmapExtents extents and kUnmapBlocks blocks of it in this transaction. True:
/// nothing is left. (XFS: xfs_bunmapi(), xfs_itruncate_extents().)
Result<bool> unmap_blocks(Transaction& transaction, Inode& inode, uint64_t offset, uint64_t count);
inline constexpr uint32_t kUnmapExtents = 16;
inline constexpr uint64_t kUnmapBlocks = 65536;
/// unmap_blocks() in as many transactions of their own as it takes. No ilock is held; the caller's rwsem keeps others out.
Result<void> unmap_all(Inode& inode, uint64_t offset, uint64_t count);

// For objects that are mapped as they are given and taken: InodeBlockSpace.
Result<void> map_runs(Transaction& transaction, Inode& inode, uint64_t offset, std::span<const BlockRun> runs);
/// The runs of [offset, offset + count), all of it mapped: kNotFound for a hole, kCorrupt for a part of one or unwritten blocks.
Result<std::vector<BlockRun>> find_runs(const Inode& inode, uint64_t offset, uint64_t count);

/// Blocks of the extents' tree, parents first, for a check of what is used.
Result<void> each_tree_block(Inode& inode, const std::function<bool(uint64_t block)>& visit);

}  // namespace daxlab::xfslike
