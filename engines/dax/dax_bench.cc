// Faults and their counterparts by MMU kind, over a toy file; what an engine's translation costs is its own benchmark's business.
#include <benchmark/benchmark.h>

#include "engines/dax/toy_file.h"
#include "engines/dax/user_buffer.h"

namespace daxlab::dax {
namespace {

constexpr uint64_t kPages = 256;
constexpr const char* kKinds[] = {"uffd", "sigsegv", "soft"};

/// A mapped file of 256 pages under the MMU and policy that the benchmark's arguments name.
struct Fixture {
  explicit Fixture(benchmark::State& state) {
    const char* kind = kKinds[state.range(0)];
    const auto policy = state.range(1) == 0 ? Policy::kEntryLock : Policy::kExclusive;
    state.SetLabel(std::string(kind) + " " + name(policy));
    auto opened = pmem::Region::for_test(8 * kMiB);
    auto made = opened ? Mmu::create(**opened, kind) : Result<std::unique_ptr<Mmu>>(opened.error());
    if (!made) {
      state.SkipWithError(made.error().message().c_str());
      return;
    }
    region = std::move(*opened);
    mmu = std::move(*made);
    file = std::make_unique<ToyFile>(*region, *mmu, policy, kPages);
    file->allocate(0, kPages);
    auto mapped = file->space().map(0, kPages * kBlockBytes, true);
    if (!mapped) {
      state.SkipWithError(mapped.error().message().c_str());
      return;
    }
    mapping = std::move(*mapped);
  }
  void put(uint64_t page) {
    const std::byte one{1};
    DAXLAB_CHECK(mapping->store(page * kBlockBytes, {&one, 1}).ok());
  }
  void get(uint64_t page) {
    std::byte value{};
    DAXLAB_CHECK(mapping->load(page * kBlockBytes, {&value, 1}).ok());
  }
  void take_away() {
    file->space().begin_write(0, kPages);
    file->space().end_write(0, kPages);
  }
  std::unique_ptr<pmem::Region> region;
  std::unique_ptr<Mmu> mmu;
  std::unique_ptr<ToyFile> file;
  std::unique_ptr<Mapping> mapping;
};

void each_kind(benchmark::internal::Benchmark* bench) {
  for (const int kind : {0, 1, 2}) {
    for (const int policy : {0, 1}) bench->Args({kind, policy});
  }
}

void dax_fault_read(benchmark::State& state) {
  Fixture fixture(state);
  uint64_t page = 0;
  for (auto _ : state) {
    if (page == kPages) {
      state.PauseTiming();
      fixture.take_away();
      page = 0;
      state.ResumeTiming();
    }
    fixture.get(page++);
  }
}
BENCHMARK(dax_fault_read)->Apply(each_kind);

void dax_fault_write(benchmark::State& state) {
  Fixture fixture(state);
  uint64_t page = 0;
  for (auto _ : state) {
    if (page == kPages) {
      state.PauseTiming();
      fixture.take_away();
      page = 0;
      state.ResumeTiming();
    }
    fixture.put(page++);
  }
}
BENCHMARK(dax_fault_write)->Apply(each_kind);

/// A store and its msync: fault, protect, flush of 64 lines, fence.
void dax_store_and_sync(benchmark::State& state) {
  Fixture fixture(state);
  for (auto _ : state) {
    fixture.put(7);
    DAXLAB_CHECK(fixture.mapping->sync(7 * kBlockBytes, kBlockBytes).ok());
  }
}
BENCHMARK(dax_store_and_sync)->Apply(each_kind);

/// What a mapped file's copy-on-write pays beside the write itself: take a page away, and the fault that brings it back.
void dax_invalidate_and_fault(benchmark::State& state) {
  Fixture fixture(state);
  for (auto _ : state) {
    fixture.file->space().begin_write(9, 1);
    fixture.file->space().end_write(9, 1);
    fixture.get(9);
  }
}
BENCHMARK(dax_invalidate_and_fault)->Apply(each_kind);

/// What a write of a file that nobody maps pays.
void dax_source_buffer_of_plain_memory(benchmark::State& state) {
  std::vector<std::byte> user(4096);
  for (auto _ : state) {
    const SourceBuffer source(user);
    benchmark::DoNotOptimize(source.bytes().data());
  }
}
BENCHMARK(dax_source_buffer_of_plain_memory);

}  // namespace
}  // namespace daxlab::dax
