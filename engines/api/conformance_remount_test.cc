// What lasts: everything, across unmount and mount, and across a crash after which all that was stored is durable.

#include "engines/api/testing_tree.h"
#include "engines/pmem/label.h"
#include "engines/posix/tree.h"

namespace daxlab::tests {
namespace {

constexpr uint64_t kPast_ns = 1'000'000'000'123'456'789u;

class ConformanceRemount : public EngineSuite {
 protected:
  std::string unsuited(const Traits& traits) const override { return traits.unmountable ? "" : "it does not last"; }
  /// A kernel's file system lasts in a place that is given.
  std::string spec_text() override {
    if (!enters_kernel(GetParam())) return GetParam();
    place_ = must(posix::make_temporary_tree());
    return GetParam() + ":path=" + place_;
  }
  void TearDown() override {
    EngineSuite::TearDown();
    if (!place_.empty()) must(posix::remove_tree(place_));
  }
  Tree tree() { return must(read_tree(engine())); }

  /// Every kind of inode and of change.
  void populate() {
    fs().mkdir("/d", 0750, {.uid = 7, .gid = 8, .umask = 0});
    fs().write_file("/d/file", content(1, 100'000));
    fs().link("/d/file", "/link");
    fs().symlink("/short", "target");
    fs().symlink("/d/long", std::string(kSymlinkBytesMax, 'l'));
    fs().mknod("/fifo", NodeKind::kFifo);
    fs().mknod("/device", NodeKind::kCharDevice, 0x1234);
    fs().write_file("/empty", "");
    fs().write_file("/" + std::string(kNameBytesMax, 'n'), "long name");
    fs().write_file("/sparse", "begin");
    must(fs().open("/sparse")->write(5 * kMiB + 3, bytes_of("end")));
    fs().write_file("/holes", content(2, 300'000));
    must(fs().open("/holes")->fallocate(FallocateMode::kPunchHole, 10'000, 100'000));
    must(fs().open("/holes")->fallocate(FallocateMode::kZeroRange, 250'000, 100'000));
    fs().write_file("/reserved", "x");
    must(fs().open("/reserved")->fallocate(FallocateMode::kKeepSize, 0, 200'000));
    fs().write_file("/cut", content(3, 50'000));
    must(fs().open("/cut")->setattr({.size_bytes = 12'345}));
    const std::unique_ptr<File> appended = fs().create("/appended");
    for (uint64_t i = 0; i < 300; ++i) must(appended->append(content(i, 1 + i % 200)));
    const std::unique_ptr<File> scribbled = fs().create("/scribbled");
    Random random(4);
    for (uint64_t i = 0; i < 300; ++i) must(scribbled->write(random.below(60'000), content(i, 1 + random.below(300))));
    fs().setattr("/d/file", {.mode = 04751, .uid = 100, .gid = 200, .atime_ns = kPast_ns, .mtime_ns = kPast_ns});
    fs().write_file("/gone", "gone");
    fs().unlink("/gone");
    fs().mkdir("/d/moved");
    fs().write_file("/d/moved/inside", "inside");
    fs().rename("/d/moved", "/moved");
    fs().write_file("/replaced", "old");
    fs().write_file("/replacing", "new");
    fs().rename("/replacing", "/replaced");
  }
  std::string place_;
  void crash() {
    if (!fs().traits().durable_on_return) must(engine().sync());
    fs().drop();
    fs().mount();
  }
};

TEST_P(ConformanceRemount, AnEmptyFileSystemStaysEmpty) {
  fs().remount();
  EXPECT_TRUE(fs().names("/").empty());
  EXPECT_EQ(must(root().getattr()).links, 2u);
}

TEST_P(ConformanceRemount, EverythingIsThereAgainAndGoesOnWorking) {
  populate();
  const Tree before = tree();
  for (int round = 0; round < 3; ++round) {
    fs().remount();
    ASSERT_EQ(tree_difference(tree(), before), "");
    fs().check();
  }
  must(fs().open("/appended")->append(bytes_of("more")));
  fs().write_file("/d/new", "new");
  fs().unlink("/link");
  const Tree changed = tree();
  fs().remount();
  EXPECT_EQ(tree_difference(tree(), changed), "");
}

TEST_P(ConformanceRemount, EverythingIsThereAfterACrashToo) {
  if (!fs().traits().needs_region) GTEST_SKIP() << "a kernel's file system cannot be crashed from here";
  populate();
  const Tree before = tree();
  for (int round = 0; round < 3; ++round) {
    crash();
    ASSERT_EQ(tree_difference(tree(), before), "");
    fs().check();
  }
  fs().remount();
  EXPECT_EQ(tree_difference(tree(), before), "");
}

TEST_P(ConformanceRemount, ReservedSpaceStaysReserved) {
  fs().write_file("/f", "x");
  must(fs().open("/f")->fallocate(FallocateMode::kKeepSize, 0, 300'000));
  const uint64_t before = fs().stat("/f").allocated_bytes;
  EXPECT_GE(before, 300'000u);
  fs().remount();
  EXPECT_EQ(fs().stat("/f").allocated_bytes, before);
}

TEST_P(ConformanceRemount, FreeSpaceIsTheSameBeforeAndAfter) {
  if (!fs().traits().needs_region) GTEST_SKIP() << "a kernel's file system is shared with whatever else runs on the machine";
  populate();
  fs().remount();
  const FsStats before = must(engine().statfs());
  fs().remount();
  const FsStats after = must(engine().statfs());
  EXPECT_EQ(after.blocks_free, before.blocks_free);
  EXPECT_EQ(after.inodes_free, before.inodes_free);
  EXPECT_EQ(after.blocks_total, before.blocks_total);
}

TEST_P(ConformanceRemount, ManyNamesInOneDirectoryAndADeepTreeComeBack) {
  fs().mkdir("/many");
  std::unique_ptr<Directory> many = fs().directory("/many");
  for (int i = 0; i < 5000; ++i) engine().forget(must(many->create("name" + std::to_string(i), 0644, {})).attributes.ino, 1);
  for (int i = 0; i < 5000; i += 3) must(many->unlink("name" + std::to_string(i)));
  many.reset();
  std::string path;
  for (int depth = 0; depth < 40; ++depth) fs().mkdir(path += "/deep");
  fs().write_file(path + "/bottom", "bottom");
  const auto reopened = [&] {
    EXPECT_EQ(fs().names("/many").size(), 5000u - 1667u);
    EXPECT_FALSE(fs().exists("/many/name3"));
    EXPECT_TRUE(fs().exists("/many/name4"));
    EXPECT_EQ(difference(fs().read_file(path + "/bottom"), bytes_of("bottom")), "");
  };
  reopened();
  fs().remount();
  reopened();
}

TEST_P(ConformanceRemount, ReaddirCookiesMayChangeButNamesAreListedOnce) {
  for (int i = 0; i < 300; ++i) fs().write_file("/n" + std::to_string(i), "x");
  const std::set<std::string> before = fs().names("/");
  fs().remount();
  EXPECT_EQ(fs().names("/"), before);
}

TEST_P(ConformanceRemount, FormattingAgainLeavesNothing) {
  populate();
  fs().unmount();
  must(fs().spec().type->format(fs().region(), fs().spec().options));
  fs().mount();
  EXPECT_TRUE(fs().names("/").empty());
  fs().write_file("/f", content(9, 100'000));
  fs().remount();
  EXPECT_EQ(difference(fs().read_file("/f"), content(9, 100'000)), "");
}

TEST_P(ConformanceRemount, AMediumWithoutItsLabelIsRefused) {
  if (!fs().traits().needs_region) GTEST_SKIP() << "it has no label";
  const EngineType& type = *fs().spec().type;
  const auto blank = must(pmem::Region::for_test(fs().region()->size_bytes()));
  EXPECT_EQ(outcome(type.mount(blank.get(), fs().spec().options)), Errc::kWrongLabel);

  pmem::Label label;
  label.engine = "somebody-else";
  label.format_version = 1;
  label.size_bytes = blank->size_bytes();
  label.uuid = "00000000-0000-4000-8000-000000000000";
  pmem::write_label(*blank, label);
  EXPECT_EQ(outcome(type.mount(blank.get(), fs().spec().options)), Errc::kWrongLabel);
  label.engine = type.name();
  label.format_version = type.format_version() + 1;
  pmem::write_label(*blank, label);
  EXPECT_EQ(outcome(type.mount(blank.get(), fs().spec().options)), Errc::kWrongLabel);
}

TEST_P(ConformanceRemount, AMediumThatIsTooSmallIsRefusedByFormat) {
  if (!fs().traits().needs_region) GTEST_SKIP() << "it has no medium";
  const EngineType& type = *fs().spec().type;
  ASSERT_GT(type.min_size_bytes(), 16 * kKiB);
  const auto tiny = must(pmem::Region::for_test(16 * kKiB));
  const Result<void> formatted = type.format(tiny.get(), fs().spec().options);
  EXPECT_EQ(outcome(formatted), Errc::kNoSpace);
  const auto smallest = must(pmem::Region::for_test(type.min_size_bytes()));
  must(type.format(smallest.get(), fs().spec().options));
  const std::unique_ptr<Engine> mounted = must(type.mount(smallest.get(), fs().spec().options));
  must(mounted->unmount());
}

DAXLAB_ON_EVERY_ENGINE(ConformanceRemount);

}  // namespace
}  // namespace daxlab::tests
