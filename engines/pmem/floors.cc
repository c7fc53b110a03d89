#include "engines/pmem/floors.h"

#include <semaphore.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <fstream>
#include <thread>
#include <utility>

#include "engines/base/clock.h"
#include "engines/base/random.h"
#include "engines/pmem/persist.h"

namespace daxlab::pmem {

namespace {

/// Median and 99th percentile of many timed calls, less what reading the clock takes.
class Samples {
 public:
  void add(uint64_t tick_count) { values_.push_back(tick_count); }

  /// `units` is how many of what is asked for one sample held.
  Floor floor(std::string name, std::string what, double units, uint64_t clock_ticks) {
    std::sort(values_.begin(), values_.end());
    const auto at = [&](double fraction) {
      const uint64_t value = values_[static_cast<size_t>(fraction * static_cast<double>(values_.size() - 1))];
      return static_cast<double>(value > clock_ticks ? value - clock_ticks : 0) * ns_per_tick() / units;
    };
    return {std::move(name), std::move(what), at(0.5), at(0.99)};
  }

  uint64_t median() {
    std::sort(values_.begin(), values_.end());
    return values_[values_.size() / 2];
  }

 private:
  std::vector<uint64_t> values_;
};

constexpr int kSamples = 20000;

/// What a pair of clock reads measures of itself.
uint64_t clock_cost() {
  Samples samples;
  for (int i = 0; i < kSamples; ++i) {
    const uint64_t began = ticks();
    samples.add(ticks_after() - began);
  }
  return samples.median();
}

template <typename Body>
Samples sample(int count, const Body& body) {
  Samples samples;
  for (int i = 0; i < count; ++i) samples.add(body());
  return samples;
}

/// Hands a token to a sleeping thread and waits, asleep, until it comes back.
Samples hand_offs(int rounds) {
  sem_t there;
  sem_t back;
  DAXLAB_CHECK(::sem_init(&there, 0, 0) == 0 && ::sem_init(&back, 0, 0) == 0);
  const auto wait = [](sem_t& semaphore) {
    while (::sem_wait(&semaphore) != 0) DAXLAB_CHECK(errno == EINTR);
  };
  std::thread other([&] {
    for (int i = 0; i < rounds; ++i) {
      wait(there);
      ::sem_post(&back);
    }
  });
  Samples samples;
  for (int i = 0; i < rounds; ++i) {
    const uint64_t began = ticks();
    ::sem_post(&there);
    wait(back);
    samples.add(ticks_after() - began);
  }
  other.join();
  ::sem_destroy(&there);
  ::sem_destroy(&back);
  return samples;
}

/// Random lines of the medium, each holding the number of the next: a load cannot begin before the one before it is done.
class LoadChain {
 public:
  LoadChain(Region& region, Random& random) : region_(region) {
    constexpr uint64_t kLinesPerBlock = kBlockBytes / kCacheLineBytes;
    std::vector<uint64_t> order(std::min<uint64_t>(region.block_count() * kLinesPerBlock, 1u << 20));
    const uint64_t step = region.block_count() * kLinesPerBlock / order.size();
    for (size_t i = 0; i < order.size(); ++i) order[i] = i * step + random.below(step);
    for (size_t i = order.size(); i > 1; --i) std::swap(order[i - 1], order[random.below(i)]);
    for (size_t i = 0; i < order.size(); ++i) store(word(order[i]), order[(i + 1) % order.size()]);
    at_ = order[0];
  }
  void follow() { at_ = load(word(at_)); }

 private:
  uint64_t* word(uint64_t line) const {
    return reinterpret_cast<uint64_t*>(region_.block_address(line * kCacheLineBytes / kBlockBytes) +
                                       line * kCacheLineBytes % kBlockBytes);
  }
  Region& region_;
  uint64_t at_ = 0;
};

}  // namespace

uint64_t last_level_cache_bytes() {
  // The kernel's answer first: on AMD, glibc 2.36 gives the L3 caches of the whole package, not the one that this CPU has.
  std::ifstream sysfs("/sys/devices/system/cpu/cpu0/cache/index3/size");
  std::string text;
  if (sysfs >> text) {
    if (const auto size = parse_size(text); size.ok() && *size > 0) return *size;
  }
  const long size = ::sysconf(_SC_LEVEL3_CACHE_SIZE);
  return size > 0 ? static_cast<uint64_t>(size) : 32 * kMiB;
}

std::vector<Floor> measure_floors(Region& region, uint64_t seed) {
  Random random(seed);
  const uint64_t clock_ticks = clock_cost();
  const auto block = [&] { return region.block_address(random.below(region.block_count())); };
  const auto line = [&] { return block() + random.below(kBlockBytes / kCacheLineBytes) * kCacheLineBytes; };
  alignas(64) std::array<std::byte, kBlockBytes> source;
  source.fill(std::byte{0x5a});
  std::vector<Floor> floors;
  const auto add = [&](const char* name, const char* what, double units, int count, const auto& body) {
    floors.push_back(sample(count, body).floor(name, what, units, clock_ticks));
  };

  add("stream_4k_fence", "4 KiB streamed to a random block, then a fence", 1, kSamples, [&] {
    std::byte* const to = block();
    const uint64_t began = ticks();
    stream(to, source.data(), kBlockBytes);
    fence();
    return ticks_after() - began;
  });
  add("persist_line", "8 bytes stored to a random line, flushed, fenced", 1, kSamples, [&] {
    std::byte* const to = line();
    const uint64_t began = ticks();
    store_bytes(to, source.data(), 8);
    persist(to, 8);
    return ticks_after() - began;
  });
  std::byte* const same = line();
  add("persist_same_line", "8 bytes stored to one and the same line, flushed, fenced", 1, kSamples, [&] {
    const uint64_t began = ticks();
    store_bytes(same, source.data(), 8);
    persist(same, 8);
    return ticks_after() - began;
  });
  add("fence_idle", "a fence with nothing to wait for", 64, kSamples / 20, [&] {
    const uint64_t began = ticks();
    for (int i = 0; i < 64; ++i) fence();
    return ticks_after() - began;
  });
  add("flush_line", "one line of 64 KiB stored and flushed in random blocks, then one fence", 1024, kSamples / 20, [&] {
    const uint64_t began = ticks();
    for (int i = 0; i < 16; ++i) {
      std::byte* const to = block();
      store_bytes(to, source.data(), kBlockBytes);
      flush(to, kBlockBytes);
    }
    fence();
    return ticks_after() - began;
  });
  add("stream_line", "one line of 64 KiB streamed in random blocks, then one fence", 1024, kSamples / 20, [&] {
    const uint64_t began = ticks();
    for (int i = 0; i < 16; ++i) stream(block(), source.data(), kBlockBytes);
    fence();
    return ticks_after() - began;
  });
  LoadChain chain(region, random);
  add("load_line", "a random line loaded, its address known from the line before", 64, kSamples / 20, [&] {
    const uint64_t began = ticks();
    for (int i = 0; i < 64; ++i) chain.follow();
    return ticks_after() - began;
  });
  floors.push_back(hand_offs(2000).floor("wakeup", "a hand-off to a sleeping thread and back", 1, clock_ticks));
  return floors;
}

}  // namespace daxlab::pmem
