#include "engines/native/file.h"

#include "engines/base/trace.h"
#include "engines/native/file_data.h"
#include "engines/native/mapped.h"

namespace daxlab::native {

Result<size_t> NativeFile::read(uint64_t offset, std::span<std::byte> out) {
  if (!flags_.read) return Errc::kBadHandle;
  return read_data(handle_.fs(), handle_.inode(), offset, out);
}

Result<size_t> NativeFile::write(uint64_t offset, std::span<const std::byte> data) {
  if (!flags_.write) return Errc::kBadHandle;
  const auto written = write_anywhere(offset, data);
  if (!written.ok()) return written.error();
  return data.size();
}

Result<uint64_t> NativeFile::append(std::span<const std::byte> data) {
  if (!flags_.write) return Errc::kBadHandle;
  return write_anywhere(std::nullopt, data);
}

Result<uint64_t> NativeFile::write_anywhere(std::optional<uint64_t> offset, std::span<const std::byte> data) {
  return write_data(handle_.fs(), handle_.inode(), offset, data);
}

Result<void> NativeFile::fallocate(FallocateMode mode, uint64_t offset, uint64_t size_bytes) {
  if (!flags_.write) return Errc::kBadHandle;
  return allocate_range(handle_.fs(), handle_.inode(), mode, offset, size_bytes);
}

Result<uint64_t> NativeFile::seek(uint64_t offset, SeekWhat what) { return seek_data(handle_.inode(), offset, what); }

// Everything but stores through mappings was durable when its call returned.
Result<void> NativeFile::fsync() {
  DAXLAB_TRACE1(fsync_begin, handle_.inode().ino);
  const auto synced = sync_file(handle_.inode());
  DAXLAB_TRACE1(fsync_end, handle_.inode().ino);
  return synced;
}

Result<void> NativeFile::fdatasync() { return fsync(); }

Result<Attributes> NativeFile::setattr(const SetAttributes& changes) {
  if (changes.size_bytes && !flags_.write) return Errc::kBadHandle;
  return set_attributes(handle_.fs(), handle_.inode(), changes);
}

Result<std::unique_ptr<Mapping>> NativeFile::map(uint64_t offset, uint64_t size_bytes, bool writable) {
  if (!flags_.read || (writable && !flags_.write)) return Errc::kBadHandle;
  return map_file(handle_.fs(), handle_.inode(), offset, size_bytes, writable);
}

}  // namespace daxlab::native
