// Threads beside each other and beside the log's own: inodes, extents, objects and orphans of each thread end as each left them.
#include <gtest/gtest.h>

#include <thread>
#include <vector>

#include "engines/base/random.h"
#include "engines/xfslike/inode.h"
#include "engines/xfslike/inode_block_space.h"
#include "engines/xfslike/metadata_testing.h"

namespace daxlab::xfslike {
namespace {

constexpr uint32_t kThreads = 4;
constexpr uint32_t kObjectBytes = 8192;

/// What a thread has left.
struct Left {
  uint64_t ino = 0;
  std::vector<Extent> extents;
  uint64_t value = 0;
};

class Worker {
 public:
  Worker(TestVolume& test, uint64_t seed) : test_(test), random_(seed) {}

  Left run() {
    Inode* const file = test_.create_file(NodeKind::kFile, static_cast<uint32_t>(random_.below(3)), 5);
    Inode* const tree = test_.create_file(NodeKind::kDirectory);
    Left left{file->ino(), {}, 0};
    tree_ino = tree->ino();
    {
      const WriterLock lock(tree->ilock);
      tree->make_extents();
    }
    for (uint64_t i = 1; i <= 60; ++i) {
      change_extents(*file);
      left.value = i;
      change_objects(*tree, i);
      if (random_.below(4) == 0) make_and_free();
      if (random_.below(8) == 0) TestVolume::must(test_.log().force(file->last_sequence.load()));
    }
    left.extents = file->extents.all();
    EXPECT_FALSE(test_->inodes.put(file));
    EXPECT_FALSE(test_->inodes.put(tree));
    return left;
  }
  uint64_t tree_ino = 0;

 private:
  void change_extents(Inode& file) {
    const uint64_t offset = random_.below(400);
    const uint64_t count = 1 + random_.below(8);
    if (random_.below(4) == 0) return TestVolume::must(unmap_all(file, offset, count));
    const auto transaction = test_.begin(reservation::write(*test_, count));
    const WriterLock lock(file.ilock);
    transaction->join(file);
    if (!map_blocks(file, offset, 1).hole()) return;
    TestVolume::must(allocate_blocks(*transaction, file, offset, count, false));
    transaction->commit();
  }

  void change_objects(Inode& tree, uint64_t value) {
    const auto transaction = test_.begin(reservation::names(*test_, 1, 1));
    const WriterLock lock(tree.ilock);
    transaction->join(tree);
    InodeBlockSpace space(tree, transaction.get(), Magic::kDirectory, kObjectBytes);
    const uint64_t address = random_.below(5);
    if (random_.below(6) == 0 && space.get(address, BlockSpace::Access::kRead).ok()) TestVolume::must(space.remove(address));
    if (!space.get(address, BlockSpace::Access::kRead).ok()) TestVolume::must(space.add(address));
    for (uint64_t at = 0; at < 5; ++at) {
      if (const auto object = space.get(at, BlockSpace::Access::kWrite); object.ok()) (*object)->store(5000, value);
    }
    transaction->commit();
  }

  void make_and_free() {
    Inode* const inode = test_.create_file();
    test_.allocate(*inode, 0, 3);
    {
      const auto transaction = test_.begin(reservation::names(*test_, 0, 1));
      const WriterLock lock(inode->ilock);
      transaction->join(*inode);
      inode->core.links = 0;
      transaction->log(*inode, kInodeCore);
      add_orphan(*transaction, *inode);
      transaction->commit();
    }
    ASSERT_TRUE(test_->inodes.put(inode));
    TestVolume::must(unmap_all(*inode, 0, 10));
    {
      const auto transaction = test_.begin(reservation::free_inode(*test_));
      const WriterLock lock(inode->ilock);
      transaction->join(*inode);
      free_inode(*transaction, *inode);
      transaction->commit();
    }
    test_->inodes.gone(inode);
  }

  TestVolume& test_;
  Random random_;
};

class MetadataThreads : public testing::TestWithParam<MetaMode> {};

TEST_P(MetadataThreads, EndWhereEachLeftThem) {
  TestVolumeOptions options;
  options.size_bytes = 64 * kMiB;
  options.log_bytes = 2 * kMiB;
  options.dirblock_bytes = kObjectBytes;
  options.meta_run_blocks = 1;
  options.meta = GetParam();
  options.quota = true;
  options.threads = true;
  options.cache_bytes = 8 * kObjectBytes;
  TestVolume test(options);
  std::vector<Left> left(kThreads);
  std::vector<uint64_t> trees(kThreads);
  std::vector<std::thread> threads;
  for (uint32_t i = 0; i < kThreads; ++i) {
    threads.emplace_back([&, i] {
      Worker worker(test, 100 + i);
      left[i] = worker.run();
      trees[i] = worker.tree_ino;
    });
  }
  for (std::thread& thread : threads) thread.join();
  const auto check = [&] {
    for (uint32_t i = 0; i < kThreads; ++i) {
      Inode* const file = TestVolume::must(test->inodes.get(left[i].ino));
      Inode* const tree = TestVolume::must(test->inodes.get(trees[i]));
      for (Inode* const inode : {file, tree}) {
        const WriterLock lock(inode->ilock);
        TestVolume::must(load_extents(*inode));
      }
      EXPECT_EQ(file->extents.all(), left[i].extents);
      InodeBlockSpace space(*tree, nullptr, Magic::kDirectory, kObjectBytes);
      for (uint64_t address = 0; address < 5; ++address) {
        const auto object = space.get(address, BlockSpace::Access::kRead);
        if (object.ok()) {
          EXPECT_EQ((*object)->load<uint64_t>(5000), left[i].value);
        } else {
          EXPECT_EQ(object.code(), Errc::kNotFound);
        }
      }
      EXPECT_FALSE(test->inodes.put(file));
      EXPECT_FALSE(test->inodes.put(tree));
    }
  };
  check();
  TestVolume::must(test.log().force_all());
  test.crash_and_mount();
  check();
  test.remount();
  check();
  uint64_t orphans = 0;
  each_orphan(*test, [&](uint64_t) { ++orphans; });
  EXPECT_EQ(orphans, 0u);
}

INSTANTIATE_TEST_SUITE_P(Modes, MetadataThreads, testing::Values(MetaMode::kBuffer, MetaMode::kOverlay));

}  // namespace
}  // namespace daxlab::xfslike
