// The ring of in-core logs: where a record's bytes are gathered, and the states by which it becomes durable (XFS: struct
// xlog_in_core and its state machine, fs/xfs/xfs_log.c).
//
//   ACTIVE      takes writers; only the head of the ring does
//   WANT_SYNC   full or forced: no more space is given out; writers that have some still copy
//   SYNCING     the last of them has left; its record is being written
//   DONE_SYNC   the record is durable
//   CALLBACK    every earlier record is too, and the checkpoints whose commit record it holds are completed
//   DIRTY       that is done
//   ACTIVE      reusable
//
// Iclogs are used and completed strictly in order, whatever order their writes end in: that is what makes what recovery finds a
// prefix. A record's address is given out under the lock when its iclog takes its first bytes.
//
// Threads: any. One lock (XFS: l_icloglock); records are written and callbacks run without it.
#pragma once

#include <array>
#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "engines/base/mutex.h"
#include "engines/base/result.h"
#include "engines/xfslike/grant_heads.h"
#include "engines/xfslike/log_placement.h"
#include "engines/xfslike/log_stats.h"

namespace daxlab::xfslike {

class Checkpoint;

enum class IclogState : uint8_t { kActive, kWantSync, kSyncing, kDoneSync, kCallback, kDirty };

struct Iclog {
  static constexpr uint32_t kContinuations = 16;  ///< More than writers that can be in the middle of a region: 4 pushes.

  std::unique_ptr<IclogSpace> space;
  Iclog* next = nullptr;
  // Under the ring's lock; lsn and continuations also by writers that hold a reference.
  IclogState state = IclogState::kActive;
  uint32_t references = 0;
  uint32_t offset_bytes = 0;  ///< Payload given out; once switched, payload copied.
  uint32_t ops = 0;
  uint32_t credit_bytes =
      0;  ///< Reserved for its rounding by a checkpoint whose commit record it holds and whose ticket is gone.
  uint32_t previous_block = 0;
  Lsn lsn = kNoLsn;
  uint64_t sequence = 0;
  std::vector<Checkpoint*> completes;  ///< Whose commit record it holds, in order.
  uint32_t continuation_count = 0;
  std::array<OpHeaderDisk, kContinuations> continuations;
};

/// Where the ring begins after mount.
struct RingStart {
  Lsn head = kNoLsn;
  uint32_t previous_block = 0;
  uint64_t next_sequence = 1;
  uint32_t epoch = 0;
};

class IclogRing {
 public:
  /// What the ring asks of the rest of the log.
  struct Hooks {
    std::function<Lsn()> tail;  ///< For a record's header. Takes no lock above the ring's.
    /// Before a record at this LSN may be stored to, up to so many bytes of it; under the lock. May be empty.
    std::function<void(Lsn, uint64_t)> given_out;
    std::function<void(Checkpoint&)> completed;  ///< In order of commit records; without the lock.
    std::function<void()> hand_over;             ///< A record is durable: see to run_callbacks(), here or by a worker.
  };

  static Result<std::unique_ptr<IclogRing>> make(LogPlacement& placement, const LogConfig& config, const LogGeometry& geometry,
                                                 const RingStart& start, GrantHeads& grants, LogStats& stats, Hooks hooks);

  /// A writer's part of an iclog; it holds a reference.
  struct Part {
    Iclog* iclog = nullptr;
    uint32_t offset_bytes = 0;
    uint32_t size_bytes = 0;  ///< What may be written here; all that was asked for, or what the iclog had left.
    bool switched = false;    ///< The iclog takes nobody after this.
  };
  /// Waits for the head to be ACTIVE. The ticket pays for the headers of a record that begins here. kIo when shut down.
  Result<Part> get_space(uint32_t size_bytes, Ticket& ticket) DAXLAB_EXCLUDES(mutex_);
  /// An op header for the rest of a region, which lives as long as the record.
  OpHeaderDisk& continuation(Iclog& iclog) DAXLAB_EXCLUDES(mutex_);
  /// `ops` were written to the part, up to where `cursor` is; gives back the reference. `ticket` pays for rounding, should this
  /// write the record.
  void put_space(const Part& part, IclogCursor& cursor, uint32_t ops, Ticket* ticket) DAXLAB_EXCLUDES(mutex_);

  /// The checkpoint's commit record is in this iclog, of which the caller holds a part: completed with it, and not written before
  /// put_commit(), which the caller owes.
  void hold_for_commit(Iclog& iclog, Checkpoint& checkpoint) DAXLAB_EXCLUDES(mutex_);
  /// Waits until every earlier record is durable and completed if the checkpoint began before this one (`start` is not its LSN),
  /// so that no commit record is durable without what it commits; then gives back the reference. If the record is not written
  /// now, the ticket pays for its rounding in advance, as nobody's will when it is forced.
  void put_commit(Iclog& iclog, Lsn start, Ticket& ticket) DAXLAB_EXCLUDES(mutex_);

  /// Writes the record that holds `lsn`, if it is not on its way, and waits until it is completed.
  Result<void> force(Lsn lsn) DAXLAB_EXCLUDES(mutex_);
  /// Completes, in order, what is durable. By one thread at a time; a second one leaves its work to the first.
  void run_callbacks() DAXLAB_EXCLUDES(mutex_);
  void shutdown() DAXLAB_EXCLUDES(mutex_);

  /// Where the next bytes go: the record being gathered, or the next one.
  Lsn head() const DAXLAB_EXCLUDES(mutex_);
  Lsn completed() const { return completed_.load(std::memory_order_acquire); }
  const LogGeometry& geometry() const { return geometry_; }

 private:
  IclogRing(const LogGeometry& geometry, const RingStart& start, GrantHeads& grants, LogStats& stats, Hooks hooks);
  void enter(Iclog& iclog, IclogState state) DAXLAB_REQUIRES(mutex_);
  void begin_record(Iclog& iclog, Ticket& ticket) DAXLAB_REQUIRES(mutex_);
  void switch_from(Iclog& iclog, uint32_t payload_bytes) DAXLAB_REQUIRES(mutex_);
  /// Gives back one reference and unlocks; the last one of a WANT_SYNC iclog writes its record.
  void drop_and_unlock(Iclog& iclog, Ticket* ticket) DAXLAB_RELEASE(mutex_);
  RecordDraft draft_of(Iclog& iclog, Ticket* ticket) DAXLAB_REQUIRES(mutex_);
  uint32_t padded_bytes(uint32_t payload_bytes) const;

  const LogGeometry geometry_;
  GrantHeads& grants_;
  LogStats& stats_;
  const Hooks hooks_;
  const uint32_t epoch_;
  std::vector<Iclog> iclogs_;

  mutable Mutex mutex_;
  std::condition_variable_any space_;       // the head is ACTIVE again
  std::condition_variable_any completion_;  // completed_ rose
  Iclog* head_ DAXLAB_GUARDED_BY(mutex_) = nullptr;
  Iclog* oldest_ DAXLAB_GUARDED_BY(mutex_) = nullptr;  // first that is not reusable, or the head
  Lsn next_lsn_ DAXLAB_GUARDED_BY(mutex_);
  uint32_t previous_block_ DAXLAB_GUARDED_BY(mutex_);
  uint64_t next_sequence_ DAXLAB_GUARDED_BY(mutex_);
  bool calling_back_ DAXLAB_GUARDED_BY(mutex_) = false;
  bool shut_down_ DAXLAB_GUARDED_BY(mutex_) = false;
  std::atomic<Lsn> completed_ = kNoLsn;  // the last record whose callbacks have run; raised under mutex_
};

}  // namespace daxlab::xfslike
