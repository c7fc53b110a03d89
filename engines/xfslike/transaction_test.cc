// Transactions: what is reserved, given back, kept from reuse; inodes and orphans; dquots.
#include "engines/xfslike/transaction.h"

#include <gtest/gtest.h>

#include "engines/xfslike/metadata_testing.h"

namespace daxlab::xfslike {
namespace {

uint64_t free_blocks(TestVolume& test) {
  uint64_t free = 0;
  for (const auto& group : test->groups) free += group->space.free_blocks();
  return free;
}

TEST(Transaction, CancelledGivesEverythingBack) {
  TestVolume test;
  const uint64_t free = free_blocks(test);
  const uint64_t budget = test->budget.available();
  {
    const auto transaction = test.begin({.log_bytes = 4096, .blocks = 20});
    EXPECT_EQ(test->budget.available(), budget - 20);
    TestVolume::must(transaction->allocate({.count = 7}));
    EXPECT_EQ(transaction->blocks_left(), 13u);
    EXPECT_EQ(free_blocks(test), free - 7);
  }
  EXPECT_EQ(free_blocks(test), free);
  EXPECT_EQ(test->budget.available(), budget);
}

TEST(Transaction, NoSpaceIsSaidBeforeAnythingChanges) {
  TestVolume test;
  const uint64_t budget = test->budget.available();
  EXPECT_EQ(Transaction::begin(*test, {.log_bytes = 4096, .blocks = budget + 1}).code(), Errc::kNoSpace);
  EXPECT_TRUE(Transaction::begin(*test, {.log_bytes = 4096, .blocks = budget}).ok());
  EXPECT_TRUE(Transaction::begin(*test, {.log_bytes = 4096, .blocks = budget + 1, .privileged = true}).ok());
  EXPECT_EQ(Transaction::begin(*test, {.log_bytes = static_cast<uint32_t>(kMiB)}).code(), Errc::kNoSpace) << "more than the log holds";
}

TEST(Transaction, FreedBlocksAreNotGivenOutBeforeThatIsDurable) {
  TestVolume test;
  Inode* const inode = test.create_file();
  const uint64_t some = test->budget.available() / 2 + 10;
  test.allocate(*inode, 0, some);
  const uint64_t free = free_blocks(test);
  TestVolume::must(unmap_all(*inode, 0, some));
  EXPECT_EQ(free_blocks(test), free) << "given back at once";
  EXPECT_EQ(test->busy_blocks.load(), some);
  // More than what is free without them: the reservation forces the log.
  const uint64_t before = test.log().durable_sequence();
  const auto transaction = test.begin({.log_bytes = 4096, .blocks = some});
  EXPECT_GT(test.log().durable_sequence(), before);
  EXPECT_EQ(test->busy_blocks.load(), 0u);
  EXPECT_EQ(free_blocks(test), free + some);
  transaction->cancel();
  EXPECT_FALSE(test->inodes.put(inode));
}

TEST(Transaction, BlocksFreedAfterACrashAreThoseOfTheIntent) {
  TestVolume test;
  Inode* inode = test.create_file();
  const uint64_t ino = inode->ino();
  test.allocate(*inode, 0, 100);
  TestVolume::must(test.log().force_all());
  const uint64_t free = free_blocks(test);
  TestVolume::must(unmap_all(*inode, 0, 100));
  EXPECT_FALSE(test->inodes.put(inode));
  TestVolume::must(test.log().force_all());
  test.crash_and_mount();
  EXPECT_EQ(test.replayed().intents, 0u);
  EXPECT_EQ(free_blocks(test), free + 100);
  inode = TestVolume::must(test->inodes.get(ino));
  EXPECT_TRUE(inode->extents.empty());
  EXPECT_FALSE(test->inodes.put(inode));
}

TEST(Inodes, AreAllocatedFilledAndFreed) {
  TestVolume test;
  std::vector<uint64_t> numbers;
  for (int i = 0; i < 200; ++i) {
    Inode* const inode = test.create_file();
    numbers.push_back(inode->ino());
    EXPECT_FALSE(test->inodes.put(inode));
  }
  EXPECT_EQ(test->groups[0]->chunks.inodes(), 4 * kInodesPerChunk);
  test.remount();
  for (const uint64_t ino : numbers) {
    Inode* const inode = TestVolume::must(test->inodes.get(ino));
    EXPECT_EQ(inode->core.links, 1u);
    EXPECT_EQ(inode->core.mode, 0644);
    EXPECT_FALSE(test->inodes.put(inode));
  }
  EXPECT_EQ(test->inodes.get(numbers.back() + 70).code(), Errc::kStale);
  EXPECT_EQ(test->inodes.get(5).code(), Errc::kStale);
}

/// Takes the last link away, as an unlink does.
void drop_link(TestVolume& test, Inode& inode) {
  const auto transaction = test.begin(reservation::names(*test, 0, 1));
  const WriterLock lock(inode.ilock);
  transaction->join(inode);
  inode.core.links = 0;
  transaction->log(inode, kInodeCore);
  add_orphan(*transaction, inode);
  transaction->commit();
}

void free_orphan(TestVolume& test, Inode* inode) {
  TestVolume::must(unmap_all(*inode, 0, kFileBlocksMax));
  {
    const auto transaction = test.begin(reservation::free_inode(*test));
    const WriterLock lock(inode->ilock);
    transaction->join(*inode);
    free_inode(*transaction, *inode);
    transaction->commit();
  }
  test->inodes.gone(inode);
}

std::vector<uint64_t> orphans(TestVolume& test) {
  std::vector<uint64_t> found;
  each_orphan(*test, [&](uint64_t ino) { found.push_back(ino); });
  return found;
}

TEST(Inodes, AnOrphanSurvivesACrashAndIsFreedOnce) {
  TestVolume test;
  Inode* inode = test.create_file();
  const uint64_t ino = inode->ino();
  test.allocate(*inode, 0, 10);
  drop_link(test, *inode);
  EXPECT_EQ(orphans(test), std::vector<uint64_t>{ino});
  TestVolume::must(test.log().force_all());
  test.crash_and_mount();
  ASSERT_EQ(orphans(test), std::vector<uint64_t>{ino});
  inode = TestVolume::must(test->inodes.get(ino));
  const uint32_t generation = inode->core.generation;
  ASSERT_TRUE(test->inodes.put(inode)) << "the last reference of an orphan";
  EXPECT_EQ(test->inodes.get(ino).code(), Errc::kStale);
  free_orphan(test, inode);
  EXPECT_TRUE(orphans(test).empty());
  EXPECT_EQ(test->inodes.get(ino).code(), Errc::kStale);
  Inode* const next = test.create_file();
  EXPECT_EQ(next->ino(), ino) << "the lowest free number";
  EXPECT_EQ(next->core.generation, generation + 1);
  EXPECT_FALSE(test->inodes.put(next));
  test.remount();
  EXPECT_TRUE(orphans(test).empty());
}

TEST(Inodes, FragmentedSpaceStillHoldsInodes) {
  TestVolumeOptions options;
  options.groups = 1;
  TestVolume test(options);
  // Leaves every other block free.
  Inode* const filler = test.create_file();
  std::vector<BlockRun> kept;
  const uint64_t all = test->budget.available();
  test.allocate(*filler, 0, all / 2);
  {
    const auto transaction = test.begin({.log_bytes = 200000, .blocks = test->budget.available(), .privileged = true});
    for (int i = 0; transaction->blocks_left() > 0; ++i) {
      const auto run = transaction->allocate({.count = 1});
      if (!run.ok()) break;
      kept.push_back(*run);
    }
    transaction->cancel();
  }
  for (uint64_t offset = 0; offset < 200; offset += 2) TestVolume::must(unmap_all(*filler, offset, 1));
  test.allocate(*filler, all, test->budget.available() - 150);
  TestVolume::must(test.log().force_all());
  std::vector<Inode*> files;
  while (files.size() < 300) {
    auto slot = InodeSlot::take(*test, test->superblock.root_ino, NodeKind::kFile);
    if (!slot.ok()) break;
    files.push_back(test.create_file());
  }
  EXPECT_EQ(files.size(), 300u);
  for (Inode* const file : files) EXPECT_FALSE(test->inodes.put(file));
  EXPECT_FALSE(test->inodes.put(filler));
  test.remount();
}

TEST(Quota, CountsWhatOwnersHave) {
  TestVolumeOptions options;
  options.quota = true;
  TestVolume test(options);
  Inode* const a = test.create_file(NodeKind::kFile, 1000, 50);
  Inode* const b = test.create_file(NodeKind::kFile, 1000, 51);
  test.allocate(*a, 0, 20);
  test.allocate(*b, 0, 5);
  TestVolume::must(unmap_all(*a, 0, 8));
  const auto check = [&] {
    const Usage user = TestVolume::must(test->dquots.usage(QuotaKind::kUser, 1000));
    EXPECT_EQ(user.blocks, 17u);
    EXPECT_EQ(user.inodes, 2u);
    EXPECT_EQ(TestVolume::must(test->dquots.usage(QuotaKind::kGroup, 50)).blocks, 12u);
    EXPECT_EQ(TestVolume::must(test->dquots.usage(QuotaKind::kGroup, 51)).inodes, 1u);
    EXPECT_EQ(TestVolume::must(test->dquots.usage(QuotaKind::kUser, 7)).inodes, 0u);
  };
  check();
  EXPECT_FALSE(test->inodes.put(a));
  EXPECT_FALSE(test->inodes.put(b));
  TestVolume::must(test.log().force_all());
  test.crash_and_mount();
  check();
  test.remount();
  check();
}

TEST(Unlogged, EverythingIsInItsPlaceAtOnce) {
  TestVolumeOptions options;
  options.journal = false;
  TestVolume test(options);
  Inode* inode = test.create_file();
  const uint64_t ino = inode->ino();
  for (uint64_t offset = 0; offset < 80; offset += 2) test.allocate(*inode, offset, 1);
  TestVolume::must(unmap_all(*inode, 0, 10));
  EXPECT_FALSE(test->inodes.put(inode));
  test.crash_and_mount();
  inode = TestVolume::must(test->inodes.get(ino));
  TestVolume::must(load_extents(*inode));
  EXPECT_EQ(inode->extents.size(), 35u);
  EXPECT_FALSE(test->inodes.put(inode));
}

}  // namespace
}  // namespace daxlab::xfslike
