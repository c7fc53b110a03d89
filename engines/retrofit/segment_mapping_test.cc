#include "engines/retrofit/segment_mapping.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <vector>

#include "engines/base/counters.h"
#include "engines/base/random.h"
#include "engines/pmem/persist.h"
#include "engines/xfslike/buffer_bytes.h"
#include "engines/xfslike/format.h"
#include "engines/xfslike/parts.h"

namespace daxlab::retrofit {
namespace {

using xfslike::BlockRun;

/// 64 KiB in five pieces, two of which touch.
const std::vector<BlockRun> kRuns = {{100, 4}, {40, 1}, {41, 2}, {200, 8}, {7, 1}};
constexpr uint32_t kObjectBytes = 16 * kBlockBytes;

TEST(SegmentMapping, IsAmongTheNamesOfTheOption) {
  EXPECT_THAT(xfslike::buffer_mapping_names(), testing::Contains("segment"));
  EXPECT_THAT(xfslike::log_placement_names(), testing::Contains("direct"));
}

TEST(SegmentMapping, ListsThePiecesInOrderOfOffset) {
  const auto region = pmem::Region::for_test(4 * kMiB).value();
  SegmentMapping mapping(*region);
  const auto object = mapping.map(kRuns).value();
  const auto segments = object->segments();
  ASSERT_EQ(segments.size(), 4u) << "neighbours are one piece";
  const uint64_t firsts[] = {100, 40, 200, 7};
  const uint32_t blocks[] = {4, 3, 8, 1};
  for (size_t i = 0; i < 4; ++i) {
    EXPECT_EQ(segments[i].address, region->block_address(firsts[i]));
    EXPECT_EQ(segments[i].size_bytes, blocks[i] * kBlockBytes);
  }
}

TEST(SegmentMapping, FollowsAMediumThatIsItselfInPieces) {
  const auto region = pmem::Region::for_test(4 * kMiB, {pmem::RunSpec::Kind::kShuffled, 4 * kKiB}).value();
  SegmentMapping mapping(*region);
  const BlockRun run[] = {{64, 16}};
  const auto object = mapping.map(run).value();
  uint64_t block = 64;
  for (const xfslike::Segment& segment : object->segments()) {
    EXPECT_EQ(segment.address, region->block_address(block));
    block += segment.size_bytes / kBlockBytes;
  }
  EXPECT_EQ(block, 80u);
  EXPECT_GT(object->segments().size(), 8u);
}

TEST(SegmentMapping, CountsWhatItsListsTake) {
  const auto region = pmem::Region::for_test(4 * kMiB).value();
  SegmentMapping mapping(*region);
  EXPECT_EQ(mapping.dram_bytes(), 0u);
  {
    const auto object = mapping.map(kRuns).value();
    EXPECT_GE(mapping.dram_bytes(), 4 * sizeof(xfslike::Segment));
    EXPECT_LT(mapping.dram_bytes(), 512u);
  }
  EXPECT_EQ(mapping.dram_bytes(), 0u);
}

// An object under meta=overlay, against a model: read in place and across pieces, changed in DRAM, written back; the medium holds what was
// written back last and nothing newer.
TEST(SegmentMapping, CarriesAnOverlayThatKeepsTheWriteAheadRule) {
  const auto region = pmem::Region::for_test(4 * kMiB).value();
  SegmentMapping mapping(*region);
  const auto bytes = xfslike::make_buffer_overlay(mapping, kRuns, true).value();
  std::vector<std::byte> model(kObjectBytes);
  std::vector<std::byte> written_back(kObjectBytes);
  Random random(3);
  xfslike::ChunkMap changed(kObjectBytes);
  bool ever_written_back = false;
  const auto medium = [&] {
    std::vector<std::byte> all;
    for (const xfslike::Segment& piece : xfslike::pieces_of(*region, kRuns)) all.insert(all.end(), piece.address, piece.address + piece.size_bytes);
    return all;
  };
  std::vector<std::byte> scratch(kObjectBytes);
  constexpr uint32_t kStampBytes = 16;
  for (int step = 0; step < 3000; ++step) {
    const auto size = static_cast<uint32_t>(1 + random.below(random.below(10) == 0 ? 9000 : 300));
    const auto offset = kStampBytes + static_cast<uint32_t>(random.below(kObjectBytes - kStampBytes - size));
    if (random.below(3) == 0) {
      for (uint32_t i = 0; i < size; ++i) model[offset + i] = static_cast<std::byte>(random.next());
      bytes->write(offset, model.data() + offset, size);
      changed.set_bytes(offset, size);
    } else {
      ASSERT_EQ(std::memcmp(bytes->read(offset, size, scratch.data()), model.data() + offset, size), 0) << step;
    }
    if (ever_written_back) {
      ASSERT_TRUE(medium() == written_back) << "step " << step << ": the medium changed before it was written back";
    }
    if (random.below(100) == 0) {
      bytes->store_chunks(changed);
      pmem::fence();
      bytes->stored();
      changed.clear();
      written_back = model;
      const auto now = medium();
      std::memcpy(written_back.data(), now.data(), kStampBytes);  // the stamp is store_stamp()'s
      ASSERT_TRUE(now == written_back) << step;
      ever_written_back = true;
    }
  }
  EXPECT_TRUE(ever_written_back);
}

TEST(SegmentMapping, ReadsInPlaceWithinAPieceAndGathersAcrossTwo) {
  const auto region = pmem::Region::for_test(4 * kMiB).value();
  SegmentMapping mapping(*region);
  const auto bytes = xfslike::make_buffer_overlay(mapping, kRuns, false).value();
  std::byte scratch[256];
  EXPECT_EQ(bytes->read(5000, 200, scratch), region->block_address(100) + 5000);
  EXPECT_EQ(bytes->read(4 * kBlockBytes - 100, 200, scratch), scratch);
}

}  // namespace
}  // namespace daxlab::retrofit
