#include "engines/vmap/frame_table.h"

#include <gtest/gtest.h>

#include <thread>
#include <vector>

#include "engines/base/counters.h"
#include "engines/base/units.h"

namespace daxlab::vmap {
namespace {

using xfslike::BlockRun;

class FrameTableTest : public testing::Test {
 protected:
  static constexpr uint32_t kGroupBlocks = 1024;
  std::unique_ptr<pmem::Region> region_ = *pmem::Region::for_test(16 * kMiB);
  std::unique_ptr<FrameTable> make(Pages pages, std::vector<BlockRun> home = {}) {
    return *FrameTable::make(*region_, pages, kGroupBlocks, home);
  }
};

TEST_F(FrameTableTest, DramTakesSixtyFourBytesAPage) {
  const auto table = make(Pages::kDram);
  EXPECT_EQ(table->dram_bytes(), region_->block_count() * 64);
  EXPECT_EQ(table->media_bytes(), 0u);
  EXPECT_EQ(table->frames(), region_->block_count());
  EXPECT_TRUE(table->has_page(0));
  EXPECT_TRUE(table->has_page(region_->block_count() - 1));
}

TEST_F(FrameTableTest, EveryUseTouchesTheDescriptor) {
  const auto table = make(Pages::kDram);
  table->get(7);
  table->get(7);
  table->get(8);
  EXPECT_EQ(table->references(7), 2u);
  table->put(7);
  table->associate(7, 99, 3);
  EXPECT_EQ(table->references(7), 1u);
  EXPECT_EQ(table->references(8), 1u);
  EXPECT_EQ(table->touches(), 5u);
}

TEST_F(FrameTableTest, PmemTakesTheMediumsCapacityAndItsBandwidth) {
  const auto blocks = static_cast<uint32_t>(FrameTable::media_blocks(Pages::kPmem, region_->block_count()));
  EXPECT_EQ(blocks, div_up(region_->block_count() * 64, kBlockBytes));
  EXPECT_EQ(FrameTable::media_blocks(Pages::kDram, region_->block_count()), 0u);
  // In two pieces, out of order.
  const auto table = make(Pages::kPmem, {{200, blocks - 3}, {100, 3}});
  EXPECT_EQ(table->media_bytes(), blocks * kBlockBytes);
  EXPECT_EQ(table->dram_bytes(), 0u);
  table->get(0);
  const CounterValues before = t_counters.snapshot();
  table->get(64);
  EXPECT_EQ(t_counters.snapshot()[Counter::stored_bytes] - before[Counter::stored_bytes], 8u);
  EXPECT_EQ(t_counters.snapshot()[Counter::pmem_lines_loaded] - before[Counter::pmem_lines_loaded], 1u);
  EXPECT_EQ(*reinterpret_cast<uint64_t*>(region_->block_address(200)), 1u) << "block 0's count, on the medium";
  EXPECT_EQ(*reinterpret_cast<uint64_t*>(region_->block_address(201)), 1u) << "block 64's";
}

TEST_F(FrameTableTest, PmemWithoutRoomIsRefused) {
  const std::vector<BlockRun> home{{100, 3}};
  EXPECT_EQ(FrameTable::make(*region_, Pages::kPmem, kGroupBlocks, home).code(), Errc::kNoSpace);
}

TEST_F(FrameTableTest, MetadataCoversTheGroupsThatHoldSome) {
  const auto table = make(Pages::kMetadata);
  EXPECT_EQ(table->dram_bytes(), 0u);
  EXPECT_FALSE(table->has_page(5));
  const std::vector<BlockRun> runs{{kGroupBlocks + 1000, 100}};  // its end lies in the next group
  ASSERT_TRUE(table->require(runs).ok());
  EXPECT_FALSE(table->has_page(kGroupBlocks - 1));
  EXPECT_TRUE(table->has_page(kGroupBlocks));
  EXPECT_TRUE(table->has_page(3 * kGroupBlocks - 1));
  EXPECT_FALSE(table->has_page(3 * kGroupBlocks));
  EXPECT_EQ(table->dram_bytes(), uint64_t{2} * kGroupBlocks * 64);
  ASSERT_TRUE(table->require(runs).ok());
  EXPECT_EQ(table->frames(), uint64_t{2} * kGroupBlocks);
}

TEST_F(FrameTableTest, NoneIsRefusedWherePagesAreNeededAndSaysSo) {
  const auto table = make(Pages::kNone);
  EXPECT_FALSE(table->has_page(5));
  EXPECT_EQ(table->dram_bytes() + table->media_bytes(), 0u);
  const std::vector<BlockRun> runs{{5, 4}};
  const auto refused = table->require(runs);
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.code(), Errc::kNotSupported);
  EXPECT_NE(refused.error().message().find("pages=dram"), std::string::npos);
}

TEST_F(FrameTableTest, ThreadsCoverAndCountTogether) {
  const auto table = make(Pages::kMetadata);
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&table] {
      for (uint64_t block = 0; block < 3000; ++block) {
        const BlockRun run{block, 1};
        ASSERT_TRUE(table->require({&run, 1}).ok());
        table->get(block);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (uint64_t block = 0; block < 3000; ++block) ASSERT_EQ(table->references(block), 4u);
  EXPECT_EQ(table->frames(), 3u * kGroupBlocks);
}

TEST(Pages, Names) {
  for (const Pages pages : {Pages::kDram, Pages::kPmem, Pages::kMetadata, Pages::kNone})
    EXPECT_EQ(*parse_pages(name(pages)), pages);
  EXPECT_EQ(parse_pages("some").code(), Errc::kUsage);
}

}  // namespace
}  // namespace daxlab::vmap
