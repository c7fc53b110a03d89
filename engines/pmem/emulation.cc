#include "engines/pmem/emulation.h"

#include <algorithm>
#include <array>
#include <string>

#include "engines/base/clock.h"
#include "engines/pmem/persist.h"
#include "engines/pmem/watch.h"

namespace daxlab::pmem {

namespace {

constexpr const char* kYang =
    "Yang et al., An Empirical Guide to the Behavior and Use of Scalable Persistent Memory, FAST 2020, figure 12 "
    "(data: NVSL/OptaneStudy, 12-flush_instr_lat.csv)";

// optane-100: a straight line through the figure's persist latencies of one thread (flush: 116 ns for 64 B, 192 for 256 B, 328
// for 512 B; streaming: 125 ns for 64 B, 1,551 for 4 KiB) gives 26 ns a flushed line, 90 ns a fence, 90 ns per 256 B streamed.
// It reproduces 116, 194, 298 and 1,530 ns. What DRAM itself takes comes on top, so an emulated operation is slower than the
// figure by that.
constexpr std::array<Profile, 3> kProfiles = {{
    {"dram", "the machine's own DRAM, nothing added", true, 0, 0, 0},
    {"optane-100", kYang, true, 26, 90, 90},
    {"eadr",
     "DRAM without flushes, as on a platform that flushes its caches on power loss (Intel, eADR: New Opportunities for "
     "Persistent "
     "Memory Applications, 2021)",
     false, 0, 0, 0},
}};

// Wake-ups belong to the machine and not to the medium: 3.7 us is the reference machine's (a 2-CPU VM, `daxlab calibrate`),
// both ways.
constexpr double kWakeupNs = 3700;

constexpr std::array<CostVector, 4> kCosts = {{
    {"DRAM",
     "load: Yang et al., FAST 2020, figure 2 (random read, DRAM); the rest measured by `daxlab calibrate` on an AMD EPYC (Zen 5) "
     "VM: "
     "flush_line, stream_line, and persist_line less flush_line",
     102, 7.0, 2.6, 123, kWakeupNs},
    {"Optane-100",
     "load: Yang et al., FAST 2020, figure 2 (random read); flush, stream and fence: a line through figure 12, as the profile",
     305, 26, 22.5, 90, kWakeupNs},
    {"CXL",
     "DRAM, and 80 ns more wherever the medium is waited for: a CXL pool of 8 to 16 sockets adds 70 to 90 ns (Li et al., Pond, "
     "ASPLOS 2023)",
     182, 7.0, 2.6, 203, kWakeupNs},
    {"eADR",
     "DRAM whose flushes are left out and whose fences wait for nothing but streaming stores (fence_idle of `daxlab calibrate`)",
     102, 0, 2.6, 1, kWakeupNs},
}};

const Profile* g_profile = &kProfiles[0];

/// Mean of many spins of `each_ticks`, in ticks; the best of several rounds, as an interrupt only adds.
double mean_spin(double each_ticks) {
  constexpr int kCalls = 300;
  double best = 1e18;
  for (int round = 0; round < 60; ++round) {
    const uint64_t began = ticks();
    for (int i = 0; i < kCalls; ++i) detail::spin(each_ticks);
    best = std::min(best, static_cast<double>(ticks() - began) / kCalls);
  }
  return best;
}

/// What a spin() costs beside the loop that it times. Found by correction: where spins of 100 ns take too long on the mean, the
/// difference is overhead that was not known.
double measure_overhead() {
  const double each_ticks = 100 / ns_per_tick();
  detail::g_spin_overhead_ticks = 0;
  for (int step = 0; step < 6; ++step) {
    const double corrected = detail::g_spin_overhead_ticks + mean_spin(each_ticks) - each_ticks;
    detail::g_spin_overhead_ticks = std::max(0.0, corrected);
  }
  return detail::g_spin_overhead_ticks;
}

}  // namespace

std::span<const Profile> profiles() { return kProfiles; }

Result<const Profile*> find_profile(std::string_view name) {
  std::string known;
  for (const Profile& profile : kProfiles) {
    if (name == profile.name) return &profile;
    known += (known.empty() ? "" : ", ") + std::string(profile.name);
  }
  return Error(Errc::kUsage, "no profile '" + std::string(name) + "': " + known + " are known");
}

void apply_profile(const Profile& profile) {
  init_door();
  const double ticks_per_ns = 1.0 / ns_per_tick();
  static const double overhead_ticks = measure_overhead();
  detail::g_spin_overhead_ticks = overhead_ticks;
  detail::g_delays = {profile.flush_line_ns * ticks_per_ns, profile.fence_ns * ticks_per_ns,
                      profile.stream_ns_per_256b * ticks_per_ns / 256};
  g_door.instruction = profile.flushes ? detail::cpu_flush_instruction() : FlushInstruction::kNone;
  g_profile = &profile;
  detail::update_watched();
}

const Profile& current_profile() { return *g_profile; }

std::span<const DelayError> measure_delays(const Profile& profile) {
  static std::array<DelayError, 4> results;
  const Profile& before = current_profile();
  apply_profile(profile);
  const detail::Delays& delays = detail::g_delays;
  size_t used = 0;
  const auto measure = [&](const char* what, double target_ns, double each_ticks) {
    if (target_ns > 0) results[used++] = {what, target_ns, mean_spin(each_ticks) * ns_per_tick()};
  };
  measure("flush of one line", profile.flush_line_ns, delays.flush_line_ticks);
  measure("fence", profile.fence_ns, delays.fence_ticks);
  measure("256 B streamed", profile.stream_ns_per_256b, delays.stream_byte_ticks * 256);
  measure("4 KiB streamed", 16.0 * profile.stream_ns_per_256b, delays.stream_byte_ticks * 4096);
  apply_profile(before);
  return {results.data(), used};
}

std::span<const CostVector> cost_vectors() { return kCosts; }

}  // namespace daxlab::pmem
