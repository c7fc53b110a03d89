#include "engines/xfslike/free_space.h"

#include <algorithm>
#include <iterator>

#include "engines/base/check.h"
#include "engines/base/units.h"

namespace daxlab::xfslike {

void FreeSpace::insert(uint64_t first, uint64_t count) {
  by_place_.emplace(first, count);
  by_length_.emplace(count, first);
}

FreeSpace::Pieces::iterator FreeSpace::erase(Pieces::iterator piece) {
  by_length_.erase({piece->second, piece->first});
  return by_place_.erase(piece);
}

void FreeSpace::give(uint64_t first, uint64_t count) {
  if (count == 0) return;
  const MutexLock lock(mutex_);
  free_blocks_.fetch_add(count, std::memory_order_relaxed);
  auto after = by_place_.lower_bound(first);
  if (after != by_place_.end()) {
    DAXLAB_CHECK(first + count <= after->first);
    if (first + count == after->first) {
      count += after->second;
      after = erase(after);
    }
  }
  if (after != by_place_.begin()) {
    const auto before = std::prev(after);
    DAXLAB_CHECK(before->first + before->second <= first);
    if (before->first + before->second == first) {
      first = before->first;
      count += before->second;
      erase(before);
    }
  }
  insert(first, count);
}

BlockRun FreeSpace::cut(Pieces::iterator piece, uint64_t first, uint64_t count) {
  const uint64_t piece_first = piece->first;
  const uint64_t piece_end = piece_first + piece->second;
  erase(piece);
  if (piece_first < first) insert(piece_first, first - piece_first);
  if (first + count < piece_end) insert(first + count, piece_end - first - count);
  free_blocks_.fetch_sub(count, std::memory_order_relaxed);
  return {first, static_cast<uint32_t>(count)};
}

// Right behind `near` if that is free; else the first piece behind it that is long enough; else the shortest that is; else the longest.
std::optional<BlockRun> FreeSpace::take(const Wish& wish) {
  const MutexLock lock(mutex_);
  const auto fits = [&](uint64_t first, uint64_t count, uint32_t least) -> std::optional<uint64_t> {
    const uint64_t begin = wish.origin + align_up(first - wish.origin, wish.align);
    if (begin + least > first + count) return std::nullopt;
    return begin;
  };
  if (wish.near != 0) {
    auto piece = by_place_.upper_bound(wish.near);
    if (piece != by_place_.begin()) {
      const auto holder = std::prev(piece);
      if (holder->first <= wish.near && wish.near < holder->first + holder->second && wish.align == 1 &&
          holder->first + holder->second - wish.near >= std::min(wish.wanted, wish.minimum)) {
        return cut(holder, wish.near, std::min<uint64_t>(wish.wanted, holder->first + holder->second - wish.near));
      }
    }
    for (int looks = 0; piece != by_place_.end() && looks < 8; ++piece, ++looks) {
      const auto begin = fits(piece->first, piece->second, wish.wanted);
      if (begin) return cut(piece, *begin, wish.wanted);
    }
  }
  for (auto length = by_length_.lower_bound({wish.wanted, 0}); length != by_length_.end(); ++length) {
    const auto begin = fits(length->second, length->first, wish.wanted);
    if (begin) return cut(by_place_.find(length->second), *begin, wish.wanted);
  }
  for (auto length = by_length_.rbegin(); length != by_length_.rend() && length->first >= wish.minimum; ++length) {
    const auto begin = fits(length->second, length->first, wish.minimum);
    if (!begin) continue;
    const uint64_t count = std::min<uint64_t>(wish.wanted, length->second + length->first - *begin);
    return cut(by_place_.find(length->second), *begin, count);
  }
  return std::nullopt;
}

bool FreeSpace::take_exactly(uint64_t first, uint64_t count) {
  const MutexLock lock(mutex_);
  auto piece = by_place_.upper_bound(first);
  if (piece == by_place_.begin()) return false;
  --piece;
  if (first + count > piece->first + piece->second) return false;
  cut(piece, first, count);
  return true;
}

uint64_t FreeSpace::longest() const {
  const MutexLock lock(mutex_);
  return by_length_.empty() ? 0 : by_length_.rbegin()->first;
}

uint64_t FreeSpace::dram_bytes() const {
  constexpr uint64_t kNodeBytes = 32;  // of a red-black tree, without its value
  const MutexLock lock(mutex_);
  return by_place_.size() * 2 * (kNodeBytes + sizeof(Pieces::value_type));
}

}  // namespace daxlab::xfslike
