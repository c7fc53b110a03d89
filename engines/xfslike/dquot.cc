#include "engines/xfslike/dquot.h"

#include <cstddef>

#include <fmt/format.h>

#include "engines/base/check.h"
#include "engines/pmem/persist.h"
#include "engines/xfslike/ail.h"
#include "engines/xfslike/bmap.h"
#include "engines/xfslike/dquot_disk.h"
#include "engines/xfslike/inode.h"
#include "engines/xfslike/item_format.h"
#include "engines/xfslike/transaction.h"
#include "engines/xfslike/volume.h"

namespace daxlab::xfslike {

LogItem::Size Dquot::log_size() const { return {2, sizeof(DquotLogDisk) + sizeof(DquotDisk)}; }

void Dquot::format(RegionWriter& out) const {
  const DquotLogDisk disk{{}, dquot_offset(id_), block_};
  __builtin_memcpy(out.add(sizeof disk), &disk, sizeof disk);
  __builtin_memcpy(out.add(sizeof core), &core, sizeof core);
}

void Dquot::committing(uint64_t) DAXLAB_NO_THREAD_SAFETY_ANALYSIS { mutex_.unlock(); }

// As an inode (inode_flush.cc): the counts, fence, then the stamp.
void Dquot::write_back(Lsn lsn) {
  core.lsn = lsn;
  core.crc = dquot_crc(core);
  store_dquot(volume_.address(block_) + dquot_offset(id_), core);
}

LogItem::Push Dquot::push() {
  if (!mutex_.try_lock()) return Push::kLocked;
  Push pushed = Push::kDone;
  const Lsn lsn = ail_lsn();
  if (pins_.load(std::memory_order_acquire) != 0) {
    pushed = Push::kPinned;
  } else if (lsn != kNoLsn) {
    write_back(lsn);
    volume_.ail->remove_at(*this, lsn);
  }
  mutex_.unlock();
  return pushed;
}

Result<Inode*> DquotTable::file(QuotaKind kind) {
  return volume_.inodes.get(kind == QuotaKind::kUser ? volume_.superblock.user_quota_ino : volume_.superblock.group_quota_ino);
}

Result<uint64_t> DquotTable::block_of(QuotaKind kind, uint32_t id) {
  DAXLAB_ASSIGN(Inode* const inode, file(kind));
  uint64_t block = 0;
  auto loaded = Result<void>();
  {
    const WriterLock lock(inode->ilock);
    loaded = load_extents(*inode);
    if (loaded.ok()) block = map_blocks(*inode, id / kDquotsPerBlock, 1).block;
  }
  DAXLAB_CHECK(!volume_.inodes.put(inode));
  if (!loaded.ok()) return loaded.error();
  return block;
}

Result<Dquot*> DquotTable::find(QuotaKind kind, uint32_t id) {
  {
    const MutexLock lock(mutex_);
    const auto found = dquots_.find({kind, id});
    if (found != dquots_.end()) return found->second.get();
  }
  DAXLAB_ASSIGN(const uint64_t block, block_of(kind, id));
  if (block == 0) return static_cast<Dquot*>(nullptr);
  auto dquot = std::make_unique<Dquot>(volume_, kind, id, block);
  dquot->core = pmem::load(reinterpret_cast<const DquotDisk*>(volume_.address(block) + dquot_offset(id)));
  DAXLAB_TRY(verify_dquot(dquot->core, static_cast<uint32_t>(kind), id, volume_.superblock.uuid));
  const MutexLock lock(mutex_);
  return dquots_.try_emplace({kind, id}, std::move(dquot)).first->second.get();
}

// Stores: the block's dquots, all zero usage; fence; the commit that maps the block. A crash before it is durable leaves a free block.
Result<void> DquotTable::add_block(QuotaKind kind, uint32_t id) {
  DAXLAB_ASSIGN(Inode* const inode, file(kind));
  const auto add = [&]() -> Result<void> {
    DAXLAB_ASSIGN(const auto transaction, Transaction::begin(volume_, reservation::write(volume_, 1)));
    const WriterLock lock(inode->ilock);
    DAXLAB_TRY(load_extents(*inode));
    if (!map_blocks(*inode, id / kDquotsPerBlock, 1).hole()) return {};
    transaction->join(*inode);
    DAXLAB_ASSIGN(const Extent extent, allocate_blocks(*transaction, *inode, id / kDquotsPerBlock, 1, false));
    write_dquot_block(volume_.address(extent.block), static_cast<uint32_t>(kind), align_down(id, kDquotsPerBlock),
                      volume_.superblock.uuid);
    pmem::fence();
    transaction->commit();
    return {};
  };
  const auto added = add();
  DAXLAB_CHECK(!volume_.inodes.put(inode));
  return added;
}

Result<void> DquotTable::ensure(uint32_t uid, uint32_t gid) {
  if (volume_.superblock.quota == 0) return {};
  for (const auto& [kind, id] : {std::pair{QuotaKind::kUser, uid}, std::pair{QuotaKind::kGroup, gid}}) {
    DAXLAB_ASSIGN(Dquot* const found, find(kind, id));
    if (found != nullptr) continue;
    DAXLAB_TRY(add_block(kind, id));
    DAXLAB_ASSIGN(Dquot* const made, find(kind, id));
    DAXLAB_CHECK(made != nullptr);
  }
  return {};
}

Result<Usage> DquotTable::usage(QuotaKind kind, uint32_t id) {
  DAXLAB_ASSIGN(Dquot* const dquot, find(kind, id));
  if (dquot == nullptr) return Usage{};
  const MutexLock lock(dquot->mutex());
  return Usage{dquot->core.block_count, dquot->core.inode_count};
}

uint64_t DquotTable::dram_bytes() const {
  const MutexLock lock(mutex_);
  return dquots_.size() * sizeof(Dquot);
}

}  // namespace daxlab::xfslike
