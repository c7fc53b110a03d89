#include "engines/xfslike/log_tail.h"

#include <chrono>

#include "engines/base/counters.h"

namespace daxlab::xfslike {

namespace {

constexpr auto kLater = std::chrono::milliseconds(10);  // as xfsaild's shorter pause

}  // namespace

void TailPusher::stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  if (thread_.joinable()) thread_.join();
}

void TailPusher::kick() {
  {
    const std::lock_guard lock(mutex_);
    if (kicked_) return;
    kicked_ = true;
    if (idle_) {
      stats_.wakeups.add();
      count(Counter::wakeups);
    }
  }
  wake_.notify_one();
}

Ail::Pass TailPusher::pass(Ail& ail, LogStats& stats, const Hooks& hooks) {
  const bool all = hooks.anyone_waits();
  const Lsn target = all ? UINT64_MAX : hooks.target();
  const Ail::Pass pass = ail.push(target);
  // What waits for space may wait for what is committed and in no log yet, with nothing in the AIL at all.
  if (pass.pinned > 0 || (all && pass.done == 0)) {
    stats.ail_forces.add();
    hooks.force();
  }
  return pass;
}

void TailPusher::run() {
  const CounterThread counters;
  std::unique_lock lock(mutex_);
  for (;;) {
    idle_ = true;
    wake_.wait(lock, [this] { return stopping_ || kicked_; });
    idle_ = false;
    while (!stopping_) {
      kicked_ = false;
      lock.unlock();
      const Ail::Pass done = pass(ail_, stats_, hooks_);
      const bool more = hooks_.anyone_waits() || hooks_.target() != kNoLsn;
      lock.lock();
      if (kicked_ || (more && done.done > 0)) continue;
      if (!more) break;
      wake_.wait_for(lock, kLater, [this] { return stopping_ || kicked_; });
    }
    if (stopping_) return;
  }
}

}  // namespace daxlab::xfslike
