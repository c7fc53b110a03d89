#include "engines/base/account.h"

#include <gtest/gtest.h>

#include <atomic>
#include <numeric>
#include <set>
#include <string>
#include <thread>

namespace daxlab {
namespace {

class AccountTest : public testing::Test {
 protected:
  void SetUp() override { t_phase_ticks = {}; }
  void TearDown() override { g_accounted = false; }
  static uint64_t of(Phase phase) { return t_phase_ticks.ticks[static_cast<size_t>(phase)]; }
  static uint64_t sum() { return std::accumulate(t_phase_ticks.ticks.begin(), t_phase_ticks.ticks.end(), uint64_t{0}); }
  static void spin_for(uint64_t tick_count) {
    const uint64_t began = ticks();
    while (ticks() - began < tick_count) {
    }
  }
};

TEST_F(AccountTest, NothingIsTimedWhenOff) {
  {
    const AccountScope scope(Phase::kCopy);
    spin_for(1000);
  }
  EXPECT_EQ(sum(), 0u);
}

/// An engine's cleaner is at work before, while and after a measurement is accounted. (ThreadSanitizer judges.)
TEST_F(AccountTest, IsSwitchedUnderARunningBackgroundThread) {
  std::atomic<int> scopes{0};
  std::jthread background([&](const std::stop_token& stop) {
    while (!stop.stop_requested()) {
      const AccountScope scope(Phase::kFence);
      scopes.fetch_add(1, std::memory_order_relaxed);
    }
  });
  for (const bool on : {true, false, true}) {
    const int before = scopes.load(std::memory_order_relaxed);
    g_accounted = on;
    while (scopes.load(std::memory_order_relaxed) < before + 2) std::this_thread::yield();
  }
}

TEST_F(AccountTest, AScopeInsideAnotherPausesIt) {
  g_accounted = true;
  const uint64_t began = ticks();
  {
    const AccountScope outer(Phase::kLogWrite);
    spin_for(20'000);
    {
      const AccountScope inner(Phase::kCrc);
      spin_for(50'000);
    }
    spin_for(20'000);
  }
  const uint64_t whole = ticks() - began;
  EXPECT_GE(of(Phase::kLogWrite), 40'000u);
  EXPECT_GE(of(Phase::kCrc), 50'000u);
  EXPECT_LE(sum(), whole);  // no tick is counted twice
}

TEST_F(AccountTest, APhaseInsideItselfIsCountedOnce) {
  g_accounted = true;
  const uint64_t began = ticks();
  {
    const AccountScope outer(Phase::kIndex);
    const AccountScope inner(Phase::kIndex);
    spin_for(30'000);
  }
  EXPECT_GE(of(Phase::kIndex), 30'000u);
  EXPECT_LE(of(Phase::kIndex), ticks() - began);
}

TEST_F(AccountTest, ScopesOneAfterTheOtherAddUp) {
  g_accounted = true;
  for (int i = 0; i < 5; ++i) {
    const AccountScope scope(Phase::kFence);
    spin_for(10'000);
  }
  EXPECT_GE(of(Phase::kFence), 50'000u);
  EXPECT_EQ(of(Phase::kFence), sum());
}

TEST_F(AccountTest, AScopeBegunWhileOffStaysOff) {
  {
    const AccountScope scope(Phase::kMap);
    g_accounted = true;
    spin_for(1000);
  }
  EXPECT_EQ(sum(), 0u);
}

TEST_F(AccountTest, PhasesHaveTheNamesOfTheRecord) {
  std::set<std::string> names;
  for (size_t i = 0; i < kPhaseCount; ++i) names.insert(name(static_cast<Phase>(i)));
  EXPECT_EQ(names, (std::set<std::string>{"copy", "flush", "fence", "log_format", "log_write", "crc", "map", "fault", "lock_wait",
                                          "index", "harness"}));
}

}  // namespace
}  // namespace daxlab
