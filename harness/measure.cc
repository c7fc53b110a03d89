#include "harness/measure.h"

#include <pthread.h>
#include <sched.h>

#include <algorithm>
#include <barrier>
#include <memory>
#include <thread>

#include "engines/base/clock.h"
#include "harness/coordinator.h"
#include "harness/segment.h"

namespace daxlab::harness {

const char* name(MarkPhase phase) {
  switch (phase) {
    case MarkPhase::kOutside:
      return "outside";
    case MarkPhase::kWarmUp:
      return "warm-up";
    case MarkPhase::kMeasured:
      return "measured";
    case MarkPhase::kPaused:
      return "paused";
  }
  return "outside";
}

namespace {

void run_segment(Lane& lane, const Segment& segment, Interrupt& interrupt, const TickScale& scale, const MeasurePlan& plan) {
  if (plan.crossing) {
    if (plan.accounted) return SegmentLoop<true, true>(lane, segment, interrupt, scale).run();
    return SegmentLoop<true, false>(lane, segment, interrupt, scale).run();
  }
  if (plan.accounted) return SegmentLoop<false, true>(lane, segment, interrupt, scale).run();
  return SegmentLoop<false, false>(lane, segment, interrupt, scale).run();
}

void pin_to(uint32_t index) {
  cpu_set_t allowed;
  CPU_ZERO(&allowed);
  if (sched_getaffinity(0, sizeof(allowed), &allowed) != 0) return;
  const int count = CPU_COUNT(&allowed);
  if (count == 0) return;
  int wanted = static_cast<int>(index) % count;
  for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
    if (!CPU_ISSET(cpu, &allowed) || wanted-- != 0) continue;
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(cpu, &one);
    static_cast<void>(pthread_setaffinity_np(pthread_self(), sizeof(one), &one));  // unpinned it runs all the same
    return;
  }
}

class Crew {
 public:
  Crew(const MeasurePlan& plan, std::vector<Lane>& lanes)
      : plan_(plan),
        lanes_(lanes),
        coordinator_(plan, lanes),
        begin_(static_cast<std::ptrdiff_t>(lanes.size()), BeginSegment{&coordinator_}),
        end_(static_cast<std::ptrdiff_t>(lanes.size()), EndSegment{&coordinator_}) {}

  void run() {
    std::vector<std::jthread> threads;
    for (uint32_t i = 0; i < lanes_.size(); ++i) threads.emplace_back([this, i] { work(i); });
  }

  Coordinator& coordinator() { return coordinator_; }

 private:
  struct BeginSegment {
    Coordinator* coordinator;
    void operator()() noexcept { coordinator->begin_segment(); }
  };
  struct EndSegment {
    Coordinator* coordinator;
    void operator()() noexcept { coordinator->end_segment(); }
  };

  void work(uint32_t index) {
    const CounterThread counted;
    pin_to(index);
    Lane& lane = lanes_[index];
    for (;;) {
      begin_.arrive_and_wait();
      if (coordinator_.segment().over) return;
      lane.phases_at_begin = t_phase_ticks;
      run_segment(lane, coordinator_.segment(), coordinator_.interrupt(), coordinator_.scale(), plan_);
      for (size_t i = 0; i < kPhaseCount; ++i) lane.phases.ticks[i] += t_phase_ticks.ticks[i] - lane.phases_at_begin.ticks[i];
      end_.arrive_and_wait();
      if (lane.needs_reset && !coordinator_.segment().over) reset(lane);
    }
  }

  static void reset(Lane& lane) {
    lane.needs_reset = false;
    const Result<void> result = lane.worker->reset();
    if (result.ok()) return;
    lane.failed = true;
    lane.error = result.error();
  }

  const MeasurePlan& plan_;
  std::vector<Lane>& lanes_;
  Coordinator coordinator_;
  std::barrier<BeginSegment> begin_;
  std::barrier<EndSegment> end_;
};

Measurement summarise(std::vector<Lane>& lanes, Coordinator& coordinator) {
  Measurement sum;
  for (Lane& lane : lanes) {
    const std::string role = lane.worker->role();
    auto part = std::find_if(sum.roles.begin(), sum.roles.end(), [&](const RolePart& p) { return p.role == role; });
    if (part == sum.roles.end()) {
      sum.roles.emplace_back();
      part = sum.roles.end() - 1;
      part->role = role;
    }
    const uint64_t bytes = lane.ops * lane.worker->bytes_per_op();
    const uint64_t active_ns = ticks_to_ns(lane.ticks_active);
    part->threads += 1;
    part->ops += lane.ops;
    part->bytes += bytes;
    part->active_ns += active_ns;
    part->latency_ns.merge(lane.latency_ns);
    sum.ops += lane.ops;
    sum.bytes += bytes;
    sum.active_ns += active_ns;
    sum.step_ns += ticks_to_ns(lane.step_ticks);
    for (size_t i = 0; i < kPhaseCount; ++i) sum.phases.ticks[i] += lane.phases.ticks[i];
  }
  sum.seconds = static_cast<double>(sum.active_ns) * 1e-9 / static_cast<double>(lanes.size());
  sum.counters = coordinator.counters();
  sum.pauses = coordinator.pauses();
  sum.latency_every = coordinator.segment().latency_every;
  sum.timeline = coordinator.take_timeline();
  return sum;
}

}  // namespace

Result<Measurement> measure(Workload& workload, const WorkloadContext& context, const MeasurePlan& plan) {
  std::vector<std::unique_ptr<Worker>> workers;
  std::vector<Lane> lanes(context.threads);
  for (uint32_t i = 0; i < context.threads; ++i) {
    DAXLAB_ASSIGN(std::unique_ptr<Worker> worker, workload.make_worker(context, i, Random::mix(context.seed, i + 1)));
    lanes[i].worker = worker.get();
    workers.push_back(std::move(worker));
  }
  g_accounted = plan.accounted;
  Crew crew(plan, lanes);
  crew.run();
  g_accounted = false;
  for (const Lane& lane : lanes) {
    if (lane.failed) return lane.error;
  }
  Measurement measured = summarise(lanes, crew.coordinator());
  if (measured.ops == 0) return Error(Errc::kIo, "no operation was done in the measured time");
  return measured;
}

}  // namespace daxlab::harness
