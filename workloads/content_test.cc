#include "workloads/content.h"

#include <gtest/gtest.h>

#include <vector>

namespace daxlab {
namespace {

std::vector<std::byte> copy(std::span<const std::byte> bytes) { return {bytes.begin(), bytes.end()}; }

TEST(ContentTest, BlockPassesItsOwnCheckAndNoOther) {
  Content content(7, 4096);
  const auto bytes = copy(content.block(1, 2, 3));
  const Content reader(7, 4096);
  EXPECT_TRUE(reader.check(1, 2, 3, bytes).ok());
  EXPECT_FALSE(reader.check(0, 2, 3, bytes).ok());
  EXPECT_FALSE(reader.check(1, 1, 3, bytes).ok());
  EXPECT_FALSE(reader.check(1, 2, 2, bytes).ok());
  EXPECT_FALSE(reader.check(1, 2, 5, bytes).ok());
  EXPECT_FALSE(Content(8, 4096).check(1, 2, 3, bytes).ok());
}

TEST(ContentTest, EverySingleChangedByteIsFound) {
  Content content(7, 1024);
  auto bytes = copy(content.block(0, 0, 1));
  for (std::byte& byte : bytes) {
    byte ^= std::byte{1};
    EXPECT_FALSE(content.check(0, 0, 1, bytes).ok());
    byte ^= std::byte{1};
  }
  EXPECT_TRUE(content.check(0, 0, 1, bytes).ok());
}

TEST(ContentTest, MixtureOfTwoSuccessiveVersionsIsFoundAtEveryCut) {
  Content content(7, 4096);
  const auto before = copy(content.block(0, 9, 4));
  const auto after = copy(content.block(0, 9, 5));
  for (size_t cut = 64; cut < before.size(); cut += 64) {
    auto torn = after;
    std::copy(before.begin() + static_cast<ptrdiff_t>(cut), before.end(), torn.begin() + static_cast<ptrdiff_t>(cut));
    EXPECT_FALSE(content.check(0, 9, 5, torn).ok()) << cut;
    EXPECT_FALSE(content.check(0, 9, 4, torn).ok()) << cut;
  }
}

TEST(ContentTest, SectorFromAnotherPlaceInTheBlockIsFound) {
  Content content(7, 4096);
  auto bytes = copy(content.block(0, 0, 1));
  std::swap_ranges(bytes.begin(), bytes.begin() + 8, bytes.begin() + 512);
  EXPECT_FALSE(content.check(0, 0, 1, bytes).ok());
}

TEST(ContentTest, ShortDataIsWrongData) {
  Content content(7, 4096);
  const auto bytes = copy(content.block(0, 0, 1));
  EXPECT_EQ(content.check(0, 0, 1, std::span(bytes).first(4095)).code(), Errc::kCorrupt);
  EXPECT_EQ(content.check(0, 0, 1, {}).code(), Errc::kCorrupt);
}

TEST(ContentTest, WriteBlockMakesTheSameBytesAsBlock) {
  for (const uint64_t block_bytes : {64u, 512u, 4096u, 65536u}) {
    Content content(3, block_bytes);
    std::vector<std::byte> out(block_bytes);
    content.write_block(4, 5, 6, out.data());
    EXPECT_EQ(copy(content.block(4, 5, 6)), out) << block_bytes;
  }
}

}  // namespace
}  // namespace daxlab
