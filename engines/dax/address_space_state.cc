#include "engines/dax/address_space_state.h"

#include <algorithm>

#include "engines/base/counters.h"
#include "engines/pmem/persist.h"

namespace daxlab::dax {

Slot AddressSpace::State::lock_page(uint64_t page) {
  Chunk* const chunk = entries.find(page);
  DAXLAB_CHECK(chunk != nullptr);
  EntryWord& small = chunk->small[page % kHugePages];
  while (true) {
    if (chunk->huge.load() & Entry::kHuge) {
      policy->lock(chunk->huge);
      const uint64_t value = chunk->huge.load(std::memory_order_relaxed) & ~Entry::kLocked;
      if (value & Entry::kHuge) return {chunk, &chunk->huge, page / kHugePages * kHugePages, kHugePages, value};
      policy->unlock(chunk->huge, value);
    }
    policy->lock(small);
    const uint64_t value = small.load(std::memory_order_relaxed) & ~Entry::kLocked;
    if (!(chunk->huge.load() & Entry::kHuge)) return {chunk, &small, page, 1, value};
    policy->unlock(small, value);  // promoted in between
    count(Counter::fault_retries);
  }
}

void AddressSpace::State::release_range(uint64_t first_page, uint64_t end) {
  for_each_chunk(first_page, end, [this](Chunk& chunk, uint64_t begin, uint64_t chunk_end) {
    for (uint64_t page = begin; page < chunk_end; ++page) policy->unlock(chunk.small[page % kHugePages], 0);
  });
}

// A locker sets its small lock, then looks for kHuge; we set kHuge, then look for small locks: sequentially consistent, so one of
// the two sees the other and lets go.
bool AddressSpace::State::promote(Slot& slot) {
  Chunk& chunk = *slot.chunk;
  if (slot.huge() || slot.value != 0 || !policy->try_lock(chunk.huge, 0)) return false;
  policy->set(chunk.huge, Entry::kHuge);
  for (EntryWord& word : chunk.small) {
    if (&word == slot.word || word.load() == 0) continue;
    policy->unlock(chunk.huge, 0);
    return false;
  }
  policy->unlock(*slot.word, 0);
  slot = {&chunk, &chunk.huge, slot.first_page / kHugePages * kHugePages, kHugePages, Entry::kHuge};
  return true;
}

void AddressSpace::State::demote(Slot& slot, uint64_t page) {
  count(Counter::invalidations, remove_from_windows(slot.first_page, kHugePages));
  if (slot.value & Entry::kDirty) {
    flush(slot);
    pmem::fence();
    mark_clean(slot);
  }
  EntryWord& small = slot.chunk->small[page % kHugePages];
  policy->lock(small);  // whoever has it sees kHuge and lets go
  policy->unlock(slot.chunk->huge, 0);
  slot = {slot.chunk, &small, page, 1, 0};
}

uint64_t AddressSpace::State::remove_from_windows(uint64_t first_page, uint64_t page_count) {
  const ReaderLock lock(windows_lock);
  uint64_t removed = 0;
  for (Window* window : windows) {
    const uint64_t begin = std::max(first_page, window->first_page);
    const uint64_t end = std::min(first_page + page_count, window->first_page + window->page_count);
    if (begin < end) removed += mmu.remove(*window, begin, end - begin);
  }
  return removed;
}

uint64_t AddressSpace::State::protect_in_windows(uint64_t first_page, uint64_t page_count) {
  const ReaderLock lock(windows_lock);
  uint64_t changed = 0;
  for (Window* window : windows) {
    const uint64_t begin = std::max(first_page, window->first_page);
    const uint64_t end = std::min(first_page + page_count, window->first_page + window->page_count);
    if (begin < end) changed += mmu.protect(*window, begin, end - begin);
  }
  return changed;
}

void AddressSpace::State::mark_dirty(Slot& slot) {
  if (slot.value & Entry::kDirty) return;
  slot.value |= Entry::kDirty;
  dirty_pages.fetch_add(slot.page_count, std::memory_order_relaxed);
}

void AddressSpace::State::mark_clean(Slot& slot) {
  if (!(slot.value & Entry::kDirty)) return;
  slot.value &= ~Entry::kDirty;
  dirty_pages.fetch_sub(slot.page_count, std::memory_order_relaxed);
}

// A recorder sees stores that went through page tables here for the first time; the software MMU has reported its own.
void AddressSpace::State::flush(const Slot& slot) {
  std::byte* const frame = Entry::frame(slot.value);
  const uint64_t size_bytes = slot.page_count * kBlockBytes;
  if (DAXLAB_UNLIKELY(pmem::g_door.watched) && mmu.kind() != MmuKind::kSoft) pmem::detail::store_watched(frame, size_bytes, {});
  pmem::flush(frame, size_bytes);
}

void AddressSpace::State::forget_entries() {
  for (uint64_t page = 0; page < entries.page_limit(); page += kHugePages) {
    Chunk* const chunk = entries.find(page);
    if (chunk == nullptr) continue;
    for (EntryWord& word : chunk->small) {
      if (word.load(std::memory_order_relaxed) != 0) word.fetch_and(Entry::kLocked);
    }
    if (chunk->huge.load(std::memory_order_relaxed) & Entry::kHuge) {
      const Slot slot = lock_page(page);
      policy->unlock(*slot.word, 0);
    }
  }
}

}  // namespace daxlab::dax
