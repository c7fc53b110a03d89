// Two writers of disjoint halves of one file, beside two independent processes in the same run.
//
// What two processors can do at once differs from machine to machine and from moment to moment: shared caches, memory bandwidth, a
// hypervisor. So the bar is a ratio of ratios: (two threads on one file / one thread) / (two processes with a medium each / one process).
// The four are measured in turn, round by round; each round gives all of them, and the counters are medians over rounds.

#include <benchmark/benchmark.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <thread>
#include <vector>

#include "engines/api/engine.h"
#include "engines/api/registry.h"
#include "engines/base/check.h"
#include "engines/base/clock.h"
#include "engines/base/random.h"
#include "engines/pmem/region.h"

namespace daxlab {
namespace {

constexpr uint64_t kHalfBytes = 128 * kMiB;
constexpr uint64_t kRegionBytes = 640 * kMiB;
constexpr uint64_t kWrites = 60'000;  // of a writer in a round: some 20 ms

void pin(unsigned cpu) {
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(cpu, &set);
  static_cast<void>(sched_setaffinity(0, sizeof set, &set));  // where it is refused the scheduler decides
}

/// A mounted engine on a medium of its own, with one file of two halves.
struct Place {
  Place() : region(pmem::Region::for_test(kRegionBytes).value()) {
    for (std::byte& byte : region->bytes()) byte = std::byte{1};  // every frame is there before anything is timed
    const EngineSpec spec = parse_engine("native").value();
    DAXLAB_CHECK(spec.type->format(region.get(), spec.options).ok());
    engine = spec.type->mount(region.get(), spec.options).value();
    auto root = engine->open_directory(engine->root()).value();
    file = root->create("file", 0644, {}).value().file;
    const std::vector<std::byte> data(kMiB, std::byte{2});
    for (uint64_t at = 0; at < 2 * kHalfBytes; at += kMiB) DAXLAB_CHECK(file->write(at, data).ok());
  }
  std::unique_ptr<pmem::Region> region;
  std::unique_ptr<Engine> engine;
  std::unique_ptr<File> file;
};

/// Seconds that one writer takes for its writes to a half.
double write_half(File& file, uint64_t half, uint64_t seed) {
  const std::vector<std::byte> data(kBlockBytes, std::byte{4});
  Random random(seed);
  const uint64_t begin = monotonic_ns();
  for (uint64_t i = 0; i < kWrites; ++i) {
    const uint64_t offset = half * kHalfBytes + random.below(kHalfBytes / kBlockBytes) * kBlockBytes;
    DAXLAB_CHECK(file.write(offset, data).ok());
  }
  return static_cast<double>(monotonic_ns() - begin) / 1e9;
}

/// Writes a second of `writers` threads or processes that begin together.
double rate(const std::vector<double>& seconds) {
  double sum = 0;
  for (const double each : seconds) sum += static_cast<double>(kWrites) / each;
  return sum;
}

double threads_rate(Place& place, unsigned writers, uint64_t seed) {
  std::atomic<unsigned> ready{0};
  std::vector<double> seconds(writers);
  std::vector<std::thread> threads;
  for (unsigned i = 0; i < writers; ++i) {
    threads.emplace_back([&, i] {
      pin(i);
      ready.fetch_add(1);
      while (ready.load() < writers) {
      }
      seconds[i] = write_half(*place.file, i, seed + i);
    });
  }
  for (std::thread& thread : threads) thread.join();
  return rate(seconds);
}

/// Processes that wait for their turns: a medium, an engine and a file each, made once.
class Processes {
 public:
  static constexpr unsigned kMax = 2;
  Processes() {
    void* const shared = ::mmap(nullptr, sizeof(Shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    DAXLAB_CHECK(shared != MAP_FAILED);
    shared_ = new (shared) Shared;
    for (unsigned i = 0; i < kMax; ++i) {
      children_[i] = ::fork();
      DAXLAB_CHECK(children_[i] >= 0);
      if (children_[i] == 0) serve(i);
    }
  }
  ~Processes() {
    shared_->turn.store(kEnd);
    for (const pid_t child : children_) ::waitpid(child, nullptr, 0);
    ::munmap(shared_, sizeof(Shared));
  }

  double rate_of(unsigned writers, uint64_t seed) {
    shared_->done.store(0);
    shared_->writers.store(writers);
    shared_->seed.store(seed);
    shared_->turn.fetch_add(1);
    while (shared_->done.load() < writers) sched_yield();
    return rate({shared_->seconds.begin(), shared_->seconds.begin() + writers});
  }

 private:
  static constexpr uint64_t kEnd = UINT64_MAX;
  struct Shared {
    std::atomic<uint64_t> turn{0};
    std::atomic<unsigned> writers{0};
    std::atomic<uint64_t> seed{0};
    std::atomic<unsigned> done{0};
    std::array<double, kMax> seconds{};
  };

  [[noreturn]] void serve(unsigned index) {
    pin(index);
    Place place;
    for (uint64_t seen = 0;;) {
      const uint64_t turn = shared_->turn.load();
      if (turn == kEnd) _exit(0);
      if (turn == seen || index >= shared_->writers.load()) {
        seen = std::max(seen, turn);
        ::usleep(100);
        continue;
      }
      seen = turn;
      shared_->seconds[index] = write_half(*place.file, 0, shared_->seed.load() + index);
      shared_->done.fetch_add(1);
    }
  }

  Shared* shared_;
  std::array<pid_t, kMax> children_{};
};

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

void two_writers(benchmark::State& state) {
  Processes processes;  // first: a process with threads is not forked
  Place place;
  std::vector<double> file;
  std::vector<double> apart;
  std::vector<double> quotient;
  uint64_t seed = 1;
  processes.rate_of(2, seed);  // both are there
  for (auto _ : state) {
    seed += 10;
    const double one_thread = threads_rate(place, 1, seed);
    const double two_threads = threads_rate(place, 2, seed);
    const double one_process = processes.rate_of(1, seed);
    const double two_processes = processes.rate_of(2, seed);
    file.push_back(two_threads / one_thread);
    apart.push_back(two_processes / one_process);
    quotient.push_back(file.back() / apart.back());
  }
  state.counters["file_ratio"] = median(file);
  state.counters["process_ratio"] = median(apart);
  state.counters["quotient"] = median(quotient);
}
BENCHMARK(two_writers)->Iterations(25)->UseRealTime()->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace daxlab
