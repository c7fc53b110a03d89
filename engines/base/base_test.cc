// The small leaves: clock, marks, random numbers.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <set>

#include "engines/base/clock.h"
#include "engines/base/mark.h"
#include "engines/base/random.h"

namespace daxlab {
namespace {

TEST(Clock, TicksConvertToTheMonotonicClock) {
  const uint64_t began_ticks = ticks();
  const uint64_t began_ns = monotonic_ns();
  while (monotonic_ns() - began_ns < 20'000'000) {
  }
  const uint64_t took_ns = monotonic_ns() - began_ns;
  const uint64_t took_by_ticks = ticks_to_ns(ticks() - began_ticks);
  // The ticks bracket the reading, so they are more; by how much more, preemption decides.
  EXPECT_GE(static_cast<double>(took_by_ticks), static_cast<double>(took_ns) * 0.999);
}

TEST(Clock, TheCoarseClockDoesNotRunAhead) {
  const uint64_t coarse = realtime_coarse_ns();
  EXPECT_LE(coarse, realtime_ns());
  EXPECT_GT(coarse, 1'600'000'000'000'000'000u);
}

TEST(Mark, IsANopWithItsNumberInTheDisplacement) {
  // The instruction is emitted once, between two labels, and read back as bytes.
  const unsigned char* begin = nullptr;
  asm volatile("lea 1f(%%rip), %0\n1:" : "=r"(begin));
  mark<0x1234>();
  const std::array<unsigned char, 7> wanted = {0x0f, 0x1f, 0x80, 0x34, 0x12, 0x58, 0x44};
  bool found = false;
  for (int i = 0; i < 64 && !found; ++i) found = std::equal(wanted.begin(), wanted.end(), begin + i);
  EXPECT_TRUE(found);
}

TEST(Random, IsAFunctionOfItsSeed) {
  Random a(5);
  Random b(5);
  Random c(6);
  std::set<uint64_t> seen;
  int equal = 0;
  for (int i = 0; i < 1000; ++i) {
    const uint64_t value = a.next();
    EXPECT_EQ(value, b.next());
    equal += value == c.next() ? 1 : 0;
    seen.insert(value);
  }
  EXPECT_EQ(equal, 0);
  EXPECT_EQ(seen.size(), 1000u);
}

TEST(Random, BelowIsUniformAndStaysBelow) {
  Random random(1);
  std::array<int, 10> hits{};
  for (int i = 0; i < 100'000; ++i) ++hits.at(random.below(10));
  for (const int hit : hits) EXPECT_NEAR(hit, 10'000, 500);
  for (int i = 0; i < 100; ++i) EXPECT_EQ(random.below(1), 0u);
}

TEST(Random, StreamsOfOneSeedAreUnrelated) {
  std::set<uint64_t> seeds;
  for (uint64_t stream = 0; stream < 1000; ++stream) seeds.insert(Random::mix(1, stream));
  EXPECT_EQ(seeds.size(), 1000u);
  EXPECT_NE(Random::mix(1, 2), Random::mix(2, 1));
}

}  // namespace
}  // namespace daxlab
