#include "engines/xfslike/parts.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "engines/xfslike/contig_mapping.h"

namespace daxlab::xfslike {
namespace {

TEST(Parts, TheCoresOwnComeFirst) {
  EXPECT_EQ(log_placement_names().front(), "buffered");
  EXPECT_EQ(buffer_mapping_names().front(), "contig");
}

TEST(Parts, TheLogLiesOnItsBlocksAsItsRunSays) {
  const auto linear = log_runs({}, 100, 512, 1).value();
  ASSERT_EQ(linear.size(), 1u);
  EXPECT_EQ(linear[0].first, 100u);
  EXPECT_EQ(linear[0].count, 512u);
  const auto shuffled = log_runs({pmem::RunSpec::Kind::kShuffled, 16 * kKiB}, 100, 512, 1).value();
  std::vector<bool> seen(512);
  for (const BlockRun& run : shuffled) {
    for (uint64_t block = run.first; block < run.first + run.count; ++block) {
      ASSERT_TRUE(block >= 100 && block < 612);
      EXPECT_FALSE(seen[block - 100]);
      seen[block - 100] = true;
    }
  }
  EXPECT_EQ(std::count(seen.begin(), seen.end(), true), 512);
  EXPECT_GT(shuffled.size(), 16u);
}

TEST(Parts, ContigMapsWhatLiesInOnePieceAndRefusesTheRest) {
  const auto region = pmem::Region::for_test(4 * kMiB).value();
  ContigMapping mapping(*region);
  const BlockRun whole[] = {{10, 4}};
  const auto mapped = mapping.map(whole);
  ASSERT_TRUE(mapped.ok());
  ASSERT_EQ((*mapped)->segments().size(), 1u);
  EXPECT_EQ((*mapped)->segments()[0].address, region->block_address(10));
  EXPECT_EQ((*mapped)->segments()[0].size_bytes, 4 * kBlockBytes);
  const BlockRun adjacent[] = {{10, 2}, {12, 2}};
  EXPECT_TRUE(mapping.map(adjacent).ok());
  const BlockRun apart[] = {{10, 2}, {20, 2}};
  EXPECT_EQ(mapping.map(apart).code(), Errc::kNotSupported);
}

TEST(Parts, ContigRefusesBlocksThatTheMediumScatters) {
  pmem::RunSpec run{pmem::RunSpec::Kind::kShuffled, kBlockBytes};
  const auto region = pmem::Region::for_test(4 * kMiB, run).value();
  ContigMapping mapping(*region);
  const BlockRun one[] = {{10, 1}};
  EXPECT_TRUE(mapping.map(one).ok());
  const BlockRun many[] = {{0, 64}};
  EXPECT_EQ(mapping.map(many).code(), Errc::kNotSupported);
}

}  // namespace
}  // namespace daxlab::xfslike
