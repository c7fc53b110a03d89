// A process to be traced in tests: forked, held at a gate until the session has turned to it, then run to its end.
#pragma once

#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdint>
#include <functional>

#include "engines/base/check.h"
#include "engines/base/trace.h"

namespace daxlab::probes {

class ForkedTarget {
 public:
  static constexpr size_t kWords = 16;

  /// `body` runs in the child and leaves what it counted itself in the words it is given.
  explicit ForkedTarget(const std::function<void(uint64_t* words)>& body) {
    void* shared = mmap(nullptr, kWords * sizeof(uint64_t), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    DAXLAB_CHECK(shared != MAP_FAILED);
    words_ = static_cast<uint64_t*>(shared);
    int gate[2];
    DAXLAB_CHECK(pipe(gate) == 0);
    pid_ = fork();
    DAXLAB_CHECK(pid_ >= 0);
    if (pid_ == 0) {
      close(gate[1]);
      char go = 0;
      if (read(gate[0], &go, 1) != 1) _exit(2);
      body(words_);
      _exit(0);
    }
    close(gate[0]);
    gate_ = gate[1];
  }
  ~ForkedTarget() {
    if (!ended_) run();
    munmap(words_, kWords * sizeof(uint64_t));
  }
  ForkedTarget(const ForkedTarget&) = delete;
  ForkedTarget& operator=(const ForkedTarget&) = delete;

  pid_t pid() const { return pid_; }
  /// Opens the gate and waits; true if the child ended well.
  bool run() {
    const bool opened = write(gate_, "g", 1) == 1;
    close(gate_);
    int status = 0;
    ended_ = true;
    return waitpid(pid_, &status, 0) == pid_ && opened && WIFEXITED(status) && WEXITSTATUS(status) == 0;
  }
  uint64_t word(size_t i) const { return words_[i]; }

 private:
  pid_t pid_ = 0;
  int gate_ = -1;
  bool ended_ = false;
  uint64_t* words_ = nullptr;
};

/// The phase mark as a target says it.
inline void say_phase(uint32_t phase) { DAXLAB_TRACE1(phase_mark, phase); }

}  // namespace daxlab::probes
