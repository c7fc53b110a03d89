// The null engine stores nothing, so the suites leave it out; what workloads need of it is asserted here.

#include "engines/api/testing.h"

namespace daxlab::tests {
namespace {

TEST(NullEngine, AnswersEveryCallOfAWorkloadAsIfItHadBeenDone) {
  Mounted fs("null");
  Engine& engine = fs.engine();
  const Attributes directory = must(fs.root().mkdir("d", 0755, {}));
  EXPECT_EQ(directory.kind, NodeKind::kDirectory);
  EXPECT_EQ(must(engine.getattr(directory.ino)).kind, NodeKind::kDirectory);
  const std::unique_ptr<Directory> opened = must(engine.open_directory(directory.ino));

  CreatedFile created = must(opened->create("f", 0644, {}));
  EXPECT_EQ(created.attributes.kind, NodeKind::kFile);
  const Bytes data = content(1, 4096);
  EXPECT_EQ(must(created.file->write(8192, data)), data.size());
  EXPECT_EQ(must(created.file->append(data)), 12288u);
  EXPECT_EQ(must(created.file->append(data)), 16384u);
  EXPECT_EQ(must(created.file->getattr()).size_bytes, 20480u);
  Bytes out(100);
  EXPECT_EQ(must(created.file->read(0, out)), out.size());
  EXPECT_EQ(must(created.file->setattr({.size_bytes = 0})).size_bytes, 0u);
  EXPECT_EQ(must(created.file->append(data)), 0u);
  must(created.file->fsync());
  must(opened->rename("f", fs.root(), "g", RenameFlags::kNone));
  must(opened->stat("anything"));
  must(opened->unlink("f"));
  engine.forget(created.attributes.ino, 1);
  must(fs.open("/any/path")->read(0, out));
  EXPECT_GT(must(engine.statfs()).blocks_free, 0u);
  EXPECT_EQ(engine.dram_bytes(), 0u);
}

TEST(NullEngine, SaysInItsTraitsThatNothingCanBeExpectedOfIt) {
  Mounted fs("null");
  EXPECT_FALSE(fs.traits().stores_data || fs.traits().checkable || fs.traits().mappable || fs.traits().needs_region);
  EXPECT_FALSE(fs.traits().durable_on_return || fs.traits().data_atomic || fs.traits().unmountable);
  EXPECT_EQ(outcome(fs->check()), Errc::kNotSupported);
  EXPECT_EQ(outcome(fs.create("/f")->map(0, 4096, true)), Errc::kNotSupported);
}

TEST(NullEngine, InodeNumbersAreNotUsedTwice) {
  Mounted fs("null");
  std::set<InodeId> numbers{fs->root()};
  for (int i = 0; i < 1000; ++i) EXPECT_TRUE(numbers.insert(must(fs.root().create("f", 0644, {})).attributes.ino).second);
}

}  // namespace
}  // namespace daxlab::tests
