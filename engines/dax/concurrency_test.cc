// Faults, writes that move blocks, writeback and truncation of one file side by side, under every MMU and policy.
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <barrier>
#include <cstring>
#include <fstream>
#include <functional>
#include <thread>

#include "engines/base/random.h"
#include "engines/dax/dax_testing.h"
#include "engines/dax/user_buffer.h"

namespace daxlab::dax {
namespace {

/// Runs the bodies at once, each on a thread whose counters are summed.
class Threads {
 public:
  explicit Threads(std::vector<std::function<void()>> bodies) {
    std::barrier start(static_cast<std::ptrdiff_t>(bodies.size()));
    std::vector<std::thread> threads;
    for (auto& body : bodies) {
      threads.emplace_back([&start, &body] {
        const CounterThread counted;
        start.arrive_and_wait();
        body();
      });
    }
    for (auto& thread : threads) thread.join();
  }
};

/// Whether the kernel has thread `tid` asleep in a futex call: waiting for a lock.
bool waits_for_a_lock(pid_t tid) {
  std::ifstream file("/proc/self/task/" + std::to_string(tid) + "/syscall");
  long number = -1;
  return (file >> number) && number == SYS_futex;
}

class ConcurrencyTest : public DaxTest {
 protected:
  static constexpr uint64_t kSharedPages = 16;

