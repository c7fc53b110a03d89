// What the log costs by its parts: formatting an item, committing n of them, pushing a checkpoint of S bytes, pushing the AIL,
// recovering a GiB of log.
//
// Everything runs inline in one thread: no hand-off is in these numbers. A push is taken apart by leaving a part out
// (LogKnockOut).

#include <benchmark/benchmark.h>

#include <algorithm>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "engines/base/check.h"
#include "engines/base/counters.h"
#include "engines/pmem/persist.h"
#include "engines/pmem/region.h"
#include "engines/xfslike/buffered_log.h"
#include "engines/xfslike/log.h"
#include "engines/xfslike/log_vector.h"

namespace daxlab::xfslike {
namespace {

constexpr uint64_t kLogBytes = 64 * kMiB;
constexpr uint32_t kItems = 65536;
constexpr uint64_t kItemBytes = 64;

/// An object of `regions` regions of `region_bytes`, written back as a line.
class BenchItem final : public LogItem {
 public:
  BenchItem(ItemType type, uint32_t regions, uint32_t region_bytes, std::byte* place)
      : LogItem(type),
        regions_(regions),
        region_bytes_(region_bytes),
        bytes_(regions * region_bytes, std::byte{7}),
        place_(place) {}
  Size log_size() const override { return {regions_ + 1, kFormatBytes + regions_ * region_bytes_}; }
  void format(RegionWriter& out) const override {
    std::memset(out.add(kFormatBytes), 1, kFormatBytes);
    for (uint32_t i = 0; i < regions_; ++i) std::memcpy(out.add(region_bytes_), bytes_.data() + i * region_bytes_, region_bytes_);
  }
  void pin() override { ++pins_; }
  void unpin() override { --pins_; }
  Push push() override {
    if (pins_ > 0) return Push::kPinned;
    const Lsn at = ail_lsn();
    pmem::store_bytes(place_, bytes_.data(), kItemBytes - 8);
    pmem::persist(place_, kItemBytes - 8);
    pmem::store(reinterpret_cast<Lsn*>(place_ + kItemBytes - 8), at);
    pmem::persist(place_ + kItemBytes - 8, 8);
    ail->remove_at(*this, at);
    return Push::kDone;
  }
  uint32_t unit_bytes() const { return kFormatBytes + regions_ * region_bytes_ + (regions_ + 1) * kOpHeaderBytes; }
  Ail* ail = nullptr;

 private:
  static constexpr uint32_t kFormatBytes = 24;
  const uint32_t regions_;
  const uint32_t region_bytes_;
  std::vector<std::byte> bytes_;
  std::byte* const place_;
  int pins_ = 0;
};

class NoSink final : public ReplaySink {
 public:
  Result<void> note(const RecoveredItem&) override { return {}; }
  Result<void> replay(const RecoveredItem&, Lsn) override { return {}; }
  Result<void> replayed() override { return {}; }
  Result<LogItem*> intent(const RecoveredItem&, Lsn) override { return nullptr; }
};

pmem::Region& medium() {
  static const auto region = [] {
    auto opened = pmem::Region::for_test(kLogBytes + kItems * kItemBytes + 8 * kMiB);
    DAXLAB_CHECK(opened.ok());
    auto made = std::move(opened).value();
    for (std::byte& byte : made->bytes()) byte = std::byte{1};  // every frame is there before anything is timed
    return made;
  }();
  return *region;
}

class Bench {
 public:
  explicit Bench(LogFormat format, const LogKnockOut& knock_out = {}) {
    config.format = format;
    config.background_threads = false;
    const BlockRun run{0, kLogBytes / kBlockBytes};
    placement = std::make_unique<BufferedLog>(medium(), std::span(&run, 1));
    DAXLAB_CHECK(Log::create(*placement, config).ok());
    config.knock_out = knock_out;
    mount();
  }
  void mount() {
    log.reset();
    auto mounted = Log::mount(*placement, config, sink);
    DAXLAB_CHECK(mounted.ok());
    log = std::move(mounted).value();
  }
  void make_items(uint32_t count, uint32_t regions, uint32_t region_bytes) {
    std::byte* const places = medium().block_address(kLogBytes / kBlockBytes);
    for (uint32_t i = 0; i < count; ++i) {
      items.push_back(std::make_unique<BenchItem>(ItemType::kInode, regions, region_bytes, places + i * kItemBytes));
      items.back()->ail = &log->ail();
    }
  }
  /// `count` items from `first` in one transaction.
  void commit(size_t first, uint32_t count) {
    pointers.clear();
    for (size_t i = first; i < first + count; ++i) pointers.push_back(items[i % items.size()].get());
    Ticket ticket = std::move(log->reserve(count * items[0]->unit_bytes())).value();
    log->commit(ticket, pointers);
  }

