// An open file. Threads: from any thread.
#pragma once

#include <memory>

#include "engines/api/engine.h"
#include "engines/xfslike/file_system.h"

namespace daxlab::xfslike {

class CoreFile final : public File {
 public:
  /// Takes over one reference of the inode.
  CoreFile(FileSystem& fs, Inode& inode, OpenFlags flags) : handle_(fs, inode), flags_(flags) {}

  InodeId ino() const override { return handle_.inode().ino(); }
  Result<size_t> read(uint64_t offset, std::span<std::byte> out) override;
  Result<size_t> write(uint64_t offset, std::span<const std::byte> data) override;
  Result<uint64_t> append(std::span<const std::byte> data) override;
  Result<void> fallocate(FallocateMode mode, uint64_t offset, uint64_t size_bytes) override;
  Result<uint64_t> seek(uint64_t offset, SeekWhat what) override;
  Result<void> fsync() override;
  Result<void> fdatasync() override;
  Result<Attributes> getattr() override;
  Result<Attributes> setattr(const SetAttributes& changes) override;
  Result<std::unique_ptr<Mapping>> map(uint64_t offset, uint64_t size_bytes, bool writable) override;

 private:
  Handle handle_;
  const OpenFlags flags_;
};

}  // namespace daxlab::xfslike
