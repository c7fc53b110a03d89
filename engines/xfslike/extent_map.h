// A file's extents in DRAM: all of them, ordered by offset, neighbours merged. (XFS reads an inode's extents whole, too:
// fs/xfs/libxfs/xfs_iext_tree.c.)
//
// Invariants: no extent is empty or overlaps another; two that continue each other in file, medium and state are one, unless that
// were longer than kExtentCountMax.
// Threads: the inode's ilock.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <vector>

#include "engines/xfslike/format.h"

namespace daxlab::xfslike {

/// File blocks [offset, offset + count) lie at [block, block + count).
struct Extent {
  uint64_t offset = 0;
  uint64_t block = 0;
  uint32_t count = 0;
  bool unwritten = false;  ///< Allocated; reads as zeroes.

  uint64_t end() const { return offset + count; }
  friend bool operator==(const Extent&, const Extent&) = default;
};

ExtentDisk pack(const Extent& extent);
Extent unpack(const ExtentDisk& disk);

class ExtentMap {
 public:
  size_t size() const { return extents_.size(); }
  bool empty() const { return extents_.empty(); }
  const std::vector<Extent>& all() const { return extents_; }

  /// The extent that holds `offset`, or the first one beyond; null at the end.
  const Extent* at_or_after(uint64_t offset) const;
  /// The last extent that ends at or before `offset`.
  const Extent* before(uint64_t offset) const;
  /// The last extent that begins before `offset`.
  const Extent* before_end(uint64_t offset) const;
  uint64_t end() const { return extents_.empty() ? 0 : extents_.back().end(); }

  /// What changes did to the records, for a B+tree that follows: by offset, the record that is there now or none.
  struct Change {
    std::map<uint64_t, std::optional<Extent>> records;
    void erase(uint64_t offset) { records[offset] = std::nullopt; }
    void store(const Extent& extent) { records[extent.offset] = extent; }
  };
  /// Adds what overlaps nothing.
  void insert(const Extent& extent, Change* change = nullptr);
  /// Removes [offset, offset + count), splitting where it must; what was there goes to `removed`.
  void erase(uint64_t offset, uint64_t count, std::vector<Extent>& removed, Change* change = nullptr);
  void clear() { extents_.clear(); }
  /// Appends a record read from the medium: false if it is out of order, empty or overlaps.
  bool append_read(const Extent& extent);

 private:
  size_t position(uint64_t offset) const;
  std::vector<Extent> extents_;
};

}  // namespace daxlab::xfslike
