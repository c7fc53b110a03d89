// An open file: pread, pwrite and their kin on one descriptor. Threads: as api/engine.h.
#pragma once

#include <atomic>

#include "engines/api/engine.h"
#include "engines/posix/engine.h"

namespace daxlab::posix {

class PosixFile final : public File {
 public:
  /// Takes over one reference on `node`. Without `fd` it works on the node's own descriptor (a file just created).
  PosixFile(PosixEngine& engine, Node* node, Fd fd, bool writable);
  ~PosixFile() override;

  InodeId ino() const override { return node_->ino; }
  Result<size_t> read(uint64_t offset, std::span<std::byte> out) override;
  Result<size_t> write(uint64_t offset, std::span<const std::byte> data) override;
  Result<uint64_t> append(std::span<const std::byte> data) override;
  Result<void> fallocate(FallocateMode mode, uint64_t offset, uint64_t size_bytes) override;
  Result<uint64_t> seek(uint64_t offset, SeekWhat what) override;
  Result<void> fsync() override { return as_result(::fsync(fd_)); }
  Result<void> fdatasync() override { return as_result(::fdatasync(fd_)); }
  Result<Attributes> getattr() override { return attributes_of(fd_); }
  Result<Attributes> setattr(const SetAttributes& changes) override;
  Result<std::unique_ptr<Mapping>> map(uint64_t offset, uint64_t size_bytes, bool writable) override;

 private:
  Result<uint64_t> append_at_position(int fd, std::span<const std::byte> data);

  PosixEngine& engine_;
  Node* const node_;
  const Fd own_fd_;
  const int fd_;
  const bool writable_;
  std::atomic<bool> position_in_use_{false};  // who has set it may use the file position of fd_
};

}  // namespace daxlab::posix
