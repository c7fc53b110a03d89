// What a mounted log is made of, and who tells whom. Inside the log's own files only.
//
// Order of locks: an object's > CIL's context > CIL's > tail_mutex > ring's > grant heads' ; the AIL's is a leaf that the tail's
// holder takes.
#pragma once

#include <atomic>
#include <memory>

#include "engines/xfslike/cil.h"
#include "engines/xfslike/log.h"
#include "engines/xfslike/log_tail.h"
#include "engines/xfslike/log_worker.h"
#include "engines/xfslike/recovery_anchor.h"

namespace daxlab::xfslike {

struct Log::Core {
  Core(LogPlacement& where, const LogConfig& how, const LogGeometry& what);
  ~Core();

  /// Everything that writes; after recovery has said where. `last_record` lies before the head, `tail` not behind it.
  Result<void> start(const RingStart& at, Lsn tail, Lsn last_record, uint64_t first_sequence);
  /// A checkpoint's commit record is durable and so is every earlier one.
  void complete(Checkpoint& checkpoint);
  /// Recomputes the tail after the AIL's lowest LSN or the head moved.
  void update_tail();
  /// Blocks that nobody may overwrite begin here; what a record's header says.
  Lsn tail() const { return tail_lsn.load(std::memory_order_acquire); }

  Result<void> force(uint64_t sequence);
  /// Inline: writes back what can be; true if that moved anything.
  bool make_space();
  /// More of the log is in use than a quarter's free space allows.
  bool tail_is_late() const;
  Lsn tail_target() const;
  /// A record of one operation that belongs to no checkpoint; durable when it returns.
  Result<void> write_lone_record(uint8_t op_flags);
  void shutdown();

  LogPlacement& placement;
  const LogConfig config;
  const LogGeometry geometry;
  LogStats stats;
  Log::Recovered recovered;
  std::atomic<bool> shut_down = false;

  Ail ail{stats};
  GrantHeads grants;
  std::unique_ptr<AnchorWriter> anchors;  // v3
  std::unique_ptr<LogWorker> completions;
  std::unique_ptr<IclogRing> ring;
  std::unique_ptr<LogWorker> pushers;
  std::unique_ptr<Cil> cil;
  std::unique_ptr<TailPusher> tail_pusher;

  Mutex tail_mutex;
  Lsn ail_head DAXLAB_GUARDED_BY(tail_mutex) = kNoLsn;  // the last completed commit record
  std::atomic<Lsn> tail_lsn = kNoLsn;                   // rises only, under tail_mutex
};

}  // namespace daxlab::xfslike
