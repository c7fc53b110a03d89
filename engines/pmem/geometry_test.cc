#include "engines/pmem/geometry.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

#include "engines/base/random.h"

namespace daxlab::pmem {
namespace {

const std::vector<RunSpec>& all_runs() {
  using Kind = RunSpec::Kind;
  static const std::vector<RunSpec> runs = {{Kind::kLinear, 0},
                                            {Kind::kShuffled, 4 * kKiB},
                                            {Kind::kShuffled, 64 * kKiB},
                                            {Kind::kShuffled, 2 * kMiB},
                                            {Kind::kStripe, 4 * kKiB},
                                            {Kind::kStripe, 256 * kKiB},
                                            {Kind::kHole, 0}};
  return runs;
}

/// Sizes around every edge that a run may have, in blocks.
const std::vector<uint64_t>& all_sizes() {
  static const std::vector<uint64_t> sizes = {2047, 2048, 2049, 3071, 3072, 4095, 5000, 8191, 8192, 16384};
  return sizes;
}

TEST(Geometry, EveryBlockHasAPlaceOfItsOwnOnTheMedium) {
  for (const RunSpec& run : all_runs()) {
    for (const uint64_t blocks : all_sizes()) {
      const Geometry geometry = Geometry::create(run, 5, blocks * kBlockBytes).value();
      std::vector<bool> used(blocks);
      for (BlockIndex block = 0; block < geometry.block_count(); ++block) {
        const Placement place = geometry.place(block, 1);
        ASSERT_EQ(place.block_count, 1u);
        ASSERT_EQ(place.offset_bytes % kBlockBytes, 0u);
        const uint64_t at = place.offset_bytes / kBlockBytes;
        ASSERT_LT(at, blocks) << to_string(run) << ' ' << block;
        ASSERT_FALSE(used[at]) << to_string(run) << ' ' << block;
        used[at] = true;
      }
    }
  }
}

TEST(Geometry, APlacementCoversBlocksThatFollowOneAnother) {
  Random random(2);
  for (const RunSpec& run : all_runs()) {
    for (const uint64_t blocks : all_sizes()) {
      const Geometry geometry = Geometry::create(run, 5, blocks * kBlockBytes).value();
      for (int i = 0; i < 500; ++i) {
        const BlockIndex block = random.below(geometry.block_count());
        const uint64_t count = 1 + random.below(geometry.block_count() - block);
        const Placement place = geometry.place(block, count);
        ASSERT_GE(place.block_count, 1u);
        ASSERT_LE(place.block_count, count);
        for (uint64_t n = 0; n < place.block_count; n += 1 + n / 3) {
          ASSERT_EQ(geometry.place(block + n, 1).offset_bytes, place.offset_bytes + n * kBlockBytes)
              << to_string(run) << ' ' << block;
        }
      }
    }
  }
}

TEST(Geometry, AlignedRunsAreContiguousAndEndWhereTheyEnd) {
  for (const RunSpec& run : all_runs()) {
    const Geometry geometry = Geometry::create(run, 9, 8192 * kBlockBytes).value();
    const uint64_t run_blocks = geometry.run_bytes() / kBlockBytes;
    for (BlockIndex block = 0; block + run_blocks <= geometry.block_count(); block += run_blocks) {
      const Placement place = geometry.place(block, geometry.block_count() - block);
      ASSERT_GE(place.block_count, run_blocks) << to_string(run);
      if (run.kind == RunSpec::Kind::kShuffled || run.kind == RunSpec::Kind::kStripe) {
        ASSERT_EQ(place.block_count, run_blocks);
      }
    }
  }
}

TEST(Geometry, HolesAreOneBadBlockInEveryFourMiBAndRunsReachFromHoleToHole) {
  const uint64_t blocks = 8192;
  const Geometry geometry = Geometry::create({RunSpec::Kind::kHole, 0}, 3, blocks * kBlockBytes).value();
  EXPECT_EQ(geometry.block_count(), blocks - blocks / 1024);
  uint64_t pieces = 0;
  for (BlockIndex block = 0; block < geometry.block_count(); ++pieces) {
    const Placement place = geometry.place(block, geometry.block_count() - block);
    const bool last = block + place.block_count == geometry.block_count();
    const uint64_t next = last ? blocks * kBlockBytes : geometry.place(block + place.block_count, 1).offset_bytes;
    EXPECT_GT(next, place.offset_bytes + place.block_count * kBlockBytes - (last ? 1 : 0)) << "pieces are maximal";
    block += place.block_count;
  }
  EXPECT_GE(pieces, blocks / 1024);
  EXPECT_LE(pieces, blocks / 1024 + 1);
}

TEST(Geometry, StripesDealChunksToThePiecesInTurn) {
  const uint64_t chunk = 16;
  const Geometry geometry = Geometry::create({RunSpec::Kind::kStripe, chunk * kBlockBytes}, 1, 4096 * kBlockBytes).value();
  const uint64_t piece_bytes = geometry.block_count() / Geometry::kStripePieces * kBlockBytes;
  for (uint64_t n = 0; n < 40; ++n) {
    const uint64_t at = geometry.place(n * chunk, 1).offset_bytes;
    EXPECT_EQ(at / piece_bytes, n % Geometry::kStripePieces);
    EXPECT_EQ(at % piece_bytes, n / Geometry::kStripePieces * chunk * kBlockBytes);
  }
}

TEST(Geometry, ShufflesAreAFunctionOfTheSeedAndShuffle) {
  const RunSpec run = {RunSpec::Kind::kShuffled, 64 * kKiB};
  const Geometry a = Geometry::create(run, 1, 64 * kMiB).value();
  const Geometry b = Geometry::create(run, 1, 64 * kMiB).value();
  const Geometry c = Geometry::create(run, 2, 64 * kMiB).value();
  uint64_t same_as_other_seed = 0;
  uint64_t in_place = 0;
  for (BlockIndex block = 0; block < a.block_count(); block += 16) {
    EXPECT_EQ(a.place(block, 1).offset_bytes, b.place(block, 1).offset_bytes);
    same_as_other_seed += a.place(block, 1).offset_bytes == c.place(block, 1).offset_bytes ? 1 : 0;
    in_place += a.place(block, 1).offset_bytes == block * kBlockBytes ? 1 : 0;
  }
  EXPECT_LT(same_as_other_seed, 20u);  // of 1,024 runs; one is expected by chance
  EXPECT_LT(in_place, 20u);
}

TEST(Geometry, ARunThatDoesNotFitIsRefusedWithTheSizeThatWould) {
  const struct {
    RunSpec run;
    uint64_t size_bytes;
    const char* named;
  } cases[] = {{{RunSpec::Kind::kShuffled, 2 * kMiB}, kMiB, "2MiB"},
               {{RunSpec::Kind::kStripe, kMiB}, 3 * kMiB, "4MiB"},
               {{RunSpec::Kind::kLinear, 0}, 100, "4KiB"}};
  for (const auto& wrong : cases) {
    const Result<Geometry> made = Geometry::create(wrong.run, 1, wrong.size_bytes);
    ASSERT_FALSE(made.ok());
    EXPECT_EQ(made.code(), Errc::kUsage);
    EXPECT_NE(made.error().message().find(wrong.named), std::string::npos) << made.error().message();
  }
}

}  // namespace
}  // namespace daxlab::pmem
