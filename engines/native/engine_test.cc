// The native engine as a whole: every kind of change, across clean and crash mounts, against a model in memory.

#include <map>
#include <set>
#include <thread>

#include <gmock/gmock.h>

#include "engines/base/random.h"
#include "engines/native/cleaner.h"
#include "engines/native/file_system.h"
#include "engines/native/test_support.h"

namespace daxlab::native {
namespace {

TEST(NativeEngine, EmptyFileSystemIsCleanAcrossMounts) {
  Mounted fs;
  EXPECT_EQ(fs.findings(), "");
  fs.remount();
  EXPECT_EQ(fs.findings(), "");
  fs.crash_and_mount();
  EXPECT_EQ(fs.findings(), "");
}

TEST(NativeEngine, WrittenFileSurvivesCleanAndCrashMounts) {
  Mounted fs;
  std::string text;
  for (int i = 0; i < 5000; ++i) text += static_cast<char>('a' + i % 26);
  {
    auto file = fs.create("f");
    EXPECT_EQ(file->write(0, bytes_of(text)).value(), text.size());
    EXPECT_EQ(read_all(*file), text);
  }
  EXPECT_EQ(fs.findings(), "");
  fs.remount();
  EXPECT_EQ(read_all(*fs.open("/f")), text);
  fs.crash_and_mount();
  EXPECT_EQ(read_all(*fs.open("/f")), text);
  EXPECT_EQ(fs.findings(), "");
}

TEST(NativeEngine, SmallOverwritesAreReplayedInOrder) {
  Mounted fs;
  std::string text(8192, 'x');
  {
    auto file = fs.create("f");
    ASSERT_TRUE(file->write(0, bytes_of(text)).ok());
    for (int i = 0; i < 300; ++i) {
      const std::string piece(1 + static_cast<size_t>(i) % 100, static_cast<char>('a' + i % 26));
      const uint64_t offset = static_cast<uint64_t>(i) * 97 % 4000;
      ASSERT_TRUE(file->write(offset, bytes_of(piece)).ok());
      text.replace(offset, piece.size(), piece);
    }
    EXPECT_EQ(read_all(*file), text);
  }
  EXPECT_EQ(fs.findings(), "");
  fs.crash_and_mount();
  EXPECT_EQ(read_all(*fs.open("/f")), text);
  EXPECT_EQ(fs.findings(), "");
}

TEST(NativeEngine, NamesOfEveryLengthSurviveAndCookiesAscend) {
  Mounted fs;
  std::set<std::string> names;
  for (size_t length = 1; length <= kNameBytesMax; ++length) {
    const std::string name(length, static_cast<char>('a' + length % 26));
    fs.create(name);
    names.insert(name);
  }
  EXPECT_EQ(fs.findings(), "");
  fs.crash_and_mount();
  std::set<std::string> listed;
  uint64_t last = 0;
  ASSERT_TRUE(fs.root()->readdir(0, [&](const DirectoryEntry& entry) {
    listed.insert(std::string(entry.name));
    EXPECT_GT(entry.cookie, last);
    last = entry.cookie;
    return true;
  }).ok());
  EXPECT_EQ(listed, names);
  EXPECT_EQ(fs.findings(), "");
}

TEST(NativeEngine, RenameAcrossDirectoriesSurvives) {
  Mounted fs;
  auto root = fs.root();
  const auto a = root->mkdir("a", 0755, {}).value();
  const auto b = root->mkdir("b", 0755, {}).value();
  {
    auto dir_a = fs.engine().open_directory(a.ino).value();
    auto dir_b = fs.engine().open_directory(b.ino).value();
    const auto sub = dir_a->mkdir("sub", 0755, {}).value();
    ASSERT_TRUE(dir_a->create("f", 0644, {}).ok());
    ASSERT_TRUE(dir_b->create("g", 0644, {}).ok());
    ASSERT_TRUE(dir_a->rename("f", *dir_b, "g", RenameFlags::kNone).ok());
    ASSERT_TRUE(dir_a->rename("sub", *dir_b, "moved", RenameFlags::kNone).ok());
    EXPECT_EQ(dir_b->rename("moved", *dir_b, "moved", RenameFlags::kNoReplace).code(), Errc::kExists);
    auto dir_sub = fs.engine().open_directory(sub.ino).value();
    EXPECT_EQ(root->rename("b", *dir_sub, "x", RenameFlags::kNone).code(), Errc::kInvalid);
    EXPECT_EQ(fs.engine().parent(sub.ino).value(), b.ino);
    EXPECT_EQ(dir_a->getattr()->links, 2u);
    EXPECT_EQ(dir_b->getattr()->links, 3u);
  }
  EXPECT_EQ(fs.findings(), "");
  root.reset();
  fs.crash_and_mount();
  EXPECT_EQ(fs.findings(), "");
  EXPECT_EQ(resolve(fs.engine(), "/a/f").code(), Errc::kNotFound);
  EXPECT_TRUE(resolve(fs.engine(), "/b/g").ok());
  EXPECT_TRUE(resolve(fs.engine(), "/b/moved").ok());
}

TEST(NativeEngine, SymlinksOfEveryLengthSurvive) {
  Mounted fs;
  for (const size_t length : {size_t{1}, size_t{40}, size_t{2048}, size_t{2049}, kSymlinkBytesMax}) {
    ASSERT_TRUE(fs.root()->symlink("s" + std::to_string(length), std::string(length, 't'), {}).ok());
  }
  EXPECT_EQ(fs.findings(), "");
  fs.crash_and_mount();
  for (const size_t length : {size_t{1}, size_t{40}, size_t{2048}, size_t{2049}, kSymlinkBytesMax}) {
    const auto link = fs.root()->lookup("s" + std::to_string(length)).value();
    EXPECT_EQ(fs.engine().readlink(link.ino).value(), std::string(length, 't'));
  }
  EXPECT_EQ(fs.findings(), "");
}

/// Takes the oldest page out of a log, as a pass of the cleaner does page by page.
void clean_a_page(Mounted& fs, InodeId ino) {
  FileSystem& native = file_system_of(fs.engine());
  Inode* const inode = native.table.acquire(ino);
  ASSERT_NE(inode, nullptr);
  {
    const WriterLock lock(inode->lock);
    inode->log.in_pass = inode->log.pages() > 1;
    if (inode->log.in_pass) inode->log.pass_end = inode->log.tail_ordinal;
    clean_step(native, *inode);
  }
  native.release(*inode);
}

/// Random operations on a few files against strings, with crashes and clean mounts between them.
/// `clean_every`: one of so many operations is followed by a step of the cleaner, whether it is due or not; 0: none.
void random_file_operations(const std::string& spec, uint64_t seed, const pmem::RunSpec& run = {}, uint64_t clean_every = 0) {
  SCOPED_TRACE(spec);
  Mounted fs(spec, 32 * kMiB, run);
  Random random(seed);
  constexpr size_t kFiles = 4;
  constexpr size_t kSizeMax = 200000;
  std::map<std::string, std::string> model;
  std::map<std::string, std::unique_ptr<File>> open;
  for (int i = 0; i < 4000; ++i) {
    const std::string name = "f" + std::to_string(random.below(kFiles));
    if (!model.contains(name)) {
      open[name] = fs.create(name);
      model[name] = "";
    }
    std::string& text = model[name];
    if (open[name] == nullptr) open[name] = fs.open("/" + name);
    File& file = *open[name];
    const uint64_t offset = random.below(kSizeMax);
    const uint64_t size_bytes = random.below(4) == 0 ? random.below(50000) + 1 : random.below(1500) + 1;
    const std::string data(size_bytes, static_cast<char>('a' + random.below(26)));
    const auto grow = [&](uint64_t to) { text.resize(std::max<size_t>(text.size(), to), '\0'); };
    switch (random.below(12)) {
      case 0:
      case 1:
      case 2:
        ASSERT_TRUE(file.write(offset, bytes_of(data)).ok());
        grow(offset + size_bytes);
        text.replace(offset, size_bytes, data);
        break;
      case 3:
      case 4:
        if (text.size() + size_bytes > 2 * kSizeMax) break;
        ASSERT_EQ(file.append(bytes_of(data)).value(), text.size());
        text += data;
        break;
      case 5: {
        SetAttributes changes;
        changes.size_bytes = offset;
        ASSERT_TRUE(file.setattr(changes).ok());
        text.resize(offset, '\0');
        break;
      }
      case 6:
        ASSERT_TRUE(file.fallocate(FallocateMode::kPunchHole, offset, size_bytes).ok());
        for (uint64_t at = offset; at < std::min(text.size(), offset + size_bytes); ++at) text[at] = '\0';
        break;
      case 7:
        ASSERT_TRUE(file.fallocate(FallocateMode::kZeroRange, offset, size_bytes).ok());
        grow(offset + size_bytes);
        text.replace(offset, size_bytes, std::string(size_bytes, '\0'));
        break;
      case 8:
        ASSERT_TRUE(file.fallocate(FallocateMode::kAllocate, offset, size_bytes).ok());
        grow(offset + size_bytes);
        break;
      case 9: ASSERT_TRUE(file.fallocate(FallocateMode::kKeepSize, offset, size_bytes).ok()); break;
      case 10:
        if (random.below(8) != 0) break;
        open.erase(name);
        ASSERT_TRUE(fs.root()->unlink(name).ok());
        model.erase(name);
        break;
      default: ASSERT_EQ(read_all(file), text) << "operation " << i; break;
    }
    if (clean_every != 0 && random.below(clean_every) == 0 && open[name] != nullptr) clean_a_page(fs, open[name]->ino());
    if (random.below(100) == 0) {
      open.clear();
      if (random.below(2) == 0) fs.crash_and_mount();
      else fs.remount();
    }
    if (random.below(200) == 0) {
      ASSERT_EQ(fs.findings(), "") << "operation " << i;
    }
  }
  open.clear();
  fs.crash_and_mount();
  for (const auto& [name, text] : model) ASSERT_EQ(read_all(*fs.open("/" + name)), text);
  ASSERT_EQ(fs.findings(), "");
}

TEST(NativeEngine, RandomFileOperationsMatchAModel) {
  random_file_operations("native:background=inline:mmu=soft", 1);
  random_file_operations("native:background=inline:mmu=soft:cpus=5", 2);
  random_file_operations("native-relaxed:background=inline:mmu=soft", 3);
  random_file_operations("native:cpus=1:mmu=soft", 4);
  random_file_operations("native:background=inline:mmu=soft", 5, pmem::RunSpec{pmem::RunSpec::Kind::kShuffled, 4096});
}

TEST(NativeEngine, RandomFileOperationsBetweenStepsOfTheCleanerMatchAModel) {
  for (uint64_t seed = 1; seed <= 4; ++seed) random_file_operations("native:background=inline:mmu=soft", seed, {}, 4 * seed);
  random_file_operations("native-relaxed:background=inline:mmu=soft", 5, {}, 8);
}

// The record that gave the size leaves the log before the truncation, what the cleaner said again of the pages does not.
TEST(NativeEngine, TruncationTakesMovedPagesAfterTheRecordOfTheirSizeIsGone) {
  Mounted fs;
  auto file = fs.create("f");
  const std::string block(kBlockBytes, 'b');
  // A hole between any two pages, so that the cleaner cannot merge them: 63 records fill the first log page, the others most of the second.
  for (uint64_t i = 0; i < 123; ++i) ASSERT_TRUE(file->write(2 * i * kBlockBytes, bytes_of(block)).ok());
  clean_a_page(fs, file->ino());
  SetAttributes changes;
  changes.size_bytes = 0;
  ASSERT_TRUE(file->setattr(changes).ok());
  clean_a_page(fs, file->ino());
  EXPECT_EQ(fs.findings(), "");
  file.reset();
  fs.crash_and_mount();
  EXPECT_EQ(fs.open("/f")->getattr()->allocated_bytes, 0u);
  EXPECT_EQ(fs.findings(), "");
}

// Two files of which each is its thread's, while the cleaner works on both. A round ends shortly after a truncation: what a mount reads of it
// depends on which pages the cleaner has taken out of the log by then.
TEST(NativeEngine, AppendsAndTruncationsBesideTheCleanerLeaveWhatTheMediumSays) {
  for (const char* spec : {"native:mmu=soft", "native-relaxed:mmu=soft"}) {
    SCOPED_TRACE(spec);
    Mounted fs(spec, 64 * kMiB);
    const std::string block(kBlockBytes, 'b');
    for (size_t index = 0; index < 2; ++index) fs.create("f" + std::to_string(index));
    for (uint64_t round = 0; round < 60; ++round) {
      std::array<uint64_t, 2> blocks{};
      const auto work = [&](size_t index) {
        Random random(round * 2 + index + 1);
        auto file = fs.open("/f" + std::to_string(index));
        blocks[index] = file->getattr()->size_bytes / kBlockBytes;
        const uint64_t operations = 100 + random.below(1000);
        for (uint64_t i = 0; i < operations; ++i) {
          // Every other page, so that the cleaner cannot make one record of them.
          ASSERT_TRUE(file->write((blocks[index] + 1) * kBlockBytes, bytes_of(block)).ok());
          blocks[index] += 2;
          if (random.below(60) == 0) clean_a_page(fs, file->ino());
        }
        blocks[index] = random.below(2) == 0 ? 0 : random.below(blocks[index]) / 2 * 2;
        SetAttributes changes;
        changes.size_bytes = blocks[index] * kBlockBytes;
        ASSERT_TRUE(file->setattr(changes).ok());
        for (uint64_t steps = random.below(4); steps != 0; --steps) clean_a_page(fs, file->ino());
      };
      std::thread other(work, 1);
      work(0);
      other.join();
      ASSERT_EQ(fs.findings(), "") << "round " << round;
      fs.crash_and_mount();
      for (size_t index = 0; index < 2; ++index) {
        const auto attributes = fs.open("/f" + std::to_string(index))->getattr().value();
        ASSERT_EQ(attributes.allocated_bytes, blocks[index] / 2 * kBlockBytes) << "round " << round;
        ASSERT_EQ(attributes.size_bytes, blocks[index] * kBlockBytes) << "round " << round;
      }
    }
  }
}

void random_name_operations(const std::string& spec) {
  Mounted fs(spec, 32 * kMiB);
  Random random(7);
  std::array<std::map<std::string, InodeId>, 2> model;
  std::vector<InodeId> directories;
  for (const char* name : {"d0", "d1"}) directories.push_back(fs.root()->mkdir(name, 0755, {})->ino);
  for (int i = 0; i < 20000; ++i) {
    const size_t d = random.below(2);
    const size_t e = random.below(2);
    const std::string a = std::string(1 + random.below(60), 'n') + std::to_string(random.below(40));
    const std::string b = std::string(1 + random.below(60), 'n') + std::to_string(random.below(40));
    auto dir = fs.engine().open_directory(directories[d]).value();
    auto other = fs.engine().open_directory(directories[e]).value();
    switch (random.below(5)) {
      case 0:
      case 1: {
        const auto created = dir->create(a, 0600, {});
        ASSERT_EQ(created.ok(), !model[d].contains(a));
        if (created.ok()) model[d][a] = created->attributes.ino;
        if (created.ok()) fs.engine().forget(created->attributes.ino, 1);
        break;
      }
      case 2: ASSERT_EQ(dir->unlink(a).ok(), model[d].erase(a) == 1); break;
      case 3: {
        const auto moved = dir->rename(a, *other, b, RenameFlags::kNone);
        ASSERT_EQ(moved.ok(), model[d].contains(a));
        if (!moved.ok() || model[d][a] == model[e][b]) break;
        const InodeId ino = model[d][a];
        model[d].erase(a);
        model[e][b] = ino;
        break;
      }
      default: {
        if (!model[d].contains(a)) break;
        const auto linked = other->link(b, model[d][a]);
        ASSERT_EQ(linked.ok(), !model[e].contains(b));
        if (linked.ok()) model[e][b] = model[d][a];
        if (linked.ok()) fs.engine().forget(linked->ino, 1);
        break;
      }
    }
    for (auto& names : model) std::erase_if(names, [](const auto& entry) { return entry.second == 0; });
    dir.reset();
    other.reset();
    if (random.below(2000) == 0) {
      ASSERT_EQ(fs.findings(), "") << "operation " << i;
      if (random.below(2) == 0) fs.crash_and_mount();
      else fs.remount();
    }
  }
  fs.crash_and_mount();
  ASSERT_EQ(fs.findings(), "");
  for (size_t d = 0; d < 2; ++d) {
    std::map<std::string, InodeId> listed;
    auto dir = fs.engine().open_directory(directories[d]).value();
    ASSERT_TRUE(dir->readdir(0, [&](const DirectoryEntry& entry) {
      listed[std::string(entry.name)] = entry.ino;
      return true;
    }).ok());
    EXPECT_EQ(listed, model[d]);
  }
}

TEST(NativeEngine, RandomNameOperationsMatchAModel) { random_name_operations("native:background=inline:mmu=soft"); }

TEST(NativeEngine, RandomNameOperationsInBlocksOfXfsMatchAModel) {
  random_name_operations("native:background=inline:mmu=soft:dirs=xfslike");
  random_name_operations("native:background=inline:mmu=soft:dirs=xfslike:dirblock=64KiB");
}

TEST(NativeEngine, FullMediumStillUnlinksAndTruncates) {
  Mounted fs("native:background=inline:mmu=soft", 4 * kMiB);
  const std::string block(65536, 'z');
  std::vector<std::string> names;
  for (int i = 0;; ++i) {
    const auto created = fs.root()->create("f" + std::to_string(i), 0644, {});
    if (!created.ok()) {
      EXPECT_EQ(created.code(), Errc::kNoSpace);
      break;
    }
    names.push_back("f" + std::to_string(i));
    fs.engine().forget(created->attributes.ino, 1);
    const auto written = created->file->append(bytes_of(block));
    if (!written.ok()) {
      EXPECT_EQ(written.code(), Errc::kNoSpace);
      break;
    }
  }
  EXPECT_EQ(fs.findings(), "");
  SetAttributes changes;
  changes.size_bytes = 1;
  EXPECT_TRUE(fs.open("/" + names[0])->setattr(changes).ok());
  for (const std::string& name : names) EXPECT_TRUE(fs.root()->unlink(name).ok()) << name;
  EXPECT_EQ(fs.findings(), "");
  fs.crash_and_mount();
  EXPECT_EQ(fs.findings(), "");
  EXPECT_TRUE(fs.create("again")->append(bytes_of(block)).ok());
}

}  // namespace
}  // namespace daxlab::native
