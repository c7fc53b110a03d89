// What writes, allocations and truncations are made of: blocks that come and go, zeroes, the size. i_rwsem is held exclusive throughout,
// except for commit_times().
//
// `sequence` is the last commit's, for FileSystem::settle(); it stays as it is where nothing was committed.
//
// Threads: from any thread.
#pragma once

#include <cstdint>
#include <vector>

#include "engines/xfslike/file_system.h"

namespace daxlab::xfslike {

/// Blocks of a file that have just been made.
struct MadeRange {
  uint64_t first;
  uint64_t count;
};

/// Every block of [first, first + count) becomes written: holes are allocated, unwritten extents converted, zeroed before the commit. The
/// first transaction reserves all of it: with kNoSpace nothing is written (what another thread takes between two transactions may leave
/// zeroed blocks where holes were).
Result<void> make_written(FileSystem& fs, Inode& inode, uint64_t first, uint64_t count, std::vector<MadeRange>& made,
                          uint64_t& sequence);
/// Every hole of [first, first + count) becomes unwritten; kNoSpace changes nothing.
Result<void> make_allocated(FileSystem& fs, Inode& inode, uint64_t first, uint64_t count, uint64_t& sequence);
/// What of [first, first + count) is allocated becomes unwritten.
Result<void> make_unwritten(FileSystem& fs, Inode& inode, uint64_t first, uint64_t count, uint64_t& sequence);
/// Unmaps and frees [first, first + count), in as many transactions as it takes, from the end on.
Result<void> free_blocks(FileSystem& fs, Inode& inode, uint64_t first, uint64_t count, uint64_t& sequence);
/// Zeroes the bytes of [begin, end) that are written; not fenced. True: there were any.
bool zero_written(FileSystem& fs, Inode& inode, uint64_t begin, uint64_t end);
/// The new size and the times, in a transaction; faults see it from then on.
Result<void> commit_size(FileSystem& fs, Inode& inode, uint64_t size_bytes, uint64_t& sequence);
/// mtime and ctime if the clock has moved on since (XFS: xfs_vn_update_time()).
Result<void> commit_times(FileSystem& fs, Inode& inode, uint64_t& sequence);

}  // namespace daxlab::xfslike
