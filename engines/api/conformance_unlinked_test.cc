// Unlinked inodes: alive while open or referenced, gone afterwards, and no trace after a remount or a crash.

#include "engines/api/testing.h"

namespace daxlab::tests {
namespace {

class ConformanceUnlinked : public EngineSuite {
 protected:
  uint64_t blocks_free() { return must(engine().statfs()).blocks_free; }
};

TEST_P(ConformanceUnlinked, AnOpenFileStaysReadableAndWritableWithoutAName) {
  const std::unique_ptr<File> file = fs().create("/f");
  const Bytes data = content(1, 100'000);
  must(file->write(0, data));
  fs().unlink("/f");
  EXPECT_EQ(must(file->getattr()).links, 0u);
  EXPECT_EQ(difference(Mounted::read_all(*file), data), "");
  must(file->write(50'000, content(2, 100'000)));
  EXPECT_EQ(must(file->append(content(3, 10))), 150'000u);
  must(file->setattr({.size_bytes = 20'000}));
  must(file->fallocate(FallocateMode::kPunchHole, 4096, 4096));
  must(file->fsync());
  EXPECT_EQ(Mounted::read_all(*file).size(), 20'000u);
  EXPECT_FALSE(fs().exists("/f"));
}

TEST_P(ConformanceUnlinked, ItsNameIsFreeForAnotherFile) {
  const std::unique_ptr<File> first = fs().create("/f");
  must(first->write(0, bytes_of("first")));
  fs().unlink("/f");
  fs().write_file("/f", "second");
  EXPECT_NE(fs().stat("/f").ino, first->ino());
  EXPECT_EQ(difference(Mounted::read_all(*first), bytes_of("first")), "");
  EXPECT_EQ(difference(fs().read_file("/f"), bytes_of("second")), "");
}

TEST_P(ConformanceUnlinked, TheLastOfSeveralHandlesFreesIt) {
  std::unique_ptr<File> first = fs().create("/f");
  must(first->write(0, bytes_of("shared")));
  std::unique_ptr<File> second = fs().open("/f");
  const InodeId ino = first->ino();
  fs().unlink("/f");
  first.reset();
  EXPECT_EQ(difference(Mounted::read_all(*second), bytes_of("shared")), "");
  second.reset();
  EXPECT_EQ(outcome(engine().getattr(ino)), Errc::kStale);
}

TEST_P(ConformanceUnlinked, AReferencedInodeCanBeOpenedUntilItIsForgotten) {
  fs().write_file("/f", "referenced");
  const InodeId ino = fs().refer("/f");
  fs().unlink("/f");
  EXPECT_EQ(must(engine().getattr(ino)).links, 0u);
  std::unique_ptr<File> file = must(engine().open(ino, {}));
  engine().forget(ino, 1);
  EXPECT_EQ(difference(Mounted::read_all(*file), bytes_of("referenced")), "");
  file.reset();
  EXPECT_EQ(outcome(engine().getattr(ino)), Errc::kStale);
  EXPECT_EQ(outcome(engine().open(ino, {})), Errc::kStale);
}

TEST_P(ConformanceUnlinked, ReferencesAreCountedOneByOne) {
  fs().write_file("/f", "x");
  const InodeId ino = fs().refer("/f");
  for (int i = 0; i < 9; ++i) EXPECT_EQ(fs().refer("/f"), ino);
  fs().link("/f", "/g");
  fs().unlink("/f");
  fs().unlink("/g");
  engine().forget(ino, 4);
  engine().forget(ino, 5);
  EXPECT_EQ(must(engine().getattr(ino)).links, 0u);
  engine().forget(ino, 1);
  EXPECT_EQ(outcome(engine().getattr(ino)), Errc::kStale);
}

TEST_P(ConformanceUnlinked, ANumberIsNotGivenAwayWhileItIsReferenced) {
  fs().write_file("/f", "x");
  fs().mkdir("/d");
  fs().symlink("/s", "t");
  const std::set<InodeId> held{fs().refer("/f"), fs().refer("/d"), fs().refer("/s")};
  fs().unlink("/f");
  fs().rmdir("/d");
  fs().unlink("/s");
  for (int i = 0; i < 500; ++i) {
    const std::string path = "/n" + std::to_string(i);
    fs().write_file(path, "x");
    EXPECT_FALSE(held.contains(fs().stat(path).ino));
    if (i % 3 != 0) fs().unlink(path);
  }
  for (const InodeId ino : held) engine().forget(ino, 1);
}

TEST_P(ConformanceUnlinked, AnInodeWithoutANameGetsNoFurtherOne) {
  const std::unique_ptr<File> file = fs().create("/f");
  fs().unlink("/f");
  EXPECT_EQ(outcome(root().link("again", file->ino())), Errc::kNotFound);
  EXPECT_TRUE(fs().names("/").empty());
}

TEST_P(ConformanceUnlinked, ARemovedDirectoryStaysAnEmptyOneWhileItIsOpen) {
  fs().mkdir("/d");
  const std::unique_ptr<Directory> d = fs().directory("/d");
  fs().rmdir("/d");
  EXPECT_EQ(must(d->getattr()).links, 0u);
  EXPECT_EQ(must(d->getattr()).kind, NodeKind::kDirectory);
  fs().mkdir("/d");
  EXPECT_NE(fs().stat("/d").ino, d->ino());
  EXPECT_EQ(outcome(d->create("f", 0644, {})), Errc::kNotFound);
}

TEST_P(ConformanceUnlinked, ItsSpaceComesBackWithTheLastClose) {
  if (!fs().traits().needs_region) GTEST_SKIP() << "others use the same file system";
  fs().write_file("/warm", "up");  // whatever is allocated once
  fs().unlink("/warm");
  const uint64_t before = blocks_free();
  std::unique_ptr<File> file = fs().create("/f");
  must(file->write(0, content(1, 4 * kMiB)));
  fs().unlink("/f");
  EXPECT_LE(blocks_free(), before - 4 * kMiB / kBlockBytes);
  file.reset();
  EXPECT_GE(blocks_free() + 8, before);  // a log block or two may stay
}

TEST_P(ConformanceUnlinked, UnmountIsRefusedWhileAnythingIsOpen) {
  std::unique_ptr<File> file = fs().create("/f");
  EXPECT_EQ(outcome(engine().unmount()), Errc::kBusy);
  must(file->write(0, bytes_of("nothing changed")));
  EXPECT_EQ(difference(fs().read_file("/f"), bytes_of("nothing changed")), "");
}

/// Leaves no orphan: after a crash with the file open, all that was ever stored being durable, there is only the name that was
/// left.
TEST_P(ConformanceUnlinked, ACrashWhileItIsOpenLeavesNoOrphan) {
  if (!fs().traits().needs_region) GTEST_SKIP() << "its medium is the kernel's";
  Mounted other(GetParam(), fs().region()->size_bytes());
  fs().write_file("/kept", "kept");
  must(engine().sync());
  const uint64_t before = blocks_free();
  const std::unique_ptr<File> file = fs().create("/f");
  must(file->write(0, content(1, kMiB)));
  must(file->fsync());
  fs().mkdir("/d");
  const std::unique_ptr<Directory> d = fs().directory("/d");
  fs().unlink("/f");
  fs().rmdir("/d");
  must(root().fsync());
  other.unmount();
  std::memcpy(other.region()->bytes().data(), fs().region()->bytes().data(), fs().region()->size_bytes());
  other.mount();
  EXPECT_EQ(other.names("/"), std::set<std::string>{"kept"});
  EXPECT_GE(must(other->statfs()).blocks_free + 8, before);
  other.check();
}

DAXLAB_ON_EVERY_ENGINE(ConformanceUnlinked);

}  // namespace
}  // namespace daxlab::tests
