// Phase timers of *accounted* runs: where an operation's time goes, each phase timed by itself.
//
// Off (plain runs): one predicted branch a scope. On: two clock reads a scope. A scope inside another pauses the outer
// one, so that phases add up and the rest of the measured time is the residual. Per thread, no allocation.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

#include "engines/base/check.h"
#include "engines/base/clock.h"

namespace daxlab {

enum class Phase : uint8_t {
  kCopy,
  kFlush,
  kFence,
  kLogFormat,
  kLogWrite,
  kCrc,
  kMap,
  kFault,
  kLockWait,
  kIndex,
  kHarness,
  kCount
};
inline constexpr size_t kPhaseCount = static_cast<size_t>(Phase::kCount);
/// "copy", "flush", ...: the keys of `explain_ns`.
const char* name(Phase phase);

struct PhaseTicks {
  std::array<uint64_t, kPhaseCount> ticks{};
};

/// Not changed while measured threads run. Atomic because an engine's background threads run all along and ask too.
extern constinit std::atomic<bool> g_accounted;
extern constinit thread_local PhaseTicks t_phase_ticks;

class AccountScope {
 public:
  explicit AccountScope(Phase phase) {
    if (DAXLAB_UNLIKELY(g_accounted.load(std::memory_order_relaxed))) begin(phase);
  }
  ~AccountScope() {
    if (DAXLAB_UNLIKELY(active_)) end();
  }
  AccountScope(const AccountScope&) = delete;
  AccountScope& operator=(const AccountScope&) = delete;

 private:
  void begin(Phase phase);
  void end();
  AccountScope* outer_;   // set by begin()
  uint64_t began_ticks_;  // set by begin()
  Phase phase_;           // set by begin()
  bool active_ = false;
};

}  // namespace daxlab
