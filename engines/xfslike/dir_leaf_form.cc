// The leaf form of DirBlocks: XFS's fs/xfs/libxfs/xfs_dir2_leaf.c.

#include <algorithm>
#include <utility>

#include "engines/xfslike/dir_forms.h"

namespace daxlab::xfslike {

Result<DirBlocks::LeafForm> DirBlocks::open_leaf(Access access) const {
  DAXLAB_ASSIGN(MetadataRef bytes, need(index_at_, access));
  const auto header = bytes->load<DirLeafHeaderDisk>(kDirHeaderBytes);
  if (header.magic != kDirLeafMagic || header.stale > header.count) return Errc::kCorrupt;
  const auto blocks = bytes->load<uint32_t>(block_bytes_ - 4);
  if (header.count > pairs_max_ || blocks > free_max_ || blocks == 0) return Errc::kCorrupt;
  if (LeafForm::used_bytes(header.count, blocks) > block_bytes_ || blocks != data_blocks()) return Errc::kCorrupt;
  const DirPairs pairs(*bytes, kDirPairsAt, header.count, header.stale);
  return LeafForm{std::move(bytes), pairs, blocks};
}

namespace {

void write_header(MetadataBytes& bytes, const DirPairs& pairs, uint32_t magic = kDirLeafMagic) {
  const auto count = static_cast<uint16_t>(pairs.count());
  bytes.store(kDirHeaderBytes, DirLeafHeaderDisk{magic, count, static_cast<uint16_t>(pairs.stale()), 0});
}

}  // namespace

/// The data block that has `length` bytes in one piece, else where a new one goes: a hole, or behind the last.
struct DirRoom {
  uint32_t block;
  bool is_new;
};
template <typename BestOf>
DirRoom find_room(uint32_t blocks, uint32_t length, BestOf best_of) {
  uint32_t hole = blocks;
  for (uint32_t block = 0; block < blocks; ++block) {
    const uint16_t best = best_of(block);
    if (best == kDirNoData) {
      hole = std::min(hole, block);
    } else if (best >= length) {
      return {block, false};
    }
  }
  return {hole, true};
}

/// None where the leaf is full: the directory needs the node form.
Result<std::optional<uint64_t>> DirBlocks::leaf_insert(std::string_view name, const DirTarget& target) {
  const uint32_t hash = dir_hash(name);
  DAXLAB_ASSIGN(LeafForm leaf, open_leaf(Access::kWrite));
  uint32_t index = leaf.pairs.lower_bound(hash);
  DAXLAB_ASSIGN(const std::optional<DirHit> present,
                find_among(leaf.pairs, index, hash, [&](uint32_t address) { return match(address, name); }));
  if (present) return Errc::kExists;

  const DirRoom room = find_room(leaf.blocks, dir_entry_bytes(name.size()), [&](uint32_t block) { return leaf.best(block); });
  if (uint64_t{room.block + 1} * block_bytes_ > kDirSpaceBytes) return Errc::kFileTooBig;
  const bool longer = room.block == leaf.blocks;
  const uint32_t more = (leaf.pairs.stale() == 0 ? kDirPairBytes : 0) + (longer ? 2 : 0);
  const bool full = leaf.used_bytes() + more > block_bytes_;
  const uint32_t squeezed = LeafForm::used_bytes(leaf.pairs.live() + 1, leaf.blocks + (longer ? 1 : 0));
  if (full && (leaf.pairs.stale() == 0 || squeezed > block_bytes_)) return std::optional<uint64_t>();

  auto bytes = room.is_new ? space_.add(room.block) : need(room.block, Access::kWrite);
  if (!bytes.ok()) return bytes.error();
  if (room.is_new) DirData::create(**bytes);
  DAXLAB_ASSIGN(DirData data, DirData::open(**bytes));
  if (data.is_block_form() || (!room.is_new && data.longest() != leaf.best(room.block))) return Errc::kCorrupt;
  DAXLAB_ASSIGN(const uint32_t address, put(data, room.block, name, target));

  if (full) {
    if (!leaf.pairs.compact(DirPairs::Grow::kUp)) return Errc::kCorrupt;
    index = leaf.pairs.lower_bound(hash);
  }
  if (!leaf.pairs.insert(index, {hash, address}, DirPairs::Grow::kUp)) return Errc::kCorrupt;
  write_header(*leaf.bytes, leaf.pairs);
  if (longer) {
    leaf.resize(leaf.blocks + 1);
    size_bytes_ = uint64_t{leaf.blocks} * block_bytes_;
  }
  leaf.set_best(room.block, data.longest());
  return std::optional<uint64_t>(address);
}

Result<DirFound> DirBlocks::leaf_erase(std::string_view name) {
  const uint32_t hash = dir_hash(name);
  DirFound found{};
  {
    DAXLAB_ASSIGN(LeafForm leaf, open_leaf(Access::kWrite));
    const auto matches = [&](uint32_t address) { return match(address, name); };
    DAXLAB_ASSIGN(const std::optional<DirHit> hit, find_among(leaf.pairs, leaf.pairs.lower_bound(hash), hash, matches));
    if (!hit) return Errc::kNotFound;
    found = hit->found();
    const auto block = static_cast<uint32_t>(block_of(hit->address));
    bool emptied = false;
    {
      DAXLAB_ASSIGN(const MetadataRef bytes, need(block, Access::kWrite));
      DAXLAB_ASSIGN(DirData data, DirData::open(*bytes));
      if (data.longest() != leaf.best(block)) return Errc::kCorrupt;
      DAXLAB_TRY(data.free(offset_of(hit->address), dir_entry_bytes(name.size())));
      leaf.pairs.make_stale(hit->index);
      write_header(*leaf.bytes, leaf.pairs);
      leaf.set_best(block, data.longest());
      emptied = data.empty() && block != 0;
    }
    if (emptied) DAXLAB_TRY(leaf_drop_data(leaf, block));
    if (leaf.blocks > 1) return found;
  }
  DAXLAB_TRY(leaf_to_block());
  return found;
}

Result<void> DirBlocks::leaf_drop_data(LeafForm& leaf, uint32_t block) {
  DAXLAB_TRY(space_.remove(block));
  leaf.set_best(block, kDirNoData);
  uint32_t blocks = leaf.blocks;
  while (blocks > 1 && leaf.best(blocks - 1) == kDirNoData) --blocks;
  if (blocks < leaf.blocks) leaf.resize(blocks);
  size_bytes_ = uint64_t{blocks} * block_bytes_;
  return {};
}

/// Where only one data block is left and its end is unused for long enough.
Result<void> DirBlocks::leaf_to_block() {
  {
    DAXLAB_ASSIGN(const LeafForm leaf, open_leaf(Access::kRead));
    DAXLAB_ASSIGN(const MetadataRef bytes, need(0, Access::kWrite));
    DAXLAB_ASSIGN(DirData data, DirData::open(*bytes));
    DAXLAB_ASSIGN(const DirData::Piece last, data.piece_before(block_bytes_));
    const auto tail_bytes = static_cast<uint32_t>(sizeof(DirBlockTailDisk));
    const uint32_t length = leaf.pairs.live() * kDirPairBytes + tail_bytes;
    if (data.is_block_form() || !last.unused || last.length < length) return {};

    const uint32_t end = block_bytes_ - length;
    DAXLAB_TRY(data.give_to_index(last, end));
    DirPairs pairs(*bytes, end, 0, 0);
    pairs.append(leaf.pairs, 0, leaf.pairs.count());
    if (pairs.count() != leaf.pairs.live()) return Errc::kCorrupt;
    bytes->store(block_bytes_ - tail_bytes, DirBlockTailDisk{pairs.count(), 0});
  }
  return space_.remove(index_at_);
}

/// The table of unused pieces moves into a free block, and the leaf becomes the only one of the node form.
Result<void> DirBlocks::leaf_to_node() {
  DAXLAB_ASSIGN(const LeafForm leaf, open_leaf(Access::kWrite));
  DAXLAB_ASSIGN(const MetadataRef free, space_.add(free_at_));
  uint32_t used = 0;
  for (uint32_t block = 0; block < leaf.blocks; ++block) {
    const uint16_t best = leaf.best(block);
    if (best != kDirNoData) ++used;
    free->store(kDirHeaderBytes + static_cast<uint32_t>(sizeof(DirFreeIndexHeaderDisk)) + block * 2, best);
  }
  free->store(kDirHeaderBytes, DirFreeIndexHeaderDisk{kDirFreeIndexMagic, 0, leaf.blocks, used});
  write_header(*leaf.bytes, leaf.pairs, kDirNodeLeafMagic);
  return {};
}

}  // namespace daxlab::xfslike
