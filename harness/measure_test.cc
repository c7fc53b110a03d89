#include "harness/measure.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>

namespace daxlab::harness {
namespace {

constexpr uint64_t kPauseEvery = 7;
constexpr uint64_t kBytesPerStep = 64;

/// Each step counts one fence, each reset a thousand: a reset that was counted is seen.
struct Script {
  uint64_t pause_every = 0;  // 0: never
  uint64_t fail_at = 0;      // step number; 0: never
  bool fail_in_reset = false;
  bool roles = false;
  std::atomic<uint64_t> steps{0};
  std::atomic<uint64_t> resets{0};
};

class ScriptedWorker final : public Worker {
 public:
  ScriptedWorker(Script& script, uint32_t index) : script_(script), index_(index) {}

  Result<Step> step() override {
    EXPECT_FALSE(owes_reset_) << "a step without the reset that was asked for";
    count(Counter::fences);
    const uint64_t number = script_.steps.fetch_add(1) + 1;
    ++mine_;
    if (number == script_.fail_at) return Error(Errc::kNoSpace, "scripted failure");
    owes_reset_ = script_.pause_every != 0 && mine_ % script_.pause_every == 0;
    return owes_reset_ ? Step::kPause : Step::kDone;
  }

  Result<void> reset() override {
    EXPECT_TRUE(owes_reset_) << "a reset that nobody asked for";
    owes_reset_ = false;
    count(Counter::fences, 1000);
    script_.resets.fetch_add(1);
    if (script_.fail_in_reset) return Error(Errc::kIo, "reset failed");
    return {};
  }

  uint64_t bytes_per_op() const override { return kBytesPerStep; }
  std::string role() const override { return !script_.roles ? "" : index_ == 0 ? "faulter" : "writer"; }

 private:
  Script& script_;
  uint32_t index_;
  uint64_t mine_ = 0;
  bool owes_reset_ = false;
};

class ScriptedWorkload final : public Workload {
 public:
  explicit ScriptedWorkload(Script& script) : script_(script) {}
  Result<void> prepare(const WorkloadContext&) override { return {}; }
  Result<std::unique_ptr<Worker>> make_worker(const WorkloadContext&, uint32_t index, uint64_t) override {
    return std::unique_ptr<Worker>(std::make_unique<ScriptedWorker>(script_, index));
  }
  Result<void> verify(const WorkloadContext&) override { return {}; }

 private:
  Script& script_;
};

Result<Measurement> measured(Script& script, uint32_t threads, const MeasurePlan& plan) {
  const EngineSpec spec = parse_engine("null").value();
  const auto engine = spec.type->mount(nullptr, spec.options);
  EXPECT_TRUE(engine.ok());
  const Params params;
  const WorkloadContext context{**engine, spec.type->traits(spec.options), params, threads, 1};
  ScriptedWorkload workload(script);
  return measure(workload, context, plan);
}

MeasurePlan of_ops(uint64_t ops) {
  MeasurePlan plan;
  plan.ops = ops;
  return plan;
}

TEST(Measure, OperationsAreExactlyThoseAskedFor) {
  for (const uint32_t threads : {1u, 2u, 3u}) {
    Script script;
    const auto result = measured(script, threads, of_ops(10'000));
    ASSERT_TRUE(result.ok());
    EXPECT_EQ(result->ops, 10'000u);
    EXPECT_EQ(result->bytes, 10'000u * kBytesPerStep);
    EXPECT_EQ(script.steps.load(), 11'000u);  // a tenth of warm-up before
  }
}

TEST(Measure, CountersCoverTheMeasuredStepsAlone) {
  for (const uint32_t threads : {1u, 2u}) {
    Script script;
    script.pause_every = kPauseEvery;
    const auto result = measured(script, threads, of_ops(5'000));
    ASSERT_TRUE(result.ok());
    EXPECT_GT(script.resets.load(), 500u);
    EXPECT_EQ(result->counters[Counter::fences], 5'000u);
  }
}

TEST(Measure, PausesAreCountedAndSegmentsDoNotOverlap) {
  Script script;
  script.pause_every = kPauseEvery;
  const auto result = measured(script, 1, of_ops(700));
  ASSERT_TRUE(result.ok());
  EXPECT_GE(result->pauses, 99u);
  EXPECT_LE(result->pauses, 101u);
  for (size_t i = 1; i < result->timeline.size(); ++i) EXPECT_GE(result->timeline[i].begin_ns, result->timeline[i - 1].end_ns);
}

TEST(Measure, TimeBoundEndsByItself) {
  Script script;
  script.pause_every = 1000;
  MeasurePlan plan;
  plan.seconds = 0.02;
  const auto result = measured(script, 2, plan);
  ASSERT_TRUE(result.ok());
  EXPECT_GT(result->ops, 0u);
  EXPECT_EQ(result->counters[Counter::fences], result->ops);
}

TEST(Measure, EveryTimedOperationIsInTheHistogram) {
  Script script;
  const auto result = measured(script, 1, of_ops(100'000));
  ASSERT_TRUE(result.ok());
  const uint64_t timed = result->roles.front().latency_ns.count();
  EXPECT_GE(timed, 100'000u / result->latency_every);
  EXPECT_LE(timed, 100'000u / result->latency_every + 1);
}

TEST(Measure, FailureOfAStepStopsAllThreads) {
  Script script;
  script.fail_at = 5'000;
  MeasurePlan plan;
  plan.seconds = 3600;
  const auto result = measured(script, 2, plan);
  ASSERT_FALSE(result.ok());
  EXPECT_EQ(result.code(), Errc::kNoSpace);
  EXPECT_EQ(result.error().message(), "scripted failure");
}

TEST(Measure, FailureOfAResetStopsAllThreads) {
  Script script;
  script.pause_every = kPauseEvery;
  script.fail_in_reset = true;
  MeasurePlan plan;
  plan.seconds = 3600;
  const auto result = measured(script, 2, plan);
  ASSERT_FALSE(result.ok());
  EXPECT_EQ(result.error().message(), "reset failed");
}

TEST(Measure, RolesAreToldApart) {
  Script script;
  script.roles = true;
  const auto result = measured(script, 3, of_ops(9'000));
  ASSERT_TRUE(result.ok());
  ASSERT_EQ(result->roles.size(), 2u);
  EXPECT_EQ(result->roles[0].role, "faulter");
  EXPECT_EQ(result->roles[0].ops, 3'000u);
  EXPECT_EQ(result->roles[1].threads, 2u);
  EXPECT_EQ(result->roles[1].ops, 6'000u);
}

TEST(Measure, AccountedStepsAreWithinTheActiveTime) {
  Script script;
  MeasurePlan plan = of_ops(50'000);
  plan.accounted = true;
  plan.crossing = true;
  const auto result = measured(script, 1, plan);
  ASSERT_TRUE(result.ok());
  EXPECT_GT(result->step_ns, 0u);
  EXPECT_LE(result->step_ns, result->active_ns);
}

}  // namespace
}  // namespace daxlab::harness
