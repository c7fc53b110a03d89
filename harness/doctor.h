// What this machine can do for daxlab and what it lacks, found by trying.
#pragma once

#include <string>
#include <vector>

namespace daxlab::harness {

/// One thing that daxlab can use.
struct Finding {
  std::string group;  ///< "machine", "pmem", "mapped files", "probes", "report", "exact", "mount".
  std::string name;
  bool available = false;
  std::string detail;  ///< What was found, or why not.
  std::string remedy;  ///< What to do about it; empty when available, or when nothing can be done.
};

/// Everything, in order of groups; about a second. Changes nothing on the machine.
std::vector<Finding> diagnose();

}  // namespace daxlab::harness
