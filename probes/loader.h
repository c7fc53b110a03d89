// eBPF sessions: load the probes once, point them at one process after another, read sums.
//
// Built without clang, bpftool or libbpf, every call works and reports each probe as skipped with that reason. Nothing here can
// fail a run: a probe that cannot load or attach is skipped with the errno's meaning and its remedy.
// Threads: a Session is used by one thread.
#pragma once

#include <sys/types.h>

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "engines/base/result.h"

namespace daxlab::probes {

/// One probe as `daxlab list probes` shows it.
struct ProbeInfo {
  std::string name;                    ///< File name without .bpf.c.
  std::string question;                ///< What it answers, one line.
  std::vector<std::string> attach;     ///< Preferred attach types first, its fallbacks after: "fentry:handle_mm_fault", "tp_btf:page_fault_user".
  bool by_default = true;              ///< In the set `auto`.
};
std::vector<ProbeInfo> catalogue();

/// log2 histogram: slots[i] counts values in [2^i, 2^(i+1)), slot 0 also 0.
struct Log2Histogram {
  uint64_t count = 0;
  uint64_t sum = 0;
  uint64_t max = 0;
  std::array<uint64_t, 40> slots{};
};

/// What one probe saw during one target's measured phase.
struct ProbeReport {
  std::string name;
  std::string attached_by;   ///< The entry of ProbeInfo::attach that was used; empty when skipped.
  std::string fallback;      ///< Why not the first choice; empty when it was.
  std::string skipped;       ///< Why not at all, with the remedy; empty when it ran.
  std::map<std::string, uint64_t> counts;
  std::map<std::string, Log2Histogram> histograms;  ///< Latencies in ns, by class: "pmem_read", "wait_in_fault".
  uint64_t lost = 0;         ///< Events that could not be accounted.
};

/// A range of user addresses that is mapped pmem.
struct AddressRange {
  uint64_t begin;
  uint64_t end;
};

struct SessionOptions {
  std::vector<std::string> probes;  ///< Empty: the default set.
  std::string binary;               ///< The executable that carries the USDT points. Empty: this process's own.
  unsigned refused_choices = 0;     ///< Treats the first N attach choices of each probe as refused, to test fallbacks.
};

/// Phases as in trace.h's phase_mark: only kMeasured is reported.
enum class SessionPhase : uint32_t { kOutside = 0, kWarmUp = 1, kMeasured = 2, kPaused = 3 };

class Session {
 public:
  /// Loads and attaches; takes about 0.1 s, and 1 s to detach at destruction. kUsage for an unknown probe name.
  static Result<std::unique_ptr<Session>> open(const SessionOptions& options);
  virtual ~Session() = default;

  /// Clears all maps and points the probes at `pid` (in this process's pid namespace). Ranges are added to those that
  /// the target announces by USDT map_region.
  virtual Result<void> begin(pid_t pid, const std::vector<AddressRange>& ranges) = 0;
  /// Cuts phases from outside, for a target without phase marks.
  virtual void set_phase(SessionPhase phase) = 0;
  /// Stops accounting and returns a report for every probe asked for, skipped ones included. Every kind that a probe knows
  /// is in its report, zeros too. A probe is skipped as well when neither the target's phase_mark nor set_phase() ever came.
  virtual std::vector<ProbeReport> end() = 0;
};

/// What this machine allows, one line each, for `daxlab doctor`.
struct Facility {
  std::string name;
  bool available;
  std::string detail;   ///< What was found, or why not.
  std::string remedy;   ///< Empty when available.
};
std::vector<Facility> facilities();

/// Measured cost of the attach types in use, ns per event; what `daxlab calibrate` reports.
struct ProbeCost {
  std::string what;
  double ns_per_event;
};
Result<std::vector<ProbeCost>> measure_costs();

}  // namespace daxlab::probes
