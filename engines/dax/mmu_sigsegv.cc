#include "engines/dax/mmu_sigsegv.h"

#include <fmt/format.h>
#include <sys/mman.h>

#include <cerrno>
#include <cstring>

#include "engines/dax/arena.h"
#include "engines/dax/raw_mman.h"

namespace daxlab::dax {

Result<std::unique_ptr<Mmu>> SigsegvMmu::create(const pmem::Region& region) {
  for (const int flags : {MAP_SHARED_VALIDATE | MAP_SYNC, MAP_SHARED}) {
    void* page = mmap(nullptr, kBlockBytes, PROT_READ | PROT_WRITE, flags, region.fd(), 0);
    if (page == MAP_FAILED) continue;
    munmap(page, kBlockBytes);
    return std::unique_ptr<Mmu>(new SigsegvMmu(region, flags));
  }
  return Error(Errc::kMissingFacility,
               fmt::format("the medium cannot be mapped in 4 KiB pages ({}); use mmu=soft", std::strerror(errno)));
}

Result<void> SigsegvMmu::install_small(Window& window, uint64_t page, uint64_t page_count, std::byte* frame, bool writable) {
  PageTable& table = *window.table;
  const uint64_t region_page = file_offset(frame) / kBlockBytes;
  const int protection = writable ? PROT_READ | PROT_WRITE : PROT_READ;
  const PageTable::Entry present = table.get(page) & PageTable::kPresent;
  if (page_count == 1 && present && PageTable::frame_of(table.get(page)) == PageTable::frame(region_page)) {
    DAXLAB_TRY(raw_mprotect(address(window, page), kBlockBytes, protection));
  } else {
    DAXLAB_TRY(map_file(address(window, page), page_count * kBlockBytes, protection, file_offset(frame)));
  }
  for (uint64_t i = 0; i < page_count; ++i) {
    table.set(page + i, PageTable::frame(region_page + i) | PageTable::kPresent | (writable ? PageTable::kWritable : 0));
  }
  return {};
}

Result<void> SigsegvMmu::remove_small(Window& window, uint64_t page, uint64_t page_count) {
  for (uint64_t i = page; i < page + page_count; ++i) window.table->set(i, 0);
  return arena::blank(address(window, page), page_count * kBlockBytes);
}

Result<void> SigsegvMmu::protect_small(Window& window, uint64_t page, uint64_t page_count) {
  return raw_mprotect(address(window, page), page_count * kBlockBytes, PROT_READ);
}

}  // namespace daxlab::dax
