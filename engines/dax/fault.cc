// The fault path, in the order of fs/dax.c: entry lock, translation by the engine, entry, page table entry, unlock.
#include <algorithm>

#include "engines/base/account.h"
#include "engines/base/counters.h"
#include "engines/base/no_alloc_zone.h"
#include "engines/base/trace.h"
#include "engines/dax/address_space_state.h"

namespace daxlab::dax {
namespace {

/// What a PageSource said about a run of pages: valid until the end of the scope.
class Translation {
 public:
  Translation(PageSource& source, Access access) : source_(source), access_(access), range_(Errc::kStale) {}
  ~Translation() { end(); }
  Translation(const Translation&) = delete;
  Translation& operator=(const Translation&) = delete;

  bool begin(uint64_t page, uint64_t pages_max) {
    end();
    asked_ = page;
    range_ = source_.begin(page, pages_max, access_);
    return range_.ok();
  }
  void end() {
    if (range_) source_.end(*range_, access_);
    range_ = Errc::kStale;
  }
  /// The page that begin() was last asked for.
  uint64_t asked() const { return asked_; }
  Errc code() const { return range_.code(); }
  /// Of a page of the run; null in a hole.
  std::byte* frame(uint64_t page) const {
    return range_->address == nullptr ? nullptr : range_->address + (page - range_->first_page) * kBlockBytes;
  }
  uint64_t pages_from(uint64_t page) const { return range_->first_page + range_->page_count - page; }

 private:
  PageSource& source_;
  const Access access_;
  uint64_t asked_ = 0;
  Result<PageRange> range_;
};

/// Whether the 2 MiB around `page` lie in one aligned, huge-backed piece that the window can show; then the translation covers
/// them.
bool translate_huge(const Mmu& mmu, const Window& window, Translation& translation, uint64_t page) {
  const uint64_t base = page / kHugePages * kHugePages;
  std::byte* const frame = translation.frame(page);
  if (frame == nullptr) return false;
  const std::byte* const base_frame = frame - (page - base) * kBlockBytes;
  if (!mmu.can_map_huge(window, base, base_frame)) return false;
  return translation.begin(base, kHugePages) && translation.frame(base) == base_frame &&
         translation.pages_from(base) >= kHugePages;
}

}  // namespace

bool AddressSpace::fault(Window& window, uint64_t page, Access access) {
  std::byte* const address = window.address == nullptr ? nullptr : window.address + (page - window.first_page) * kBlockBytes;
  DAXLAB_TRACE2(fault_begin, address, static_cast<long>(access == Access::kWrite));
  long outcome = -1;
  {
    const ScopedLockScope scope(LockScope::kFault);
    const AccountScope account(Phase::kFault);
    const NoAllocZone no_allocation;
    const auto served = serve(window, page, access);
    if (!served) {
      outcome = static_cast<long>(served.code());
    } else {
      count(*served ? Counter::faults_2m : Counter::faults_4k);
    }
  }
  DAXLAB_TRACE2(fault_end, address, outcome);
  return outcome == -1;
}

/// True: by a 2 MiB entry. A page that another thread brought in meanwhile is served like any other.
Result<bool> AddressSpace::serve(Window& window, uint64_t page, Access access) {
  State& state = *state_;
  struct Guard {  // the entry and the policy are let go of on every path
    State& state;
    Slot slot;
    ~Guard() {
      state.unlock(slot);
      state.policy->leave();
    }
  };
  state.policy->enter();
  Guard guard{state, state.lock_page(page)};
  Slot& slot = guard.slot;
  if (page >= source_.page_limit()) return Errc::kInvalid;

  const uint64_t chunk_end = (page / kHugePages + 1) * kHugePages;
  const uint64_t pages_max =
      mmu_.wants_extent(window, page) ? std::min(chunk_end, window.first_page + window.page_count) - page : 1;
  Translation translation(source_, access);
  if (!translation.begin(page, pages_max)) return translation.code();
  const bool may_be_huge = (slot.huge() || slot.value == 0) && translate_huge(mmu_, window, translation, page);
  if (slot.huge() && !may_be_huge) state.demote(slot, page);  // another window, too small or askew, shows the page
  const bool huge = may_be_huge && (slot.huge() || state.promote(slot));
  if (!huge && translation.asked() != page && !translation.begin(page, pages_max)) return translation.code();
  const uint64_t first = slot.first_page;
  return state.install(window, slot, translation.frame(first), translation.pages_from(first), access);
}

// The entry is dirty before a page table entry allows a store. A zero page that a new block replaces goes from every window
// first.
Result<bool> AddressSpace::State::install(Window& window, Slot& slot, std::byte* frame, uint64_t run_pages, Access access) {
  DAXLAB_CHECK(frame != nullptr || access == Access::kRead);  // PageSource: a write has a block
  const bool writable = access == Access::kWrite || mmu.allows(window, slot.first_page, Access::kWrite);
  const bool moved = (slot.value & Entry::kPresent) && Entry::frame(slot.value) != frame;
  if (moved) {
    DAXLAB_CHECK(!(slot.value & Entry::kDirty));  // a block that moves is announced by begin_write
    count(Counter::invalidations, remove_from_windows(slot.first_page, slot.page_count));
  }
  const bool was_dirty = slot.value & Entry::kDirty;
  const uint64_t flags = (slot.value & (Entry::kDirty | Entry::kHuge)) | Entry::kPresent;
  slot.value = flags | (frame == nullptr ? Entry::kZero : Entry::of(frame));
  if (writable) mark_dirty(slot);
  publish(slot);
  Result<void> done;
  if (frame != nullptr && !slot.huge()) done = mmu.prepare(window, slot.first_page, run_pages, frame);
  if (done) done = mmu.install(window, slot.first_page, slot.page_count, frame, writable);
  if (!done) {
    if (!was_dirty) mark_clean(slot);
    return done.error();
  }
  return slot.huge();
}

}  // namespace daxlab::dax
