// The log of the XFS-like core: delayed logging as XFS has it (Linux 7.3 fs/xfs/xfs_log.c, xfs_log_cil.c, xfs_trans_ail.c,
// xfs_log_recover.c; Documentation/filesystems/xfs/xfs-delayed-logging-design.rst).
//
//   reserve()   a transaction reserves its worst case in two grant heads and sleeps until the tail has moved far enough
//   commit()    its items are formatted into private vectors and join the current checkpoint (cil.h); nothing is written
//   push        a checkpoint is written through the iclogs (checkpoint.h, iclog_ring.h): start record, regions, commit record
//   completion  its items enter the AIL at the checkpoint's start (ail.h)
//   AIL push    items are written back in place, which moves the tail
//   mount()     what is between tail and head is replayed (recovery.h)
//
// Threads: any number, each with its own ticket. With background=inline there is no other thread, and a log used by one thread
// does the same stores in the same order every time.
//
// Promises: (1) force(sequence) returns when every checkpoint up to `sequence` is durable; (2) a crash leaves a prefix of the
// checkpoints in order of sequence, the forced ones among it; (3) no block of the log is overwritten before everything in it was
// written back; (4) a checkpoint never uses more of the log than its transactions have reserved.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <span>

#include "engines/base/result.h"
#include "engines/xfslike/ail.h"
#include "engines/xfslike/grant_ticket.h"
#include "engines/xfslike/log_config.h"
#include "engines/xfslike/log_item.h"
#include "engines/xfslike/log_placement.h"
#include "engines/xfslike/log_stats.h"
#include "engines/xfslike/recovery_sink.h"

namespace daxlab::xfslike {

class Log {
 public:
  /// Writes an empty log: zeroes and an unmount record. Durable when it returns. kInvalid names what does not fit together.
  static Result<void> create(LogPlacement& placement, const LogConfig& config);
  /// Finds head and tail, replays into `sink`, and starts. kCorrupt names the block where the log is damaged beyond what a crash
  /// can do. `placement` outlives the log.
  static Result<std::unique_ptr<Log>> mount(LogPlacement& placement, const LogConfig& config, ReplaySink& sink);
  /// Without unmount() as a crash: checkpoints that were not pushed are dropped, their items told (LogItem::aborted()). Items that
  /// are in a checkpoint or in the AIL outlive the log.
  ~Log();
  Log(const Log&) = delete;
  Log& operator=(const Log&) = delete;

  /// Reserves `count` transactions of `unit_bytes` each: the regions of all items, each rounded up to 4 bytes, with
  /// kOpHeaderBytes (record_format.h) a region. The log adds its own. kNoSpace when the log is too small for it or, inline, when
  /// all that could be written back is; kIo when shut down.
  Result<Ticket> reserve(uint32_t unit_bytes, uint32_t count = 1);
  /// After commit(..., kRoll): the next transaction's unit, which sleeps when `count` of them are used up. On an error the ticket
  /// is released.
  Result<void> regrant(Ticket& ticket);

  enum class After : uint8_t { kRelease, kRoll };
  /// Makes the items part of the current checkpoint; the caller holds their objects' locks until committing(), or longer. Returns
  /// the checkpoint's sequence. Sleeps at the end while the CIL is at twice its limit. An item may occur once.
  uint64_t commit(Ticket& ticket, std::span<LogItem* const> items, After after = After::kRelease);

  /// Makes every checkpoint up to `sequence` durable. kIo when shut down.
  Result<void> force(uint64_t sequence);
  Result<void> force_all();
  uint64_t current_sequence() const;  ///< Of the checkpoint that commits go into now.
  uint64_t durable_sequence() const;  ///< Every checkpoint up to this one is durable.

  Ail& ail();
  /// One pass of the AIL's push towards a quarter of the log free: what the thread does, and background=inline after commits.
  void push_tail();
  /// Everything is durable in its place and the log holds nothing: force, and AIL pushes until it is empty. kBusy when items stay
  /// locked or pinned (inline), kIo when shut down.
  Result<void> quiesce();
  /// quiesce(), then an unmount record: the next mount replays nothing. Only destruction is allowed afterwards.
  Result<void> unmount();

  /// From now on everything fails with kIo; sleepers are woken, checkpoints dropped.
  void shutdown();
  bool is_shut_down() const;

  Lsn tail_lsn() const;  ///< Everything before it is written back.
  Lsn head_lsn() const;  ///< Where the next record will begin.
  uint64_t size_bytes() const;
  uint64_t free_bytes() const;  ///< What a reservation could get now.
  const LogConfig& config() const;
  const LogStats& stats() const;
  /// Cycles, records and checkpoints that mount() went through.
  struct Recovered {
    bool clean = true;  ///< An unmount record was last.
    Lsn tail = kNoLsn;
    Lsn head = kNoLsn;
    uint64_t records = 0;
    uint64_t torn_records = 0;  ///< Cut off at the head.
    uint64_t checkpoints = 0;
    uint64_t items = 0;
    uint64_t intents = 0;
  };
  const Recovered& recovered() const;

 private:
  struct Core;
  explicit Log(std::unique_ptr<Core> core);
  std::unique_ptr<Core> core_;
};

}  // namespace daxlab::xfslike
