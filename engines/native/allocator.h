// Free blocks: groups of 512 (2 MiB, aligned on the medium), a bitmap each, owned by one of `cpus` pools. DRAM only; mount rebuilds it.
//
// Small requests come from groups that are partly used, requests of 2 MiB and more from wholly free ones, so that huge pages survive
// (two classes of free space as WineFS, SOSP 2021). A pool that has nothing takes a group over from another.
//
// Invariants:
//   1. A group is on exactly one list of exactly one pool: full, partial or whole, as its bitmap says.
//   2. A pool's free count is the sum over its groups.
//   3. A block freed by a commit is given to free() after the commit's fence, so that nobody overwrites what a crash still needs.
//
// Threads: all methods from any thread; a thread uses the pool of its number. No method allocates memory after construction.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "engines/base/mutex.h"
#include "engines/base/units.h"

namespace daxlab::native {

struct Extent {
  uint32_t block = 0;
  uint32_t count = 0;
};

/// Who may have the last blocks: log pages of operations that free space may.
enum class Urgency : uint8_t { kNormal, kReserve };

class Allocator {
 public:
  static constexpr uint32_t kGroupBlocks = static_cast<uint32_t>(kHugeBytes / kBlockBytes);
  static constexpr uint32_t kGroupWords = kGroupBlocks / 64;

  /// Every block starts as used. 1 <= cpus <= 64.
  Allocator(uint64_t block_count, uint32_t cpus);

  /// At mount, before build(): claims blocks as used. False where one is claimed already or beyond the end. Thread-safe.
  bool claim(uint32_t block, uint64_t count);
  /// At mount: what was not claimed is free. Chooses the reserve.
  void build();

  /// Up to `want` contiguous blocks, at `hint` if that is free; count 0 when there is no space.
  Extent allocate(uint32_t want, uint32_t hint, Urgency urgency = Urgency::kNormal);
  void free(Extent extent);

  uint64_t free_blocks() const;
  uint64_t reserve_blocks() const { return reserve_blocks_; }
  /// Free blocks that a normal request may have.
  uint64_t available_blocks() const;
  uint32_t cpus() const { return static_cast<uint32_t>(pools_.size()); }
  uint64_t block_count() const { return block_count_; }
  bool is_free(uint32_t block) const;  ///< While idle.
  /// The calling thread's pool number.
  uint32_t this_cpu() const;
  uint64_t dram_bytes() const;

  /// Proves invariants 1 and 2; adds a line for each violation. While idle.
  void check(std::vector<std::string>& findings) const;
  /// For the tests of check(): damages one invariant.
  void corrupt_for_test(int invariant);

 private:
  enum class List : uint8_t { kFull, kPartial, kWhole };
  static constexpr uint32_t kNone = UINT32_MAX;

  struct Group {
    std::array<uint64_t, kGroupWords> free_bits{};  // 1: free; bits of blocks that do not exist are 0
    uint32_t free_count = 0;
    uint32_t capacity = 0;
    uint32_t previous = kNone;
    uint32_t next = kNone;
    std::atomic<uint32_t> pool{0};
    List list = List::kFull;
    uint8_t cursor = 0;  // word where the last search ended
  };
  struct alignas(128) Pool {
    mutable Mutex mutex;
    std::array<uint32_t, 3> heads DAXLAB_GUARDED_BY(mutex){kNone, kNone, kNone};
    std::atomic<uint64_t> free_count{0};  // written under the mutex
  };

  static uint32_t group_of(uint32_t block) { return static_cast<uint32_t>((uint64_t{block} + 1) / kGroupBlocks); }
  static uint32_t bit_of(uint32_t block) { return static_cast<uint32_t>((uint64_t{block} + 1) % kGroupBlocks); }
  static uint32_t block_of(uint32_t group, uint32_t bit) { return group * kGroupBlocks + bit - 1; }

  void unlink(Pool& pool, uint32_t index) DAXLAB_REQUIRES(pool.mutex);
  void push(Pool& pool, uint32_t index) DAXLAB_REQUIRES(pool.mutex);
  void relist(Pool& pool, uint32_t index) DAXLAB_REQUIRES(pool.mutex);
  Extent take(Pool& pool, uint32_t index, uint32_t bit, uint32_t want) DAXLAB_REQUIRES(pool.mutex);
  Extent take_at(uint32_t block, uint32_t want);
  Extent take_from(Pool& pool, uint32_t want) DAXLAB_REQUIRES(pool.mutex);
  // The analysis cannot see that the two locks, ordered by address, are those of the two pools.
  bool steal(uint32_t thief, bool whole) DAXLAB_NO_THREAD_SAFETY_ANALYSIS;
  uint32_t allowed(const Pool& pool, uint32_t want, Urgency urgency) const;

  const uint64_t block_count_;
  uint32_t group_count_;
  uint64_t reserve_blocks_ = 0;
  std::unique_ptr<Group[]> groups_;
  std::vector<Pool> pools_;
};

}  // namespace daxlab::native
