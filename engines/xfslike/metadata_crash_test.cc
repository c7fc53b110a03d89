// Write-back and replay under crashes: transactions that change an inode and objects of several blocks are all there or not at all, in order,
// and what was forced is there. The control meta=unsafe is caught.
#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

#include "engines/pmem/crash_images.h"
#include "engines/pmem/recorder.h"
#include "engines/xfslike/inode.h"
#include "engines/xfslike/inode_block_space.h"
#include "engines/xfslike/metadata_testing.h"

namespace daxlab::xfslike {
namespace {

constexpr uint32_t kObjectBytes = 16384;
constexpr uint32_t kObjects = 2;
constexpr uint64_t kOperations = 90;

TestVolumeOptions shape(MetaMode meta) {
  TestVolumeOptions options;
  options.size_bytes = 4 * kMiB;
  options.groups = 1;
  options.log_bytes = kMiB;
  options.dirblock_bytes = kObjectBytes;
  options.meta_run_blocks = 1;
  options.meta = meta;
  return options;
}

/// Offsets in every block of an object, so that each transaction changes many chunks.
std::vector<uint32_t> places() {
  std::vector<uint32_t> places;
  for (uint32_t block = 0; block < kObjectBytes / kBlockBytes; ++block) {
    for (const uint32_t at : {200u, 2040u, 4000u}) places.push_back(block * static_cast<uint32_t>(kBlockBytes) + at);
  }
  return places;
}

/// Operation `number`: its number into the inode and into every place of every object. Every fifth one replaces an object.
void operate(TestVolume& test, Inode& inode, uint64_t number) {
  const auto transaction = test.begin(reservation::names(*test, 2, 1));
  const WriterLock lock(inode.ilock);
  transaction->join(inode);
  InodeBlockSpace space(inode, transaction.get(), Magic::kDirectory, kObjectBytes);
  for (uint64_t address = 0; address < kObjects; ++address) {
    const bool replace = number % 5 == address;
    if (replace && space.get(address, BlockSpace::Access::kRead).ok()) TestVolume::must(space.remove(address));
    auto object = replace || number == 0 ? space.add(address) : space.get(address, BlockSpace::Access::kWrite);
    ASSERT_TRUE(object.ok());
    for (const uint32_t place : places()) (*object)->store(place, number);
  }
  inode.core.mtime_ns = number;
  transaction->log(inode, kInodeCore);
  transaction->commit();
}

constexpr uint64_t kNoNumber = UINT64_MAX;
/// The number that all of it has; kNoNumber where parts differ.
uint64_t state_of(TestVolume& test, uint64_t ino) {
  auto inode = test->inodes.get(ino);
  if (!inode.ok()) return kNoNumber;
  const uint64_t number = (*inode)->core.mtime_ns;
  bool same = true;
  InodeBlockSpace space(**inode, nullptr, Magic::kDirectory, kObjectBytes);
  for (uint64_t address = 0; address < kObjects; ++address) {
    const auto object = space.get(address, BlockSpace::Access::kRead);
    if (!object.ok()) return kNoNumber;
    for (const uint32_t place : places()) same &= (*object)->load<uint64_t>(place) == number;
  }
  EXPECT_FALSE(test->inodes.put(*inode));
  return same ? number : kNoNumber;
}

/// Free blocks hold what they were last used for; read as an LSN it may be any.
void soil_free_blocks(TestVolume& test) {
  const SuperblockDisk& superblock = test->superblock;
  for (uint64_t block = 0; block < superblock.block_count; ++block) {
    if (block >= superblock.log_first_block && block < superblock.log_first_block + superblock.log_blocks) continue;
    const auto bytes = test.region().bytes().subspan(block * kBlockBytes, kBlockBytes);
    const bool used = std::any_of(bytes.begin(), bytes.end(), [](std::byte byte) { return byte != std::byte{0}; });
    if (!used) std::fill(bytes.begin(), bytes.end(), std::byte{0x7a});
  }
}

struct Outcome {
  uint64_t states = 0;
  uint64_t violations = 0;
};

Outcome explore(MetaMode meta, uint32_t images_per_point) {
  TestVolume test(shape(meta));
  Inode* const inode = test.create_file();
  const uint64_t ino = inode->ino();
  TestVolume::must(test.log().quiesce());
  soil_free_blocks(test);
  operate(test, *inode, 0);
  TestVolume::must(test.log().quiesce());  // so that no record of it repairs what comes
  const std::vector<std::byte> start(test.region().bytes().begin(), test.region().bytes().end());
  std::vector<std::byte> base = start;
  pmem::Trace trace;
  {
    pmem::Recorder recorder(test.region());
    for (uint64_t number = 1; number < kOperations; ++number) {
      recorder.op_begin(number);
      operate(test, *inode, number);
      if (number % 4 == 0) TestVolume::must(test.log().force_all());
      if (number % 7 == 0) test.log().ail().push(UINT64_MAX);
      recorder.op_end(number);
    }
    trace = recorder.take();
  }
  EXPECT_FALSE(test->inodes.put(inode));
  test.crash();
  pmem::CrashOptions options;
  options.images_per_point = images_per_point;
  pmem::CrashImages images(trace, test.region(), base, options);
  Outcome outcome;
  while (images.next()) {
    ++outcome.states;
    uint64_t forced = 0;
    for (const uint64_t number : images.finished()) {
      if (number % 4 == 0) forced = number;
    }
    const uint64_t newest = images.finished().size() + images.running().size();
    const auto mounted = test.mount();
    const uint64_t number = mounted.ok() ? state_of(test, ino) : kNoNumber;
    const bool right = number >= forced && number <= newest;
    if (!right) ++outcome.violations;
    if (!right && meta != MetaMode::kUnsafe && outcome.violations < 5) {
      ADD_FAILURE() << images.id() << ": " << (mounted.ok() ? "mounted" : mounted.error().message()) << ", number "
                    << static_cast<int64_t>(number) << ", forced " << forced << ", newest " << newest;
    }
    test.crash();
    if (meta == MetaMode::kUnsafe && outcome.violations != 0) break;
  }
  return outcome;
}

TEST(MetadataCrash, ACopyIsWrittenBackWhole) {
  const Outcome outcome = explore(MetaMode::kBuffer, 160);
  EXPECT_GT(outcome.states, 1000u);
  EXPECT_EQ(outcome.violations, 0u);
}

TEST(MetadataCrash, AnOverlayIsWrittenBackWhole) {
  const Outcome outcome = explore(MetaMode::kOverlay, 160);
  EXPECT_GT(outcome.states, 1000u);
  EXPECT_EQ(outcome.violations, 0u);
}

TEST(MetadataCrash, ChangingInPlaceIsCaught) { EXPECT_GT(explore(MetaMode::kUnsafe, 8).violations, 0u); }

}  // namespace
}  // namespace daxlab::xfslike
