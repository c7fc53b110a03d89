// What native's operations cost beside the floors of the medium, in one binary: 4 KiB streaming copy + fence, and one persisted
// line.
//
// Placement is random over 256 MiB, eight times the last-level cache of the machine the bars were set on. Latencies are medians
// of single operations, the cost of the clock taken off.

#include <benchmark/benchmark.h>
#include <immintrin.h>

#include <algorithm>
#include <random>
#include <vector>

#include "engines/api/engine.h"
#include "engines/api/registry.h"
#include "engines/base/clock.h"
#include "engines/base/random.h"
#include "engines/pmem/persist.h"
#include "engines/pmem/region.h"

namespace daxlab {
namespace {

constexpr uint64_t kFileBytes = 256 * kMiB;
constexpr uint64_t kRegionBytes = kGiB;

/// Latency of single operations: p50, p99 and p99.9 as counters.
class Latencies {
 public:
  Latencies() { ticks_.reserve(1 << 22); }
  template <typename Operation>
  void time(Operation operation) {
    const uint64_t begin = ticks();
    operation();
    ticks_.push_back(ticks() - begin);
  }
  void report(benchmark::State& state) {
    std::sort(ticks_.begin(), ticks_.end());
    const auto at = [&](double q) {
      if (ticks_.empty()) return 0.0;
      const uint64_t value = ticks_[static_cast<size_t>(q * static_cast<double>(ticks_.size() - 1))];
      return static_cast<double>(ticks_to_ns(value)) - clock_ns();
    };
    state.counters["p50_ns"] = at(0.5);
    state.counters["p99_ns"] = at(0.99);
    state.counters["p999_ns"] = at(0.999);
  }

