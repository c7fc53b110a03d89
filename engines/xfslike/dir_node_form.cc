// The node form of DirBlocks: XFS's fs/xfs/libxfs/xfs_dir2_node.c.

#include <algorithm>
#include <utility>

#include "engines/xfslike/dir_forms.h"

namespace daxlab::xfslike {

/// The name from the path's leaf on, to the right for as long as its hash goes on there; kNotFound.
Result<DirBlocks::Position> DirBlocks::node_find(Path path, std::string_view name, uint32_t hash) const {
  for (;;) {
    {
      DAXLAB_ASSIGN(MetadataRef bytes, need(path.at[0].address, Access::kRead));
      DAXLAB_ASSIGN(const DirIndexBlock leaf, DirIndexBlock::open(std::move(bytes)));
      if (leaf.level != 0) return Errc::kCorrupt;
      const uint32_t index = leaf.pairs.lower_bound(hash);
      const auto matches = [&](uint32_t address) { return match(address, name); };
      DAXLAB_ASSIGN(const std::optional<DirHit> hit, find_among(leaf.pairs, index, hash, matches));
      if (hit) return Position{path, *hit};
      const uint32_t count = leaf.pairs.count();
      if (count > 0 && leaf.pairs.at(count - 1).hash > hash) return Errc::kNotFound;
    }
    DAXLAB_ASSIGN(const bool more, to_right(path, hash));
    if (!more) return Errc::kNotFound;
  }
}

Result<uint64_t> DirBlocks::node_insert(std::string_view name, const DirTarget& target) {
  const uint32_t hash = dir_hash(name);
  DAXLAB_ASSIGN(Path path, descend(hash));
  const auto present = node_find(path, name, hash);
  if (present.ok()) return Errc::kExists;
  if (present.code() != Errc::kNotFound) return present.error();
  if (path.top >= kDirLevelsMax) return Errc::kFileTooBig;

  DAXLAB_ASSIGN(const std::optional<uint32_t> room, free_find(dir_entry_bytes(name.size())));
  uint64_t block = room.value_or(0);
  if (!room) {
    DAXLAB_ASSIGN(block, space_.unused(0));
    if ((block + 1) * block_bytes_ > kDirSpaceBytes) return Errc::kFileTooBig;
  }
  uint32_t address = 0;
  {
    auto bytes = room ? need(block, Access::kWrite) : space_.add(block);
    if (!bytes.ok()) return bytes.error();
    if (!room) DirData::create(**bytes);
    DAXLAB_ASSIGN(DirData data, DirData::open(**bytes));
    if (data.is_block_form()) return Errc::kCorrupt;
    const uint32_t longest = data.longest();
    DAXLAB_ASSIGN(address, put(data, block, name, target));
    if (!room || data.longest() != longest) DAXLAB_TRY(free_set(static_cast<uint32_t>(block), data.longest()));
  }
  size_bytes_ = std::max(size_bytes_, (block + 1) * block_bytes_);
  DAXLAB_TRY(add_entry(path, 0, {hash, address}, 0));
  return uint64_t{address};
}

Result<DirFound> DirBlocks::node_erase(std::string_view name) {
  const uint32_t hash = dir_hash(name);
  DAXLAB_ASSIGN(const Path path, descend(hash));
  DAXLAB_ASSIGN(const Position at, node_find(path, name, hash));
  const uint64_t block = block_of(at.hit.address);
  bool emptied = false;
  {
    DAXLAB_ASSIGN(const MetadataRef bytes, need(block, Access::kWrite));
    DAXLAB_ASSIGN(DirData data, DirData::open(*bytes));
    const uint32_t longest = data.longest();
    DAXLAB_TRY(data.free(offset_of(at.hit.address), dir_entry_bytes(name.size())));
    emptied = data.empty() && block != 0;
    if (!emptied && data.longest() != longest) DAXLAB_TRY(free_set(static_cast<uint32_t>(block), data.longest()));
  }
  if (emptied) {
    DAXLAB_TRY(space_.remove(block));
    DAXLAB_TRY(free_drop(static_cast<uint32_t>(block)));
  }
  uint32_t live = 0;
  {
    DAXLAB_ASSIGN(MetadataRef bytes, need(at.path.at[0].address, Access::kWrite));
    DAXLAB_ASSIGN(DirIndexBlock leaf, DirIndexBlock::open(std::move(bytes)));
    leaf.pairs.make_stale(at.hit.index);
    leaf.write_header();
    live = leaf.pairs.live();
  }
  DAXLAB_TRY(shrink(at.path, 0, live));
  DAXLAB_TRY(pull_root_up());
  DAXLAB_TRY(node_to_leaf());
  return at.hit.found();
}

/// Where one leaf and the table of one free block fit into one block with an eighth to spare: the next insert shall not undo it.
Result<void> DirBlocks::node_to_leaf() {
  const uint32_t blocks = data_blocks();
  {
    DAXLAB_ASSIGN(MetadataRef bytes, need(index_at_, Access::kRead));
    DAXLAB_ASSIGN(const DirIndexBlock root, DirIndexBlock::open(std::move(bytes)));
    if (root.level != 0 || blocks > free_max_) return {};
    if (LeafForm::used_bytes(root.pairs.live(), blocks) > block_bytes_ - block_bytes_ / 8) return {};
  }
  {
    DAXLAB_ASSIGN(MetadataRef bytes, need(index_at_, Access::kWrite));
    DAXLAB_ASSIGN(DirIndexBlock root, DirIndexBlock::open(std::move(bytes)));
    DAXLAB_ASSIGN(const MetadataRef free, need(free_at_, Access::kRead));
    const auto header = free->load<DirFreeIndexHeaderDisk>(kDirHeaderBytes);
    if (header.magic != kDirFreeIndexMagic || header.first != 0 || header.count != blocks) return Errc::kCorrupt;
    if (!root.pairs.compact(DirPairs::Grow::kUp)) return Errc::kCorrupt;
    const auto count = static_cast<uint16_t>(root.pairs.count());
    root.bytes->store(kDirHeaderBytes, DirLeafHeaderDisk{kDirLeafMagic, count, 0, 0});
    for (uint32_t block = 0; block < blocks; ++block) {
      const auto best = free->load<uint16_t>(kDirHeaderBytes + static_cast<uint32_t>(sizeof header) + block * 2);
      root.bytes->store(block_bytes_ - 4 - (blocks - block) * 2, best);
    }
    root.bytes->store(block_bytes_ - 4, blocks);
  }
  DAXLAB_TRY(space_.remove(free_at_));
  if (blocks > 1) return {};
  return leaf_to_block();
}

}  // namespace daxlab::xfslike
