// What the numbers of a run were measured on: environment.json.
#pragma once

#include <string>
#include <vector>

#include "harness/json.h"
#include "harness/matrix.h"
#include "harness/media_pool.h"

namespace daxlab::harness {

/// Everything that may explain a number later: machine, kernel, mitigations, governor, THP, flush instruction, build, git,
/// command line. `calibrated`: with this machine's floors, measured now (1-2 s).
Json environment_json(const Matrix& matrix, const std::vector<std::string>& command_line, const MediaPool& media,
                      bool calibrated);

/// The build preset this program was made with: "release", "dev", "asan", ...; "custom" without one.
std::string build_preset();
/// Where the sources are: compiled in, or DAXLAB_SOURCE_DIR of the environment.
std::string source_folder();

}  // namespace daxlab::harness
