// The table that `daxlab run` leaves on stdout: plain cells, time per operation, spread over processes.
#pragma once

#include <string>

#include "engines/base/result.h"
#include "harness/matrix.h"

namespace daxlab::harness {

/// Reads the records of `folder` and prints one line a cell, in the order of the matrix.
Result<void> print_summary(const std::string& folder, const Matrix& matrix);

}  // namespace daxlab::harness
