#include "engines/dax/write.h"

#include <atomic>
#include <thread>

#include "engines/base/random.h"
#include "engines/dax/dax_testing.h"

namespace daxlab::dax {
namespace {

class WriteTest : public DaxTest {
 protected:
  void must_write(uint64_t offset, std::span<const std::byte> data) {
    const auto written = write(file_->space(), *file_, offset, data);
    ASSERT_TRUE(written.ok()) << written.error().message();
    pmem::fence();
  }
};
INSTANTIATE_TEST_SUITE_P(Mmu, WriteTest, every_kind(), kind_name);

TEST_P(WriteTest, UnalignedWriteOverHolesAndBlocksIsSeenThroughTheMapping) {
  file_->allocate(2, 2, std::byte{9});
  auto mapping = map(0, 8);
  for (uint64_t page = 0; page < 8; ++page) EXPECT_EQ(get(*mapping, page), page == 2 || page == 3 ? 9 : 0);
  const std::vector<std::byte> data(4 * kBlockBytes, std::byte{7});
  must_write(kBlockBytes / 2, data);
  for (uint64_t at = 0; at < 8 * kBlockBytes; at += 64) {
    const bool inside = at >= kBlockBytes / 2 && at < kBlockBytes / 2 + data.size();
    ASSERT_EQ(get(*mapping, 0, at), inside ? 7 : 0) << at;
  }
}

// fs/dax.c: write(2) over an existing block neither locks its entry nor removes its page table entry.
TEST_P(WriteTest, OverwriteInPlaceLeavesPageTableEntriesAlone) {
  file_->allocate(0, 4, std::byte{1});
  auto mapping = map(0, 4);
  put(*mapping, 1, 2);
  const CounterDelta delta;
  const std::vector<std::byte> data(kBlockBytes, std::byte{3});
  must_write(kBlockBytes, data);
  EXPECT_EQ(get(*mapping, 1), 3);
  EXPECT_EQ(delta[Counter::invalidations], 0u);
  EXPECT_EQ(delta.faults(), 0u);
  EXPECT_EQ(delta[Counter::streamed_bytes], kBlockBytes);
}

TEST_P(WriteTest, ErrorOfTheSourceIsReturned) {
  file_->give_no_space();
  const std::vector<std::byte> data(10, std::byte{3});
  EXPECT_EQ(write(file_->space(), *file_, 0, data).code(), Errc::kNoSpace);
  EXPECT_EQ(write(file_->space(), *file_, 2 * kPages * kBlockBytes, data).code(), Errc::kInvalid);
}

// A reader of a hole that a write fills sees zeroes or the data, and the data for good once the write has returned.
TEST_P(WriteTest, FillingHolesBesideFaultsLosesNothing) {
  auto mapping = map(0, kPages);
  std::atomic<uint64_t> filled{0};
  std::atomic<bool> done{false};
  std::atomic<uint64_t> wrong{0};
  std::thread reader([&] {
    Random random(3);
    while (!done.load()) {
      const uint64_t until = filled.load();
      const uint64_t page = random.below(kPages);
      const uint8_t value = get(*mapping, page);
      if (value != 4 && (value != 0 || page < until)) wrong.fetch_add(1);
    }
  });
  const std::vector<std::byte> data(kBlockBytes, std::byte{4});
  for (uint64_t page = 0; page < kPages; ++page) {
    must_write(page * kBlockBytes, data);
    filled.store(page + 1);
  }
  done.store(true);
  reader.join();
  EXPECT_EQ(wrong.load(), 0u);
}

}  // namespace
}  // namespace daxlab::dax
