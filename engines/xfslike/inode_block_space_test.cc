// Objects of several blocks: bytes against a model in all modes, over scattered blocks, through a small cache; what reaches the medium when.
#include "engines/xfslike/inode_block_space.h"

#include <gtest/gtest.h>

#include <map>
#include <vector>

#include "engines/base/random.h"
#include "engines/xfslike/inode.h"
#include "engines/xfslike/metadata_testing.h"

namespace daxlab::xfslike {
namespace {

using Bytes = std::vector<std::byte>;
constexpr uint32_t kHeader = kMetaHeaderBytes;

Reservation any_change(Volume& volume) { return reservation::names(volume, 1, 1); }

void put_bytes(MetadataBytes& object, uint32_t offset, const Bytes& bytes) {
  object.write(offset, bytes.data(), static_cast<uint32_t>(bytes.size()));
}
Bytes get_bytes(const MetadataBytes& object, uint32_t offset, uint32_t size) {
  Bytes scratch(size);
  const std::byte* const at = object.read(offset, size, scratch.data());
  return {at, at + size};
}

struct Shape {
  MetaMode meta;
  uint32_t object_bytes;
  bool scattered;
};

class Objects : public testing::TestWithParam<Shape> {
 protected:
  static TestVolumeOptions options() {
    TestVolumeOptions options;
    options.meta = GetParam().meta;
    options.dirblock_bytes = GetParam().object_bytes;
    options.size_bytes = 64 * kMiB;
    options.log_bytes = 8 * kMiB;
    options.meta_run_blocks = GetParam().scattered ? 1 : 0;
    options.cache_bytes = 4 * GetParam().object_bytes;  // beside the groups' own, which stay
    if (GetParam().scattered) options.run = pmem::RunSpec{.kind = pmem::RunSpec::Kind::kShuffled, .run_bytes = kBlockBytes};
    return options;
  }
};

TEST_P(Objects, HoldWhatWasWritten) {
  TestVolume test(options());
  const uint32_t size = GetParam().object_bytes;
  Inode* inode = test.create_file();
  const uint64_t ino = inode->ino();
  std::map<uint64_t, Bytes> model;
  Random random(GetParam().object_bytes + static_cast<uint64_t>(GetParam().meta));
  for (int i = 0; i < 400; ++i) {
    const uint64_t address = random.below(12);
    {
      const auto transaction = test.begin(any_change(*test));
      const WriterLock lock(inode->ilock);
      transaction->join(*inode);
      InodeBlockSpace space(*inode, transaction.get(), Magic::kDirectory, size);
      if (!model.contains(address)) {
        EXPECT_EQ(space.get(address, BlockSpace::Access::kRead).code(), Errc::kNotFound);
        const auto added = TestVolume::must(space.add(address));
        EXPECT_EQ(get_bytes(*added, kHeader, size - kHeader), Bytes(size - kHeader)) << "not zero";
        model[address].resize(size);
      } else if (random.below(10) == 0) {
        TestVolume::must(space.remove(address));
        model.erase(address);
      }
      if (model.contains(address)) {
        const auto object = TestVolume::must(space.get(address, BlockSpace::Access::kWrite));
        for (uint64_t writes = random.below(6); writes-- > 0;) {
          const auto offset = static_cast<uint32_t>(kHeader + random.below(size - kHeader));
          Bytes bytes(1 + random.below(std::min<uint64_t>(size - offset, random.below(3) == 0 ? 5000 : 60)));
          for (std::byte& b : bytes) b = static_cast<std::byte>(random.below(256));
          put_bytes(*object, offset, bytes);
          std::copy(bytes.begin(), bytes.end(), model[address].begin() + offset);
        }
      }
      transaction->commit();
    }
    if (random.below(40) == 0) TestVolume::must(test.log().quiesce());
    if (random.below(60) == 0) {
      EXPECT_FALSE(test->inodes.put(inode));
      TestVolume::must(test.log().force_all());
      if (random.below(2) == 0) {
        test.crash_and_mount();
      } else {
        test.remount();
      }
      inode = TestVolume::must(test->inodes.get(ino));
      const WriterLock lock(inode->ilock);
      TestVolume::must(load_extents(*inode));
    }
    const ReaderLock lock(inode->ilock);
    InodeBlockSpace space(*inode, nullptr, Magic::kDirectory, size);
    uint64_t at = 0;
    for (const auto& [mapped, bytes] : model) {
      EXPECT_EQ(TestVolume::must(space.next(at)), mapped);
      at = mapped + 1;
      const auto object = TestVolume::must(space.get(mapped, BlockSpace::Access::kRead));
      EXPECT_EQ(get_bytes(*object, kHeader, size - kHeader), Bytes(bytes.begin() + kHeader, bytes.end()));
    }
    EXPECT_EQ(space.next(at).code(), Errc::kNotFound);
    EXPECT_FALSE(model.contains(TestVolume::must(space.unused(0))));
  }
  EXPECT_GT(test->cache.stats().evictions, 0u);
  EXPECT_FALSE(test->inodes.put(inode));
}

INSTANTIATE_TEST_SUITE_P(All, Objects,
                         testing::Values(Shape{MetaMode::kBuffer, 4096, false}, Shape{MetaMode::kOverlay, 4096, false},
                                         Shape{MetaMode::kBuffer, 16384, true}, Shape{MetaMode::kOverlay, 16384, true},
                                         Shape{MetaMode::kBuffer, 65536, true}, Shape{MetaMode::kOverlay, 65536, true},
                                         Shape{MetaMode::kUnsafe, 16384, true}));

/// An object's first block, as the medium has it.
Bytes on_medium(TestVolume& test, Inode& inode) {
  const std::byte* const at = test->address(map_blocks(inode, 0, 1).block);
  return {at, at + kBlockBytes};
}

class WriteAhead : public testing::TestWithParam<MetaMode> {};

TEST_P(WriteAhead, TheMediumChangesWhenTheLogIsDurableAndNotBefore) {
  TestVolumeOptions options;
  options.meta = GetParam();
  TestVolume test(options);
  Inode* const inode = test.create_file();
  const auto change = [&](std::byte value) {
    const auto transaction = test.begin(any_change(*test));
    const WriterLock lock(inode->ilock);
    transaction->join(*inode);
    InodeBlockSpace space(*inode, transaction.get(), Magic::kDirectory, kBlockBytes);
    auto object = space.get(0, BlockSpace::Access::kWrite);
    if (!object.ok()) object = space.add(0);
    put_bytes(**object, 1000, Bytes(300, value));
    object = Errc::kIo;  // gives the reference back
    transaction->commit();
  };
  change(std::byte{1});
  TestVolume::must(test.log().quiesce());
  EXPECT_EQ(on_medium(test, *inode)[1100], std::byte{1});
  const Bytes before = on_medium(test, *inode);
  change(std::byte{2});
  EXPECT_EQ(on_medium(test, *inode) == before, GetParam() != MetaMode::kUnsafe) << "committed, not durable";
  test.log().ail().push(UINT64_MAX);
  EXPECT_EQ(on_medium(test, *inode) == before, GetParam() != MetaMode::kUnsafe) << "pinned";
  {
    const ReaderLock lock(inode->ilock);
    InodeBlockSpace space(*inode, nullptr, Magic::kDirectory, kBlockBytes);
    const auto object = TestVolume::must(space.get(0, BlockSpace::Access::kRead));
    EXPECT_EQ(get_bytes(*object, 1000, 300), Bytes(300, std::byte{2})) << "readers see the change";
  }
  TestVolume::must(test.log().force_all());
  EXPECT_EQ(on_medium(test, *inode) == before, GetParam() != MetaMode::kUnsafe) << "durable, not written back";
  test.log().ail().push(UINT64_MAX);
  EXPECT_EQ(on_medium(test, *inode)[1100], std::byte{2});
  EXPECT_FALSE(test->inodes.put(inode));
}

INSTANTIATE_TEST_SUITE_P(Modes, WriteAhead, testing::Values(MetaMode::kBuffer, MetaMode::kOverlay, MetaMode::kUnsafe));

TEST(ObjectDamage, AnotherOwnersOrADamagedBlockIsFound) {
  TestVolume test;
  Inode* const inode = test.create_file();
  const auto space_of = [&](Transaction* transaction) { return InodeBlockSpace(*inode, transaction, Magic::kDirectory, kBlockBytes); };
  {
    const auto transaction = test.begin(any_change(*test));
    const WriterLock lock(inode->ilock);
    transaction->join(*inode);
    auto space = space_of(transaction.get());
    for (uint64_t address = 0; address < 3; ++address) TestVolume::must(space.add(address));
    transaction->commit();
  }
  const uint64_t ino = inode->ino();
  const uint64_t block = map_blocks(*inode, 0, 1).block;
  EXPECT_FALSE(test->inodes.put(inode));
  test.unmount();
  const auto damage = [&](uint64_t at, size_t offset) { test.region().block_address(at)[offset] ^= std::byte{1}; };
  const auto code = [&](uint64_t address) {
    TestVolume::must(test.mount());
    Inode* const again = TestVolume::must(test->inodes.get(ino));
    const Errc found = InodeBlockSpace(*again, nullptr, Magic::kDirectory, kBlockBytes).get(address, BlockSpace::Access::kRead).code();
    EXPECT_FALSE(test->inodes.put(again));
    test.unmount();
    return found;
  };
  damage(block, 17);  // owner
  EXPECT_EQ(code(0), Errc::kCorrupt);
  damage(block, 17);
  damage(block, 4000);
  EXPECT_EQ(code(0), Errc::kCorrupt);
  damage(block, 4000);
  // A whole, valid object in another's place.
  std::copy_n(test.region().block_address(block), kBlockBytes, test.region().block_address(block + 1));
  EXPECT_EQ(code(1), Errc::kCorrupt);
}

}  // namespace
}  // namespace daxlab::xfslike
