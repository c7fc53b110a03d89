// What the two MMUs with real page tables share: windows in the arena, zero pages, 2 MiB entries.
//
// A 2 MiB entry is a mapping of its own, without userfaultfd: UFFDIO_CONTINUE of 2 MiB on shmem installs 512 small entries
// (measured, 170 us), while an ordinary fault on an aligned mapping of a huge-backed file installs one (about 3 us). Its stores
// are tracked by mprotect, as UFFDIO_WRITEPROTECT would split it. If the frame lost its huge page the kernel uses small entries
// there: slower, still right.
#pragma once

#include <vector>

#include "engines/dax/mmu.h"
#include "engines/dax/page_table.h"

namespace daxlab::dax {

class MappedMmu : public Mmu {
 public:
  Result<void> reserve(Window& window) final;
  void release(Window& window) final;
  Result<void> install(Window& window, uint64_t page, uint64_t page_count, std::byte* frame, bool writable) final;
  uint64_t remove(Window& window, uint64_t page, uint64_t page_count) final;
  uint64_t protect(Window& window, uint64_t page, uint64_t page_count) final;
  bool can_map_huge(const Window& window, uint64_t page, const std::byte* frame) const final;

 protected:
  /// `map_flags`: MAP_SHARED, or MAP_SHARED_VALIDATE | MAP_SYNC.
  MappedMmu(const pmem::Region& region, int map_flags);

  virtual Result<void> install_small(Window& window, uint64_t page, uint64_t page_count, std::byte* frame, bool writable) = 0;
  /// Removes or protects a run of present entries, none of them huge or of the zero page.
  virtual Result<void> remove_small(Window& window, uint64_t page, uint64_t page_count) = 0;
  virtual Result<void> protect_small(Window& window, uint64_t page, uint64_t page_count) = 0;

  uint64_t file_offset(const std::byte* frame) const { return region_.file_offset(frame); }
  static std::byte* address(const Window& window, uint64_t page) {
    return window.address + (page - window.first_page) * kBlockBytes;
  }
  Result<void> map_file(std::byte* address, uint64_t size_bytes, int protection, uint64_t offset) const;

 private:
  Result<void> install_zero(Window& window, uint64_t page, uint64_t page_count);
  Result<void> install_huge(Window& window, uint64_t page, std::byte* frame, bool writable);

  const pmem::Region& region_;
  const int map_flags_;
  std::vector<bool> huge_frames_;  // by 2 MiB of the file: mapped by one entry in the region's own mapping
};

}  // namespace daxlab::dax
