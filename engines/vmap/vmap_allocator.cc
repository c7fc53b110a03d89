#include "engines/vmap/vmap_allocator.h"

#include <algorithm>

#include "engines/base/check.h"

namespace daxlab::vmap {

constinit thread_local VmapEvents t_vmap_events;

namespace {

constexpr uint64_t kHugePages = kPagesPerTable * kPagesPerTable;  // what a table of tables covers: 1 GiB

PageRange hull(PageRange a, PageRange b) {
  if (a.count == 0) return b;
  if (b.count == 0) return a;
  const uint64_t first = std::min(a.first, b.first);
  return {first, std::max(a.end(), b.end()) - first};
}

}  // namespace

struct VmapAllocator::Counts {
  std::atomic<uint64_t> maps{0}, unmaps{0}, failures{0}, block_allocations{0}, area_allocations{0}, purges{0}, empty_purges{0};
  std::atomic<uint64_t> drains{0}, fragments_purged{0}, flushes{0}, flushed_pages{0}, full_flushes{0}, tables{0}, live_pages{0};
};

VmapAllocator::VmapAllocator(const VmapConfig& config, PageTables* tables)
    : config_(config),
      block_pages_(vmap::block_pages(config.nr_cpus)),
      tables_(tables),
      queues_(config.cpus),
      free_(config.window_pages),
      small_words_(div_up(div_up(config.window_pages, kPagesPerTable), 64)),
      table_words_(small_words_ + div_up(div_up(config.window_pages, kHugePages), 64)),
      made_(new std::atomic<uint64_t>[table_words_]()),
      counts_(std::make_unique<Counts>()) {
  DAXLAB_CHECK(config.cpus > 0 && config.cpus <= config.nr_cpus);
}

VmapAllocator::~VmapAllocator() = default;

Result<uint64_t> VmapAllocator::map(uint32_t cpu, uint32_t pages, Memory memory) {
  DAXLAB_CHECK(pages > 0 && cpu < config_.cpus);
  const auto found = [&]() -> Result<uint64_t> {
    if (pages <= kSlotPagesMax) return slot(cpu, std::bit_ceil(pages), memory);
    if (memory == Memory::kNone) return Errc::kNoMemory;  // the kernel makes a struct vmap_area
    return area(pages, 1);
  }();
  if (!found.ok()) {
    counts_->failures.fetch_add(1, std::memory_order_relaxed);
    return found;
  }
  populate({*found, pages});
  counts_->maps.fetch_add(1, std::memory_order_relaxed);
  counts_->live_pages.fetch_add(pages, std::memory_order_relaxed);
  return found;
}

Result<uint64_t> VmapAllocator::map_patiently(uint32_t cpu, uint32_t pages) {
  constexpr int kAttempts = 3;
  for (int attempt = 1;; ++attempt) {
    auto found = map(cpu, pages);
    if (found.ok()) return found;
    unmap_aliases();
    if (attempt == kAttempts) return found;
  }
}

Result<uint64_t> VmapAllocator::slot(uint32_t cpu, uint32_t slot_pages, Memory memory) {
  Queue& queue = queues_[cpu];
  if (const auto found = slot_of(queue, slot_pages, memory)) return *found;
  if (memory == Memory::kNone) return Errc::kNoMemory;
  DAXLAB_ASSIGN(const uint64_t first, area(block_pages_, block_pages_));
  counts_->block_allocations.fetch_add(1, std::memory_order_relaxed);
  ++t_vmap_events.blocks_made;
  auto block = std::make_unique<Block>();
  block->first = first;
  block->free = block_pages_ - slot_pages;
  block->dirty_min = block_pages_;
  block->live[0] = 1;
  {
    const WriterLock lock(owners_mutex_);
    owners_[first / block_pages_] = cpu;
  }
  const MutexLock lock(queue.mutex);
  queue.open.push_back(block.get());
  queue.blocks[first / block_pages_] = std::move(block);
  return first;
}

std::optional<uint64_t> VmapAllocator::slot_of(Queue& queue, uint32_t slot_pages, Memory memory) {
  const MutexLock lock(queue.mutex);
  for (auto at = queue.open.begin(); at != queue.open.end(); ++at) {
    Block& block = **at;
    if (block.free < slot_pages) continue;
    const uint64_t offset = block_pages_ - block.free;
    if (memory == Memory::kNone && !populated({block.first + offset, slot_pages})) return std::nullopt;
    block.live[offset / 64] |= uint64_t{1} << offset % 64;
    block.free -= slot_pages;
    if (block.free == 0) queue.open.erase(at);
    return block.first + offset;
  }
  return std::nullopt;
}

// alloc_vmap_area(): where nothing fits, one forced purge and another look.
Result<uint64_t> VmapAllocator::area(uint64_t pages, uint64_t align) {
  for (bool purged = false;; purged = true) {
    {
      const MutexLock lock(areas_mutex_);
      if (const auto first = free_.take(pages, align)) {
        if (align == 1) {
          areas_[*first] = pages;
          counts_->area_allocations.fetch_add(1, std::memory_order_relaxed);
          ++t_vmap_events.areas_made;
        }
        return *first;
      }
    }
    if (purged) return Errc::kNoSpace;
    purge_forced();
  }
}

void VmapAllocator::unmap(uint64_t first, uint32_t pages) {
  counts_->unmaps.fetch_add(1, std::memory_order_relaxed);
  counts_->live_pages.fetch_sub(pages, std::memory_order_relaxed);
  if (tables_ != nullptr) tables_->cleared({first, pages});
  if (config_.purge == Purge::kEager) flush({first, pages});
  if (pages <= kSlotPagesMax)
    unmap_slot(first, std::bit_ceil(pages));
  else
    unmap_area(first, pages);
  if (drain_wanted_.load(std::memory_order_relaxed) && drain_wanted_.exchange(false, std::memory_order_relaxed)) drain();
}

void VmapAllocator::unmap_slot(uint64_t first, uint32_t slot_pages) {
  const uint64_t number = first / block_pages_;
  uint32_t cpu = 0;
  {
    const ReaderLock lock(owners_mutex_);
    const auto owner = owners_.find(number);
    DAXLAB_CHECK(owner != owners_.end());
    cpu = owner->second;
  }
  Queue& queue = queues_[cpu];
  {
    const MutexLock lock(queue.mutex);
    Block& block = *queue.blocks.at(number);
    const uint64_t offset = first - block.first, bit = uint64_t{1} << offset % 64;
    DAXLAB_CHECK((block.live[offset / 64] & bit) != 0);
    block.live[offset / 64] &= ~bit;
    block.dirty_min = std::min(block.dirty_min, offset);
    block.dirty_end = std::max(block.dirty_end, offset + slot_pages);
    block.dirty += slot_pages;
    if (block.dirty != block_pages_) return;
    queue.blocks.erase(number);
  }
  {
    const WriterLock lock(owners_mutex_);
    owners_.erase(number);
  }
  ++t_vmap_events.blocks_freed;
  give_back({number * block_pages_, block_pages_});
}

void VmapAllocator::unmap_area(uint64_t first, uint32_t pages) {
  {
    const MutexLock lock(areas_mutex_);
    const auto found = areas_.find(first);
    DAXLAB_CHECK(found != areas_.end() && found->second == pages);
    areas_.erase(found);
  }
  ++t_vmap_events.areas_freed;
  give_back({first, pages});
}

/// free_vmap_area_noflush()
void VmapAllocator::give_back(PageRange range) {
  const MutexLock lock(areas_mutex_);
  if (config_.purge == Purge::kEager) {
    free_.release(range);
    return;
  }
  lazy_.push_back(range);
  const uint64_t lazy = lazy_pages_.fetch_add(range.count, std::memory_order_relaxed) + range.count;
  if (config_.purge == Purge::kLazy && lazy > lazy_pages_max(config_.cpus)) drain_wanted_.store(true, std::memory_order_relaxed);
}

/// drain_vmap_area_work()
void VmapAllocator::drain() {
  do {
    const MutexLock lock(purge_mutex_);
    purge_areas({});
    counts_->drains.fetch_add(1, std::memory_order_relaxed);
  } while (lazy_pages_.load(std::memory_order_relaxed) > lazy_pages_max(config_.cpus));
}

/// purge_vmap_area_lazy() of 6.1, reclaim_and_purge_vmap_areas() of 6.6
void VmapAllocator::purge_forced() {
  const MutexLock lock(purge_mutex_);
  purge_fragments(true);
  purge_areas({});
}

/// purge_fragmented_blocks_allcpus()
void VmapAllocator::purge_fragments(bool forced) {
  for (Queue& queue : queues_) {
    std::vector<uint64_t> purged;
    {
      const MutexLock lock(queue.mutex);
      std::erase_if(queue.open, [&](const Block* block) {
        if (block->dirty == 0 || block->free + block->dirty != block_pages_) return false;
        const bool spared = config_.rules == Rules::kLinux66 && !forced && block->free >= block_pages_ / 4;
        if (!spared) purged.push_back(block->first / block_pages_);
        return !spared;
      });
      for (const uint64_t number : purged) queue.blocks.erase(number);
    }
    {
      const WriterLock lock(owners_mutex_);
      for (const uint64_t number : purged) owners_.erase(number);
    }
    for (const uint64_t number : purged) give_back({number * block_pages_, block_pages_});
    counts_->fragments_purged.fetch_add(purged.size(), std::memory_order_relaxed);
    t_vmap_events.blocks_freed += purged.size();
  }
}

/// __purge_vmap_area_lazy(): one flush of everything between the lowest and the highest page that is lazily freed (and of
/// `also`), then all of it may be given out again. False where there was nothing.
bool VmapAllocator::purge_areas(PageRange also) {
  counts_->purges.fetch_add(1, std::memory_order_relaxed);
  ++t_vmap_events.purges;
  std::vector<PageRange> lazy;
  {
    const MutexLock lock(areas_mutex_);
    lazy.swap(lazy_);
  }
  if (lazy.empty()) {
    counts_->empty_purges.fetch_add(1, std::memory_order_relaxed);
    return false;
  }
  PageRange all = also;
  for (const PageRange range : lazy) all = hull(all, range);
  flush(all);
  const MutexLock lock(areas_mutex_);
  for (const PageRange range : lazy) {
    free_.release(range);
    lazy_pages_.fetch_sub(range.count, std::memory_order_relaxed);
  }
  return true;
}

/// What is dirty in blocks that stay. `clean`: it is about to be flushed, and need not be again (6.6; 6.1 flushes it each time).
PageRange VmapAllocator::dirty_pages(bool clean) const {
  PageRange all;
  const auto look = [&](Block& block) {
    if (block.dirty == 0 || block.dirty_end <= block.dirty_min) return;
    all = hull(all, {block.first + block.dirty_min, block.dirty_end - block.dirty_min});
    if (!clean) return;
    block.dirty_min = block_pages_;
    block.dirty_end = 0;
  };
  for (const Queue& queue : queues_) {
    const MutexLock lock(queue.mutex);
    if (config_.rules == Rules::kLinux61) {  // which does not see the blocks that have no page left
      for (Block* block : queue.open) look(*block);
    } else {
      for (const auto& [number, block] : queue.blocks) look(*block);
    }
  }
  return all;
}

void VmapAllocator::unmap_aliases() {
  if (config_.rules == Rules::kLinux61) {
    const PageRange dirty = dirty_pages(false);
    const MutexLock lock(purge_mutex_);
    purge_fragments(false);
    if (!purge_areas(dirty) && dirty.count > 0) flush(dirty);
    return;
  }
  const MutexLock lock(purge_mutex_);
  purge_fragments(false);
  const PageRange dirty = dirty_pages(true);
  if (!purge_areas(dirty) && dirty.count > 0) flush(dirty);
}

void VmapAllocator::flush(PageRange range) {
  counts_->flushes.fetch_add(1, std::memory_order_relaxed);
  ++t_vmap_events.flushes;
  counts_->flushed_pages.fetch_add(range.count, std::memory_order_relaxed);
  if (range.count > VmapStats::kRangeFlushPages) counts_->full_flushes.fetch_add(1, std::memory_order_relaxed);
  if (tables_ != nullptr) tables_->flushed(range);
}

bool VmapAllocator::populated(PageRange range) const {
  for (uint64_t table = range.first / kPagesPerTable; table <= (range.end() - 1) / kPagesPerTable; ++table)
    if ((made_[table / 64].load(std::memory_order_relaxed) >> table % 64 & 1) == 0) return false;
  return true;
}

void VmapAllocator::populate(PageRange range) {
  const auto make = [this](uint64_t word, uint64_t table) {
    const uint64_t bit = uint64_t{1} << table % 64;
    auto& bits = made_[word + table / 64];
    if ((bits.load(std::memory_order_relaxed) & bit) != 0) return;
    if ((bits.fetch_or(bit, std::memory_order_relaxed) & bit) != 0) return;
    counts_->tables.fetch_add(1, std::memory_order_relaxed);
    ++t_vmap_events.tables_made;
  };
  for (uint64_t table = range.first / kPagesPerTable; table <= (range.end() - 1) / kPagesPerTable; ++table) make(0, table);
  for (uint64_t table = range.first / kHugePages; table <= (range.end() - 1) / kHugePages; ++table) make(small_words_, table);
}

VmapStats VmapAllocator::stats() const {
  const Counts& from = *counts_;
  const auto get = [](const std::atomic<uint64_t>& count) { return count.load(std::memory_order_relaxed); };
  VmapStats stats;
  stats.maps = get(from.maps);
  stats.unmaps = get(from.unmaps);
  stats.failures = get(from.failures);
  stats.block_allocations = get(from.block_allocations);
  stats.area_allocations = get(from.area_allocations);
  stats.purges = get(from.purges);
  stats.empty_purges = get(from.empty_purges);
  stats.drains = get(from.drains);
  stats.fragments_purged = get(from.fragments_purged);
  stats.flushes = get(from.flushes);
  stats.flushed_pages = get(from.flushed_pages);
  stats.full_flushes = get(from.full_flushes);
  stats.table_bytes = get(from.tables) * kBlockBytes;
  stats.lazy_pages = lazy_pages_.load(std::memory_order_relaxed);
  stats.live_pages = get(from.live_pages);
  return stats;
}

}  // namespace daxlab::vmap
