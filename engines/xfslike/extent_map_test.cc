// Extents against an array of blocks, and their packing.
#include "engines/xfslike/extent_map.h"

#include <gtest/gtest.h>

#include <map>
#include <vector>

#include "engines/base/random.h"

namespace daxlab::xfslike {
namespace {

TEST(Extent, PackedAndUnpackedIsTheSame) {
  Random random(7);
  for (int i = 0; i < 10000; ++i) {
    Extent extent;
    extent.offset = random.below(kFileBlocksMax);
    extent.block = random.below(uint64_t{1} << 52);
    extent.count = 1 + static_cast<uint32_t>(random.below(kExtentCountMax));
    extent.unwritten = random.below(2) == 1;
    EXPECT_EQ(unpack(pack(extent)), extent);
  }
}

struct Cell {
  uint64_t block = 0;
  bool unwritten = false;
  friend bool operator==(const Cell&, const Cell&) = default;
};

/// The records that the changes have told, by offset: what a tree that follows them holds.
void follow(std::map<uint64_t, Extent>& tree, const ExtentMap::Change& change) {
  for (const auto& [offset, extent] : change.records) {
    if (extent) {
      tree[offset] = *extent;
    } else {
      tree.erase(offset);
    }
  }
}

TEST(ExtentMap, DoesWhatAnArrayDoes) {
  constexpr uint64_t kOffsets = 200;
  for (uint64_t seed = 1; seed <= 30; ++seed) {
    Random random(seed);
    ExtentMap map;
    std::vector<Cell> model(kOffsets);
    std::map<uint64_t, Extent> tree;
    for (int i = 0; i < 400; ++i) {
      const uint64_t offset = random.below(kOffsets);
      const uint64_t count = 1 + random.below(std::min<uint64_t>(kOffsets - offset, 12));
      ExtentMap::Change change;
      std::vector<Extent> removed;
      map.erase(offset, count, removed, &change);
      uint64_t removed_blocks = 0;
      for (const Extent& extent : removed) {
        for (uint64_t k = 0; k < extent.count; ++k) {
          EXPECT_EQ(model[extent.offset + k], (Cell{extent.block + k, extent.unwritten}));
        }
        removed_blocks += extent.count;
      }
      for (uint64_t k = offset; k < offset + count; ++k) {
        removed_blocks -= model[k].block != 0 ? 1 : 0;
        model[k] = {};
      }
      EXPECT_EQ(removed_blocks, 0u);
      if (random.below(3) != 0) {
        // Often so that it continues a neighbour.
        const uint64_t block = random.below(2) == 0 ? 1000 + offset : 5000 + random.below(1000);
        const Extent extent{offset, block, static_cast<uint32_t>(count), random.below(2) == 0};
        map.insert(extent, &change);
        for (uint64_t k = 0; k < count; ++k) model[offset + k] = {block + k, extent.unwritten};
      }
      follow(tree, change);
    }
    std::vector<Cell> said(kOffsets);
    ASSERT_EQ(tree.size(), map.size());
    const Extent* previous = nullptr;
    for (const Extent& extent : map.all()) {
      EXPECT_EQ(tree.at(extent.offset), extent);
      if (previous != nullptr) {
        EXPECT_LE(previous->end(), extent.offset);
        EXPECT_FALSE(previous->end() == extent.offset && previous->block + previous->count == extent.block &&
                     previous->unwritten == extent.unwritten)
            << "not merged";
      }
      for (uint64_t k = 0; k < extent.count; ++k) said[extent.offset + k] = {extent.block + k, extent.unwritten};
      previous = &extent;
    }
    EXPECT_EQ(said, model);
  }
}

}  // namespace
}  // namespace daxlab::xfslike
