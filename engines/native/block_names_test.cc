// The names of a directory in XFS's blocks, through NameIndex, beside a hash table: the same answers.

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "engines/base/random.h"
#include "engines/native/name_index.h"

namespace daxlab::native {
namespace {

class NamesInBlocks : public ::testing::TestWithParam<uint32_t> {};
INSTANTIATE_TEST_SUITE_P(Sizes, NamesInBlocks, ::testing::Values(4096u, 16384u, 65536u));

TEST_P(NamesInBlocks, AreThoseOfAHashTable) {
  NameIndex blocks(GetParam());
  NameIndex table;
  Random random(GetParam());
  uint64_t cookie = 1;
  const auto name_of = [&] {
    std::string name = "name-" + std::to_string(random.below(20000));
    if (random.below(16) == 0) name.resize(1 + random.below(255), 'x');
    return name;
  };
  for (int step = 0; step < 60000; ++step) {
    const std::string name = name_of();
    const uint32_t hash = NameIndex::hash(name);
    Dentry* const here = blocks.find(name, hash);
    Dentry* const there = table.find(name, hash);
    ASSERT_EQ(here == nullptr, there == nullptr);
    // Grows first, then becomes empty.
    const bool insert = random.below(100) < (step < 30000 ? 80u : 20u);
    if (here == nullptr && insert) {
      blocks.insert(name, hash, cookie);
      table.insert(name, hash, cookie++);
    } else if (here != nullptr) {
      ASSERT_EQ(here->cookie, there->cookie);
      ASSERT_EQ(here->name(), name);
      if (insert) continue;
      blocks.erase(here);
      table.erase(there);
    }
    ASSERT_EQ(blocks.size(), table.size());
  }
  EXPECT_GT(blocks.dram_bytes(), 0u);
  std::vector<std::string> names;
  table.for_each(0, [&](const Dentry& dentry) {
    names.emplace_back(dentry.name());
    return true;
  });
  for (const std::string& name : names) blocks.erase(blocks.find(name));
  EXPECT_EQ(blocks.size(), 0u);
  EXPECT_EQ(blocks.find("name-1"), nullptr);
}

}  // namespace
}  // namespace daxlab::native
