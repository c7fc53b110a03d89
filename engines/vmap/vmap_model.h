// map=vmap-model: vm_map_ram() and vm_unmap_ram() with the kernel's allocator and the kernel's costs, and an address that needs
// no page tables of ours.
//
// The object must lie in one piece (as with map=contig): it is read where it lies, through the medium's own mapping, so nothing
// that a substitute in user space would add is in the number. A map and an unmap take as long as the kernel's would (costs.h
// times cost_scale): the allocator's own time counts towards that, and the rest is waited for. An object of one page is not
// mapped, as in XFS (page_address(); fs/xfs/xfs_buf.c, _xfs_buf_map_pages). What it leaves out is the dearer access through 4 KiB
// entries (DESIGN.md).
//
// Threads: any.
#pragma once

#include <memory>

#include "engines/pmem/region.h"
#include "engines/vmap/costs.h"
#include "engines/vmap/frame_table.h"
#include "engines/vmap/vmap_allocator.h"
#include "engines/xfslike/buffer_mapping.h"

namespace daxlab::vmap {

class VmapModel final : public xfslike::BufferMapping {
 public:
  VmapModel(pmem::Region& region, std::unique_ptr<FrameTable> frames, const VmapConfig& config, double cost_scale);

  const char* name() const override { return "vmap-model"; }
  /// kNotSupported: pages=none, or not in one piece. kNoSpace: no address space, after XFS's three attempts.
  Result<std::unique_ptr<xfslike::MappedObject>> map(std::span<const xfslike::BlockRun> runs) override;
  uint64_t dram_bytes() const override { return frames_->dram_bytes() + allocator_.stats().table_bytes; }

  const VmapAllocator& allocator() const { return allocator_; }
  const FrameTable& frames() const { return *frames_; }
  uint64_t charged_ns() const { return meter_.charged_ns(); }

 private:
  class Object;

  pmem::Region& region_;
  const std::unique_ptr<FrameTable> frames_;
  VmapAllocator allocator_;
  CostMeter meter_;
};

}  // namespace daxlab::vmap
