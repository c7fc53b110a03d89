// check() of a mounted engine after random operations, a remount and a crash: it finds nothing. And finds what was done behind its
// back.

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "engines/base/random.h"
#include "engines/xfslike/format.h"
#include "engines/xfslike/inode_disk.h"
#include "engines/xfslike/testing_core.h"

namespace daxlab::xfslike {
namespace {

/// Everything that changes names and space, over a few directories and few enough names that they meet.
class Chaos {
 public:
  Chaos(TestCore& core, uint64_t seed) : core_(core), random_(seed) { directories_.push_back(core->root()); }

  void step() {
    Engine& engine = *core_;
    auto directory = engine.open_directory(pick());
    if (!directory.ok()) return;
    const std::string name = text();
    const Caller caller{static_cast<uint32_t>(random_.below(4)), static_cast<uint32_t>(random_.below(3)), 022};
    switch (random_.below(12)) {
      case 0: {
        const auto made = (*directory)->mkdir(name, 0755, caller);
        if (!made.ok()) break;
        engine.forget(made->ino, 1);
        if (directories_.size() < 12) directories_.push_back(made->ino);
        break;
      }
      case 1:
        symlink(**directory, name, caller);
        break;
      case 2:
        if (const auto found = (*directory)->lookup(text()); found.ok()) {
          auto to = engine.open_directory(pick());
          if (to.ok()) {
            if (const auto linked = (*to)->link(name, found->ino); linked.ok()) engine.forget(linked->ino, 1);
          }
          engine.forget(found->ino, 1);
        }
        break;
      case 3: (void)(*directory)->rmdir(name).ok(); break;
      case 4: {
        auto to = engine.open_directory(pick());
        if (to.ok()) (void)(*directory)->rename(name, **to, text(), RenameFlags::kNone).ok();
        break;
      }
      case 5:
      case 6:
      case 7: (void)(*directory)->unlink(name).ok(); break;
      default: file(**directory, name, caller); break;
    }
  }

 private:
  void symlink(Directory& directory, const std::string& name, const Caller& caller) {
    const std::string target(1 + random_.below(random_.below(4) == 0 ? 4000 : 60), 't');
    if (const auto made = directory.symlink(name, target, caller); made.ok()) core_->forget(made->ino, 1);
  }
  void file(Directory& directory, const std::string& name, const Caller& caller) {
    auto made = directory.create(name, 0644, caller);
    if (!made.ok()) return;
    const std::vector<std::byte> data(1 + random_.below(20000), std::byte{5});
    if (random_.below(3) == 0) (void)made->file->write(random_.below(100000), data).ok();
    if (random_.below(8) == 0) (void)made->file->fallocate(FallocateMode::kPunchHole, random_.below(50000), 30000).ok();
    SetAttributes changes;
    if (random_.below(8) == 0) changes.size_bytes = random_.below(40000);
    if (random_.below(8) == 0) changes.uid = static_cast<uint32_t>(random_.below(4));
    if (random_.below(4) == 0) (void)made->file->setattr(changes).ok();
    const InodeId ino = made->attributes.ino;
    if (random_.below(10) == 0) (void)directory.unlink(name).ok();  // while it is open
    made->file.reset();
    core_->forget(ino, 1);
  }
  InodeId pick() { return directories_[random_.below(directories_.size())]; }
  std::string text() {
    const std::string name = "n" + std::to_string(random_.below(600));
    return random_.below(5) == 0 ? name + std::string(200, 'l') : name;
  }

  TestCore& core_;
  Random random_;
  std::vector<InodeId> directories_;
};

constexpr int kSteps = tests::kSanitized ? 150 : 700;

class CheckEngine : public ::testing::TestWithParam<const char*> {};
INSTANTIATE_TEST_SUITE_P(Options, CheckEngine,
                         ::testing::Values("quota=on", "dirblock=64KiB:format=v3", "log_size=512KiB:ags=2", "durability=op:quota=on",
                                           "log=none"));

TEST_P(CheckEngine, FindsNothingAfterRandomOperations) {
  const std::string options = GetParam();
  TestCore core(options);
  ASSERT_EQ(core.findings(), "");
  Chaos chaos(core, 17);
  for (int round = 0; round < 8; ++round) {
    for (int step = 0; step < kSteps; ++step) chaos.step();
    ASSERT_EQ(core.findings(), "") << "round " << round;
    if (round % 2 == 0 || options.find("log=none") != std::string::npos) {
      core.remount();
    } else {
      core.crash_and_mount();
    }
    ASSERT_EQ(core.findings(), "") << "round " << round << ", mounted again";
  }
}

TEST(CheckEngine, FindsWhatWasChangedBehindIt) {
  TestCore core("quota=on");
  Chaos chaos(core, 18);
  for (int step = 0; step < 500; ++step) chaos.step();
  ASSERT_EQ(core.findings(), "");
  Volume& volume = *core.fs().volume;
  const uint64_t root = volume.superblock.root_ino;
  auto* const disk = reinterpret_cast<InodeDisk*>(volume.address(inode_block(root)) + inode_offset(root));
  disk->core.links += 1;
  EXPECT_TRUE(core.findings().starts_with("inode:")) << "its checksum";
  disk->core.crc = inode_crc(*disk);
  EXPECT_TRUE(core.findings().starts_with("links:"));
  disk->core.links -= 1;
  disk->core.crc = inode_crc(*disk);
  EXPECT_EQ(core.findings(), "");
  // Free space in DRAM that the medium does not know of.
  volume.groups[1]->space.take({});
  EXPECT_TRUE(core.findings().starts_with("dram:"));
}

}  // namespace
}  // namespace daxlab::xfslike
