// What all parts of one mounted native file system share: the medium, the free blocks, the log pages, the epoch.
//
// Threads: read-only after mount, except what says otherwise. Outlives every inode and handle.
#pragma once

#include <cstdint>
#include <cstdlib>
#include <memory>

#include "engines/native/allocator.h"
#include "engines/native/commit_slots.h"
#include "engines/native/format.h"
#include "engines/native/seal.h"
#include "engines/pmem/region.h"

namespace daxlab::native {

/// DRAM beside a block that is a log page: which records in it still matter, and the next page. Guarded by the owning inode's lock.
struct LogPageInfo {
  uint32_t live;  ///< Pages, names and states that a record of this page is the last word on.
  uint32_t next;  ///< 0: none.
};

struct Free {
  void operator()(void* p) const { std::free(p); }
};

struct Volume {
  Volume(pmem::Region& region_in, const SuperblockDisk& superblock_in, uint32_t cpus)
      : region(region_in),
        superblock(superblock_in),
        seed(identity_seed(superblock_in.identity)),
        allocator(superblock_in.block_count, cpus),
        // calloc: pages that no log ever touches cost no memory.
        log_pages(static_cast<LogPageInfo*>(std::calloc(superblock_in.block_count, sizeof(LogPageInfo)))),
        commits(region_in, identity_seed(superblock_in.identity)) {
    DAXLAB_CHECK(log_pages != nullptr);
  }
  Volume(const Volume&) = delete;
  Volume& operator=(const Volume&) = delete;

  std::byte* address(uint32_t block) const { return region.block_address(block); }
  template <typename Disk>
  Disk* disk(uint32_t block, uint32_t line) const {
    return reinterpret_cast<Disk*>(address(block) + line * kLineBytes);
  }
  /// Whether a pointer read from the medium may be followed: beyond the fixed blocks, before the replica.
  bool plausible(uint32_t block) const {
    return block >= kInodeMapBlock + superblock.inode_map_blocks && block < superblock.block_count - 1;
  }

  pmem::Region& region;
  const SuperblockDisk superblock;
  const uint32_t seed;
  uint32_t epoch = 0;  ///< Of this mount; set before anything is written.
  bool copy_on_write = true;
  uint32_t dirblock_bytes = 0;  ///< dirs=xfslike: of a directory's blocks in DRAM; 0: hash tables.
  Allocator allocator;
  std::unique_ptr<LogPageInfo[], Free> log_pages;
  CommitSlots commits;
};

}  // namespace daxlab::native
