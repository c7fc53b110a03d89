// The child process of one repetition: hidden subcommand `cell`. Everything it is told comes through inherited descriptors.
//
//   3  in   the task, JSON (cell.h), a sealed memory file
//   4  out  the result, JSON, a memory file: `status`, `error`, the numbers, `media`; empty if the child died
//   5       traced twins: a socket; the child says "ready BEGIN END" (the medium's addresses) and waits for a byte before it runs
//   6       a dram medium that the runner populated, when the task has one
// The child dies with its runner (PR_SET_PDEATHSIG).
#pragma once

#include "engines/base/result.h"
#include "harness/cell.h"

namespace daxlab::harness {

inline constexpr int kTaskFd = 3;
inline constexpr int kResultFd = 4;
inline constexpr int kControlFd = 5;
inline constexpr int kMediaFd = 6;

/// Runs one repetition as the task says. Never fails itself: what went wrong is the result's status and error.
Json run_cell(const CellTask& task, int media_fd, int control_fd);

/// main() of the hidden subcommand; returns the exit code.
int child_main();

}  // namespace daxlab::harness
