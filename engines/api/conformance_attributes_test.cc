// Attributes: owner, mode, times, link counts; where they come from and what changes them.

#include "engines/api/testing.h"

namespace daxlab::tests {
namespace {

constexpr uint64_t kPast_ns = 1'000'000'000'123'456'789u;  // 2001; any change made now is later
constexpr uint32_t kSetgid = 02000;

class ConformanceAttributes : public EngineSuite {
 protected:
  void set_past(std::string_view path) { fs().setattr(path, {.atime_ns = kPast_ns, .mtime_ns = kPast_ns}); }
  uint64_t mtime_ns(std::string_view path) { return fs().stat(path).mtime_ns; }
  uint64_t ctime_ns(std::string_view path) { return fs().stat(path).ctime_ns; }

  /// Whether `change` gives `path` a new mtime; its ctime must not go back whatever happens.
  template <typename Change>
  bool changes_mtime(std::string_view path, const Change& change) {
    set_past(path);
    const uint64_t before_ns = ctime_ns(path);
    change();
    EXPECT_GE(ctime_ns(path), before_ns);
    return mtime_ns(path) != kPast_ns;
  }
};

TEST_P(ConformanceAttributes, OwnerAndModeAreTheCallersLessItsUmask) {
  const Caller caller{.uid = 1000, .gid = 2000, .umask = 027};
  fs().create("/f", 0666, caller);
  fs().mkdir("/d", 0777, caller);
  EXPECT_EQ(fs().stat("/f").mode, 0640u);
  EXPECT_EQ(fs().stat("/d").mode, 0750u);
  for (const char* path : {"/f", "/d"}) {
    EXPECT_EQ(fs().stat(path).uid, 1000u) << path;
    EXPECT_EQ(fs().stat(path).gid, 2000u) << path;
  }
  engine().forget(must(root().symlink("s", "t", caller)).ino, 1);
  EXPECT_EQ(fs().stat("/s").uid, 1000u);
  EXPECT_EQ(fs().stat("/s").mode, 0777u);
  engine().forget(must(root().mknod("p", NodeKind::kFifo, 0666, 0, caller)).ino, 1);
  EXPECT_EQ(fs().stat("/p").gid, 2000u);
  EXPECT_EQ(fs().stat("/p").mode, 0640u);
}

TEST_P(ConformanceAttributes, ASetgidDirectoryGivesItsGroupAndDirectoriesInItAreSetgidToo) {
  fs().mkdir("/shared");
  fs().setattr("/shared", {.mode = 0775 | kSetgid, .gid = 3000});
  const Caller caller{.uid = 1000, .gid = 2000, .umask = 022};
  fs().create("/shared/f", 0666, caller);
  fs().mkdir("/shared/d", 0777, caller);
  fs().mkdir("/shared/d/e", 0777, caller);
  EXPECT_EQ(fs().stat("/shared/f").gid, 3000u);
  EXPECT_EQ(fs().stat("/shared/f").uid, 1000u);
  EXPECT_EQ(fs().stat("/shared/f").mode, 0644u);
  EXPECT_EQ(fs().stat("/shared/d").gid, 3000u);
  EXPECT_EQ(fs().stat("/shared/d").mode, 0755u | kSetgid);
  EXPECT_EQ(fs().stat("/shared/d/e").mode, 0755u | kSetgid);
  engine().forget(must(fs().directory("/shared")->symlink("s", "t", caller)).ino, 1);
  EXPECT_EQ(fs().stat("/shared/s").gid, 3000u);
}

TEST_P(ConformanceAttributes, EachFieldIsSetByItselfAndTheOthersStay) {
  fs().write_file("/f", "12345");
  set_past("/f");
  const Attributes before = fs().stat("/f");
  EXPECT_EQ(fs().setattr("/f", {.mode = 04711}).mode, 04711u);
  EXPECT_EQ(fs().setattr("/f", {.uid = 77}).uid, 77u);
  EXPECT_EQ(fs().setattr("/f", {.gid = 88}).gid, 88u);
  EXPECT_EQ(fs().setattr("/f", {.atime_ns = kPast_ns + 1}).atime_ns, kPast_ns + 1);
  EXPECT_EQ(fs().setattr("/f", {.mtime_ns = kPast_ns + 2}).mtime_ns, kPast_ns + 2);
  const Attributes after = fs().stat("/f");
  EXPECT_EQ(after.mode, 04711u);
  EXPECT_EQ(after.uid, 77u);
  EXPECT_EQ(after.gid, 88u);
  EXPECT_EQ(after.atime_ns, kPast_ns + 1);
  EXPECT_EQ(after.mtime_ns, kPast_ns + 2);
  EXPECT_EQ(after.size_bytes, 5u);
  EXPECT_EQ(after.links, before.links);
  EXPECT_EQ(after.ino, before.ino);
  EXPECT_GE(after.ctime_ns, before.ctime_ns);
  EXPECT_EQ(difference(fs().read_file("/f"), bytes_of("12345")), "");
}

TEST_P(ConformanceAttributes, AllFieldsAreSetInOneCall) {
  fs().write_file("/f", "12345");
  fs().setattr("/f", {.size_bytes = 3, .mode = 01777, .uid = 1, .gid = 2, .atime_ns = kPast_ns, .mtime_ns = kPast_ns + 5});
  const Attributes after = fs().stat("/f");
  EXPECT_EQ(after.size_bytes, 3u);
  EXPECT_EQ(after.mode, 01777u);
  EXPECT_EQ(after.uid, 1u);
  EXPECT_EQ(after.gid, 2u);
  EXPECT_EQ(after.mtime_ns, kPast_ns + 5);
  EXPECT_EQ(after.atime_ns, kPast_ns);
}

TEST_P(ConformanceAttributes, EveryWayToAskAndToSetIsTheSame) {
  fs().mkdir("/d");
  fs().write_file("/d/f", "x");
  const std::unique_ptr<Directory> d = fs().directory("/d");
  const std::unique_ptr<File> f = fs().open("/d/f");
  const InodeId ino = fs().refer("/d/f");
  must(f->setattr({.mode = 0601}));
  EXPECT_EQ(must(engine().getattr(ino)).mode, 0601u);
  must(engine().setattr(ino, {.mode = 0602}));
  EXPECT_EQ(must(f->getattr()).mode, 0602u);
  EXPECT_EQ(must(d->stat("f")).mode, 0602u);
  EXPECT_EQ(must(d->lookup("f")).mode, 0602u);
  EXPECT_EQ(must(d->stat("f")).ino, ino);
  must(d->setattr({.mode = 0700}));
  EXPECT_EQ(fs().stat("/d").mode, 0700u);
  EXPECT_EQ(must(d->getattr()).ino, d->ino());
  engine().forget(ino, 2);
}

TEST_P(ConformanceAttributes, TheRootIsADirectoryOfItsOwn) {
  const Attributes root_attributes = must(engine().getattr(engine().root()));
  EXPECT_EQ(root_attributes.kind, NodeKind::kDirectory);
  EXPECT_EQ(root_attributes.links, 2u);
  must(root().setattr({.mode = 01777, .uid = 5}));
  EXPECT_EQ(must(engine().getattr(engine().root())).mode, 01777u);
  EXPECT_EQ(must(root().getattr()).uid, 5u);
  engine().forget(engine().root(), 0);
  EXPECT_EQ(root().ino(), engine().root());
}

TEST_P(ConformanceAttributes, ADirectoryCountsItsSubdirectories) {
  fs().mkdir("/a");
  EXPECT_EQ(fs().stat("/a").links, 2u);
  EXPECT_EQ(must(root().getattr()).links, 3u);
  fs().mkdir("/a/x");
  fs().mkdir("/a/y");
  fs().write_file("/a/file", "not counted");
  fs().symlink("/a/link", "not counted");
  EXPECT_EQ(fs().stat("/a").links, 4u);
  fs().mkdir("/b");
  fs().rename("/a/x", "/b/x");
  EXPECT_EQ(fs().stat("/a").links, 3u);
  EXPECT_EQ(fs().stat("/b").links, 3u);
  fs().rename("/a/y", "/b/x");  // replaces the empty one
  EXPECT_EQ(fs().stat("/a").links, 2u);
  EXPECT_EQ(fs().stat("/b").links, 3u);
  fs().rename("/b/x", "/b/z");
  EXPECT_EQ(fs().stat("/b").links, 3u);
  fs().rmdir("/b/z");
  EXPECT_EQ(fs().stat("/b").links, 2u);
}

TEST_P(ConformanceAttributes, WhatChangesAFilesBytesChangesItsMtime) {
  fs().write_file("/f", "12345678");
  const std::unique_ptr<File> f = fs().open("/f");
  EXPECT_TRUE(changes_mtime("/f", [&] { must(f->write(2, bytes_of("x"))); }));
  EXPECT_TRUE(changes_mtime("/f", [&] { must(f->append(bytes_of("x"))); }));
  EXPECT_TRUE(changes_mtime("/f", [&] { must(f->setattr({.size_bytes = 3})); }));
  EXPECT_TRUE(changes_mtime("/f", [&] { must(f->setattr({.size_bytes = 30})); }));
  EXPECT_TRUE(changes_mtime("/f", [&] { fs().open("/f", {.read = true, .write = true, .truncate = true}); }));
}

TEST_P(ConformanceAttributes, WhatLeavesAFilesBytesLeavesItsMtime) {
  fs().write_file("/f", "12345678");
  const std::unique_ptr<File> f = fs().open("/f");
  EXPECT_FALSE(changes_mtime("/f", [&] { Mounted::read_all(*f); }));
  EXPECT_FALSE(changes_mtime("/f", [&] { fs().setattr("/f", {.mode = 0600, .uid = 3}); }));
  EXPECT_FALSE(changes_mtime("/f", [&] { fs().link("/f", "/g"); }));
  EXPECT_FALSE(changes_mtime("/f", [&] { fs().unlink("/g"); }));
  EXPECT_FALSE(changes_mtime("/f", [&] {
    fs().rename("/f", "/h");
    fs().rename("/h", "/f");
  }));
  EXPECT_FALSE(changes_mtime("/f", [&] { must(f->write(2, {})); }));
  EXPECT_FALSE(changes_mtime("/f", [&] { must(f->fsync()); }));
}

TEST_P(ConformanceAttributes, WhatChangesADirectorysNamesChangesItsMtime) {
  fs().mkdir("/d");
  fs().mkdir("/other");
  fs().write_file("/target", "x");
  const auto touches = [&](const std::function<void()>& change) { return changes_mtime("/d", change); };
  EXPECT_TRUE(touches([&] { fs().write_file("/d/f", "x"); }));
  EXPECT_TRUE(touches([&] { fs().mkdir("/d/s"); }));
  EXPECT_TRUE(touches([&] { fs().symlink("/d/l", "t"); }));
  EXPECT_TRUE(touches([&] { fs().mknod("/d/p", NodeKind::kFifo); }));
  EXPECT_TRUE(touches([&] { fs().link("/target", "/d/h"); }));
  EXPECT_TRUE(touches([&] { fs().unlink("/d/h"); }));
  EXPECT_TRUE(touches([&] { fs().rmdir("/d/s"); }));
  EXPECT_TRUE(touches([&] { fs().rename("/d/f", "/d/g"); }));
  EXPECT_TRUE(touches([&] { fs().rename("/d/g", "/other/g"); }));
  EXPECT_TRUE(touches([&] { fs().rename("/other/g", "/d/g"); }));
}

TEST_P(ConformanceAttributes, WhatLeavesADirectorysNamesLeavesItsMtime) {
  fs().mkdir("/d");
  fs().write_file("/d/f", "x");
  fs().mkdir("/d/s");
  const auto touches = [&](const std::function<void()>& change) { return changes_mtime("/d", change); };
  EXPECT_FALSE(touches([&] { must(fs().open("/d/f")->write(0, bytes_of("y"))); }));
  EXPECT_FALSE(touches([&] { fs().setattr("/d/f", {.mode = 0600}); }));
  EXPECT_FALSE(touches([&] { fs().names("/d"); }));
  EXPECT_FALSE(touches([&] { fs().write_file("/d/s/deeper", "x"); }));
  EXPECT_FALSE(touches([&] { EXPECT_EQ(outcome(fs().directory("/d")->create("f", 0644, {})), Errc::kExists); }));
  EXPECT_FALSE(touches([&] { EXPECT_EQ(outcome(fs().directory("/d")->unlink("absent")), Errc::kNotFound); }));
}

TEST_P(ConformanceAttributes, TimesOfWhatIsCreatedAreNowAndNeverGoBack) {
  uint64_t latest_ns = 0;
  for (int i = 0; i < 100; ++i) {
    const std::string path = "/f" + std::to_string(i);
    fs().write_file(path, "x");
    const Attributes attributes = fs().stat(path);
    EXPECT_GE(attributes.mtime_ns, latest_ns);
    EXPECT_GE(attributes.ctime_ns, attributes.mtime_ns);
    EXPECT_GT(attributes.atime_ns, kPast_ns);
    latest_ns = attributes.mtime_ns;
  }
  EXPECT_GT(latest_ns, kPast_ns);
}

TEST_P(ConformanceAttributes, TimesKeepTheirNanoseconds) {
  fs().write_file("/f", "x");
  fs().mkdir("/d");
  fs().symlink("/s", "t");
  for (const char* path : {"/f", "/d", "/s"}) {
    for (const uint64_t time_ns :
         {uint64_t{0}, uint64_t{1}, uint64_t{999'999'999}, kPast_ns, uint64_t{9'000'000'000'000'000'001u}}) {
      fs().setattr(path, {.atime_ns = time_ns, .mtime_ns = time_ns + 1});
      EXPECT_EQ(fs().stat(path).atime_ns, time_ns) << path;
      EXPECT_EQ(fs().stat(path).mtime_ns, time_ns + 1) << path;
    }
  }
}

TEST_P(ConformanceAttributes, OnlyFilesHaveASizeToSet) {
  fs().mkdir("/d");
  fs().symlink("/s", "target");
  const InodeId d = fs().refer("/d");
  const InodeId s = fs().refer("/s");
  EXPECT_EQ(outcome(engine().setattr(d, {.size_bytes = 0})), Errc::kIsDirectory);
  EXPECT_FALSE(outcome(engine().setattr(s, {.size_bytes = 0})).succeeded);
  // All of it or none: what came with the refused size is not there either.
  EXPECT_FALSE(outcome(engine().setattr(d, {.size_bytes = 0, .mode = 0111})).succeeded);
  EXPECT_EQ(fs().stat("/d").mode, 0755u);
  EXPECT_EQ(must(engine().readlink(s)), "target");
  engine().forget(d, 1);
  engine().forget(s, 1);
}

TEST_P(ConformanceAttributes, AllocatedBytesFollowTheDataAndNotTheSize) {
  const std::unique_ptr<File> f = fs().create("/f");
  EXPECT_EQ(must(f->getattr()).allocated_bytes, 0u);
  must(f->setattr({.size_bytes = 16 * kMiB}));
  EXPECT_LT(must(f->getattr()).allocated_bytes, kMiB);
  must(f->write(8 * kMiB, content(1, 64 * kKiB)));
  EXPECT_GE(must(f->getattr()).allocated_bytes, 64 * kKiB);
  EXPECT_LT(must(f->getattr()).allocated_bytes, kMiB);
  must(f->setattr({.size_bytes = 0}));
  EXPECT_EQ(must(f->getattr()).allocated_bytes, 0u);
}

TEST_P(ConformanceAttributes, UnknownInodesAreStale) {
  const InodeId unknown = InodeId{1} << 60;
  EXPECT_EQ(outcome(engine().getattr(unknown)), Errc::kStale);
  EXPECT_EQ(outcome(engine().setattr(unknown, {.mode = 0})), Errc::kStale);
  EXPECT_EQ(outcome(engine().open(unknown, {})), Errc::kStale);
  EXPECT_EQ(outcome(engine().open_directory(unknown)), Errc::kStale);
  EXPECT_EQ(outcome(engine().readlink(unknown)), Errc::kStale);
  EXPECT_EQ(outcome(engine().getattr(0)), Errc::kStale);
}

DAXLAB_ON_EVERY_ENGINE(ConformanceAttributes);

}  // namespace
}  // namespace daxlab::tests
