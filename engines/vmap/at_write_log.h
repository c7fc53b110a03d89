// log=at-write: a record's place is mapped when its address is given out, where nobody may wait for memory. What claim C4 is
// about, as a model: how often such a mapping finds no memory, and what a reserve of R mappings' worth of it buys.
//
// A mapping that needs a block, an area or a page table takes it from the reserve; where the reserve is empty it fails, which is
// counted, and the record waits for memory as the kernel's would (harness/guest/kernels: it does wait), which is counted too;
// here it is given at once. The reserve is filled up whenever a record has been written, outside the lock, unless memory is short
// (set_pressure()). A record is mapped with the pages that it may touch: an iclog of 256 KiB that begins within a page needs 65
// of them, an area and not a slot.
//
// The log lies in one piece; addresses and costs as with map=vmap-model.
//
// Threads: as LogPlacement says; set_pressure() any time.
#pragma once

#include <atomic>
#include <memory>
#include <span>

#include "engines/pmem/region.h"
#include "engines/vmap/costs.h"
#include "engines/vmap/frame_table.h"
#include "engines/vmap/vmap_allocator.h"
#include "engines/xfslike/buffered_log.h"

namespace daxlab::vmap {

class AtWriteLog final : public xfslike::LogPlacement {
 public:
  struct Stats {
    uint64_t records = 0;
    uint64_t from_reserve = 0;  ///< Needed memory and had it from the reserve.
    uint64_t failures = 0;      ///< Needed memory, and the reserve was empty: a wait each.
  };

  /// kNotSupported: the log is in pieces, or its pages have no descriptors.
  static Result<std::unique_ptr<AtWriteLog>> make(pmem::Region& region, std::unique_ptr<FrameTable> frames,
                                                  std::span<const xfslike::BlockRun> runs, const VmapConfig& config,
                                                  double cost_scale, uint32_t reserve);
  ~AtWriteLog() override;

  const char* name() const override { return "at-write"; }
  uint32_t blocks() const override { return plain_.blocks(); }
  Result<std::unique_ptr<xfslike::IclogSpace>> make_iclog(const xfslike::LogConfig& config) override;
  void read(uint32_t block, uint32_t count, std::byte* to) const override { plain_.read(block, count, to); }
  void write(uint32_t block, uint32_t count, const std::byte* from) override { plain_.write(block, count, from); }
  void sync() override { plain_.sync(); }
  uint64_t dram_bytes() const override { return frames_->dram_bytes() + allocator_.stats().table_bytes + iclog_bytes_; }

  Stats stats() const;
  const VmapAllocator& allocator() const { return allocator_; }
  /// While memory is short nobody fills up the reserve.
  void set_pressure(bool short_of_memory) { pressure_.store(short_of_memory, std::memory_order_relaxed); }

 private:
  class Windows;
  AtWriteLog(pmem::Region& region, std::unique_ptr<FrameTable> frames, std::span<const xfslike::BlockRun> runs,
             const VmapConfig& config, double cost_scale, uint32_t reserve);
  uint64_t map(uint32_t pages);
  void unmap(uint64_t window, uint32_t pages);

  xfslike::BufferedLog plain_;  ///< For recovery and mkfs, which need no mapping.
  const std::unique_ptr<FrameTable> frames_;
  VmapAllocator allocator_;
  CostMeter meter_;
  const int64_t reserve_;
  std::atomic<int64_t> left_;
  std::atomic<bool> pressure_{false};
  std::atomic<uint64_t> records_{0}, from_reserve_{0}, failures_{0};
  std::vector<xfslike::BlockRun> runs_;
  uint64_t iclog_bytes_ = 0;
};

}  // namespace daxlab::vmap
