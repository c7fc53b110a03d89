// What mkfs writes is what a mount reads; damage is found.
#include <gtest/gtest.h>

#include "engines/xfslike/format_volume.h"
#include "engines/xfslike/metadata_testing.h"
#include "engines/xfslike/superblock.h"

namespace daxlab::xfslike {
namespace {

TEST(Format, EveryBlockBelongsToMetadataLogInodesOrFreeSpace) {
  TestVolume test;
  const SuperblockDisk& sb = test->superblock;
  uint64_t free = 0;
  for (const auto& group : test->groups) {
    free += group->space.free_blocks();
    EXPECT_EQ(group->bitmap.size(), bitmap_blocks(sb.group_blocks));
  }
  const uint64_t metadata = uint64_t{sb.group_count} * (kBitmapAt + bitmap_blocks(sb.group_blocks)) + 1 + kBlocksPerChunk;
  EXPECT_EQ(free + metadata + sb.log_blocks, sb.block_count);
  EXPECT_EQ(test->groups[0]->chunks.inodes(), kInodesPerChunk);
  EXPECT_EQ(test->groups[0]->chunks.free_inodes(), kInodesPerChunk - 3);
}

TEST(Format, TheRootIsADirectoryWithTheShortFormItWasGiven) {
  TestVolume test;
  auto root = test->inodes.get(test->superblock.root_ino);
  ASSERT_TRUE(root.ok());
  EXPECT_EQ((*root)->kind(), NodeKind::kDirectory);
  EXPECT_EQ((*root)->core.links, 2u);
  EXPECT_EQ((*root)->local().size(), TestVolume::kRootForkBytes);
  EXPECT_FALSE(test->inodes.put(*root));
}

TEST(Format, ADamagedSuperblockIsReadFromACopy) {
  TestVolume test;
  test.region().block_address(0)[40] ^= std::byte{1};
  const auto again = read_superblock(test.region());
  ASSERT_TRUE(again.ok());
  EXPECT_EQ(again->root_ino, test->superblock.root_ino);
}

TEST(Format, AFlippedBitInAGroupsBlocksIsFoundAtMount) {
  TestVolume test;
  for (const uint64_t block : {uint64_t{kGroupSpaceAt}, uint64_t{kGroupInodesAt}, uint64_t{kBitmapAt}}) {
    test.region().block_address(block)[700] ^= std::byte{4};
    EXPECT_EQ(test.remount_code(), Errc::kCorrupt) << block;
    test.region().block_address(block)[700] ^= std::byte{4};
  }
  EXPECT_TRUE(test.remounts());
}

TEST(Format, AMediumThatIsTooSmallIsRefused) {
  auto region = pmem::Region::for_test(kMiB).value();
  FormatRequest request;
  request.log_blocks = 256;
  EXPECT_EQ(format_volume(*region, request).code(), Errc::kNoSpace);
  request.log_blocks = 16;
  request.group_count = 0;
  EXPECT_EQ(format_volume(*region, request).code(), Errc::kUsage);
}

}  // namespace
}  // namespace daxlab::xfslike
