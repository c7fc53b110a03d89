// What one window has installed, page by page: the DRAM side of a page table.
//
// An entry is the mapped frame's place in the region (4 KiB units, plus one; 0: nothing is mapped there) with flags. For a 2 MiB
// entry the first page of 512 carries kHuge and stands for all. Under the software MMU this *is* the page table.
//
// Threads: present, writable and huge of a page change under its entry's lock; a frame that is not present, under the table's
// mutex too.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <new>

#include "engines/base/mutex.h"
#include "engines/dax/mmu.h"

namespace daxlab::dax {

class PageTable {
 public:
  using Entry = uint64_t;
  static constexpr Entry kPresent = 1;
  static constexpr Entry kWritable = 2;
  static constexpr Entry kZero = 4;  ///< The zero page: present, no frame.
  static constexpr Entry kHuge = 8;
  static constexpr Entry kFlags = 15;

  static constexpr Entry frame(uint64_t region_page) { return (region_page + 1) << 4; }
  static constexpr Entry frame_of(Entry entry) { return entry & ~kFlags; }

  /// Null when there is no memory for it.
  static PageTable* create(uint64_t first_page, uint64_t page_count) {
    auto* entries = new (std::nothrow) std::atomic<Entry>[page_count] {};
    if (entries == nullptr) return nullptr;
    auto* table = new (std::nothrow) PageTable(first_page, page_count, entries);
    if (table == nullptr) delete[] entries;
    return table;
  }

  uint64_t first_page() const { return first_page_; }
  uint64_t end_page() const { return first_page_ + page_count_; }

  Entry get(uint64_t page) const { return entries_[page - first_page_].load(std::memory_order_acquire); }
  void set(uint64_t page, Entry entry) { entries_[page - first_page_].store(entry, std::memory_order_release); }

  /// The entry that governs `page`: a huge one covers the 512 pages from its own on.
  Entry governing(uint64_t page) const {
    const uint64_t huge_page = page / kHugePages * kHugePages;
    if (huge_page >= first_page_) {
      const Entry huge = get(huge_page);
      if (huge & kHuge) return huge;
    }
    return get(page);
  }

  Mutex mutex;  ///< Serialises the kernel mappings of the window; held for a few system calls.

 private:
  PageTable(uint64_t first_page, uint64_t page_count, std::atomic<Entry>* entries)
      : first_page_(first_page), page_count_(page_count), entries_(entries) {}
  const uint64_t first_page_;
  const uint64_t page_count_;
  const std::unique_ptr<std::atomic<Entry>[]> entries_;
};

/// Calls visit(first, count, entry) for each longest run of pages in [page, page + count) whose entries agree under `mask` and
/// have one of `need`.
template <typename Visitor>
void for_each_run(const PageTable& table, uint64_t page, uint64_t count, PageTable::Entry need, PageTable::Entry mask,
                  const Visitor& visit) {
  const uint64_t end = page + count;
  while (page < end) {
    const PageTable::Entry entry = table.get(page);
    if ((entry & need) != need) {
      ++page;
      continue;
    }
    uint64_t run_end = page + 1;
    while (run_end < end && (table.get(run_end) & need) == need && (table.get(run_end) & mask) == (entry & mask)) ++run_end;
    visit(page, run_end - page, entry);
    page = run_end;
  }
}

}  // namespace daxlab::dax
