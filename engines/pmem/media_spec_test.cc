#include "engines/pmem/media_spec.h"

#include <gtest/gtest.h>

#include "engines/base/units.h"

namespace daxlab::pmem {
namespace {

TEST(MediaSpec, ReadsEveryFormOfTheContract) {
  const MediaSpec dram = MediaSpec::parse("dram:512MiB").value();
  EXPECT_EQ(dram.kind, MediaKind::kDram);
  EXPECT_EQ(dram.size_bytes, 512 * kMiB);
  EXPECT_EQ(dram.profile, "dram");
  EXPECT_EQ(dram.run, RunSpec{});
  EXPECT_EQ(dram.seed, 1u);

  const MediaSpec file = MediaSpec::parse("file:/mnt/a:b/img:1GiB?profile=optane-100&run=64KiB&seed=7").value();
  EXPECT_EQ(file.kind, MediaKind::kFile);
  EXPECT_EQ(file.path, "/mnt/a:b/img");
  EXPECT_EQ(file.size_bytes, kGiB);
  EXPECT_EQ(file.profile, "optane-100");
  EXPECT_EQ(file.run, (RunSpec{RunSpec::Kind::kShuffled, 64 * kKiB}));
  EXPECT_EQ(file.seed, 7u);

  const MediaSpec present = MediaSpec::parse("file:/mnt/x:y").value();
  EXPECT_EQ(present.path, "/mnt/x:y");
  EXPECT_EQ(present.size_bytes, 0u);

  const MediaSpec devdax = MediaSpec::parse("devdax:/dev/dax0.0?run=stripe-256KiB").value();
  EXPECT_EQ(devdax.kind, MediaKind::kDevdax);
  EXPECT_EQ(devdax.path, "/dev/dax0.0");
  EXPECT_EQ(devdax.run, (RunSpec{RunSpec::Kind::kStripe, 256 * kKiB}));
  EXPECT_EQ(MediaSpec::parse("dram:1MiB?run=hole").value().run.kind, RunSpec::Kind::kHole);
}

TEST(MediaSpec, WritesWhatItReads) {
  for (const char* text :
       {"dram:512MiB", "dram:1000", "file:/a/b:2GiB", "file:/a/b", "devdax:/dev/dax0.0", "dram:1GiB?run=hole&seed=3",
        "file:/x:1MiB?profile=eadr&run=4KiB", "dram:64MiB?profile=optane-100&run=stripe-2MiB&seed=9"}) {
    EXPECT_EQ(MediaSpec::parse(text).value().to_string(), text);
  }
}

TEST(MediaSpec, IdentityIsEverythingButThePath) {
  EXPECT_EQ(MediaSpec::parse("file:/a:1GiB?seed=7").value().identity(),
            MediaSpec::parse("file:/b/c:1024MiB?seed=7").value().identity());
  const std::string base = MediaSpec::parse("dram:1GiB").value().identity();
  for (const char* other : {"dram:2GiB", "file:/a:1GiB", "dram:1GiB?seed=2", "dram:1GiB?run=4KiB", "dram:1GiB?profile=eadr"}) {
    EXPECT_NE(MediaSpec::parse(other).value().identity(), base) << other;
  }
}

TEST(MediaSpec, NamesWhatIsWrongInOneLine) {
  const struct {
    const char* text;
    const char* named;
  } cases[] = {
      {"", "''"},
      {"dram", "''"},
      {"dram:", "''"},
      {"dram:0", "no size"},
      {"dram:12XB", "'12XB'"},
      {"disk:/x:1GiB", "'disk:/x:1GiB'"},
      {"file:", "no path"},
      {"file::1GiB", "no path"},
      {"devdax:", "no path"},
      {"dram:1GiB?", "''"},
      {"dram:1GiB?speed=3", "'speed'"},
      {"dram:1GiB?profile=optane", "optane-100"},
      {"dram:1GiB?run=3KiB", "'3KiB'"},
      {"dram:1GiB?run=12KiB", "'12KiB'"},
      {"dram:1GiB?run=stripe-", "'stripe-'"},
      {"dram:1GiB?run=zigzag", "'zigzag'"},
      {"dram:1GiB?seed=x", "'x'"},
      {"dram:1GiB?seed=", "''"},
      {"dram:1GiB?seed=1&", "''"},
  };
  for (const auto& wrong : cases) {
    const Result<MediaSpec> parsed = MediaSpec::parse(wrong.text);
    ASSERT_FALSE(parsed.ok()) << wrong.text;
    EXPECT_EQ(parsed.code(), Errc::kUsage) << wrong.text;
    EXPECT_NE(parsed.error().message().find(wrong.named), std::string::npos) << wrong.text << ": " << parsed.error().message();
    EXPECT_EQ(parsed.error().message().find('\n'), std::string::npos) << wrong.text;
  }
}

}  // namespace
}  // namespace daxlab::pmem
