#include "engines/xfslike/mapped.h"

#include <algorithm>
#include <cstring>

#include "engines/base/no_alloc_zone.h"
#include "engines/pmem/persist.h"
#include "engines/xfslike/bmap.h"
#include "engines/xfslike/file_blocks.h"
#include "engines/xfslike/file_data.h"
#include "engines/xfslike/operation.h"

namespace daxlab::xfslike {

MappedFile::MappedFile(FileSystem& fs, Inode& inode)
    : fs_(fs), inode_(inode), size_bytes_(inode.core.size_bytes), space_(*fs.mmu, *this, fs.options.policy) {}

// Order: the block's zeroes; fence; the transaction that maps it. A crash before its checkpoint is durable leaves a hole.
Result<void> MappedFile::fill(uint64_t page) {
  const NoAllocExemption transaction_in_a_fault;
  DAXLAB_ASSIGN(const auto operation, Operation::begin(fs_, reservation::write(*fs_.volume, 1)));
  {
    const ExclusiveIlock lock(inode_);
    const Mapped found = map_blocks(inode_, page, 1);
    if (!found.hole() && !found.unwritten) return {};  // another thread was first
    (*operation)->join(inode_);
    if (found.hole()) {
      DAXLAB_ASSIGN(const Extent extent, allocate_blocks(**operation, inode_, page, 1, false));
      pmem::stream_zero(fs_.volume->address(extent.block), kBlockBytes);
      pmem::fence();
    } else {
      pmem::stream_zero(fs_.volume->address(found.block), kBlockBytes);
      pmem::fence();
      DAXLAB_TRY(convert_unwritten(**operation, inode_, page, 1));
    }
    DAXLAB_TRY(operation->commit());
  }
  return fs_.settle(operation->sequence());
}

/// Bytes of the last page beyond the end of the file read as zero through a mapping (mmap(2)); a store beyond it may have left something.
void MappedFile::zero_behind_end(uint64_t page, std::byte* frame) {
  const uint64_t size_bytes = size_bytes_.load(std::memory_order_acquire);
  if (page != size_bytes / kBlockBytes) return;
  const uint64_t keep = size_bytes % kBlockBytes;
  std::byte* const rest = frame + keep;
  const uint64_t rest_bytes = kBlockBytes - keep;
  if (rest[0] == std::byte{0} && std::memcmp(rest, rest + 1, rest_bytes - 1) == 0) return;
  pmem::store_fill(rest, std::byte{0}, rest_bytes);  // durability is not needed: growing the file zeroes it again
}

Result<dax::PageRange> MappedFile::begin(uint64_t page, uint64_t pages_max, dax::Access access) DAXLAB_NO_THREAD_SAFETY_ANALYSIS {
  const NoAllocZone no_alloc;
  const bool write = access == dax::Access::kWrite;
  dax::PageRange range;
  range.first_page = page;
  for (;;) {
    const uint64_t limit = page_limit();
    if (page >= limit) return Errc::kInvalid;
    lock_order_take(LockRank::kInode, inode_.ino());
    inode_.ilock.lock_shared();
    const Mapped found = map_blocks(inode_, page, std::min(pages_max, limit - page));
    range.page_count = found.count;
    if (!found.hole() && !found.unwritten) {
      const auto direct = fs_.volume->region.direct_access(found.block, found.count);
      range.address = direct.address;
      range.page_count = direct.block_count;
      break;
    }
    if (!write) break;
    inode_.ilock.unlock_shared();
    lock_order_release(LockRank::kInode, inode_.ino());
    DAXLAB_TRY(fill(page));
    range.fresh = true;
  }
  if (write) stored_.store(true, std::memory_order_relaxed);
  if (range.address != nullptr) {
    const uint64_t last = size_bytes_.load(std::memory_order_acquire) / kBlockBytes;
    if (last >= page && last < page + range.page_count) zero_behind_end(last, range.address + (last - page) * kBlockBytes);
  }
  return range;
}

void MappedFile::end(const dax::PageRange&, dax::Access) DAXLAB_NO_THREAD_SAFETY_ANALYSIS {
  inode_.ilock.unlock_shared();
  lock_order_release(LockRank::kInode, inode_.ino());
}

// The lines are durable: what is left are the times and the log up to the last allocation.
Result<void> MappedFile::commit(uint64_t, uint64_t) {
  uint64_t sequence = 0;
  if (stored_.exchange(false, std::memory_order_relaxed)) DAXLAB_TRY(commit_times(fs_, inode_, sequence));
  return fs_.force(inode_.last_sequence.load(std::memory_order_acquire));
}

uint64_t MappedFile::page_limit() const { return div_up(size_bytes_.load(std::memory_order_acquire), kBlockBytes); }

Result<std::unique_ptr<Mapping>> map_file(FileSystem& fs, Inode& inode, uint64_t offset, uint64_t size_bytes, bool writable) {
  const ExclusiveRwsem rwsem(inode);  // no writer is in the middle of anything
  if (inode.attachment == nullptr) {
    const OrderedLock invalidate(inode.invalidate_lock, LockRank::kInvalidate, inode.ino(), OrderedLock::Mode::kExclusive);
    const ExclusiveIlock lock(inode);
    inode.attachment = std::make_unique<MappedFile>(fs, inode);
  }
  fs.volume->inodes.reference(inode);
  const auto keep_alive = std::make_shared<Handle>(fs, inode);
  DAXLAB_ASSIGN(auto mapping, mapped_file(inode)->space().map(offset, size_bytes, writable, keep_alive));
  bool has_name;
  {
    const SharedIlock lock(inode);
    has_name = inode.core.links != 0;
  }
  if (writable && has_name) fs.mapped.add(fs, inode);
  return mapping;
}

// Order: every dirty line; fence; what makes them reachable, in the log.
Result<void> write_back_mapped(FileSystem& fs, Inode& inode) {
  MappedFile* mapped = nullptr;
  {
    const OrderedLock invalidate(inode.invalidate_lock, LockRank::kInvalidate, inode.ino(), OrderedLock::Mode::kShared);
    if (!is_mapped(inode)) return {};
    mapped = mapped_file(inode);
  }
  DAXLAB_TRY(mapped->space().writeback(0, kFileBytesMax / kBlockBytes));
  if (!mapped->space().mapped()) fs.mapped.remove(fs, inode);
  return {};
}

MappedBracket::MappedBracket(Inode& inode, uint64_t first_page, uint64_t page_count, Data data)
    : first_page_(first_page), page_count_(page_count) {
  if (!is_mapped(inode) || page_count == 0) return;
  space_ = &mapped_file(inode)->space();
  lock_order_take(LockRank::kEntry, first_page);
  if (data == Data::kDrop) {
    space_->begin_truncate(first_page, page_count);
  } else {
    space_->begin_write(first_page, page_count);
  }
}

MappedBracket::~MappedBracket() {
  if (space_ == nullptr) return;
  space_->end_write(first_page_, page_count_);
  lock_order_release(LockRank::kEntry, first_page_);
}

}  // namespace daxlab::xfslike
