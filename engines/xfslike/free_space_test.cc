// The index of free space against a plain set of blocks.
#include "engines/xfslike/free_space.h"

#include <gtest/gtest.h>

#include <vector>

#include "engines/base/random.h"
#include "engines/base/units.h"

namespace daxlab::xfslike {
namespace {

TEST(FreeSpace, ContinuesWhereItIsAskedTo) {
  FreeSpace space;
  space.give(100, 100);
  const auto first = space.take({.near = 120, .wanted = 10});
  ASSERT_TRUE(first);
  EXPECT_EQ(first->first, 120u);
  const auto second = space.take({.near = 130, .wanted = 10});
  ASSERT_TRUE(second);
  EXPECT_EQ(second->first, 130u);
  EXPECT_EQ(space.free_blocks(), 80u);
}

TEST(FreeSpace, TakesTheLongestPieceWhereNoneIsLongEnough) {
  FreeSpace space;
  space.give(10, 3);
  space.give(20, 7);
  EXPECT_FALSE(space.take({.wanted = 10, .minimum = 8}));
  const auto run = space.take({.wanted = 10, .minimum = 5});
  ASSERT_TRUE(run);
  EXPECT_EQ(run->first, 20u);
  EXPECT_EQ(run->count, 7u);
}

TEST(FreeSpace, AlignsWithinTheGroup) {
  FreeSpace space;
  space.give(1003, 30);
  const auto run = space.take({.wanted = 8, .minimum = 8, .align = 8, .origin = 1000});
  ASSERT_TRUE(run);
  EXPECT_EQ(run->first, 1008u);
}

TEST(FreeSpace, IsNeverWrongAboutABlock) {
  constexpr uint64_t kBlocks = 512;
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    Random random(seed);
    FreeSpace space;
    std::vector<bool> free(kBlocks, true);
    std::vector<BlockRun> taken;
    space.give(1, kBlocks - 1);
    free[0] = false;
    for (int i = 0; i < 2000; ++i) {
      if (taken.empty() || random.below(5) < 3) {
        FreeSpace::Wish wish;
        wish.near = random.below(kBlocks);
        wish.wanted = 1 + static_cast<uint32_t>(random.below(20));
        wish.minimum = 1 + static_cast<uint32_t>(random.below(wish.wanted));
        wish.align = random.below(4) == 0 ? 8 : 1;
        const auto run = space.take(wish);
        if (!run) continue;
        EXPECT_GE(run->count, wish.minimum);
        EXPECT_LE(run->count, wish.wanted);
        EXPECT_EQ(run->first % wish.align, 0u);
        for (uint64_t b = run->first; b < run->first + run->count; ++b) {
          ASSERT_TRUE(free[b]) << "given out twice";
          free[b] = false;
        }
        taken.push_back(*run);
      } else {
        const size_t at = random.below(taken.size());
        const BlockRun run = taken[at];
        taken[at] = taken.back();
        taken.pop_back();
        for (uint64_t b = run.first; b < run.first + run.count; ++b) free[b] = true;
        space.give(run.first, run.count);
      }
    }
    std::vector<bool> said(kBlocks, false);
    uint64_t last_end = 0;
    space.each([&](uint64_t first, uint64_t count) {
      EXPECT_TRUE(last_end == 0 || first > last_end) << "two pieces touch";
      last_end = first + count;
      for (uint64_t b = first; b < first + count; ++b) said[b] = true;
    });
    EXPECT_EQ(said, free);
    EXPECT_EQ(space.free_blocks(), static_cast<uint64_t>(std::count(free.begin(), free.end(), true)));
  }
}

}  // namespace
}  // namespace daxlab::xfslike
