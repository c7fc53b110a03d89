// The address-space allocator of vm_map_ram(), in pages of a window: which address a mapping gets, when an address may be given
// out again, and how many flushes of every CPU's TLB that takes. It maps nothing; whoever maps is told (PageTables).
//
// From Linux 6.1.192, mm/vmalloc.c (vm_map_ram, vb_alloc, new_vmap_block, vb_free, free_vmap_area_noflush,
// __purge_vmap_area_lazy, _vm_unmap_aliases); Rules::kLinux66 has what 6.6.14 does differently (purge_fragmented_block).
// Invariants:
//   1. A mapping of up to kSlotPagesMax pages is a slot of a block of the CPU that asks: rounded up to a power of two, cut by a
//   bump
//      pointer, from the first block of the CPU's queue with enough left; a new block when none has. A larger one is an area.
//   2. A slot is never used again: its block goes back whole, once every page of it was given out and unmapped, or when it is
//   purged as a
//      fragment: no slot live.
//   3. A range whose mapping is gone is dirty until a flush, and given out again only after one.
//   4. What is dirty is flushed at once (Purge::kEager), by one flush of all when more than lazy_pages_max() pages are in whole
//   areas
//      (kLazy), or when the window is full (every policy; kNever has that alone).
//
// Departures: the drain that the kernel leaves to a kworker runs in the thread that crossed the threshold, so that one CPU is
// deterministic; a queue has one lock, where the kernel has one more in each block; where lowest fits differ see free_areas.h.
//
// Threads: any.
#pragma once

#include <atomic>
#include <bit>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <unordered_map>
#include <vector>

#include "engines/base/mutex.h"
#include "engines/base/result.h"
#include "engines/base/units.h"
#include "engines/vmap/free_areas.h"

namespace daxlab::vmap {

inline constexpr uint32_t kSlotPagesMax = 64;  ///< VMAP_MAX_ALLOC: BITS_PER_LONG.
inline constexpr uint64_t kPagesPerTable = 512;

/// VMAP_BBMAP_BITS, in a 64-bit kernel built for `nr_cpus` CPUs: 4 MiB up to 2048 of them, 1 MiB in Debian's (8192).
constexpr uint32_t block_pages(uint32_t nr_cpus) {
  const uint64_t share = 128 * kGiB / kBlockBytes / std::bit_ceil(nr_cpus) / 16;
  return static_cast<uint32_t>(share < 128 ? 128 : share > 1024 ? 1024 : share);
}
/// lazy_max_pages(): fls(CPUs online) x 32 MiB.
constexpr uint64_t lazy_pages_max(uint32_t cpus) {
  return static_cast<uint64_t>(std::bit_width(cpus)) * (32 * kMiB / kBlockBytes);
}

enum class Purge : uint8_t { kLazy, kEager, kNever };
enum class Rules : uint8_t {
  kLinux61,  ///< A fragment is purged however much of it was never given out.
  kLinux66,  ///< vm_unmap_aliases() spares fragments of which a quarter or more was not; a forced purge takes all, as before.
};
/// What a caller may wait for. The kernel's vm_map_ram() has no such choice: it asks with GFP_KERNEL.
enum class Memory : uint8_t { kMayAllocate, kNone };

struct VmapConfig {
  uint32_t cpus = 1;                                       ///< Modelled, online and possible.
  uint32_t nr_cpus = 8192;                                 ///< CONFIG_NR_CPUS.
  uint64_t window_pages = 32 * kGiB / kBlockBytes * kKiB;  ///< x86-64: 32 TiB.
  Purge purge = Purge::kLazy;
  Rules rules = Rules::kLinux61;
};

/// Told what happens to page tables; at most the lock of purging is held.
class PageTables {
 public:
  virtual ~PageTables() = default;
  /// The range is unmapped; other CPUs may still have it in their TLBs.
  virtual void cleared(PageRange range) = 0;
  /// No CPU has anything of [first, end) in its TLB any more. What is not mapped in it will be mapped anew.
  virtual void flushed(PageRange range) = 0;
};

struct VmapStats {
  uint64_t maps = 0, unmaps = 0, failures = 0;
  uint64_t block_allocations = 0;  ///< new_vmap_block() that gave one.
  uint64_t area_allocations = 0;   ///< alloc_vmap_area() for more than kSlotPagesMax pages that gave one.
  uint64_t purges = 0;             ///< __purge_vmap_area_lazy().
  uint64_t empty_purges = 0;       ///< The part that found nothing.
  uint64_t drains = 0;             ///< Purges by the threshold; the others are forced.
  uint64_t fragments_purged = 0;
  uint64_t flushes = 0;  ///< flush_tlb_kernel_range().
  uint64_t flushed_pages = 0;
  uint64_t full_flushes = 0;  ///< Of more than kRangeFlushPages pages: x86 drops whole TLBs.
  uint64_t table_bytes = 0;   ///< Page tables ever made; the kernel keeps them.
  uint64_t lazy_pages = 0, live_pages = 0;
  static constexpr uint64_t kRangeFlushPages = 33;  ///< tlb_single_page_flush_ceiling, arch/x86/mm/tlb.c.
};

/// What the calling thread made the allocator do, for who charges costs: sums that only grow.
struct VmapEvents {
  uint64_t blocks_made = 0, areas_made = 0, blocks_freed = 0, areas_freed = 0, tables_made = 0, purges = 0, flushes = 0;
};
extern constinit thread_local VmapEvents t_vmap_events;

class VmapAllocator {
 public:
  explicit VmapAllocator(const VmapConfig& config, PageTables* tables = nullptr);
  ~VmapAllocator();

