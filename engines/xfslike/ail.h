// The active item list: what is durable in the log but not yet written back, in order of LSN (XFS: fs/xfs/xfs_trans_ail.c).
//
// Its lowest LSN is the tail of the log. A push writes items back until the tail has reached a target: a quarter of the log is
// kept free by the log's thread (background=threads) or by whoever needs the space (inline).
//
// Threads: any. Invariants: (1) ascending LSN from front to back; (2) one pass at a time; (3) an item whose push() runs is not
// removed by another thread before it has returned, so that an owner may destroy an item once remove() is done.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>

#include "engines/base/mutex.h"
#include "engines/xfslike/log_item.h"
#include "engines/xfslike/log_stats.h"

namespace daxlab::xfslike {

class Ail {
 public:
  static constexpr size_t kBatch = 32;  ///< Items inserted or moved under one hold of the lock.

  explicit Ail(LogStats& stats) : stats_(stats) {}
  ~Ail();
  Ail(const Ail&) = delete;
  Ail& operator=(const Ail&) = delete;

  /// Puts items in at `lsn`, or moves them there; an item that is further already stays.
  void insert(std::span<LogItem* const> items, Lsn lsn);
  /// Takes an item out, wherever it is. By another thread than the one that runs its push(): waits for that. False: was not in.
  bool remove(LogItem& item);
  /// The same if the AIL holds it at `lsn`: what push() ends with, so that a newer commit keeps its place.
  bool remove_at(LogItem& item, Lsn lsn);

  bool empty() const;
  size_t size() const;
  Lsn lowest() const;   ///< kNoLsn when empty.
  Lsn highest() const;  ///< kNoLsn when empty.

  struct Pass {
    uint32_t done = 0;
    uint32_t pinned = 0;
    uint32_t locked = 0;
  };
  /// One walk from the front over items up to `target`, pushing each once, at most `limit`.
  Pass push(Lsn target, uint32_t limit = UINT32_MAX);

  /// Called after the lowest LSN rose or the list became empty, without the lock. Set once, before any use.
  void on_tail_moved(std::function<void()> callback) { tail_moved_ = std::move(callback); }

 private:
  void link(LogItem& item, Lsn lsn) DAXLAB_REQUIRES(mutex_);
  void unlink(LogItem& item) DAXLAB_REQUIRES(mutex_);
  bool take_out(LogItem& item, Lsn lsn);

  LogStats& stats_;
  std::function<void()> tail_moved_;
  mutable Mutex mutex_;
  Mutex pass_mutex_;  // outside mutex_
  std::condition_variable_any push_ended_;
  LogItem* front_ DAXLAB_GUARDED_BY(mutex_) = nullptr;
  LogItem* back_ DAXLAB_GUARDED_BY(mutex_) = nullptr;
  LogItem* cursor_ DAXLAB_GUARDED_BY(mutex_) = nullptr;  // the pass's next item; steps on when that is unlinked
  LogItem* pushed_ DAXLAB_GUARDED_BY(mutex_) = nullptr;  // whose push() runs, until it is unlinked by it
  size_t size_ DAXLAB_GUARDED_BY(mutex_) = 0;
};

}  // namespace daxlab::xfslike
