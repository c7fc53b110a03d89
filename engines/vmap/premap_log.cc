#include "engines/vmap/premap_log.h"

#include <algorithm>
#include <utility>

#include "engines/base/check.h"
#include "engines/base/clock.h"
#include "engines/pmem/persist.h"
#include "engines/vmap/mapped_iclog.h"
#include "engines/xfslike/record_format.h"

namespace daxlab::vmap {

using xfslike::kBasicBlockBytes;

namespace {

class PremapWindows final : public RecordWindows {
 public:
  PremapWindows(std::byte* base, uint64_t ring_bytes) : base_(base), ring_bytes_(ring_bytes) {}
  RecordWindow open(uint32_t block, uint64_t size_bytes) override {
    const uint64_t at = uint64_t{block} * kBasicBlockBytes;
    return {base_ + at, std::min(size_bytes, ring_bytes_ - at), base_};
  }
  void close() override {}

 private:
  std::byte* const base_;
  const uint64_t ring_bytes_;
};

}  // namespace

PremapLog::PremapLog(std::unique_ptr<xfslike::BufferMapping> mapping, std::unique_ptr<xfslike::MappedObject> log,
                     uint64_t mapped_ns)
    : mapping_(std::move(mapping)),
      log_(std::move(log)),
      base_(log_->segments()[0].address),
      blocks_(log_->segments()[0].size_bytes / kBasicBlockBytes),
      mapped_ns_(mapped_ns) {}

Result<std::unique_ptr<PremapLog>> PremapLog::make(std::unique_ptr<xfslike::BufferMapping> mapping,
                                                   std::span<const xfslike::BlockRun> runs) {
  const uint64_t began = ticks();
  DAXLAB_ASSIGN(auto log, mapping->map(runs));
  const uint64_t mapped_ns = ticks_to_ns(ticks() - began);
  if (log->segments().size() != 1) return Error(Errc::kNotSupported, "log=premap needs a mapping that makes the log one piece");
  return std::unique_ptr<PremapLog>(new PremapLog(std::move(mapping), std::move(log), mapped_ns));
}

Result<std::unique_ptr<xfslike::IclogSpace>> PremapLog::make_iclog(const xfslike::LogConfig& config) {
  DAXLAB_ASSIGN(const xfslike::LogGeometry geometry, xfslike::log_geometry(config, blocks()));
  auto iclog =
      std::make_unique<MappedIclog>(std::make_unique<PremapWindows>(base_, geometry.ring_bytes()), geometry, config.knock_out);
  iclog_bytes_ += iclog->dram_bytes();
  return std::unique_ptr<xfslike::IclogSpace>(std::move(iclog));
}

void PremapLog::read(uint32_t block, uint32_t count, std::byte* to) const {
  pmem::load_bytes(to, base_ + uint64_t{block} * kBasicBlockBytes, uint64_t{count} * kBasicBlockBytes);
}

void PremapLog::write(uint32_t block, uint32_t count, const std::byte* from) {
  pmem::stream(base_ + uint64_t{block} * kBasicBlockBytes, from, uint64_t{count} * kBasicBlockBytes);
}

void PremapLog::sync() { pmem::fence(); }

}  // namespace daxlab::vmap