  LogConfig config;
  std::unique_ptr<BufferedLog> placement;
  NoSink sink;
  std::vector<std::unique_ptr<BenchItem>> items;
  std::vector<LogItem*> pointers;
  std::unique_ptr<Log> log;  // ends before the items
};

void format_item(benchmark::State& state) {
  BenchItem item(ItemType::kInode, static_cast<uint32_t>(state.range(0)), static_cast<uint32_t>(state.range(1)), nullptr);
  const LogVectorPtr vector = LogVector::make(item.log_size());
  for (auto _ : state) {
    vector->format(item);
    benchmark::DoNotOptimize(vector->log_bytes);
  }
  state.counters["log_bytes"] = vector->log_bytes;
}
BENCHMARK(format_item)
    ->Name("xfslike/log/format")
    ->ArgNames({"regions", "bytes"})
    ->Args({2, 176})    // an inode: core, fork
    ->Args({1, 128})    // a dquot, or a chunk of a buffer
    ->Args({4, 128})    // a directory block, one entry changed
    ->Args({32, 128});  // a block, all of it

/// First commits: each item is new to its checkpoint; the force that empties the CIL is not timed.
void commit_items(benchmark::State& state) {
  Bench bench(LogFormat::kV2);
  const auto count = static_cast<uint32_t>(state.range(0));
  bench.make_items(4096, 2, 176);
  size_t at = 0;
  for (auto _ : state) {
    bench.commit(at, count);
    at += count;
    if (at % 4096 >= count) continue;
    state.PauseTiming();
    DAXLAB_CHECK(bench.log->quiesce().ok());
    state.ResumeTiming();
  }
  state.SetItemsProcessed(state.iterations() * count);
}
BENCHMARK(commit_items)->Name("xfslike/log/commit")->ArgName("items")->Arg(1)->Arg(4)->Arg(16)->Arg(64);

/// The same item again and again into one checkpoint.
void relog_item(benchmark::State& state) {
  Bench bench(LogFormat::kV2);
  bench.make_items(1, 2, 176);
  for (auto _ : state) bench.commit(0, 1);
  state.counters["pushes"] = static_cast<double>(bench.log->stats().pushes);
}
BENCHMARK(relog_item)->Name("xfslike/log/relog");

void push_checkpoint(benchmark::State& state, LogFormat format, const LogKnockOut& knock_out) {
  Bench bench(format, knock_out);
  bench.make_items(kItems, 4, 128);
  const auto count = static_cast<uint32_t>(std::max<int64_t>(1, state.range(0) / bench.items[0]->unit_bytes()));
  size_t at = 0;
  CounterValues used{};
  for (auto _ : state) {
    state.PauseTiming();
    for (uint32_t i = 0; i < count; i += 64) bench.commit(at + i, std::min(64u, count - i));
    at += count;
    const CounterValues before = t_counters.snapshot();
    state.ResumeTiming();
    DAXLAB_CHECK(bench.log->force_all().ok());
    state.PauseTiming();
    used += t_counters.snapshot();
    used -= before;
    bench.log->ail().push(UINT64_MAX);
    state.ResumeTiming();
  }
  const auto each = [&](Counter counter) { return static_cast<double>(used[counter]) / static_cast<double>(state.iterations()); };
  state.counters["streamed"] = each(Counter::streamed_bytes);
  state.counters["staged"] = each(Counter::staged_bytes);
  state.counters["fences"] = each(Counter::fences);
  state.SetBytesProcessed(static_cast<int64_t>(used[Counter::log_bytes]));
}

void register_pushes() {
  constexpr int64_t kSizes[] = {512, 4096, 32768, 262144, 2097152, 7340032};  // the last below the push limit of this log
  for (const LogFormat format : {LogFormat::kV2, LogFormat::kV3}) {
    const std::string name = std::string("xfslike/log/push_") + (format == LogFormat::kV2 ? "v2" : "v3");
    auto* const whole =
        benchmark::RegisterBenchmark(name.c_str(), [format](benchmark::State& s) { push_checkpoint(s, format, {}); });
    for (const int64_t size : kSizes) whole->ArgName("bytes")->Arg(size);
    const auto without = [&](const char* what, bool LogKnockOut::*part) {
      LogKnockOut out;
      out.*part = true;
      benchmark::RegisterBenchmark((name + "_without_" + what).c_str(),
                                   [=](benchmark::State& s) { push_checkpoint(s, format, out); })
          ->ArgName("bytes")
          ->Arg(4096)
          ->Arg(262144);
    };
    without("crc", &LogKnockOut::crc);
    without("stamps", &LogKnockOut::stamps);
    without("copy", &LogKnockOut::copy);
    without("fence", &LogKnockOut::fence);
    without("ail", &LogKnockOut::ail);
  }
}
const bool g_registered = (register_pushes(), true);

void push_ail(benchmark::State& state) {
  Bench bench(LogFormat::kV2);
  const auto count = static_cast<uint32_t>(state.range(0));
  bench.make_items(count, 1, 128);
  for (auto _ : state) {
    state.PauseTiming();
    for (uint32_t i = 0; i < count; i += 64) bench.commit(i, std::min(64u, count - i));
    DAXLAB_CHECK(bench.log->force_all().ok());
    state.ResumeTiming();
    bench.log->ail().push(UINT64_MAX);
  }
  state.SetItemsProcessed(state.iterations() * count);
}
BENCHMARK(push_ail)->Name("xfslike/log/ail_push")->ArgName("items")->Arg(32)->Arg(1024)->Arg(16384);

/// A mount whose log holds 45 MiB to replay into nothing.
void recover(benchmark::State& state) {
  const auto format = state.range(0) == 2 ? LogFormat::kV2 : LogFormat::kV3;
  Bench bench(format);
  bench.make_items(kItems, 4, 128);
  for (size_t at = 0; bench.log->stats().log_bytes() < 45 * kMiB; at += 64) bench.commit(at, 64);
  DAXLAB_CHECK(bench.log->force_all().ok());
  const uint64_t bytes = bench.log->stats().log_bytes();
  uint64_t loaded = 0;
  for (auto _ : state) {
    state.PauseTiming();
    bench.log.reset();
    NoSink sink;
    const uint64_t before = t_counters.snapshot()[Counter::pmem_lines_loaded];
    state.ResumeTiming();
    auto mounted = Log::mount(*bench.placement, bench.config, sink);
    state.PauseTiming();
    DAXLAB_CHECK(mounted.ok() && mounted.value()->recovered().items >= kItems);
    loaded = (t_counters.snapshot()[Counter::pmem_lines_loaded] - before) * kCacheLineBytes;
    mounted.value().reset();
    state.ResumeTiming();
  }
  state.counters["loaded_per_log_byte"] = static_cast<double>(loaded) / static_cast<double>(bytes);
  state.counters["s_per_GiB"] =
      benchmark::Counter(static_cast<double>(bytes) / static_cast<double>(kGiB) * static_cast<double>(state.iterations()),
                         benchmark::Counter::kIsRate | benchmark::Counter::kInvert);
}
BENCHMARK(recover)
    ->Name("xfslike/log/recovery")
    ->ArgName("format")
    ->Arg(2)
    ->Arg(3)
    ->Iterations(1)
    ->Repetitions(5)
    ->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace daxlab::xfslike
