// The leaves and nodes of DirBlocks' node form: XFS's fs/xfs/libxfs/xfs_da_btree.c.
//
// The root is always the first index block: when it is split its content moves into a new block first, when it has one child left
// that child's content moves into it.

#include <algorithm>
#include <utility>

#include "engines/xfslike/dir_forms.h"

namespace daxlab::xfslike {

namespace {

void copy_content(const MetadataBytes& from, MetadataBytes& to, uint32_t end) {
  constexpr uint32_t kPieceBytes = 1024;
  alignas(8) std::byte scratch[kPieceBytes];
  for (uint32_t at = kDirHeaderBytes; at < end; at += kPieceBytes) {
    const uint32_t bytes = std::min(kPieceBytes, end - at);
    to.write(at, from.read(at, bytes, scratch), bytes);
  }
}

}  // namespace

Result<MetadataRef> DirBlocks::add_index_block(uint64_t& address) {
  DAXLAB_ASSIGN(address, space_.unused(index_at_));
  if (address >= free_at_) return Errc::kFileTooBig;
  return space_.add(address);
}

/// Children are never the root, and lie where index blocks do.
Result<uint64_t> DirBlocks::child_of(const DirPairs& pairs, uint32_t index) const {
  const uint64_t child = pairs.at(index).address;
  if (child <= index_at_ || child >= free_at_) return Errc::kCorrupt;
  return child;
}

/// To the first leaf that may hold `hash`.
Result<DirBlocks::Path> DirBlocks::descend(uint32_t hash) const {
  Path path;
  uint64_t address = index_at_;
  for (uint32_t level = kDirLevelsMax + 1; level > 0;) {
    DAXLAB_ASSIGN(MetadataRef bytes, need(address, Access::kRead));
    DAXLAB_ASSIGN(const DirIndexBlock block, DirIndexBlock::open(std::move(bytes)));
    if (address == index_at_) {
      path.top = level = block.level;
    } else if (block.level != --level) {
      return Errc::kCorrupt;
    }
    auto& step = path.at[level];
    step.address = address;
    step.count = block.pairs.count();
    if (level == 0) break;
    step.index = block.pairs.lower_bound(hash, 1) - 1;
    DAXLAB_ASSIGN(address, child_of(block.pairs, step.index));
  }
  return path;
}

/// To the next leaf if it may hold `hash`, too.
Result<bool> DirBlocks::to_right(Path& path, uint32_t hash) const {
  uint32_t level = 1;
  while (level <= path.top && path.at[level].index + 1 >= path.at[level].count) ++level;
  if (level > path.top) return false;
  ++path.at[level].index;
  for (bool turned = false; level > 0; --level, turned = true) {
    auto& step = path.at[level];
    DAXLAB_ASSIGN(MetadataRef bytes, need(step.address, Access::kRead));
    DAXLAB_ASSIGN(const DirIndexBlock node, DirIndexBlock::open(std::move(bytes)));
    if (node.level != level) return Errc::kCorrupt;
    step.count = node.pairs.count();
    if (turned) step.index = 0;
    if (step.index >= step.count) return Errc::kCorrupt;
    if (!turned && node.pairs.at(step.index).hash > hash) return false;
    DAXLAB_ASSIGN(path.at[level - 1].address, child_of(node.pairs, step.index));
  }
  return true;
}

/// Into the path's block of that level: a leaf has its own order, a node takes the entry at `index`.
Result<void> DirBlocks::add_entry(Path& path, uint32_t level, const DirLeafEntryDisk& entry, uint32_t index) {
  {
    DAXLAB_ASSIGN(MetadataRef bytes, need(path.at[level].address, Access::kWrite));
    DAXLAB_ASSIGN(DirIndexBlock block, DirIndexBlock::open(std::move(bytes)));
    if (block.level != level) return Errc::kCorrupt;
    if (level == 0) index = block.pairs.lower_bound(entry.hash);
    if (block.pairs.stale() > 0 || block.pairs.count() < pairs_max_) {
      if (!block.pairs.insert(index, entry, DirPairs::Grow::kUp)) return Errc::kCorrupt;
      block.write_header();
      return {};
    }
  }
  return split(path, level, entry, index);
}

/// The upper half goes into a new block to the right.
Result<void> DirBlocks::split(Path& path, uint32_t level, const DirLeafEntryDisk& entry, uint32_t index) {
  if (level == path.top) DAXLAB_TRY(push_root_down(path));
  uint64_t address = 0;
  uint32_t separator = 0;
  {
    DAXLAB_ASSIGN(MetadataRef bytes, need(path.at[level].address, Access::kWrite));
    DAXLAB_ASSIGN(DirIndexBlock left, DirIndexBlock::open(std::move(bytes)));
    DAXLAB_ASSIGN(MetadataRef added, add_index_block(address));
    DirIndexBlock right = DirIndexBlock::create(std::move(added), level);
    const uint32_t count = left.pairs.count();
    const uint32_t keep = count / 2;
    right.pairs.append(left.pairs, keep, count);
    if (right.pairs.count() != count - keep) return Errc::kCorrupt;
    left.pairs.truncate(keep);
    if (index > keep) {
      right.pairs.insert(index - keep, entry, DirPairs::Grow::kUp);
    } else {
      left.pairs.insert(index, entry, DirPairs::Grow::kUp);
    }
    left.write_header();
    right.write_header();
    separator = right.pairs.at(0).hash;
  }
  return add_entry(path, level + 1, {separator, static_cast<uint32_t>(address)}, path.at[level + 1].index + 1);
}

Result<void> DirBlocks::push_root_down(Path& path) {
  uint64_t address = 0;
  DAXLAB_ASSIGN(MetadataRef bytes, need(index_at_, Access::kWrite));
  DAXLAB_ASSIGN(DirIndexBlock root, DirIndexBlock::open(std::move(bytes)));
  DAXLAB_ASSIGN(const MetadataRef child, add_index_block(address));
  copy_content(*root.bytes, *child, kDirPairsAt + root.pairs.count() * kDirPairBytes);
  root.pairs = DirPairs(*root.bytes, kDirPairsAt, 0, 0);
  root.pairs.insert(0, {0, static_cast<uint32_t>(address)}, DirPairs::Grow::kUp);
  ++root.level;
  root.write_header();
  path.at[path.top].address = address;
  ++path.top;
  path.at[path.top] = {index_at_, 0, 1};
  return {};
}

/// After a removal from the path's block of that level: joins it with a neighbour when both fill at most three quarters of a block, which
/// is looked at when it is half empty.
Result<void> DirBlocks::shrink(const Path& path, uint32_t level, uint32_t live) {
  if (level >= path.top) return {};
  const uint32_t index = path.at[level + 1].index;
  if (live == 0) {
    DAXLAB_TRY(space_.remove(path.at[level].address));
    return remove_child(path, level + 1, index);
  }
  if (kDirPairsAt + live * kDirPairBytes > block_bytes_ / 2) return {};
  DAXLAB_ASSIGN(const bool joined, join(path, level + 1, index));
  if (joined || index == 0) return {};
  DAXLAB_TRY(join(path, level + 1, index - 1));
  return {};
}

Result<bool> DirBlocks::join(const Path& path, uint32_t parent_level, uint32_t left_index) {
  uint64_t left_address = 0;
  uint64_t right_address = 0;
  uint32_t separator = 0;
  {
    DAXLAB_ASSIGN(MetadataRef bytes, need(path.at[parent_level].address, Access::kRead));
    DAXLAB_ASSIGN(const DirIndexBlock parent, DirIndexBlock::open(std::move(bytes)));
    if (parent.level != parent_level) return Errc::kCorrupt;
    if (left_index + 1 >= parent.pairs.count()) return false;
    DAXLAB_ASSIGN(left_address, child_of(parent.pairs, left_index));
    DAXLAB_ASSIGN(right_address, child_of(parent.pairs, left_index + 1));
    separator = parent.pairs.at(left_index + 1).hash;
  }
  if (left_address == right_address) return Errc::kCorrupt;
  const auto open = [&](uint64_t address, Access access) -> Result<DirIndexBlock> {
    DAXLAB_ASSIGN(MetadataRef bytes, need(address, access));
    DAXLAB_ASSIGN(DirIndexBlock block, DirIndexBlock::open(std::move(bytes)));
    if (block.level + 1 != parent_level) return Errc::kCorrupt;
    return block;
  };
  {
    DAXLAB_ASSIGN(const DirIndexBlock left, open(left_address, Access::kRead));
    DAXLAB_ASSIGN(const DirIndexBlock right, open(right_address, Access::kRead));
    const uint32_t bytes = kDirPairsAt + (left.pairs.live() + right.pairs.live()) * kDirPairBytes;
    if (bytes > block_bytes_ - block_bytes_ / 4) return false;
  }
  {
    DAXLAB_ASSIGN(DirIndexBlock left, open(left_address, Access::kWrite));
    DAXLAB_ASSIGN(const DirIndexBlock right, open(right_address, Access::kRead));
    if (left.pairs.stale() > 0 && !left.pairs.compact(DirPairs::Grow::kUp)) return Errc::kCorrupt;
    const uint32_t first = left.pairs.count();
    left.pairs.append(right.pairs, 0, right.pairs.count());
    if (left.pairs.count() != first + right.pairs.live()) return Errc::kCorrupt;
    // A node's first hash bounded nothing; now it has to.
    if (left.level > 0) left.pairs.set_hash(first, separator);
    left.write_header();
  }
  DAXLAB_TRY(space_.remove(right_address));
  DAXLAB_TRY(remove_child(path, parent_level, left_index + 1));
  return true;
}

Result<void> DirBlocks::remove_child(const Path& path, uint32_t level, uint32_t index) {
  uint32_t left = 0;
  {
    DAXLAB_ASSIGN(MetadataRef bytes, need(path.at[level].address, Access::kWrite));
    DAXLAB_ASSIGN(DirIndexBlock node, DirIndexBlock::open(std::move(bytes)));
    if (node.level != level || index >= node.pairs.count()) return Errc::kCorrupt;
    left = node.pairs.count() - 1;
    if (left > 0) {
      node.pairs.remove(index);
      node.write_header();
    } else if (level == path.top) {
      return Errc::kCorrupt;
    }
  }
  return shrink(path, level, left);
}

Result<void> DirBlocks::pull_root_up() {
  for (;;) {
    uint64_t child = 0;
    {
      DAXLAB_ASSIGN(MetadataRef bytes, need(index_at_, Access::kRead));
      DAXLAB_ASSIGN(const DirIndexBlock root, DirIndexBlock::open(std::move(bytes)));
      if (root.level == 0 || root.pairs.count() > 1) return {};
      DAXLAB_ASSIGN(child, child_of(root.pairs, 0));
    }
    {
      DAXLAB_ASSIGN(const MetadataRef root, need(index_at_, Access::kWrite));
      DAXLAB_ASSIGN(MetadataRef bytes, need(child, Access::kRead));
      DAXLAB_ASSIGN(const DirIndexBlock below, DirIndexBlock::open(std::move(bytes)));
      copy_content(*below.bytes, *root, kDirPairsAt + below.pairs.count() * kDirPairBytes);
    }
    DAXLAB_TRY(space_.remove(child));
  }
}

}  // namespace daxlab::xfslike