  /// One aligned 8-byte load or store through the mapping, atomic for threads that share the page.
  static uint64_t load_word(Mapping& mapping, uint64_t page, uint64_t index) {
    if (mapping.data() != nullptr) {
      return __atomic_load_n(reinterpret_cast<uint64_t*>(mapping.data() + page * kBlockBytes) + index, __ATOMIC_ACQUIRE);
    }
    uint64_t value = 0;
    EXPECT_TRUE(mapping.load(page * kBlockBytes + index * 8, std::as_writable_bytes(std::span(&value, 1))).ok());
    return value;
  }
  static void store_word(Mapping& mapping, uint64_t page, uint64_t index, uint64_t value) {
    if (mapping.data() != nullptr) {
      __atomic_store_n(reinterpret_cast<uint64_t*>(mapping.data() + page * kBlockBytes) + index, value, __ATOMIC_RELEASE);
      return;
    }
    EXPECT_TRUE(mapping.store(page * kBlockBytes + index * 8, std::as_bytes(std::span(&value, 1))).ok());
  }
};
INSTANTIATE_TEST_SUITE_P(Mmu, ConcurrencyTest, every_kind(), kind_name);

// Promise (address_space.h, invariant 3): a reader sees the old block or the new one, never a freed one.
TEST_P(ConcurrencyTest, ReaderNeverSeesAFreedBlock) {
  file_->allocate(0, kSharedPages, std::byte{0x11});
  auto mapping = map(0, kSharedPages);
  std::atomic<bool> done{false};
  std::atomic<uint64_t> wrong{0};
  Threads({[&] {
             for (uint64_t i = 0; i < 3000; ++i) file_->move_page(i % kSharedPages);
             done.store(true);
           },
           [&] {
             Random random(1);
             while (!done.load()) {
               const uint64_t value = load_word(*mapping, random.below(kSharedPages), random.below(512));
               wrong.fetch_add(value != 0x1111111111111111 ? 1 : 0);
             }
           }});
  EXPECT_EQ(wrong.load(), 0u);
}

// A store is never lost when its block moves: it went to the old block before it was copied, or faults and goes to the new one.
TEST_P(ConcurrencyTest, NoStoreIsLostWhenItsBlockMoves) {
  file_->allocate(0, kSharedPages);
  auto mapping = map(0, kSharedPages);
  std::atomic<bool> done{false};
  std::atomic<uint64_t> lost{0};
  const auto writer = [&](uint64_t index) {
    Random random(index);
    std::vector<uint64_t> last(kSharedPages, 0);
    for (uint64_t i = 1; !done.load(); ++i) {
      const uint64_t page = random.below(kSharedPages);
      lost.fetch_add(load_word(*mapping, page, index) != last[page] ? 1 : 0);
      store_word(*mapping, page, index, last[page] = i);
    }
  };
  Threads({[&] {
             for (uint64_t i = 0; i < 2000; ++i) {
               file_->move_page(i % kSharedPages);
               if (i % 16 == 0) {
                 EXPECT_TRUE(file_->space().writeback(0, kSharedPages).ok());
               }
             }
             done.store(true);
           },
           [&] { writer(3); }, [&] { writer(400); }});
  EXPECT_EQ(lost.load(), 0u);
}

// Two threads that fault on the same pages: each page's entry is installed, the counts add up, no store is lost.
TEST_P(ConcurrencyTest, FaultsOnTheSamePagesMeetAndBothSucceed) {
  for (int round = 0; round < 20; ++round) {
    file_->allocate(0, 256);
    auto mapping = map(0, 256);
    const auto body = [&](uint64_t index) {
      return [&, index] {
        for (uint64_t page = 0; page < 256; ++page) {
          if (page % 3 == index) {
            EXPECT_EQ(load_word(*mapping, page, 8), 0u);
          }
          store_word(*mapping, page, index, 1000 + page);
        }
      };
    };
    const uint64_t before = total_counters()[Counter::faults_4k];
    Threads({body(0), body(1)});
    const uint64_t faults = total_counters()[Counter::faults_4k] - before;
    EXPECT_GE(faults, 256u);
    for (uint64_t page = 0; page < 256; ++page) {
      EXPECT_EQ(load_word(*mapping, page, 0), 1000 + page);
      EXPECT_EQ(load_word(*mapping, page, 1), 1000 + page);
    }
    mapping.reset();
    file_->truncate(0);
    file_->set_limit(kPages);
  }
}

// A store after fsync protected its page makes it dirty again: whatever the interleaving, after a last fsync nothing is dirty and
// every store of before an fsync was flushed by it (the toy's blocks are compared with what was stored).
TEST_P(ConcurrencyTest, WritebackBesideStoresLeavesNothingBehind) {
  file_->allocate(0, 64);
  auto mapping = map(0, 64);
  std::atomic<bool> done{false};
  Threads({[&] {
             for (int i = 0; i < 400; ++i) EXPECT_TRUE(file_->space().writeback(0, 64).ok());
             done.store(true);
           },
           [&] {
             Random random(5);
             for (uint64_t i = 1; !done.load(); ++i) store_word(*mapping, random.below(64), 7, i);
           }});
  ASSERT_TRUE(file_->space().writeback(0, 64).ok());
  const CounterDelta delta;
  ASSERT_TRUE(file_->space().writeback(0, 64).ok());
  EXPECT_EQ(delta[Counter::lines_flushed], 0u);
  mapping.reset();
  EXPECT_FALSE(file_->space().mapped());
}

// Mapping and unmapping beside faults of other windows of the same file.
TEST_P(ConcurrencyTest, WindowsComeAndGoBesideFaults) {
  file_->allocate(0, 64, std::byte{0x22});
  auto lasting = map(0, 64);
  std::atomic<bool> done{false};
  std::atomic<uint64_t> wrong{0};
  Threads({[&] {
             for (uint64_t i = 0; i < 300; ++i) {
               auto window = map(i % 32, 32);
               put(*window, i % 32, 0x22);
               EXPECT_EQ(get(*window, (i + 7) % 32), 0x22);
               if (i % 4 == 0) {
                 EXPECT_TRUE(window->sync(0, 32 * kBlockBytes).ok());
               }
             }
             done.store(true);
           },
           [&] {
             Random random(9);
             while (!done.load()) wrong.fetch_add(load_word(*lasting, random.below(64), 9) != 0x2222222222222222 ? 1 : 0);
           },
           [&] {
             for (uint64_t i = 0; !done.load(); ++i) file_->move_page(i % 64);
           }});
  EXPECT_EQ(wrong.load(), 0u);
}

// Waits are attributed: a fault that waits for a write, a write that waits for a fault.
TEST_P(ConcurrencyTest, AFaultWaitsForTheWriteOfItsPage) {
  file_->allocate(0, 4, std::byte{1});
  auto mapping = map(0, 4);
  std::atomic<pid_t> tid{0};
  CounterValues faulter{};
  file_->space().begin_write(2, 1);
  std::thread thread([&] {
    tid.store(static_cast<pid_t>(syscall(SYS_gettid)));
    EXPECT_EQ(get(*mapping, 2), 1);
    faulter = t_counters.snapshot();
  });
  // Held until the fault has been seen to wait, so that the wait is no matter of luck.
  while (tid.load() == 0 || !waits_for_a_lock(tid.load())) std::this_thread::yield();
  file_->space().end_write(2, 1);
  thread.join();
  EXPECT_EQ(faulter[Counter::lock_waits_fault], 1u);
  EXPECT_EQ(faulter[Counter::faults_4k], 1u);
}

// A write whose source is a mapping of the same file that was never touched: the copy faults before the engine holds anything.
TEST_P(ConcurrencyTest, WriteFromAnUnfaultedMappingOfTheSameFileDoesNotDeadlock) {
  if (soft()) return;  // no addresses, so no such source
  file_->allocate(0, 8, std::byte{5});
  auto mapping = map(0, 8);
  const std::span<const std::byte> user(mapping->data() + 6 * kBlockBytes, kBlockBytes);
  const CounterDelta delta;
  const SourceBuffer source(user);
  EXPECT_EQ(delta[Counter::bounced_bytes], kBlockBytes);
  EXPECT_EQ(delta.faults(), 1u);
  file_->space().begin_write(6, 1);
  std::memcpy(file_->frame(6), source.bytes().data(), kBlockBytes);  // under the lock that a fault on `user` would wait for
  file_->space().end_write(6, 1);
  EXPECT_EQ(get(*mapping, 6), 5);

  std::vector<std::byte> plain(kBlockBytes);
  DestinationBuffer to_plain(plain);
  EXPECT_EQ(to_plain.bytes().data(), plain.data());
  DestinationBuffer to_window({mapping->data(), kBlockBytes});
  EXPECT_NE(to_window.bytes().data(), mapping->data());
  to_window.bytes()[3] = std::byte{77};
  to_window.finish(4);
  EXPECT_EQ(get(*mapping, 0, 3), 77);
  EXPECT_EQ(get(*mapping, 0, 4), 5);
}

}  // namespace
}  // namespace daxlab::dax
