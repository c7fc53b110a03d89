// Threads that take work from the log's callers: pushes (4, so that at most 4 are in flight) and completions (1).
//
// Hand-offs are counted: they, and not the log's destination, are what an fsync on a small machine waits for.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

#include "engines/base/counters.h"
#include "engines/xfslike/log_stats.h"

namespace daxlab::xfslike {

class LogWorker {
 public:
  LogWorker(uint32_t threads, LogStats& stats) : stats_(stats) {
    for (uint32_t i = 0; i < threads; ++i) threads_.emplace_back([this] { run(); });
  }
  /// Does what was handed over, then ends.
  ~LogWorker() {
    {
      const std::lock_guard lock(mutex_);
      stopping_ = true;
    }
    wake_.notify_all();
    for (std::thread& thread : threads_) thread.join();
  }
  LogWorker(const LogWorker&) = delete;
  LogWorker& operator=(const LogWorker&) = delete;

  void hand_over(std::function<void()> work) {
    stats_.wakeups.add();
    count(Counter::wakeups);
    {
      const std::lock_guard lock(mutex_);
      queue_.push_back(std::move(work));
    }
    wake_.notify_one();
  }

 private:
  void run() {
    const CounterThread counters;
    std::unique_lock lock(mutex_);
    for (;;) {
      wake_.wait(lock, [this] { return stopping_ || !queue_.empty(); });
      if (queue_.empty()) return;
      const std::function<void()> work = std::move(queue_.front());
      queue_.pop_front();
      lock.unlock();
      work();
      lock.lock();
    }
  }

  LogStats& stats_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<std::function<void()>> queue_;
  bool stopping_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace daxlab::xfslike
