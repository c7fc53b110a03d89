// Locks with thread-safety annotations (clang) whose *contended* path is counted, timed and traced.
//
// The uncontended path is a try-lock and nothing else. After a failed try: USDT lock_contended, the wait (trying for some
// microseconds, then asleep), USDT lock_acquired, and the wait counted under the scope that the thread is in (fault, write or
// other), so that a figure can say who waited for whom. Not recursive; satisfy BasicLockable.
#pragma once

#include <cstdint>
#include <mutex>
#include <shared_mutex>

#if defined(__clang__)
#define DAXLAB_THREAD_ANNOTATION(x) __attribute__((x))
#else
#define DAXLAB_THREAD_ANNOTATION(x)
#endif
#define DAXLAB_CAPABILITY(x) DAXLAB_THREAD_ANNOTATION(capability(x))
#define DAXLAB_SCOPED_CAPABILITY DAXLAB_THREAD_ANNOTATION(scoped_lockable)
#define DAXLAB_GUARDED_BY(x) DAXLAB_THREAD_ANNOTATION(guarded_by(x))
#define DAXLAB_PT_GUARDED_BY(x) DAXLAB_THREAD_ANNOTATION(pt_guarded_by(x))
#define DAXLAB_REQUIRES(...) DAXLAB_THREAD_ANNOTATION(requires_capability(__VA_ARGS__))
#define DAXLAB_REQUIRES_SHARED(...) DAXLAB_THREAD_ANNOTATION(requires_shared_capability(__VA_ARGS__))
#define DAXLAB_ACQUIRE(...) DAXLAB_THREAD_ANNOTATION(acquire_capability(__VA_ARGS__))
#define DAXLAB_ACQUIRE_SHARED(...) DAXLAB_THREAD_ANNOTATION(acquire_shared_capability(__VA_ARGS__))
#define DAXLAB_RELEASE(...) DAXLAB_THREAD_ANNOTATION(release_capability(__VA_ARGS__))
#define DAXLAB_RELEASE_SHARED(...) DAXLAB_THREAD_ANNOTATION(release_shared_capability(__VA_ARGS__))
#define DAXLAB_RELEASE_GENERIC(...) DAXLAB_THREAD_ANNOTATION(release_generic_capability(__VA_ARGS__))
#define DAXLAB_TRY_ACQUIRE(...) DAXLAB_THREAD_ANNOTATION(try_acquire_capability(__VA_ARGS__))
#define DAXLAB_EXCLUDES(...) DAXLAB_THREAD_ANNOTATION(locks_excluded(__VA_ARGS__))
#define DAXLAB_NO_THREAD_SAFETY_ANALYSIS DAXLAB_THREAD_ANNOTATION(no_thread_safety_analysis)

namespace daxlab {

/// What the calling thread is doing, for the attribution of lock waits.
enum class LockScope : uint8_t { kOther = 0, kFault = 1, kWrite = 2 };

extern constinit thread_local LockScope t_lock_scope;

/// Sets the scope for its lifetime and restores the outer one.
class ScopedLockScope {
 public:
  explicit ScopedLockScope(LockScope scope) : outer_(t_lock_scope) { t_lock_scope = scope; }
  ~ScopedLockScope() { t_lock_scope = outer_; }
  ScopedLockScope(const ScopedLockScope&) = delete;
  ScopedLockScope& operator=(const ScopedLockScope&) = delete;

 private:
  LockScope outer_;
};

/// Brackets one contended wait: traces, times and counts it. Also for waits that are not on one of these locks
/// (a DAX entry lock): construct after the try failed, destroy once the wait is over.
class ContendedWait {
 public:
  explicit ContendedWait(const void* lock);
  ~ContendedWait();
  ContendedWait(const ContendedWait&) = delete;
  ContendedWait& operator=(const ContendedWait&) = delete;

 private:
  const void* lock_;
  uint64_t began_ns_;
};

class DAXLAB_CAPABILITY("mutex") Mutex {
 public:
  void lock() DAXLAB_ACQUIRE() {
    if (!mutex_.try_lock()) lock_contended();
  }
  bool try_lock() DAXLAB_TRY_ACQUIRE(true) { return mutex_.try_lock(); }
  void unlock() DAXLAB_RELEASE() { mutex_.unlock(); }

 private:
  void lock_contended();
  std::mutex mutex_;
};

class DAXLAB_CAPABILITY("shared_mutex") SharedMutex {
 public:
  void lock() DAXLAB_ACQUIRE() {
    if (!mutex_.try_lock()) lock_contended();
  }
  bool try_lock() DAXLAB_TRY_ACQUIRE(true) { return mutex_.try_lock(); }
  void unlock() DAXLAB_RELEASE() { mutex_.unlock(); }
  void lock_shared() DAXLAB_ACQUIRE_SHARED() {
    if (!mutex_.try_lock_shared()) lock_shared_contended();
  }
  void unlock_shared() DAXLAB_RELEASE_SHARED() { mutex_.unlock_shared(); }

 private:
  void lock_contended();
  void lock_shared_contended();
  std::shared_mutex mutex_;
};

class DAXLAB_SCOPED_CAPABILITY MutexLock {
 public:
  explicit MutexLock(Mutex& mutex) DAXLAB_ACQUIRE(mutex) : mutex_(mutex) { mutex_.lock(); }
  ~MutexLock() DAXLAB_RELEASE() { mutex_.unlock(); }
  MutexLock(const MutexLock&) = delete;
  MutexLock& operator=(const MutexLock&) = delete;

 private:
  Mutex& mutex_;
};

class DAXLAB_SCOPED_CAPABILITY WriterLock {
 public:
  explicit WriterLock(SharedMutex& mutex) DAXLAB_ACQUIRE(mutex) : mutex_(mutex) { mutex_.lock(); }
  ~WriterLock() DAXLAB_RELEASE() { mutex_.unlock(); }
  WriterLock(const WriterLock&) = delete;
  WriterLock& operator=(const WriterLock&) = delete;

 private:
  SharedMutex& mutex_;
};

class DAXLAB_SCOPED_CAPABILITY ReaderLock {
 public:
  explicit ReaderLock(SharedMutex& mutex) DAXLAB_ACQUIRE_SHARED(mutex) : mutex_(mutex) { mutex_.lock_shared(); }
  ~ReaderLock() DAXLAB_RELEASE_GENERIC() { mutex_.unlock_shared(); }
  ReaderLock(const ReaderLock&) = delete;
  ReaderLock& operator=(const ReaderLock&) = delete;

 private:
  SharedMutex& mutex_;
};

}  // namespace daxlab
