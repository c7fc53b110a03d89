// What the plugin recorded of a kernel file system (plugin/trace.h), as the crash laboratory reads a trace.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <vector>

#include "engines/base/result.h"
#include "engines/pmem/recorder.h"

namespace daxlab::harness {

/// What orders earlier stores and flushes. A locked instruction does on x86 (Intel's manual, volume 2, CLWB: "ordered only by store-fencing
/// operations [...] SFENCE, MFENCE, XCHG, or LOCK-prefixed instructions"), though no kernel writes one for that.
enum class Ordering { kFences, kLocked };

/// The events in the bytes of a recording. One processor: all of them are one thread's, for its fences order what every kernel thread
/// stored. kCorrupt where the bytes are no recording or are cut off.
Result<pmem::Trace> trace_of(std::span<const std::byte> recording, Ordering ordering = Ordering::kFences);

/// Every byte of a file.
Result<std::vector<std::byte>> read_bytes(const std::string& path);

}  // namespace daxlab::harness
