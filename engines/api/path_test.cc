#include "engines/api/path.h"

#include "engines/api/testing.h"

namespace daxlab::tests {
namespace {

class PathWalk : public EngineSuite {
 protected:
  void SetUp() override {
    EngineSuite::SetUp();
    if (IsSkipped()) return;
    fs().mkdir("/a");
    fs().mkdir("/a/b");
    fs().write_file("/a/b/file", "content");
  }
  InodeId ino(std::string_view path) { return must(resolve(engine(), path)).ino; }
  Outcome walk(std::string_view path, bool follow = true) { return outcome(resolve(engine(), path, follow)); }
};

TEST_P(PathWalk, EverySpellingOfAPathReachesTheSameNode) {
  const InodeId file = ino("/a/b/file");
  for (const char* path :
       {"a/b/file", "//a///b/file", "/./a/./b/./file", "/a/../a/b/file", "/../../a/b/file", "/a/b/../b/file"}) {
    EXPECT_EQ(ino(path), file) << path;
  }
  EXPECT_EQ(ino("/"), engine().root());
  EXPECT_EQ(ino(""), engine().root());
  EXPECT_EQ(ino("/a/.."), engine().root());
  EXPECT_EQ(ino("/a/b/"), ino("/a/b"));
}

TEST_P(PathWalk, AMissingComponentIsNotFoundAndAFileInTheMiddleIsNoDirectory) {
  EXPECT_EQ(walk("/a/x/file"), Errc::kNotFound);
  EXPECT_EQ(walk("/a/b/x"), Errc::kNotFound);
  EXPECT_EQ(walk("/a/b/file/x"), Errc::kNotDirectory);
  EXPECT_EQ(walk("/a/b/file/.."), Errc::kNotDirectory);
  EXPECT_EQ(walk("/a/b/file/"), Errc::kNotDirectory);
  EXPECT_EQ(outcome(open_directory_path(engine(), "/a/b/file")), Errc::kNotDirectory);
  EXPECT_EQ(outcome(open_path(engine(), "/a/b")), Errc::kIsDirectory);
}

TEST_P(PathWalk, SymlinksInTheMiddleAreFollowedAndTheLastOnlyOnRequest) {
  fs().symlink("/a/relative", "b");
  fs().symlink("/absolute", "/a/b");
  fs().symlink("/a/b/up", "../../absolute/file");
  EXPECT_EQ(ino("/a/relative/file"), ino("/a/b/file"));
  EXPECT_EQ(ino("/absolute/file"), ino("/a/b/file"));
  EXPECT_EQ(ino("/a/b/up"), ino("/a/b/file"));
  EXPECT_EQ(must(resolve(engine(), "/a/b/up", false)).kind, NodeKind::kSymlink);
  EXPECT_EQ(must(resolve(engine(), "/absolute/", false)).kind, NodeKind::kDirectory);
  EXPECT_EQ(Mounted::read_all(*fs().open("/a/b/up")), fs().read_file("/a/b/file"));
}

TEST_P(PathWalk, FortySymlinksAreAWalkAndOneMoreIsALoop) {
  fs().symlink("/s1", "/a");
  for (int i = 2; i <= kSymlinksFollowedMax + 1; ++i) fs().symlink("/s" + std::to_string(i), "s" + std::to_string(i - 1));
  EXPECT_EQ(ino("/s" + std::to_string(kSymlinksFollowedMax)), ino("/a"));
  EXPECT_EQ(walk("/s" + std::to_string(kSymlinksFollowedMax + 1)), Errc::kLoop);
  fs().symlink("/self", "self");
  EXPECT_EQ(walk("/self"), Errc::kLoop);
}

TEST_P(PathWalk, AParentIsOpenedWithTheLastNameWhichNeedNotExist) {
  const auto [parent, name] = must(open_parent(engine(), "/a/b/new"));
  EXPECT_EQ(parent->ino(), ino("/a/b"));
  EXPECT_EQ(name, "new");
  EXPECT_EQ(outcome(open_parent(engine(), "/")), Errc::kInvalid);
  EXPECT_EQ(outcome(open_parent(engine(), "/a/..")), Errc::kInvalid);
  EXPECT_EQ(outcome(open_parent(engine(), "/a/b/file/x")), Errc::kNotDirectory);
}

// A walk that kept a reference would keep the inode for ever.
TEST_P(PathWalk, NoReferenceIsLeft) {
  for (const char* path : {"/a/b/file", "/a/b/x", "/a/b/file/x"}) (void)walk(path);
  const InodeId file = fs().refer("/a/b/file");
  fs().unlink("/a/b/file");
  engine().forget(file, 1);
  EXPECT_EQ(outcome(engine().getattr(file)), Errc::kStale);
}

DAXLAB_ON_EVERY_ENGINE(PathWalk);

}  // namespace
}  // namespace daxlab::tests
