// What a log did since it was mounted. Counted with relaxed adds by whoever does it; a snapshot may be torn between counters.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>

namespace daxlab::xfslike {

/// One number: relaxed, copyable as a snapshot.
class Tally {
 public:
  Tally() = default;
  Tally(const Tally& other) : value_(other.get()) {}
  Tally& operator=(const Tally& other) {
    value_.store(other.get(), std::memory_order_relaxed);
    return *this;
  }
  void add(uint64_t by = 1) { value_.fetch_add(by, std::memory_order_relaxed); }
  void raise_to(uint64_t to) {
    uint64_t now = get();
    while (now < to && !value_.compare_exchange_weak(now, to, std::memory_order_relaxed)) {
    }
  }
  uint64_t get() const { return value_.load(std::memory_order_relaxed); }
  operator uint64_t() const { return get(); }  // NOLINT: reads as the number it is

 private:
  std::atomic<uint64_t> value_ = 0;
};

struct LogStats {
  // What was written.
  Tally records;         ///< Log records, each one write.
  Tally payload_bytes;   ///< Regions with their op headers.
  Tally header_bytes;    ///< Record headers and their extensions.
  Tally roundoff_bytes;  ///< Rounding up to lsunit.
  Tally op_headers;      ///< 12 bytes each, within payload_bytes.
  Tally wraps;           ///< Records split at the end of the log.
  Tally splits;          ///< Regions that continue in the next record.
  // Transactions and checkpoints.
  Tally commits;
  Tally items;     ///< Formatted by commits.
  Tally relogged;  ///< Of these, into a checkpoint that held them already.
  Tally pushes;    ///< Checkpoints written.
  Tally checkpoint_items;
  Tally pushes_in_flight_max;
  Tally forces;
  Tally forces_idle;  ///< Of these, with nothing to wait for.
  // Waiting and hand-offs.
  Tally wakeups;                       ///< Work handed to another thread.
  Tally grant_sleeps;                  ///< Reservations that had to wait for the tail.
  Tally regrant_sleeps;                ///< The same in the write head.
  Tally iclog_waits;                   ///< Writers that found no iclog (XFS: xs_log_noiclogs).
  Tally cil_blocks;                    ///< Committers held up at twice the push limit.
  Tally order_waits;                   ///< Checkpoints that waited for an earlier one's start or commit record.
  Tally previous_waits;                ///< Commit records that waited for their checkpoint's earlier iclogs.
  std::array<Tally, 6> iclog_entered;  ///< By IclogState.
  // The AIL.
  Tally ail_inserts;
  Tally ail_moves;
  Tally ail_passes;
  Tally ail_pushes;
  Tally ail_pinned;
  Tally ail_locked;
  Tally ail_forces;

  uint64_t log_bytes() const { return payload_bytes + header_bytes + roundoff_bytes; }
};

}  // namespace daxlab::xfslike
