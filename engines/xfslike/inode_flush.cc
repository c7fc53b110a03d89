#include "engines/xfslike/inode_flush.h"

#include <cstddef>

#include "engines/base/check.h"
#include "engines/pmem/persist.h"
#include "engines/xfslike/ail.h"
#include "engines/xfslike/inode.h"
#include "engines/xfslike/inode_disk.h"
#include "engines/xfslike/volume.h"

namespace daxlab::xfslike {
namespace {

constexpr uint32_t kInodesPerCluster = 32;  // 16 KiB
constexpr uint32_t kStampBytes = offsetof(InodeCoreDisk, lsn) + sizeof(uint64_t);
static_assert(offsetof(InodeCoreDisk, crc) == 4 && kStampBytes == 16);

std::byte* place_of(Volume& volume, uint64_t ino) { return volume.address(inode_block(ino)) + inode_offset(ino); }

}  // namespace

bool InodeFlush::take(Inode& inode) DAXLAB_NO_THREAD_SAFETY_ANALYSIS {
  const Lsn lsn = inode.item().ail_lsn();
  if (lsn != kNoLsn) {
    inodes_.push_back({&inode, lsn});
    return true;
  }
  inode.ilock.unlock();
  volume_.inodes.unhold(inode);
  return false;
}

void InodeFlush::take_cluster(const Inode& first) DAXLAB_NO_THREAD_SAFETY_ANALYSIS {
  const uint64_t begin = first.ino() / kInodesPerCluster * kInodesPerCluster;
  for (uint64_t ino = begin; ino < begin + kInodesPerCluster; ++ino) {
    if (ino == first.ino()) continue;
    Inode* const inode = volume_.inodes.hold_cached(ino);
    if (inode == nullptr) continue;
    if (!inode->ilock.try_lock()) {
      volume_.inodes.unhold(*inode);
      continue;
    }
    if (inode->item().pinned() || inode->item().logged()) {
      inode->ilock.unlock();
      volume_.inodes.unhold(*inode);
      continue;
    }
    take(*inode);
  }
}

// Stores: every inode's bytes behind its first 16, flushed; fence; each one's magic and crc, then its LSN, flushed; fence.
// A crash before an inode's LSN is durable leaves the old LSN and a mixture: the log still holds the checkpoint, whose record has the
// core and, if it changed since the last complete write-back, the fork; recovery stores them again.
void InodeFlush::write() {
  for (Entry& entry : inodes_) {
    Inode& inode = *entry.inode;
    InodeDisk disk{};
    inode.core.lsn = entry.lsn;
    disk.core = inode.core;
    inode.format_fork(disk.fork.data());
    inode.core.crc = inode_crc(disk);
    const bool fork = (inode.item().fields_ & kInodeFork) != 0;
    const size_t size = fork ? sizeof disk : sizeof disk.core;
    std::byte* const to = place_of(volume_, inode.ino());
    pmem::store_bytes(to + kStampBytes, reinterpret_cast<const std::byte*>(&disk) + kStampBytes, size - kStampBytes);
    pmem::flush(to + kStampBytes, size - kStampBytes);
  }
  pmem::fence();
  for (const Entry& entry : inodes_) {
    const InodeCoreDisk& core = entry.inode->core;
    auto* const words = reinterpret_cast<uint64_t*>(place_of(volume_, core.ino));
    pmem::store_commit(words, core.magic | uint64_t{core.crc} << 32);
    pmem::store_commit(words + 1, core.lsn);
    pmem::flush(words, kStampBytes);
    entry.inode->item().fields_ = 0;
    entry.inode->item().dirty_.store(false, std::memory_order_release);
  }
  pmem::fence();
}

void InodeFlush::let_go() DAXLAB_NO_THREAD_SAFETY_ANALYSIS {
  for (const Entry& entry : inodes_) {
    volume_.ail->remove_at(entry.inode->item(), entry.lsn);
    entry.inode->ilock.unlock();
    volume_.inodes.unhold(*entry.inode);
  }
  inodes_.clear();
}

}  // namespace daxlab::xfslike
