// log=premap: all of the log is mapped at mount, so a record's address is there before it is given out: the answer to the mail's
// fourth claim that costs memory instead of waiting. Counted: what the mount takes, and page tables.
//
// The log is mapped by the arm's own mapping: vmap-model (the log lies in one piece) or vmap-real (any pieces).
//
// Threads: as LogPlacement says.
#pragma once

#include <memory>
#include <span>

#include "engines/pmem/region.h"
#include "engines/xfslike/buffer_mapping.h"
#include "engines/xfslike/log_placement.h"

namespace daxlab::vmap {

class PremapLog final : public xfslike::LogPlacement {
 public:
  /// What the mapping says where it cannot.
  static Result<std::unique_ptr<PremapLog>> make(std::unique_ptr<xfslike::BufferMapping> mapping,
                                                 std::span<const xfslike::BlockRun> runs);

  const char* name() const override { return "premap"; }
  uint32_t blocks() const override { return blocks_; }
  Result<std::unique_ptr<xfslike::IclogSpace>> make_iclog(const xfslike::LogConfig& config) override;
  void read(uint32_t block, uint32_t count, std::byte* to) const override;
  void write(uint32_t block, uint32_t count, const std::byte* from) override;
  void sync() override;
  /// Page tables, struct pages and the iclogs' headers.
  uint64_t dram_bytes() const override { return mapping_->dram_bytes() + iclog_bytes_; }

  uint64_t mapped_ns() const { return mapped_ns_; }  ///< What mapping the log took.

 private:
  PremapLog(std::unique_ptr<xfslike::BufferMapping> mapping, std::unique_ptr<xfslike::MappedObject> log, uint64_t mapped_ns);

  const std::unique_ptr<xfslike::BufferMapping> mapping_;
  const std::unique_ptr<xfslike::MappedObject> log_;
  std::byte* const base_;
  const uint32_t blocks_;
  const uint64_t mapped_ns_;
  uint64_t iclog_bytes_ = 0;
};

}  // namespace daxlab::vmap
