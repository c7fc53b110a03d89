// Moves the tail: the thread that pushes the AIL (XFS: xfsaild), or nobody with background=inline, where who needs space does it.
//
// Woken when less than a quarter of the log is free, and by reservations that found no space, which want everything written back.
// Items that a force would unpin make it force the log; items that are locked make it try again a little later.
//
// Threads: one of its own; kick() from any.
#pragma once

#include <condition_variable>
#include <functional>
#include <mutex>
#include <thread>

#include "engines/xfslike/ail.h"
#include "engines/xfslike/log_stats.h"

namespace daxlab::xfslike {

class TailPusher {
 public:
  struct Hooks {
    std::function<Lsn()> target;         ///< Up to where the tail shall move; kNoLsn for nowhere.
    std::function<bool()> anyone_waits;  ///< For log space.
    std::function<void()> force;         ///< Makes durable what is committed.
  };
  TailPusher(Ail& ail, LogStats& stats, Hooks hooks) : ail_(ail), stats_(stats), hooks_(std::move(hooks)) {
    thread_ = std::thread([this] { run(); });
  }
  ~TailPusher() { stop(); }
  TailPusher(const TailPusher&) = delete;
  TailPusher& operator=(const TailPusher&) = delete;

  /// Ends the thread. Who still kicks is not answered: completions do, some of them in this very thread.
  void stop();
  /// There is something to do.
  void kick();
  /// One pass towards the target, or over everything if somebody waits for space. Returns what it came to.
  static Ail::Pass pass(Ail& ail, LogStats& stats, const Hooks& hooks);

 private:
  void run();

  Ail& ail_;
  LogStats& stats_;
  const Hooks hooks_;
  std::mutex mutex_;
  std::condition_variable wake_;
  bool kicked_ = false;
  bool idle_ = false;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace daxlab::xfslike
