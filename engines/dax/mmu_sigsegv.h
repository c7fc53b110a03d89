// Real page tables over any file that can be mapped: each entry is a mapping of its own pages of the file, at the cost of a
// SIGSEGV and an mmap. Contiguous pages of equal protection merge in the kernel. MAP_SYNC where the file system grants it
// (fsdax).
#pragma once

#include "engines/dax/mmu_mapped.h"

namespace daxlab::dax {

class SigsegvMmu final : public MappedMmu {
 public:
  /// kMissingFacility when the medium's file cannot be mapped in pages.
  static Result<std::unique_ptr<Mmu>> create(const pmem::Region& region);
  MmuKind kind() const override { return MmuKind::kSigsegv; }

 private:
  SigsegvMmu(const pmem::Region& region, int map_flags) : MappedMmu(region, map_flags) {}
  Result<void> install_small(Window& window, uint64_t page, uint64_t page_count, std::byte* frame, bool writable) override;
  Result<void> remove_small(Window& window, uint64_t page, uint64_t page_count) override;
  Result<void> protect_small(Window& window, uint64_t page, uint64_t page_count) override;
};

}  // namespace daxlab::dax
