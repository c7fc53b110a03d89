#include "engines/dax/mmu_soft.h"

#include "engines/dax/page_table.h"

namespace daxlab::dax {

Result<void> SoftMmu::reserve(Window& window) {
  window.table = PageTable::create(window.first_page, window.page_count);
  if (window.table == nullptr) return Errc::kNoMemory;
  return {};
}

void SoftMmu::release(Window& window) {
  delete window.table;
  window.table = nullptr;
}

Result<void> SoftMmu::install(Window& window, uint64_t page, uint64_t page_count, std::byte* frame, bool writable) {
  for (uint64_t i = 0; i < page_count; ++i) {
    PageTable::Entry entry = PageTable::kPresent | PageTable::kZero;
    if (frame != nullptr) entry = PageTable::kPresent | PageTable::frame(region_.file_offset(frame) / kBlockBytes + i);
    if (writable) entry |= PageTable::kWritable;
    window.table->set(page + i, entry);
  }
  return {};
}

uint64_t SoftMmu::remove(Window& window, uint64_t page, uint64_t page_count) {
  uint64_t removed = 0;
  for (uint64_t i = page; i < page + page_count; ++i) {
    if (!(window.table->get(i) & PageTable::kPresent)) continue;
    window.table->set(i, 0);
    ++removed;
  }
  return removed;
}

uint64_t SoftMmu::protect(Window& window, uint64_t page, uint64_t page_count) {
  uint64_t changed = 0;
  for (uint64_t i = page; i < page + page_count; ++i) {
    const PageTable::Entry entry = window.table->get(i);
    if (!(entry & PageTable::kWritable)) continue;
    window.table->set(i, entry & ~PageTable::kWritable);
    ++changed;
  }
  return changed;
}

}  // namespace daxlab::dax