 private:
  static double clock_ns() {
    uint64_t least = UINT64_MAX;
    for (int i = 0; i < 1000; ++i) {
      const uint64_t begin = ticks();
      least = std::min(least, ticks() - begin);
    }
    return static_cast<double>(ticks_to_ns(least));
  }
  std::vector<uint64_t> ticks_;
};

pmem::Region& medium() {
  static const auto region = [] {
    auto opened = pmem::Region::for_test(kRegionBytes);
    DAXLAB_CHECK(opened.ok());
    auto made = std::move(opened).value();
    for (std::byte& byte : made->bytes()) byte = std::byte{1};  // every frame is there before anything is timed
    return made;
  }();
  return *region;
}

std::unique_ptr<Engine> fresh(const std::string& spec_text) {
  const EngineSpec spec = parse_engine(spec_text).value();
  DAXLAB_CHECK(spec.type->format(&medium(), spec.options).ok());
  return spec.type->mount(&medium(), spec.options).value();
}

std::unique_ptr<File> filled_file(Engine& engine) {
  auto root = engine.open_directory(engine.root()).value();
  auto file = root->create("file", 0644, {}).value().file;
  const std::vector<std::byte> data(kMiB, std::byte{2});
  for (uint64_t at = 0; at < kFileBytes; at += kMiB) DAXLAB_CHECK(file->write(at, data).ok());
  return file;
}

void floor_copy_4k(benchmark::State& state) {
  std::byte* const base = medium().bytes().data() + 64 * kMiB;
  const std::vector<std::byte> data(kBlockBytes, std::byte{3});
  Random random(1);
  Latencies latencies;
  for (auto _ : state) {
    std::byte* const to = base + random.below(kFileBytes / kBlockBytes) * kBlockBytes;
    latencies.time([&] {
      pmem::stream(to, data.data(), kBlockBytes);
      pmem::fence();
    });
  }
  latencies.report(state);
}
BENCHMARK(floor_copy_4k);

/// What a write that is atomic by two fences costs at least: the data, then the line that says where it is, one behind the other in a log.
void floor_copy_4k_then_line(benchmark::State& state) {
  std::byte* const base = medium().bytes().data() + 64 * kMiB;
  std::byte* const log = medium().bytes().data() + 512 * kMiB;
  const std::vector<std::byte> data(kBlockBytes, std::byte{3});
  Random random(1);
  Latencies latencies;
  uint64_t line = 0;
  for (auto _ : state) {
    std::byte* const to = base + random.below(kFileBytes / kBlockBytes) * kBlockBytes;
    std::byte* const record = log + line++ % (64 * kMiB / kCacheLineBytes) * kCacheLineBytes;
    latencies.time([&] {
      pmem::stream(to, data.data(), kBlockBytes);
      pmem::fence();
      pmem::stream(record, data.data(), kCacheLineBytes);
      pmem::fence();
      _mm_lfence();
    });
  }
  latencies.report(state);
}
BENCHMARK(floor_copy_4k_then_line);

void floor_line(benchmark::State& state) {
  std::byte* const base = medium().bytes().data() + 64 * kMiB;
  const std::vector<std::byte> data(kCacheLineBytes, std::byte{3});
  Random random(1);
  Latencies latencies;
  for (auto _ : state) {
    std::byte* const to = base + random.below(kFileBytes / kCacheLineBytes) * kCacheLineBytes;
    latencies.time([&] {
      pmem::store_bytes(to, data.data(), kCacheLineBytes);
      pmem::persist(to, kCacheLineBytes);
    });
  }
  latencies.report(state);
}
BENCHMARK(floor_line);

void overwrite(benchmark::State& state, const char* spec, uint64_t size_bytes) {
  auto engine = fresh(spec);
  auto file = filled_file(*engine);
  const std::vector<std::byte> data(size_bytes, std::byte{4});
  Random random(2);
  Latencies latencies;
  for (auto _ : state) {
    const uint64_t offset =
        random.below(kFileBytes / kBlockBytes) * kBlockBytes + (size_bytes < kBlockBytes ? random.below(60) * 64 : 0);
    latencies.time([&] { benchmark::DoNotOptimize(file->write(offset, data).ok()); });
  }
  latencies.report(state);
}
BENCHMARK_CAPTURE(overwrite, native_4k, "native", kBlockBytes);
BENCHMARK_CAPTURE(overwrite, relaxed_4k, "native-relaxed", kBlockBytes);
BENCHMARK_CAPTURE(overwrite, native_64, "native", 64);
BENCHMARK_CAPTURE(overwrite, relaxed_64, "native-relaxed", 64);

void append_4k(benchmark::State& state, const char* spec) {
  auto engine = fresh(spec);
  auto root = engine->open_directory(engine->root()).value();
  auto file = root->create("file", 0644, {}).value().file;
  const std::vector<std::byte> data(kBlockBytes, std::byte{4});
  SetAttributes empty;
  empty.size_bytes = 0;
  Latencies latencies;
  uint64_t appended = 0;
  for (auto _ : state) {
    latencies.time([&] { benchmark::DoNotOptimize(file->append(data).ok()); });
    if (++appended % (kFileBytes / kBlockBytes) == 0) {
      state.PauseTiming();
      DAXLAB_CHECK(file->setattr(empty).ok());
      state.ResumeTiming();
    }
  }
  latencies.report(state);
}
BENCHMARK_CAPTURE(append_4k, native, "native");
BENCHMARK_CAPTURE(append_4k, relaxed, "native-relaxed");

void read_4k(benchmark::State& state) {
  auto engine = fresh("native");
  auto file = filled_file(*engine);
  std::vector<std::byte> data(kBlockBytes);
  Random random(3);
  Latencies latencies;
  for (auto _ : state) {
    const uint64_t offset = random.below(kFileBytes / kBlockBytes) * kBlockBytes;
    latencies.time([&] { benchmark::DoNotOptimize(file->read(offset, data).ok()); });
  }
  latencies.report(state);
}
BENCHMARK(read_4k);

/// Create and unlink in a directory that has `population` names already.
void names_come_and_go(benchmark::State& state, const char* spec) {
  auto engine = fresh(spec);
  auto root = engine->open_directory(engine->root()).value();
  const auto population = static_cast<uint64_t>(state.range(0));
  for (uint64_t i = 0; i < population; ++i) {
    auto created = root->create("name-" + std::to_string(i), 0644, {});
    DAXLAB_CHECK(created.ok());
    engine->forget(created->attributes.ino, 1);
  }
  Latencies latencies;
  Random random(4);
  for (auto _ : state) {
    const std::string name = "new-" + std::to_string(random.below(1000000));
    InodeId ino = 0;
    latencies.time([&] {
      auto created = root->create(name, 0644, {});
      ino = created->attributes.ino;
      created->file.reset();
      engine->forget(ino, 1);
      benchmark::DoNotOptimize(root->unlink(name).ok());
    });
  }
  latencies.report(state);
}
void create_unlink(benchmark::State& state) { names_come_and_go(state, "native"); }
void populations(benchmark::internal::Benchmark* named) { named->Arg(1000)->Arg(10000)->Arg(100000)->Arg(1000000); }
BENCHMARK(create_unlink)->Apply(populations);
BENCHMARK_CAPTURE(names_come_and_go, dirs_xfslike, "native:dirs=xfslike")->Apply(populations);
BENCHMARK_CAPTURE(names_come_and_go, dirs_xfslike_64k, "native:dirs=xfslike:dirblock=64KiB")->Apply(populations);

void rename_within(benchmark::State& state) {
  auto engine = fresh("native");
  auto root = engine->open_directory(engine->root()).value();
  const auto population = static_cast<uint64_t>(state.range(0));
  for (uint64_t i = 0; i < population; ++i) {
    auto created = root->create("name-" + std::to_string(i), 0644, {});
    engine->forget(created->attributes.ino, 1);
  }
  Latencies latencies;
  Random random(4);
  for (auto _ : state) {
    const std::string name = "name-" + std::to_string(random.below(population));
    latencies.time([&] { benchmark::DoNotOptimize(root->rename(name, *root, "moved", RenameFlags::kNone).ok()); });
    DAXLAB_CHECK(root->rename("moved", *root, name, RenameFlags::kNone).ok());
  }
  latencies.report(state);
}
BENCHMARK(rename_within)->Arg(1000)->Arg(10000)->Arg(100000)->Arg(1000000);

enum class Shape : uint8_t { kFlat, kTree };
constexpr uint64_t kNamesPerDirectory = 100;  // of a tree

std::string directory_name(uint64_t file) { return "directory-" + std::to_string(file / kNamesPerDirectory); }
std::string file_name(uint64_t file) { return "name-" + std::to_string(file); }

std::unique_ptr<Directory> directory_of(Engine& engine, Directory& root, Shape shape, uint64_t file) {
  const InodeId ino = shape == Shape::kFlat ? engine.root() : root.stat(directory_name(file))->ino;
  return engine.open_directory(ino).value();
}

void populate(Engine& engine, Shape shape, uint64_t population) {
  auto root = engine.open_directory(engine.root()).value();
  std::unique_ptr<Directory> parent;
  for (uint64_t i = 0; i < population; ++i) {
    if (shape == Shape::kTree && i % kNamesPerDirectory == 0) {
      engine.forget(root->mkdir(directory_name(i), 0755, {})->ino, 1);
    }
    if (i % kNamesPerDirectory == 0) parent = directory_of(engine, *root, shape, i);
    auto created = parent->create(file_name(i), 0644, {});
    DAXLAB_CHECK(created.ok());
    engine.forget(created->attributes.ino, 1);
  }
}

/// Mount, 1 000 random look-ups and the first create, with `population` empty files: after a crash, and after an unmount.
void mount(benchmark::State& state, bool clean, Shape shape) {
  const EngineSpec spec = parse_engine("native").value();
  auto engine = fresh("native");
  const uint64_t empty_bytes = engine->dram_bytes();
  const auto population = static_cast<uint64_t>(state.range(0));
  populate(*engine, shape, population);
  const uint64_t full_bytes = engine->dram_bytes();
  for (auto _ : state) {
    state.PauseTiming();
    if (clean) DAXLAB_CHECK(engine->unmount().ok());
    engine.reset();
    state.ResumeTiming();
    engine = spec.type->mount(&medium(), spec.options).value();
    auto root = engine->open_directory(engine->root()).value();
    Random random(5);
    for (int i = 0; i < 1000; ++i) {
      const uint64_t file = random.below(population);
      DAXLAB_CHECK(directory_of(*engine, *root, shape, file)->stat(file_name(file)).ok());
    }
    auto created = root->create("first", 0644, {});
    state.PauseTiming();
    engine->forget(created->attributes.ino, 1);
    created->file.reset();
    DAXLAB_CHECK(root->unlink("first").ok());
    root.reset();
    state.ResumeTiming();
  }
  state.counters["inodes_per_s"] =
      benchmark::Counter(static_cast<double>(population), benchmark::Counter::kIsIterationInvariantRate);
  state.counters["dram_bytes_per_file"] = static_cast<double>(full_bytes - empty_bytes) / static_cast<double>(population);
}
void mounted_sizes(benchmark::internal::Benchmark* mounted) {
  for (const int population : {1000, 10000, 32000, 100000, 1000000}) mounted->Arg(population);
  mounted->Unit(benchmark::kMillisecond)->UseRealTime();
}
BENCHMARK_CAPTURE(mount, crash, false, Shape::kFlat)->Apply(mounted_sizes);
BENCHMARK_CAPTURE(mount, clean, true, Shape::kFlat)->Apply(mounted_sizes);
BENCHMARK_CAPTURE(mount, crash_tree, false, Shape::kTree)->Apply(mounted_sizes);
BENCHMARK_CAPTURE(mount, clean_tree, true, Shape::kTree)->Apply(mounted_sizes);

/// Create and unlink in the directories of a tree that has `population` names already.
void create_unlink_in_tree(benchmark::State& state) {
  auto engine = fresh("native");
  const auto population = static_cast<uint64_t>(state.range(0));
  populate(*engine, Shape::kTree, population);
  auto root = engine->open_directory(engine->root()).value();
  Latencies latencies;
  Random random(4);
  for (auto _ : state) {
    auto parent = directory_of(*engine, *root, Shape::kTree, random.below(population));
    latencies.time([&] {
      auto created = parent->create("new", 0644, {});
      const InodeId ino = created->attributes.ino;
      created->file.reset();
      engine->forget(ino, 1);
      DAXLAB_CHECK(parent->unlink("new").ok());
    });
  }
  latencies.report(state);
}
BENCHMARK(create_unlink_in_tree)->Arg(1000)->Arg(10000)->Arg(100000)->Arg(1000000);

/// DRAM that the index of a file's pages takes, for each GiB of it; and 2 MiB runs of the medium under it.
void mapped_gib(benchmark::State& state) {
  auto engine = fresh("native");
  auto root = engine->open_directory(engine->root()).value();
  auto created = root->create("file", 0644, {});
  constexpr uint64_t kMappedBytes = 512 * kMiB;
  const uint64_t before = engine->dram_bytes();
  for (auto _ : state) DAXLAB_CHECK(created->file->fallocate(FallocateMode::kAllocate, 0, kMappedBytes).ok());
  state.counters["dram_bytes_per_gib"] =
      static_cast<double>(engine->dram_bytes() - before) * static_cast<double>(kGiB) / static_cast<double>(kMappedBytes);
}
BENCHMARK(mapped_gib)->Iterations(1);

/// DRAM of a further name of a file (nothing but the name), of an empty file with its name, of a file with one block, and of one that is open.
void dram_bytes(benchmark::State& state) {
  constexpr uint64_t kNames = 30'000;
  constexpr uint64_t kFiles = 30'000;
  auto engine = fresh("native");
  auto root = engine->open_directory(engine->root()).value();
  uint64_t before = engine->dram_bytes();
  const auto grown_by = [&](uint64_t count) {
    const uint64_t now = engine->dram_bytes();
    const double each = static_cast<double>(now - before) / static_cast<double>(count);
    before = now;
    return each;
  };
  std::vector<std::unique_ptr<File>> files;
  for (auto _ : state) {
    const auto linked = root->create("linked", 0644, {});
    before = engine->dram_bytes();
    for (uint64_t i = 0; i < kNames; ++i) {
      const auto named = root->link("further-name-" + std::to_string(i), linked->attributes.ino);
      engine->forget(named->ino, 1);
    }
    state.counters["per_name"] = grown_by(kNames);
    for (uint64_t i = 0; i < kFiles; ++i) engine->forget(root->create(file_name(i), 0644, {})->attributes.ino, 1);
    state.counters["per_file"] = grown_by(kFiles);
    for (uint64_t i = 0; i < kFiles; ++i) files.push_back(engine->open(root->stat(file_name(i))->ino, OpenFlags{}).value());
    state.counters["per_open"] = grown_by(kFiles);
    const std::vector<std::byte> data(kBlockBytes, std::byte{4});
    for (const auto& file : files) DAXLAB_CHECK(file->write(0, data).ok());
    state.counters["per_file_of_a_block"] = grown_by(kFiles);
  }
}
BENCHMARK(dram_bytes)->Iterations(1);

}  // namespace
}  // namespace daxlab
