#include "engines/xfslike/volume.h"

#include <algorithm>

#include "engines/base/check.h"
#include "engines/xfslike/log.h"

namespace daxlab::xfslike {
namespace {

/// Kept back from the budget for what gives space back: an eighth of a per cent, as a few blocks are enough for many operations at once
/// (XFS keeps 5 %, at most 8192 blocks: xfs_default_resblks()).
uint64_t kept_back(uint64_t free_blocks) { return std::min<uint64_t>(std::max<uint64_t>(free_blocks / 800, 64), free_blocks / 8); }

/// Of every object where there is no log: no record is ever newer.
constexpr Lsn kUnloggedLsn = make_lsn(1, 0);

}  // namespace

bool Volume::plausible(uint64_t block, uint64_t count) const {
  if (count == 0 || block >= superblock.block_count || count > superblock.block_count - block) return false;
  if (block % superblock.group_blocks < kBitmapAt) return false;
  return block + count <= superblock.log_first_block || block >= superblock.log_first_block + superblock.log_blocks;
}

void Volume::shut_down() {
  if (!shut_down_.exchange(true) && log != nullptr) log->shutdown();
}

void Volume::store_unlogged(std::span<LogItem* const> items) {
  for (LogItem* const item : items) {
    const ItemType type = item->type();
    const bool stored = type == ItemType::kInode || type == ItemType::kBuffer || type == ItemType::kDquot;
    item->pin();
    if (stored) static_cast<StoredItem*>(item)->write_back(kUnloggedLsn);
    item->committing(0);
    if (item->committed(kUnloggedLsn) != kNoLsn) item->unpin();
  }
}

Result<void> load_groups(Volume& volume) {
  uint64_t free_blocks = 0;
  for (uint32_t number = 0; number < volume.superblock.group_count; ++number) {
    DAXLAB_ASSIGN(auto group, load_group(volume, number));
    free_blocks += group->space.free_blocks();
    volume.groups.push_back(std::move(group));
  }
  volume.budget.start(free_blocks, kept_back(free_blocks));
  return {};
}

FsStats volume_stats(const Volume& volume) {
  FsStats stats;
  stats.blocks_total = volume.superblock.block_count - volume.superblock.log_blocks;
  stats.blocks_free = volume.budget.available() + volume.busy_blocks.load(std::memory_order_relaxed);
  for (const auto& group : volume.groups) {
    stats.inodes_total += group->chunks.inodes();
    stats.inodes_free += group->chunks.free_inodes();
  }
  const uint64_t more = stats.blocks_free / kBlocksPerChunk * kInodesPerChunk;  // chunks that could still be made
  stats.inodes_total += more;
  stats.inodes_free += more;
  return stats;
}

}  // namespace daxlab::xfslike
