// Every byte of the metadata of a small, cleanly unmounted image, flipped in turn: the mount is refused, or check() finds it, or nothing
// that anybody can read has changed. Never a crash, never wrong data.

#include <array>
#include <map>
#include <vector>

#include "engines/base/random.h"
#include "engines/native/format.h"
#include "engines/native/test_support.h"

namespace daxlab::native {
namespace {

constexpr uint64_t kImageBytes = 512 * kKiB;
constexpr char kDataByte = 'D';

/// Everything that can be read of a tree: path -> what it is.
using Contents = std::map<std::string, std::string>;

bool read_tree(Engine& engine, InodeId ino, const std::string& path, Contents& contents) {
  auto opened = engine.open_directory(ino);
  if (!opened.ok()) return false;
  std::vector<std::pair<std::string, DirectoryEntry>> entries;
  const auto listed = (*opened)->readdir(0, [&](const DirectoryEntry& entry) {
    entries.emplace_back(std::string(entry.name), entry);
    return true;
  });
  if (!listed.ok()) return false;
  for (const auto& [name, entry] : entries) {
    const std::string at = path + "/" + name;
    const auto attributes = (*opened)->stat(name);
    if (!attributes.ok()) return false;
    std::string text = std::to_string(static_cast<int>(attributes->kind)) + " " + std::to_string(attributes->mode) + " " +
                       std::to_string(attributes->uid) + " " + std::to_string(attributes->links) + " " +
                       std::to_string(attributes->size_bytes) + " " + std::to_string(attributes->mtime_ns) + " ";
    if (attributes->kind == NodeKind::kFile) {
      auto file = engine.open(attributes->ino, {});
      if (!file.ok()) return false;
      text += read_all(**file);
    } else if (attributes->kind == NodeKind::kSymlink) {
      text += engine.readlink(attributes->ino).value();
    }
    contents[at] = text;
    if (attributes->kind == NodeKind::kDirectory && !read_tree(engine, attributes->ino, at, contents)) return false;
  }
  return true;
}

class DamageTest : public ::testing::Test {
 protected:
  DamageTest() : mounted_("native:background=inline:mmu=soft:cpus=2", kImageBytes) {
    {
      auto root = mounted_.root();
      const auto dir = root->mkdir("dir", 0711, {}).value();
      auto sub = mounted_.engine().open_directory(dir.ino).value();
      EXPECT_TRUE(sub->create("inner", 0600, {}).ok());
      EXPECT_TRUE(root->symlink("link", "dir/inner", {}).ok());
      EXPECT_TRUE(sub->rename("inner", *root, "outer", RenameFlags::kNone).ok());
      EXPECT_TRUE(root->create(std::string(200, 'n'), 0600, {}).ok());
      EXPECT_TRUE(root->create("gone", 0600, {}).ok());
      EXPECT_TRUE(root->unlink("gone").ok());
      auto file = mounted_.create("file");
      EXPECT_TRUE(file->write(0, bytes_of(std::string(3 * kBlockBytes, kDataByte))).ok());
      EXPECT_TRUE(file->write(kBlockBytes, bytes_of(std::string(kBlockBytes, kDataByte))).ok());
      EXPECT_TRUE(file->write(100, bytes_of(std::string(64, kDataByte))).ok());
      SetAttributes changes;
      changes.mode = 0640;
      EXPECT_TRUE(file->setattr(changes).ok());
    }
    EXPECT_TRUE(read_tree(mounted_.engine(), mounted_.engine().root(), "", expected_));
    mounted_.unmount();
    const auto bytes = mounted_.region().bytes();
    image_.assign(bytes.begin(), bytes.end());
  }

  /// Blocks of the image that hold metadata: neither empty nor all data.
  std::vector<size_t> metadata_blocks() const {
    std::vector<size_t> blocks;
    for (size_t at = kBlockBytes; at < image_.size(); at += kBlockBytes) {
      bool empty = true;
      bool data = true;
      for (size_t i = 0; i < kBlockBytes; ++i) {
        empty &= image_[at + i] == std::byte{0};
        data &= image_[at + i] == std::byte{kDataByte};
      }
      if (!empty && !data) blocks.push_back(at);
    }
    return blocks;
  }

  enum class Outcome { kRefused, kFound, kHarmless, kWrong };
  Outcome try_image() {
    if (!mounted_.try_mount().ok()) return Outcome::kRefused;
    const std::string findings = mounted_.findings();
    Contents contents;
    const bool readable = read_tree(mounted_.engine(), mounted_.engine().root(), "", contents);
    mounted_.crash();
    if (readable && contents == expected_) return Outcome::kHarmless;
    return findings.empty() ? Outcome::kWrong : Outcome::kFound;
  }
  void restore() { std::copy(image_.begin(), image_.end(), mounted_.region().bytes().begin()); }

  Mounted mounted_;
  Contents expected_;
  std::vector<std::byte> image_;
};

TEST_F(DamageTest, NoFlippedByteGivesWrongData) {
  std::map<Outcome, size_t> outcomes;
  Random random(9);
  for (const size_t block : metadata_blocks()) {
    for (size_t i = 0; i < kBlockBytes; ++i) {
      restore();
      mounted_.region().bytes()[block + i] ^= static_cast<std::byte>(1 + random.below(255));
      const Outcome outcome = try_image();
      ++outcomes[outcome];
      ASSERT_NE(outcome, Outcome::kWrong) << "byte " << i << " of block " << block / kBlockBytes - 1;
    }
  }
  RecordProperty("refused", static_cast<int>(outcomes[Outcome::kRefused]));
  RecordProperty("found", static_cast<int>(outcomes[Outcome::kFound]));
  RecordProperty("harmless", static_cast<int>(outcomes[Outcome::kHarmless]));
  SCOPED_TRACE("refused " + std::to_string(outcomes[Outcome::kRefused]) + ", found " + std::to_string(outcomes[Outcome::kFound]) +
               ", harmless " + std::to_string(outcomes[Outcome::kHarmless]));
  EXPECT_GT(outcomes[Outcome::kRefused], 500u);
  EXPECT_GT(outcomes[Outcome::kHarmless], 500u);
}

// Not the mount state: with its newer copy gone the medium counts as crashed, where a damaged last record cannot be told from a torn one.
TEST_F(DamageTest, RandomDamageNeverCrashesAMountOrCheck) {
  Random random(10);
  std::vector<size_t> blocks = metadata_blocks();
  std::erase(blocks, (kStateBlock + 1) * kBlockBytes);
  for (int round = 0; round < 3000; ++round) {
    restore();
    for (uint64_t left = 1 + random.below(8); left != 0; --left) {
      const size_t at = blocks[random.below(blocks.size())] + random.below(kBlockBytes / 8) * 8;
      for (size_t i = 0; i < 8; ++i) mounted_.region().bytes()[at + i] = static_cast<std::byte>(random.below(256));
    }
    EXPECT_NE(try_image(), Outcome::kWrong) << "round " << round;
  }
}

}  // namespace
}  // namespace daxlab::native
