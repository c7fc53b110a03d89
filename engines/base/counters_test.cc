#include "engines/base/counters.h"

#include <gtest/gtest.h>

#include <atomic>
#include <set>
#include <string>
#include <thread>
#include <vector>

namespace daxlab {
namespace {

CounterValues since(const CounterValues& before) {
  CounterValues now = total_counters();
  now -= before;
  return now;
}

TEST(Counters, AThreadsCountsAreSummedWhileItLivesAndAfterwards) {
  const CounterValues before = total_counters();
  std::atomic<int> stage{0};
  std::thread thread([&] {
    const CounterThread registered;
    count(Counter::fences, 3);
    stage = 1;
    stage.notify_all();
    stage.wait(1);
  });
  stage.wait(0);
  EXPECT_EQ(since(before)[Counter::fences], 3u);
  stage = 2;
  stage.notify_all();
  thread.join();
  EXPECT_EQ(since(before)[Counter::fences], 3u);
}

TEST(Counters, ManyThreadsCountExactly) {
  const CounterValues before = total_counters();
  std::vector<std::thread> threads;
  constexpr uint64_t kEach = 100'003;
  for (int i = 0; i < 8; ++i) {
    threads.emplace_back([] {
      const CounterThread registered;
      for (uint64_t n = 0; n < kEach; ++n) count(Counter::lines_flushed);
      count(Counter::stored_bytes, 17);
    });
  }
  // Reading beside counting threads never sees more than there will be.
  EXPECT_LE(since(before)[Counter::lines_flushed], 8 * kEach);
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(since(before)[Counter::lines_flushed], 8 * kEach);
  EXPECT_EQ(since(before)[Counter::stored_bytes], 8u * 17);
}

TEST(Counters, WhatWasCountedBeforeRegistrationIsNotSummed) {
  const CounterValues before = total_counters();
  std::thread([] {
    count(Counter::wakeups, 100);
    {
      const CounterThread registered;
      count(Counter::wakeups, 1);
    }
    count(Counter::wakeups, 100);
    {
      const CounterThread again;
      count(Counter::wakeups, 2);
    }
  }).join();
  EXPECT_EQ(since(before)[Counter::wakeups], 3u);
}

TEST(Counters, AddingOneCounterLeavesTheOthers) {
  CounterBlock block;
  block.add(Counter::splits, 5);
  const CounterValues values = block.snapshot();
  for (size_t i = 0; i < kCounterCount; ++i) {
    EXPECT_EQ(values.values[i], static_cast<Counter>(i) == Counter::splits ? 5u : 0u);
  }
}

TEST(Counters, EveryCounterHasItsOwnNameAndAUnit) {
  std::set<std::string> names;
  for (size_t i = 0; i < kCounterCount; ++i) {
    EXPECT_TRUE(names.insert(name(static_cast<Counter>(i))).second);
    EXPECT_FALSE(std::string(unit(static_cast<Counter>(i))).empty());
  }
  EXPECT_TRUE(names.contains("lines_flushed"));
}

TEST(CountersDeathTest, AThreadRegistersOnce) {
  EXPECT_DEATH(
      {
        const CounterThread once;
        const CounterThread twice;
      },
      "invariant broken");
}

}  // namespace
}  // namespace daxlab
