#include "harness/process.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <climits>

#include "engines/base/clock.h"

namespace daxlab::harness {
namespace {

constexpr int kAboveInherited = 64;  // where descriptors wait before they take their numbers in the child

Error system_error(const char* what) { return {Errc::kIo, fmt::format("{}: {}", what, strerror(errno))}; }

/// In the child, between fork and exec: async-signal-safe calls only.
[[noreturn]] void become(const char* path, char* const* arguments, const std::vector<Inherited>& inherited, pid_t parent) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != parent) ::_exit(127);  // the parent died before the line above
  int waiting[16];
  size_t count = 0;
  for (const Inherited& one : inherited) waiting[count++] = ::fcntl(one.from, F_DUPFD_CLOEXEC, kAboveInherited);
  for (size_t i = 0; i < count; ++i) {
    if (waiting[i] < 0 || ::dup2(waiting[i], inherited[i].to) < 0) ::_exit(127);
  }
  ::execv(path, arguments);
  ::_exit(127);
}

}  // namespace

void Fd::reset() {
  if (fd_ >= 0) ::close(fd_);
  fd_ = -1;
}

Result<Fd> memory_file(const char* name, const std::string& text) {
  Fd fd(::memfd_create(name, MFD_CLOEXEC));
  if (!fd) return system_error("memfd_create");
  if (::write(fd.get(), text.data(), text.size()) != static_cast<ssize_t>(text.size()) || ::lseek(fd.get(), 0, SEEK_SET) != 0) {
    return system_error("memory file");
  }
  return fd;
}

Result<std::string> read_whole(int fd) {
  struct stat status {};
  if (::fstat(fd, &status) != 0) return system_error("fstat");
  std::string text(static_cast<size_t>(status.st_size), '\0');
  if (::pread(fd, text.data(), text.size(), 0) != static_cast<ssize_t>(text.size())) return system_error("read");
  return text;
}

std::string Ending::describe() const {
  switch (kind) {
    case Kind::kExit:
      return fmt::format("ended with exit code {}", code);
    case Kind::kSignal:
      return fmt::format("killed by SIG{}", sigabbrev_np(code) != nullptr ? sigabbrev_np(code) : "?");
    case Kind::kTimeout:
      return fmt::format("still running after {} s", code);
    case Kind::kInterrupted:
      return "interrupted";
  }
  return "";
}

Result<Child> Child::start(const std::string& path, const std::vector<std::string>& arguments,
                           const std::vector<Inherited>& inherited) {
  DAXLAB_CHECK(inherited.size() <= 16);
  std::vector<char*> words;
  words.push_back(const_cast<char*>(path.c_str()));
  for (const std::string& argument : arguments) words.push_back(const_cast<char*>(argument.c_str()));
  words.push_back(nullptr);
  const pid_t parent = ::getpid();
  const pid_t pid = ::fork();
  if (pid < 0) return system_error("fork");
  if (pid == 0) become(path.c_str(), words.data(), inherited, parent);
  Fd pidfd(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
  if (!pidfd) {
    const Error error = system_error("pidfd_open");
    ::kill(pid, SIGKILL);
    ::waitpid(pid, nullptr, 0);
    return error;
  }
  ::fcntl(pidfd.get(), F_SETFD, FD_CLOEXEC);
  return Child(pid, std::move(pidfd));
}

Child::~Child() {
  if (pid_ < 0) return;
  ::kill(pid_, SIGKILL);
  ::waitpid(pid_, nullptr, 0);
}

Ending Child::reap(Ending::Kind kind_if_killed) {
  int status = 0;
  while (::waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
  }
  pid_ = -1;
  if (kind_if_killed != Ending::Kind::kExit) return {kind_if_killed, 0};
  if (WIFSIGNALED(status)) return {Ending::Kind::kSignal, WTERMSIG(status)};
  return {Ending::Kind::kExit, WEXITSTATUS(status)};
}

Ending Child::wait(double timeout_seconds, const std::function<bool()>& tick) {
  constexpr uint64_t kTickMs = 1000;
  const uint64_t deadline_ns = monotonic_ns() + static_cast<uint64_t>(timeout_seconds * 1e9);
  for (;;) {
    pollfd ended{pidfd_.get(), POLLIN, 0};
    const uint64_t now_ns = monotonic_ns();
    const uint64_t left_ms = now_ns < deadline_ns ? (deadline_ns - now_ns) / 1'000'000 + 1 : 0;
    const int wait_ms = static_cast<int>(std::min<uint64_t>(left_ms, kTickMs));
    if (::poll(&ended, 1, wait_ms) > 0) return reap(Ending::Kind::kExit);
    if (!tick()) {
      ::kill(pid_, SIGKILL);
      return reap(Ending::Kind::kInterrupted);
    }
    if (monotonic_ns() >= deadline_ns) {
      ::kill(pid_, SIGKILL);
      Ending ending = reap(Ending::Kind::kTimeout);
      ending.code = static_cast<int>(timeout_seconds);
      return ending;
    }
  }
}

bool Child::wait_readable(int fd, double timeout_seconds) {
  const uint64_t deadline_ns = monotonic_ns() + static_cast<uint64_t>(timeout_seconds * 1e9);
  while (monotonic_ns() < deadline_ns) {
    pollfd either[2] = {{fd, POLLIN, 0}, {pidfd_.get(), POLLIN, 0}};
    const int ready = ::poll(either, 2, 100);
    if (ready > 0 && (either[0].revents & POLLIN) != 0) return true;
    if (ready > 0) return false;
    if (ready < 0 && errno == EINTR) return false;
  }
  return false;
}

std::string own_path() {
  char path[PATH_MAX];
  const ssize_t length = ::readlink("/proc/self/exe", path, sizeof(path));
  return length > 0 ? std::string(path, static_cast<size_t>(length)) : std::string("daxlab");
}

}  // namespace daxlab::harness
