// A recording of one process for people: every span as an event, and folded stacks on and off the CPU.
//
// Beside a Session, not in place of one: it has its own target and its own phase, and it costs more. Bounded: kEventsMax
// spans and some thousands of distinct stacks are kept, the rest is counted as lost. Needs typed tracepoints; USDT spans are
// left out where the program has no such points. A build without eBPF reports kMissingFacility from open().
// Threads: used by one thread; a thread of its own drains the events and follows the target's mappings.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "engines/base/result.h"
#include "probes/loader.h"

namespace daxlab::probes {

struct RecordedSpan {
  const char* name;       ///< "page fault (pmem)", "blocked", "write", ...
  uint64_t begun_ns;      ///< CLOCK_MONOTONIC.
  uint64_t duration_ns;
  uint32_t tid;           ///< As the initial pid namespace numbers it.
};

/// One line of the format that flame graph tools read: "main;work;write 17".
struct FoldedStack {
  std::string frames;     ///< Root first, divided by ';'. Kernel frames end in "_[k]".
  uint64_t weight;        ///< On the CPU: samples at 999 Hz. Off it: ns.
};

struct Recorded {
  std::vector<RecordedSpan> spans;       ///< Ascending by begun_ns.
  std::vector<FoldedStack> on_cpu;       ///< Heaviest first.
  std::vector<FoldedStack> off_cpu;
  uint64_t lost = 0;
};

class Recording {
 public:
  static constexpr size_t kEventsMax = 1'000'000;

  /// Loads and attaches. `binary` as in SessionOptions. kMissingFacility says why not, with a remedy.
  static Result<std::unique_ptr<Recording>> open(const std::string& binary);
  virtual ~Recording() = default;

  /// Points the recording at `pid`, whose measured phase begins by its own phase mark or by set_phase().
  virtual Result<void> begin(pid_t pid, const std::vector<AddressRange>& ranges) = 0;
  virtual void set_phase(SessionPhase phase) = 0;
  /// Stops and hands over what was recorded; the target may have ended.
  virtual Recorded end() = 0;
};

}  // namespace daxlab::probes
