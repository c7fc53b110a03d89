#include "harness/coordinator.h"

#include <algorithm>
#include <cmath>

#include "engines/base/trace.h"

namespace daxlab::harness {
namespace {

constexpr double kWarmUpShare = 0.1;
constexpr double kWarmUpSecondsMin = 0.005;
constexpr double kTimerShareMax = 0.05;  // of an operation; experiment.md, measuring rule 2
constexpr uint32_t kLatencyEveryMax = 1024;

/// What a clock read costs, ns: the least of several batches.
double clock_read_ns() {
  constexpr int kReads = 256;
  uint64_t best = UINT64_MAX;
  for (int round = 0; round < 16; ++round) {
    const uint64_t begin = ticks();
    for (int i = 0; i < kReads - 1; ++i) static_cast<void>(ticks());
    best = std::min(best, ticks() - begin);
  }
  return static_cast<double>(best) * ns_per_tick() / kReads;
}

void account(Lane& lane) {
  lane.ops += lane.segment_ops;
  lane.ticks_active += lane.segment_ticks;
  lane.segment_ops = 0;
  lane.segment_ticks = 0;
}

/// Forgets the warm-up.
void discard(Lane& lane) {
  lane.latency_ns.clear();
  lane.ops = 0;
  lane.ticks_active = 0;
  lane.step_ticks = 0;
  lane.phases = {};
}

}  // namespace

Coordinator::Coordinator(const MeasurePlan& plan, std::vector<Lane>& lanes)
    : plan_(plan), lanes_(lanes), timer_ns_(clock_read_ns()) {
  enter(MarkPhase::kWarmUp);
}

void Coordinator::begin_segment() {
  if (any_failed()) segment_.over = true;  // in reset()
  if (segment_.over) return;
  interrupt_.raised.store(0, std::memory_order_relaxed);
  begin_ns_ = monotonic_ns();
  if (paused_at_ns_ != 0) timeline_.push_back({MarkPhase::kPaused, paused_at_ns_, begin_ns_});
  paused_at_ns_ = 0;
  counters_at_begin_ = total_counters();
  DAXLAB_TRACE1(phase_mark, static_cast<uint32_t>(phase_));
  begin_ticks_ = ticks();
  segment_.deadline_ticks = ticks_left_ == kUnbounded ? kUnbounded : begin_ticks_ + ticks_left_;
}

void Coordinator::end_segment() {
  if (segment_.over) return;
  const uint64_t length = ticks() - begin_ticks_;
  DAXLAB_TRACE1(phase_mark, static_cast<uint32_t>(MarkPhase::kPaused));
  if (phase_ == MarkPhase::kMeasured) {
    CounterValues delta = total_counters();
    delta -= counters_at_begin_;
    counters_ += delta;
  }
  const uint64_t now_ns = monotonic_ns();
  timeline_.push_back({phase_, begin_ns_, now_ns});
  for (Lane& lane : lanes_) account(lane);
  if (ticks_left_ != kUnbounded) ticks_left_ -= std::min(length, ticks_left_);
  next(now_ns);
}

void Coordinator::enter(MarkPhase phase) {
  phase_ = phase;
  const bool warm_up = phase == MarkPhase::kWarmUp;
  if (plan_.ops != 0) {
    ticks_left_ = kUnbounded;
    const uint64_t all = warm_up ? static_cast<uint64_t>(static_cast<double>(plan_.ops) * kWarmUpShare) : plan_.ops;
    // The first lanes take the remainder, so that the sum is exactly what was asked for.
    for (size_t i = 0; i < lanes_.size(); ++i) lanes_[i].ops_left = all / lanes_.size() + (i < all % lanes_.size() ? 1 : 0);
  } else {
    const double seconds = warm_up ? std::max(plan_.seconds * kWarmUpShare, kWarmUpSecondsMin) : plan_.seconds;
    ticks_left_ = static_cast<uint64_t>(seconds * 1e9 / ns_per_tick());
  }
}

bool Coordinator::any_failed() const {
  return std::any_of(lanes_.begin(), lanes_.end(), [](const Lane& lane) { return lane.failed; });
}

bool Coordinator::used_up() const {
  if (plan_.ops == 0) return ticks_left_ == 0;
  return std::all_of(lanes_.begin(), lanes_.end(), [](const Lane& lane) { return lane.ops_left == 0; });
}

void Coordinator::next(uint64_t now_ns) {
  const bool done = used_up();
  if (any_failed() || (done && phase_ == MarkPhase::kMeasured)) {
    segment_.over = true;
    DAXLAB_TRACE1(phase_mark, static_cast<uint32_t>(MarkPhase::kOutside));
    return;
  }
  paused_at_ns_ = now_ns;
  if (done) {
    choose_sampling();
    for (Lane& lane : lanes_) discard(lane);
    enter(MarkPhase::kMeasured);
  } else if (phase_ == MarkPhase::kMeasured) {
    ++pauses_;
  }
}

void Coordinator::choose_sampling() {
  uint64_t ops = 0;
  uint64_t spent = 0;
  for (const Lane& lane : lanes_) {
    ops += lane.ops;
    spent += lane.ticks_active;
  }
  if (ops == 0) return;
  const double op_ns = static_cast<double>(spent) * ns_per_tick() / static_cast<double>(ops);
  if (timer_ns_ <= kTimerShareMax * op_ns) return;
  // Two reads a batch; the operation alone is what was seen less its own read.
  const double alone_ns = std::max(op_ns - timer_ns_, 1.0);
  const double every = std::ceil(2 * timer_ns_ / (kTimerShareMax * alone_ns));
  segment_.latency_every = static_cast<uint32_t>(std::clamp(every, 2.0, static_cast<double>(kLatencyEveryMax)));
}

}  // namespace daxlab::harness
