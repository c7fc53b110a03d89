#include <gtest/gtest.h>

#include <cstring>
#include <thread>
#include <vector>

#include "engines/base/clock.h"
#include "engines/base/counters.h"
#include "engines/base/random.h"
#include "engines/base/units.h"
#include "engines/vmap/vmap_model.h"
#include "engines/vmap/vmap_real.h"

namespace daxlab::vmap {
namespace {

using xfslike::BlockRun;

constexpr uint64_t kMedium = 32 * kMiB;

std::unique_ptr<FrameTable> frames_of(pmem::Region& region, Pages pages = Pages::kDram) {
  return *FrameTable::make(region, pages, 1024);
}

class VmapModelTest : public testing::Test {
 protected:
  std::unique_ptr<pmem::Region> region_ = *pmem::Region::for_test(kMedium);
  std::unique_ptr<VmapModel> make(double scale = 1, VmapConfig config = {}, Pages pages = Pages::kDram) {
    return std::make_unique<VmapModel>(*region_, frames_of(*region_, pages), config, scale);
  }
};

TEST_F(VmapModelTest, ReadsTheObjectWhereItLies) {
  const auto model = make();
  const std::vector<BlockRun> runs{{10, 4}, {14, 12}};
  const auto object = *model->map(runs);
  ASSERT_EQ(object->segments().size(), 1u);
  EXPECT_EQ(object->segments()[0].address, region_->block_address(10));
  EXPECT_EQ(object->segments()[0].size_bytes, 16 * kBlockBytes);
  EXPECT_EQ(model->allocator().stats().maps, 1u);
  EXPECT_EQ(model->frames().references(25), 1u);
}

TEST_F(VmapModelTest, UnmapsAndLetsThePagesGo) {
  const auto model = make();
  const BlockRun run{10, 16};
  (*model->map({&run, 1})).reset();
  EXPECT_EQ(model->allocator().stats().unmaps, 1u);
  EXPECT_EQ(model->allocator().stats().live_pages, 0u);
  EXPECT_EQ(model->frames().references(10), 0u);
  EXPECT_EQ(model->frames().touches(), 32u);
}

TEST_F(VmapModelTest, OnePageIsNotMapped) {
  const auto model = make();
  const BlockRun run{10, 1};
  const auto object = *model->map({&run, 1});
  EXPECT_EQ(object->segments()[0].address, region_->block_address(10));
  EXPECT_EQ(model->allocator().stats().maps, 0u);
  EXPECT_EQ(model->frames().references(10), 1u) << "its struct page is used all the same";
}

TEST_F(VmapModelTest, PiecesAreRefused) {
  const auto model = make();
  const std::vector<BlockRun> runs{{10, 4}, {15, 4}};
  const auto refused = model->map(runs);
  EXPECT_EQ(refused.code(), Errc::kNotSupported);
  EXPECT_NE(refused.error().message().find("meta_run=linear"), std::string::npos);
}

TEST_F(VmapModelTest, WithoutStructPagesItIsRefused) {
  const auto model = make(1, {}, Pages::kNone);
  const BlockRun run{10, 4};
  EXPECT_EQ(model->map({&run, 1}).code(), Errc::kNotSupported);
}

TEST_F(VmapModelTest, ChargesWhatTheKernelsCostsSay) {
  const KernelCosts costs;
  for (const double scale : {0.5, 1.0, 2.0}) {
    const auto model = make(scale);
    const BlockRun run{16, 16};
    const uint64_t began = ticks();
    (*model->map({&run, 1})).reset();
    const uint64_t took_ns = ticks_to_ns(ticks() - began);
    const double instructions =
        costs.map + 16 * costs.map_page + costs.block_made + 2 * costs.table_made + costs.unmap + 16 * costs.unmap_page;
    EXPECT_NEAR(static_cast<double>(model->charged_ns()), instructions * costs.ns_per_instruction * scale, 2);
    EXPECT_GE(took_ns + 2, model->charged_ns()) << "waited for what the allocator did not take itself";
  }
}

TEST(KernelCosts, PredictTheGuestsCounts) {
  // Sizes that the fits were not made at, instructions a call as counted (costs.h): maps with used tables, 4 blocks in 32 maps.
  const KernelCosts costs;
  EXPECT_NEAR(costs.map + 32 * costs.map_page + 4.0 / 32 * costs.block_made, 3160.7, 0.05 * 3160.7);
  EXPECT_NEAR(costs.map + 128 * costs.map_page + costs.area_made, 11686.3, 0.05 * 11686.3);
  EXPECT_NEAR(costs.map + 256 * costs.map_page + costs.area_made, 22190.8, 0.05 * 22190.8);
  EXPECT_NEAR(costs.unmap + 32 * costs.unmap_page, 744.9, 0.05 * 744.9);
  EXPECT_NEAR(costs.unmap + 512 * costs.unmap_page + costs.area_freed, 5684.7 + 272, 0.05 * 5684.7);
}

class VmapRealTest : public testing::TestWithParam<bool> {
 protected:
  void SetUp() override {
    // Blocks that lie in runs of 4 KiB, in random order: what vm_map_ram() is for.
    region_ = *pmem::Region::for_test(kMedium, {pmem::RunSpec::Kind::kShuffled, 4 * kKiB});
    auto made = VmapReal::make(*region_, frames_of(*region_), config_, GetParam());
    if (!made.ok()) GTEST_SKIP() << made.error().message();
    real_ = std::move(made).value();
  }
  void fill(uint64_t block, uint8_t value) { std::memset(region_->block_address(block), value, kBlockBytes); }
  VmapConfig config_{.window_pages = 16384};
  std::unique_ptr<pmem::Region> region_;
  std::unique_ptr<VmapReal> real_;
};
INSTANTIATE_TEST_SUITE_P(Poison, VmapRealTest, testing::Bool());

TEST_P(VmapRealTest, ScatteredBlocksBecomeOnePiece) {
  const std::vector<BlockRun> runs{{40, 8}, {20, 8}};
  for (uint32_t i = 0; i < 8; ++i) {
    fill(40 + i, static_cast<uint8_t>(i));
    fill(20 + i, static_cast<uint8_t>(8 + i));
  }
  const auto object = *real_->map(runs);
  ASSERT_EQ(object->segments().size(), 1u);
  std::byte* const window = object->segments()[0].address;
  for (uint32_t i = 0; i < 16; ++i) EXPECT_EQ(window[i * kBlockBytes + 99], static_cast<std::byte>(i));
  window[3 * kBlockBytes] = std::byte{0xee};
  EXPECT_EQ(region_->block_address(43)[0], std::byte{0xee});
}

TEST_P(VmapRealTest, AgreesWithTheMediumOverManyMapsAndPurges) {
  Random random(7);
  std::vector<std::pair<uint64_t, std::unique_ptr<xfslike::MappedObject>>> live;
  for (int step = 0; step < 3000; ++step) {
    if (live.size() < 30) {
      const auto count = static_cast<uint32_t>(2 + random.below(random.below(6) == 0 ? 90 : 15));
      const BlockRun run{random.below(region_->block_count() - count), count};
      auto object = real_->map({&run, 1});
      ASSERT_TRUE(object.ok()) << object.error().message();
      std::byte* const window = (*object)->segments()[0].address;
      const auto mark = static_cast<std::byte>(step);
      window[(count - 1) * kBlockBytes + 5] = mark;
      ASSERT_EQ(region_->block_address(run.first + count - 1)[5], mark);
      live.emplace_back(run.first, std::move(object).value());
    } else {
      const size_t at = random.below(live.size());
      ASSERT_EQ(std::memcmp(live[at].second->segments()[0].address, region_->block_address(live[at].first), kBlockBytes), 0);
      std::swap(live[at], live.back());
      live.pop_back();
    }
  }
  EXPECT_GT(real_->allocator().stats().purges, 0u) << "windows were used again";
}

TEST_P(VmapRealTest, AWindowIsStaleUntilItIsFlushed) {
  const BlockRun run{64, 16};
  (*real_->map({&run, 1})).reset();
  EXPECT_EQ(real_->stale_pages(), 16u);
  for (int i = 0; i < 100; ++i) (*real_->map({&run, 1})).reset();
  EXPECT_EQ(real_->stale_pages(), 101u * 16u);
}

TEST_P(VmapRealTest, AStoreThroughAStaleAliasIsCaught) {
  testing::FLAGS_gtest_death_test_style = "threadsafe";
  const BlockRun run{64, 16};
  auto object = *real_->map({&run, 1});
  volatile std::byte* const window = object->segments()[0].address;
  object.reset();
  if (GetParam()) {
    EXPECT_DEATH(*window = std::byte{1}, "");
  } else {
    // What a TLB that was not flushed does: the store arrives, in a block that may be another's.
    *window = std::byte{0x5a};
    EXPECT_EQ(region_->block_address(64)[0], std::byte{0x5a});
  }
}

TEST_P(VmapRealTest, AFlushTakesEveryAliasAway) {
  testing::FLAGS_gtest_death_test_style = "threadsafe";
  auto eager = VmapReal::make(*region_, frames_of(*region_), {.window_pages = 16384, .purge = Purge::kEager}, GetParam());
  ASSERT_TRUE(eager.ok());
  const BlockRun run{64, 16};
  auto object = *(*eager)->map({&run, 1});
  volatile std::byte* const window = object->segments()[0].address;
  object.reset();
  EXPECT_EQ((*eager)->stale_pages(), 0u);
  EXPECT_DEATH(*window = std::byte{1}, "");
}

TEST_P(VmapRealTest, AFullWindowIsPurgedAndThenFails) {
  auto small = VmapReal::make(*region_, frames_of(*region_), {.window_pages = 256}, GetParam());
  ASSERT_TRUE(small.ok());
  const BlockRun run{64, 64};
  std::vector<std::unique_ptr<xfslike::MappedObject>> live;
  for (int i = 0; i < 4; ++i) live.push_back(*(*small)->map({&run, 1}));
  EXPECT_EQ((*small)->map({&run, 1}).code(), Errc::kNoSpace);
  live.clear();
  EXPECT_TRUE((*small)->map({&run, 1}).ok());
}

TEST_P(VmapRealTest, ThreadsMapAndUnmap) {
  std::vector<std::thread> threads;
  for (uint64_t t = 0; t < 3; ++t) {
    threads.emplace_back([this, t] {
      Random random(t);
      for (int step = 0; step < 600; ++step) {
        const BlockRun run{1000 * t + random.below(900), static_cast<uint32_t>(2 + random.below(20))};
        auto object = real_->map({&run, 1});
        ASSERT_TRUE(object.ok());
        (*object)->segments()[0].address[7] = static_cast<std::byte>(step);
        ASSERT_EQ(region_->block_address(run.first)[7], static_cast<std::byte>(step));
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(real_->allocator().stats().live_pages, 0u);
}

}  // namespace
}  // namespace daxlab::vmap
