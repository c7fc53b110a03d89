// How far a worker came, and what its file must hold then: the proof of appending and overwriting workloads.
// A worker hands its progress over when it ends; a seed and a count are enough, because everything else is replayed from them.
#pragma once

#include <cstdint>

#include "workloads/axes.h"
#include "workloads/file_set.h"

namespace daxlab {

/// `appends` blocks since the beginning, the last `in_file` of which are still in the file. Append k (from 1) wrote version k.
struct AppendProgress {
  uint64_t appends = 0;
  uint64_t in_file = 0;
};

/// Checks the size and every `stride`-th block of a file that was appended to; an error is wrong data.
Result<void> check_appended(File& file, const Content& content, uint64_t number, const AppendProgress& progress, uint64_t stride);

/// `writes` blocks were overwritten, in the order that this seed gives. Write k (from 1) wrote version k over version 0.
struct OverwriteProgress {
  uint64_t seed = 0;
  uint64_t writes = 0;
};

/// The version of each of `blocks` blocks.
std::vector<uint64_t> versions_after(const OverwriteProgress& progress, bool random, uint64_t blocks);

}  // namespace daxlab
