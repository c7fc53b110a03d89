// What a forced commit costs by the size of its checkpoint and by how the log lies on the medium: buffered beside direct, v2 beside v3,
// with what each copied, streamed, flushed and fenced.
//
// The arms of one size take turns within one benchmark, a commit each, so that what else the machine does falls on all alike; their
// medians and tails are its counters. Everything is inline in one thread: no hand-off is in these numbers.

#include <benchmark/benchmark.h>

#include <algorithm>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "engines/base/check.h"
#include "engines/base/clock.h"
#include "engines/base/counters.h"
#include "engines/pmem/region.h"
#include "engines/retrofit/placement_testing.h"
#include "engines/xfslike/log.h"

namespace daxlab::retrofit {
namespace {

constexpr uint64_t kLogBytes = 128 * kMiB;
constexpr uint32_t kRegionBytes = 128;  // a chunk of a buffer

/// An item of as many regions of 128 bytes as make its size; leaves the AIL without anything to write back.
class BenchItem final : public xfslike::LogItem {
 public:
  explicit BenchItem(uint32_t regions) : LogItem(xfslike::ItemType::kBuffer), regions_(regions), bytes_(kRegionBytes, std::byte{7}) {}
  Size log_size() const override { return {regions_ + 1, kFormatBytes + regions_ * kRegionBytes}; }
  void format(xfslike::RegionWriter& out) const override {
    std::memset(out.add(kFormatBytes), 1, kFormatBytes);
    for (uint32_t i = 0; i < regions_; ++i) std::memcpy(out.add(kRegionBytes), bytes_.data(), kRegionBytes);
  }
  void pin() override {}
  void unpin() override {}
  Push push() override {
    ail->remove_at(*this, ail_lsn());
    return Push::kDone;
  }
  uint32_t unit_bytes() const { return kFormatBytes + regions_ * kRegionBytes + (regions_ + 1) * xfslike::kOpHeaderBytes; }
  xfslike::Ail* ail = nullptr;

 private:
  static constexpr uint32_t kFormatBytes = 24;
  const uint32_t regions_;
  const std::vector<std::byte> bytes_;
};

class NoSink final : public xfslike::ReplaySink {
 public:
  Result<void> note(const xfslike::RecoveredItem&) override { return {}; }
  Result<void> replay(const xfslike::RecoveredItem&, xfslike::Lsn) override { return {}; }
  Result<void> replayed() override { return {}; }
  Result<xfslike::LogItem*> intent(const xfslike::RecoveredItem&, xfslike::Lsn) override { return nullptr; }
};

pmem::Region& medium(const pmem::RunSpec& run) {
  static std::vector<std::pair<pmem::RunSpec, std::unique_ptr<pmem::Region>>> media;
  for (const auto& [of, region] : media) {
    if (of == run) return *region;
  }
  auto opened = pmem::Region::for_test(kLogBytes + 8 * kMiB, run);
  DAXLAB_CHECK(opened.ok());
  std::memset((*opened)->bytes().data(), 1, (*opened)->size_bytes());  // every frame is there before anything is timed
  media.emplace_back(run, std::move(*opened));
  return *media.back().second;
}

/// One log with items of its own, on the medium of its geometry; arms of one medium use halves of the log in turn.
class Arm {
 public:
  Arm(std::string placement_name, xfslike::LogFormat format, const pmem::RunSpec& run, uint64_t first_block, uint64_t checkpoint_bytes)
      : name_(std::move(placement_name)) {
    config_.format = format;
    config_.lsunit_bytes = 4096;
    config_.background_threads = false;
    placement_ = make_placement(name_, medium(run), {{first_block, static_cast<uint32_t>(kLogBytes / 4 / kBlockBytes)}});
    DAXLAB_CHECK(xfslike::Log::create(*placement_, config_).ok());
    auto mounted = xfslike::Log::mount(*placement_, config_, sink_);
    DAXLAB_CHECK(mounted.ok());
    log_ = std::move(mounted).value();
    const auto regions = static_cast<uint32_t>(std::min<uint64_t>(checkpoint_bytes, 32 * kKiB) / (kRegionBytes + xfslike::kOpHeaderBytes));
    for (uint64_t bytes = 0; bytes == 0 || bytes + items_.back()->unit_bytes() <= checkpoint_bytes; bytes += items_.back()->unit_bytes()) {
      items_.push_back(std::make_unique<BenchItem>(std::max(1u, regions - 1)));
      items_.back()->ail = &log_->ail();
    }
  }
  /// Commits all items, then times and counts the force.
  void commit_and_force() {
    for (const auto& item : items_) {
      xfslike::LogItem* const one = item.get();
      auto ticket = std::move(log_->reserve(item->unit_bytes())).value();
      log_->commit(ticket, {&one, 1});
    }
    const CounterValues before = t_counters.snapshot();
    const uint64_t began = ticks();
    DAXLAB_CHECK(log_->force_all().ok());
    times_ns_.push_back(ticks_to_ns(ticks() - began));
    used_ += t_counters.snapshot();
    used_ -= before;
    log_->ail().push(UINT64_MAX);
  }
  void report(benchmark::State& state, const std::string& prefix) {
    std::sort(times_ns_.begin(), times_ns_.end());
    const auto at = [&](double share) { return static_cast<double>(times_ns_[static_cast<size_t>(share * static_cast<double>(times_ns_.size() - 1))]); };
    const auto each = [&](Counter counter) { return static_cast<double>(used_[counter]) / static_cast<double>(times_ns_.size()); };
    state.counters[prefix + "p50_ns"] = at(0.5);
    state.counters[prefix + "p10_ns"] = at(0.1);
    state.counters[prefix + "p90_ns"] = at(0.9);
    state.counters[prefix + "fences"] = each(Counter::fences);
    state.counters[prefix + "flushed"] = each(Counter::lines_flushed);
    state.counters[prefix + "streamed"] = each(Counter::streamed_bytes);
    state.counters[prefix + "staged"] = each(Counter::staged_bytes);
    state.counters[prefix + "splits"] = each(Counter::splits);
  }

