// log=direct: an iclog is a stretch of the medium. Payload is copied from the items' vectors straight to where it stays, stamped and
// summed on the way; there is no buffer and no second copy, and nothing is read back.
//
// What XFS's xlog_write() would have to become for log buffers that are discontiguous pmem pages. How each difficulty is met is
// in DESIGN.md; the order of stores is documented at DirectIclog::copy() and write().
//
// Threads: as IclogSpace says.
#pragma once

#include <memory>
#include <span>

#include "engines/retrofit/ring_segments.h"
#include "engines/xfslike/log_placement.h"
#include "engines/xfslike/log_space.h"

namespace daxlab::retrofit {

class DirectLog final : public xfslike::LogPlacement {
 public:
  DirectLog(pmem::Region& region, std::span<const xfslike::BlockRun> runs) : space_(region, runs) {}

  const char* name() const override { return "direct"; }
  uint32_t blocks() const override { return space_.blocks(); }
  /// The segments are computed with the first iclog, at mount.
  Result<std::unique_ptr<xfslike::IclogSpace>> make_iclog(const xfslike::LogConfig& config) override;
  void read(uint32_t block, uint32_t count, std::byte* to) const override;
  void write(uint32_t block, uint32_t count, const std::byte* from) override;
  void sync() override;
  uint64_t dram_bytes() const override;

  const xfslike::LogSpace& space() const { return space_; }

 private:
  const xfslike::LogSpace space_;
  std::shared_ptr<const RingSegments> segments_;  // shared with the iclogs
  uint64_t iclog_bytes_ = 0;
};

}  // namespace daxlab::retrofit
