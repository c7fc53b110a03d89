#include "engines/base/mutex.h"

#include <immintrin.h>

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

namespace {

/// Nearly every holder lets go before a waiter could be put to sleep and woken again, some 10 us: for about as long a waiter tries.
template <typename Try>
bool try_for_a_while(Try attempt) {
  constexpr int kTries = 100;
  constexpr int kPauses = 4;  // between tries, which take the lock's line from its holder
  for (int i = 0; i < kTries; ++i) {
    for (int pause = 0; pause < kPauses; ++pause) _mm_pause();
    if (attempt()) return true;
  }
  return false;
}

}  // namespace

void Mutex::lock_contended() {
  const AccountScope scope(Phase::kLockWait);
  const ContendedWait wait(this);
  if (!try_for_a_while([this] { return mutex_.try_lock(); })) mutex_.lock();
}

void SharedMutex::lock_contended() {
  const AccountScope scope(Phase::kLockWait);
  const ContendedWait wait(this);
  if (!try_for_a_while([this] { return mutex_.try_lock(); })) mutex_.lock();
}

void SharedMutex::lock_shared_contended() {
  const AccountScope scope(Phase::kLockWait);
  const ContendedWait wait(this);
  if (!try_for_a_while([this] { return mutex_.try_lock_shared(); })) mutex_.lock_shared();
}

}  // namespace daxlab
