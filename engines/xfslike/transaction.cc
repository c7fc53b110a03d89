#include "engines/xfslike/transaction.h"

#include <algorithm>
#include <thread>

#include "engines/base/check.h"
#include "engines/xfslike/inode.h"
#include "engines/xfslike/lock_order.h"
#include "engines/xfslike/log.h"
#include "engines/xfslike/record_format.h"
#include "engines/xfslike/volume.h"

namespace daxlab::xfslike {
namespace {

/// Forces of the log that a reservation tries while blocks that were freed wait for that.
constexpr int kForcesForSpace = 1000;

/// Takes blocks out of the budget, making freed ones usable first if it must.
Result<void> reserve_blocks(Volume& volume, uint64_t blocks, bool privileged) {
  for (int i = 0; i < kForcesForSpace; ++i) {
    if (volume.budget.reserve(blocks, privileged)) return {};
    if (volume.log == nullptr || volume.busy_blocks.load(std::memory_order_acquire) == 0) break;
    DAXLAB_TRY(volume.log->force_all());
    std::this_thread::yield();
  }
  return volume.budget.reserve(blocks, privileged) ? Result<void>() : Result<void>(Errc::kNoSpace);
}

}  // namespace

uint32_t logged_bytes(const LogItem& item) {
  const LogItem::Size size = item.log_size();
  return size.bytes + size.regions * (kOpHeaderBytes + 4);
}

Result<std::unique_ptr<Transaction>> Transaction::begin(Volume& volume, const Reservation& reservation) {
  lock_order_wait(LockRank::kReservation);
  std::unique_ptr<Transaction> transaction(new Transaction(volume, reservation));
  const uint64_t blocks = reservation.blocks + uint64_t{reservation.objects} * volume.dirblock_blocks();
  DAXLAB_TRY(reserve_blocks(volume, blocks, reservation.privileged));
  transaction->blocks_left_ = blocks;
  DAXLAB_TRY(transaction->take_objects());
  if (volume.is_shut_down()) return Errc::kIo;
  if (volume.log != nullptr) {
    DAXLAB_ASSIGN(transaction->ticket_, volume.log->reserve(reservation.log_bytes, reservation.parts));
  }
  return transaction;
}

// Where objects must be whole, pieces for them are part of the reservation: there may be none although blocks are free.
Result<void> Transaction::take_objects() {
  const uint32_t blocks = volume_.dirblock_blocks();
  if (!volume_.options.whole_objects || blocks == 1) return {};
  for (uint32_t i = 0; i < reservation_.objects; ++i) {
    DAXLAB_ASSIGN(const BlockRun run, allocate({.near = 0, .count = blocks, .minimum = blocks}));
    objects_.push_back(run);
    taken_.pop_back();
  }
  return {};
}

Transaction::~Transaction() {
  if (!over_) cancel();
}

void Transaction::join(Inode& inode) {
  if (std::find(inodes_.begin(), inodes_.end(), &inode) == inodes_.end()) inodes_.push_back(&inode);
}

void Transaction::log(Inode& inode, uint32_t fields) {
  DAXLAB_DCHECK(std::find(inodes_.begin(), inodes_.end(), &inode) != inodes_.end());
  dirty_ = true;
  inode.item().add(fields);
}

Result<BlockRun> Transaction::allocate(const Space& space) {
  if (blocks_left_ < space.minimum) return Errc::kNoSpace;
  FreeSpace::Wish wish;
  wish.near = space.near;
  wish.wanted = static_cast<uint32_t>(std::min<uint64_t>(space.count, blocks_left_));
  wish.minimum = space.minimum;
  wish.align = space.align;
  const auto groups = static_cast<uint32_t>(volume_.groups.size());
  const uint32_t first = space.group.value_or(space.near == 0 ? 0 : volume_.group_of(space.near));
  for (uint32_t i = 0; i < (space.group ? 1 : groups); ++i) {
    Group& group = *volume_.groups[(first + i) % groups];
    wish.origin = group.first_block;
    if (i != 0) wish.near = 0;
    const auto run = group.space.take(wish);
    if (!run) continue;
    blocks_left_ -= run->count;
    taken_.push_back(*run);
    return *run;
  }
  return Errc::kNoSpace;
}

Result<BlockRuns> Transaction::allocate_object(uint64_t near, uint32_t blocks) {
  if (!objects_.empty() && blocks == volume_.dirblock_blocks()) {
    const BlockRun run = objects_.back();
    objects_.pop_back();
    taken_.push_back(run);
    return BlockRuns{run};
  }
  const uint32_t run_blocks = volume_.superblock.meta_run_blocks == 0 ? blocks : volume_.superblock.meta_run_blocks;
  if (blocks_left_ < blocks) return Errc::kNoSpace;
  BlockRuns runs;
  for (uint32_t left = blocks; left != 0;) {
    DAXLAB_ASSIGN(const BlockRun run, allocate({.near = near, .count = std::min(left, run_blocks)}));
    runs.push_back(run);
    left -= run.count;
    near = run.first + run.count + (run_blocks < blocks ? run_blocks : 0);  // a gap, so that pieces are pieces
  }
  return runs;
}

void Transaction::free_extent(uint64_t block, uint64_t count) {
  dirty_ = true;
  freed_.push_back({block, static_cast<uint32_t>(count)});
}

void Transaction::charge(const Inode& inode, int64_t blocks, int64_t inodes) {
  if (volume_.superblock.quota == 0 || volume_.is_quota_inode(inode.ino())) return;
  for (const auto& key : {std::pair{QuotaKind::kUser, inode.core.uid}, std::pair{QuotaKind::kGroup, inode.core.gid}}) {
    Charge& charge = charges_[key];
    if (charge.dquot == nullptr) {
      const auto found = volume_.dquots.find(key.first, key.second);
      if (found.ok()) charge.dquot = *found;
      if (charge.dquot == nullptr) {  // damaged, or an owner without one: what is counted from here on would be wrong
        charges_.erase(key);
        return volume_.shut_down();
      }
    }
    charge.blocks += blocks;
    charge.inodes += inodes;
  }
}

// One that is dirty has changed what it cannot change back, which only damage found half way can bring about: the file system is shut
// down, as XFS does (xfs_trans_cancel()).
void Transaction::cancel() {
  DAXLAB_CHECK(!over_);
  over_ = true;
  if (dirty_) {
    volume_.shut_down();
  } else {
    for (const BlockRun& run : taken_) {
      volume_.group(run.first).space.give(run.first, run.count);
      blocks_left_ += run.count;
    }
  }
  let_go();
}

}  // namespace daxlab::xfslike
