#include "engines/xfslike/attributes.h"

#include <algorithm>

#include "engines/base/clock.h"
#include "engines/pmem/persist.h"
#include "engines/xfslike/file_blocks.h"
#include "engines/xfslike/file_data.h"
#include "engines/xfslike/mapped.h"
#include "engines/xfslike/operation.h"

namespace daxlab::xfslike {

namespace {

/// Under ilock, the inode joined.
void apply(Inode& inode, const SetAttributes& changes) {
  InodeCoreDisk& core = inode.core;
  const uint64_t now_ns = realtime_coarse_ns();
  if (changes.mode) core.mode = static_cast<uint16_t>(*changes.mode & 07777u);
  if (changes.size_bytes) {
    core.size_bytes = *changes.size_bytes;
    core.mtime_ns = now_ns;
  }
  if (changes.atime_ns) core.atime_ns = *changes.atime_ns;
  if (changes.mtime_ns) core.mtime_ns = *changes.mtime_ns;
  core.ctime_ns = now_ns;
}

/// The blocks and the inode are another's from now on (XFS: xfs_setattr_nonsize()).
void change_owner(Transaction& transaction, Inode& inode, const SetAttributes& changes) {
  InodeCoreDisk& core = inode.core;
  const uint32_t uid = changes.uid.value_or(core.uid);
  const uint32_t gid = changes.gid.value_or(core.gid);
  if (uid == core.uid && gid == core.gid) return;
  const auto blocks = static_cast<int64_t>(core.block_count);
  transaction.charge(inode, -blocks, -1);
  core.uid = uid;
  core.gid = gid;
  transaction.charge(inode, blocks, 1);
}

Result<void> commit_attributes(FileSystem& fs, Inode& inode, const SetAttributes& changes, uint64_t& sequence) {
  if (changes.uid || changes.gid) {
    const Attributes now = attributes_of(inode);
    DAXLAB_TRY(fs.volume->dquots.ensure(changes.uid.value_or(now.uid), changes.gid.value_or(now.gid)));
  }
  DAXLAB_ASSIGN(const auto operation, Operation::begin(fs, reservation::attributes(*fs.volume)));
  const ExclusiveIlock lock(inode);
  (*operation)->join(inode);
  change_owner(**operation, inode, changes);
  apply(inode, changes);
  (*operation)->log(inode, kInodeCore | kInodeData);
  DAXLAB_TRY(operation->commit());
  if (changes.size_bytes && inode.attachment != nullptr) mapped_file(inode)->set_size(*changes.size_bytes);
  sequence = operation->sequence();
  return {};
}

// Order: zeroes over what comes into view; fence; the transaction with the size. A crash before it is durable leaves the old size.
Result<void> grow(FileSystem& fs, Inode& inode, const SetAttributes& changes, uint64_t old_size) {
  if (zero_written(fs, inode, old_size, *changes.size_bytes)) pmem::fence();
  uint64_t sequence = 0;
  DAXLAB_TRY(commit_attributes(fs, inode, changes, sequence));
  return fs.settle(sequence);
}

// Order: the transaction with the size ; zeroes behind the new end in its block, fenced ; transactions that free what lies beyond, from the
// end. A crash leaves the old size, or the new one with some blocks beyond it, which nobody sees and the next truncation frees.
Result<void> cut(FileSystem& fs, Inode& inode, const SetAttributes& changes, uint64_t old_size) {
  const uint64_t size_bytes = *changes.size_bytes;
  const OrderedLock invalidate(inode.invalidate_lock, LockRank::kInvalidate, inode.ino(), OrderedLock::Mode::kExclusive);
  // A page that stays in part is written back; pages that go whole are forgotten.
  const auto data = size_bytes % kBlockBytes == 0 ? MappedBracket::Data::kDrop : MappedBracket::Data::kKeep;
  const uint64_t first_page = size_bytes / kBlockBytes;
  const MappedBracket bracket(inode, first_page, kFileBytesMax / kBlockBytes - first_page, data);
  uint64_t sequence = 0;
  DAXLAB_TRY(commit_attributes(fs, inode, changes, sequence));
  DAXLAB_TRY(fs.settle(sequence));
  if (zero_written(fs, inode, size_bytes, std::min(old_size, align_up(size_bytes, kBlockBytes)))) pmem::fence();
  const uint64_t first = div_up(size_bytes, kBlockBytes);
  return free_blocks(fs, inode, first, kFileBlocksMax - first, sequence);
}

}  // namespace

Attributes attributes_of(Inode& inode) {
  const SharedIlock lock(inode);
  return inode.attributes();
}

Result<Attributes> set_attributes(FileSystem& fs, Inode& inode, const SetAttributes& changes) {
  if (!changes.size_bytes) {
    const ExclusiveRwsem rwsem(inode);
    uint64_t sequence = 0;
    DAXLAB_TRY(commit_attributes(fs, inode, changes, sequence));
    DAXLAB_TRY(fs.settle(sequence));
    return attributes_of(inode);
  }
  if (inode.kind() == NodeKind::kDirectory) return Errc::kIsDirectory;
  if (inode.kind() != NodeKind::kFile) return Errc::kInvalid;
  if (*changes.size_bytes > kFileBytesMax) return Errc::kFileTooBig;
  {
    const ExclusiveRwsem rwsem(inode);
    const uint64_t old_size = attributes_of(inode).size_bytes;
    const bool grows = *changes.size_bytes > old_size;
    DAXLAB_TRY(grows ? grow(fs, inode, changes, old_size) : cut(fs, inode, changes, old_size));
  }
  return attributes_of(inode);
}

}  // namespace daxlab::xfslike
