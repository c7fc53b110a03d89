// tracefs, which classic tracepoints are named by. Nothing else of a session needs it.
#pragma once

#include <string>

namespace daxlab::probes {

/// Is it there to be read, under either of its names? Mounts nothing.
bool tracefs_readable();

/// Mounts it on /sys/kernel/tracing if it is nowhere; needs root. Empty when it is there now, else why not.
std::string ensure_tracefs();

}  // namespace daxlab::probes