  const VmapConfig& config() const { return config_; }
  uint32_t block_pages() const { return block_pages_; }

  /// The first page of a range of `pages` pages for CPU `cpu`. kNoSpace: the window is full, after a forced purge. kNoMemory:
  /// Memory::kNone, and a block, an area or a page table would have to be made.
  Result<uint64_t> map(uint32_t cpu, uint32_t pages, Memory memory = Memory::kMayAllocate);
  /// As XFS maps a buffer (fs/xfs/xfs_buf.c, _xfs_buf_map_pages): three attempts, with unmap_aliases() behind each that fails.
  Result<uint64_t> map_patiently(uint32_t cpu, uint32_t pages);
  /// The whole of what map(cpu, pages) gave.
  void unmap(uint64_t first, uint32_t pages);
  /// vm_unmap_aliases().
  void unmap_aliases();
  /// Makes the page tables of a range in advance.
  void populate(PageRange range);

  VmapStats stats() const;

 private:
  struct Block {
    uint64_t first;
    uint64_t free;       ///< Pages not given out yet.
    uint64_t dirty = 0;  ///< Pages given out and unmapped.
    uint64_t dirty_min, dirty_end = 0;
    uint64_t live[16] = {};  ///< A bit for the first page of every live slot.
  };
  /// A CPU's blocks.
  struct alignas(kCacheLineBytes) Queue {
    mutable Mutex mutex;
    std::deque<Block*> open DAXLAB_GUARDED_BY(mutex);  ///< Those with pages left, in the order in which they were made.
    std::unordered_map<uint64_t, std::unique_ptr<Block>> blocks DAXLAB_GUARDED_BY(mutex);  ///< All, by number.
  };

  Result<uint64_t> slot(uint32_t cpu, uint32_t slot_pages, Memory memory);
  std::optional<uint64_t> slot_of(Queue& queue, uint32_t slot_pages, Memory memory);
  Result<uint64_t> area(uint64_t pages, uint64_t align);
  void unmap_slot(uint64_t first, uint32_t slot_pages);
  void unmap_area(uint64_t first, uint32_t pages);
  void give_back(PageRange range);
  void drain();
  void purge_forced();
  void purge_fragments(bool forced);
  bool purge_areas(PageRange also);
  PageRange dirty_pages(bool clean) const;
  void flush(PageRange range);
  bool populated(PageRange range) const;

  const VmapConfig config_;
  const uint32_t block_pages_;
  PageTables* const tables_;

  std::vector<Queue> queues_;
  mutable SharedMutex owners_mutex_;
  std::unordered_map<uint64_t, uint32_t> owners_ DAXLAB_GUARDED_BY(owners_mutex_);  ///< Number of a block -> whose it is.

  mutable Mutex areas_mutex_;
  FreeAreas free_ DAXLAB_GUARDED_BY(areas_mutex_);
  std::unordered_map<uint64_t, uint64_t> areas_ DAXLAB_GUARDED_BY(areas_mutex_);  ///< First page -> pages, larger than a slot.
  std::vector<PageRange> lazy_ DAXLAB_GUARDED_BY(areas_mutex_);
  std::atomic<uint64_t> lazy_pages_{0};
  std::atomic<bool> drain_wanted_{false};
  Mutex purge_mutex_;

  /// A bit for each 2 MiB, then one for each 1 GiB, of which there is a table of page table entries or of their tables.
  const uint64_t small_words_, table_words_;
  const std::unique_ptr<std::atomic<uint64_t>[]> made_;

  struct Counts;
  const std::unique_ptr<Counts> counts_;
};

}  // namespace daxlab::vmap
