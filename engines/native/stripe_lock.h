// Locks on parts of a file: 63 stripes of 64 pages each, hashed, and one for the end of the file, in one word.
//
// A writer takes all it needs in one compare-and-swap, so nobody holds a part while waiting for another; append alone takes the end first
// and then its pages, and nobody who holds pages waits for the end. Writers of disjoint ranges copy their data side by side.
// Usable in a fault handler: no allocation.
#pragma once

#include <atomic>
#include <cstdint>

#include "engines/base/mutex.h"

namespace daxlab::native {

class StripeLock {
 public:
  using Mask = uint64_t;
  static constexpr Mask kEnd = Mask{1} << 63;  ///< Changing the size.
  static constexpr Mask kAll = ~Mask{0};
  static constexpr uint64_t kStripes = 63;
  static constexpr uint64_t kStripePages = 64;

  static Mask pages(uint64_t first_page, uint64_t page_count) {
    if (page_count == 0) return 0;
    const uint64_t begin = first_page / kStripePages;
    const uint64_t end = (first_page + page_count - 1) / kStripePages;
    if (end - begin >= kStripes) return kAll & ~kEnd;
    Mask mask = 0;
    for (uint64_t stripe = begin; stripe <= end; ++stripe) mask |= Mask{1} << (stripe % kStripes);
    return mask;
  }

  void lock(Mask mask) {
    Mask seen = bits_.load(std::memory_order_relaxed);
    if ((seen & mask) == 0 && bits_.compare_exchange_strong(seen, seen | mask, std::memory_order_acquire)) return;
    lock_contended(mask);
  }
  void unlock(Mask mask) {
    bits_.fetch_and(~mask, std::memory_order_seq_cst);
    if (waiters_.load(std::memory_order_seq_cst) != 0) bits_.notify_all();
  }

 private:
  void lock_contended(Mask mask) {
    Mask seen = bits_.load(std::memory_order_relaxed);
    while ((seen & mask) == 0) {  // lost a race for other stripes only
      if (bits_.compare_exchange_weak(seen, seen | mask, std::memory_order_acquire)) return;
    }
    const ContendedWait wait(this);
    waiters_.fetch_add(1, std::memory_order_seq_cst);
    for (;;) {
      seen = bits_.load(std::memory_order_seq_cst);
      if ((seen & mask) == 0) {
        if (bits_.compare_exchange_weak(seen, seen | mask, std::memory_order_acquire)) break;
      } else {
        bits_.wait(seen, std::memory_order_seq_cst);
      }
    }
    waiters_.fetch_sub(1, std::memory_order_relaxed);
  }

  std::atomic<Mask> bits_{0};
  std::atomic<uint32_t> waiters_{0};
};

/// Holds stripes for its lifetime.
class StripeGuard {
 public:
  StripeGuard(StripeLock& lock, StripeLock::Mask mask) : lock_(lock), mask_(mask) { lock_.lock(mask_); }
  ~StripeGuard() {
    if (mask_ != 0) lock_.unlock(mask_);
  }
  StripeGuard(const StripeGuard&) = delete;
  StripeGuard& operator=(const StripeGuard&) = delete;

  bool has(StripeLock::Mask mask) const { return (mask_ & mask) == mask; }
  /// Adds stripes; only append does, holding the end.
  void add(StripeLock::Mask mask) {
    const StripeLock::Mask missing = mask & ~mask_;
    if (missing != 0) lock_.lock(missing);
    mask_ |= missing;
  }
  void release() {
    if (mask_ != 0) lock_.unlock(mask_);
    mask_ = 0;
  }

 private:
  StripeLock& lock_;
  StripeLock::Mask mask_;
};

}  // namespace daxlab::native
