// Recordings of targets whose spans and stacks are known.
#include "probes/recording.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/syscall.h>
#include <time.h>

#include <algorithm>

#include "engines/base/clock.h"
#include "probes/forked_target.h"
#include "probes/session_for_tests.h"

namespace daxlab::probes {
namespace {

using ::testing::HasSubstr;

#define SKIP_RECORDING_IF_REFUSED(recording)                                                   \
  if (!(recording).ok()) {                                                                     \
    ASSERT_TRUE(is_refusal((recording).error().message())) << (recording).error().message();   \
    GTEST_SKIP() << (recording).error().message();                                             \
  }                                                                                            \
  static_cast<void>(0)

size_t count_spans(const Recorded& recorded, const std::string& name) {
  return static_cast<size_t>(std::count_if(recorded.spans.begin(), recorded.spans.end(), [&](const auto& span) { return span.name == name; }));
}

// The two functions that the stacks must name. Each is a frame of its own (noinline), and no library's code runs above it, nor that of a
// sanitizer's runtime: those keep no frame pointers, and a stack that begins in one loses its callers.
#define DAXLAB_OWN_FRAME __attribute__((noinline, no_sanitize("thread", "address", "undefined")))

DAXLAB_OWN_FRAME uint64_t burn_the_cpu(uint64_t for_ticks) {
  uint64_t turns = 0;
  for (const uint64_t until = __rdtsc() + for_ticks; __rdtsc() < until; ++turns) {
  }
  return turns;
}

constexpr uint64_t kNapNs = 5'000'000;

/// A bare system call: usleep() of a sanitizer sleeps in its runtime. Returns the kernel's answer.
DAXLAB_OWN_FRAME long sleep_a_while() {
  const timespec nap{.tv_sec = 0, .tv_nsec = kNapNs};
  long result = SYS_nanosleep;
  asm volatile("syscall" : "+a"(result) : "D"(&nap), "S"(nullptr) : "rcx", "r11", "memory");
  return result;
}

TEST(Recording, EverySpanOfTheMeasuredPhaseIsAnEvent) {
  auto recording = Recording::open("");
  SKIP_RECORDING_IF_REFUSED(recording);
  ForkedTarget target([](uint64_t*) {
    const auto writes = [](int times) {
      for (int i = 0; i < times; ++i) {
        DAXLAB_TRACE2(write_begin, i, 1);
        DAXLAB_TRACE2(write_end, i, 1);
      }
    };
    say_phase(1);
    writes(11);
    say_phase(2);
    writes(20011);
    say_phase(0);
    writes(13);
  });
  ASSERT_TRUE((*recording)->begin(target.pid(), {}).ok());
  ASSERT_TRUE(target.run());
  const Recorded recorded = (*recording)->end();
  EXPECT_EQ(count_spans(recorded, "write"), 20011u);
  EXPECT_EQ(recorded.lost, 0u) << "20 011 events fit into the ring even if nobody reads it";
  EXPECT_TRUE(std::is_sorted(recorded.spans.begin(), recorded.spans.end(), [](const auto& a, const auto& b) { return a.begun_ns < b.begun_ns; }));
}

TEST(Recording, StacksNameTheFunctionsOnAndOffTheCpu) {
  auto recording = Recording::open("");
  SKIP_RECORDING_IF_REFUSED(recording);
  const auto burn_ticks = static_cast<uint64_t>(200e6 / ns_per_tick());
  for (int round = 0; round < 2; ++round) {
    ForkedTarget target([burn_ticks](uint64_t* words) {
      say_phase(2);
      words[0] = burn_the_cpu(burn_ticks);
      for (int i = 0; i < 17; ++i) words[1] += static_cast<uint64_t>(sleep_a_while());
      say_phase(0);
    });
    ASSERT_TRUE((*recording)->begin(target.pid(), {}).ok());
    ASSERT_TRUE(target.run());
    const Recorded recorded = (*recording)->end();
    const auto weight_of = [](const std::vector<FoldedStack>& stacks, const char* function) {
      uint64_t weight = 0;
      for (const auto& stack : stacks) weight += stack.frames.find(function) != std::string::npos ? stack.weight : 0;
      return weight;
    };
    EXPECT_GT(weight_of(recorded.on_cpu, "burn_the_cpu"), 0u);
    // Nearly all 17: of two stacks whose hashes collide bpf_get_stackid() keeps one, and the other has no frames.
    EXPECT_GE(weight_of(recorded.off_cpu, "sleep_a_while"), 12 * kNapNs);
    EXPECT_LT(weight_of(recorded.on_cpu, "sleep_a_while"), weight_of(recorded.on_cpu, "burn_the_cpu"));
    EXPECT_THAT(recorded.on_cpu.at(0).frames, HasSubstr("burn_the_cpu"));
    if (HasFailure()) {
      for (const auto& stack : recorded.off_cpu) std::printf("%s %lu\n", stack.frames.c_str(), stack.weight);
    }
    EXPECT_GE(count_spans(recorded, "blocked"), 17u);
    EXPECT_EQ(count_spans(recorded, "write"), 0u) << "nothing of the target before";
  }
}

}  // namespace
}  // namespace daxlab::probes
