#include "engines/pmem/region.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <set>

#include "engines/pmem/label.h"
#include "engines/pmem/label_format.h"
#include "engines/pmem/persist.h"

namespace daxlab::pmem {
namespace {

/// A directory of its own on a file system that is there everywhere, removed at the end.
class TemporaryDirectory {
 public:
  TemporaryDirectory() {
    std::string pattern = (std::filesystem::temp_directory_path() / "daxlab-region-XXXXXX").string();
    path_ = ::mkdtemp(pattern.data());
  }
  ~TemporaryDirectory() { std::filesystem::remove_all(path_); }
  TemporaryDirectory(const TemporaryDirectory&) = delete;
  TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;
  std::string file(const char* name) const { return path_ + "/" + name; }

 private:
  std::string path_;
};

MediaSpec spec_of(const std::string& text) { return MediaSpec::parse(text).value(); }

TEST(Region, TheLabelsShareIsAFunctionOfTheSize) {
  EXPECT_EQ(label_area_bytes(64 * kMiB - kBlockBytes), kBlockBytes);
  EXPECT_EQ(label_area_bytes(64 * kMiB), kHugeBytes);
  const auto small = Region::for_test(kMiB).value();
  EXPECT_EQ(small->block_count(), kMiB / kBlockBytes - 1);
  const auto large = Region::for_test(64 * kMiB).value();
  EXPECT_EQ(large->block_count(), 62 * kMiB / kBlockBytes);
  EXPECT_EQ(reinterpret_cast<uintptr_t>(large->block_address(0)) % kHugeBytes, 0u);
  EXPECT_EQ(large->file_offset(large->block_address(0)) % kHugeBytes, 0u);
}

TEST(Region, BlocksNeverTouchTheLabel) {
  for (const char* run : {"linear", "4KiB", "64KiB", "stripe-4KiB", "hole"}) {
    const auto region = Region::for_test(8 * kMiB, parse_run(run).value()).value();
    for (BlockIndex block = 0; block < region->block_count(); ++block) {
      const std::byte* const at = region->block_address(block);
      ASSERT_GE(at, region->label_bytes().data() + kBlockBytes) << run;
      ASSERT_LE(at + kBlockBytes, region->bytes().data() + region->size_bytes()) << run;
    }
  }
}

TEST(Region, DramIsPopulatedInHugePagesWhereTheKernelAllows) {
  const auto region = Region::open(spec_of("dram:64MiB")).value();
  EXPECT_EQ(region->media_class(), MediaClass::kEmulated);
  EXPECT_GE(region->fd(), 0);
  struct stat status {};
  ASSERT_EQ(::fstat(region->fd(), &status), 0);
  EXPECT_EQ(static_cast<uint64_t>(status.st_blocks) * 512, 64 * kMiB) << "every page has a frame";
  for (const std::byte byte : region->bytes()) ASSERT_EQ(byte, std::byte{0});
  RecordProperty("huge_pages", region->huge_pages() ? 1 : 0);
}

TEST(Region, AnAdoptedMemfdSharesItsBytes) {
  const auto parent = Region::open(spec_of("dram:8MiB?run=64KiB&seed=3")).value();
  store_bytes(parent->block_address(100), "hello", 5);
  const auto child = Region::adopt(parent->fd(), parent->spec()).value();
  EXPECT_NE(child->fd(), parent->fd());
  EXPECT_NE(child->bytes().data(), parent->bytes().data());
  EXPECT_EQ(std::memcmp(child->block_address(100), "hello", 5), 0);
  store_bytes(child->block_address(7), "answer", 6);
  EXPECT_EQ(std::memcmp(parent->block_address(7), "answer", 6), 0);
}

TEST(Region, AnAdoptedDescriptorThatIsTooSmallIsRefused) {
  const auto parent = Region::for_test(kMiB).value();
  const auto adopted = Region::adopt(parent->fd(), spec_of("dram:2MiB"));
  ASSERT_FALSE(adopted.ok());
  EXPECT_NE(adopted.error().message().find("1MiB"), std::string::npos) << adopted.error().message();
  EXPECT_FALSE(Region::adopt(-1, spec_of("dram:2MiB")).ok());
}

TEST(Region, AFileIsCreatedExtendedAndKeepsItsBytes) {
  const TemporaryDirectory directory;
  const std::string path = directory.file("image");
  {
    const auto region = Region::open(spec_of("file:" + path + ":1MiB")).value();
    store_bytes(region->block_address(3), "kept", 4);
    persist(region->block_address(3), 4);
  }
  EXPECT_EQ(std::filesystem::file_size(path), kMiB);
  {
    const auto region = Region::open(spec_of("file:" + path)).value();  // no size: what is there
    EXPECT_EQ(region->size_bytes(), kMiB);
    EXPECT_EQ(region->spec().size_bytes, kMiB);
    EXPECT_EQ(std::memcmp(region->block_address(3), "kept", 4), 0);
  }
  const auto region = Region::open(spec_of("file:" + path + ":4MiB")).value();
  EXPECT_EQ(region->size_bytes(), 4 * kMiB);
  EXPECT_EQ(std::memcmp(region->block_address(3), "kept", 4), 0);
}

TEST(Region, FailuresNameThePathAndTheReasonInOneLine) {
  const TemporaryDirectory directory;
  const struct {
    std::string text;
    const char* reason;
  } cases[] = {{"file:" + directory.file("none"), "No such file"},
               {"file:" + directory.file("no/such/folder") + ":1MiB", "No such file"},
               {"file:/dev/null:1MiB", "not a regular file"},
               {"file:" + directory.file("tiny") + ":4KiB", "too small"},
               {"devdax:/dev/null", "/dev/null"},
               {"devdax:" + directory.file("dax9.9"), "No such file"}};
  for (const auto& wrong : cases) {
    const auto opened = Region::open(spec_of(wrong.text));
    ASSERT_FALSE(opened.ok()) << wrong.text;
    const std::string message = opened.error().message();
    EXPECT_NE(message.find(wrong.reason), std::string::npos) << message;
    EXPECT_NE(message.find(spec_of(wrong.text).path), std::string::npos) << message;
    EXPECT_EQ(message.find('\n'), std::string::npos) << message;
  }
}

TEST(Region, DirectAccessWalksTheWholeMediumInPieces) {
  const auto region = Region::for_test(8 * kMiB, {RunSpec::Kind::kShuffled, 64 * kKiB}).value();
  std::set<const std::byte*> seen;
  for (BlockIndex block = 0; block < region->block_count();) {
    const auto range = region->direct_access(block, region->block_count() - block);
    EXPECT_EQ(range.block_count, 16u);
    EXPECT_TRUE(seen.insert(range.address).second);
    block += range.block_count;
  }
}

Label some_label() {
  Label label;
  label.engine = "native";
  label.format_version = 3;
  label.options = "cpus=2:data=cow";
  return label;
}

TEST(Label, GivesBackWhatWasWritten) {
  const auto region = Region::for_test(kMiB, {RunSpec::Kind::kShuffled, 64 * kKiB}, 9).value();
  write_label(*region, some_label());
  const Label read = read_label(*region).value();
  EXPECT_EQ(read.engine, "native");
  EXPECT_EQ(read.format_version, 3u);
  EXPECT_EQ(read.options, "cpus=2:data=cow");
  EXPECT_EQ(read.run, region->spec().run);
  EXPECT_EQ(read.seed, 9u);
  EXPECT_EQ(read.size_bytes, kMiB);
  EXPECT_EQ(read.uuid.size(), 36u);
  Label again = some_label();
  again.uuid = read.uuid;
  write_label(*region, again);
  EXPECT_EQ(read_label(*region).value().uuid, read.uuid);
  write_label(*region, some_label());
  EXPECT_NE(read_label(*region).value().uuid, read.uuid);
}

TEST(Label, EveryCorruptedByteIsNoticed) {
  const auto region = Region::for_test(kMiB).value();
  write_label(*region, some_label());
  for (size_t at = 0; at < sizeof(LabelDisk); ++at) {
    for (const int bit : {0, 7}) {
      std::byte& byte = region->label_bytes()[at];
      byte ^= static_cast<std::byte>(1 << bit);
      const auto read = read_label(*region);
      ASSERT_FALSE(read.ok()) << at;
      const bool in_front = at < offsetof(LabelDisk, crc);
      EXPECT_EQ(read.code(), in_front ? Errc::kWrongLabel : Errc::kCorrupt) << at;
      byte ^= static_cast<std::byte>(1 << bit);
    }
  }
  EXPECT_TRUE(read_label(*region).ok());
}

TEST(Label, AnErasedOrAbsentLabelIsNone) {
  const auto region = Region::for_test(kMiB).value();
  EXPECT_EQ(read_label(*region).code(), Errc::kWrongLabel);
  write_label(*region, some_label());
  erase_label(*region);
  EXPECT_EQ(read_label(*region).code(), Errc::kWrongLabel);
}

TEST(Label, ExpectingAnotherEngineNamesBothSides) {
  const auto region = Region::for_test(kMiB).value();
  write_label(*region, some_label());
  EXPECT_TRUE(expect_label(*region, "native", 3).ok());
  for (const auto& [engine, version] : {std::pair<const char*, uint32_t>{"retrofit", 3}, {"native", 4}}) {
    const auto expected = expect_label(*region, engine, version);
    ASSERT_FALSE(expected.ok());
    EXPECT_EQ(expected.code(), Errc::kWrongLabel);
    EXPECT_NE(expected.error().message().find("native version 3"), std::string::npos);
    EXPECT_NE(expected.error().message().find(std::string(engine) + " version " + std::to_string(version)), std::string::npos);
  }
}

TEST(Label, CanBePeekedAtBeforeTheMediumIsOpened) {
  const TemporaryDirectory directory;
  const MediaSpec spec = spec_of("file:" + directory.file("image") + ":1MiB?run=64KiB&seed=5");
  {
    const auto region = Region::open(spec).value();
    EXPECT_EQ(peek_label(spec).code(), Errc::kWrongLabel);
    write_label(*region, some_label());
  }
  const Label peeked = peek_label(spec_of("file:" + spec.path)).value();
  EXPECT_EQ(peeked.engine, "native");
  EXPECT_EQ(peeked.run, spec.run);
  EXPECT_EQ(peeked.seed, 5u);
  EXPECT_EQ(peek_label(spec_of("file:" + directory.file("none"))).code(), Errc::kIo);
}

}  // namespace
}  // namespace daxlab::pmem
