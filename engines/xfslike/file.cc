#include "engines/xfslike/file.h"

#include "engines/base/trace.h"
#include "engines/xfslike/attributes.h"
#include "engines/xfslike/file_data.h"
#include "engines/xfslike/mapped.h"

namespace daxlab::xfslike {

Result<size_t> CoreFile::read(uint64_t offset, std::span<std::byte> out) {
  if (!flags_.read) return Errc::kBadHandle;
  return read_data(handle_.fs(), handle_.inode(), offset, out);
}

Result<size_t> CoreFile::write(uint64_t offset, std::span<const std::byte> data) {
  if (!flags_.write) return Errc::kBadHandle;
  DAXLAB_TRY(write_data(handle_.fs(), handle_.inode(), offset, data));
  return data.size();
}

Result<uint64_t> CoreFile::append(std::span<const std::byte> data) {
  if (!flags_.write) return Errc::kBadHandle;
  return write_data(handle_.fs(), handle_.inode(), std::nullopt, data);
}

Result<void> CoreFile::fallocate(FallocateMode mode, uint64_t offset, uint64_t size_bytes) {
  if (!flags_.write) return Errc::kBadHandle;
  return allocate_range(handle_.fs(), handle_.inode(), mode, offset, size_bytes);
}

Result<uint64_t> CoreFile::seek(uint64_t offset, SeekWhat what) { return seek_data(handle_.inode(), offset, what); }

Result<void> CoreFile::fsync() { return sync_file(handle_.fs(), handle_.inode(), false); }

Result<void> CoreFile::fdatasync() { return sync_file(handle_.fs(), handle_.inode(), true); }

Result<Attributes> CoreFile::getattr() { return attributes_of(handle_.inode()); }

Result<Attributes> CoreFile::setattr(const SetAttributes& changes) {
  if (changes.size_bytes && !flags_.write) return Errc::kBadHandle;
  return set_attributes(handle_.fs(), handle_.inode(), changes);
}

Result<std::unique_ptr<Mapping>> CoreFile::map(uint64_t offset, uint64_t size_bytes, bool writable) {
  if (!flags_.read || (writable && !flags_.write)) return Errc::kBadHandle;
  return map_file(handle_.fs(), handle_.inode(), offset, size_bytes, writable);
}

// What write() stored was fenced when it returned; the log is forced up to the inode's last change (XFS: xfs_file_fsync()).
Result<void> sync_file(FileSystem& fs, Inode& inode, bool data_only) {
  DAXLAB_TRACE1(fsync_begin, inode.ino());
  auto synced = write_back_mapped(fs, inode);
  const auto& sequence = data_only ? inode.data_sequence : inode.last_sequence;
  if (synced.ok()) synced = fs.force(sequence.load(std::memory_order_acquire));
  DAXLAB_TRACE1(fsync_end, inode.ino());
  return synced;
}

}  // namespace daxlab::xfslike
