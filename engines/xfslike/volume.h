// What all parts of one mounted file system share: the medium, the groups, the caches, the log.
//
// Mount: read_superblock(), a Volume, recovery of the log into a Replay (replay.h), load_groups(), the log started, then
// finish_intents() and the orphans. Before load_groups() nothing but replay may run.
//
// Threads: read-only after mount, except what says otherwise. Outlives every inode, buffer and transaction.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "engines/api/types.h"
#include "engines/base/result.h"
#include "engines/pmem/region.h"
#include "engines/xfslike/block_budget.h"
#include "engines/xfslike/buffer_cache.h"
#include "engines/xfslike/buffer_mapping.h"
#include "engines/xfslike/dquot.h"
#include "engines/xfslike/format.h"
#include "engines/xfslike/group.h"
#include "engines/xfslike/inode_table.h"

namespace daxlab::xfslike {

class Ail;
class Log;

struct VolumeOptions {
  MetaMode meta = MetaMode::kBuffer;
  BufferMapping* mapping = nullptr;  ///< Of meta=overlay and unsafe; borrowed.
  /// Whether the mapping needs an object's blocks in one piece (map=contig): then they are allocated so.
  bool whole_objects = true;
  uint64_t cache_bytes = 64 * kMiB;
  bool quota = false;
};

struct Volume {
  Volume(pmem::Region& region_in, const SuperblockDisk& superblock_in, const VolumeOptions& options_in)
      : region(region_in),
        superblock(superblock_in),
        options(options_in),
        cache(*this, options_in.cache_bytes),
        inodes(*this),
        dquots(*this) {}
  Volume(const Volume&) = delete;
  Volume& operator=(const Volume&) = delete;

  std::byte* address(uint64_t block) const { return region.block_address(block); }
  uint32_t group_of(uint64_t block) const { return static_cast<uint32_t>(block / superblock.group_blocks); }
  Group& group(uint64_t block) { return *groups[group_of(block)]; }
  /// Whether a block number read from the medium may be followed: inside, behind its group's own metadata, not in the log.
  bool plausible(uint64_t block, uint64_t count = 1) const;
  bool is_quota_inode(uint64_t ino) const { return ino == superblock.user_quota_ino || ino == superblock.group_quota_ino; }
  /// Damage was found where a change could not be undone: everything fails with kIo from now on.
  void shut_down();
  bool is_shut_down() const { return shut_down_.load(std::memory_order_acquire); }
  /// Without a log: stores the items of a commit in their places.
  void store_unlogged(std::span<LogItem* const> items);
  uint32_t dirblock_blocks() const { return superblock.dirblock_bytes / static_cast<uint32_t>(kBlockBytes); }

  pmem::Region& region;
  const SuperblockDisk superblock;
  const VolumeOptions options;
  Log* log = nullptr;  ///< Set once it runs; null: `log=none`, changes are written back when they are committed.
  Ail* ail = nullptr;

  std::vector<std::unique_ptr<Group>> groups;
  BlockBudget budget;
  std::atomic<uint64_t> busy_blocks{0};      ///< Freed, and not to be allocated before that is durable.
  std::atomic<uint32_t> next_directory_group{0};
  std::atomic<uint64_t> next_intent{1};

  BufferCache cache;
  InodeTable inodes;
  DquotTable dquots;

 private:
  std::atomic<bool> shut_down_{false};
};

/// Reads every group and starts the budget. kCorrupt.
Result<void> load_groups(Volume& volume);
/// Blocks and inodes, free and not, for statfs(): busy blocks count as free.
FsStats volume_stats(const Volume& volume);

}  // namespace daxlab::xfslike
