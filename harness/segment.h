// One thread's part of a segment: the loop that is measured, and what it reads and writes.
//
// Segment and Interrupt are shared: Segment is written only while all threads are stopped. A Lane is its thread's own while a
// segment runs.
#pragma once

#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <cmath>
#include <cstdint>

#include "engines/base/account.h"
#include "engines/base/check.h"
#include "engines/base/clock.h"
#include "engines/base/histogram.h"
#include "engines/base/result.h"
#include "workloads/workload.h"

namespace daxlab::harness {

inline constexpr uint64_t kUnbounded = UINT64_MAX;

/// Ticks to ns by one multiplication: ns = ticks * 2^32 * ns_per_tick / 2^32.
class TickScale {
 public:
  TickScale() : factor_(static_cast<uint64_t>(std::llround(ns_per_tick() * 4294967296.0))) {}
  uint64_t ns(uint64_t tick_count) const { return static_cast<uint64_t>((static_cast<Wide>(tick_count) * factor_) >> 32); }

 private:
  __extension__ using Wide = unsigned __int128;
  uint64_t factor_;
};

/// Set by one thread, read by all at every step: its own cache line, written only when a segment must end early.
struct alignas(64) Interrupt {
  std::atomic<uint32_t> raised{0};
};

/// What every thread of a segment reads; written only while all threads are stopped.
struct Segment {
  uint64_t deadline_ticks = kUnbounded;
  uint32_t latency_every = 1;
  bool over = false;  // no further segment
};

/// One thread's part. The hot members come first.
struct alignas(64) Lane {
  Worker* worker = nullptr;
  uint64_t ops_left = kUnbounded;
  uint64_t segment_ops = 0;
  uint64_t segment_ticks = 0;
  uint64_t step_ticks = 0;
  Histogram latency_ns;
  bool needs_reset = false;
  Error error{Errc::kIo};
  bool failed = false;
  PhaseTicks phases_at_begin;
  PhaseTicks phases;
  uint64_t ops = 0;
  uint64_t ticks_active = 0;
};

inline void cross_kernel() { static_cast<void>(::syscall(SYS_getppid)); }

/// One segment of one thread: steps until the deadline, the last operation, a pause, a failure or an interruption.
template <bool kCrossing, bool kAccounted>
class SegmentLoop {
 public:
  SegmentLoop(Lane& lane, const Segment& segment, Interrupt& interrupt, const TickScale& scale)
      : lane_(lane), segment_(segment), interrupt_(interrupt), scale_(scale) {}

  void run() {
    const uint64_t begin = ticks();
    uint64_t end = begin;
    uint64_t left = lane_.ops_left;
    if (left != 0) end = segment_.latency_every == 1 ? every(begin, left) : sampled(begin, left);
    lane_.segment_ops = lane_.ops_left - left;
    lane_.segment_ticks = end - begin;
    if (lane_.ops_left != kUnbounded) lane_.ops_left = left;
  }

 private:
  /// False when the segment ends with this operation.
  bool step() {
    if constexpr (kCrossing) cross_kernel();
    const uint64_t begin = kAccounted ? ticks() : 0;
    Result<Step> result = lane_.worker->step();
    if constexpr (kAccounted) lane_.step_ticks += ticks() - begin;
    if (DAXLAB_LIKELY(result.ok() && *result == Step::kDone)) return interrupt_.raised.load(std::memory_order_relaxed) == 0;
    if (result.ok()) {
      lane_.needs_reset = true;
    } else {
      lane_.failed = true;
      lane_.error = result.error();
    }
    interrupt_.raised.store(1, std::memory_order_relaxed);
    return false;
  }

  /// One clock read an operation.
  uint64_t every(uint64_t begin, uint64_t& left) {
    uint64_t last = begin;
    for (;;) {
      const bool go_on = step();
      const uint64_t now = ticks();
      lane_.latency_ns.record(scale_.ns(now - last));
      last = now;
      --left;
      if (DAXLAB_UNLIKELY(!go_on || now >= segment_.deadline_ticks || left == 0)) return now;
    }
  }

  /// Batches of `latency_every` operations, the first of each timed.
  uint64_t sampled(uint64_t begin, uint64_t& left) {
    uint64_t batch_begin = begin;
    for (;;) {
      bool go_on = step();
      lane_.latency_ns.record(scale_.ns(ticks() - batch_begin));
      --left;
      for (uint32_t i = 1; i < segment_.latency_every && go_on && left != 0; ++i) {
        go_on = step();
        --left;
      }
      batch_begin = ticks();
      if (DAXLAB_UNLIKELY(!go_on || batch_begin >= segment_.deadline_ticks || left == 0)) return batch_begin;
    }
  }

  Lane& lane_;
  const Segment& segment_;
  Interrupt& interrupt_;
  const TickScale& scale_;
};

}  // namespace daxlab::harness
