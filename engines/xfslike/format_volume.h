// What mkfs writes: groups whose space is free but for the metadata and the log, one chunk of inodes with the root and the quota files.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "engines/base/result.h"
#include "engines/pmem/region.h"
#include "engines/xfslike/format.h"

namespace daxlab::xfslike {

struct FormatRequest {
  uint32_t group_count = 4;
  uint64_t log_blocks = 0;        ///< In one extent, in the middle group, as mkfs.xfs places it.
  uint32_t dirblock_bytes = 4096;
  uint32_t meta_run_blocks = 0;
  bool quota = false;
  Uuid uuid{};
  uint64_t now_ns = 0;
  std::span<const std::byte> root_fork;  ///< The root directory's short form without names: its literal area.
};

/// The root's inode number on such a medium, before anything is written (its short form names its parent: itself).
Result<SuperblockDisk> plan_volume(const pmem::Region& region, const FormatRequest& request);
/// Writes all of it; the superblock last. kNoSpace where the medium is too small, kUsage where the request makes no sense. The log's
/// blocks are the log's to write.
Result<SuperblockDisk> format_volume(pmem::Region& region, const FormatRequest& request);

}  // namespace daxlab::xfslike
