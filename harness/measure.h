// The measured loop: threads that do nothing but step a workload, stopped and started together.
//
// Life: workers wait at a barrier; the last to arrive takes the counters and sets the phase mark; all run until the time or the
// operations are used up, or until one needs reset() or fails; all meet again, and the last to arrive marks and counts. So
// counters, marks and time cover the same operations exactly, and what happens in a pause is neither timed nor counted.
//
// An operation costs one virtual call and one clock read. Where a clock read would exceed 5 % of the operation, one
// operation in N is timed and throughput comes from the whole segment.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "engines/base/account.h"
#include "engines/base/counters.h"
#include "engines/base/histogram.h"
#include "engines/base/result.h"
#include "workloads/workload.h"

namespace daxlab::harness {

struct MeasurePlan {
  double seconds = 0;      ///< Measured time; 0 when bounded by operations.
  uint64_t ops = 0;        ///< Operations of all threads; 0 when bounded by time.
  bool crossing = false;   ///< One trivial system call an operation.
  bool accounted = false;  ///< Time step() apart from the loop, for explain_ns.
};

/// The numbers in phase_mark() and in a timeline.
enum class MarkPhase : uint32_t { kOutside = 0, kWarmUp = 1, kMeasured = 2, kPaused = 3 };
const char* name(MarkPhase phase);

/// A stretch of one phase, CLOCK_MONOTONIC.
struct Span {
  MarkPhase phase;
  uint64_t begin_ns;
  uint64_t end_ns;
};

/// The part of one role; workloads without roles have one of the empty name.
struct RolePart {
  std::string role;
  uint32_t threads = 0;
  uint64_t ops = 0;
  uint64_t bytes = 0;
  uint64_t active_ns = 0;  ///< Summed over its threads.
  Histogram latency_ns;
};

struct Measurement {
  uint64_t ops = 0;
  uint64_t bytes = 0;
  uint64_t active_ns = 0;  ///< Time in the measured section, summed over threads.
  double seconds = 0;      ///< active_ns / threads.
  uint64_t step_ns = 0;    ///< Accounted: the part of active_ns inside step().
  PhaseTicks phases;       ///< Accounted: summed over worker threads.
  CounterValues counters;  ///< Measured section, all threads of the process.
  uint64_t pauses = 0;
  uint32_t latency_every = 1;   ///< One operation in this many was timed.
  std::vector<RolePart> roles;  ///< The first role first.
  std::vector<Span> timeline;
};

/// Runs warm-up and measured section on pinned threads of its own. Workers are made, in order of index, before and destroyed
/// after. An error of a step is the measurement's.
Result<Measurement> measure(Workload& workload, const WorkloadContext& context, const MeasurePlan& plan);

}  // namespace daxlab::harness
