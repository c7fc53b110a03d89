#include "engines/base/units.h"

#include <gtest/gtest.h>

#include "engines/base/random.h"

namespace daxlab {
namespace {

TEST(Units, SizesAreBinaryWhateverTheirSuffix) {
  EXPECT_EQ(parse_size("0").value(), 0u);
  EXPECT_EQ(parse_size("4096").value(), 4096u);
  EXPECT_EQ(parse_size("64B").value(), 64u);
  for (const char* text : {"4KiB", "4K", "4k", "4KB", "4kib"}) EXPECT_EQ(parse_size(text).value(), 4096u) << text;
  EXPECT_EQ(parse_size("2MiB").value(), 2 * kMiB);
  EXPECT_EQ(parse_size("1GiB").value(), kGiB);
  EXPECT_EQ(parse_size("3T").value(), 3 * 1024 * kGiB);
}

TEST(Units, WhatIsNoSizeIsNamedInOneLine) {
  for (const char* text : {"", "KiB", "-1", "+1", " 1", "1 ", "1.5GiB", "1XiB", "1KiBB", "1KK", "0x10", "1K1",
                           "99999999999999999999", "18446744073709551615K", "17179869184G"}) {
    const Result<uint64_t> parsed = parse_size(text);
    ASSERT_FALSE(parsed.ok()) << text;
    EXPECT_EQ(parsed.code(), Errc::kUsage);
    EXPECT_NE(parsed.error().message().find("'" + std::string(text) + "'"), std::string::npos) << parsed.error().message();
    EXPECT_EQ(parsed.error().message().find('\n'), std::string::npos);
  }
}

TEST(Units, EverySizeSurvivesBeingWrittenAndRead) {
  Random random(1);
  for (int i = 0; i < 10000; ++i) {
    const uint64_t size = random.next() >> random.below(64) << random.below(20);
    EXPECT_EQ(parse_size(format_size(size)).value(), size) << format_size(size);
  }
  EXPECT_EQ(format_size(4096), "4KiB");
  EXPECT_EQ(format_size(1000), "1000");
  EXPECT_EQ(format_size(0), "0");
  EXPECT_EQ(format_size(1536 * kKiB), "1536KiB");
}

}  // namespace
}  // namespace daxlab
