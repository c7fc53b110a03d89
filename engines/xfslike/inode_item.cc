#include "engines/xfslike/inode_item.h"

#include "engines/base/check.h"
#include "engines/xfslike/ail.h"
#include "engines/xfslike/inode.h"
#include "engines/xfslike/inode_flush.h"
#include "engines/xfslike/item_format.h"
#include "engines/xfslike/volume.h"

namespace daxlab::xfslike {

LogItem::Size InodeItem::log_size() const {
  Size size{2, sizeof(InodeLogDisk) + sizeof(InodeCoreDisk)};
  if ((fields_ & kInodeFork) != 0 && inode_.core.fork_bytes != 0) {
    ++size.regions;
    size.bytes += inode_.core.fork_bytes;
  }
  return size;
}

void InodeItem::format(RegionWriter& out) const {
  const uint32_t fork_bytes = (fields_ & kInodeFork) != 0 ? inode_.core.fork_bytes : 0;
  InodeLogDisk disk{};
  disk.fields = fields_ & (kInodeCore | kInodeFork);
  disk.ino = inode_.ino();
  disk.fork_bytes = fork_bytes;
  __builtin_memcpy(out.add(sizeof disk), &disk, sizeof disk);
  __builtin_memcpy(out.add(sizeof inode_.core), &inode_.core, sizeof inode_.core);
  if (fork_bytes != 0) inode_.format_fork(out.add(fork_bytes));
}

void InodeItem::committing(uint64_t sequence) {
  inode_.last_sequence.store(sequence, std::memory_order_release);
  if ((fields_ & kInodeData) != 0) inode_.data_sequence.store(sequence, std::memory_order_release);
  fields_ &= ~uint32_t{kInodeData};
  logged_ = false;
}

void InodeItem::write_back(Lsn lsn) {
  InodeFlush flush(inode_.volume());
  flush.add(inode_, lsn);
  flush.write();
}

// With the inode go the others of its cluster that can, as XFS flushes a cluster at a time (xfs_iflush_cluster()): two fences for all.
LogItem::Push InodeItem::push() DAXLAB_NO_THREAD_SAFETY_ANALYSIS {
  if (!inode_.ilock.try_lock()) return Push::kLocked;
  if (pinned() || logged_) {
    inode_.ilock.unlock();
    return Push::kPinned;
  }
  InodeFlush flush(inode_.volume());
  inode_.volume().inodes.hold(inode_);
  if (!flush.take(inode_)) return Push::kDone;  // no longer in the AIL
  flush.take_cluster(inode_);
  flush.write();
  flush.let_go();
  return Push::kDone;
}

}  // namespace daxlab::xfslike
