// What happens between segments, while every thread is stopped: marks, counters, how long the next one may be.
//
// begin_segment() and end_segment() run on the last thread to arrive at their barrier; nothing else runs then.
#pragma once

#include <cstdint>
#include <vector>

#include "engines/base/counters.h"
#include "harness/measure.h"
#include "harness/segment.h"

namespace daxlab::harness {

class Coordinator {
 public:
  Coordinator(const MeasurePlan& plan, std::vector<Lane>& lanes);

  const Segment& segment() const { return segment_; }
  Interrupt& interrupt() { return interrupt_; }
  const TickScale& scale() const { return scale_; }
  const CounterValues& counters() const { return counters_; }
  uint64_t pauses() const { return pauses_; }
  std::vector<Span> take_timeline() { return std::move(timeline_); }

  void begin_segment();
  void end_segment();

 private:
  void enter(MarkPhase phase);
  bool any_failed() const;
  bool used_up() const;
  void next(uint64_t now_ns);
  void choose_sampling();

  const MeasurePlan& plan_;
  std::vector<Lane>& lanes_;
  const TickScale scale_;
  const double timer_ns_;  // of one clock read
  Segment segment_;
  Interrupt interrupt_;
  MarkPhase phase_ = MarkPhase::kWarmUp;
  uint64_t ticks_left_ = 0;
  uint64_t begin_ticks_ = 0;
  uint64_t begin_ns_ = 0;
  uint64_t paused_at_ns_ = 0;
  uint64_t pauses_ = 0;
  CounterValues counters_at_begin_;
  CounterValues counters_;
  std::vector<Span> timeline_;
};

}  // namespace daxlab::harness
