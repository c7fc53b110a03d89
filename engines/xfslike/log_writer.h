// Writes operations through the ring of iclogs (XFS: xlog_write(), as rewritten for Linux 5.19: op headers are made when items
// are formatted, most operations are copied whole, and only the one that crosses into the next iclog is cut).
//
// Threads: one writer is used by one thread; several write through one ring at once.
#pragma once

#include <cstdint>
#include <functional>
#include <span>

#include "engines/xfslike/iclog_ring.h"
#include "engines/xfslike/log_vector.h"

namespace daxlab::xfslike {

class LogWriter {
 public:
  /// Op headers get `checkpoint` as their owner; `ticket` pays.
  LogWriter(IclogRing& ring, LogStats& stats, uint32_t checkpoint, Ticket& ticket)
      : ring_(ring), stats_(stats), checkpoint_(checkpoint), ticket_(ticket) {}

  /// Begins a sequence of operations of `total_bytes`, op headers included. `first` is told which iclog takes the first of them,
  /// while it cannot be written yet.
  Result<void> begin(uint64_t total_bytes, const std::function<void(Iclog&)>& first = {});
  Result<void> add(const LogPiece& piece);
  /// All were added.
  void end();

 private:
  Result<void> next_part(uint64_t size_bytes);
  void copy(const std::byte* from, uint32_t size_bytes);
  Result<void> add_cut(const LogPiece& piece);
  void put_part();
  uint32_t left() const { return part_.size_bytes - (cursor_.at_bytes - cursor_.begin_bytes); }

  IclogRing& ring_;
  LogStats& stats_;
  const uint32_t checkpoint_;
  Ticket& ticket_;
  IclogRing::Part part_;
  IclogCursor cursor_;
  uint32_t ops_ = 0;
  uint64_t remaining_bytes_ = 0;  // of what begin() announced, not yet copied
};

}  // namespace daxlab::xfslike
