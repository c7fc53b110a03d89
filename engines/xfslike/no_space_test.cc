// A full medium and every operation on it: kNoSpace from those that need space, success from those that give it back or need none, and
// in both cases a file system that is sound, holds what it held, and works again when there is room.
//
// "Full" is what a file could fill; the last blocks are kept for operations that free (transaction.h). An operation that finds room for a
// while, in a directory's last block or a chunk's last inodes, is repeated until it finds none.

#include <gtest/gtest.h>

#include <functional>
#include <set>
#include <string>

#include "engines/xfslike/testing_core.h"

namespace daxlab::xfslike {
namespace {

using tests::bytes_of;
using tests::content;
using tests::must;

constexpr uint64_t kMediumBytes = 8 * kMiB;
constexpr int kRepetitionsMax = 2000;

/// A medium with one of everything, then nothing but full.
class Full {
 public:
  Full() : core("dirblock=8KiB", kMediumBytes) {
    const auto root = core.root();
    core->forget(must(root->mkdir("d", 0755, {})).ino, 1);
    core->forget(must(root->mkdir("empty", 0755, {})).ino, 1);
    for (const char* name : {"linked", "gone", "moved", "short"}) core.write_file(name, content(1, 5000));
    file = core.create("file");
    must(file->write(0, content(2, 40 * kBlockBytes)));
    must(file->fallocate(FallocateMode::kPunchHole, 8 * kBlockBytes, 4 * kBlockBytes));
    must(file->fallocate(FallocateMode::kAllocate, 40 * kBlockBytes, 4 * kBlockBytes));
    linked = must(root->lookup("linked")).ino;
    const std::unique_ptr<File> filler = core.create("filler");
    for (size_t size = 256 * kKiB; size >= kBlockBytes; size /= 2) {
      while (filler->append(content(size, size)).ok()) {
      }
    }
  }
  ~Full() {
    if (file != nullptr) done();
  }
  void done() {
    file.reset();
    core->forget(linked, 1);
  }

  std::unique_ptr<Directory> directory() {
    const InodeId ino = must(core.root()->lookup("d")).ino;
    auto opened = must(core->open_directory(ino));
    core->forget(ino, 1);
    return opened;
  }
  std::set<std::string> names() {
    const auto d = directory();
    return tests::Mounted::names(*d);
  }
  Outcome rename(const char* from, const char* to) {
    const auto root = core.root();
    return tests::outcome(root->rename(from, *root, to, RenameFlags::kNone));
  }
  template <typename Made>
  Outcome made(Result<Made> result) {
    if constexpr (std::is_same_v<Made, Attributes>) {
      if (result.ok()) core->forget(result->ino, 1);
    }
    return tests::outcome(result);
  }

