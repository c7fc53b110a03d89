// map=segment: an object of several file system blocks is the list of pieces that it lies in, each read in place; nothing is made
// contiguous, and no struct page, no address space and no shoot-down is needed for it.
//
// Who reads across two pieces pays for gathering (engines/xfslike/buffer_overlay.cc); the object's list is looked up when it comes
// into the cache.
//
// Threads: any.
#pragma once

#include <atomic>
#include <cstdint>

#include "engines/pmem/region.h"
#include "engines/xfslike/buffer_mapping.h"

namespace daxlab::retrofit {

class SegmentMapping final : public xfslike::BufferMapping {
 public:
  explicit SegmentMapping(const pmem::Region& region) : region_(region) {}

  const char* name() const override { return "segment"; }
  /// Never refuses.
  Result<std::unique_ptr<xfslike::MappedObject>> map(std::span<const xfslike::BlockRun> runs) override;
  /// Lists of the objects that are mapped now.
  uint64_t dram_bytes() const override { return dram_bytes_.load(std::memory_order_relaxed); }

 private:
  const pmem::Region& region_;
  std::atomic<uint64_t> dram_bytes_{0};
};

}  // namespace daxlab::retrofit
