// The Python side: everything after results.jsonl.
#pragma once

#include <string>
#include <vector>

#include "engines/base/result.h"

namespace daxlab::harness {

/// Runs `python3 -m daxlab.cli ARGUMENTS` with what it prints on stdout sent to stderr if `quiet_stdout`; its exit code.
/// kMissingFacility with the packages to install when Python or a package is missing.
Result<int> run_analysis(const std::vector<std::string>& arguments, bool quiet_stdout);

}  // namespace daxlab::harness