 private:
  const std::string name_;
  xfslike::LogConfig config_;
  NoSink sink_;
  std::unique_ptr<xfslike::LogPlacement> placement_;
  std::vector<std::unique_ptr<BenchItem>> items_;
  std::unique_ptr<xfslike::Log> log_;  // ends before the items
  std::vector<uint64_t> times_ns_;
  CounterValues used_{};
};

void force_in_turns(benchmark::State& state, const pmem::RunSpec& run) {
  const auto checkpoint_bytes = static_cast<uint64_t>(state.range(0));
  std::vector<std::pair<std::string, std::unique_ptr<Arm>>> arms;
  uint64_t first_block = 16;
  for (const auto format : {xfslike::LogFormat::kV2, xfslike::LogFormat::kV3}) {
    for (const char* placement : {"buffered", "direct"}) {
      const std::string prefix = std::string(placement) + (format == xfslike::LogFormat::kV2 ? "_v2_" : "_v3_");
      arms.emplace_back(prefix, std::make_unique<Arm>(placement, format, run, first_block, checkpoint_bytes));
      first_block += kLogBytes / 4 / kBlockBytes;
    }
  }
  for (auto _ : state) {
    for (const auto& [prefix, arm] : arms) arm->commit_and_force();
  }
  for (const auto& [prefix, arm] : arms) arm->report(state, prefix);
}

void register_all() {
  for (const NamedGeometry& geometry : named_geometries()) {
    auto* const bench = benchmark::RegisterBenchmark((std::string("retrofit/log/force/") + geometry.name).c_str(),
                                                     [run = geometry.run](benchmark::State& state) { force_in_turns(state, run); });
    bench->ArgName("bytes")->Unit(benchmark::kMicrosecond);
    for (const int64_t bytes : {512, 4096, 32768, 262144, 2097152, 3670016}) bench->Arg(bytes)->Iterations(bytes <= 32768 ? 2000 : 60);
  }
}
const bool g_registered = (register_all(), true);

}  // namespace
}  // namespace daxlab::retrofit
