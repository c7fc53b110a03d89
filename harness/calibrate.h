// This machine's floors, measured: what the numbers of a run are held against.
//
// Two extents: quick (1-2 s) goes into environment.json of every run; full is `daxlab calibrate`. What cannot be measured here is
// named with the reason and stops nothing. Single-threaded caller; not beside a running cell.
#pragma once

#include <string>
#include <vector>

#include "harness/json.h"

namespace daxlab::harness {

enum class CalibrationExtent : uint8_t { kQuick, kFull };

/// One measured cost.
struct CalibrationRow {
  std::string group;  ///< "clock", "kernel", "medium", "delay", "mapped", "probe": keys of environment.json.
  std::string name;   ///< "stream_4k_fence": key of environment.json.
  std::string what;   ///< One line for people.
  double p50_ns = 0;
  double p99_ns = 0;     ///< 0: not known.
  double target_ns = 0;  ///< What an injected delay should be; 0: no delay.
};

/// What could not be measured.
struct CalibrationGap {
  std::string what;
  std::string reason;
};

struct Calibration {
  CalibrationExtent extent = CalibrationExtent::kQuick;
  uint64_t region_bytes = 0;  ///< Random placement over this much, at least four times the last-level cache where memory allows.
  uint64_t cache_bytes = 0;   ///< The last-level cache.
  double seconds = 0;         ///< What it took.
  std::vector<CalibrationRow> rows;
  std::vector<CalibrationGap> gaps;
};

Calibration calibrate(CalibrationExtent extent);
Json calibration_json(const Calibration& calibration);
/// A table for people.
std::string calibration_table(const Calibration& calibration);

}  // namespace daxlab::harness
