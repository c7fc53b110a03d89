// Flipped bytes in directories: an error or the right answer for what is asked, never a crash, and verify() finds every one that matters.

#include <gtest/gtest.h>

#include <functional>
#include <set>
#include <string>

#include "engines/base/random.h"
#include "engines/xfslike/directory_testing.h"
#include "engines/xfslike/symlink_format.h"

namespace daxlab::xfslike {
namespace {

using testing::DirectoryModel;
using testing::FakeSpace;

/// Asks everything of a damaged directory. What is answered may be wrong, as a CRC would have told, but it must end and be in range.
void ask_everything(DirectoryModel& directory, Random& random) {
  const std::string name = directory.draw_name(random, random.below(2) == 0);
  const auto found = directory.index().lookup(name);
  if (found.ok()) {
    EXPECT_NE(found->ino, 0u);
  }
  uint64_t listed = 0;
  uint64_t before = 0;
  (void)directory.index().list(0, [&](const DirectoryEntry& entry) {
    EXPECT_GT(entry.cookie, before);
    before = entry.cookie;
    EXPECT_FALSE(entry.name.empty());
    return ++listed < 100000;
  }).ok();
  EXPECT_LT(listed, 100000u);
  (void)directory.index().parent().ok();
  (void)directory.index().is_empty().ok();
  (void)directory.index().insert_blocks(20).ok();
}

bool verify_finds_nothing(DirectoryModel& directory) {
  bool clean = true;
  const auto count = directory.index().verify([&](std::string_view) { return clean = false; });
  return clean && count.ok() && *count == directory.names().size();
}

/// Every byte of a block or, of the large ones, its headers, its ends and some between.
std::vector<uint32_t> offsets_of(uint32_t size, Random& random, uint32_t some) {
  std::set<uint32_t> offsets;
  for (uint32_t i = 0; i < 48; ++i) offsets.insert({kDirHeaderBytes + i, size - 1 - i});
  for (uint32_t i = 0; i < some; ++i) offsets.insert(kDirHeaderBytes + static_cast<uint32_t>(random.below(size - kDirHeaderBytes)));
  return {offsets.begin(), offsets.end()};
}

struct Case {
  uint32_t block_bytes;
  uint64_t names;
  uint32_t some;
};
class DirectoryDamage : public ::testing::TestWithParam<Case> {};
// Block form, leaf form, node form with one and with two levels; the largest blocks.
INSTANTIATE_TEST_SUITE_P(Forms, DirectoryDamage,
                         ::testing::Values(Case{4096, 60, 4000}, Case{4096, 350, 1000}, Case{4096, 3000, 40}, Case{65536, 2000, 300},
                                           Case{65536, 9000, 60}));

TEST_P(DirectoryDamage, AFlippedByteNeverCrashesAQuestion) {
  Random random(GetParam().names);
  DirectoryModel directory(GetParam().block_bytes, 0);
  while (directory.names().size() < GetParam().names) {
    directory.insert(directory.draw_name(random, false), 1 + random.below(1u << 20));
    if (random.below(6) == 0) directory.erase(directory.draw_name(random, true));
  }
  ASSERT_TRUE(verify_finds_nothing(directory));
  std::vector<uint64_t> addresses;
  for (const auto& [address, object] : directory.space().objects()) addresses.push_back(address);
  uint64_t flips = 0;
  uint64_t unnoticed = 0;
  for (const uint64_t address : addresses) {
    for (const uint32_t offset : offsets_of(GetParam().block_bytes, random, GetParam().some)) {
      std::byte& byte = directory.space().object(address)->data()[offset];
      const std::byte before = byte;
      byte ^= static_cast<std::byte>(1 + random.below(255));
      ASSERT_NO_FATAL_FAILURE(ask_everything(directory, random));
      if (++flips % 16 == 0 && verify_finds_nothing(directory)) ++unnoticed;
      const auto bytes = directory.space().get(address, BlockSpace::Access::kRead);
      (void)verify_dir_block(**bytes, address).ok();
      byte = before;
    }
    ASSERT_FALSE(directory.space().any_in_use());
  }
  EXPECT_TRUE(verify_finds_nothing(directory));
  // What nothing reads (padding, unused space, the place of a number that is another valid one) is the CRC's to find.
  EXPECT_LT(unnoticed, flips / 16);
}

TEST_P(DirectoryDamage, AFlippedByteNeverCrashesAChange) {
  Random random(GetParam().names + 1);
  for (int round = 0; round < 25; ++round) {
    DirectoryModel directory(GetParam().block_bytes, 0);
    const uint64_t names = std::min<uint64_t>(GetParam().names, 2500);
    for (uint64_t i = 0; i < names; ++i) directory.insert("name-" + std::to_string(i), 1 + i);
    std::vector<uint64_t> addresses;
    for (const auto& [address, object] : directory.space().objects()) addresses.push_back(address);
    auto& data = directory.space().object(addresses[random.below(addresses.size())])->data();
    const std::vector<uint32_t> offsets = offsets_of(GetParam().block_bytes, random, 200);
    data[offsets[random.below(offsets.size())]] ^= static_cast<std::byte>(1 + random.below(255));
    for (uint64_t i = 0; i < names; ++i) {
      const std::string name = "name-" + std::to_string(random.below(names * 2));
      const uint64_t what = random.below(3);
      bool corrupt = false;
      if (what == 0) {
        const auto inserted = directory.index().insert(name, {3, NodeKind::kFile});
        corrupt = !inserted.ok() && inserted.code() == Errc::kCorrupt;
      } else if (what == 1) {
        const auto erased = directory.index().erase(name);
        corrupt = !erased.ok() && erased.code() == Errc::kCorrupt;
      } else {
        (void)directory.index().replace(name, {4, NodeKind::kFile}).ok();
      }
      ASSERT_FALSE(directory.space().any_in_use());
      if (corrupt) break;  // the transaction would be the last: the file system shuts down
    }
  }
}

TEST(DirectoryDamage, AFlippedByteOfTheShortFormNeverCrashes) {
  Random random(2);
  DirectoryModel directory(4096, 0);
  for (int i = 0; i < 15; ++i) directory.insert("entry" + std::to_string(i), 100 + static_cast<uint64_t>(i));
  ASSERT_TRUE(directory.is_short());
  std::vector<std::byte>& bytes = directory.home().bytes();
  for (size_t offset = 0; offset < bytes.size(); ++offset) {
    for (uint32_t flip = 1; flip < 256; ++flip) {
      bytes[offset] ^= static_cast<std::byte>(flip);
      ASSERT_NO_FATAL_FAILURE(ask_everything(directory, random));
      bytes[offset] ^= static_cast<std::byte>(flip);
    }
  }
  for (size_t size = 0; size < bytes.size(); ++size) EXPECT_FALSE(ShortForm::read({bytes.data(), size}).ok());
  EXPECT_TRUE(verify_finds_nothing(directory));
}

TEST(DirectoryDamage, AMissingBlockIsDamageNotAnAbsentName) {
  DirectoryModel directory(4096, 0);
  for (uint64_t i = 0; i < 3000; ++i) directory.insert("name-" + std::to_string(i), 1 + i);
  std::vector<uint64_t> addresses;
  for (const auto& [address, object] : directory.space().objects()) addresses.push_back(address);
  for (const uint64_t address : addresses) {
    DirectoryModel other(4096, 0);
    for (uint64_t i = 0; i < 3000; ++i) other.insert("name-" + std::to_string(i), 1 + i);
    ASSERT_TRUE(other.space().remove(address).ok());
    uint64_t corrupt = 0;
    for (uint64_t i = 0; i < 3000; ++i) {
      const auto found = other.index().lookup("name-" + std::to_string(i));
      if (found.ok()) continue;
      EXPECT_EQ(found.code(), Errc::kCorrupt) << address;
      ++corrupt;
    }
    const bool free_index = address >= 2 * kDirSpaceBytes / 4096;
    EXPECT_EQ(corrupt > 0, !free_index) << address;
    EXPECT_FALSE(verify_finds_nothing(other));
  }
}

TEST(Symlinks, OfEveryLengthAreReadBack) {
  Random random(5);
  for (const size_t bytes : {size_t{1}, size_t{337}, size_t{1024}, size_t{4015}, size_t{4016}, size_t{4017}, kSymlinkBytesMax}) {
    FakeSpace space(4096);
    std::string target(bytes, 'x');
    for (char& c : target) c = static_cast<char>('a' + random.below(26));
    ASSERT_TRUE(write_symlink(space, target).ok());
    EXPECT_EQ(space.objects().size(), symlink_blocks(bytes, 4096));
    EXPECT_EQ(read_symlink(space, bytes).value(), target);
    EXPECT_FALSE(read_symlink(space, bytes + 1).ok());
    for (const auto& [address, object] : space.objects()) {
      for (uint32_t offset = 64; offset < 80 - 4; ++offset) {  // the last field is reserved
        object->data()[offset] ^= std::byte{16};
        EXPECT_EQ(read_symlink(space, bytes).code(), Errc::kCorrupt) << offset;
        object->data()[offset] ^= std::byte{16};
      }
    }
    ASSERT_TRUE(remove_symlink(space, bytes).ok());
    EXPECT_TRUE(space.objects().empty());
  }
}

}  // namespace
}  // namespace daxlab::xfslike
