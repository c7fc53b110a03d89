// Reading and changing the bytes of a file. DESIGN.md has the order of stores of each.
//
// Threads: from any thread; each function takes what it needs of the entries of the address space, stripes and the inode's lock, in that order.
#pragma once

#include <cstdint>
#include <optional>
#include <span>

#include "engines/api/types.h"
#include "engines/base/result.h"
#include "engines/native/file_system.h"
#include "engines/native/inline_vector.h"

namespace daxlab::native {

/// Writes up to this size within a block go through the log instead of copying the block.
inline constexpr size_t kSmallBytesMax = 1024;

Result<size_t> read_data(FileSystem& fs, Inode& inode, uint64_t offset, std::span<std::byte> out);
/// Writes at `offset`, or at the end without one; returns where the data went.
Result<uint64_t> write_data(FileSystem& fs, Inode& inode, std::optional<uint64_t> offset, std::span<const std::byte> data);
Result<void> allocate_range(FileSystem& fs, Inode& inode, FallocateMode mode, uint64_t offset, uint64_t size_bytes);
Result<uint64_t> seek_data(Inode& inode, uint64_t offset, SeekWhat what);

// --- the parts, for files of this engine

/// Pages that a group of records gives new blocks.
struct NewRun {
  uint64_t first_page;
  uint32_t block;
  uint32_t pages;
};

/// What one group does to a file: all of it or nothing.
struct Change {
  InlineVector<NewRun, 8> runs;
  uint64_t punch_first = 0;
  uint64_t punch_pages = 0;
  uint64_t end_bytes = 0;    ///< The file is at least this long afterwards.
  Urgency urgency = Urgency::kNormal;
  bool in_fault = false;     ///< Nothing may be allocated from the heap.
};

/// Logs the change, fences, makes it visible, frees what it replaced. The caller holds the stripes, has prepared the index for the runs, and
/// has fenced the runs' data. On kNoSpace nothing changed and the runs' blocks are free again.
Result<void> commit_change(FileSystem& fs, Inode& inode, Change& change);

/// Blocks for pages [first_page, first_page + pages), near `hint`, added to change.runs; kNoSpace frees all of change.runs.
Result<void> allocate_runs(FileSystem& fs, Change& change, uint64_t first_page, uint64_t pages, uint32_t hint);
void free_runs(FileSystem& fs, Change& change);

/// Streams zeroes over what is allocated of [begin, end): bytes beyond the end of the file, before they come into view.
/// Not fenced; true if anything was stored.
bool zero_allocated(FileSystem& fs, Inode& inode, uint64_t begin, uint64_t end);

/// Makes the places of all small writes durable and forgets them, so that a record with kRetire may follow. Under the inode's lock. Returns
/// whether such a record is owed.
bool flush_pending(FileSystem& fs, Inode& inode);
/// Before bytes of the file are stored in place without a record of their own: flush_pending() and, if it is owed, a durable kTouch.
Result<void> retire_small(FileSystem& fs, Inode& inode);

/// A kTouch record: the size as it is, mtime and ctime `time_ns`. Under the inode's lock.
Line touch_line(const Inode& inode, uint64_t time_ns, uint8_t flags = 0);
/// A kAttributes record of what holds now, for the cleaner. Under the inode's lock.
Line current_attributes_line(const Inode& inode);

/// write_data()'s middle with zeroes for data, for fallocate(2). Everything that it touches is locked.
Result<void> write_zeroes(FileSystem& fs, Inode& inode, uint64_t offset, uint64_t size_bytes);

/// A write of at most kSmallBytesMax within an allocated block. Stripes held.
Result<void> write_small(FileSystem& fs, Inode& inode, uint64_t offset, std::span<const std::byte> data);

/// The pieces of a run of blocks as they lie on the medium: calls visit(address, bytes) in order.
template <typename Visit>
void for_each_piece(const Volume& volume, uint32_t block, uint64_t first_byte, uint64_t size_bytes, Visit visit) {
  uint64_t at = uint64_t{block} * kBlockBytes + first_byte;
  while (size_bytes != 0) {
    const uint64_t in_block = at % kBlockBytes;
    const auto range = volume.region.direct_access(at / kBlockBytes, div_up(in_block + size_bytes, kBlockBytes));
    const uint64_t here = std::min(size_bytes, range.block_count * kBlockBytes - in_block);
    visit(range.address + in_block, here);
    at += here;
    size_bytes -= here;
  }
}

}  // namespace daxlab::native
