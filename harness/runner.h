// Runs a matrix: one child process per cell and repetition, in seeded random order, and a record for each.
//
// First every plain cell, interleaved, with nothing attached; then the accounted twins; then the probes are loaded, once, and the
// traced twins run. A child that dies or hangs becomes a `failed` record and the rest goes on. SIGINT ends the run after killing
// the child under way, whose repetition then has no record. Main thread only.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "engines/base/result.h"
#include "harness/matrix.h"
#include "probes/loader.h"

namespace daxlab::harness {

inline constexpr double kTimeoutSecondsDefault = 300;

struct RunOptions {
  std::string out;  ///< Results folder; empty: the default place.
  bool resume = false;
  bool calibrate = true;                            ///< Measure the machine's floors before the first cell.
  double timeout_seconds = kTimeoutSecondsDefault;  ///< Of one repetition.
  std::vector<std::string> command_line;
};

struct RunOutcome {
  std::string folder;
  size_t repetitions = 0;  ///< That the matrix asks for.
  size_t finished = 0;     ///< That have a record.
  size_t failed = 0;
  bool interrupted = false;
};

/// kUsage: results folder or medium cannot be used as asked; kMissingFacility: no child can be started.
Result<RunOutcome> run_matrix(const Matrix& matrix, const RunOptions& options);

/// One probe's report as it stands in a record.
Json probe_json(const probes::ProbeReport& report);

}  // namespace daxlab::harness
