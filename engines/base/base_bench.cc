// What accounting costs: counters must stay below 1 ns, a histogram record a few, a closed phase timer one predicted branch.
#include <benchmark/benchmark.h>

#include <vector>

#include "engines/base/account.h"
#include "engines/base/clock.h"
#include "engines/base/counters.h"
#include "engines/base/crc32c.h"
#include "engines/base/crc32c_internal.h"
#include "engines/base/histogram.h"
#include "engines/base/mutex.h"
#include "engines/base/random.h"

namespace daxlab {
namespace {

void counter_add(benchmark::State& state) {
  for (auto _ : state) {
    count(Counter::stored_bytes, 64);
    benchmark::ClobberMemory();
  }
}
BENCHMARK(counter_add);

void histogram_record(benchmark::State& state) {
  Histogram histogram;
  Random random(1);
  std::vector<uint64_t> values(1024);
  for (uint64_t& value : values) value = random.next() >> (30 + random.below(20));
  size_t i = 0;
  for (auto _ : state) histogram.record(values[i++ % values.size()]);
  benchmark::DoNotOptimize(histogram.count());
}
BENCHMARK(histogram_record);

void account_scope(benchmark::State& state) {
  g_accounted = state.range(0) != 0;
  for (auto _ : state) {
    const AccountScope scope(Phase::kCopy);
    benchmark::ClobberMemory();
  }
  g_accounted = false;
}
BENCHMARK(account_scope)->ArgName("on")->Arg(0)->Arg(1);

void clock_ticks(benchmark::State& state) {
  for (auto _ : state) benchmark::DoNotOptimize(ticks());
}
BENCHMARK(clock_ticks);

void clock_monotonic(benchmark::State& state) {
  for (auto _ : state) benchmark::DoNotOptimize(monotonic_ns());
}
BENCHMARK(clock_monotonic);

void clock_realtime_coarse(benchmark::State& state) {
  for (auto _ : state) benchmark::DoNotOptimize(realtime_coarse_ns());
}
BENCHMARK(clock_realtime_coarse);

void mutex_uncontended(benchmark::State& state) {
  Mutex mutex;
  for (auto _ : state) const MutexLock lock(mutex);
}
BENCHMARK(mutex_uncontended);

void crc32c_bytes(benchmark::State& state) {
  const std::vector<unsigned char> bytes(static_cast<size_t>(state.range(0)), 0x5a);
  for (auto _ : state) benchmark::DoNotOptimize(crc32c(bytes.data(), bytes.size()));
  state.SetBytesProcessed(static_cast<int64_t>(state.iterations()) * state.range(0));
}
BENCHMARK(crc32c_bytes)->Arg(16)->Arg(64)->Arg(256)->Arg(1024)->Arg(4096)->Arg(32768);

void crc32c_table_bytes(benchmark::State& state) {
  const std::vector<unsigned char> bytes(static_cast<size_t>(state.range(0)), 0x5a);
  for (auto _ : state) benchmark::DoNotOptimize(crc32c_internal::by_table(bytes.data(), bytes.size(), 0));
  state.SetBytesProcessed(static_cast<int64_t>(state.iterations()) * state.range(0));
}
BENCHMARK(crc32c_table_bytes)->Arg(64)->Arg(4096);

}  // namespace
}  // namespace daxlab
