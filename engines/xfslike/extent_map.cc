#include "engines/xfslike/extent_map.h"

#include <algorithm>

#include "engines/base/check.h"

namespace daxlab::xfslike {
namespace {

constexpr uint32_t kCountBits = 21;
constexpr uint32_t kBlockBits = 52;
constexpr uint32_t kBlockLowBits = 64 - kCountBits;
constexpr uint32_t kBlockHighBits = kBlockBits - kBlockLowBits;

/// Whether b continues a, so that both could be one.
bool continues(const Extent& a, const Extent& b) {
  return a.end() == b.offset && a.block + a.count == b.block && a.unwritten == b.unwritten &&
         uint64_t{a.count} + b.count <= kExtentCountMax;
}

}  // namespace

ExtentDisk pack(const Extent& extent) {
  ExtentDisk disk;
  disk.high = uint64_t{extent.unwritten} << 63 | extent.offset << kBlockHighBits | extent.block >> kBlockLowBits;
  disk.low = extent.block << kCountBits | extent.count;
  return disk;
}

Extent unpack(const ExtentDisk& disk) {
  Extent extent;
  extent.unwritten = disk.high >> 63 != 0;
  extent.offset = (disk.high & ~(uint64_t{1} << 63)) >> kBlockHighBits;
  extent.block = (disk.high & ((uint64_t{1} << kBlockHighBits) - 1)) << kBlockLowBits | disk.low >> kCountBits;
  extent.count = static_cast<uint32_t>(disk.low & ((uint64_t{1} << kCountBits) - 1));
  return extent;
}

/// The first extent that ends beyond `offset`.
size_t ExtentMap::position(uint64_t offset) const {
  const auto at = std::partition_point(extents_.begin(), extents_.end(), [&](const Extent& e) { return e.end() <= offset; });
  return static_cast<size_t>(at - extents_.begin());
}

const Extent* ExtentMap::at_or_after(uint64_t offset) const {
  const size_t at = position(offset);
  return at == extents_.size() ? nullptr : &extents_[at];
}

const Extent* ExtentMap::before(uint64_t offset) const {
  const size_t at = position(offset);
  return at == 0 ? nullptr : &extents_[at - 1];
}

const Extent* ExtentMap::before_end(uint64_t offset) const {
  const auto at = std::partition_point(extents_.begin(), extents_.end(), [&](const Extent& e) { return e.offset < offset; });
  return at == extents_.begin() ? nullptr : &*(at - 1);
}

bool ExtentMap::append_read(const Extent& extent) {
  if (extent.count == 0 || extent.block == 0 || extent.end() > kFileBlocksMax || extent.offset < end()) return false;
  extents_.push_back(extent);
  return true;
}

void ExtentMap::insert(const Extent& extent, Change* change) {
  const size_t at = position(extent.offset);
  DAXLAB_CHECK(at == extents_.size() || extents_[at].offset >= extent.end());
  Extent merged = extent;
  size_t first = at;
  size_t last = at;  // [first, last) go
  if (at > 0 && continues(extents_[at - 1], merged)) {
    const Extent& before = extents_[at - 1];
    merged = {before.offset, before.block, before.count + merged.count, merged.unwritten};
    first = at - 1;
  }
  if (at < extents_.size() && continues(merged, extents_[at])) {
    merged.count += extents_[at].count;
    last = at + 1;
  }
  if (change != nullptr) {
    for (size_t i = first; i < last; ++i) {
      if (extents_[i].offset != merged.offset) change->erase(extents_[i].offset);
    }
    change->store(merged);
  }
  const auto begin = extents_.begin() + static_cast<std::ptrdiff_t>(first);
  if (first == last) {
    extents_.insert(begin, merged);
  } else {
    *begin = merged;
    extents_.erase(begin + 1, extents_.begin() + static_cast<std::ptrdiff_t>(last));
  }
}

void ExtentMap::erase(uint64_t offset, uint64_t count, std::vector<Extent>& removed, Change* change) {
  const uint64_t end = offset + count;
  size_t at = position(offset);
  while (at < extents_.size() && extents_[at].offset < end) {
    const Extent old = extents_[at];
    const uint64_t from = std::max(old.offset, offset);
    const uint64_t to = std::min(old.end(), end);
    removed.push_back({from, old.block + (from - old.offset), static_cast<uint32_t>(to - from), old.unwritten});
    const auto place = extents_.begin() + static_cast<std::ptrdiff_t>(at);
    const Extent left{old.offset, old.block, static_cast<uint32_t>(from - old.offset), old.unwritten};
    const Extent right{to, old.block + (to - old.offset), static_cast<uint32_t>(old.end() - to), old.unwritten};
    if (left.count != 0) {
      *place = left;
      if (change != nullptr) change->store(left);
      ++at;
      if (right.count != 0) extents_.insert(place + 1, right);
    } else {
      if (change != nullptr) change->erase(old.offset);
      if (right.count != 0) {
        *place = right;
      } else {
        extents_.erase(place);
      }
    }
    if (right.count != 0) {
      if (change != nullptr) change->store(right);
      ++at;
    }
  }
}

}  // namespace daxlab::xfslike
