// What the kernel's own vm_map_ram() costs, for the model to charge: instructions counted in the guest, and what an instruction
// and a shootdown take.
//
// Instructions: Linux 6.1.192 (Debian 6.1.0-56-cloud-amd64), one CPU, pmem pages of a namespace in mode fsdax, `python3 -m
// guest.kernels vmap --part costs`, which counts each function from entry to return; exact, the same in every run. The figures
// are fits, in instructions; beside each the sizes it was checked at. They leave out what a count prices at nothing: cache
// misses, TLB misses behind a flush, waits for locks (DESIGN.md).
//
// Threads: any.
#pragma once

#include <atomic>
#include <cstdint>

#include "engines/vmap/vmap_allocator.h"

namespace daxlab::vmap {

struct KernelCosts {
  uint32_t map = 313;          ///< vm_map_ram(), slot: 477 at 2 pages = 313 + 2 x 82, 641 at 4; 64 pages within 1 %.
  uint32_t map_page = 82;      ///< A page table entry and its struct page: slope of 65 to 512 pages 82.3.
  uint32_t block_made = 1500;  ///< kmalloc, alloc_vmap_area(), xa_insert(): 1443 to 1609 over 1 to 64 pages.
  uint32_t area_made = 900;    ///< alloc_vmap_area(): 886 to 1024 over 65 to 512 pages.
  uint32_t table_made = 1970;  ///< A page table: 512 pages with fresh tables less 512 with used ones.
  uint32_t unmap = 424;        ///< vm_unmap_ram(), slot: 434 at 1 page, 504 at 8, 1066 at 64.
  uint32_t unmap_page = 10;
  uint32_t block_freed = 620;  ///< free_vmap_block(): 572 to 708.
  uint32_t area_freed = 225;   ///< More than a slot: 1027 + free_vmap_area_noflush() 290 at 65 pages, less unmap and its pages.
  uint32_t purge = 1000;       ///< __purge_vmap_area_lazy(): 644 to 3138, by how many areas do not join.
  uint32_t flush = 75;         ///< flush_tlb_kernel_range() and do_flush_tlb_all() on the CPU that asks.

  /// One instruction in a cycle of 2.5 GHz. Not measured: what a guest that counts instructions cannot say. Kernel paths run at
  /// half to twice of it, which is what cost_scale=0.5 and 2 stand for.
  double ns_per_instruction = 0.4;
  /// A round of interrupts to every other CPU: assumed, 1 to 3 us being the rule of thumb on a small machine. Only where more than one
  /// CPU is modelled. Not measured here.
  double shootdown_ns = 2000;
};

/// Makes maps and unmaps take as long as the kernel's: what the allocator took itself counts, the rest is waited for.
class CostMeter {
 public:
  CostMeter(uint32_t cpus, double scale) : cpus_(cpus), scale_(scale) {}

  /// Begins before the allocator is asked; charged when it ends, for `pages` pages mapped or unmapped and what t_vmap_events say.
  class Charge {
   public:
    Charge(CostMeter& meter, uint32_t call_instructions, uint32_t page_instructions, uint32_t pages);
    ~Charge();
    Charge(const Charge&) = delete;
    Charge& operator=(const Charge&) = delete;

   private:
    CostMeter& meter_;
    const uint64_t instructions_;
    const VmapEvents before_;
    const uint64_t began_ticks_;
  };
  Charge map(uint32_t pages) { return Charge(*this, costs_.map, costs_.map_page, pages); }
  Charge unmap(uint32_t pages) { return Charge(*this, costs_.unmap, costs_.unmap_page, pages); }

  uint64_t charged_ns() const { return charged_ns_.load(std::memory_order_relaxed); }

 private:
  const KernelCosts costs_;
  const uint32_t cpus_;
  const double scale_;
  std::atomic<uint64_t> charged_ns_{0};
};

}  // namespace daxlab::vmap
