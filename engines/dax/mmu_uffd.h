// Real page tables over a memfd or a tmpfs file, one userfaultfd per Mmu.
//
// prepare() maps an extent of the region and registers it for missing, minor and write-protect faults, so that nothing in it is
// accessible yet; install() is then one UFFDIO_CONTINUE. The extent is mapped PROT_NONE until it is registered: an access by
// another thread in between must not be served by the kernel behind our back. Contiguous extents merge into one kernel mapping by
// themselves. Removal is MADV_DONTNEED: the extent stays mapped, its next access faults, and install() maps anew if the block has
// moved.
#pragma once

#include "engines/dax/mmu_mapped.h"

namespace daxlab::dax {

class UffdMmu final : public MappedMmu {
 public:
  /// kMissingFacility: what this kernel or the region's file lacks, and the remedy.
  static Result<std::unique_ptr<Mmu>> create(const pmem::Region& region);
  ~UffdMmu() override;
  MmuKind kind() const override { return MmuKind::kUffd; }
  Result<void> prepare(Window& window, uint64_t page, uint64_t page_count, std::byte* frame) override;
  bool wants_extent(const Window& window, uint64_t page) const override { return window.table->get(page) == 0; }

 private:
  UffdMmu(const pmem::Region& region, int uffd);
  Result<void> install_small(Window& window, uint64_t page, uint64_t page_count, std::byte* frame, bool writable) override;
  Result<void> remove_small(Window& window, uint64_t page, uint64_t page_count) override;
  Result<void> protect_small(Window& window, uint64_t page, uint64_t page_count) override;
  Result<void> map_extent(Window& window, uint64_t page, uint64_t page_count, std::byte* frame)
      DAXLAB_REQUIRES(window.table->mutex);
  Result<void> install_one(Window& window, uint64_t page, std::byte* frame, bool writable);
  long add_entry(Window& window, uint64_t page, const std::byte* frame, bool writable);
  Result<void> set_protection(Window& window, uint64_t page, uint64_t page_count, bool writable);

  const int uffd_;
};

}  // namespace daxlab::dax
