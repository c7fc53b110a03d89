// Latency and bandwidth profiles for emulated media: what DRAM is made to cost, and where each constant comes from.
//
// Delays are added to flushes, fences and streaming stores; a load cannot be delayed, so load costs enter verdicts only as
// counts times a cost vector (CostVector). Injected by spinning on the time-stamp counter. A delay runs beside the machine's
// own write-back, which it began after and does not wait for: what is emulated is at least the profile's latency, and DRAM's
// where that is longer.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "engines/base/result.h"

namespace daxlab::pmem {

struct Profile {
  const char* name;
  const char* source;           ///< Publication and figure or file that the numbers are from.
  bool flushes;                 ///< False: caches persist (eADR), flush() does nothing.
  uint32_t flush_line_ns;       ///< Added to each flushed line.
  uint32_t fence_ns;            ///< Added to each fence that has something to wait for.
  uint32_t stream_ns_per_256b;  ///< Added per 256 B streamed: write bandwidth.
};

std::span<const Profile> profiles();                         ///< dram, optane-100, eadr.
Result<const Profile*> find_profile(std::string_view name);  ///< kUsage lists the names.

/// Puts the door under a profile ("dram": no delays). While no engine is mounted.
void apply_profile(const Profile& profile);
const Profile& current_profile();

/// Injected delays against their target, measured now; what `daxlab calibrate` reports.
struct DelayError {
  const char* what;
  double target_ns;
  double measured_ns;
};
std::span<const DelayError> measure_delays(const Profile& profile);

/// What one unit of each counted event costs on a medium: verdicts are counts times this.
struct CostVector {
  const char* medium;
  const char* source;     ///< Of every number; "measured" ones say by what.
  double load_line_ns;    ///< A 64-byte line loaded that is in no cache.
  double flush_line_ns;   ///< A line written back, amortised over a batch.
  double stream_line_ns;  ///< A line streamed, amortised.
  double fence_ns;        ///< A fence with something to wait for.
  double wakeup_ns;       ///< A hand-off to another thread and back.
};
std::span<const CostVector> cost_vectors();  ///< DRAM, Optane-100, CXL, eADR.

}  // namespace daxlab::pmem
