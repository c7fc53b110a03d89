// fallocate(2).
#include <algorithm>

#include "engines/pmem/persist.h"
#include "engines/xfslike/file_blocks.h"
#include "engines/xfslike/file_data.h"
#include "engines/xfslike/mapped.h"

namespace daxlab::xfslike {

namespace {

struct Range {
  uint64_t offset;
  uint64_t end;

  uint64_t first() const { return offset / kBlockBytes; }
  uint64_t count() const { return div_up(end, kBlockBytes) - first(); }
  // Blocks that lie in it whole.
  uint64_t whole_first() const { return div_up(offset, kBlockBytes); }
  uint64_t whole_count() const { return end / kBlockBytes > whole_first() ? end / kBlockBytes - whole_first() : 0; }
};

/// The parts of blocks that the range cuts, in place.
void zero_edges(FileSystem& fs, Inode& inode, const Range& range) {
  const uint64_t head_end = std::min(range.end, range.whole_first() * kBlockBytes);
  bool any = zero_written(fs, inode, range.offset, head_end);
  const uint64_t tail = std::max(head_end, align_down(range.end, kBlockBytes));
  any |= zero_written(fs, inode, tail, range.end);
  if (any) pmem::fence();
}

/// Order: zeroes over what comes into view between the old end and the new; fence; the size.
Result<void> grow(FileSystem& fs, Inode& inode, uint64_t old_size, uint64_t size_bytes, uint64_t& sequence) {
  if (zero_written(fs, inode, old_size, size_bytes)) pmem::fence();
  return commit_size(fs, inode, size_bytes, sequence);
}

// Order: the transactions that unmap and free whole blocks ; zeroes over the rest, fenced. A crash in between leaves any of it.
Result<void> punch(FileSystem& fs, Inode& inode, const Range& range, uint64_t& sequence) {
  DAXLAB_TRY(commit_times(fs, inode, sequence));
  DAXLAB_TRY(free_blocks(fs, inode, range.whole_first(), range.whole_count(), sequence));
  zero_edges(fs, inode, range);
  return {};
}

// Order: holes become unwritten blocks, all of them or none ; whole blocks become unwritten ; zeroes over the rest, fenced ; the size.
Result<void> zero_range(FileSystem& fs, Inode& inode, const Range& range, uint64_t old_size, uint64_t& sequence) {
  DAXLAB_TRY(make_allocated(fs, inode, range.first(), range.count(), sequence));
  DAXLAB_TRY(make_unwritten(fs, inode, range.whole_first(), range.whole_count(), sequence));
  zero_edges(fs, inode, range);
  if (range.end > old_size) return grow(fs, inode, old_size, range.end, sequence);
  return commit_times(fs, inode, sequence);
}

Result<void> allocate(FileSystem& fs, Inode& inode, const Range& range, uint64_t old_size, bool keep_size, uint64_t& sequence) {
  DAXLAB_TRY(make_allocated(fs, inode, range.first(), range.count(), sequence));
  if (!keep_size && range.end > old_size) return grow(fs, inode, old_size, range.end, sequence);
  return commit_times(fs, inode, sequence);
}

Result<void> allocate_locked(FileSystem& fs, Inode& inode, FallocateMode mode, const Range& range, uint64_t& sequence) {
  const uint64_t old_size = [&] {
    const SharedIlock lock(inode);
    return inode.core.size_bytes;
  }();
  switch (mode) {
    case FallocateMode::kAllocate: return allocate(fs, inode, range, old_size, false, sequence);
    case FallocateMode::kKeepSize: return allocate(fs, inode, range, old_size, true, sequence);
    case FallocateMode::kPunchHole: return punch(fs, inode, range, sequence);
    case FallocateMode::kZeroRange: return zero_range(fs, inode, range, old_size, sequence);
  }
  return Errc::kInvalid;
}

}  // namespace

Result<void> allocate_range(FileSystem& fs, Inode& inode, FallocateMode mode, uint64_t offset, uint64_t size_bytes) {
  if (size_bytes == 0) return Errc::kInvalid;
  if (offset > kFileBytesMax || size_bytes > kFileBytesMax - offset) return Errc::kFileTooBig;
  const Range range{offset, offset + size_bytes};
  const bool takes_away = mode == FallocateMode::kPunchHole || mode == FallocateMode::kZeroRange;
  const ExclusiveRwsem rwsem(inode);
  const OrderedLock invalidate(inode.invalidate_lock, LockRank::kInvalidate, inode.ino(), OrderedLock::Mode::kExclusive);
  uint64_t sequence = 0;
  {
    const MappedBracket bracket(inode, range.first(), takes_away ? range.count() : 0, MappedBracket::Data::kKeep);
    DAXLAB_TRY(allocate_locked(fs, inode, mode, range, sequence));
  }
  return sequence == 0 ? Result<void>() : fs.settle(sequence);
}

}  // namespace daxlab::xfslike
