#include "engines/base/crc32c_combine.h"

#include <gtest/gtest.h>

#include <cstring>
#include <vector>

#include "engines/base/crc32c.h"
#include "engines/base/crc32c_internal.h"
#include "engines/base/random.h"

namespace daxlab {
namespace {

std::vector<unsigned char> random_bytes(size_t size, uint64_t seed) {
  Random random(seed);
  std::vector<unsigned char> bytes(size);
  for (unsigned char& byte : bytes) byte = static_cast<unsigned char>(random.next());
  return bytes;
}

TEST(Crc32cCombine, IsTheChecksumOfBothPieces) {
  const auto bytes = random_bytes(70'000, 3);
  const std::vector<size_t> sizes = {0, 1, 4, 12, 255, 256, 257, 512, 4096, 65'535, 65'536};
  for (const size_t first : {size_t{0}, size_t{1}, size_t{512}, size_t{3000}}) {
    for (const size_t second : sizes) {
      const uint32_t a = crc32c(bytes.data(), first);
      const uint32_t b = crc32c(bytes.data() + first, second);
      EXPECT_EQ(crc32c_combine(a, b, static_cast<uint32_t>(second)), crc32c(bytes.data(), first + second)) << first << " " << second;
    }
  }
}

TEST(Crc32cCombine, OverMoreThanSixteenMebibytes) {
  const std::vector<unsigned char> zeros(17u << 20, 0);
  const uint32_t begin = crc32c("begin", 5);
  const uint32_t alone = crc32c(zeros.data(), zeros.size());
  EXPECT_EQ(crc32c_combine(begin, alone, 17u << 20), crc32c(zeros.data(), zeros.size(), begin));
}

TEST(Crc32cCombine, APatchedWordChangesTheSumAsIfItHadBeenThere) {
  auto bytes = random_bytes(4096, 5);
  const uint32_t before = crc32c(bytes.data(), bytes.size());
  for (const size_t at : {size_t{0}, size_t{512}, size_t{2048}, size_t{4092}}) {
    auto changed = bytes;
    uint32_t was = 0;
    const uint32_t now = 0xfeedbabe;
    std::memcpy(&was, changed.data() + at, sizeof was);
    std::memcpy(changed.data() + at, &now, sizeof now);
    EXPECT_EQ(before ^ crc32c_patch(was, now, static_cast<uint32_t>(4096 - 4 - at)), crc32c(changed.data(), changed.size())) << at;
  }
}

TEST(Crc32cCombine, InstructionAndShiftsAgree) {
  if (!crc32c_internal::has_instruction() || __builtin_cpu_supports("pclmul") == 0) GTEST_SKIP() << "this CPU cannot multiply so";
  Random random(9);
  for (int i = 0; i < 10'000; ++i) {
    const auto a = static_cast<uint32_t>(random.next());
    const auto b = static_cast<uint32_t>(random.next());
    ASSERT_EQ(crc32c_internal::multiply_by_instruction(a, b), crc32c_internal::multiply_by_shifts(a, b)) << a << " " << b;
  }
}

}  // namespace
}  // namespace daxlab
