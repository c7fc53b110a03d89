#include "engines/base/clock.h"

#include <ctime>

#include "engines/base/check.h"

namespace daxlab {

namespace {

constinit uint64_t g_frozen_ns = 0;

uint64_t read_ns(clockid_t clock) {
  timespec now{};
  clock_gettime(clock, &now);
  return static_cast<uint64_t>(now.tv_sec) * 1'000'000'000u + static_cast<uint64_t>(now.tv_nsec);
}

struct Instant {
  uint64_t ticks;
  uint64_t ns;
};

/// A reading of both clocks at nearly the same instant: the tightest of several bracketed readings.
Instant read_both() {
  Instant best{};
  uint64_t best_width = UINT64_MAX;
  for (int i = 0; i < 32; ++i) {
    const uint64_t before = ticks();
    const uint64_t ns = monotonic_ns();
    const uint64_t after = ticks();
    if (after - before < best_width) {
      best_width = after - before;
      best = {before + (after - before) / 2, ns};
    }
  }
  return best;
}

double measure_ns_per_tick() {
  constexpr uint64_t kSpanNs = 5'000'000;
  const Instant begin = read_both();
  while (monotonic_ns() - begin.ns < kSpanNs) {
  }
  const Instant end = read_both();
  return static_cast<double>(end.ns - begin.ns) / static_cast<double>(end.ticks - begin.ticks);
}

}  // namespace

double ns_per_tick() {
  static const double value = measure_ns_per_tick();
  return value;
}

uint64_t monotonic_ns() { return read_ns(CLOCK_MONOTONIC); }

uint64_t realtime_ns() { return DAXLAB_UNLIKELY(g_frozen_ns != 0) ? g_frozen_ns : read_ns(CLOCK_REALTIME); }
uint64_t realtime_coarse_ns() { return DAXLAB_UNLIKELY(g_frozen_ns != 0) ? g_frozen_ns : read_ns(CLOCK_REALTIME_COARSE); }
void freeze_realtime(uint64_t ns) { g_frozen_ns = ns; }

}  // namespace daxlab
