// What is the posix engine's own: where its tree lies, what it leaves behind, descriptors. What it does is the suites' business.

#include <dirent.h>
#include <sys/stat.h>
#include <unistd.h>

#include <thread>

#include "engines/api/testing.h"
#include "engines/posix/tree.h"

namespace daxlab::tests {
namespace {

uint64_t open_descriptors() {
  uint64_t count = 0;
  DIR* const listing = ::opendir("/proc/self/fd");
  while (::readdir(listing) != nullptr) ++count;
  ::closedir(listing);
  return count;
}

bool on_disk(const std::string& path) {
  struct stat status;
  return ::lstat(path.c_str(), &status) == 0;
}

/// A directory that is gone with the test.
class TemporaryDirectory {
 public:
  TemporaryDirectory() : path_(must(posix::make_temporary_tree())) {}
  ~TemporaryDirectory() { EXPECT_TRUE(posix::remove_tree(path_).ok()); }
  const std::string& path() const { return path_; }

 private:
  const std::string path_;
};

TEST(PosixEngine, WithAPathItWorksInADirectoryOfItsOwnAndKeepsItAcrossMounts) {
  const TemporaryDirectory place;
  const std::string bystander = place.path() + "/bystander";
  ASSERT_EQ(::mkdir(bystander.c_str(), 0755), 0);
  const std::string tree = place.path() + "/" + posix::kTreeName;
  {
    Mounted fs("posix:path=" + place.path());
    EXPECT_TRUE(fs.traits().unmountable);
    fs.mkdir("/d");
    fs.write_file("/d/f", "kept");
    EXPECT_TRUE(on_disk(tree + "/d/f"));
    fs.remount();
    EXPECT_EQ(difference(fs.read_file("/d/f"), bytes_of("kept")), "");
  }
  EXPECT_TRUE(on_disk(tree + "/d/f"));
  Mounted formatted("posix:path=" + place.path());
  EXPECT_TRUE(formatted.names("/").empty());
  EXPECT_TRUE(on_disk(bystander));
}

TEST(PosixEngine, WithoutAPathNothingIsLeftBehind) {
  std::string tree;
  {
    Mounted fs("posix");
    EXPECT_FALSE(fs.traits().unmountable);
    fs.mkdir("/d");
    fs.write_file("/d/f", "x");
    const std::unique_ptr<File> file = fs.open("/d/f");
    // The tree's place is not told: find it through an open descriptor of this process.
    char target[256];
    for (int fd = 3; fd < 1000 && tree.empty(); ++fd) {
      const std::string proc = "/proc/self/fd/" + std::to_string(fd);
      const ssize_t got = ::readlink(proc.c_str(), target, sizeof(target));
      const std::string path(target, got < 0 ? 0 : static_cast<size_t>(got));
      if (path.ends_with("/d/f")) tree = path.substr(0, path.size() - 4);
    }
    EXPECT_TRUE(on_disk(tree + "/d/f")) << tree;
  }
  EXPECT_FALSE(on_disk(tree));
}

TEST(PosixEngine, AnUnusablePathIsOneClearLine) {
  const EngineSpec spec = must(parse_engine("posix:path=/no/such/place"));
  const Result<std::unique_ptr<Engine>> mounted = spec.type->mount(nullptr, spec.options);
  ASSERT_EQ(outcome(mounted), Errc::kUsage);
  EXPECT_EQ(mounted.error().message(), "posix:path=/no/such/place: No such file or directory");
}

TEST(PosixEngine, RemovingATreeFollowsNoSymlink) {
  const TemporaryDirectory place;
  const std::string outside = place.path() + "/outside";
  ASSERT_EQ(::mkdir(outside.c_str(), 0755), 0);
  ASSERT_EQ(::mkdir((outside + "/kept").c_str(), 0755), 0);
  const std::string tree = must(posix::make_tree_in(place.path()));
  ASSERT_EQ(::symlink(outside.c_str(), (tree + "/link").c_str()), 0);
  must(posix::remove_tree(tree));
  EXPECT_FALSE(on_disk(tree));
  EXPECT_TRUE(on_disk(outside + "/kept"));
  must(posix::remove_tree(tree));  // nothing to do is well done
}

TEST(PosixEngine, NoDescriptorStaysOpenBeyondItsReferenceOrHandle) {
  Mounted fs("posix");
  fs.names("/");
  const uint64_t before = open_descriptors();
  for (int i = 0; i < 100; ++i) {
    const std::string path = "/f" + std::to_string(i);
    fs.write_file(path, "x");
    fs.mkdir("/d" + std::to_string(i));
    fs.symlink("/s" + std::to_string(i), "t");
    (void)fs.stat(path);
    (void)fs.read_file(path);
  }
  EXPECT_LE(open_descriptors(), before + 1);
}

TEST(PosixEngine, APathOfParentsStaysUsable) {
  Mounted fs("posix");
  fs.mkdir("/a");
  fs.mkdir("/a/b");
  const InodeId b = fs.refer("/a/b");
  const InodeId a = must(fs->parent(b));
  EXPECT_EQ(Mounted::names(*must(fs->open_directory(a))), std::set<std::string>{"b"});
  for (int i = 0; i < 200; ++i) EXPECT_EQ(must(fs->parent(b)), a);
  fs->forget(b, 1);
}

// mkdir(2) opens nothing: what takes the name away before the engine opens it must not look as if the directory it was made in were missing.
TEST(PosixEngine, ADirectoryTakenAwayAtOnceIsStale) {
  Mounted fs("posix");
  const std::unique_ptr<Directory> root = fs.directory("/");
  std::atomic<bool> stop{false};
  std::thread thief([&] {
    const std::unique_ptr<Directory> same = fs.directory("/");
    while (!stop.load(std::memory_order_relaxed)) {
      if (same->rename("d", *same, "taken", RenameFlags::kNone).ok()) must(same->rmdir("taken"));
    }
  });
  for (uint64_t i = 0; i < scaled(5000); ++i) {
    const Result<Attributes> made = root->mkdir("d", 0755, {});
    if (made.ok()) fs->forget(made->ino, 1);
    const Errc code = made.ok() ? Errc::kStale : made.error().code();
    EXPECT_TRUE(code == Errc::kStale || code == Errc::kExists) << name(code);
  }
  stop.store(true, std::memory_order_relaxed);
  thief.join();
}

// The file position of one descriptor tells one appender where its bytes went; others must not disturb it.
TEST(PosixEngine, SeekingBesideAppendingDoesNotMoveTheOffsetsThatAppendReturns) {
  Mounted fs("posix");
  const std::unique_ptr<File> file = fs.create("/f");
  must(file->append(content(1, 100)));
  std::atomic<bool> stop{false};
  std::thread seeker([&] {
    while (!stop.load(std::memory_order_relaxed)) EXPECT_EQ(must(file->seek(0, SeekWhat::kData)), 0u);
  });
  const Bytes record = content(2, 64);
  for (uint64_t i = 0; i < scaled(5000); ++i) EXPECT_EQ(must(file->append(record)), 100 + i * record.size());
  stop.store(true, std::memory_order_relaxed);
  seeker.join();
}

}  // namespace
}  // namespace daxlab::tests
