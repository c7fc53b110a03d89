// The inside of an AddressSpace that has been mapped: entries, their locks, the windows over them. Private to engines/dax.
//
// Lock order: policy (exclusive), 2 MiB entry or small entries in ascending order, PageSource's own locks, windows_lock, a
// window's table.
#pragma once

#include <algorithm>
#include <atomic>
#include <memory>
#include <vector>

#include "engines/base/mutex.h"
#include "engines/dax/address_space.h"
#include "engines/dax/entry_table.h"
#include "engines/dax/lock_policy.h"

namespace daxlab::dax {

/// A locked entry: a small one, or the 2 MiB one of its chunk.
struct Slot {
  Chunk* chunk = nullptr;
  EntryWord* word = nullptr;
  uint64_t first_page = 0;
  uint64_t page_count = 1;
  uint64_t value = 0;  ///< Without kLocked; unlock() stores it.
  bool huge() const { return page_count == kHugePages; }
};

struct AddressSpace::State {
  State(Mmu& owner_mmu, Policy kind) : mmu(owner_mmu), policy(LockPolicy::create(kind)) {}

  /// Locks the entry that governs `page`, which a mapping has covered.
  Slot lock_page(uint64_t page);
  void unlock(const Slot& slot) { policy->unlock(*slot.word, slot.value); }
  /// Publishes slot.value while the lock is kept.
  void publish(const Slot& slot) { policy->set(*slot.word, slot.value); }

  /// Lets go of the small entries of [first_page, end), which their holder has emptied.
  void release_range(uint64_t first_page, uint64_t end);
  /// visit(chunk, begin, end) for the part of [first_page, end) in each chunk that a mapping has covered, ascending.
  template <typename Visitor>
  void for_each_chunk(uint64_t first_page, uint64_t end, const Visitor& visit) {
    while (first_page < end) {
      const uint64_t chunk_end = std::min(end, (first_page / kHugePages + 1) * kHugePages);
      if (Chunk* chunk = entries.find(first_page)) visit(*chunk, first_page, chunk_end);
      first_page = chunk_end;
    }
  }

  /// Turns a locked, empty small entry into its chunk's locked 2 MiB entry if nothing else of the chunk is in use.
  bool promote(Slot& slot);
  /// Removes a locked 2 MiB entry, written back if dirty, and leaves the locked small entry of `page` in its place.
  void demote(Slot& slot, uint64_t page);

  /// Gives a locked slot its frame (null: a hole) and `window` its page table entry. True: of 2 MiB.
  Result<bool> install(Window& window, Slot& slot, std::byte* frame, uint64_t run_pages, Access access);

  /// Over every window that shows pages of [first_page, first_page + page_count). Return what the Mmu counted.
  uint64_t remove_from_windows(uint64_t first_page, uint64_t page_count);
  uint64_t protect_in_windows(uint64_t first_page, uint64_t page_count);

  void mark_dirty(Slot& slot);
  void mark_clean(Slot& slot);
  void flush(const Slot& slot);  ///< Its lines, without a fence.
  void write_back_batch(uint64_t& page, uint64_t end);

  /// Forgets clean entries once no window is left.
  void forget_entries();

  Mmu& mmu;
  const std::unique_ptr<LockPolicy> policy;
  EntryTable entries;
  SharedMutex windows_lock;
  std::vector<Window*> windows DAXLAB_GUARDED_BY(windows_lock);
  std::atomic<uint64_t> dirty_pages{0};
  Mutex map_mutex;                                    ///< map(), unmap and the residue of dirty pages.
  bool residue DAXLAB_GUARDED_BY(map_mutex) = false;  ///< mappings_ counts dirty pages that no window shows any more.
};

/// Clamped end of [first, first + count) without overflow.
inline uint64_t end_within(uint64_t first_page, uint64_t page_count, uint64_t limit) {
  return page_count > limit || first_page + page_count > limit ? limit : first_page + page_count;
}

}  // namespace daxlab::dax
