// The B+tree against std::map, and against flipped bytes.

#include "engines/xfslike/btree.h"

#include <gtest/gtest.h>

#include <map>

#include "engines/base/random.h"
#include "engines/base/units.h"
#include "engines/xfslike/space_testing.h"

namespace daxlab::xfslike {
namespace {

using testing::FakeSpace;

struct Value {
  uint64_t words[2];
  bool operator==(const Value&) const = default;
};
Value value_of(uint64_t key) { return {{key * 3 + 1, ~key}}; }

struct Tree {
  explicit Tree(uint32_t block_bytes, uint32_t piece_bytes = 0) : space(block_bytes, piece_bytes), tree(space, root) {}

  void expect_same() {
    ASSERT_TRUE(tree.bytes().verify().ok());
    auto expected = model.begin();
    ASSERT_TRUE(tree.visit(0, [&](uint64_t key, const Value& value) {
                      EXPECT_NE(expected, model.end());
                      EXPECT_EQ(key, expected->first);
                      EXPECT_EQ(value, expected->second);
                      ++expected;
                      return true;
                    }).ok());
    EXPECT_EQ(expected, model.end());
    uint64_t nodes = 0;
    ASSERT_TRUE(tree.bytes().visit_nodes([&](uint64_t, uint32_t) { return ++nodes; }).ok());
    EXPECT_EQ(nodes, space.objects().size());
    EXPECT_FALSE(space.any_in_use());
  }

  void expect_neighbours(uint64_t key) {
    const auto above = model.lower_bound(key);
    const auto ceiling = tree.ceiling(key);
    ASSERT_EQ(ceiling.ok(), above != model.end());
    if (ceiling.ok()) {
      EXPECT_EQ(ceiling->key, above->first);
    }
    const auto after = model.upper_bound(key);
    const auto floor = tree.floor(key);
    ASSERT_EQ(floor.ok(), after != model.begin());
    if (floor.ok()) {
      EXPECT_EQ(floor->key, std::prev(after)->first);
    }
  }

