// map=vmap-real: the same allocator over real page tables, aliases of the medium's file in a reserved window of this process's
// addresses. A test of correctness and of stale aliases, not of cost: what mmap() takes is no measure of vm_map_ram()
// (DESIGN.md).
//
// Invariants:
//   1. A page of the window is reserved (no access), or mapped, or stale: unmapped lazily, its alias still there as a TLB may still
//      have it. A stale page becomes reserved when a flush covers it, and only then may the allocator give it out again.
//   2. Who writes through a stale alias writes to blocks that are another's by now. Poisoned, a stale page has no access at once:
//      such a store is a SIGSEGV. `poison` is on in builds with checks (DAXLAB_CHECKED) and in tests.
//
// Needs the medium's descriptor, and 4 KiB entries: a file or memfd of small pages; at most vm.max_map_count pieces at a time.
//
// Threads: any.
#pragma once

#include <atomic>
#include <cstddef>
#include <map>
#include <memory>

#include "engines/base/check.h"
#include "engines/base/mutex.h"
#include "engines/pmem/region.h"
#include "engines/vmap/frame_table.h"
#include "engines/vmap/vmap_allocator.h"
#include "engines/xfslike/buffer_mapping.h"

namespace daxlab::vmap {

class VmapReal final : public xfslike::BufferMapping {
 public:
  static constexpr bool kPoisonByDefault = DAXLAB_CHECKED != 0;
  /// kMissingFacility: the medium cannot be mapped in pages of 4 KiB, or there are no addresses for the window.
  static Result<std::unique_ptr<VmapReal>> make(pmem::Region& region, std::unique_ptr<FrameTable> frames,
                                                const VmapConfig& config, bool poison = kPoisonByDefault);
  ~VmapReal() override;

  const char* name() const override { return "vmap-real"; }
  /// kNotSupported: pages=none. kNoSpace: no address space in the window, or too many mappings for the kernel.
  Result<std::unique_ptr<xfslike::MappedObject>> map(std::span<const xfslike::BlockRun> runs) override;
  uint64_t dram_bytes() const override { return frames_->dram_bytes() + allocator_->stats().table_bytes; }

  const VmapAllocator& allocator() const { return *allocator_; }
  uint64_t stale_pages() const;

 private:
  class Object;
  /// The window's side of the allocator: stale pages.
  class Window final : public PageTables {
   public:
    Window(std::byte* base, uint64_t pages, bool poison) : base_(base), pages_(pages), poison_(poison) {}
    ~Window() override;
    void cleared(PageRange range) override;
    void flushed(PageRange range) override;
    std::byte* address(uint64_t page) const { return base_ + page * kBlockBytes; }
    uint64_t stale_pages() const;

   private:
    void reserve(PageRange range);
    std::byte* const base_;
    const uint64_t pages_;
    const bool poison_;
    mutable Mutex mutex_;
    std::map<uint64_t, uint64_t> stale_ DAXLAB_GUARDED_BY(mutex_);  ///< First page -> pages.
  };

  VmapReal(pmem::Region& region, std::unique_ptr<FrameTable> frames, std::unique_ptr<Window> window, const VmapConfig& config);
  Result<void> alias(uint64_t page, std::span<const xfslike::BlockRun> runs);

  pmem::Region& region_;
  const std::unique_ptr<FrameTable> frames_;
  const std::unique_ptr<Window> window_;
  const std::unique_ptr<VmapAllocator> allocator_;
};

}  // namespace daxlab::vmap
