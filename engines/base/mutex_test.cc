#include "engines/base/mutex.h"

#include <gtest/gtest.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

#include "engines/base/counters.h"

namespace daxlab {
namespace {

/// Whether thread `tid` of this process sleeps in the kernel.
bool asleep(pid_t tid) {
  std::ifstream stat("/proc/self/task/" + std::to_string(tid) + "/stat");
  const std::string text((std::istreambuf_iterator<char>(stat)), {});
  const size_t end = text.rfind(')');
  return end != std::string::npos && end + 2 < text.size() && text[end + 2] == 'S';
}

pid_t my_tid() { return static_cast<pid_t>(::syscall(SYS_gettid)); }

/// Runs `wait_and_release` on another thread in `scope` while this thread holds the lock; releases once the other one sleeps.
template <typename Release, typename WaitAndRelease>
CounterValues contend(LockScope scope, const Release& release, const WaitAndRelease& wait_and_release) {
  std::atomic<pid_t> tid{0};
  CounterValues counted;
  std::thread waiter([&] {
    const ScopedLockScope scoped(scope);
    const CounterValues before = t_counters.snapshot();
    tid = my_tid();
    wait_and_release();
    counted = t_counters.snapshot();
    counted -= before;
  });
  while (tid == 0 || !asleep(tid)) std::this_thread::yield();
  release();
  waiter.join();
  return counted;
}

TEST(Mutex, AnUncontendedLockCountsNothing) {
  Mutex mutex;
  const CounterValues before = t_counters.snapshot();
  for (int i = 0; i < 1000; ++i) {
    const MutexLock lock(mutex);
  }
  CounterValues counted = t_counters.snapshot();
  counted -= before;
  for (const uint64_t value : counted.values) EXPECT_EQ(value, 0u);
}

TEST(Mutex, AContendedWaitSleepsAndIsCountedOnceInItsScope) DAXLAB_NO_THREAD_SAFETY_ANALYSIS {
  for (const LockScope scope : {LockScope::kOther, LockScope::kFault, LockScope::kWrite}) {
    Mutex mutex;
    mutex.lock();
    const CounterValues counted = contend(
        scope, [&]() DAXLAB_NO_THREAD_SAFETY_ANALYSIS { mutex.unlock(); }, [&] { const MutexLock lock(mutex); });
    EXPECT_EQ(counted[Counter::lock_waits_other], scope == LockScope::kOther ? 1u : 0u);
    EXPECT_EQ(counted[Counter::lock_waits_fault], scope == LockScope::kFault ? 1u : 0u);
    EXPECT_EQ(counted[Counter::lock_waits_write], scope == LockScope::kWrite ? 1u : 0u);
    EXPECT_GT(counted[Counter::lock_wait_ns], 0u);
    EXPECT_EQ(counted[Counter::lock_wait_fault_ns], scope == LockScope::kFault ? counted[Counter::lock_wait_ns] : 0u);
    EXPECT_EQ(counted[Counter::lock_wait_write_ns], scope == LockScope::kWrite ? counted[Counter::lock_wait_ns] : 0u);
  }
}

TEST(SharedMutex, AReaderWaitsForAWriterAndIsCounted) DAXLAB_NO_THREAD_SAFETY_ANALYSIS {
  SharedMutex mutex;
  mutex.lock();
  const CounterValues counted = contend(
      LockScope::kWrite, [&]() DAXLAB_NO_THREAD_SAFETY_ANALYSIS { mutex.unlock(); }, [&] { const ReaderLock lock(mutex); });
  EXPECT_EQ(counted[Counter::lock_waits_write], 1u);
}

TEST(SharedMutex, AWriterWaitsForAReaderAndIsCounted) DAXLAB_NO_THREAD_SAFETY_ANALYSIS {
  SharedMutex mutex;
  mutex.lock_shared();
  const CounterValues counted = contend(
      LockScope::kFault, [&]() DAXLAB_NO_THREAD_SAFETY_ANALYSIS { mutex.unlock_shared(); },
      [&] { const WriterLock lock(mutex); });
  EXPECT_EQ(counted[Counter::lock_waits_fault], 1u);
}

TEST(SharedMutex, ReadersDoNotWaitForReaders) DAXLAB_NO_THREAD_SAFETY_ANALYSIS {
  SharedMutex mutex;
  mutex.lock_shared();
  CounterValues counted;
  std::thread([&] {
    const CounterValues before = t_counters.snapshot();
    { const ReaderLock lock(mutex); }
    counted = t_counters.snapshot();
    counted -= before;
  }).join();
  mutex.unlock_shared();
  EXPECT_EQ(counted[Counter::lock_waits_other], 0u);
}

TEST(LockScopes, AnInnerScopeEndsWithItsBlock) {
  EXPECT_EQ(t_lock_scope, LockScope::kOther);
  {
    const ScopedLockScope write(LockScope::kWrite);
    {
      const ScopedLockScope fault(LockScope::kFault);
      EXPECT_EQ(t_lock_scope, LockScope::kFault);
    }
    EXPECT_EQ(t_lock_scope, LockScope::kWrite);
  }
  EXPECT_EQ(t_lock_scope, LockScope::kOther);
}

TEST(Mutex, ExcludesUnderLoad) {
  Mutex mutex;
  uint64_t shared = 0;
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      for (int n = 0; n < 20'000; ++n) {
        const MutexLock lock(mutex);
        ++shared;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(shared, 80'000u);
}

}  // namespace
}  // namespace daxlab