  TestCore core;
  std::unique_ptr<File> file;  ///< 8 blocks of data, 4 of a hole, 28 of data, 4 unwritten.
  InodeId linked = 0;
};

/// A name that fills a directory's blocks in few steps.
std::string long_name(int i) { return std::to_string(i) + std::string(240, 'n'); }

struct Case {
  const char* name;
  bool needs_space;
  std::function<Outcome(Full&, int)> run;
};
void PrintTo(const Case& tested, std::ostream* out) { *out << tested.name; }

std::vector<Case> cases_of_names() {
  return {
      {"create", true, [](Full& full, int i) {
         Result<CreatedFile> created = full.directory()->create(long_name(i), 0644, {});
         if (created.ok()) full.core->forget(created->attributes.ino, 1);
         return tests::outcome(created);
       }},
      {"mkdir", true, [](Full& full, int i) { return full.made(full.directory()->mkdir(long_name(i), 0755, {})); }},
      {"mknod", true, [](Full& full, int i) { return full.made(full.directory()->mknod(long_name(i), NodeKind::kFifo, 0644, 0, {})); }},
      {"symlink", true, [](Full& full, int i) { return full.made(full.directory()->symlink(long_name(i), "short", {})); }},
      {"symlink_long", true,
       [](Full& full, int i) { return full.made(full.directory()->symlink(std::to_string(i), std::string(4000, 't'), {})); }},
      {"link", true, [](Full& full, int i) { return full.made(full.directory()->link(long_name(i), full.linked)); }},
      {"rename_into_a_directory", true, [](Full& full, int i) {
         const auto linked = full.core.root()->link("again" + std::to_string(i), full.linked);
         if (!linked.ok()) return tests::outcome(linked);
         full.core->forget(full.linked, 1);
         return tests::outcome(full.core.root()->rename("again" + std::to_string(i), *full.directory(), long_name(i), RenameFlags::kNone));
       }},
      {"rename_within", false, [](Full& full, int) { return full.rename("moved", "there"); }},
      {"rename_over", false, [](Full& full, int) { return full.rename("moved", "gone"); }},
      {"unlink", false, [](Full& full, int) { return tests::outcome(full.core.root()->unlink("gone")); }},
      {"rmdir", false, [](Full& full, int) { return tests::outcome(full.core.root()->rmdir("empty")); }},
      {"lookup_and_list", false, [](Full& full, int) {
         EXPECT_TRUE(tests::Mounted::names(*full.core.root()).contains("filler"));
         return full.made(full.core.root()->lookup("short"));
       }},
  };
}

std::vector<Case> cases_of_files() {
  const auto at = [](uint64_t block) { return block * kBlockBytes; };
  return {
      {"write_over_data", false, [=](Full& full, int) { return tests::outcome(full.file->write(at(1) + 5, content(3, 9000))); }},
      {"write_over_unwritten", false, [=](Full& full, int) { return tests::outcome(full.file->write(at(41), content(3, 5000))); }},
      {"write_into_a_hole", true, [=](Full& full, int) { return tests::outcome(full.file->write(at(9), content(3, 100))); }},
      {"write_beyond_the_end", true, [=](Full& full, int) { return tests::outcome(full.file->write(at(100), content(3, 100))); }},
      {"append", true, [=](Full& full, int) { return tests::outcome(full.file->append(content(3, 5 * kBlockBytes))); }},
      {"truncate_up", false, [](Full& full, int) { return tests::outcome(full.file->setattr({.size_bytes = kMiB})); }},
      {"truncate_down", false, [](Full& full, int) { return tests::outcome(full.file->setattr({.size_bytes = 100})); }},
      {"set_owner_and_times", false, [](Full& full, int) { return tests::outcome(full.file->setattr({.uid = 7, .mtime_ns = 5})); }},
      {"allocate", true, [=](Full& full, int) { return tests::outcome(full.file->fallocate(FallocateMode::kAllocate, at(50), at(5))); }},
      {"keep_size", true, [=](Full& full, int) { return tests::outcome(full.file->fallocate(FallocateMode::kKeepSize, at(9), at(1))); }},
      {"punch_hole", false, [=](Full& full, int) { return tests::outcome(full.file->fallocate(FallocateMode::kPunchHole, at(20), at(2))); }},
      {"zero_range_of_a_hole", true, [=](Full& full, int) { return tests::outcome(full.file->fallocate(FallocateMode::kZeroRange, at(8), at(4))); }},
      {"store_through_a_mapping_into_a_hole", true, [=](Full& full, int) {
         const auto mapping = must(full.file->map(0, at(40), true));
         const bool stored = mapping->store(at(9), content(4, 100)).ok();
         return Outcome{stored, Errc::kNoSpace};  // SIGBUS, as a kernel has it
       }},
      {"store_through_a_mapping_over_data", false, [=](Full& full, int) {
         const auto mapping = must(full.file->map(0, at(8), true));
         must(mapping->store(at(1), content(4, 100)));
         return tests::outcome(mapping->sync(0, at(8)));
       }},
      {"fsync", false, [](Full& full, int) { return tests::outcome(full.file->fsync()); }},
      {"fdatasync", false, [](Full& full, int) { return tests::outcome(full.file->fdatasync()); }},
      {"sync", false, [](Full& full, int) { return tests::outcome(full.core->sync()); }},
      {"last_close_of_an_orphan", false, [](Full& full, int) {
         const auto unlinked = full.core.root()->unlink("file");
         full.file.reset();
         full.file = full.core.create("file");  // in the room that came free
         return tests::outcome(unlinked);
       }},
  };
}

class NoSpace : public ::testing::TestWithParam<Case> {};

TEST_P(NoSpace, LeavesTheFileSystemSoundAndUsable) {
  Full full;
  ASSERT_EQ(full.core.findings(), "");
  const std::set<std::string> before = full.names();
  Outcome outcome{true, Errc::kIo};
  int done = 0;
  for (; done < (GetParam().needs_space ? kRepetitionsMax : 1) && outcome.succeeded; ++done) outcome = GetParam().run(full, done);
  if (GetParam().needs_space) {
    ASSERT_EQ(outcome, Errc::kNoSpace) << "after " << done;
    EXPECT_LE(full.names().size(), before.size() + static_cast<size_t>(done) - 1) << "the name that was refused is there";
  } else {
    ASSERT_TRUE(outcome.succeeded);
  }
  EXPECT_EQ(full.core.findings(), "");
  EXPECT_EQ(tests::difference(full.core.read_file("short"), content(1, 5000)), "");

  must(full.core.root()->unlink("filler"));
  must(full.core->sync());  // what was freed may be taken when the freeing is durable
  outcome = GetParam().needs_space ? GetParam().run(full, done) : Outcome{true, Errc::kIo};
  EXPECT_TRUE(outcome.succeeded) << "with room again";
  full.core.write_file("new", content(5, kMiB));
  EXPECT_EQ(full.core.findings(), "");
  const std::set<std::string> after = full.names();
  full.done();
  full.core.remount();
  EXPECT_EQ(full.core.findings(), "");
  EXPECT_EQ(full.names(), after);
  EXPECT_EQ(tests::difference(full.core.read_file("new"), content(5, kMiB)), "");
}

std::string case_name(const ::testing::TestParamInfo<Case>& info) { return info.param.name; }
INSTANTIATE_TEST_SUITE_P(Names, NoSpace, ::testing::ValuesIn(cases_of_names()), case_name);
INSTANTIATE_TEST_SUITE_P(Files, NoSpace, ::testing::ValuesIn(cases_of_files()), case_name);

}  // namespace
}  // namespace daxlab::xfslike
