// The free index of the node form: XFS's fs/xfs/libxfs/xfs_dir2_node.c, where names of functions contain "free".
//
// Free block i covers data blocks [i * free_max, (i + 1) * free_max); one without any data block does not exist.

#include <algorithm>
#include <utility>

#include "engines/xfslike/dir_forms.h"

namespace daxlab::xfslike {

namespace {

constexpr uint32_t kTableAt = kDirHeaderBytes + sizeof(DirFreeIndexHeaderDisk);
constexpr uint32_t kGroup = 64;  ///< Lengths that are looked at by one read.

/// A free block in use, its header checked.
struct FreeBlock {
  MetadataRef bytes;
  DirFreeIndexHeaderDisk header;

  static Result<FreeBlock> open(MetadataRef bytes, uint32_t first, uint32_t count_max) {
    const auto header = bytes->load<DirFreeIndexHeaderDisk>(kDirHeaderBytes);
    if (header.magic != kDirFreeIndexMagic || header.first != first) return Errc::kCorrupt;
    if (header.count > count_max || header.used > header.count) return Errc::kCorrupt;
    return FreeBlock{std::move(bytes), header};
  }
  uint16_t best(uint32_t slot) const { return bytes->load<uint16_t>(kTableAt + slot * 2); }
  void set_best(uint32_t slot, uint32_t longest) { bytes->store(kTableAt + slot * 2, static_cast<uint16_t>(longest)); }
  void write_header() { bytes->store(kDirHeaderBytes, header); }
  /// The last slot with at least `length`; none.
  std::optional<uint32_t> last_with(uint32_t length) const {
    alignas(8) std::byte scratch[kGroup * 2];
    for (uint32_t end = header.count; end > 0;) {
      const uint32_t count = std::min(kGroup, end);
      const std::byte* group = bytes->read(kTableAt + (end - count) * 2, count * 2, scratch);
      for (uint32_t i = count; i-- > 0;) {
        uint16_t best;
        __builtin_memcpy(&best, group + i * 2, sizeof best);
        if (best != kDirNoData && best >= length) return end - count + i;
      }
      end -= count;
    }
    return std::nullopt;
  }
};

}  // namespace

/// The newest data block with `length` bytes in one piece: the last one first, where most room is.
Result<std::optional<uint32_t>> DirBlocks::free_find(uint32_t length) const {
  std::optional<uint32_t> found;
  const uint32_t indexes = static_cast<uint32_t>(div_up(data_blocks(), free_max_));
  for (uint32_t index = indexes; index-- > 0 && !found;) {
    auto bytes = space_.get(free_at_ + index, Access::kRead);
    if (!bytes.ok() && bytes.code() == Errc::kNotFound) continue;
    if (!bytes.ok()) return bytes.error();
    DAXLAB_ASSIGN(const FreeBlock block, FreeBlock::open(std::move(bytes).value(), index * free_max_, free_max_));
    if (const auto slot = block.last_with(length)) found = index * free_max_ + *slot;
    if (found && *found >= data_blocks()) return Errc::kCorrupt;
  }
  return found;
}

/// Data block `block`, which may be new, has this longest unused piece.
Result<void> DirBlocks::free_set(uint32_t block, uint32_t longest) {
  const uint32_t index = block / free_max_;
  const uint32_t slot = block % free_max_;
  auto bytes = space_.get(free_at_ + index, Access::kWrite);
  if (!bytes.ok() && bytes.code() == Errc::kNotFound) {
    bytes = space_.add(free_at_ + index);
    if (!bytes.ok()) return bytes.error();
    (*bytes)->store(kDirHeaderBytes, DirFreeIndexHeaderDisk{kDirFreeIndexMagic, index * free_max_, 0, 0});
  }
  if (!bytes.ok()) return bytes.error();
  DAXLAB_ASSIGN(FreeBlock free, FreeBlock::open(std::move(bytes).value(), index * free_max_, free_max_));
  const bool known = slot < free.header.count && free.best(slot) != kDirNoData;
  if (known && free.best(slot) == longest) return {};
  for (uint32_t hole = free.header.count; hole < slot; ++hole) free.set_best(hole, kDirNoData);
  free.set_best(slot, longest);
  if (known) return {};
  free.header.count = std::max(free.header.count, slot + 1);
  ++free.header.used;
  free.write_header();
  return {};
}

/// Data block `block` is gone. Sets the directory's size.
Result<void> DirBlocks::free_drop(uint32_t block) {
  const uint32_t index = block / free_max_;
  const uint32_t slot = block % free_max_;
  bool empty = false;
  {
    DAXLAB_ASSIGN(MetadataRef bytes, need(free_at_ + index, Access::kWrite));
    DAXLAB_ASSIGN(FreeBlock free, FreeBlock::open(std::move(bytes), index * free_max_, free_max_));
    if (slot >= free.header.count || free.best(slot) == kDirNoData || free.header.used == 0) return Errc::kCorrupt;
    --free.header.used;
    empty = free.header.used == 0;
    if (!empty) {
      free.set_best(slot, kDirNoData);
      if (slot + 1 == free.header.count) {
        const std::optional<uint32_t> last = free.last_with(0);
        if (!last) return Errc::kCorrupt;
        free.header.count = *last + 1;
      }
      free.write_header();
    }
  }
  if (empty) DAXLAB_TRY(space_.remove(free_at_ + index));
  if (block + 1 < data_blocks()) return {};
  DAXLAB_ASSIGN(const std::optional<uint32_t> last, free_find(0));
  if (!last) return Errc::kCorrupt;
  size_bytes_ = uint64_t{*last + 1} * block_bytes_;
  return {};
}

}  // namespace daxlab::xfslike
