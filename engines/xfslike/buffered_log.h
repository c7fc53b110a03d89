// log=buffered: an iclog is DRAM, as in XFS; a complete record is streamed to the medium (what the block layer and the pmem
// driver's memcpy_flushcache() come to).
//
// v2: copy() gathers the payload in the iclog's buffer; write() stamps and sums it there and streams it.
// v3: copy() only notes where the payload is; write() sums and streams it from there, once ("single-copy logging"). What does not
// fill a 64-byte line goes through a line of DRAM, so that the medium sees whole lines.
//
// Threads: as IclogSpace says.
#pragma once

#include <memory>
#include <span>

#include "engines/xfslike/log_placement.h"
#include "engines/xfslike/log_space.h"

namespace daxlab::xfslike {

class BufferedLog final : public LogPlacement {
 public:
  BufferedLog(pmem::Region& region, std::span<const BlockRun> runs) : space_(region, runs) {}

  const char* name() const override { return "buffered"; }
  uint32_t blocks() const override { return space_.blocks(); }
  Result<std::unique_ptr<IclogSpace>> make_iclog(const LogConfig& config) override;
  void read(uint32_t block, uint32_t count, std::byte* to) const override;
  void write(uint32_t block, uint32_t count, const std::byte* from) override;
  void sync() override;
  uint64_t dram_bytes() const override { return dram_bytes_; }

  const LogSpace& space() const { return space_; }

 private:
  LogSpace space_;
  uint64_t dram_bytes_ = 0;
};

/// Streams consecutive bytes into a ring of the log, from any sources, as whole lines.
class RingStream {
 public:
  /// Begins at block `block`; wraps at `ring_blocks`. A whole number of lines must be given in all.
  RingStream(const LogSpace& space, uint32_t ring_blocks, uint32_t block);
  ~RingStream();
  void append(const std::byte* from, uint64_t size_bytes);

 private:
  void put(const std::byte* lines, uint64_t size_bytes);

  const LogSpace& space_;
  const uint64_t ring_bytes_;
  uint64_t at_bytes_;
  uint32_t line_used_ = 0;
  alignas(kCacheLineBytes) std::byte line_[kCacheLineBytes];
};

}  // namespace daxlab::xfslike
