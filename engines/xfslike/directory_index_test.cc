// Directories against std::map: every form, growing and shrinking, cookies, colliding hashes, long names.

#include "engines/xfslike/directory_index.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <set>
#include <string>

#include "engines/base/random.h"
#include "engines/xfslike/directory_testing.h"

namespace daxlab::xfslike {
namespace {

using testing::DirectoryModel;

struct Shape {
  uint32_t block_bytes;
  uint32_t piece_bytes;  ///< 4 KiB: blocks are not contiguous.
  uint64_t names;
};

class Directories : public ::testing::TestWithParam<Shape> {};
INSTANTIATE_TEST_SUITE_P(Sizes, Directories,
                         ::testing::Values(Shape{4096, 0, 4000}, Shape{16384, 4096, 6000}, Shape{65536, 4096, 9000}, Shape{65536, 0, 9000}));

TEST_P(Directories, RandomInsertsAndErasesAreThoseOfAMap) {
  for (uint64_t seed = 1; seed <= 3; ++seed) {
    Random random(seed);
    DirectoryModel directory(GetParam().block_bytes, GetParam().piece_bytes);
    for (uint64_t step = 0; step < GetParam().names * 3; ++step) {
      // In waves, so that every form is grown into and left again.
      const bool insert = random.below(100) < (step / GetParam().names % 2 == 0 ? 90u : 10u);
      const std::string name = directory.draw_name(random, !insert);
      if (insert) {
        ASSERT_NO_FATAL_FAILURE(directory.insert(name, 1 + random.below(1u << 20)));
      } else if (random.below(8) == 0) {
        ASSERT_NO_FATAL_FAILURE(directory.replace(name, 1 + random.below(1u << 20)));
      } else {
        ASSERT_NO_FATAL_FAILURE(directory.erase(name));
      }
      if (step % 64 == 0) {
        ASSERT_NO_FATAL_FAILURE(directory.expect_lookup(directory.draw_name(random, random.below(2) == 0)));
      }
      if (step % 1500 == 0) {
        ASSERT_NO_FATAL_FAILURE(directory.expect_same());
      }
    }
    ASSERT_NO_FATAL_FAILURE(directory.expect_same());
    while (!directory.names().empty()) ASSERT_NO_FATAL_FAILURE(directory.erase(directory.draw_name(random, true)));
    ASSERT_NO_FATAL_FAILURE(directory.expect_same());
    EXPECT_TRUE(directory.is_short());
    EXPECT_TRUE(directory.space().objects().empty());
    EXPECT_TRUE(directory.index().is_empty().value());
  }
}

TEST(DirectoryIndex, GrowsToThreeLevelsAndShrinksToNothing) {
  DirectoryModel directory(4096, 0);
  Random random(4);
  constexpr uint64_t kNames = 190000;  // above 502 leaves, so that there are two levels of nodes above them
  for (uint64_t i = 0; i < kNames; ++i) {
    ASSERT_NO_FATAL_FAILURE(directory.insert("file-" + std::to_string(i * 7919 % 1000003), 2 + i));
  }
  auto* root = directory.space().object(kDirSpaceBytes / 4096);
  ASSERT_NE(root, nullptr);
  DirNodeHeaderDisk header;
  std::memcpy(&header, root->data().data() + kDirHeaderBytes, sizeof header);
  EXPECT_EQ(header.magic, kDirNodeMagic);
  EXPECT_EQ(header.level, 2u);
  ASSERT_NO_FATAL_FAILURE(directory.expect_same());
  std::vector<std::string> names;
  for (const auto& [name, at] : directory.names()) names.push_back(name);
  for (size_t i = names.size(); i > 1; --i) std::swap(names[i - 1], names[random.below(i)]);
  for (size_t i = 0; i < names.size(); ++i) {
    ASSERT_NO_FATAL_FAILURE(directory.erase(names[i]));
    if (i % 40000 == 39999) {
      ASSERT_NO_FATAL_FAILURE(directory.expect_same());
    }
  }
  EXPECT_TRUE(directory.is_short());
  EXPECT_TRUE(directory.space().objects().empty());
}

/// Names of one hash. A byte c before a byte d adds rol7(c) ^ d to it: 0x61 0xe0 adds as much as 0x60 0x60, and 16 such pairs give 65536 names.
std::vector<std::string> colliding_names(size_t count) {
  std::vector<std::string> names;
  for (size_t i = 0; names.size() < count; ++i) {
    std::string name;
    for (size_t bit = 0; bit < 16; ++bit) name += (i >> bit & 1) != 0 ? std::string("\x61\xe0") : std::string("\x60\x60");
    names.push_back(name);
  }
  return names;
}

TEST_P(Directories, NamesOfOneHashLieInSeveralLeaves) {
  DirectoryModel directory(GetParam().block_bytes, GetParam().piece_bytes);
  const uint64_t leaf = GetParam().block_bytes / 8;
  const std::vector<std::string> names = colliding_names(std::min<size_t>(leaf * 5 / 2, 1300));
  for (const std::string& name : names) ASSERT_EQ(dir_hash(name), dir_hash(names[0]));
  for (uint64_t i = 0; i < leaf; ++i) ASSERT_NO_FATAL_FAILURE(directory.insert("other" + std::to_string(i), 5));
  for (size_t i = 0; i < names.size(); ++i) ASSERT_NO_FATAL_FAILURE(directory.insert(names[i], i + 1));
  ASSERT_NO_FATAL_FAILURE(directory.expect_same());
  for (size_t i = 0; i < names.size(); i += 3) ASSERT_NO_FATAL_FAILURE(directory.erase(names[i]));
  ASSERT_NO_FATAL_FAILURE(directory.expect_same());
  for (size_t i = 0; i < names.size(); i += 3) ASSERT_NO_FATAL_FAILURE(directory.insert(names[i], i + 1));
  for (const std::string& name : names) ASSERT_NO_FATAL_FAILURE(directory.erase(name));
  ASSERT_NO_FATAL_FAILURE(directory.expect_same());
}

TEST_P(Directories, ListingShowsEveryNameThatStaysExactlyOnce) {
  Random random(11);
  DirectoryModel directory(GetParam().block_bytes, GetParam().piece_bytes);
  std::vector<std::string> stay;
  for (int i = 0; i < 3000; ++i) {
    const std::string name = "stay-" + std::to_string(i);
    if (i % 3 == 0) stay.push_back(name);
    ASSERT_NO_FATAL_FAILURE(directory.insert(name, 9));
  }
  std::multiset<std::string> seen;
  uint64_t cookie = 0;
  for (bool more = true; more;) {
    more = false;
    ASSERT_TRUE(directory.index().list(cookie, [&](const DirectoryEntry& entry) {
                      EXPECT_GT(entry.cookie, cookie);
                      seen.insert(std::string(entry.name));
                      cookie = entry.cookie;
                      more = true;
                      return random.below(8) != 0;
                    }).ok());
    for (int i = 0; i < 4; ++i) {
      const std::string name = "stay-" + std::to_string(random.below(3000));
      const bool stays = std::find(stay.begin(), stay.end(), name) != stay.end();
      if (!stays && directory.names().contains(name)) {
        ASSERT_NO_FATAL_FAILURE(directory.erase(name));
      }
      ASSERT_NO_FATAL_FAILURE(directory.insert("new-" + std::to_string(random.next()), 9));
    }
    if (seen.size() > 20000) break;
  }
  for (const std::string& name : stay) EXPECT_EQ(seen.count(name), 1u) << name;
}

TEST(DirectoryIndex, CookiesHoldThroughTheForms) {
  DirectoryModel directory(4096, 0);
  std::map<std::string, uint64_t> cookies;
  for (int i = 0; i < 400; ++i) {
    const std::string name = "n" + std::to_string(i);
    ASSERT_NO_FATAL_FAILURE(directory.insert(name, 3));
    cookies[name] = directory.names().at(name).cookie;
  }
  for (int i = 399; i >= 0; --i) {
    ASSERT_TRUE(directory.index().list(0, [&](const DirectoryEntry& entry) {
                      EXPECT_EQ(entry.cookie, cookies.at(std::string(entry.name)));
                      return true;
                    }).ok());
    ASSERT_NO_FATAL_FAILURE(directory.erase("n" + std::to_string(i)));
  }
}

TEST(DirectoryIndex, AShortFormWidensForLargeNumbersAndGivesWayWhenItCannot) {
  DirectoryModel directory(4096, 0);
  for (int i = 0; i < 25; ++i) ASSERT_NO_FATAL_FAILURE(directory.insert("ab" + std::to_string(i), 7));
  ASSERT_TRUE(directory.is_short());
  EXPECT_EQ(directory.index().replace_blocks(8), 0u);
  EXPECT_EQ(directory.index().replace_blocks(uint64_t{1} << 40), 1u);
  ASSERT_NO_FATAL_FAILURE(directory.replace("ab3", uint64_t{1} << 40));
  EXPECT_FALSE(directory.is_short());
  ASSERT_NO_FATAL_FAILURE(directory.expect_same());
  for (int i = 0; i < 5; ++i) ASSERT_NO_FATAL_FAILURE(directory.erase("ab" + std::to_string(i)));
  ASSERT_NO_FATAL_FAILURE(directory.expect_same());
}

TEST(DirectoryIndex, TheParentIsKeptInEveryForm) {
  DirectoryModel directory(4096, 0);
  for (uint64_t i = 0; i < 2000; ++i) {
    if (i % 100 == 0) {
      ASSERT_TRUE(directory.index().set_parent(1000 + i).ok());
      EXPECT_EQ(directory.index().parent().value(), 1000 + i);
    }
    ASSERT_NO_FATAL_FAILURE(directory.insert("x" + std::to_string(i), 7));
  }
  EXPECT_EQ(directory.index().parent().value(), 2900u);
  for (uint64_t i = 0; i < 2000; ++i) ASSERT_NO_FATAL_FAILURE(directory.erase("x" + std::to_string(i)));
  EXPECT_EQ(directory.index().parent().value(), 2900u);
}

TEST(DirectoryIndex, TheHashIsThatOfXfs) {
  // xfs_da_hashname() by its own words: four bytes at a time, then what is left.
  const auto reference = [](std::string_view name) {
    const auto rol = [](uint32_t value, int by) { return value << by | value >> (32 - by); };
    const auto byte = [&](size_t i) { return uint32_t{static_cast<unsigned char>(name[i])}; };
    uint32_t hash = 0;
    size_t i = 0;
    for (; name.size() - i >= 4; i += 4) hash = byte(i) << 21 ^ byte(i + 1) << 14 ^ byte(i + 2) << 7 ^ byte(i + 3) ^ rol(hash, 28);
    switch (name.size() - i) {
      case 3: return byte(i) << 14 ^ byte(i + 1) << 7 ^ byte(i + 2) ^ rol(hash, 21);
      case 2: return byte(i) << 7 ^ byte(i + 1) ^ rol(hash, 14);
      case 1: return byte(i) ^ rol(hash, 7);
      default: return hash;
    }
  };
  Random random(3);
  for (int round = 0; round < 1000; ++round) {
    std::string name(1 + random.below(255), 'x');
    for (char& c : name) c = static_cast<char>(random.below(256));
    EXPECT_EQ(dir_hash(name), reference(name));
  }
}

}  // namespace
}  // namespace daxlab::xfslike
