// Which blocks of a group may be allocated: an index in DRAM over what the group's bitmap says.
//
// Extents by place and by length. What a transaction frees is *busy* until the freeing is durable and only then comes back here:
// allocated before, a crash could leave the old owner with the new owner's content. What a transaction has taken is gone from here
// at once and gone from the bitmap with its commit.
//
// Threads: any; one lock, a leaf.
#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <utility>

#include "engines/base/mutex.h"
#include "engines/xfslike/buffer_mapping.h"

namespace daxlab::xfslike {

class FreeSpace {
 public:
  /// [first, first + count) is free; it was not.
  void give(uint64_t first, uint64_t count);
  /// Takes `wanted` blocks or, where no piece has as many, the longest there is, at least `minimum`; as close behind `near` as can be
  /// (0: anywhere). `align`: the piece begins at a multiple of it, counted from `origin`.
  struct Wish {
    uint64_t near = 0;
    uint32_t wanted = 1;
    uint32_t minimum = 1;
    uint32_t align = 1;
    uint64_t origin = 0;
  };
  std::optional<BlockRun> take(const Wish& wish);
  /// Takes exactly these blocks: false where not all of them are free.
  bool take_exactly(uint64_t first, uint64_t count);

  uint64_t free_blocks() const { return free_blocks_.load(std::memory_order_relaxed); }
  uint64_t longest() const;
  /// visit(first, count), ascending.
  template <typename Visit>
  void each(Visit visit) const {
    const MutexLock lock(mutex_);
    for (const auto& [first, count] : by_place_) visit(first, count);
  }
  uint64_t dram_bytes() const;

 private:
  using Pieces = std::map<uint64_t, uint64_t>;
  void insert(uint64_t first, uint64_t count) DAXLAB_REQUIRES(mutex_);
  Pieces::iterator erase(Pieces::iterator piece) DAXLAB_REQUIRES(mutex_);
  BlockRun cut(Pieces::iterator piece, uint64_t first, uint64_t count) DAXLAB_REQUIRES(mutex_);

  mutable Mutex mutex_;
  Pieces by_place_ DAXLAB_GUARDED_BY(mutex_);
  std::set<std::pair<uint64_t, uint64_t>> by_length_ DAXLAB_GUARDED_BY(mutex_);  // count, first
  std::atomic<uint64_t> free_blocks_{0};
};

}  // namespace daxlab::xfslike
