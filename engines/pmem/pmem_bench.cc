// The door's primitives beside the bare instructions, and geometry look-ups. Pairs named `door_*` and `bare_*` show what
// counting and the one predicted branch cost.
#include <benchmark/benchmark.h>

#include <array>
#include <cstring>
#include <vector>

#include "engines/base/random.h"
#include "engines/pmem/geometry.h"
#include "engines/pmem/persist.h"
#include "engines/pmem/region.h"

namespace daxlab::pmem {
namespace {

/// One medium for all, larger than a common last-level cache; blocks in random order.
struct Medium {
  std::unique_ptr<Region> region = Region::open(MediaSpec::parse("dram:64MiB").value()).value();
  std::vector<std::byte*> blocks;
  size_t at = 0;
  Medium() {
    Random random(1);
    for (BlockIndex block = 0; block < region->block_count(); ++block) blocks.push_back(region->block_address(block));
    for (size_t i = blocks.size(); i > 1; --i) std::swap(blocks[i - 1], blocks[random.below(i)]);
  }
  std::byte* next() { return blocks[at++ % blocks.size()]; }
};

Medium& medium() {
  static Medium instance;
  return instance;
}

alignas(64) const std::array<std::byte, 64 * kKiB> g_source{};

void door_store_8(benchmark::State& state) {
  std::byte* const to = medium().next();
  uint64_t value = 0;
  for (auto _ : state) {
    store(reinterpret_cast<uint64_t*>(to), ++value);
    benchmark::ClobberMemory();
  }
}
BENCHMARK(door_store_8);

void bare_store_8(benchmark::State& state) {
  std::byte* const to = medium().next();
  uint64_t value = 0;
  for (auto _ : state) {
    ++value;
    std::memcpy(to, &value, sizeof value);
    benchmark::ClobberMemory();
  }
}
BENCHMARK(bare_store_8);

void door_persist_line(benchmark::State& state) {
  for (auto _ : state) {
    std::byte* const to = medium().next();
    store(to, std::byte{1});
    persist(to, 1);
  }
}
BENCHMARK(door_persist_line);

void bare_persist_line(benchmark::State& state) {
  for (auto _ : state) {
    std::byte* const to = medium().next();
    *to = std::byte{1};
    detail::flush_lines(to, 1);
    detail::fence_now();
  }
}
BENCHMARK(bare_persist_line);

void door_fence(benchmark::State& state) {
  for (auto _ : state) fence();
}
BENCHMARK(door_fence);

void bare_fence(benchmark::State& state) {
  for (auto _ : state) detail::fence_now();
}
BENCHMARK(bare_fence);

void door_flush_clean_line(benchmark::State& state) {
  std::byte* const to = medium().next();
  for (auto _ : state) flush(to, 64);
}
BENCHMARK(door_flush_clean_line);

void bare_flush_clean_line(benchmark::State& state) {
  std::byte* const to = medium().next();
  for (auto _ : state) detail::flush_lines(to, 64);
}
BENCHMARK(bare_flush_clean_line);

/// Streaming against storing and flushing: where one beats the other.
void stream_and_fence(benchmark::State& state) {
  const auto size = static_cast<size_t>(state.range(0));
  for (auto _ : state) {
    stream(medium().next(), g_source.data(), size);
    fence();
  }
  state.SetBytesProcessed(static_cast<int64_t>(state.iterations()) * state.range(0));
}
BENCHMARK(stream_and_fence)->RangeMultiplier(2)->Range(64, 4096);

void store_flush_and_fence(benchmark::State& state) {
  const auto size = static_cast<size_t>(state.range(0));
  for (auto _ : state) {
    std::byte* const to = medium().next();
    store_bytes(to, g_source.data(), size);
    persist(to, size);
  }
  state.SetBytesProcessed(static_cast<int64_t>(state.iterations()) * state.range(0));
}
BENCHMARK(store_flush_and_fence)->RangeMultiplier(2)->Range(64, 4096);

void geometry_place(benchmark::State& state, const char* run) {
  const Geometry geometry = Geometry::create(parse_run(run).value(), 1, 512 * kMiB).value();
  Random random(1);
  std::vector<BlockIndex> blocks(4096);
  for (BlockIndex& block : blocks) block = random.below(geometry.block_count());
  size_t i = 0;
  for (auto _ : state) benchmark::DoNotOptimize(geometry.place(blocks[i++ % blocks.size()], 1));
}
BENCHMARK_CAPTURE(geometry_place, linear, "linear");
BENCHMARK_CAPTURE(geometry_place, shuffled_4k, "4KiB");
BENCHMARK_CAPTURE(geometry_place, shuffled_64k, "64KiB");
BENCHMARK_CAPTURE(geometry_place, stripe, "stripe-256KiB");
BENCHMARK_CAPTURE(geometry_place, hole, "hole");

void region_direct_access_linear(benchmark::State& state) {
  const Region& region = *medium().region;
  BlockIndex block = 0;
  for (auto _ : state) benchmark::DoNotOptimize(region.direct_access(block++ % region.block_count(), 1));
}
BENCHMARK(region_direct_access_linear);

}  // namespace
}  // namespace daxlab::pmem
