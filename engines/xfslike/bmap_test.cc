// Extents of files: random changes against a model, across the forms of the fork, remounts and crashes.
#include "engines/xfslike/bmap.h"

#include <gtest/gtest.h>

#include <map>
#include <set>

#include "engines/base/random.h"
#include "engines/xfslike/metadata_testing.h"

namespace daxlab::xfslike {
namespace {

struct Cell {
  uint64_t block;
  bool unwritten;
  friend bool operator==(const Cell&, const Cell&) = default;
};
using Cells = std::map<uint64_t, Cell>;

Cells cells_of(Inode& inode) {
  Cells cells;
  const WriterLock lock(inode.ilock);
  TestVolume::must(load_extents(inode));
  for (const Extent& extent : inode.extents.all()) {
    for (uint32_t i = 0; i < extent.count; ++i) cells[extent.offset + i] = {extent.block + i, extent.unwritten};
  }
  return cells;
}

uint64_t free_blocks(TestVolume& test) {
  uint64_t free = 0;
  for (const auto& group : test->groups) free += group->space.free_blocks();
  return free;
}

/// Frees that are durable count as free at once.
void settle(TestVolume& test) {
  if (test->log != nullptr) TestVolume::must(test.log().force_all());
  EXPECT_EQ(test->busy_blocks.load(), 0u);
}

class BmapRandom : public testing::TestWithParam<MetaMode> {};

TEST_P(BmapRandom, DoesWhatAMapOfBlocksDoes) {
  constexpr uint64_t kOffsets = 600;
  for (uint64_t seed = 1; seed <= 4; ++seed) {
    TestVolumeOptions options;
    options.meta = GetParam();
    TestVolume test(options);
    Inode* inode = test.create_file();
    const uint64_t ino = inode->ino();
    settle(test);
    const uint64_t free_before = free_blocks(test);
    Random random(seed);
    Cells model;
    bool many = false;
    for (int i = 0; i < 500; ++i) {
      const uint64_t offset = random.below(kOffsets);
      const uint64_t count = 1 + random.below(random.below(4) == 0 ? 60 : 3);
      switch (random.below(8)) {
        default: {
          const auto transaction = test.begin(reservation::write(*test, count));
          const WriterLock lock(inode->ilock);
          transaction->join(*inode);
          TestVolume::must(load_extents(*inode));
          const Mapped mapped = map_blocks(*inode, offset, count);
          if (!mapped.hole()) break;
          const bool unwritten = random.below(3) == 0;
          const Extent got = TestVolume::must(allocate_blocks(*transaction, *inode, offset, count, unwritten));
          EXPECT_EQ(got.offset, offset);
          EXPECT_LE(got.count, count);
          for (uint32_t k = 0; k < got.count; ++k) EXPECT_TRUE(model.try_emplace(offset + k, Cell{got.block + k, unwritten}).second);
          transaction->commit();
          break;
        }
        case 0: {
          TestVolume::must(unmap_all(*inode, offset, count));
          model.erase(model.lower_bound(offset), model.lower_bound(offset + count));
          break;
        }
        case 1:
        case 2: {
          const bool written = random.below(2) == 0;
          const auto transaction = test.begin(reservation::write(*test, 0));
          const WriterLock lock(inode->ilock);
          transaction->join(*inode);
          TestVolume::must(written ? convert_unwritten(*transaction, *inode, offset, count)
                                   : convert_to_unwritten(*transaction, *inode, offset, count));
          for (auto at = model.lower_bound(offset); at != model.lower_bound(offset + count); ++at) at->second.unwritten = !written;
          transaction->commit();
          break;
        }
      }
      many |= inode->fork_format() == ForkFormat::kTree;
      if (random.below(60) == 0) {
        EXPECT_EQ(cells_of(*inode), model);
        EXPECT_FALSE(test->inodes.put(inode));
        if (random.below(2) == 0) {
          TestVolume::must(test.log().force_all());
          test.crash_and_mount();
        } else {
          test.remount();
        }
        inode = TestVolume::must(test->inodes.get(ino));
      }
    }
    EXPECT_TRUE(many) << "the extents never were too many for the inode";
    EXPECT_EQ(cells_of(*inode), model);
    std::set<uint64_t> blocks;
    for (const auto& [offset, cell] : model) EXPECT_TRUE(blocks.insert(cell.block).second);
    uint64_t tree_blocks = 0;
    TestVolume::must(each_tree_block(*inode, [&](uint64_t block) {
      EXPECT_TRUE(blocks.insert(block).second);
      ++tree_blocks;
      return true;
    }));
    EXPECT_EQ(inode->core.block_count, model.size() + tree_blocks);
    settle(test);
    EXPECT_EQ(free_blocks(test) + blocks.size(), free_before);
    TestVolume::must(unmap_all(*inode, 0, kOffsets + 100));
    EXPECT_EQ(inode->fork_format(), ForkFormat::kExtents);
    EXPECT_EQ(inode->core.block_count, 0u);
    settle(test);
    EXPECT_EQ(free_blocks(test), free_before);
    EXPECT_FALSE(test->inodes.put(inode));
  }
}

INSTANTIATE_TEST_SUITE_P(Modes, BmapRandom, testing::Values(MetaMode::kBuffer, MetaMode::kOverlay));

TEST(Bmap, SeeksDataAndHolesWithUnwrittenAsHole) {
  TestVolume test;
  Inode* const inode = test.create_file();
  test.allocate(*inode, 10, 5);
  test.allocate(*inode, 15, 5, true);
  test.allocate(*inode, 30, 1);
  EXPECT_EQ(seek_blocks(*inode, 0, SeekWhat::kData).value(), 10u);
  EXPECT_EQ(seek_blocks(*inode, 12, SeekWhat::kHole).value(), 15u);
  EXPECT_EQ(seek_blocks(*inode, 15, SeekWhat::kData).value(), 30u);
  EXPECT_EQ(seek_blocks(*inode, 31, SeekWhat::kData).code(), Errc::kNoData);
  EXPECT_FALSE(test->inodes.put(inode));
}

TEST(Bmap, AFileThatIsAppendedToIsOneExtent) {
  TestVolume test;
  Inode* const inode = test.create_file();
  for (uint64_t offset = 0; offset < 64; ++offset) test.allocate(*inode, offset, 1);
  EXPECT_EQ(inode->extents.size(), 1u);
  EXPECT_FALSE(test->inodes.put(inode));
}

}  // namespace
}  // namespace daxlab::xfslike
