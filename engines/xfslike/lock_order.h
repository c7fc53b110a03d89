// The order of the core's locks, and a checker of it in debug and sanitizer builds (DAXLAB_DCHECK's condition).
//
// Outermost first (XFS: fs/xfs/xfs_inode.c, Documentation/filesystems/locking.rst; the write path of fs/dax.c):
//
//   rename        renames across directories: the tree's shape stays (s_vfs_rename_mutex)
//   i_rwsem       of a directory before what is in it; of two inodes of one level by number
//   invalidate    the file's mapping may change (truncate, punch): mapping->invalidate_lock
//   entry         entries of the DAX address space; taken by engines/dax
//   reservation   waiting for log space; nobody who waits holds an ilock, an allocation group or a buffer
//   ilock         the inode's core and extents; of several inodes by number
//   group         free space and inode chunks of one allocation group; of several by number
//   buffer        one metadata object
//   log           the CIL, iclogs, the AIL: leaves that call nobody
//
// Invariant: a thread takes a lock of a rank only while it holds none of a higher rank; within i_rwsem, ilock, group and buffer it
// takes keys in ascending order, or says that the two are nested (parent before child).
//
// Threads: a thread's own.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "engines/base/check.h"
#include "engines/base/mutex.h"

#define DAXLAB_LOCK_ORDER DAXLAB_CHECKED

namespace daxlab::xfslike {

enum class LockRank : uint8_t { kRename, kRwsem, kInvalidate, kEntry, kReservation, kInode, kGroup, kBuffer, kLog };

/// What a thread holds, in the order in which it was taken. Compiled in every build, so that its own test runs in every build.
class LockOrder {
 public:
  static constexpr size_t kHeldMax = 64;

  /// Whether (rank, key) may be taken now. `nested`: the caller knows an order of its own within the rank.
  bool may_take(LockRank rank, uint64_t key, bool nested = false) const {
    for (size_t i = 0; i < count_; ++i) {
      if (held_[i].rank > rank) return false;
      if (held_[i].rank == rank && !nested && held_[i].key >= key) return false;
    }
    return true;
  }
  void took(LockRank rank, uint64_t key) {
    DAXLAB_CHECK(count_ < kHeldMax);
    held_[count_++] = {rank, key};
  }
  void let_go(LockRank rank, uint64_t key) {
    for (size_t i = count_; i-- > 0;) {
      if (held_[i].rank != rank || held_[i].key != key) continue;
      for (size_t j = i + 1; j < count_; ++j) held_[j - 1] = held_[j];
      --count_;
      return;
    }
    check_failed("the thread holds the lock that it lets go of", __FILE__, __LINE__);
  }
  bool holds(LockRank rank) const {
    for (size_t i = 0; i < count_; ++i) {
      if (held_[i].rank == rank) return true;
    }
    return false;
  }
  size_t count() const { return count_; }

 private:
  struct Held {
    LockRank rank;
    uint64_t key;
  };
  std::array<Held, kHeldMax> held_{};
  size_t count_ = 0;
};

#if DAXLAB_LOCK_ORDER
inline thread_local LockOrder t_lock_order;
inline void lock_order_take(LockRank rank, uint64_t key, bool nested = false) {
  DAXLAB_CHECK(t_lock_order.may_take(rank, key, nested));
  t_lock_order.took(rank, key);
}
inline void lock_order_release(LockRank rank, uint64_t key) { t_lock_order.let_go(rank, key); }
/// Before a wait that no lock of `rank` or beyond may be held over (a reservation).
inline void lock_order_wait(LockRank rank) { DAXLAB_CHECK(t_lock_order.may_take(rank, 0, true)); }
#else
inline void lock_order_take(LockRank, uint64_t, bool = false) {}
inline void lock_order_release(LockRank, uint64_t) {}
inline void lock_order_wait(LockRank) {}
#endif

/// Holds a SharedMutex of a rank, shared or exclusive, for its lifetime or until release().
class OrderedLock {
 public:
  enum class Mode : uint8_t { kShared, kExclusive };

  OrderedLock(SharedMutex& mutex, LockRank rank, uint64_t key, Mode mode, bool nested = false) DAXLAB_NO_THREAD_SAFETY_ANALYSIS
      : mutex_(&mutex),
        rank_(rank),
        mode_(mode),
        key_(key) {
    lock_order_take(rank, key, nested);
    if (mode == Mode::kShared) {
      mutex.lock_shared();
    } else {
      mutex.lock();
    }
  }
  /// Takes over a lock that the calling thread holds exclusive.
  struct Adopt {};
  OrderedLock(SharedMutex& mutex, LockRank rank, uint64_t key, Adopt) : mutex_(&mutex), rank_(rank), mode_(Mode::kExclusive), key_(key) {
    lock_order_take(rank, key, true);
  }
  ~OrderedLock() { release(); }
  OrderedLock(const OrderedLock&) = delete;
  OrderedLock& operator=(const OrderedLock&) = delete;

  void release() DAXLAB_NO_THREAD_SAFETY_ANALYSIS {
    if (mutex_ == nullptr) return;
    if (mode_ == Mode::kShared) {
      mutex_->unlock_shared();
    } else {
      mutex_->unlock();
    }
    lock_order_release(rank_, key_);
    mutex_ = nullptr;
  }

 private:
  SharedMutex* mutex_;
  const LockRank rank_;
  const Mode mode_;
  const uint64_t key_;
};

}  // namespace daxlab::xfslike
