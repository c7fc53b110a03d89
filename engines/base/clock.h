// The time-stamp counter as a clock: one unserialised read, 20 ns on a VM and less on metal.
#pragma once

#include <cstdint>

#if defined(__x86_64__)
#include <x86intrin.h>
#endif

namespace daxlab {

/// Ticks; convert with ticks_to_ns. Needs an invariant TSC, which `daxlab doctor` checks.
inline uint64_t ticks() { return __rdtsc(); }

/// As ticks(), but not before every earlier instruction of this thread is done: the end of a short stretch that is timed by
/// itself.
inline uint64_t ticks_after() {
  _mm_lfence();
  return __rdtsc();
}

/// Nanoseconds per tick, measured once against CLOCK_MONOTONIC at first use. Thread-safe.
double ns_per_tick();
inline uint64_t ticks_to_ns(uint64_t tick_count) {
  return static_cast<uint64_t>(static_cast<double>(tick_count) * ns_per_tick());
}
/// CLOCK_MONOTONIC, ns: the clock that BPF programs see too.
uint64_t monotonic_ns();
/// CLOCK_REALTIME, ns since 1970.
uint64_t realtime_ns();
/// CLOCK_REALTIME_COARSE, ns since 1970: what a kernel stamps inodes with (current_time()); a few ns to read.
uint64_t realtime_coarse_ns();
/// Stops both real-time clocks at `ns`, so that equal runs write equal bytes (crash recordings); 0 lets them go on. While nothing
/// else runs.
void freeze_realtime(uint64_t ns);

}  // namespace daxlab
