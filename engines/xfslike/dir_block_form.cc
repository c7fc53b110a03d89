// The block form of DirBlocks: XFS's fs/xfs/libxfs/xfs_dir2_block.c.

#include <algorithm>
#include <utility>
#include <vector>

#include "engines/xfslike/dir_forms.h"

namespace daxlab::xfslike {

namespace {
constexpr auto kTailBytes = static_cast<uint32_t>(sizeof(DirBlockTailDisk));
}

Result<DirBlocks::BlockForm> DirBlocks::open_block(Access access) const {
  DAXLAB_ASSIGN(MetadataRef bytes, need(0, access));
  DAXLAB_ASSIGN(DirData data, DirData::open(*bytes));
  if (!data.is_block_form()) return Errc::kCorrupt;
  const auto tail = bytes->load<DirBlockTailDisk>(block_bytes_ - kTailBytes);
  const DirPairs pairs(*bytes, data.end(), tail.count, tail.stale);
  return BlockForm{std::move(bytes), data, pairs};
}

bool DirBlocks::fits(uint32_t block_bytes, uint32_t end, size_t count) {
  return end + (count + 2) * kDirPairBytes + kTailBytes <= block_bytes;
}

Result<void> DirBlocks::create(uint64_t self, uint64_t parent, std::span<const DirName> names) {
  const auto count = static_cast<uint32_t>(names.size() + 2);
  DAXLAB_ASSIGN(const MetadataRef bytes, space_.add(0));
  size_bytes_ = block_bytes_;
  DirData data = DirData::create(*bytes);
  const uint32_t end = block_bytes_ - kTailBytes - count * kDirPairBytes;
  std::vector<DirLeafEntryDisk> entries;
  entries.reserve(count);
  const auto place = [&](std::string_view name, const DirTarget& target, uint32_t offset) -> Result<void> {
    // What is unused reaches to the end of the block: names come in ascending order.
    DAXLAB_ASSIGN(const DirData::Piece rest, data.piece_before(block_bytes_));
    if (offset < rest.offset || offset + dir_entry_bytes(name.size()) > end) return Errc::kCorrupt;
    DAXLAB_TRY(data.insert(rest, offset, name, target));
    entries.push_back({dir_hash(name), address_of(0, offset)});
    return {};
  };
  DAXLAB_TRY(place(".", {self, NodeKind::kDirectory}, kDirDataAt));
  DAXLAB_TRY(place("..", {parent, NodeKind::kDirectory}, kDirDataAt + dir_entry_bytes(1)));
  for (const DirName& name : names) DAXLAB_TRY(place(name.name, name.target, static_cast<uint32_t>(name.cookie * kDirUnit)));

  std::sort(entries.begin(), entries.end(), [](const DirLeafEntryDisk& a, const DirLeafEntryDisk& b) {
    return a.hash != b.hash ? a.hash < b.hash : a.address < b.address;
  });
  DAXLAB_ASSIGN(const DirData::Piece rest, data.piece_before(block_bytes_));
  DAXLAB_TRY(data.give_to_index(rest, end));
  bytes->write(end, entries.data(), count * kDirPairBytes);
  bytes->store(block_bytes_ - kTailBytes, DirBlockTailDisk{count, 0});
  return {};
}

/// A new index entry goes into the place of a stale one, else into the unused piece before the index, if there is one.
Result<bool> DirBlocks::block_has_room(const BlockForm& form, uint32_t length) const {
  DAXLAB_ASSIGN(const DirData::Piece last, form.data.piece_before(form.data.end()));
  if (form.pairs.stale() == 0) {
    const bool shared = form.data.best(0).offset == last.offset && form.data.best(1).length < length;
    return last.unused && form.data.longest() >= length + (shared ? kDirPairBytes : 0);
  }
  const uint32_t squeezed = (form.pairs.stale() - 1) * kDirPairBytes;
  return form.data.longest() >= length || (last.unused ? last.length : 0) + squeezed >= length;
}

/// None where it does not fit: the directory needs the leaf form.
Result<std::optional<uint64_t>> DirBlocks::block_insert(std::string_view name, const DirTarget& target) {
  const uint32_t hash = dir_hash(name);
  const uint32_t length = dir_entry_bytes(name.size());
  DAXLAB_ASSIGN(BlockForm form, open_block(Access::kWrite));
  DAXLAB_ASSIGN(const std::optional<DirHit> present, form.find(name, hash));
  if (present) return Errc::kExists;
  DAXLAB_ASSIGN(const bool fits, block_has_room(form, length));
  if (!fits) return std::optional<uint64_t>();

  if (form.pairs.stale() == 0) {
    DAXLAB_ASSIGN(const DirData::Piece last, form.data.piece_before(form.data.end()));
    DAXLAB_TRY(form.data.give_to_index(last, form.data.end() - kDirPairBytes));
  } else if (form.data.longest() < length) {
    DAXLAB_TRY(block_compact(form));
  }
  DAXLAB_ASSIGN(const uint32_t address, put(form.data, 0, name, target));
  if (!form.pairs.insert(form.pairs.lower_bound(hash), {hash, address}, DirPairs::Grow::kDown)) return Errc::kCorrupt;
  form.write_tail();
  return std::optional<uint64_t>(address);
}

/// Squeezes all but one of the stale entries out of the index, and what they took becomes unused.
Result<void> DirBlocks::block_compact(BlockForm& form) {
  const uint32_t gap = (form.pairs.stale() - 1) * kDirPairBytes;
  if (!form.pairs.compact(DirPairs::Grow::kDown)) return Errc::kCorrupt;
  // The one that stays is the first: it needs a hash that is in order, any address is stale when it is 0.
  const uint32_t base = form.data.end() + gap;
  const uint32_t first = form.pairs.count() == 0 ? 0 : form.pairs.at(0).hash;
  form.bytes->store(base, DirLeafEntryDisk{first, 0});
  form.pairs = DirPairs(*form.bytes, base, form.pairs.count() + 1, 1);
  return form.data.take_from_index(kDirBlockMagic, base);
}

Result<DirFound> DirBlocks::block_erase(std::string_view name) {
  DAXLAB_ASSIGN(BlockForm form, open_block(Access::kWrite));
  DAXLAB_ASSIGN(const std::optional<DirHit> hit, form.find(name, dir_hash(name)));
  if (!hit) return Errc::kNotFound;
  DAXLAB_TRY(form.data.free(offset_of(hit->address), dir_entry_bytes(name.size())));
  form.pairs.make_stale(hit->index);
  form.write_tail();
  return hit->found();
}

/// The index moves into a leaf, as it is, and its place becomes unused.
Result<void> DirBlocks::block_to_leaf() {
  DAXLAB_ASSIGN(BlockForm form, open_block(Access::kWrite));
  const uint32_t count = form.pairs.count();
  if (LeafForm::used_bytes(count, 1) > block_bytes_) return Errc::kCorrupt;
  DAXLAB_ASSIGN(MetadataRef bytes, space_.add(index_at_));
  for (uint32_t i = 0; i < count; ++i) bytes->store(kDirPairsAt + i * kDirPairBytes, form.pairs.at(i));
  const auto stale = static_cast<uint16_t>(form.pairs.stale());
  bytes->store(kDirHeaderBytes, DirLeafHeaderDisk{kDirLeafMagic, static_cast<uint16_t>(count), stale, 0});

  DAXLAB_TRY(form.data.take_from_index(kDirDataMagic, block_bytes_));
  bytes->store(block_bytes_ - 6, static_cast<uint16_t>(form.data.longest()));
  bytes->store(block_bytes_ - 4, uint32_t{1});
  return {};
}

}  // namespace daxlab::xfslike
