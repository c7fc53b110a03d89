// Arrays of eight-byte pairs ordered by hash within a block: leaf entries (hash, address) and node entries (hash, child).
//
// Leaf entries that were removed are stale: the hash stays, the address is 0, and an insertion near by moves only what lies between.
// The array of a leaf begins at a fixed place and grows upwards, that of the block form ends at one and grows downwards.
// Threads: as MetadataBytes. Counts are the caller's to check and to write.
#pragma once

#include <cstdint>

#include "engines/xfslike/dirblock.h"

namespace daxlab::xfslike {

inline constexpr uint32_t kDirPairBytes = sizeof(DirLeafEntryDisk);
inline constexpr uint32_t kDirPairsAt = kDirHeaderBytes + sizeof(DirLeafHeaderDisk);  ///< In leaves and nodes.

class DirPairs {
 public:
  DirPairs(MetadataBytes& bytes, uint32_t base, uint32_t count, uint32_t stale)
      : bytes_(&bytes), base_(base), count_(count), stale_(stale) {}

  uint32_t base() const { return base_; }
  uint32_t count() const { return count_; }
  uint32_t stale() const { return stale_; }
  uint32_t live() const { return count_ - stale_; }

  DirLeafEntryDisk at(uint32_t index) const { return bytes_->load<DirLeafEntryDisk>(offset(index)); }
  /// The first index in [from, count()) whose hash is not less.
  uint32_t lower_bound(uint32_t hash, uint32_t from = 0) const;

  enum class Grow : uint8_t { kUp, kDown };
  /// Puts an entry at `index` (its lower bound): into the place of the nearest stale one, else by growing, for which there is room.
  /// False where stale() promised one that is not there.
  bool insert(uint32_t index, const DirLeafEntryDisk& entry, Grow grow);
  void make_stale(uint32_t index);
  /// Drops the entry at `index` altogether.
  void remove(uint32_t index);
  /// Squeezes stale entries out, towards the start (kUp) or the end (kDown); false where there are not as many as stale() says.
  bool compact(Grow grow);
  /// Writes entries of `from` [begin, end), leaving out stale ones, behind the last one here.
  void append(const DirPairs& from, uint32_t begin, uint32_t end);
  void set_hash(uint32_t index, uint32_t hash) { bytes_->store(offset(index), hash); }
  void truncate(uint32_t count) { count_ = count; }

 private:
  uint32_t offset(uint32_t index) const { return base_ + index * kDirPairBytes; }
  void move(uint32_t to, uint32_t from, uint32_t count) {
    if (count > 0) bytes_->move(offset(to), offset(from), count * kDirPairBytes);
  }
  /// Nearest stale index below `index`, or at or above it; kNone.
  static constexpr uint32_t kNone = UINT32_MAX;
  uint32_t nearest_stale(uint32_t index) const;

  MetadataBytes* bytes_;
  uint32_t base_;
  uint32_t count_;
  uint32_t stale_;
};

}  // namespace daxlab::xfslike
