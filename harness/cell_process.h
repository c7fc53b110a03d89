// One repetition in a child process of its own: start it, hand it task and medium, wait, and turn whatever happens into a result.
#pragma once

#include <sys/types.h>

#include <functional>
#include <vector>

#include "engines/base/result.h"
#include "harness/cell.h"
#include "harness/json.h"
#include "probes/loader.h"

namespace daxlab::harness {

struct CellProcessOptions {
  int media_fd = -1;
  double timeout_seconds = 0;
  /// Traced twins: called with the child's pid and medium when all is prepared and before its first phase mark.
  std::function<Result<void>(pid_t, const std::vector<probes::AddressRange>&)> arm;
  std::function<bool()> tick = [] { return true; };  ///< About once a second; false ends the child.
};

struct CellProcessResult {
  Json result;               ///< As child.h; `failed` with how it ended when the child gave none.
  bool armed = false;        ///< arm() was called and succeeded: the caller has something to end.
  bool interrupted = false;  ///< tick() said so: there is no result.
};

/// kMissingFacility when no process can be started at all.
Result<CellProcessResult> run_cell_process(const CellTask& task, const CellProcessOptions& options);

}  // namespace daxlab::harness
