// Mapping and unmapping, and the ranges that an engine takes away from faults.
#include "engines/dax/address_space.h"

#include <algorithm>

#include "engines/base/counters.h"
#include "engines/base/trace.h"
#include "engines/dax/address_space_state.h"
#include "engines/dax/mapping.h"
#include "engines/pmem/persist.h"

namespace daxlab::dax {

AddressSpace::AddressSpace(Mmu& mmu, PageSource& source, Policy policy) : mmu_(mmu), source_(source), policy_(policy) {}

AddressSpace::~AddressSpace() {
  if (!state_) return;
  const WriterLock lock(state_->windows_lock);
  DAXLAB_CHECK(state_->windows.empty());
}

Result<std::unique_ptr<Mapping>> AddressSpace::map(uint64_t offset, uint64_t size_bytes, bool writable,
                                                   std::shared_ptr<void> keep_alive) {
  constexpr uint64_t kPagesMax = uint64_t{1} << 40;
  if (offset % kBlockBytes != 0 || size_bytes == 0 || offset / kBlockBytes >= kPagesMax) return Errc::kInvalid;
  if (size_bytes / kBlockBytes >= kPagesMax) return Errc::kNoMemory;
  {
    static Mutex first_map;
    const MutexLock lock(first_map);
    if (!state_) state_ = std::make_unique<State>(mmu_, policy_);
  }
  auto mapping = std::make_unique<DaxMapping>(*this, size_bytes, std::move(keep_alive));
  Window& window = mapping->window();
  window.first_page = offset / kBlockBytes;
  window.page_count = div_up(size_bytes, kBlockBytes);
  window.writable = writable;
  window.space = this;
  State& state = *state_;
  {
    const MutexLock lock(state.map_mutex);
    DAXLAB_TRY(state.entries.cover(window.first_page, window.page_count));
    DAXLAB_TRY(mmu_.reserve(window));
    const WriterLock windows(state.windows_lock);
    state.windows.push_back(&window);
    mappings_.fetch_add(1, std::memory_order_release);
  }
  mapping->established();
  DAXLAB_TRACE2(map_region, window.address, size_bytes);
  return std::unique_ptr<Mapping>(std::move(mapping));
}

// Dirty entries stay, as page cache tags do after munmap(): mapped() keeps answering true for them.
void AddressSpace::unmap(Window& window) {
  State& state = *state_;
  DAXLAB_TRACE1(unmap_region, window.address);
  const MutexLock lock(state.map_mutex);
  bool last = false;
  {
    const WriterLock windows(state.windows_lock);
    std::erase(state.windows, &window);
    last = state.windows.empty();
  }
  mmu_.release(window);
  if (last && !state.residue && state.dirty_pages.load() != 0) {
    state.residue = true;
  } else {
    if (last && !state.residue) state.forget_entries();
    mappings_.fetch_sub(1, std::memory_order_release);
  }
}

void AddressSpace::begin_write(uint64_t first_page, uint64_t page_count) { begin_range(first_page, page_count, true); }

void AddressSpace::begin_truncate(uint64_t first_page, uint64_t page_count) { begin_range(first_page, page_count, false); }

void AddressSpace::begin_range(uint64_t first_page, uint64_t page_count, bool keep_data) {
  if (!state_) return;
  const ScopedLockScope scope(LockScope::kWrite);
  state_->policy->enter();  // left by end_write()
  take_range(*state_, first_page, end_within(first_page, page_count, state_->entries.page_limit()), keep_data);
}

// Order: entries locked, page table entries gone, lines flushed, fence. No store can come in after its page table entry went, so
// what is flushed is all there is; a crash before the fence leaves any mix of the dirty lines, as without the call.
void AddressSpace::take_range(State& state, uint64_t first_page, uint64_t end, bool keep_data) {
  bool present = false;
  bool dirty = false;
  state.for_each_chunk(first_page, end, [&](Chunk&, uint64_t begin, uint64_t chunk_end) {
    for (uint64_t page = begin; page < chunk_end; ++page) {
      Slot slot = state.lock_page(page);
      if (slot.huge()) state.demote(slot, page);
      present |= (slot.value & Entry::kPresent) != 0;
      dirty |= (slot.value & Entry::kDirty) != 0;
      state.publish(slot);
    }
  });
  if (!present) return;
  count(Counter::invalidations, state.remove_from_windows(first_page, end - first_page));
  state.for_each_chunk(first_page, end, [&](Chunk& chunk, uint64_t begin, uint64_t chunk_end) {
    for (uint64_t page = begin; page < chunk_end; ++page) {
      EntryWord& word = chunk.small[page % kHugePages];
      Slot slot{&chunk, &word, page, 1, word.load(std::memory_order_relaxed) & ~Entry::kLocked};
      if (keep_data && (slot.value & Entry::kDirty)) state.flush(slot);
      state.mark_clean(slot);
      slot.value = 0;
      state.publish(slot);
    }
  });
  if (keep_data && dirty) pmem::fence();
}

void AddressSpace::end_write(uint64_t first_page, uint64_t page_count) {
  if (!state_) return;
  state_->release_range(first_page, end_within(first_page, page_count, state_->entries.page_limit()));
  state_->policy->leave();
}

void AddressSpace::invalidate(uint64_t first_page, uint64_t page_count) {
  if (!state_) return;
  const uint64_t end = end_within(first_page, page_count, state_->entries.page_limit());
  take_range(*state_, first_page, end, true);
  state_->release_range(first_page, end);
}

AddressSpace::WriteScope::WriteScope(AddressSpace& space) : state_(space.state_.get()) {
  if (state_ != nullptr) state_->policy->enter();
}

AddressSpace::WriteScope::~WriteScope() {
  if (state_ != nullptr) state_->policy->leave();
}

}  // namespace daxlab::dax
