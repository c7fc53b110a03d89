#include "engines/vmap/at_write_log.h"

#include <algorithm>
#include <utility>

#include "engines/base/account.h"
#include "engines/base/check.h"
#include "engines/base/counters.h"
#include "engines/base/no_alloc_zone.h"
#include "engines/base/units.h"
#include "engines/vmap/mapped_iclog.h"
#include "engines/vmap/mapped_pages.h"
#include "engines/xfslike/record_format.h"

namespace daxlab::vmap {

using xfslike::kBasicBlockBytes;

class AtWriteLog::Windows final : public RecordWindows {
 public:
  Windows(AtWriteLog& log, std::byte* base, uint64_t ring_bytes) : log_(log), base_(base), ring_bytes_(ring_bytes) {}
  ~Windows() override { close(); }  // a record that was begun and never written

  RecordWindow open(uint32_t block, uint64_t size_bytes) override {
    close();
    const uint64_t at = uint64_t{block} * kBasicBlockBytes;
    const uint64_t first_bytes = std::min(size_bytes, ring_bytes_ - at);
    const auto pages_in = [](uint64_t from, uint64_t to) {
      return from == to ? 0 : div_up(to, kBlockBytes) - from / kBlockBytes;
    };
    pages_ = static_cast<uint32_t>(pages_in(at, at + first_bytes) + pages_in(0, size_bytes - first_bytes));
    window_ = log_.map(pages_);
    return {base_ + at, first_bytes, base_};
  }
  void close() override {
    if (pages_ != 0) log_.unmap(window_, pages_);
    pages_ = 0;
  }

 private:
  AtWriteLog& log_;
  std::byte* const base_;
  const uint64_t ring_bytes_;
  uint64_t window_ = 0;
  uint32_t pages_ = 0;
};

AtWriteLog::AtWriteLog(pmem::Region& region, std::unique_ptr<FrameTable> frames, std::span<const xfslike::BlockRun> runs,
                       const VmapConfig& config, double cost_scale, uint32_t reserve)
    : plain_(region, runs),
      frames_(std::move(frames)),
      allocator_(config),
      meter_(config.cpus, cost_scale),
      reserve_(reserve),
      left_(reserve),
      runs_(runs.begin(), runs.end()) {}

AtWriteLog::~AtWriteLog() {
  for (const xfslike::BlockRun& run : runs_)
    for (uint32_t i = 0; i < run.count; ++i) frames_->put(run.first + i);
}

Result<std::unique_ptr<AtWriteLog>> AtWriteLog::make(pmem::Region& region, std::unique_ptr<FrameTable> frames,
                                                     std::span<const xfslike::BlockRun> runs, const VmapConfig& config,
                                                     double cost_scale, uint32_t reserve) {
  DAXLAB_TRY(frames->require(runs));
  std::unique_ptr<AtWriteLog> log(new AtWriteLog(region, std::move(frames), runs, config, cost_scale, reserve));
  for (const xfslike::BlockRun& run : runs)
    for (uint32_t i = 0; i < run.count; ++i) log->frames_->get(run.first + i);
  if (log->plain_.space().pieces().size() != 1)
    return Error(Errc::kNotSupported, "log=at-write needs the log in one piece: log_run=linear");
  return log;
}

Result<std::unique_ptr<xfslike::IclogSpace>> AtWriteLog::make_iclog(const xfslike::LogConfig& config) {
  DAXLAB_ASSIGN(const xfslike::LogGeometry geometry, xfslike::log_geometry(config, blocks()));
  auto windows = std::make_unique<Windows>(*this, plain_.space().pieces()[0].address, geometry.ring_bytes());
  auto iclog = std::make_unique<MappedIclog>(std::move(windows), geometry, config.knock_out);
  iclog_bytes_ += iclog->dram_bytes();
  return std::unique_ptr<xfslike::IclogSpace>(std::move(iclog));
}

uint64_t AtWriteLog::map(uint32_t pages) {
  const AccountScope scope(Phase::kMap);
  const auto charge = meter_.map(pages);
  records_.fetch_add(1, std::memory_order_relaxed);
  count(Counter::map_calls);
  const uint32_t cpu = cpu_of_thread(allocator_.config().cpus);
  if (const auto found = allocator_.map(cpu, pages, Memory::kNone); found.ok()) return *found;
  if (left_.fetch_sub(1, std::memory_order_relaxed) > 0) {
    from_reserve_.fetch_add(1, std::memory_order_relaxed);
  } else {
    left_.fetch_add(1, std::memory_order_relaxed);
    failures_.fetch_add(1, std::memory_order_relaxed);
  }
  const NoAllocExemption modelled;  // the allocation that this placement is about
  return allocator_.map_patiently(cpu, pages).value();
}

void AtWriteLog::unmap(uint64_t window, uint32_t pages) {
  const AccountScope scope(Phase::kMap);
  {
    const auto charge = meter_.unmap(pages);
    allocator_.unmap(window, pages);
  }
  if (!pressure_.load(std::memory_order_relaxed)) left_.store(reserve_, std::memory_order_relaxed);
}

AtWriteLog::Stats AtWriteLog::stats() const {
  return {records_.load(std::memory_order_relaxed), from_reserve_.load(std::memory_order_relaxed),
          failures_.load(std::memory_order_relaxed)};
}

}  // namespace daxlab::vmap
