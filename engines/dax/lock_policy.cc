#include "engines/dax/lock_policy.h"

#include <fmt/format.h>
#include <linux/futex.h>

#include <array>
#include <climits>

#include "engines/base/account.h"
#include "engines/base/mutex.h"
#include "engines/dax/raw_mman.h"

namespace daxlab::dax {
namespace {

// Waiters of locked entries, hashed by the entry's address. A waiter announces itself, reads the sequence, looks at the entry
// once more and sleeps; an unlocker stores the entry, and bumps and wakes if anyone is announced. Sequentially consistent, so one
// of the two sees the other.
struct alignas(64) WaitQueue {
  std::atomic<uint32_t> waiters{0};
  std::atomic<uint32_t> sequence{0};
};
constexpr size_t kQueues = 256;  // fs/dax.c has 4096 for a machine; ours are one process's
std::array<WaitQueue, kQueues> g_queues;

WaitQueue& queue_of(const EntryWord& entry) {
  const auto mixed = (reinterpret_cast<uintptr_t>(&entry) >> 3) * 0x9e3779b97f4a7c15u;
  return g_queues[mixed >> 56];
}

long futex(std::atomic<uint32_t>& word, int operation, uint32_t value) {
  return raw_syscall(SYS_futex, raw_address(reinterpret_cast<std::byte*>(&word)), operation, static_cast<long>(value));
}

constexpr int kSpins = 64;  // about a microsecond: shorter than a fault, longer than the tail of one

class EntryLockPolicy final : public LockPolicy {
 public:
  void enter() override {}
  void leave() override {}

  void lock(EntryWord& entry) override {
    uint64_t word = entry.load(std::memory_order_relaxed);
    if (!(word & Entry::kLocked) && entry.compare_exchange_strong(word, word | Entry::kLocked)) return;
    wait(entry);
  }
  bool try_lock(EntryWord& entry, uint64_t expected) override {
    return entry.compare_exchange_strong(expected, expected | Entry::kLocked);
  }
  void unlock(EntryWord& entry, uint64_t word) override {
    entry.store(word);
    WaitQueue& queue = queue_of(entry);
    if (queue.waiters.load() == 0) return;
    queue.sequence.fetch_add(1);
    futex(queue.sequence, FUTEX_WAKE_PRIVATE, INT_MAX);
  }
  void set(EntryWord& entry, uint64_t word) override { entry.store(word | Entry::kLocked); }

 private:
  static void wait(EntryWord& entry) {
    const AccountScope account(Phase::kLockWait);
    const ContendedWait contended(&entry);
    WaitQueue& queue = queue_of(entry);
    while (true) {
      for (int i = 0; i < kSpins; ++i) {
        uint64_t word = entry.load(std::memory_order_relaxed);
        if (!(word & Entry::kLocked) && entry.compare_exchange_weak(word, word | Entry::kLocked)) return;
        __builtin_ia32_pause();
      }
      queue.waiters.fetch_add(1);
      const uint32_t seen = queue.sequence.load();
      if (entry.load() & Entry::kLocked) futex(queue.sequence, FUTEX_WAIT_PRIVATE, seen);
      queue.waiters.fetch_sub(1);
    }
  }
};

class ExclusivePolicy final : public LockPolicy {
 public:
  void enter() override DAXLAB_NO_THREAD_SAFETY_ANALYSIS { mutex_.lock(); }
  void leave() override DAXLAB_NO_THREAD_SAFETY_ANALYSIS { mutex_.unlock(); }
  void lock(EntryWord&) override {}
  bool try_lock(EntryWord& entry, uint64_t expected) override { return entry.load(std::memory_order_relaxed) == expected; }
  void unlock(EntryWord& entry, uint64_t word) override { entry.store(word, std::memory_order_relaxed); }
  void set(EntryWord& entry, uint64_t word) override { entry.store(word, std::memory_order_relaxed); }

 private:
  Mutex mutex_;
};

}  // namespace

std::unique_ptr<LockPolicy> LockPolicy::create(Policy policy) {
  if (policy == Policy::kExclusive) return std::make_unique<ExclusivePolicy>();
  return std::make_unique<EntryLockPolicy>();
}

const char* name(Policy policy) { return policy == Policy::kExclusive ? "exclusive" : "entry-lock"; }

Result<Policy> parse_policy(std::string_view text) {
  for (const Policy policy : {Policy::kEntryLock, Policy::kExclusive}) {
    if (text == name(policy)) return policy;
  }
  return Error(Errc::kUsage, fmt::format("unknown policy '{}': entry-lock or exclusive", text));
}

}  // namespace daxlab::dax
