// A file's bytes: read, write, allocate, cut, seek. Straight to the medium; what a transaction changes is where they lie and how many
// there are. Order throughout: new blocks are zeroed and fenced before the transaction that maps them, bytes are stored behind it, and
// the size that shows them is a transaction of its own behind the fence of the bytes (XFS on DAX: xfs_dax_write(),
// xfs_iomap_write_direct()).
//
// Locks: i_rwsem, shared to read, exclusive for everything else; invalidate_lock around what takes blocks away; entries of the address
// space inside it; ilock for look-ups and transactions.
//
// Threads: from any thread.
#pragma once

#include <optional>
#include <span>

#include "engines/api/engine.h"
#include "engines/xfslike/file_system.h"

namespace daxlab::xfslike {

/// The largest file: what a page index of the address space reaches.
inline constexpr uint64_t kFileBytesMax = uint64_t{1} << 48;

Result<size_t> read_data(FileSystem& fs, Inode& inode, uint64_t offset, std::span<std::byte> out);
/// At the end of the file without an offset; returns where.
Result<uint64_t> write_data(FileSystem& fs, Inode& inode, std::optional<uint64_t> where, std::span<const std::byte> data);
Result<void> allocate_range(FileSystem& fs, Inode& inode, FallocateMode mode, uint64_t offset, uint64_t size_bytes);
Result<uint64_t> seek_data(Inode& inode, uint64_t offset, SeekWhat what);
/// fsync(2) and fdatasync(2).
Result<void> sync_file(FileSystem& fs, Inode& inode, bool data_only);

}  // namespace daxlab::xfslike
