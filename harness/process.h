// Starting a child process of this program and waiting for it, whatever becomes of it.
#pragma once

#include <sys/types.h>

#include <functional>
#include <string>
#include <vector>

#include "engines/base/result.h"

namespace daxlab::harness {

/// A file descriptor that closes itself.
class Fd {
 public:
  Fd() = default;
  explicit Fd(int fd) : fd_(fd) {}
  ~Fd() { reset(); }
  Fd(Fd&& other) noexcept : fd_(other.release()) {}
  Fd& operator=(Fd&& other) noexcept {
    if (this != &other) {
      reset();
      fd_ = other.release();
    }
    return *this;
  }
  Fd(const Fd&) = delete;
  Fd& operator=(const Fd&) = delete;

  int get() const { return fd_; }
  explicit operator bool() const { return fd_ >= 0; }
  int release() {
    const int fd = fd_;
    fd_ = -1;
    return fd;
  }
  void reset();

 private:
  int fd_ = -1;
};

/// A memory file holding `text`.
Result<Fd> memory_file(const char* name, const std::string& text = {});
Result<std::string> read_whole(int fd);

/// One more descriptor of the child: `from` here becomes `to` there.
struct Inherited {
  int from;
  int to;
};

/// How a child ended.
struct Ending {
  enum class Kind : uint8_t { kExit, kSignal, kTimeout, kInterrupted };
  Kind kind = Kind::kExit;
  int code = 0;  ///< Exit code or signal number.
  /// "ended with exit code 3", "killed by SIGSEGV", "still running after 120 s".
  std::string describe() const;
};

class Child {
 public:
  /// Forks and executes `path` with `arguments`. The child is killed when this process dies. Call from a
  /// thread that lives as long: its end would kill the child too.
  static Result<Child> start(const std::string& path, const std::vector<std::string>& arguments,
                             const std::vector<Inherited>& inherited);
  ~Child();
  Child(Child&& other) noexcept : pid_(other.pid_), pidfd_(std::move(other.pidfd_)) { other.pid_ = -1; }
  Child& operator=(Child&&) = delete;
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;

  pid_t pid() const { return pid_; }
  /// Waits until it ends, at most `timeout_seconds`, then kills it. Calls `tick` about once a second; false from it means: kill
  /// it now.
  Ending wait(double timeout_seconds, const std::function<bool()>& tick);
  /// Waits until `fd` is readable or the child ends or the time is up; true when readable.
  bool wait_readable(int fd, double timeout_seconds);

 private:
  Child(pid_t pid, Fd pidfd) : pid_(pid), pidfd_(std::move(pidfd)) {}
  Ending reap(Ending::Kind kind_if_killed);
  pid_t pid_;
  Fd pidfd_;
};

/// Where this program's binary is.
std::string own_path();

}  // namespace daxlab::harness
