#include "engines/xfslike/dir_pairs.h"

#include <algorithm>
#include <cstring>

namespace daxlab::xfslike {

namespace {
constexpr uint32_t kGroup = 16;  ///< Pairs that are looked at by one read.

struct Group {
  alignas(8) std::byte bytes[kGroup * kDirPairBytes];
};
DirLeafEntryDisk pair_at(const std::byte* at, uint32_t index) {
  DirLeafEntryDisk pair;
  std::memcpy(&pair, at + index * kDirPairBytes, sizeof pair);
  return pair;
}
}  // namespace

uint32_t DirPairs::lower_bound(uint32_t hash, uint32_t from) const {
  uint32_t low = from;
  uint32_t high = count_;
  while (high - low > kGroup) {
    const uint32_t middle = low + (high - low) / 2;
    if (at(middle).hash < hash) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  if (low >= high) return low;
  Group scratch;
  const std::byte* group = bytes_->read(offset(low), (high - low) * kDirPairBytes, scratch.bytes);
  uint32_t less = 0;
  while (less < high - low && pair_at(group, less).hash < hash) ++less;
  return low + less;
}

/// Outwards in both directions, a group at a time, until one is found or nothing is left.
uint32_t DirPairs::nearest_stale(uint32_t index) const {
  uint32_t low = index;   // [low, index) has none
  uint32_t high = index;  // [index, high) has none
  Group scratch;
  while (low > 0 || high < count_) {
    uint32_t below = kNone;
    uint32_t above = kNone;
    if (low > 0) {
      const uint32_t count = std::min(kGroup, low);
      const std::byte* group = bytes_->read(offset(low - count), count * kDirPairBytes, scratch.bytes);
      for (uint32_t i = count; i-- > 0 && below == kNone;) {
        if (pair_at(group, i).address == 0) below = low - count + i;
      }
      low -= count;
    }
    if (high < count_) {
      const uint32_t count = std::min(kGroup, count_ - high);
      const std::byte* group = bytes_->read(offset(high), count * kDirPairBytes, scratch.bytes);
      for (uint32_t i = 0; i < count && above == kNone; ++i) {
        if (pair_at(group, i).address == 0) above = high + i;
      }
      high += count;
    }
    if (below == kNone && above == kNone) continue;
    if (below == kNone) return above;
    if (above == kNone) return below;
    return index - below <= above - index ? below : above;
  }
  return kNone;
}

bool DirPairs::insert(uint32_t index, const DirLeafEntryDisk& entry, Grow grow) {
  if (stale_ > 0) {
    const uint32_t hole = nearest_stale(index);
    if (hole == kNone) return false;
    if (hole < index) {
      move(hole, hole + 1, index - 1 - hole);
      --index;
    } else {
      move(index + 1, index, hole - index);
    }
    --stale_;
  } else if (grow == Grow::kUp) {
    move(index + 1, index, count_ - index);
    ++count_;
  } else {
    bytes_->move(base_ - kDirPairBytes, base_, index * kDirPairBytes);
    base_ -= kDirPairBytes;
    ++count_;
  }
  bytes_->store(offset(index), entry);
  return true;
}

void DirPairs::make_stale(uint32_t index) {
  bytes_->store(offset(index) + static_cast<uint32_t>(offsetof(DirLeafEntryDisk, address)), uint32_t{0});
  ++stale_;
}

void DirPairs::remove(uint32_t index) {
  move(index, index + 1, count_ - index - 1);
  --count_;
}

bool DirPairs::compact(Grow grow) {
  uint32_t kept = 0;
  if (grow == Grow::kUp) {
    for (uint32_t i = 0; i < count_; ++i) {
      const DirLeafEntryDisk entry = at(i);
      if (entry.address == 0) continue;
      if (kept != i) bytes_->store(offset(kept), entry);
      ++kept;
    }
  } else {
    for (uint32_t i = count_; i-- > 0;) {
      const DirLeafEntryDisk entry = at(i);
      if (entry.address == 0) continue;
      ++kept;
      if (count_ - kept != i) bytes_->store(offset(count_ - kept), entry);
    }
  }
  if (kept != live()) return false;
  if (grow == Grow::kDown) base_ += (count_ - kept) * kDirPairBytes;
  count_ = kept;
  stale_ = 0;
  return true;
}

void DirPairs::append(const DirPairs& from, uint32_t begin, uint32_t end) {
  for (uint32_t i = begin; i < end; ++i) {
    const DirLeafEntryDisk entry = from.at(i);
    if (entry.address != 0) bytes_->store(offset(count_++), entry);
  }
}

}  // namespace daxlab::xfslike
