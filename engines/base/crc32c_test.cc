#include "engines/base/crc32c.h"

#include <gtest/gtest.h>

#include <string_view>
#include <vector>

#include "engines/base/crc32c_internal.h"
#include "engines/base/random.h"

namespace daxlab {
namespace {

// RFC 3720, appendix B.4, and the check value of the catalogue of CRC algorithms.
TEST(Crc32c, GivesThePublishedValues) {
  const std::vector<unsigned char> zeros(32, 0);
  const std::vector<unsigned char> ones(32, 0xff);
  std::vector<unsigned char> ascending(32);
  std::vector<unsigned char> descending(32);
  for (size_t i = 0; i < 32; ++i) {
    ascending[i] = static_cast<unsigned char>(i);
    descending[i] = static_cast<unsigned char>(31 - i);
  }
  EXPECT_EQ(crc32c(zeros.data(), 32), 0x8a9136aau);
  EXPECT_EQ(crc32c(ones.data(), 32), 0x62a8ab43u);
  EXPECT_EQ(crc32c(ascending.data(), 32), 0x46dd794eu);
  EXPECT_EQ(crc32c(descending.data(), 32), 0x113fdb5cu);
  EXPECT_EQ(crc32c("123456789", 9), 0xe3069283u);
  EXPECT_EQ(crc32c("", 0), 0u);
}

std::vector<unsigned char> random_bytes(size_t size, uint64_t seed) {
  Random random(seed);
  std::vector<unsigned char> bytes(size);
  for (unsigned char& byte : bytes) byte = static_cast<unsigned char>(random.next());
  return bytes;
}

TEST(Crc32c, InstructionAndTableAgreeAtEveryLengthAndAlignment) {
  if (!crc32c_internal::has_instruction()) GTEST_SKIP() << "this CPU has no SSE4.2";
  const auto bytes = random_bytes(6000, 7);
  for (size_t size = 0; size < 5000; size += size < 1700 ? 1 : 97) {
    for (const size_t at : {size_t{0}, size_t{1}, size_t{7}, size_t{13}}) {
      ASSERT_EQ(crc32c_internal::by_instruction(bytes.data() + at, size, 0x1234567),
                crc32c_internal::by_table(bytes.data() + at, size, 0x1234567))
          << size << " bytes at " << at;
    }
  }
}

TEST(Crc32c, MayBeTakenInParts) {
  const auto bytes = random_bytes(4096, 3);
  const uint32_t whole = crc32c(bytes.data(), bytes.size());
  for (size_t cut = 0; cut <= bytes.size(); cut += 31) {
    EXPECT_EQ(crc32c(bytes.data() + cut, bytes.size() - cut, crc32c(bytes.data(), cut)), whole) << cut;
  }
}

TEST(Crc32c, NoticesEveryFlippedBit) {
  auto bytes = random_bytes(1024, 5);
  const uint32_t whole = crc32c(bytes.data(), bytes.size());
  for (size_t bit = 0; bit < bytes.size() * 8; ++bit) {
    bytes[bit / 8] = static_cast<unsigned char>(bytes[bit / 8] ^ (1u << (bit % 8)));
    EXPECT_NE(crc32c(bytes.data(), bytes.size()), whole) << bit;
    bytes[bit / 8] = static_cast<unsigned char>(bytes[bit / 8] ^ (1u << (bit % 8)));
  }
}

}  // namespace
}  // namespace daxlab
