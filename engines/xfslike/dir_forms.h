// What the files that implement DirBlocks share: the forms opened, a path through the nodes, and the search within one array.
// Threads: as DirBlocks.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

#include "engines/xfslike/dir_data.h"
#include "engines/xfslike/dir_pairs.h"
#include "engines/xfslike/dirblock.h"

namespace daxlab::xfslike {

/// An entry of the hash index that leads to the wanted name.
struct DirHit {
  uint32_t index;
  uint32_t address;
  DirTarget target;
  DirFound found() const { return {target.ino, target.kind, address}; }
};

/// The first entry of `pairs` from `index` on with this hash that `match(address)` recognises; none in this array.
template <typename Match>
Result<std::optional<DirHit>> find_among(const DirPairs& pairs, uint32_t index, uint32_t hash, Match match) {
  std::optional<DirHit> hit;
  for (; index < pairs.count(); ++index) {
    const DirLeafEntryDisk entry = pairs.at(index);
    if (entry.hash != hash) break;
    if (entry.address == 0) continue;
    DAXLAB_ASSIGN(const std::optional<DirTarget> target, match(entry.address));
    if (target) {
      hit = DirHit{index, entry.address, *target};
      break;
    }
  }
  return hit;
}

/// One data block whose end holds the index.
struct DirBlocks::BlockForm {
  MetadataRef bytes;
  DirData data;
  DirPairs pairs;

  Result<std::optional<DirHit>> find(std::string_view name, uint32_t hash) const {
    return find_among(pairs, pairs.lower_bound(hash), hash, [&](uint32_t address) -> Result<std::optional<DirTarget>> {
      const uint64_t offset = uint64_t{address} * kDirUnit;
      if (offset >= bytes->size_bytes()) return Errc::kCorrupt;
      return data.match(static_cast<uint32_t>(offset), name);
    });
  }
  void write_tail() {
    bytes->store(bytes->size_bytes() - static_cast<uint32_t>(sizeof(DirBlockTailDisk)), DirBlockTailDisk{pairs.count(), pairs.stale()});
  }
};

/// The only leaf, with the longest unused piece of each data block behind its entries.
struct DirBlocks::LeafForm {
  MetadataRef bytes;
  DirPairs pairs;
  uint32_t blocks;  ///< Data blocks, holes included.

  uint32_t used_bytes() const { return used_bytes(pairs.count(), blocks); }
  static uint32_t used_bytes(uint32_t count, uint32_t blocks) { return kDirPairsAt + count * kDirPairBytes + blocks * 2 + 4; }
  uint32_t best_offset(uint32_t block) const { return bytes->size_bytes() - 4 - (blocks - block) * 2; }
  uint16_t best(uint32_t block) const { return bytes->load<uint16_t>(best_offset(block)); }
  void set_best(uint32_t block, uint32_t longest) {
    if (best(block) != longest) bytes->store(best_offset(block), static_cast<uint16_t>(longest));
  }
  /// Room at the end of the table for one more data block, or only for the first `count`: the table ends at a fixed place.
  void resize(uint32_t count) {
    const uint32_t from = best_offset(0);
    const uint32_t kept = blocks < count ? blocks : count;
    blocks = count;
    bytes->move(best_offset(0), from, kept * 2);
    bytes->store(bytes->size_bytes() - 4, blocks);
  }
};

/// From a leaf (level 0) to the root. Addresses, not references: a block that is read must be given back before it is changed.
struct DirBlocks::Path {
  struct Step {
    uint64_t address = 0;
    uint32_t index = 0;  ///< Of the child taken.
    uint32_t count = 0;
  };
  std::array<Step, kDirLevelsMax + 2> at;
  uint32_t top = 0;  ///< Level of the root; 0: it is the only leaf.
};

/// A name in the node form.
struct DirBlocks::Position {
  Path path;
  DirHit hit;
};

/// Any block of the node form's index, its header checked.
struct DirIndexBlock {
  MetadataRef bytes;
  DirPairs pairs;
  uint32_t level;  ///< 0: a leaf.

  static Result<DirIndexBlock> open(MetadataRef bytes) {
    const auto header = bytes->load<DirLeafHeaderDisk>(kDirHeaderBytes);
    const uint32_t fits = (bytes->size_bytes() - kDirPairsAt) / kDirPairBytes;
    if (header.count > fits) return Errc::kCorrupt;
    MetadataBytes& in = *bytes;
    if (header.magic == kDirNodeLeafMagic) {
      if (header.stale > header.count) return Errc::kCorrupt;
      return DirIndexBlock{std::move(bytes), {in, kDirPairsAt, header.count, header.stale}, 0};
    }
    if (header.magic != kDirNodeMagic) return Errc::kCorrupt;
    const auto node = in.load<DirNodeHeaderDisk>(kDirHeaderBytes);
    if (node.count == 0 || node.level == 0 || node.level > kDirLevelsMax) return Errc::kCorrupt;
    return DirIndexBlock{std::move(bytes), {in, kDirPairsAt, node.count, 0}, node.level};
  }
  static DirIndexBlock create(MetadataRef bytes, uint32_t level) {
    MetadataBytes& in = *bytes;
    return DirIndexBlock{std::move(bytes), {in, kDirPairsAt, 0, 0}, level};
  }
  void write_header() {
    const auto count = static_cast<uint16_t>(pairs.count());
    if (level == 0) {
      bytes->store(kDirHeaderBytes, DirLeafHeaderDisk{kDirNodeLeafMagic, count, static_cast<uint16_t>(pairs.stale()), 0});
    } else {
      bytes->store(kDirHeaderBytes, DirNodeHeaderDisk{kDirNodeMagic, count, static_cast<uint16_t>(level), 0});
    }
  }
};

}  // namespace daxlab::xfslike
