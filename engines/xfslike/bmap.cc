#include "engines/xfslike/bmap.h"

#include <algorithm>

#include <fmt/format.h>

#include "engines/base/check.h"
#include "engines/xfslike/extent_tree.h"
#include "engines/xfslike/inode.h"
#include "engines/xfslike/transaction.h"
#include "engines/xfslike/volume.h"

namespace daxlab::xfslike {
namespace {

void count_blocks(Transaction& transaction, Inode& inode, int64_t blocks) {
  inode.core.block_count += static_cast<uint64_t>(blocks);
  transaction.charge(inode, blocks, 0);
}

/// Where a new extent at `offset` is best placed: where it continues the one before, or precedes the one behind.
uint64_t place_near(const Inode& inode, uint64_t offset) {
  if (const Extent* before = inode.extents.before(offset)) return before->block + before->count;
  if (const Extent* behind = inode.extents.at_or_after(offset)) return behind->block;
  return inode_block(inode.ino());
}

/// Everything of [offset, offset + count) that is in state `from` goes to the other.
Result<void> convert(Transaction& transaction, Inode& inode, uint64_t offset, uint64_t count, bool to_unwritten) {
  DAXLAB_TRY(load_extents(inode));
  std::vector<Extent> parts;
  for (uint64_t at = offset; at < offset + count;) {
    const Mapped mapped = map_blocks(inode, at, offset + count - at);
    if (!mapped.hole() && mapped.unwritten != to_unwritten) {
      parts.push_back({mapped.offset, mapped.block, static_cast<uint32_t>(mapped.count), to_unwritten});
    }
    at += mapped.count;
  }
  if (parts.empty()) return {};
  ExtentMap::Change change;
  std::vector<Extent> removed;
  for (const Extent& part : parts) {
    inode.extents.erase(part.offset, part.count, removed, &change);
    inode.extents.insert(part, &change);
  }
  return store_extents(transaction, inode, change);
}

}  // namespace

Result<void> load_extents(Inode& inode) {
  if (inode.extents_loaded.load(std::memory_order_acquire)) return {};
  DAXLAB_TRY(read_extent_tree(inode));
  inode.extents_loaded.store(true, std::memory_order_release);
  return {};
}

Mapped map_blocks(const Inode& inode, uint64_t offset, uint64_t count) {
  DAXLAB_CHECK(inode.extents_loaded.load(std::memory_order_acquire));
  const Extent* const extent = inode.extents.at_or_after(offset);
  if (extent == nullptr || extent->offset >= offset + count) return {offset, 0, count, false};
  if (extent->offset > offset) return {offset, 0, extent->offset - offset, false};
  return {offset, extent->block + (offset - extent->offset), std::min(count, extent->end() - offset), extent->unwritten};
}

Result<uint64_t> seek_blocks(const Inode& inode, uint64_t offset, SeekWhat what) {
  while (offset < kFileBlocksMax) {
    const Mapped mapped = map_blocks(inode, offset, kFileBlocksMax - offset);
    const bool data = !mapped.hole() && !mapped.unwritten;
    if (data == (what == SeekWhat::kData)) return offset;
    offset += mapped.count;
  }
  return Errc::kNoData;
}

Result<Extent> allocate_blocks(Transaction& transaction, Inode& inode, uint64_t offset, uint64_t count, bool unwritten) {
  DAXLAB_TRY(load_extents(inode));
  const Mapped hole = map_blocks(inode, offset, count);
  DAXLAB_CHECK(hole.hole());
  const uint64_t tree_blocks = tree_blocks_needed(inode);
  if (transaction.blocks_left() <= tree_blocks) return Errc::kNoSpace;
  const uint64_t wanted = std::min({hole.count, transaction.blocks_left() - tree_blocks, uint64_t{kExtentCountMax}});
  DAXLAB_ASSIGN(const BlockRun run,
                transaction.allocate({.near = place_near(inode, offset), .count = static_cast<uint32_t>(wanted)}));
  const Extent extent{offset, run.first, run.count, unwritten};
  ExtentMap::Change change;
  inode.extents.insert(extent, &change);
  count_blocks(transaction, inode, extent.count);
  DAXLAB_TRY(store_extents(transaction, inode, change));
  return extent;
}

Result<void> convert_unwritten(Transaction& transaction, Inode& inode, uint64_t offset, uint64_t count) {
  return convert(transaction, inode, offset, count, false);
}

Result<void> convert_to_unwritten(Transaction& transaction, Inode& inode, uint64_t offset, uint64_t count) {
  return convert(transaction, inode, offset, count, true);
}

Result<bool> unmap_blocks(Transaction& transaction, Inode& inode, uint64_t offset, uint64_t count) {
  DAXLAB_TRY(load_extents(inode));
  ExtentMap::Change change;
  std::vector<Extent> removed;
  uint64_t blocks_left = kUnmapBlocks;
  bool more = false;
  while (const Extent* last = inode.extents.before_end(offset + count)) {
    if (last->end() <= offset) break;
    more = removed.size() == kUnmapExtents || blocks_left == 0;
    if (more) break;
    const uint64_t end = std::min(last->end(), offset + count);
    uint64_t begin = std::max(last->offset, offset);
    begin = std::max(begin, end - std::min(end, blocks_left));
    blocks_left -= end - begin;
    inode.extents.erase(begin, end - begin, removed, &change);
    count = begin - offset;
  }
  if (removed.empty()) return true;
  int64_t blocks = 0;
  for (const Extent& extent : removed) {
    transaction.free_extent(extent.block, extent.count);
    blocks += extent.count;
  }
  count_blocks(transaction, inode, -blocks);
  DAXLAB_TRY(store_extents(transaction, inode, change));
  return !more;
}

Result<void> unmap_all(Inode& inode, uint64_t offset, uint64_t count) {
  Volume& volume = inode.volume();
  for (bool done = false; !done;) {
    DAXLAB_ASSIGN(const auto transaction, Transaction::begin(volume, reservation::unmap(volume)));
    const WriterLock lock(inode.ilock);
    transaction->join(inode);
    DAXLAB_ASSIGN(done, unmap_blocks(*transaction, inode, offset, count));
    transaction->commit();
  }
  return {};
}

Result<void> map_runs(Transaction& transaction, Inode& inode, uint64_t offset, std::span<const BlockRun> runs) {
  ExtentMap::Change change;
  for (const BlockRun& run : runs) {
    inode.extents.insert({offset, run.first, run.count, false}, &change);
    count_blocks(transaction, inode, run.count);
    offset += run.count;
  }
  return store_extents(transaction, inode, change);
}

Result<std::vector<BlockRun>> find_runs(const Inode& inode, uint64_t offset, uint64_t count) {
  std::vector<BlockRun> runs;
  for (uint64_t at = offset; at < offset + count;) {
    const Mapped mapped = map_blocks(inode, at, offset + count - at);
    if (mapped.hole() && mapped.count == count) return Errc::kNotFound;
    if (mapped.hole() || mapped.unwritten) {
      return Error(Errc::kCorrupt, fmt::format("inode {}: a part of an object is not mapped", inode.ino()));
    }
    runs.push_back({mapped.block, static_cast<uint32_t>(mapped.count)});
    at += mapped.count;
  }
  return runs;
}

Result<void> each_tree_block(Inode& inode, const std::function<bool(uint64_t block)>& visit) {
  return each_extent_tree_node(inode, visit);
}

}  // namespace daxlab::xfslike
