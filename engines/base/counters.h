// In-process accounting: one block of counters per thread, incremented with plain adds (below 1 ns), summed on demand.
//
// Threads: a thread counts into its own block only. A thread that wants to be summed holds a CounterThread for its
// lifetime; when it ends, its counts are kept in a retired total. total() may run at any time beside counting threads.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

namespace daxlab {

enum class Counter : uint8_t {
#define DAXLAB_COUNTER(name, unit) name,
#include "engines/base/counters.def"
#undef DAXLAB_COUNTER
  kCount
};

inline constexpr size_t kCounterCount = static_cast<size_t>(Counter::kCount);

const char* name(Counter counter);
const char* unit(Counter counter);

/// A plain snapshot, for subtraction and addition.
struct CounterValues {
  std::array<uint64_t, kCounterCount> values{};
  uint64_t& operator[](Counter counter) { return values[static_cast<size_t>(counter)]; }
  uint64_t operator[](Counter counter) const { return values[static_cast<size_t>(counter)]; }
  CounterValues& operator+=(const CounterValues& other);
  CounterValues& operator-=(const CounterValues& other);
};

/// One thread's counters. Written by its owner alone: relaxed load and store, which compile to a plain add.
struct alignas(64) CounterBlock {
  std::array<std::atomic<uint64_t>, kCounterCount> values{};

  void add(Counter counter, uint64_t by) {
    auto& value = values[static_cast<size_t>(counter)];
    value.store(value.load(std::memory_order_relaxed) + by, std::memory_order_relaxed);
  }
  CounterValues snapshot() const;
};

extern constinit thread_local CounterBlock t_counters;

inline void count(Counter counter, uint64_t by = 1) { t_counters.add(counter, by); }

/// Makes the calling thread's counters part of total() while it lives, and of the retired total afterwards.
/// To be created and destroyed on the thread it stands for; one per thread.
class CounterThread {
 public:
  CounterThread();
  ~CounterThread();
  CounterThread(const CounterThread&) = delete;
  CounterThread& operator=(const CounterThread&) = delete;
};

/// The sum over registered threads, alive and ended, since the process began.
CounterValues total_counters();

}  // namespace daxlab
