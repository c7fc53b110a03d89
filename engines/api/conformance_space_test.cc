// A full medium: kNoSpace and nothing changed, everything stays sound, removing still works and the space comes back.

#include <sys/mount.h>

#include "engines/api/testing_tree.h"
#include "engines/posix/tree.h"

namespace daxlab::tests {
namespace {

constexpr uint64_t kSmallMediumBytes = 16 * kMiB;

/// A small tmpfs for the posix engine, so that the suite's own expectations are a kernel's too. Absent where mount(2) is refused.
class SmallTmpfs {
 public:
  SmallTmpfs() : path_(must(posix::make_temporary_tree())) {
    mounted_ = ::mount("daxlab", path_.c_str(), "tmpfs", 0, "size=16m,nr_inodes=4k") == 0;
  }
  ~SmallTmpfs() {
    if (mounted_) {
      EXPECT_EQ(::umount2(path_.c_str(), MNT_DETACH), 0);
    }
    EXPECT_TRUE(posix::remove_tree(path_).ok());
  }
  bool mounted() const { return mounted_; }
  const std::string& path() const { return path_; }

 private:
  const std::string path_;
  bool mounted_ = false;
};

class ConformanceSpace : public EngineSuite {
 protected:
  uint64_t medium_bytes() const override { return kSmallMediumBytes; }
  std::string spec_text() override {
    in_kernel_ = enters_kernel(GetParam());
    if (!in_kernel_) return GetParam();
    tmpfs_ = std::make_unique<SmallTmpfs>();
    if (!tmpfs_->mounted()) skip();
    return GetParam() + ":path=" + tmpfs_->path();
  }
  void SetUp() override {
    EngineSuite::SetUp();
    if (IsSkipped()) return;
    fs().write_file("/kept", content(1, 100'000));
    fs().mkdir("/d");
    fs().write_file("/d/warm", "whatever is allocated once is allocated now");
    fs().unlink("/d/warm");
  }
  void TearDown() override {
    if (!IsSkipped() && !HasFailure()) {
      EXPECT_EQ(difference(fs().read_file("/kept"), content(1, 100'000)), "");
    }
    EngineSuite::TearDown();
    tmpfs_.reset();
  }
  uint64_t blocks_free() { return must(engine().statfs()).blocks_free; }

  /// Fills the medium by one file until a write of one block fails; that failure must be kNoSpace and change nothing.
  std::unique_ptr<File> fill() {
    std::unique_ptr<File> file = fs().create("/filler");
    for (size_t size = 256 * kKiB; size >= kBlockBytes; size /= 2) {
      while (true) {
        const uint64_t before = must(file->getattr()).size_bytes;
        const Result<uint64_t> appended = file->append(content(before, size));
        if (appended.ok()) continue;
        EXPECT_EQ(appended.code(), Errc::kNoSpace);
        EXPECT_EQ(must(file->getattr()).size_bytes, before);
        break;
      }
    }
    return file;
  }

  bool in_kernel_ = false;
  static void skip() { GTEST_SKIP() << "mounting a small tmpfs is not allowed here"; }
  std::unique_ptr<SmallTmpfs> tmpfs_;
};

TEST_P(ConformanceSpace, StatfsMovesWithWhatIsStoredAndComesBack) {
  const FsStats before = must(engine().statfs());
  EXPECT_LE(before.blocks_total * kBlockBytes, kSmallMediumBytes);
  EXPECT_GT(before.blocks_free, before.blocks_total / 2);
  fs().write_file("/f", content(2, 4 * kMiB));
  EXPECT_LE(blocks_free(), before.blocks_free - 4 * kMiB / kBlockBytes);
  fs().unlink("/f");
  EXPECT_GE(blocks_free() + 8, before.blocks_free);
}

TEST_P(ConformanceSpace, AFullMediumKeepsEverythingAndGivesAllBackOnRemoval) {
  const uint64_t before = blocks_free();
  std::unique_ptr<File> filler = fill();
  const uint64_t size = must(filler->getattr()).size_bytes;
  EXPECT_GT(size, kSmallMediumBytes / 2);
  Bytes piece(kBlockBytes);
  for (uint64_t offset = 0; offset + kBlockBytes <= size; offset += 97 * kBlockBytes) {
    EXPECT_EQ(must(filler->read(offset, piece)), kBlockBytes);  // readable at all; its bytes are compared below
  }
  EXPECT_EQ(difference(Mounted::read(*filler, 0, 256 * kKiB), content(0, 256 * kKiB)), "");
  fs().check();
  filler.reset();
  fs().unlink("/filler");
  EXPECT_GE(blocks_free() + 16, before);
  fs().write_file("/again", content(5, 4 * kMiB));
  EXPECT_EQ(difference(fs().read_file("/again"), content(5, 4 * kMiB)), "");
}

TEST_P(ConformanceSpace, FillingAndRemovingAgainAndAgainLosesNothing) {
  uint64_t first_size = 0;
  for (int round = 0; round < 5; ++round) {
    std::unique_ptr<File> filler = fill();
    const uint64_t size = must(filler->getattr()).size_bytes;
    if (round == 0) first_size = size;
    EXPECT_GE(size + 64 * kBlockBytes, first_size) << "round " << round;
    filler.reset();
    fs().unlink("/filler");
  }
}

TEST_P(ConformanceSpace, AWriteThatDoesNotFitFailsAndLeavesTheOldBytes) {
  if (in_kernel_) GTEST_SKIP() << "write(2) may leave a part";
  const Bytes old = content(6, 200'000);
  fs().write_file("/f", old);
  const std::unique_ptr<File> filler = fill();
  const std::unique_ptr<File> file = fs().open("/f");
  EXPECT_EQ(outcome(file->write(100'000, content(7, kSmallMediumBytes))), Errc::kNoSpace);
  EXPECT_EQ(difference(Mounted::read_all(*file), old), "");
  EXPECT_EQ(outcome(file->write(10 * kMiB, content(8, 2 * kMiB))), Errc::kNoSpace);
  EXPECT_EQ(must(file->getattr()).size_bytes, 200'000u);
}

TEST_P(ConformanceSpace, FallocateOfTooMuchFailsAndChangesNothing) {
  const std::unique_ptr<File> file = fs().create("/f");
  must(file->write(0, bytes_of("small")));
  const uint64_t before = blocks_free();
  EXPECT_EQ(outcome(file->fallocate(FallocateMode::kAllocate, 0, 10 * kSmallMediumBytes)), Errc::kNoSpace);
  EXPECT_EQ(must(file->getattr()).size_bytes, 5u);
  EXPECT_EQ(outcome(file->fallocate(FallocateMode::kKeepSize, 0, 10 * kSmallMediumBytes)), Errc::kNoSpace);
  EXPECT_GE(blocks_free() + 8, before);
  EXPECT_EQ(difference(Mounted::read_all(*file), bytes_of("small")), "");
}

TEST_P(ConformanceSpace, ReservedSpaceCanBeWrittenWhenTheMediumIsFull) {
  const std::unique_ptr<File> reserved = fs().create("/reserved");
  must(reserved->fallocate(FallocateMode::kAllocate, 0, kMiB));
  const std::unique_ptr<File> filler = fill();
  if (!in_kernel_ && fs().spec().options.all().contains("data") && fs().spec().options.is("data", "cow")) {
    GTEST_SKIP() << "copy on write needs a new block for every overwrite";
  }
  for (uint64_t offset = 0; offset < kMiB; offset += 64 * kKiB) must(reserved->write(offset, content(offset, 64 * kKiB)));
}

// What a grown inode table or directory log keeps for later names is not lost: as many names fit again.
TEST_P(ConformanceSpace, NamesRunOutSoundlyAndAsManyFitAgainOnceAllAreRemoved) {
  const std::unique_ptr<Directory> d = fs().directory("/d");
  const std::string padding(200, 'p');
  uint64_t first_count = 0;
  for (int round = 0; round < 3; ++round) {
    uint64_t created = 0;
    while (true) {
      const Result<CreatedFile> file = d->create(std::to_string(created) + padding, 0644, {});
      if (!file.ok()) {
        EXPECT_EQ(file.code(), Errc::kNoSpace);
        break;
      }
      engine().forget(file->attributes.ino, 1);
      ++created;
      ASSERT_LT(created, kSmallMediumBytes / 64) << "more names than the medium has lines";
    }
    if (round == 0) first_count = created;
    EXPECT_GT(created, 1000u);
    EXPECT_GE(created, first_count - first_count / 10) << "round " << round;
    EXPECT_EQ(Mounted::names(*d).size(), created);
    for (const auto& [call, result] : {std::pair("mkdir", outcome(d->mkdir("full" + padding, 0755, {}))),
                                       std::pair("symlink", outcome(d->symlink("full" + padding, std::string(4000, 't'), {})))}) {
      EXPECT_EQ(result, Errc::kNoSpace) << call;
    }
    fs().check();
    for (uint64_t i = 0; i < created; ++i) must(d->unlink(std::to_string(i) + padding));
    EXPECT_TRUE(Mounted::names(*d).empty());
  }
  fs().write_file("/d/new", content(1, kMiB));
  fs().unlink("/d/new");
  fs().rmdir("/d");
}

TEST_P(ConformanceSpace, OnAFullMediumThingsCanBeRenamedTruncatedAndRemoved) {
  for (int i = 0; i < 20; ++i) fs().write_file("/d/f" + std::to_string(i), content(static_cast<uint64_t>(i), 20'000));
  const std::unique_ptr<File> filler = fill();
  while (true) {  // the last bytes too
    const Result<CreatedFile> created =
        root().create("x" + std::to_string(blocks_free()) + std::to_string(must(engine().statfs()).inodes_free), 0644, {});
    if (!created.ok()) break;
    engine().forget(created->attributes.ino, 1);
    if (!created->file->write(0, bytes_of("last bytes")).ok()) break;
  }
  for (int i = 0; i < 10; ++i) must(fs().directory("/d")->unlink("f" + std::to_string(i)));
  must(filler->setattr({.size_bytes = 10 * kBlockBytes}));
  for (int i = 10; i < 20; ++i) fs().rename("/d/f" + std::to_string(i), "/d/g" + std::to_string(i));
  for (int i = 10; i < 20; ++i) {
    EXPECT_EQ(difference(fs().read_file("/d/g" + std::to_string(i)), content(static_cast<uint64_t>(i), 20'000)), "");
  }
  fs().write_file("/room", content(3, kMiB));
}

TEST_P(ConformanceSpace, AFullMediumMountsAgain) {
  if (in_kernel_) GTEST_SKIP() << "the kernel's own";
  { const std::unique_ptr<File> filler = fill(); }
  const Tree before = must(read_tree(engine()));
  fs().remount();
  EXPECT_EQ(tree_difference(must(read_tree(engine())), before), "");
  fs().drop();
  fs().mount();
  EXPECT_EQ(tree_difference(must(read_tree(engine())), before), "");
  fs().unlink("/filler");
  fs().write_file("/new", content(4, kMiB));
}

DAXLAB_ON_EVERY_ENGINE(ConformanceSpace);

}  // namespace
}  // namespace daxlab::tests
