// What `daxlab exact` does in the guest: jobs, one virtual machine each, of cells in a fixed order. Handed to the launcher
// (lab.py) as JSON, with everything of a record that is known before it runs.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "engines/base/result.h"
#include "harness/cli.h"
#include "harness/guest/file_systems.h"
#include "harness/json.h"
#include "harness/matrix.h"

namespace daxlab::harness {

/// One virtual machine: a kernel file system or an engine with its options, and its cells.
struct GuestJob {
  std::string name;                       ///< "xfs-dax:wsync=on", "native".
  std::optional<FileSystem> file_system;  ///< What is measured.
  std::optional<FileSystem> below;        ///< What holds the file that is an engine's medium.
  std::vector<Cell> cells;
};

struct GuestPlan {
  std::string name;
  uint64_t ops = 0;
  uint64_t seed = 1;
  uint32_t repetitions = 1;  ///< Of each job, with a seed each: seed, seed + 1, ...
  std::vector<GuestJob> jobs;
  std::vector<std::string> unsuited;

  /// `environment`: what environment.json says of this machine and build.
  Json to_json(const Json& environment) const;
};

/// The plan of the matrix file at `path` under the flags --engine, --fs, --workload, --set, --ops, --seed and --repetitions.
/// kUsage.
Result<GuestPlan> plan_from(const std::string& path, const Arguments& arguments);

}  // namespace daxlab::harness
