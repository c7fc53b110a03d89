// fsync and msync of mapped pages.
//
// Order, for a batch of dirty pages under their entries' locks: page table entries read-only, lines flushed, fence, entries
// clean. A store that came before its page was protected is flushed; a store after it faults, waits for the entry and makes it
// dirty again. The entry turns clean only behind the fence, so another fsync never takes it for durable too early. Last, the
// engine commits what makes the data reachable. A crash in between leaves any mix of the dirty lines, as without the call.
#include <algorithm>
#include <array>

#include "engines/base/counters.h"
#include "engines/base/trace.h"
#include "engines/dax/address_space_state.h"
#include "engines/pmem/persist.h"

namespace daxlab::dax {
namespace {

constexpr size_t kBatchPages = 64;  // bounds how long a fault may wait, and the fences: one a batch

}  // namespace

Result<void> AddressSpace::writeback(uint64_t first_page, uint64_t page_count) {
  const uint64_t ino = source_.ino();
  DAXLAB_TRACE1(fsync_begin, ino);
  write_back_dirty(first_page, page_count);
  auto committed = source_.commit(first_page, page_count);
  DAXLAB_TRACE1(fsync_end, ino);
  return committed;
}

void AddressSpace::write_back_dirty(uint64_t first_page, uint64_t page_count) {
  if (!mapped()) return;
  State& state = *state_;
  const uint64_t end = end_within(first_page, page_count, state.entries.page_limit());
  uint64_t page = first_page;
  while (page < end) state.write_back_batch(page, end);
  const MutexLock lock(state.map_mutex);
  if (!state.residue || state.dirty_pages.load() != 0) return;
  state.residue = false;
  const ReaderLock windows(state.windows_lock);
  if (state.windows.empty()) state.forget_entries();
  mappings_.fetch_sub(1, std::memory_order_release);
}

/// Writes back the first dirty run at or after `page`, at most a batch of it, and moves `page` behind what was looked at.
void AddressSpace::State::write_back_batch(uint64_t& page, uint64_t end) {
  const auto looks_dirty = [this](uint64_t at) {
    const Chunk* chunk = entries.find(at);
    return chunk != nullptr && ((chunk->huge.load() | chunk->small[at % kHugePages].load()) & Entry::kDirty);
  };
  while (page < end && !looks_dirty(page)) page = entries.find(page) == nullptr ? (page / kHugePages + 1) * kHugePages : page + 1;
  if (page >= end) return;

  std::array<Slot, kBatchPages> slots;
  size_t held = 0;
  policy->enter();
  while (held < kBatchPages && page < end && looks_dirty(page)) {
    const Slot slot = lock_page(page);
    page = slot.first_page + slot.page_count;
    if (!(slot.value & Entry::kDirty)) {
      unlock(slot);
      break;
    }
    slots[held++] = slot;
  }
  if (held > 0) {
    const uint64_t first = slots[0].first_page;
    const uint64_t last_end = slots[held - 1].first_page + slots[held - 1].page_count;
    count(Counter::reprotects, protect_in_windows(first, last_end - first));
    for (size_t i = 0; i < held; ++i) flush(slots[i]);
    pmem::fence();
    for (size_t i = 0; i < held; ++i) {
      mark_clean(slots[i]);
      unlock(slots[i]);
    }
  }
  policy->leave();
}

}  // namespace daxlab::dax
