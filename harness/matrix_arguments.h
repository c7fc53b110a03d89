// The options by which a command line describes a matrix: shared by run and trace.
#pragma once

#include <string>
#include <vector>

#include "engines/base/result.h"
#include "harness/cli.h"
#include "harness/matrix.h"

namespace daxlab::harness {

std::vector<OptionLine> matrix_options();
/// What the flags ask for. kUsage.
Result<Overrides> overrides_from(const Arguments& arguments);
/// kUsage, naming what there is, unless each is a probe or "auto".
Result<void> check_probes(const std::vector<std::string>& wanted);
/// The matrix of a file or the quick one, under the flags given. kUsage.
Result<Matrix> matrix_from(const Arguments& arguments);

}  // namespace daxlab::harness
