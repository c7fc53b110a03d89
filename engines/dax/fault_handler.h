// The process-wide handler of SIGSEGV and SIGBUS: faults on windows go to their AddressSpace, everything else to whoever was
// there before.
//
// A fault that cannot be served (beyond the end of the file, no space) is SIGBUS to the program, as from a kernel; a store to a
// read-only mapping is SIGSEGV. Both reach the previous handler, or the default action.
#pragma once

#include "engines/base/result.h"

namespace daxlab::dax {

/// Puts the handler in front. Called for every window: a handler that somebody installed since becomes the one to chain to.
Result<void> install_fault_handler();

}  // namespace daxlab::dax
