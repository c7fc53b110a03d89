// The committed item list: where commits gather until they are worth writing (XFS: fs/xfs/xfs_log_cil.c).
//
// A commit formats its items into the current checkpoint; an item that is in it already is replaced ("relogging"), so that each
// is written at most once per checkpoint. A push takes the checkpoint away and writes it: in the background when it holds
// min(log/8, 32 MiB), at once when a force asks. Commits go on into the next one meanwhile, and are held up while the current one
// has twice that.
//
// Start records and commit records are written in order of sequence; what is between may mix.
//
// Threads: any. Order of locks: an object's, context_, mutex_, the ring's. At most 4 pushes at once: by the number of workers, or
// by a gate where callers push.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <memory>
#include <span>

#include "engines/base/mutex.h"
#include "engines/xfslike/checkpoint.h"
#include "engines/xfslike/iclog_ring.h"
#include "engines/xfslike/log_config.h"
#include "engines/xfslike/log_worker.h"

namespace daxlab::xfslike {

class Cil {
 public:
  static constexpr uint32_t kPushesMax = 4;
  static constexpr uint64_t kPushBytesMax = 32 * kMiB;

  /// `pushers` is null where callers push. The first checkpoint has the number `first_sequence`.
  Cil(const LogConfig& config, IclogRing& ring, GrantHeads& grants, LogStats& stats, LogWorker* pushers, uint64_t first_sequence);
  ~Cil();
  Cil(const Cil&) = delete;
  Cil& operator=(const Cil&) = delete;

  uint64_t commit(Ticket& ticket, std::span<LogItem* const> items, bool roll);

  /// Pushes every checkpoint up to `sequence` and waits until its commit record is in an iclog: the LSN of the last that is not
  /// yet completed, kNoLsn when all are.
  Result<Lsn> push_through(uint64_t sequence);

  uint64_t current_sequence() const;
  uint64_t durable_sequence() const { return durable_sequence_.load(std::memory_order_acquire); }
  bool current_is_empty() const;
  /// The first of the checkpoints that are being written begins here or later; kNoLsn when none has begun.
  Lsn lowest_start() const;
  uint64_t push_bytes() const { return push_bytes_; }

  /// Its items are in the AIL: forgets it.
  void retire(Checkpoint& checkpoint);
  /// It will not be durable: tells its items, and forgets it.
  void abort(Checkpoint& checkpoint);
  void shutdown();

 private:
  std::unique_ptr<Checkpoint> make_checkpoint(uint64_t sequence) const;
  void insert(Checkpoint& checkpoint, Ticket& ticket, std::span<LogItem* const> items);
  int64_t format(Checkpoint& checkpoint, LogItem& item) DAXLAB_EXCLUDES(mutex_);
  void steal(Checkpoint& checkpoint, Ticket& ticket, int64_t bytes) DAXLAB_REQUIRES(mutex_);
  void push_if_full(uint64_t sequence);
  void request_push(uint64_t sequence) DAXLAB_EXCLUDES(mutex_);
  void push(uint64_t sequence);
  Checkpoint* take_current(uint64_t sequence);
  void write(Checkpoint& checkpoint);
  Result<void> write_in_order(Checkpoint& checkpoint, Ticket& ticket);
  void forget(Checkpoint& checkpoint);
  void wait_for_earlier(const Checkpoint& checkpoint, Lsn Checkpoint::*mark) DAXLAB_REQUIRES(mutex_);

  const LogConfig& config_;
  IclogRing& ring_;
  GrantHeads& grants_;
  LogStats& stats_;
  LogWorker* const pushers_;
  const uint64_t push_bytes_;

  SharedMutex context_;  // shared: commits into current_; exclusive: taking it away
  mutable Mutex mutex_;
  std::condition_variable_any written_;    // a start or commit record of a checkpoint; a checkpoint taken away or forgotten
  std::condition_variable_any throttled_;  // the current checkpoint was taken away
  std::condition_variable_any gate_;
  std::unique_ptr<Checkpoint> current_;                           // changes under context_ exclusive and mutex_
  std::deque<Checkpoint*> committing_ DAXLAB_GUARDED_BY(mutex_);  // in order of sequence
  uint64_t pushed_sequence_ DAXLAB_GUARDED_BY(mutex_) = 0;        // asked for, up to this
  uint32_t in_flight_ DAXLAB_GUARDED_BY(mutex_) = 0;
  bool shut_down_ DAXLAB_GUARDED_BY(mutex_) = false;
  std::atomic<uint64_t> durable_sequence_;
};

}  // namespace daxlab::xfslike
