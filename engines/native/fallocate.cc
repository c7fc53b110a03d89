#include <algorithm>
#include <cstring>

#include "engines/native/file_data.h"
#include "engines/native/mapped.h"
#include "engines/pmem/persist.h"

namespace daxlab::native {

namespace {

// Order: zeroes into new blocks for every hole and over allocated bytes beyond the end that come into view; fence; one group. A crash
// before it leaves nothing but free blocks.
Result<void> allocate_holes(FileSystem& fs, Inode& inode, uint64_t offset, uint64_t size_bytes, bool keep_size) {
  const uint64_t end = offset + size_bytes;
  const uint64_t end_page = div_up(end, kBlockBytes);
  const uint64_t old_size = inode.size_bytes.load(std::memory_order_relaxed);
  Change change;
  for (uint64_t page = offset / kBlockBytes; page < end_page;) {
    if (!inode.data.get(page).hole()) {
      ++page;
      continue;
    }
    const uint64_t hole_end = inode.data.next_mapped(page, end_page);
    const uint32_t before = page == 0 ? 0 : inode.data.get(page - 1).block;
    DAXLAB_TRY(allocate_runs(fs, change, page, hole_end - page, before == 0 ? 0 : before + 1));
    page = hole_end;
  }
  const bool grows = !keep_size && end > old_size;
  if (change.runs.empty() && !grows) return {};
  for (const NewRun& run : change.runs) {
    inode.data.prepare(run.first_page, run.pages);
    for_each_piece(fs.volume, run.block, 0, run.pages * kBlockBytes,
                   [](std::byte* to, uint64_t bytes) { pmem::stream_zero(to, bytes); });
  }
  if (grows) {
    zero_allocated(fs, inode, old_size, end);
    change.end_bytes = end;
  }
  pmem::fence();
  return commit_change(fs, inode, change);
}

/// The part [begin, end) of one page becomes zero: in a copy of its block, or in place with data=inplace.
Result<void> zero_part(FileSystem& fs, Inode& inode, Change& change, uint64_t begin, uint64_t end) {
  const uint64_t page = begin / kBlockBytes;
  const uint32_t old_block = inode.data.get(page).block;
  if (old_block == 0 || begin == end) return {};
  if (!fs.volume.copy_on_write) {
    pmem::stream_zero(fs.volume.address(old_block) + begin % kBlockBytes, end - begin);
    return {};
  }
  DAXLAB_TRY(allocate_runs(fs, change, page, 1, 0));
  alignas(kLineBytes) std::byte block[kBlockBytes];
  pmem::load_bytes(block, fs.volume.address(old_block), kBlockBytes);
  std::memset(block + begin % kBlockBytes, 0, end - begin);
  pmem::stream(fs.volume.address(change.runs.back().block + change.runs.back().pages - 1), block, kBlockBytes);
  return {};
}

// Order: copies of the pages that the hole cuts, with zeroes; fence; one group with the copies and the pages between them: all of it
// happens or nothing. With data=inplace zeroes in place and the group under one fence: a crash before it leaves any of the zeroes.
Result<void> punch(FileSystem& fs, Inode& inode, uint64_t offset, uint64_t size_bytes) {
  const uint64_t limit = kFilePagesMax * kBlockBytes;
  const uint64_t end = std::min(offset + size_bytes, limit);
  const uint64_t whole_begin = div_up(offset, kBlockBytes);
  const uint64_t whole_end = end / kBlockBytes;
  if (!fs.volume.copy_on_write) DAXLAB_TRY(retire_small(fs, inode));
  Change change;
  if (whole_begin > whole_end) {  // within one page
    DAXLAB_TRY(zero_part(fs, inode, change, offset, end));
  } else {
    if (offset % kBlockBytes != 0) DAXLAB_TRY(zero_part(fs, inode, change, offset, whole_begin * kBlockBytes));
    if (end % kBlockBytes != 0) DAXLAB_TRY(zero_part(fs, inode, change, whole_end * kBlockBytes, end));
    change.punch_first = whole_begin;
    change.punch_pages = whole_end - whole_begin;
  }
  if (fs.volume.copy_on_write) pmem::fence();
  change.urgency = Urgency::kReserve;
  return commit_change(fs, inode, change);
}

}  // namespace

Result<void> allocate_range(FileSystem& fs, Inode& inode, FallocateMode mode, uint64_t offset, uint64_t size_bytes) {
  constexpr uint64_t kLimit = kFilePagesMax * kBlockBytes;
  if (size_bytes == 0) return Errc::kInvalid;
  if (offset > kLimit || size_bytes > kLimit - offset) return Errc::kFileTooBig;
  const uint64_t end = offset + size_bytes;
  for (;;) {
    const uint64_t size_seen = inode.size_bytes.load(std::memory_order_acquire);
    const bool may_grow = mode == FallocateMode::kAllocate || mode == FallocateMode::kZeroRange;
    const uint64_t first_page = std::min(offset, may_grow ? size_seen : offset) / kBlockBytes;
    const MappedBracket bracket(inode, first_page, div_up(end, kBlockBytes) - first_page);
    const StripeGuard stripes(inode.stripes, StripeLock::kAll);
    if (bracket.missed() || inode.size_bytes.load(std::memory_order_relaxed) != size_seen) continue;
    switch (mode) {
      case FallocateMode::kAllocate: return allocate_holes(fs, inode, offset, size_bytes, false);
      case FallocateMode::kKeepSize: return allocate_holes(fs, inode, offset, size_bytes, true);
      case FallocateMode::kPunchHole: return punch(fs, inode, offset, size_bytes);
      case FallocateMode::kZeroRange: return write_zeroes(fs, inode, offset, size_bytes);
    }
    return Errc::kInvalid;
  }
}

}  // namespace daxlab::native
