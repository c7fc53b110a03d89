// Names: what may be one, what each call says of one that is there, absent, too long or of the wrong kind; links, symlinks,
// nodes.

#include <sys/sysmacros.h>

#include "engines/api/testing.h"

namespace daxlab::tests {
namespace {

class ConformanceNames : public EngineSuite {
 protected:
  /// Every call that takes a name that must not exist yet, with its outcome for `name`.
  std::vector<std::pair<const char*, Outcome>> creations(Directory& in, std::string_view name, InodeId link_target) {
    return {{"create", outcome(in.create(name, 0644, {}))},
            {"mkdir", outcome(in.mkdir(name, 0755, {}))},
            {"mknod", outcome(in.mknod(name, NodeKind::kFifo, 0644, 0, {}))},
            {"symlink", outcome(in.symlink(name, "target", {}))},
            {"link", outcome(in.link(name, link_target))}};
  }
  /// Every call that takes a name that must exist.
  std::vector<std::pair<const char*, Outcome>> uses(Directory& in, std::string_view name) {
    return {{"lookup", outcome(in.lookup(name))},
            {"stat", outcome(in.stat(name))},
            {"unlink", outcome(in.unlink(name))},
            {"rmdir", outcome(in.rmdir(name))},
            {"rename", outcome(in.rename(name, in, "renamed", RenameFlags::kNone))}};
  }
};

TEST_P(ConformanceNames, ACreatedFileIsEmptyAndOpenForReadingAndWriting) {
  CreatedFile created = must(root().create("file", 0640, {}));
  EXPECT_EQ(created.attributes.kind, NodeKind::kFile);
  EXPECT_EQ(created.attributes.size_bytes, 0u);
  EXPECT_EQ(created.attributes.links, 1u);
  EXPECT_EQ(created.attributes.mode, 0640u);
  EXPECT_EQ(created.file->ino(), created.attributes.ino);
  EXPECT_NE(created.attributes.ino, 0u);
  must(created.file->write(0, bytes_of("both")));
  EXPECT_EQ(Mounted::read_all(*created.file), fs().read_file("/file"));
  engine().forget(created.attributes.ino, 1);
}

TEST_P(ConformanceNames, CreatingAnExistingNameIsRefusedWhateverItNames) {
  fs().write_file("/target", "x");
  const InodeId target = fs().refer("/target");
  fs().write_file("/file", "kept");
  fs().mkdir("/directory");
  fs().symlink("/dangling", "nowhere");
  for (const char* name : {"file", "directory", "dangling"}) {
    for (const auto& [call, result] : creations(root(), name, target)) EXPECT_EQ(result, Errc::kExists) << call << " " << name;
  }
  EXPECT_EQ(fs().read_file("/file").size(), 4u);
  engine().forget(target, 1);
}

TEST_P(ConformanceNames, ANameOf255BytesWorksInEveryCallAnd256AreTooLong) {
  const std::string longest(kNameBytesMax, 'n');
  const std::string too_long(kNameBytesMax + 1, 'n');
  fs().write_file("/target", "x");
  const InodeId target = fs().refer("/target");
  fs().mkdir("/d");
  const std::unique_ptr<Directory> d = fs().directory("/d");
  for (const auto& [call, result] : creations(*d, too_long, target)) EXPECT_EQ(result, Errc::kNameTooLong) << call;
  for (const auto& [call, result] : uses(*d, too_long)) EXPECT_EQ(result, Errc::kNameTooLong) << call;
  fs().write_file("/d/short", "x");
  EXPECT_EQ(outcome(d->rename("short", *d, too_long, RenameFlags::kNone)), Errc::kNameTooLong);
  EXPECT_TRUE(Mounted::names(*d).contains("short"));

  must(d->rename("short", *d, longest, RenameFlags::kNone));
  EXPECT_EQ(Mounted::names(*d), std::set<std::string>{longest});
  EXPECT_EQ(must(d->stat(longest)).kind, NodeKind::kFile);
  must(d->unlink(longest));
  fs().mkdir("/d/" + longest);
  must(d->rmdir(longest));
  fs().symlink("/d/" + longest, "t");
  must(d->unlink(longest));
  fs().link("/target", "/d/" + longest);
  EXPECT_EQ(fs().stat("/target").links, 2u);
  engine().forget(target, 1);
}

TEST_P(ConformanceNames, NamesThatAreNoneAreInvalidInEveryCall) {
  fs().write_file("/target", "x");
  const InodeId target = fs().refer("/target");
  for (const std::string& name :
       {std::string(), std::string("."), std::string(".."), std::string("a/b"), std::string("/"), std::string("a\0b", 3)}) {
    for (const auto& [call, result] : creations(root(), name, target))
      EXPECT_EQ(result, Errc::kInvalid) << call << " '" << name << "'";
    for (const auto& [call, result] : uses(root(), name)) EXPECT_EQ(result, Errc::kInvalid) << call << " '" << name << "'";
    EXPECT_EQ(outcome(root().rename("target", root(), name, RenameFlags::kNone)), Errc::kInvalid) << name;
  }
  EXPECT_EQ(fs().names("/"), std::set<std::string>{"target"});
  engine().forget(target, 1);
}

TEST_P(ConformanceNames, EveryOtherByteMayBeInAName) {
  std::set<std::string> names;
  for (int byte = 1; byte < 256; ++byte) {
    if (byte == '/' || byte == '.') continue;
    const std::string name(1, static_cast<char>(byte));
    names.insert(name);
    fs().write_file("/" + name, name);
  }
  fs().write_file("/...", "three dots are a name");
  names.insert("...");
  EXPECT_EQ(fs().names("/"), names);
  for (const std::string& name : names) EXPECT_TRUE(fs().exists("/" + name)) << static_cast<int>(name[0]);
}

TEST_P(ConformanceNames, AnAbsentNameIsNotFoundInEveryCall) {
  fs().write_file("/near", "x");
  for (const char* name : {"absent", "nea", "near ", "NEAR"}) {
    for (const auto& [call, result] : uses(root(), name)) EXPECT_EQ(result, Errc::kNotFound) << call << " " << name;
  }
}

TEST_P(ConformanceNames, UnlinkAndRmdirRefuseTheWrongKind) {
  fs().mkdir("/d");
  fs().write_file("/f", "x");
  fs().symlink("/s", "d");
  EXPECT_EQ(outcome(root().unlink("d")), Errc::kIsDirectory);
  EXPECT_EQ(outcome(root().rmdir("f")), Errc::kNotDirectory);
  EXPECT_EQ(outcome(root().rmdir("s")), Errc::kNotDirectory);
  EXPECT_EQ(fs().names("/").size(), 3u);
}

TEST_P(ConformanceNames, ADirectoryWithAnyKindOfNameInItIsNotEmpty) {
  fs().mkdir("/d");
  fs().write_file("/f", "x");
  const std::vector<std::pair<std::string, std::function<void()>>> fillers = {
      {"file", [&] { fs().write_file("/d/x", "x"); }},
      {"symlink", [&] { fs().symlink("/d/x", "t"); }},
      {"fifo", [&] { fs().mknod("/d/x", NodeKind::kFifo); }},
      {"link", [&] { fs().link("/f", "/d/x"); }}};
  for (const auto& [what, fill] : fillers) {
    fill();
    EXPECT_EQ(outcome(root().rmdir("d")), Errc::kNotEmpty) << what;
    fs().unlink("/d/x");
  }
  fs().mkdir("/d/x");
  EXPECT_EQ(outcome(root().rmdir("d")), Errc::kNotEmpty);
  fs().rmdir("/d/x");
  fs().rmdir("/d");
  EXPECT_FALSE(fs().exists("/d"));
}

TEST_P(ConformanceNames, OpeningTheWrongKindIsRefused) {
  fs().mkdir("/d");
  fs().symlink("/s", "d");
  fs().write_file("/f", "x");
  const InodeId d = fs().refer("/d");
  const InodeId s = fs().refer("/s");
  const InodeId f = fs().refer("/f");
  EXPECT_EQ(outcome(engine().open(d, {})), Errc::kIsDirectory);
  EXPECT_EQ(outcome(engine().open(d, {.read = true, .write = false})), Errc::kIsDirectory);
  EXPECT_EQ(outcome(engine().open(s, {})), Errc::kLoop);
  EXPECT_EQ(outcome(engine().open_directory(f)), Errc::kNotDirectory);
  EXPECT_EQ(outcome(engine().open_directory(s)), Errc::kNotDirectory);
  for (const InodeId ino : {d, s, f}) engine().forget(ino, 1);
}

TEST_P(ConformanceNames, AHardLinkIsAFurtherNameOfTheSameFile) {
  fs().write_file("/f", "one");
  fs().mkdir("/d");
  fs().link("/f", "/d/g");
  EXPECT_EQ(fs().stat("/f").ino, fs().stat("/d/g").ino);
  EXPECT_EQ(fs().stat("/f").links, 2u);
  must(fs().open("/d/g")->write(0, bytes_of("two")));
  EXPECT_EQ(difference(fs().read_file("/f"), bytes_of("two")), "");
  fs().unlink("/f");
  EXPECT_EQ(fs().stat("/d/g").links, 1u);
  EXPECT_EQ(difference(fs().read_file("/d/g"), bytes_of("two")), "");
}

TEST_P(ConformanceNames, SymlinksAndNodesCanBeLinkedAndDirectoriesCannot) {
  fs().symlink("/s", "target");
  fs().mknod("/p", NodeKind::kFifo);
  fs().mkdir("/d");
  fs().link("/s", "/s2");
  fs().link("/p", "/p2");
  EXPECT_EQ(fs().stat("/s2").links, 2u);
  EXPECT_EQ(fs().stat("/p2").kind, NodeKind::kFifo);
  const InodeId d = fs().refer("/d");
  EXPECT_EQ(outcome(root().link("d2", d)), Errc::kPermission);
  engine().forget(d, 1);
}

TEST_P(ConformanceNames, AManifoldLinkedFileCountsItsNames) {
  constexpr uint32_t kNames = 200;
  fs().write_file("/f", "x");
  for (uint32_t i = 1; i < kNames; ++i) fs().link("/f", "/f" + std::to_string(i));
  EXPECT_EQ(fs().stat("/f7").links, kNames);
  for (uint32_t i = 1; i < kNames; ++i) fs().unlink("/f" + std::to_string(i));
  EXPECT_EQ(fs().stat("/f").links, 1u);
}

TEST_P(ConformanceNames, ASymlinkKeepsItsTargetAndItsLengthIsItsSize) {
  const InodeId ino = must(root().symlink("s", "some/where", {})).ino;
  const Attributes attributes = fs().stat("/s");
  EXPECT_EQ(attributes.kind, NodeKind::kSymlink);
  EXPECT_EQ(attributes.size_bytes, 10u);
  EXPECT_EQ(attributes.mode, 0777u);
  EXPECT_EQ(must(engine().readlink(ino)), "some/where");
  engine().forget(ino, 1);
  const InodeId root_ino = engine().root();
  EXPECT_EQ(outcome(engine().readlink(root_ino)), Errc::kInvalid);
}

TEST_P(ConformanceNames, ASymlinkTargetHas1To4095Bytes) {
  for (const size_t length :
       {size_t{1}, size_t{15}, size_t{16}, size_t{63}, size_t{64}, size_t{200}, size_t{1000}, kSymlinkBytesMax}) {
    const std::string target(length, 't');
    const InodeId ino = must(root().symlink("s", target, {})).ino;
    EXPECT_EQ(must(engine().readlink(ino)), target) << length;
    EXPECT_EQ(must(engine().getattr(ino)).size_bytes, length);
    engine().forget(ino, 1);
    fs().unlink("/s");
  }
  EXPECT_EQ(outcome(root().symlink("s", std::string(kSymlinkBytesMax + 1, 't'), {})), Errc::kNameTooLong);
  EXPECT_EQ(outcome(root().symlink("s", "", {})), Errc::kNotFound);
  EXPECT_TRUE(fs().names("/").empty());
}

TEST_P(ConformanceNames, NodesKeepTheirKindAndDeviceNumber) {
  const uint64_t device = makedev(240, 17);
  const std::vector<std::pair<NodeKind, uint64_t>> kinds = {{NodeKind::kFile, 0},
                                                            {NodeKind::kFifo, 0},
                                                            {NodeKind::kSocket, 0},
                                                            {NodeKind::kCharDevice, device},
                                                            {NodeKind::kBlockDevice, device}};
  for (const auto& [kind, number] : kinds) {
    const Result<Attributes> made = root().mknod("node", kind, 0600, number, {});
    if (!made.ok() && made.code() == Errc::kPermission && number != 0 && fs().traits().enters_kernel) continue;  // not root
    const Attributes attributes = must(made);
    EXPECT_EQ(attributes.kind, kind);
    EXPECT_EQ(attributes.device, number);
    EXPECT_EQ(attributes.mode, 0600u);
    EXPECT_EQ(fs().stat("/node").kind, kind);
    EXPECT_EQ(fs().stat("/node").device, number);
    engine().forget(attributes.ino, 1);
    fs().unlink("/node");
  }
  EXPECT_FALSE(outcome(root().mknod("node", NodeKind::kDirectory, 0755, 0, {})).succeeded);
  EXPECT_FALSE(outcome(root().mknod("node", NodeKind::kSymlink, 0755, 0, {})).succeeded);
}

TEST_P(ConformanceNames, NothingCanBeMadeOrFoundInARemovedDirectory) {
  fs().write_file("/target", "x");
  const InodeId target = fs().refer("/target");
  fs().mkdir("/d");
  const std::unique_ptr<Directory> d = fs().directory("/d");
  fs().rmdir("/d");
  for (const auto& [call, result] : creations(*d, "name", target)) EXPECT_EQ(result, Errc::kNotFound) << call;
  for (const auto& [call, result] : uses(*d, "name")) EXPECT_EQ(result, Errc::kNotFound) << call;
  EXPECT_EQ(outcome(root().rename("target", *d, "name", RenameFlags::kNone)), Errc::kNotFound);
  EXPECT_EQ(must(d->getattr()).links, 0u);
  engine().forget(target, 1);
}

TEST_P(ConformanceNames, ParentsAreWhatDotDotMeans) {
  fs().mkdir("/a");
  fs().mkdir("/a/b");
  const InodeId b = fs().refer("/a/b");
  EXPECT_EQ(must(engine().parent(b)), fs().stat("/a").ino);
  EXPECT_EQ(must(engine().parent(engine().root())), engine().root());
  fs().rename("/a/b", "/c");
  EXPECT_EQ(must(engine().parent(b)), engine().root());
  engine().forget(b, 1);
}

DAXLAB_ON_EVERY_ENGINE(ConformanceNames);

}  // namespace
}  // namespace daxlab::tests
