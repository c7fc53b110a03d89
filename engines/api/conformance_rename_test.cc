// rename(): what it replaces, what it refuses, and what it leaves as it is.

#include "engines/api/testing.h"

namespace daxlab::tests {
namespace {

class ConformanceRename : public EngineSuite {
 protected:
  Outcome rename(std::string_view from, std::string_view to, RenameFlags flags = RenameFlags::kNone) {
    return outcome(fs().try_rename(from, to, flags));
  }
  bool has(std::string_view path, std::string_view text) { return difference(fs().read_file(path), bytes_of(text)).empty(); }
};

TEST_P(ConformanceRename, MovesEveryKindWithinAndAcrossDirectories) {
  fs().mkdir("/from");
  fs().mkdir("/to");
  fs().write_file("/from/file", "content");
  fs().mkdir("/from/directory");
  fs().write_file("/from/directory/inside", "moves along");
  fs().symlink("/from/symlink", "target");
  fs().mknod("/from/fifo", NodeKind::kFifo);
  for (const std::string name : {"file", "directory", "symlink", "fifo"}) {
    const Attributes before = fs().stat("/from/" + name);
    fs().rename("/from/" + name, "/from/renamed");
    fs().rename("/from/renamed", "/to/" + name);
    const Attributes after = fs().stat("/to/" + name);
    EXPECT_EQ(after.ino, before.ino) << name;
    EXPECT_EQ(after.kind, before.kind) << name;
    EXPECT_EQ(after.links, before.links) << name;
    EXPECT_EQ(after.mode, before.mode) << name;
  }
  EXPECT_TRUE(fs().names("/from").empty());
  EXPECT_TRUE(has("/to/file", "content"));
  EXPECT_TRUE(has("/to/directory/inside", "moves along"));
  fs().rmdir("/from");
}

TEST_P(ConformanceRename, ReplacesAFile) {
  fs().write_file("/a", "new");
  fs().write_file("/b", "old");
  const InodeId old_ino = fs().refer("/b");
  const InodeId new_ino = fs().stat("/a").ino;
  fs().rename("/a", "/b");
  EXPECT_FALSE(fs().exists("/a"));
  EXPECT_EQ(fs().stat("/b").ino, new_ino);
  EXPECT_TRUE(has("/b", "new"));
  EXPECT_EQ(must(engine().getattr(old_ino)).links, 0u);
  engine().forget(old_ino, 1);
  EXPECT_EQ(outcome(engine().getattr(old_ino)), Errc::kStale);
}

TEST_P(ConformanceRename, ReplacesOneNameOfALinkedFile) {
  fs().write_file("/a", "new");
  fs().write_file("/b", "old");
  fs().link("/b", "/c");
  fs().rename("/a", "/b");
  EXPECT_TRUE(has("/b", "new"));
  EXPECT_TRUE(has("/c", "old"));
  EXPECT_EQ(fs().stat("/c").links, 1u);
}

TEST_P(ConformanceRename, ReplacesAnyNonDirectoryByAnyOther) {
  const std::vector<std::function<void(const std::string&)>> makers = {
      [&](const std::string& path) { fs().write_file(path, "x"); }, [&](const std::string& path) { fs().symlink(path, "t"); },
      [&](const std::string& path) { fs().mknod(path, NodeKind::kFifo); }};
  for (const auto& make_from : makers) {
    for (const auto& make_to : makers) {
      make_from("/from");
      make_to("/to");
      const Attributes before = fs().stat("/from");
      fs().rename("/from", "/to");
      EXPECT_EQ(fs().stat("/to").ino, before.ino);
      EXPECT_EQ(fs().stat("/to").kind, before.kind);
      EXPECT_EQ(fs().names("/"), std::set<std::string>{"to"});
      fs().unlink("/to");
    }
  }
}

TEST_P(ConformanceRename, ReplacesAnEmptyDirectoryAndNoOther) {
  fs().mkdir("/a");
  fs().write_file("/a/x", "x");
  fs().mkdir("/empty");
  fs().mkdir("/full");
  fs().write_file("/full/y", "y");
  EXPECT_EQ(rename("/a", "/full"), Errc::kNotEmpty);
  fs().rename("/a", "/empty");
  EXPECT_TRUE(has("/empty/x", "x"));
  EXPECT_EQ(fs().names("/"), (std::set<std::string>{"empty", "full"}));
  EXPECT_EQ(must(root().getattr()).links, 4u);
}

TEST_P(ConformanceRename, DirectoriesAndOthersDoNotReplaceEachOther) {
  fs().mkdir("/d");
  fs().write_file("/f", "x");
  fs().symlink("/s", "d");
  EXPECT_EQ(rename("/d", "/f"), Errc::kNotDirectory);
  EXPECT_EQ(rename("/d", "/s"), Errc::kNotDirectory);
  EXPECT_EQ(rename("/f", "/d"), Errc::kIsDirectory);
  EXPECT_EQ(rename("/s", "/d"), Errc::kIsDirectory);
  EXPECT_EQ(fs().names("/").size(), 3u);
}

TEST_P(ConformanceRename, ADirectoryDoesNotGoBelowItselfNorOverItsAncestor) {
  fs().mkdir("/a");
  fs().mkdir("/a/b");
  fs().mkdir("/a/b/c");
  EXPECT_EQ(rename("/a", "/a/x"), Errc::kInvalid);
  EXPECT_EQ(rename("/a", "/a/b/c/x"), Errc::kInvalid);
  EXPECT_EQ(rename("/a", "/a/b"), Errc::kInvalid);
  EXPECT_EQ(rename("/a/b/c", "/a"), Errc::kNotEmpty);
  EXPECT_EQ(rename("/a/b", "/a"), Errc::kNotEmpty);
  EXPECT_TRUE(fs().exists("/a/b/c"));
}

TEST_P(ConformanceRename, AnAbsentSourceIsNotFound) {
  fs().write_file("/b", "kept");
  EXPECT_EQ(rename("/a", "/b"), Errc::kNotFound);
  EXPECT_EQ(rename("/a", "/a"), Errc::kNotFound);
  EXPECT_TRUE(has("/b", "kept"));
}

TEST_P(ConformanceRename, OntoItselfNothingHappens) {
  fs().write_file("/f", "x");
  fs().mkdir("/d");
  fs().rename("/f", "/f");
  fs().rename("/d", "/d");
  EXPECT_TRUE(has("/f", "x"));
  EXPECT_EQ(fs().stat("/d").links, 2u);
}

// rename(2): if both names are links of one file, the call does nothing and succeeds.
TEST_P(ConformanceRename, OntoALinkOfTheSameFileNothingHappensAndBothNamesStay) {
  fs().write_file("/f", "x");
  fs().mkdir("/d");
  fs().link("/f", "/d/g");
  fs().rename("/f", "/d/g");
  EXPECT_TRUE(fs().exists("/f"));
  EXPECT_TRUE(fs().exists("/d/g"));
  EXPECT_EQ(fs().stat("/f").links, 2u);
}

TEST_P(ConformanceRename, NoReplaceRefusesWhateverIsThere) {
  fs().write_file("/f", "x");
  fs().mkdir("/d");
  for (const char* to : {"/g", "/e", "/f"}) {
    if (std::string_view(to) == "/g") fs().write_file(to, "y");
    if (std::string_view(to) == "/e") fs().mkdir(to);
    EXPECT_EQ(rename("/f", to, RenameFlags::kNoReplace), Errc::kExists) << to;
    EXPECT_EQ(rename("/d", to, RenameFlags::kNoReplace), Errc::kExists) << to;
  }
  fs().link("/f", "/link");
  EXPECT_EQ(rename("/f", "/link", RenameFlags::kNoReplace), Errc::kExists);
  fs().rename("/f", "/free", RenameFlags::kNoReplace);
  EXPECT_TRUE(has("/free", "x"));
  EXPECT_EQ(rename("/absent", "/free", RenameFlags::kNoReplace), Errc::kNotFound);
}

TEST_P(ConformanceRename, OtherFlagsAreInvalid) {
  fs().write_file("/f", "x");
  fs().write_file("/g", "y");
  for (const uint32_t flags : {2u, 3u, 4u, 5u, 8u, 1u << 31}) {
    EXPECT_EQ(rename("/f", "/g", static_cast<RenameFlags>(flags)), Errc::kInvalid) << flags;
    EXPECT_EQ(rename("/f", "/new", static_cast<RenameFlags>(flags)), Errc::kInvalid) << flags;
  }
  EXPECT_TRUE(has("/f", "x"));
  EXPECT_TRUE(has("/g", "y"));
}

TEST_P(ConformanceRename, OpenHandlesFollowTheirFile) {
  fs().mkdir("/d");
  const std::unique_ptr<File> file = fs().create("/d/f");
  const std::unique_ptr<Directory> directory = fs().directory("/d");
  fs().rename("/d", "/e");
  must(file->write(0, bytes_of("through the handle")));
  EXPECT_TRUE(has("/e/f", "through the handle"));
  must(directory->rename("f", *directory, "g", RenameFlags::kNone));
  EXPECT_TRUE(has("/e/g", "through the handle"));
}

TEST_P(ConformanceRename, AReplacedOpenFileLivesUntilItIsClosed) {
  fs().write_file("/old", "old content");
  fs().write_file("/new", "new");
  const std::unique_ptr<File> file = fs().open("/old");
  fs().rename("/new", "/old");
  EXPECT_EQ(difference(Mounted::read_all(*file), bytes_of("old content")), "");
  must(file->append(bytes_of(", still")));
  EXPECT_EQ(must(file->getattr()).links, 0u);
  EXPECT_TRUE(has("/old", "new"));
}

// Each shape of a chain of names that hash and slot reuse may get wrong: the name freed by one rename is taken by the next.
TEST_P(ConformanceRename, NamesRotateThroughEachOther) {
  for (int i = 0; i < 4; ++i) fs().write_file("/n" + std::to_string(i), std::to_string(i));
  for (int round = 0; round < 200; ++round) {
    fs().rename("/n3", "/spare");
    for (int i = 2; i >= 0; --i) fs().rename("/n" + std::to_string(i), "/n" + std::to_string(i + 1));
    fs().rename("/spare", "/n0");
  }
  for (int i = 0; i < 4; ++i) EXPECT_TRUE(has("/n" + std::to_string(i), std::to_string(i)));
}

DAXLAB_ON_EVERY_ENGINE(ConformanceRename);

}  // namespace
}  // namespace daxlab::tests