  FakeSpace space;
  BtreeRoot root;
  Btree<Value> tree;
  std::map<uint64_t, Value> model;
};

class BtreeModel : public ::testing::TestWithParam<std::tuple<uint32_t, uint32_t>> {};
// Small nodes make a tall tree; a piece of 64 bytes lets every second entry straddle.
INSTANTIATE_TEST_SUITE_P(Sizes, BtreeModel, ::testing::Values(std::tuple{256u, 0u}, std::tuple{256u, 64u}, std::tuple{4096u, 0u}));

TEST_P(BtreeModel, RandomInsertsAndErasesAreThoseOfAMap) {
  const auto [block_bytes, piece_bytes] = GetParam();
  for (uint64_t seed = 1; seed <= 6; ++seed) {
    Random random(seed);
    Tree t(block_bytes, piece_bytes);
    const uint64_t keys = seed % 2 == 0 ? 400 : 20000;
    for (int step = 0; step < 12000; ++step) {
      const uint64_t key = random.below(keys) * 5;
      // In waves, so that the tree grows tall and becomes empty again.
      const bool insert = random.below(100) < (step / 3000 % 2 == 0 ? 85u : 15u);
      const uint64_t nodes_before = t.space.added();
      const uint32_t promised = t.tree.insert_nodes();
      if (insert) {
        ASSERT_EQ(t.tree.insert(key, value_of(key)).ok(), t.model.emplace(key, value_of(key)).second);
        ASSERT_LE(t.space.added() - nodes_before, promised);
      } else {
        ASSERT_EQ(t.tree.erase(key).ok(), t.model.erase(key) == 1);
        ASSERT_EQ(t.space.added(), nodes_before);
      }
      if (step % 16 == 0) t.expect_neighbours(random.below(keys * 5 + 10));
      if (step % 500 == 0) t.expect_same();
    }
    while (!t.model.empty()) {
      auto victim = t.model.lower_bound(random.below(keys * 5));
      if (victim == t.model.end()) victim = t.model.begin();
      ASSERT_TRUE(t.tree.erase(victim->first).ok());
      t.model.erase(victim);
    }
    t.expect_same();
    EXPECT_EQ(t.root.height, 0u);
    EXPECT_TRUE(t.space.objects().empty());
  }
}

TEST(Btree, AscendingKeysFillTheNodes) {
  Tree t(4096);
  const uint64_t keys = 100000;
  for (uint64_t key = 0; key < keys; ++key) ASSERT_TRUE(t.tree.insert(key, value_of(key)).ok());
  EXPECT_TRUE(t.tree.bytes().verify().ok());
  EXPECT_GE(t.root.height, 3u);
  const uint64_t full = div_up(keys, t.tree.bytes().leaf_entries_max());
  EXPECT_LE(t.space.objects().size(), full + full / 100 + 3);
}

TEST(Btree, KeysInFrontOfEverythingGoIntoTheFirstLeaf) {
  Tree t(256);
  for (uint64_t key = 3000; key-- > 0;) {
    ASSERT_TRUE(t.tree.insert(key, value_of(key)).ok());
    t.model[key] = value_of(key);
    if (key % 250 == 0) t.expect_same();
  }
  // The first child goes, a smaller key comes, and then nodes are joined: the key that bounded nothing must bound again.
  for (uint64_t key = 0; key < 2900; ++key) {
    ASSERT_TRUE(t.tree.erase(key).ok());
    t.model.erase(key);
    if (key % 7 == 0) {
      ASSERT_TRUE(t.tree.insert(key, value_of(key)).ok());
      t.model[key] = value_of(key);
    }
    if (key % 100 == 0) t.expect_same();
  }
  t.expect_same();
}

TEST(Btree, AbsentAndPresentKeysAreToldApart) {
  Tree t(256);
  EXPECT_EQ(t.tree.find(1).code(), Errc::kNotFound);
  EXPECT_EQ(t.tree.erase(1).code(), Errc::kNotFound);
  EXPECT_EQ(t.tree.floor(1).code(), Errc::kNotFound);
  ASSERT_TRUE(t.tree.insert(UINT64_MAX, value_of(1)).ok());
  ASSERT_TRUE(t.tree.insert(0, value_of(2)).ok());
  EXPECT_EQ(t.tree.insert(0, value_of(3)).code(), Errc::kExists);
  EXPECT_EQ(t.tree.find(0).value(), value_of(2));
  EXPECT_TRUE(t.tree.update(0, value_of(4)).ok());
  EXPECT_EQ(t.tree.find(0).value(), value_of(4));
  EXPECT_EQ(t.tree.update(7, value_of(4)).code(), Errc::kNotFound);
  EXPECT_EQ(t.tree.ceiling(1)->key, UINT64_MAX);
  EXPECT_EQ(t.tree.floor(UINT64_MAX - 1)->key, 0u);
  EXPECT_TRUE(t.tree.clear().ok());
  EXPECT_TRUE(t.space.objects().empty());
}

TEST(Btree, AFlippedByteIsFoundOrHarmless) {
  Tree t(256);
  for (uint64_t key = 0; key < 300; ++key) ASSERT_TRUE(t.tree.insert(key * 2, value_of(key * 2)).ok());
  std::vector<uint64_t> addresses;
  for (const auto& [address, object] : t.space.objects()) addresses.push_back(address);
  Random random(9);
  for (const uint64_t address : addresses) {
    for (uint32_t offset = 64; offset < 256; ++offset) {
      const std::byte before = t.space.object(address)->data()[offset];
      t.space.object(address)->data()[offset] ^= static_cast<std::byte>(1 + random.below(255));
      const uint64_t key = random.below(600);
      (void)t.tree.find(key).ok();
      (void)t.tree.floor(key).ok();
      (void)t.tree.ceiling(key).ok();
      uint64_t visited = 0;
      (void)t.tree.visit(0, [&](uint64_t, const Value&) { return ++visited < 10000; }).ok();
      EXPECT_LT(visited, 10000u);
      (void)t.tree.bytes().verify().ok();
      t.space.object(address)->data()[offset] = before;
      ASSERT_FALSE(t.space.any_in_use());
    }
  }
  EXPECT_TRUE(t.tree.bytes().verify().ok());
}

}  // namespace
}  // namespace daxlab::xfslike
