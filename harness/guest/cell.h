// One cell inside the guest: hidden command `guest-cells`, started once for each cell by the guest's job script.
//
// A single thread prepares, warms up, steps exactly as often as the task says, syncs, verifies and unmounts. Marks enclose each
// step(), reset() and the sync, so that the counting plugin books those and nothing of this loop. No clock is read and no thread
// is made: what is counted depends on the task alone.
//
// The task is a CellTask (harness/cell.h) with two members more:
//   `dax`   the workload's files must be mapped without a page cache (STATX_ATTR_DAX), or the cell fails
//   `tick`  wait for the next tick of the kernel's coarse clock before each step: file timestamps change once a tick, and an
//           fsync without a changed timestamp finds nothing to commit
#pragma once

#include <string>

#include "engines/base/result.h"
#include "harness/json.h"

namespace daxlab::harness {

/// Whether files in `folder` are DAX; kMissingFacility where they are not. XFS mounts and turns DAX off without an error where the device
/// lacks it; only a file itself says so.
Result<void> check_dax(const std::string& folder);
/// Runs the cell of a task. Never fails itself: what went wrong is the result's status and error.
Json run_guest_cell(const Json& task);

}  // namespace daxlab::harness
