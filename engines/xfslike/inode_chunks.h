// The inode chunks of a group, in DRAM: what its index on the medium says, and what running transactions have taken.
//
// Threads: any; one lock, a leaf.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <vector>

#include "engines/base/mutex.h"
#include "engines/xfslike/format.h"

namespace daxlab::xfslike {

class InodeChunks {
 public:
  /// A chunk of the index as it was read, or as it was just added: a new record, or more blocks of one. `record` is its number.
  void add(uint32_t record, const ChunkDisk& added);
  /// A free inode, as a number of the group (block * kInodesPerBlock + slot), the lowest of the chunk that was used last or else of
  /// all; it is taken.
  std::optional<uint32_t> take();
  void give(uint32_t inode);
  void set_orphan(uint32_t inode, bool orphan);

  struct Place {
    uint32_t record;   ///< In the index.
    uint32_t bit;      ///< In the record's masks.
  };
  /// Where an inode of the group is recorded; none where its block holds no inodes.
  std::optional<Place> find(uint32_t inode) const;
  /// The record as it is now.
  ChunkDisk record(uint32_t record) const;
  /// The record that covers a block, whether or not the block itself holds inodes.
  std::optional<uint32_t> record_of_block(uint32_t block) const;
  uint32_t count() const;
  uint64_t inodes() const;
  uint64_t free_inodes() const;

 private:
  mutable Mutex mutex_;
  std::vector<ChunkDisk> records_ DAXLAB_GUARDED_BY(mutex_);
  std::map<uint32_t, uint32_t> by_block_ DAXLAB_GUARDED_BY(mutex_);  // first block -> record
  std::set<uint32_t> with_free_ DAXLAB_GUARDED_BY(mutex_);
  uint64_t inodes_ DAXLAB_GUARDED_BY(mutex_) = 0;
  uint64_t free_inodes_ DAXLAB_GUARDED_BY(mutex_) = 0;
};

}  // namespace daxlab::xfslike
