#include "harness/calibrate.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "engines/base/clock.h"
#include "engines/base/units.h"
#include "engines/dax/calibrate.h"
#include "engines/pmem/emulation.h"
#include "engines/pmem/floors.h"
#include "harness/segment.h"
#include "probes/loader.h"

namespace daxlab::harness {
namespace {

/// Median and 99th percentile of `body`, `units` of what is asked for in each sample.
template <typename Body>
CalibrationRow sample(const char* group, const char* name, const char* what, int samples, int units, const Body& body) {
  std::vector<uint64_t> values;
  values.reserve(static_cast<size_t>(samples));
  for (int i = 0; i < samples; ++i) {
    const uint64_t began = ticks();
    for (int unit = 0; unit < units; ++unit) body();
    values.push_back(ticks() - began);
  }
  std::sort(values.begin(), values.end());
  const auto at = [&](double fraction) {
    const uint64_t value = values[static_cast<size_t>(fraction * static_cast<double>(values.size() - 1))];
    return static_cast<double>(value) * ns_per_tick() / units;
  };
  return {.group = group, .name = name, .what = what, .p50_ns = at(0.5), .p99_ns = at(0.99)};
}

void add_clock(Calibration& calibration) {
  calibration.rows.push_back(sample("clock", "tsc_read", "one read of the time-stamp counter", 2000, 64, [] {
    const uint64_t now = ticks();
    asm volatile("" ::"r"(now));
  }));
  calibration.rows.push_back(sample("clock", "monotonic_read", "clock_gettime(CLOCK_MONOTONIC)", 2000, 16, [] {
    const uint64_t now = monotonic_ns();
    asm volatile("" ::"r"(now));
  }));
}

void add_kernel(Calibration& calibration) {
  calibration.rows.push_back(sample("kernel", "crossing", "the system call that crossing=syscall adds to every operation", 2000,
                                    16, [] { cross_kernel(); }));
}

void add_medium(Calibration& calibration) {
  calibration.cache_bytes = pmem::last_level_cache_bytes();
  pmem::MediaSpec spec;
  spec.size_bytes = align_up(4 * calibration.cache_bytes, kHugeBytes) + kHugeBytes;
  auto region = pmem::Region::open(spec);
  if (!region.ok()) {
    calibration.gaps.push_back({"floors of the medium", region.error().message()});
    return;
  }
  calibration.region_bytes = (*region)->size_bytes();
  const pmem::Profile& before = pmem::current_profile();
  pmem::apply_profile(*pmem::find_profile("dram").value());
  for (pmem::Floor& floor : pmem::measure_floors(**region)) {
    calibration.rows.push_back({.group = "medium",
                                .name = std::move(floor.name),
                                .what = std::move(floor.what),
                                .p50_ns = floor.p50_ns,
                                .p99_ns = floor.p99_ns});
  }
  pmem::apply_profile(before);
}

void add_delays(Calibration& calibration) {
  for (const pmem::Profile& profile : pmem::profiles()) {
    for (const pmem::DelayError& delay : pmem::measure_delays(profile)) {
      std::string name = fmt::format("{}_{}", profile.name, delay.what);
      std::replace(name.begin(), name.end(), ' ', '_');
      calibration.rows.push_back({.group = "delay",
                                  .name = std::move(name),
                                  .what = fmt::format("profile {}, added to: {}", profile.name, delay.what),
                                  .p50_ns = delay.measured_ns,
                                  .target_ns = delay.target_ns});
    }
  }
}

void add_mapped(Calibration& calibration) {
  auto faults = dax::measure_faults();
  if (!faults.ok()) {
    calibration.gaps.push_back({"mapped files", faults.error().message()});
    return;
  }
  for (pmem::Floor& floor : *faults) {
    calibration.rows.push_back({.group = "mapped",
                                .name = std::move(floor.name),
                                .what = std::move(floor.what),
                                .p50_ns = floor.p50_ns,
                                .p99_ns = floor.p99_ns});
  }
}

void add_probes(Calibration& calibration) {
  const auto costs = probes::measure_costs();
  if (!costs.ok()) {
    calibration.gaps.push_back({"costs of probes", costs.error().message()});
    return;
  }
  for (const probes::ProbeCost& cost : *costs) {
    calibration.rows.push_back({.group = "probe", .name = cost.what, .what = cost.what, .p50_ns = cost.ns_per_event});
  }
}

const char* title(const std::string& group) {
  if (group == "clock") return "clocks";
  if (group == "kernel") return "the way into the kernel";
  if (group == "medium") return "the medium, without delays";
  if (group == "delay") return "injected delays against their targets";
  if (group == "mapped") return "mapped files";
  return "probes, for each event";
}

}  // namespace

Calibration calibrate(CalibrationExtent extent) {
  const uint64_t began_ns = monotonic_ns();
  Calibration calibration;
  calibration.extent = extent;
  add_clock(calibration);
  add_kernel(calibration);
  add_medium(calibration);
  add_delays(calibration);
  add_mapped(calibration);
  if (extent == CalibrationExtent::kFull) add_probes(calibration);
  calibration.seconds = static_cast<double>(monotonic_ns() - began_ns) * 1e-9;
  return calibration;
}

Json calibration_json(const Calibration& calibration) {
  Json json = Json::object();
  json.set("extent", calibration.extent == CalibrationExtent::kQuick ? "quick" : "full").set("seconds", calibration.seconds);
  json.set("region_bytes", calibration.region_bytes).set("cache_bytes", calibration.cache_bytes);
  std::vector<std::pair<std::string, Json>> groups;
  for (const CalibrationRow& row : calibration.rows) {
    Json cost = Json::object();
    cost.set("p50_ns", row.p50_ns);
    if (row.p99_ns > 0) cost.set("p99_ns", row.p99_ns);
    if (row.target_ns > 0) cost.set("target_ns", row.target_ns).set("error", row.p50_ns / row.target_ns - 1);
    if (groups.empty() || groups.back().first != row.group) groups.emplace_back(row.group, Json::object());
    groups.back().second.set(row.name, std::move(cost));
  }
  for (auto& [group, members] : groups) json.set(group, std::move(members));
  Json gaps = Json::array();
  for (const CalibrationGap& gap : calibration.gaps) gaps.push(fmt::format("{}: {}", gap.what, gap.reason));
  return json.set("not_measured", std::move(gaps));
}

std::string calibration_table(const Calibration& calibration) {
  std::string text;
  std::string group;
  for (const CalibrationRow& row : calibration.rows) {
    if (row.group != group) {
      group = row.group;
      text += fmt::format("{}{:<72}{:>12}{:>12}\n", text.empty() ? "" : "\n", title(group),
                          group == "delay" ? "measured ns" : "p50 ns", group == "delay" ? "error" : "p99 ns");
    }
    const std::string second = row.target_ns > 0 ? fmt::format("{:+.1f} %", 100 * (row.p50_ns / row.target_ns - 1))
                               : row.p99_ns > 0  ? fmt::format("{:.1f}", row.p99_ns)
                                                 : std::string("-");
    text += fmt::format("  {:<70}{:>12.1f}{:>12}\n", row.what, row.p50_ns, second);
  }
  for (const CalibrationGap& gap : calibration.gaps) text += fmt::format("\nnot measured: {}: {}\n", gap.what, gap.reason);
  text += fmt::format("\nrandom placement over {} (last-level cache {}), in {:.1f} s\n", format_size(calibration.region_bytes),
                      format_size(calibration.cache_bytes), calibration.seconds);
  return text;
}

}  // namespace daxlab::harness
