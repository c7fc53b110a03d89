#include "engines/dax/fault_handler.h"

#include <fmt/format.h>
#include <signal.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <cstring>

#include "engines/base/mutex.h"
#include "engines/base/units.h"
#include "engines/dax/address_space.h"
#include "engines/dax/arena.h"

namespace daxlab::dax {
namespace {

// Actions that were installed before ours, kept for ever because a handler may be reading them.
struct Previous {
  static constexpr size_t kMax = 64;
  std::array<struct sigaction, kMax> kept{};
  size_t count = 0;
  std::atomic<const struct sigaction*> current{nullptr};
};
Previous g_segv;
Previous g_bus;
Mutex g_mutex;

constexpr long kErrorWrite = 2;  // bits of the x86 page fault error code
constexpr long kErrorInstruction = 16;

void die_of(int signo) {
  struct sigaction fallback {};
  fallback.sa_handler = SIG_DFL;
  sigaction(signo, &fallback, nullptr);
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, signo);
  pthread_sigmask(SIG_UNBLOCK, &set, nullptr);
  syscall(SYS_tgkill, getpid(), static_cast<pid_t>(syscall(SYS_gettid)), signo);
}

/// What the program would have seen without us. May not return (longjmp) and holds nothing.
void chain(int signo, siginfo_t* info, void* context) {
  const struct sigaction* previous = (signo == SIGBUS ? g_bus : g_segv).current.load(std::memory_order_acquire);
  if (previous == nullptr ||
      (!(previous->sa_flags & SA_SIGINFO) && (previous->sa_handler == SIG_DFL || previous->sa_handler == SIG_IGN))) {
    return die_of(signo);
  }
  if (previous->sa_flags & SA_SIGINFO) return previous->sa_sigaction(signo, info, context);
  previous->sa_handler(signo);
}

void on_fault(int signo, siginfo_t* info, void* context) {
  const int saved_errno = errno;
  const auto* address = static_cast<const std::byte*>(info->si_addr);
  const long error = static_cast<ucontext_t*>(context)->uc_mcontext.gregs[REG_ERR];
  const bool page_fault = info->si_code > 0 && info->si_code != SI_KERNEL && !(error & kErrorInstruction) &&
                          !(signo == SIGBUS && (info->si_code == BUS_MCEERR_AR || info->si_code == BUS_MCEERR_AO));
  Window* window = page_fault && !arena::forked() ? arena::find(address) : nullptr;
  if (window == nullptr || (signo == SIGBUS && !window->faults_by_sigbus)) return chain(signo, info, context);
  const Access access = error & kErrorWrite ? Access::kWrite : Access::kRead;
  if (access == Access::kWrite && !window->writable) {
    info->si_signo = SIGSEGV;
    info->si_code = SEGV_ACCERR;
    return chain(SIGSEGV, info, context);
  }
  const uint64_t page = window->first_page + static_cast<uint64_t>(address - window->address) / kBlockBytes;
  if (!window->space->fault(*window, page, access)) {
    info->si_signo = SIGBUS;
    info->si_code = BUS_ADRERR;
    return chain(SIGBUS, info, context);
  }
  errno = saved_errno;
}

Result<void> replace(int signo) {
  struct sigaction ours {};
  ours.sa_sigaction = on_fault;
  ours.sa_flags = SA_SIGINFO | SA_ONSTACK;
  sigemptyset(&ours.sa_mask);
  if (sigaction(signo, &ours, nullptr) != 0) return Error(Errc::kIo, std::strerror(errno));
  return {};
}

Result<void> put_in_front(int signo, Previous& previous) {
  struct sigaction now {};
  if (sigaction(signo, nullptr, &now) != 0) return Error(Errc::kIo, std::strerror(errno));
  if ((now.sa_flags & SA_SIGINFO) && now.sa_sigaction == on_fault) return {};
  for (size_t i = 0; i < previous.count; ++i) {
    if (previous.kept[i].sa_sigaction == now.sa_sigaction && previous.kept[i].sa_flags == now.sa_flags) {
      previous.current.store(&previous.kept[i], std::memory_order_release);
      return replace(signo);
    }
  }
  if (previous.count == Previous::kMax)
    return Error(Errc::kBusy, fmt::format("the handler of signal {} was replaced too often", signo));
  struct sigaction& kept = previous.kept[previous.count++];
  kept = now;
  previous.current.store(&kept, std::memory_order_release);
  return replace(signo);
}

}  // namespace

Result<void> install_fault_handler() {
  const MutexLock lock(g_mutex);
  DAXLAB_TRY(put_in_front(SIGSEGV, g_segv));
  return put_in_front(SIGBUS, g_bus);
}

}  // namespace daxlab::dax
