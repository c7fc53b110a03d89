// No page tables: a window is a table in DRAM, and Mapping::load and store ask it before each page.
#pragma once

#include "engines/dax/mmu.h"

namespace daxlab::dax {

class SoftMmu final : public Mmu {
 public:
  explicit SoftMmu(const pmem::Region& region) : region_(region) {}
  MmuKind kind() const override { return MmuKind::kSoft; }
  Result<void> reserve(Window& window) override;
  void release(Window& window) override;
  Result<void> install(Window& window, uint64_t page, uint64_t page_count, std::byte* frame, bool writable) override;
  uint64_t remove(Window& window, uint64_t page, uint64_t page_count) override;
  uint64_t protect(Window& window, uint64_t page, uint64_t page_count) override;

 private:
  const pmem::Region& region_;
};

}  // namespace daxlab::dax
