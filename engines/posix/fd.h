// File descriptors: owned, pooled, and what a failed system call means in daxlab's codes.
#pragma once

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <string_view>
#include <utility>

#include "engines/api/names.h"
#include "engines/base/result.h"

namespace daxlab::posix {

/// errno as daxlab's code. Out of descriptors counts as out of memory: every referenced inode holds one.
inline Errc last_error() {
  if (errno == EMFILE || errno == ENFILE) return Errc::kNoMemory;
  return errc_from_errno(errno);
}
inline Result<void> as_result(int returned) { return returned < 0 ? Result<void>(last_error()) : Result<void>(); }

class Fd {
 public:
  Fd() = default;
  explicit Fd(int fd) : fd_(fd) {}
  Fd(Fd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Fd& operator=(Fd&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~Fd() {
    if (fd_ >= 0) ::close(fd_);
  }
  int get() const { return fd_; }
  bool valid() const { return fd_ >= 0; }
  int release() { return std::exchange(fd_, -1); }

 private:
  int fd_ = -1;
};

/// A few descriptors of one inode, each used by one thread at a time because it needs the file position for itself. Lock-free.
class FdPool {
 public:
  FdPool() {
    for (auto& slot : slots_) slot.store(-1, std::memory_order_relaxed);
  }
  ~FdPool() {
    for (auto& slot : slots_) {
      if (const int fd = slot.load(std::memory_order_relaxed); fd >= 0) ::close(fd);
    }
  }
  FdPool(const FdPool&) = delete;
  FdPool& operator=(const FdPool&) = delete;

  Fd take() {
    for (auto& slot : slots_) {
      if (slot.load(std::memory_order_relaxed) < 0) continue;
      if (const int fd = slot.exchange(-1, std::memory_order_acquire); fd >= 0) return Fd(fd);
    }
    return Fd();
  }
  void put(Fd fd) {
    for (auto& slot : slots_) {
      int empty = -1;
      if (slot.compare_exchange_strong(empty, fd.get(), std::memory_order_release, std::memory_order_relaxed)) {
        (void)fd.release();
        return;
      }
    }
  }

 private:
  std::array<std::atomic<int>, 8> slots_;
};

/// A checked name, terminated for a system call.
class CName {
 public:
  explicit CName(std::string_view name) : checked_(check_name(name)) {
    if (!checked_.ok()) return;
    std::memcpy(bytes_, name.data(), name.size());
    bytes_[name.size()] = '\0';
  }
  const Result<void>& checked() const { return checked_; }
  const char* c_str() const { return bytes_; }

 private:
  Result<void> checked_;
  char bytes_[kNameBytesMax + 1];  // set only for a good name
};

/// "/proc/self/fd/N": the inode behind a descriptor as a path, which also works for one opened with O_PATH.
class ProcPath {
 public:
  explicit ProcPath(int fd) { std::snprintf(bytes_, sizeof(bytes_), "/proc/self/fd/%d", fd); }
  const char* c_str() const { return bytes_; }

 private:
  char bytes_[32];
};

}  // namespace daxlab::posix
