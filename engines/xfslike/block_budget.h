// How many blocks transactions may still reserve. A reservation is what decides "no space", before anything is changed.
//
// A few blocks are kept back for operations that give space back but need some on the way (a split of an extent or of a tree's node).
//
// Threads: any.
#pragma once

#include <atomic>
#include <cstdint>

namespace daxlab::xfslike {

class BlockBudget {
 public:
  /// `kept_back`: only privileged reservations get them.
  void start(uint64_t free_blocks, uint64_t kept_back) {
    available_.store(static_cast<int64_t>(free_blocks), std::memory_order_relaxed);
    kept_back_ = static_cast<int64_t>(kept_back);
  }
  bool reserve(uint64_t blocks, bool privileged) {
    const auto wanted = static_cast<int64_t>(blocks);
    const int64_t floor = privileged ? 0 : kept_back_;
    int64_t now = available_.load(std::memory_order_relaxed);
    do {
      if (wanted != 0 && now - wanted < floor) return false;
    } while (!available_.compare_exchange_weak(now, now - wanted, std::memory_order_relaxed));
    return true;
  }
  /// What was reserved and not used, or has become free.
  void give_back(uint64_t blocks) { available_.fetch_add(static_cast<int64_t>(blocks), std::memory_order_relaxed); }

  uint64_t available() const {
    const int64_t now = available_.load(std::memory_order_relaxed) - kept_back_;
    return now < 0 ? 0 : static_cast<uint64_t>(now);
  }

 private:
  std::atomic<int64_t> available_{0};
  int64_t kept_back_ = 0;
};

}  // namespace daxlab::xfslike
