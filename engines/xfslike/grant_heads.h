// The two accounts of log space, "reserve" and "write", from which transactions reserve and in which they sleep (XFS: grant
// heads, fs/xfs/xfs_log.c; accounted in bytes, as since Linux 6.13, not as positions).
//
// Of the log's bytes, `tail space` lies between the AIL's head (the last completed commit record) and the tail; each head counts
// what is reserved besides. A reservation takes count units from the reserve head, after waiting there, and as much from the
// write head. Rolling on when the units are used up takes the next from the write head, after waiting there: what a reservation
// has is physically free at once, what it may become is not.
//
// Threads: any. Waiters are served in the order of arrival; a small one does not overtake a large one.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <list>

#include "engines/base/mutex.h"
#include "engines/base/result.h"
#include "engines/xfslike/grant_ticket.h"
#include "engines/xfslike/log_stats.h"

namespace daxlab::xfslike {

class GrantHeads {
 public:
  /// `more` is asked for space when there is none. Where `may_sleep`, it tells somebody else, and whoever asks is among the waiting
  /// (anyone_waits()) by then. Otherwise true means try again (something was written back); false, and the reservation fails with
  /// kNoSpace.
  GrantHeads(uint64_t log_bytes, LogStats& stats, std::function<bool()> more, bool may_sleep)
      : log_bytes_(static_cast<int64_t>(log_bytes)), stats_(stats), more_(std::move(more)), may_sleep_(may_sleep) {}

  Result<Ticket> reserve(uint32_t unit_bytes, uint32_t count);
  /// A transaction of a chain is over: its rest is given back, the next unit counted (XFS: xfs_log_ticket_regrant()).
  void roll(Ticket& ticket);
  /// The next transaction may begin; sleeps in the write head if its unit was not reserved.
  Result<void> regrant(Ticket& ticket);
  void release(Ticket& ticket);

  void set_tail_space(uint64_t bytes);
  /// Bytes that lie in the log now and are tail space (or free) from here on.
  void give_back(uint64_t bytes);
  /// Moves both heads for what nobody's ticket pays.
  void take_unasked(int64_t bytes);

  uint64_t free_bytes() const;  ///< In the reserve head; 0 when it is overcommitted.
  int64_t reserved_bytes() const { return reserve_.bytes.load(std::memory_order_relaxed); }
  int64_t write_bytes() const { return write_.bytes.load(std::memory_order_relaxed); }
  bool anyone_waits() const;
  void shutdown();

 private:
  struct Waiter {
    int64_t need;
    bool granted = false;
    std::condition_variable_any wake;
  };
  struct Head {
    std::atomic<int64_t> bytes = 0;
    std::atomic<uint32_t> waiting = 0;
    Mutex mutex;
    std::list<Waiter*> waiters DAXLAB_GUARDED_BY(mutex);
  };

  bool try_take(Head& head, int64_t need);
  Result<void> take(Head& head, int64_t need, Tally& sleeps);
  Result<void> sleep(Head& head, int64_t need, Tally& sleeps);
  void wake(Head& head);
  void give(Head& head, int64_t bytes);

  const int64_t log_bytes_;
  LogStats& stats_;
  const std::function<bool()> more_;
  const bool may_sleep_;
  std::atomic<int64_t> tail_space_ = 0;
  std::atomic<bool> shut_down_ = false;
  Head reserve_;
  Head write_;
};

}  // namespace daxlab::xfslike
