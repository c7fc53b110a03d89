#include "engines/base/mutex.h"

#include <ctime>

#include "engines/base/account.h"
#include "engines/base/clock.h"
#include "engines/base/counters.h"
#include "engines/base/trace.h"

namespace daxlab {

constinit thread_local LockScope t_lock_scope = LockScope::kOther;

// Out of line and not inlined, so that there is one USDT site each and eBPF sees every contended wait exactly once.
[[gnu::noinline]] ContendedWait::ContendedWait(const void* lock) : lock_(lock) {
  DAXLAB_TRACE2(lock_contended, lock_, static_cast<int>(t_lock_scope));
  began_ns_ = monotonic_ns();
}

[[gnu::noinline]] ContendedWait::~ContendedWait() {
  const uint64_t waited_ns = monotonic_ns() - began_ns_;
  DAXLAB_TRACE2(lock_acquired, lock_, static_cast<int>(t_lock_scope));
  count(Counter::lock_wait_ns, waited_ns);
  switch (t_lock_scope) {
    case LockScope::kFault:
      count(Counter::lock_waits_fault);
      count(Counter::lock_wait_fault_ns, waited_ns);
      break;
    case LockScope::kWrite:
      count(Counter::lock_waits_write);
      count(Counter::lock_wait_write_ns, waited_ns);
      break;
    case LockScope::kOther:
      count(Counter::lock_waits_other);
      break;
  }
}

void Mutex::lock_contended() {
  const AccountScope scope(Phase::kLockWait);
  const ContendedWait wait(this);
  mutex_.lock();
}

void SharedMutex::lock_contended() {
  const AccountScope scope(Phase::kLockWait);
  const ContendedWait wait(this);
  mutex_.lock();
}

void SharedMutex::lock_shared_contended() {
  const AccountScope scope(Phase::kLockWait);
  const ContendedWait wait(this);
  mutex_.lock_shared();
}

}  // namespace daxlab
