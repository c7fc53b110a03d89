#include "engines/base/account.h"

namespace daxlab {

constinit std::atomic<bool> g_accounted = false;
constinit thread_local PhaseTicks t_phase_ticks;

namespace {
constinit thread_local AccountScope* t_innermost = nullptr;
}  // namespace

const char* name(Phase phase) {
  static constexpr std::array<const char*, kPhaseCount> kNames = {"copy", "flush", "fence",     "log_format", "log_write", "crc",
                                                                  "map",  "fault", "lock_wait", "index",      "harness"};
  return kNames[static_cast<size_t>(phase)];
}

void AccountScope::begin(Phase phase) {
  const uint64_t now = ticks();
  phase_ = phase;
  outer_ = t_innermost;
  active_ = true;
  t_innermost = this;
  if (outer_ != nullptr) {
    t_phase_ticks.ticks[static_cast<size_t>(outer_->phase_)] += now - outer_->began_ticks_;
  }
  began_ticks_ = now;
}

void AccountScope::end() {
  const uint64_t now = ticks();
  t_phase_ticks.ticks[static_cast<size_t>(phase_)] += now - began_ticks_;
  t_innermost = outer_;
  if (outer_ != nullptr) outer_->began_ticks_ = now;
}

}  // namespace daxlab
