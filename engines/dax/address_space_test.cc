// What one file's mappings promise, under every MMU and policy.
#include "engines/dax/address_space.h"

#include <cstring>

#include "engines/dax/dax_testing.h"
#include "engines/pmem/recorder.h"

namespace daxlab::dax {
namespace {

class AddressSpaceTest : public DaxTest {};
INSTANTIATE_TEST_SUITE_P(Mmu, AddressSpaceTest, every_kind(), kind_name);

TEST_P(AddressSpaceTest, ReadFaultThenWriteFaultAreTwoFaultsAndNoMore) {
  file_->allocate(0, 8, std::byte{7});
  auto mapping = map(0, 8);
  const CounterDelta delta;
  EXPECT_EQ(get(*mapping, 3), 7);
  EXPECT_EQ(delta.faults(), 1u);
  put(*mapping, 3, 9);
  EXPECT_EQ(delta.faults(), 2u);
  put(*mapping, 3, 10, 17);
  EXPECT_EQ(get(*mapping, 3), 9);
  EXPECT_EQ(delta.faults(), 2u);
  EXPECT_EQ(file_->frame(3)[0], std::byte{9});
  EXPECT_EQ(file_->frame(3)[17], std::byte{10});
}

TEST_P(AddressSpaceTest, EveryPageOfAnExtentFaultsByItself) {
  file_->allocate(0, 64);
  auto mapping = map(0, 64);
  const CounterDelta delta;
  for (uint64_t page = 0; page < 64; ++page) put(*mapping, page, static_cast<uint8_t>(page));
  EXPECT_EQ(delta[Counter::faults_4k], 64u);
  for (uint64_t page = 0; page < 64; ++page) EXPECT_EQ(static_cast<uint64_t>(file_->frame(page)[0]), page);
}

TEST_P(AddressSpaceTest, HoleReadsZeroesThenAWriteAllocates) {
  auto first = map(0, 4);
  auto second = map(0, 4);
  EXPECT_EQ(get(*first, 1), 0);
  EXPECT_EQ(get(*second, 1), 0);
  put(*first, 1, 5);
  EXPECT_EQ(get(*first, 1), 5);
  EXPECT_EQ(get(*second, 1), 5);  // its zero page went when the block came
  EXPECT_EQ(get(*second, 1, 100), 0);
  EXPECT_EQ(file_->frame(1)[0], std::byte{5});
}

TEST_P(AddressSpaceTest, SyncReprotectsAndTheNextStoreFaultsAgain) {
  file_->allocate(0, 8);
  auto mapping = map(0, 8);
  for (uint64_t page = 0; page < 8; page += 2) put(*mapping, page, 1);
  const CounterDelta delta;
  ASSERT_TRUE(mapping->sync(0, 8 * kBlockBytes).ok());
  EXPECT_EQ(delta[Counter::reprotects], 4u);
  EXPECT_EQ(delta[Counter::lines_flushed], 4 * kBlockBytes / kCacheLineBytes);
  EXPECT_EQ(file_->commits(), 1u);
  EXPECT_EQ(delta.faults(), 0u);
  EXPECT_EQ(get(*mapping, 0), 1);
  EXPECT_EQ(delta.faults(), 0u);  // reading needs no fault
  put(*mapping, 0, 2);
  put(*mapping, 4, 2);
  EXPECT_EQ(delta.faults(), 2u);
  ASSERT_TRUE(mapping->sync(0, 8 * kBlockBytes).ok());
  EXPECT_EQ(delta[Counter::reprotects], 6u);
  ASSERT_TRUE(mapping->sync(0, 8 * kBlockBytes).ok());
  EXPECT_EQ(delta[Counter::reprotects], 6u);  // nothing was dirty
  EXPECT_EQ(file_->commits(), 3u);
}

TEST_P(AddressSpaceTest, SyncOfAPartLeavesTheRestDirty) {
  file_->allocate(0, 8);
  auto mapping = map(0, 8);
  for (uint64_t page = 0; page < 8; ++page) put(*mapping, page, 1);
  const CounterDelta delta;
  ASSERT_TRUE(mapping->sync(2 * kBlockBytes, 3 * kBlockBytes).ok());
  EXPECT_EQ(delta[Counter::reprotects], 3u);
  ASSERT_TRUE(file_->space().writeback(0, ~uint64_t{0}).ok());
  EXPECT_EQ(delta[Counter::reprotects], 8u);
}

TEST_P(AddressSpaceTest, BeyondTheEndIsSigbusAndTheFileMayGrowUnderTheMapping) {
  file_->allocate(0, 2, std::byte{3});
  file_->set_limit(2);
  auto mapping = map(0, 4);
  EXPECT_EQ(get(*mapping, 1), 3);
  EXPECT_TRUE(raises_sigbus(*mapping, 2));
  file_->set_limit(4);
  EXPECT_EQ(get(*mapping, 2), 0);
}

TEST_P(AddressSpaceTest, TruncateTakesPagesAwayUnflushed) {
  file_->allocate(0, 8, std::byte{3});
  auto mapping = map(0, 8);
  for (uint64_t page = 0; page < 8; ++page) put(*mapping, page, 4);
  const CounterDelta delta;
  file_->truncate(5);
  EXPECT_EQ(delta[Counter::invalidations], 3u);
  EXPECT_EQ(delta[Counter::lines_flushed], 0u);
  EXPECT_EQ(get(*mapping, 4), 4);
  EXPECT_TRUE(raises_sigbus(*mapping, 5));
  EXPECT_TRUE(raises_sigbus(*mapping, 7));
  EXPECT_EQ(get(*mapping, 4), 4);
}

TEST_P(AddressSpaceTest, NoSpaceForAFaultIsSigbus) {
  auto mapping = map(0, 4);
  EXPECT_EQ(get(*mapping, 2), 0);
  file_->give_no_space();
  const std::byte one{1};
  if (soft()) {
    EXPECT_FALSE(mapping->store(2 * kBlockBytes, {&one, 1}).ok());
  } else {
    EXPECT_EQ(signal_of([&] { put(*mapping, 2, 1); }), SIGBUS);
  }
  EXPECT_EQ(get(*mapping, 2), 0);
}

TEST_P(AddressSpaceTest, StoreToAReadOnlyMappingIsRefused) {
  file_->allocate(0, 2, std::byte{1});
  auto mapping = map(0, 2, false);
  EXPECT_EQ(get(*mapping, 0), 1);
  if (soft()) {
    const std::byte one{1};
    EXPECT_FALSE(mapping->store(0, {&one, 1}).ok());
  } else {
    EXPECT_EQ(signal_of([&] { *reinterpret_cast<std::atomic<char>*>(mapping->data()) = 1; }), SIGSEGV);
    EXPECT_EQ(signal_of([&] { *reinterpret_cast<std::atomic<char>*>(mapping->data() + kBlockBytes) = 1; }), SIGSEGV);
  }
  EXPECT_EQ(get(*mapping, 1), 1);
}

TEST_P(AddressSpaceTest, AMovedBlockIsSeenThroughTheMapping) {
  file_->allocate(0, 8, std::byte{1});
  auto mapping = map(0, 8);
  for (uint64_t page = 0; page < 8; ++page) put(*mapping, page, static_cast<uint8_t>(10 + page));
  const std::byte* old_frame = file_->frame(3);
  const CounterDelta delta;
  file_->move_page(3);
  EXPECT_EQ(delta[Counter::invalidations], 1u);
  EXPECT_EQ(delta[Counter::lines_flushed], kBlockBytes / kCacheLineBytes);  // it was dirty
  EXPECT_NE(file_->frame(3), old_frame);
  for (uint64_t page = 0; page < 8; ++page) EXPECT_EQ(get(*mapping, page), 10 + page);
  EXPECT_EQ(delta.faults(), 1u);
  put(*mapping, 3, 99);
  EXPECT_EQ(file_->frame(3)[0], std::byte{99});
  EXPECT_EQ(old_frame[0], ToyFile::kPoison);
}

TEST_P(AddressSpaceTest, WindowAtAnOffsetShowsItsPages) {
  file_->allocate(0, kPages);
  for (uint64_t page = 0; page < kPages; ++page) std::memset(file_->frame(page), static_cast<int>(page % 251), 1);
  auto mapping = map(700, 100);
  for (uint64_t page = 0; page < 100; ++page) EXPECT_EQ(get(*mapping, page), (700 + page) % 251);
}

TEST_P(AddressSpaceTest, DirtyPagesOutliveTheirMapping) {
  file_->allocate(0, 4);
  EXPECT_FALSE(file_->space().mapped());
  auto mapping = map(0, 4);
  EXPECT_TRUE(file_->space().mapped());
  put(*mapping, 1, 1);
  mapping.reset();
  EXPECT_TRUE(file_->space().mapped());
  const CounterDelta delta;
  ASSERT_TRUE(file_->space().writeback(0, 4).ok());
  EXPECT_EQ(delta[Counter::lines_flushed], kBlockBytes / kCacheLineBytes);
  EXPECT_FALSE(file_->space().mapped());
  mapping = map(0, 4);
  EXPECT_EQ(get(*mapping, 1), 1);
  EXPECT_EQ(delta.faults(), 1u);
  mapping.reset();
  EXPECT_FALSE(file_->space().mapped());
}

TEST_P(AddressSpaceTest, TwoWindowsShareTheirPages) {
  file_->allocate(0, 8);
  auto first = map(0, 8);
  auto second = map(2, 6);
  put(*first, 4, 42);
  EXPECT_EQ(get(*second, 2), 42);
  put(*second, 2, 43);
  EXPECT_EQ(get(*first, 4), 43);
  const CounterDelta delta;
  ASSERT_TRUE(second->sync(0, 6 * kBlockBytes).ok());
  EXPECT_EQ(delta[Counter::reprotects], 2u);  // one page, two windows
  EXPECT_EQ(delta[Counter::lines_flushed], kBlockBytes / kCacheLineBytes);
  first.reset();
  file_->move_page(4);
  EXPECT_EQ(get(*second, 2), 43);
}

TEST_P(AddressSpaceTest, AccessesOutsideTheMappingAreRefused) {
  file_->allocate(0, 4);
  auto mapping = file_->space().map(0, 2 * kBlockBytes + 10, true);
  ASSERT_TRUE(mapping.ok());
  std::byte bytes[8]{};
  EXPECT_FALSE((*mapping)->load(2 * kBlockBytes + 4, bytes).ok());
  EXPECT_FALSE((*mapping)->store(~uint64_t{0}, bytes).ok());
  EXPECT_FALSE((*mapping)->sync(0, 3 * kBlockBytes).ok());
  EXPECT_TRUE((*mapping)->load(2 * kBlockBytes + 2, bytes).ok());
  EXPECT_FALSE(file_->space().map(100, 4096, true).ok());
  EXPECT_FALSE(file_->space().map(0, 0, true).ok());
}

TEST_P(AddressSpaceTest, OneExtentCostsOneTranslationAFault) {
  file_->allocate(0, 32);
  auto mapping = map(0, 32);
  const uint64_t before = file_->begins();
  for (uint64_t page = 0; page < 32; ++page) put(*mapping, page, 1);
  EXPECT_EQ(file_->begins() - before, 32u);
}

TEST_P(AddressSpaceTest, KeepAliveGoesAfterTheWindow) {
  file_->allocate(0, 1);
  auto token = std::make_shared<int>(1);
  auto mapping = file_->space().map(0, kBlockBytes, true, token);
  ASSERT_TRUE(mapping.ok());
  EXPECT_EQ(token.use_count(), 2);
  mapping->reset();
  EXPECT_EQ(token.use_count(), 1);
}

// Promise (pmem/recorder.h): a crash image knows stores through a user mapping. The software MMU reports them one by one, real
// page tables by whole pages when they are written back.
TEST_P(AddressSpaceTest, RecorderSeesStoresThroughAMapping) {
  file_->allocate(0, 4);
  auto mapping = map(0, 4);
  pmem::Recorder recorder(*region_);
  const std::vector<std::byte> data(5000, std::byte{6});
  ASSERT_TRUE(mapping->store(100, data).ok());
  ASSERT_TRUE(mapping->sync(0, 4 * kBlockBytes).ok());
  const pmem::Trace trace = recorder.take();
  uint64_t stored_bytes = 0;
  uint64_t flushed_bytes = 0;
  for (const auto& event : trace.events) {
    if (event.kind == pmem::Event::Kind::kStore) stored_bytes += event.size_bytes;
    if (event.kind == pmem::Event::Kind::kFlush) flushed_bytes += event.size_bytes;
  }
  EXPECT_EQ(stored_bytes, soft() ? 5000u : 2 * kBlockBytes);
  EXPECT_EQ(flushed_bytes, 2 * kBlockBytes);
}

}  // namespace
}  // namespace daxlab::dax
