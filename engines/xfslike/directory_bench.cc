// Directories over objects in memory: time of an insert and of a look-up, and the bytes of 128-byte chunks that an insert logs, alone
// (log_bytes: each insert a checkpoint of its own) and among 1000 of one checkpoint (log_bytes_batched).

#include <benchmark/benchmark.h>

#include <string>
#include <vector>

#include "engines/base/random.h"
#include "engines/xfslike/directory_index.h"
#include "engines/xfslike/space_testing.h"

namespace daxlab::xfslike {
namespace {

using testing::FakeSpace;

struct BenchDirectory {
  explicit BenchDirectory(uint32_t block_bytes) : space(block_bytes), blocks(space, size_bytes) {
    DAXLAB_CHECK(blocks.create(77, 5, {}).ok());
  }
  void insert(const std::string& name, uint64_t ino) { DAXLAB_CHECK(blocks.insert(name, {ino, NodeKind::kFile}).ok()); }

  uint64_t size_bytes = 0;
  FakeSpace space;
  DirBlocks blocks;
};

std::string name_of(uint64_t i) { return "file-" + std::to_string(i); }

void sizes(benchmark::internal::Benchmark* benchmark) {
  for (const int64_t block_kib : {4, 16, 64}) {
    for (const int64_t names : {100, 10000, 100000}) benchmark->Args({block_kib, names});
  }
  benchmark->ArgNames({"block_kib", "names"});
}

/// A directory of that many names, of which one goes and another comes in each step; the inserts are timed with the erases, which is stated.
void directory_insert_erase(benchmark::State& state) {
  BenchDirectory directory(static_cast<uint32_t>(state.range(0)) * 1024);
  const auto names = static_cast<uint64_t>(state.range(1));
  for (uint64_t i = 0; i < names; ++i) directory.insert(name_of(i), 2 + i);
  Random random(1);
  std::vector<uint64_t> present(names);
  for (uint64_t i = 0; i < names; ++i) present[i] = i;
  uint64_t next = names;
  for (auto _ : state) {
    uint64_t& victim = present[random.below(names)];
    DAXLAB_CHECK(directory.blocks.erase(name_of(victim)).ok());
    victim = next++;
    directory.insert(name_of(victim), 3);
  }
}
BENCHMARK(directory_insert_erase)->Apply(sizes);

/// Growing from nothing to that many names.
void directory_insert(benchmark::State& state) {
  const auto block_bytes = static_cast<uint32_t>(state.range(0)) * 1024;
  const auto names = static_cast<uint64_t>(state.range(1));
  std::vector<std::string> all;
  for (uint64_t i = 0; i < names; ++i) all.push_back(name_of(i));
  for (auto _ : state) {
    auto directory = std::make_unique<BenchDirectory>(block_bytes);
    for (uint64_t i = 0; i < names; ++i) directory->insert(all[i], 2 + i);
    state.PauseTiming();
    directory.reset();
    state.ResumeTiming();
  }
  state.SetItemsProcessed(state.iterations() * state.range(1));
  const auto logged = [&](uint64_t batch) {
    BenchDirectory directory(block_bytes);
    uint64_t bytes = 0;
    for (uint64_t i = 0; i < names; ++i) {
      directory.insert(all[i], 2 + i);
      if (i % batch == batch - 1) bytes += directory.space.take_logged_bytes();
    }
    return static_cast<double>(bytes + directory.space.take_logged_bytes()) / static_cast<double>(names);
  };
  state.counters["log_bytes"] = logged(1);
  state.counters["log_bytes_batched"] = logged(1000);
}
BENCHMARK(directory_insert)->Apply(sizes);

void directory_lookup(benchmark::State& state) {
  BenchDirectory directory(static_cast<uint32_t>(state.range(0)) * 1024);
  const auto names = static_cast<uint64_t>(state.range(1));
  std::vector<std::string> all;
  for (uint64_t i = 0; i < names; ++i) {
    all.push_back(name_of(i));
    directory.insert(all.back(), 2 + i);
  }
  Random random(2);
  for (auto _ : state) benchmark::DoNotOptimize(directory.blocks.lookup(all[random.below(names)]));
}
BENCHMARK(directory_lookup)->Apply(sizes);

}  // namespace
}  // namespace daxlab::xfslike
