#include "engines/base/counters.h"

#include <algorithm>
#include <mutex>
#include <vector>

#include "engines/base/check.h"

namespace daxlab {

constinit thread_local CounterBlock t_counters;

namespace {

/// A registered thread: its block, and what the block held when it registered (counts before that are not summed).
struct Live {
  const CounterBlock* block;
  CounterValues at_start;
};

struct Registry {
  std::mutex mutex;
  std::vector<Live> live;
  CounterValues retired;
};

/// Never destroyed: threads may end after static destructors ran.
Registry& registry() {
  static Registry* const instance = new Registry;
  return *instance;
}

}  // namespace

const char* name(Counter counter) {
  static constexpr std::array<const char*, kCounterCount> kNames = {
#define DAXLAB_COUNTER(name, unit) #name,
#include "engines/base/counters.def"
#undef DAXLAB_COUNTER
  };
  return kNames[static_cast<size_t>(counter)];
}

const char* unit(Counter counter) {
  static constexpr std::array<const char*, kCounterCount> kUnits = {
#define DAXLAB_COUNTER(name, unit) unit,
#include "engines/base/counters.def"
#undef DAXLAB_COUNTER
  };
  return kUnits[static_cast<size_t>(counter)];
}

CounterValues& CounterValues::operator+=(const CounterValues& other) {
  for (size_t i = 0; i < kCounterCount; ++i) values[i] += other.values[i];
  return *this;
}

CounterValues& CounterValues::operator-=(const CounterValues& other) {
  for (size_t i = 0; i < kCounterCount; ++i) values[i] -= other.values[i];
  return *this;
}

CounterValues CounterBlock::snapshot() const {
  CounterValues result;
  for (size_t i = 0; i < kCounterCount; ++i) result.values[i] = values[i].load(std::memory_order_relaxed);
  return result;
}

CounterThread::CounterThread() {
  Registry& all = registry();
  const std::lock_guard lock(all.mutex);
  const bool registered = std::any_of(all.live.begin(), all.live.end(), [](const Live& l) { return l.block == &t_counters; });
  DAXLAB_CHECK(!registered);
  all.live.push_back({&t_counters, t_counters.snapshot()});
}

CounterThread::~CounterThread() {
  Registry& all = registry();
  const std::lock_guard lock(all.mutex);
  const auto mine = std::find_if(all.live.begin(), all.live.end(), [](const Live& l) { return l.block == &t_counters; });
  DAXLAB_CHECK(mine != all.live.end());
  all.retired += t_counters.snapshot();
  all.retired -= mine->at_start;
  all.live.erase(mine);
}

CounterValues total_counters() {
  Registry& all = registry();
  const std::lock_guard lock(all.mutex);
  CounterValues total = all.retired;
  for (const Live& thread : all.live) {
    total += thread.block->snapshot();
    total -= thread.at_start;
  }
  return total;
}

}  // namespace daxlab
