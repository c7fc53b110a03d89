#include "engines/dax/mmu_mapped.h"

#include <sys/mman.h>

#include "engines/dax/arena.h"
#include "engines/dax/huge_frames.h"
#include "engines/dax/raw_mman.h"

namespace daxlab::dax {

MappedMmu::MappedMmu(const pmem::Region& region, int map_flags)
    : region_(region), map_flags_(map_flags), huge_frames_(find_huge_frames(region)) {}

Result<void> MappedMmu::reserve(Window& window) {
  window.table = PageTable::create(window.first_page, window.page_count);
  if (window.table == nullptr) return Errc::kNoMemory;
  window.faults_by_sigbus = kind() == MmuKind::kUffd;
  auto reserved = arena::reserve(window);
  if (!reserved) {
    delete window.table;
    window.table = nullptr;
  }
  return reserved;
}

void MappedMmu::release(Window& window) {
  arena::release(window);
  delete window.table;
  window.table = nullptr;
}

Result<void> MappedMmu::install(Window& window, uint64_t page, uint64_t page_count, std::byte* frame, bool writable) {
  if (arena::forked()) return Errc::kNotSupported;
  if (frame == nullptr) return install_zero(window, page, page_count);
  if (page_count == kHugePages) return install_huge(window, page, frame, writable);
  return install_small(window, page, page_count, frame, writable);
}

Result<void> MappedMmu::install_zero(Window& window, uint64_t page, uint64_t page_count) {
  DAXLAB_TRY(raw_mmap(address(window, page), page_count * kBlockBytes, PROT_READ,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0));
  for (uint64_t i = page; i < page + page_count; ++i) window.table->set(i, PageTable::kPresent | PageTable::kZero);
  return {};
}

Result<void> MappedMmu::install_huge(Window& window, uint64_t page, std::byte* frame, bool writable) {
  PageTable& table = *window.table;
  const PageTable::Entry wanted = PageTable::frame(file_offset(frame) / kBlockBytes) | PageTable::kPresent | PageTable::kHuge;
  const int protection = writable ? PROT_READ | PROT_WRITE : PROT_READ;
  const MutexLock lock(table.mutex);
  if ((table.get(page) & ~PageTable::kWritable) == wanted) {
    DAXLAB_TRY(raw_mprotect(address(window, page), kHugeBytes, protection));
  } else {
    DAXLAB_TRY(map_file(address(window, page), kHugeBytes, protection, file_offset(frame)));
    for (uint64_t i = 1; i < kHugePages; ++i) table.set(page + i, 0);
  }
  table.set(page, wanted | (writable ? PageTable::kWritable : 0));
  return {};
}

uint64_t MappedMmu::remove(Window& window, uint64_t page, uint64_t page_count) {
  if (arena::forked()) return 0;
  uint64_t removed = 0;
  PageTable& table = *window.table;
  const auto kinds = PageTable::kHuge | PageTable::kZero;
  for_each_run(table, page, page_count, PageTable::kPresent, kinds, [&](uint64_t first, uint64_t count, PageTable::Entry entry) {
    removed += count;
    if (!(entry & kinds)) {
      const auto done = remove_small(window, first, count);
      DAXLAB_CHECK(done.ok());  // a stale entry would show freed blocks
      return;
    }
    const uint64_t size_bytes =
        entry & PageTable::kHuge ? kHugeBytes : count * kBlockBytes;  // a run of huge entries is one entry
    const MutexLock lock(table.mutex);
    const auto done = arena::blank(address(window, first), size_bytes);
    DAXLAB_CHECK(done.ok());
    for (uint64_t i = first; i < first + count; ++i) table.set(i, 0);
  });
  return removed;
}

uint64_t MappedMmu::protect(Window& window, uint64_t page, uint64_t page_count) {
  if (arena::forked()) return 0;
  uint64_t changed = 0;
  PageTable& table = *window.table;
  for_each_run(table, page, page_count, PageTable::kPresent | PageTable::kWritable, PageTable::kHuge,
               [&](uint64_t first, uint64_t count, PageTable::Entry entry) {
                 changed += count;
                 const auto done = entry & PageTable::kHuge ? raw_mprotect(address(window, first), kHugeBytes, PROT_READ)
                                                            : protect_small(window, first, count);
                 DAXLAB_CHECK(done.ok());  // a store through it would be lost to fsync
                 for (uint64_t i = first; i < first + count; ++i) table.set(i, table.get(i) & ~PageTable::kWritable);
               });
  return changed;
}

bool MappedMmu::can_map_huge(const Window& window, uint64_t page, const std::byte* frame) const {
  if (frame == nullptr || page % kHugePages != 0 || page < window.first_page) return false;
  if (page + kHugePages > window.first_page + window.page_count) return false;
  const uint64_t offset = file_offset(frame);
  return offset % kHugeBytes == 0 && offset / kHugeBytes < huge_frames_.size() && huge_frames_[offset / kHugeBytes];
}

Result<void> MappedMmu::map_file(std::byte* address, uint64_t size_bytes, int protection, uint64_t offset) const {
  return raw_mmap(address, size_bytes, protection, map_flags_ | MAP_FIXED, region_.fd(), offset);
}

}  // namespace daxlab::dax
