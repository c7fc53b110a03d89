// The probes of the kernel's side against targets that cause a known number of events.
#include <gtest/gtest.h>
#include <linux/futex.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#include <atomic>
#include <csignal>
#include <thread>
#include <vector>

#include "engines/base/counters.h"
#include "engines/base/mutex.h"
#include "probes/forked_target.h"
#include "probes/session_for_tests.h"

namespace daxlab::probes {
namespace {

constexpr size_t kPageBytes = 4096;

/// A memfd of `pages` whose pages exist but are not in the page table.
char* map_fresh(size_t pages) {
  const int fd = memfd_create("daxlab-test", MFD_CLOEXEC);
  DAXLAB_CHECK(fd >= 0 && ftruncate(fd, static_cast<off_t>(pages * kPageBytes)) == 0);
  void* mapped = mmap(nullptr, pages * kPageBytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd, 0);
  DAXLAB_CHECK(mapped != MAP_FAILED);
  close(fd);
  DAXLAB_CHECK(madvise(mapped, pages * kPageBytes, MADV_DONTNEED) == 0);
  return static_cast<char*>(mapped);
}

void write_pages(char* pages, size_t count) {
  for (size_t i = 0; i < count; ++i) *static_cast<volatile char*>(pages + i * kPageBytes) = 1;
}

// Announced pages are pmem; pages mapped elsewhere are not, nor are announced ones once they are unmapped.
TEST(PageFault, WriteFaultsAreCountedByAnnouncedRange) {
  auto session = open_session({"page_fault"});
  ForkedTarget target([](uint64_t*) {
    char* pmem = map_fresh(1024);
    char* other = map_fresh(512);
    DAXLAB_TRACE2(map_region, pmem, 1024 * kPageBytes);
    say_phase(2);
    write_pages(pmem, 997);
    write_pages(other, 211);
    say_phase(3);
    write_pages(pmem + 997 * kPageBytes, 27);
    DAXLAB_TRACE1(unmap_region, pmem);
    madvise(pmem, 1024 * kPageBytes, MADV_DONTNEED);
    say_phase(2);
    write_pages(pmem, 101);
    say_phase(0);
  });
  ASSERT_TRUE(session->begin(target.pid(), {}).ok());
  ASSERT_TRUE(target.run());
  const auto report = session->end().at(0);
  SKIP_IF_REFUSED(report);
  EXPECT_EQ(report.counts.at("pmem_write"), 997u);
  EXPECT_EQ(report.histograms.at("pmem_write").count, 997u);
  EXPECT_EQ(report.histograms.at("pmem_read").count, 0u);
  // Beside these, the process faults on memory of its own (copy on write after fork, a sanitizer's shadow).
  EXPECT_GE(report.histograms.at("other_write").count, 211u + 101u);
  EXPECT_EQ(report.lost, 0u);
}

TEST(PageFault, RangesGivenFromOutsideCount) {
  auto session = open_session({"page_fault"});
  char* pages = map_fresh(64);  // inherited at the same address
  ForkedTarget target([pages](uint64_t*) {
    say_phase(2);
    write_pages(pages, 61);
    say_phase(0);
  });
  const auto address = reinterpret_cast<uint64_t>(pages);
  ASSERT_TRUE(session->begin(target.pid(), {{address, address + 64 * kPageBytes}}).ok());
  ASSERT_TRUE(target.run());
  const auto report = session->end().at(0);
  munmap(pages, 64 * kPageBytes);
  SKIP_IF_REFUSED(report);
  EXPECT_EQ(report.counts.at("pmem_write"), 61u);
}

TEST(PageFault, RangesBeyondTheTableAreLostAndSaidSo) {
  auto session = open_session({"page_fault"});
  ForkedTarget target([](uint64_t*) {
    say_phase(2);
    for (uint64_t i = 1; i <= 67; ++i) DAXLAB_TRACE2(map_region, i << 40, kPageBytes);
    say_phase(0);
  });
  ASSERT_TRUE(session->begin(target.pid(), {}).ok());
  ASSERT_TRUE(target.run());
  const auto report = session->end().at(0);
  SKIP_IF_REFUSED(report);
  EXPECT_EQ(report.lost, 3u);
}

TEST(PageFault, WithoutTypedTracepointsFinishedFaultsAreStillCounted) {
  auto session = open_session({"page_fault"}, 2);
  ForkedTarget target([](uint64_t*) {
    char* pmem = map_fresh(256);
    DAXLAB_TRACE2(map_region, pmem, 256 * kPageBytes);
    say_phase(2);
    write_pages(pmem, 251);
    say_phase(0);
  });
  ASSERT_TRUE(session->begin(target.pid(), {}).ok());
  ASSERT_TRUE(target.run());
  const auto report = session->end().at(0);
  SKIP_IF_REFUSED(report);
  EXPECT_EQ(report.attached_by, "perf:page-faults");
  EXPECT_NE(report.fallback, "");
  EXPECT_EQ(report.counts.at("finished_pmem"), 251u);
}

// A write to a read-only page ends in SIGSEGV; the handler makes it writable and the store is tried again.
char* g_page = nullptr;
void make_writable(int) { mprotect(g_page, kPageBytes, PROT_READ | PROT_WRITE); }

TEST(PageFault, AFaultThatBecomesASignalIsTimedToItsDelivery) {
  auto session = open_session({"page_fault"});
  ForkedTarget target([](uint64_t*) {
    g_page = map_fresh(1);
    signal(SIGSEGV, make_writable);
    write_pages(g_page, 1);
    DAXLAB_TRACE2(map_region, g_page, kPageBytes);
    say_phase(2);
    for (int i = 0; i < 103; ++i) {
      mprotect(g_page, kPageBytes, PROT_READ);
      *static_cast<volatile char*>(g_page) = 1;
    }
    say_phase(0);
  });
  ASSERT_TRUE(session->begin(target.pid(), {}).ok());
  ASSERT_TRUE(target.run());
  const auto report = session->end().at(0);
  SKIP_IF_REFUSED(report);
  EXPECT_EQ(report.histograms.at("pmem_signal").count, 103u);
  EXPECT_GE(report.counts.at("protection"), 103u);
}

/// Makes one waiter a round meet a held lock, each round in another scope. A waiter may still come late and not wait, which
/// both sides must then agree on.
void contend(uint64_t rounds) {
  Mutex mutex;
  for (uint64_t round = 0; round < rounds; ++round) {
    std::atomic<bool> arrives{false};
    mutex.lock();
    std::thread waiter([&mutex, &arrives, round] {
      CounterThread counters;
      const ScopedLockScope scope(round % 3 == 0 ? LockScope::kFault : round % 3 == 1 ? LockScope::kWrite : LockScope::kOther);
      arrives = true;
      mutex.lock();
      mutex.unlock();
    });
    while (!arrives) std::this_thread::yield();
    for (int i = 0; i < 200; ++i) std::this_thread::yield();
    mutex.unlock();
    waiter.join();
  }
}

TEST(LockWait, CountsEqualTheCountersOfTheProcess) {
  auto session = open_session({"lock_wait", "futex_wait"});
  ForkedTarget target([](uint64_t* words) {
    say_phase(2);
    const auto before = total_counters();
    contend(47);
    auto waited = total_counters();
    say_phase(0);
    waited -= before;
    words[0] = waited[Counter::lock_waits_fault];
    words[1] = waited[Counter::lock_waits_write];
    words[2] = waited[Counter::lock_waits_other];
    words[3] = waited[Counter::lock_wait_ns];
  });
  ASSERT_TRUE(session->begin(target.pid(), {}).ok());
  ASSERT_TRUE(target.run());
  const auto reports = session->end();
  const auto& report = find_report(reports, "lock_wait");
  SKIP_IF_REFUSED(report);
  EXPECT_GT(target.word(0) + target.word(1) + target.word(2), 0u);
  EXPECT_EQ(report.histograms.at("wait_in_fault").count, target.word(0));
  EXPECT_EQ(report.histograms.at("wait_in_write").count, target.word(1));
  EXPECT_EQ(report.histograms.at("wait_elsewhere").count, target.word(2));
  const auto& futex = find_report(reports, "futex_wait");
  SKIP_IF_REFUSED(futex);
  EXPECT_GT(futex.histograms.at("wait_elsewhere").count, 0u);
}

// The expected value never matches, so every call returns at once: as many waits as calls. The scope is the USDT's.
TEST(FutexWait, CallsAreCountedByTheScopeTheyAreMadeIn) {
  auto session = open_session({"futex_wait"});
  ForkedTarget target([](uint64_t*) {
    uint32_t word = 1;
    const auto wait = [&word](int times) {
      for (int i = 0; i < times; ++i) syscall(SYS_futex, &word, FUTEX_WAIT_PRIVATE, 0, nullptr, nullptr, 0);
    };
    say_phase(2);
    wait(113);
    DAXLAB_TRACE2(write_begin, 0, 1);
    wait(29);
    DAXLAB_TRACE2(fault_begin, 0, 0);
    wait(31);
    DAXLAB_TRACE2(fault_end, 0, -1);
    wait(37);
    DAXLAB_TRACE2(write_end, 0, 1);
    syscall(SYS_futex, &word, FUTEX_WAKE_PRIVATE, 1, nullptr, nullptr, 0);
    say_phase(0);
  });
  ASSERT_TRUE(session->begin(target.pid(), {}).ok());
  ASSERT_TRUE(target.run());
  const auto reports = session->end();
  ASSERT_EQ(reports.size(), 1u) << "the keepers of scopes were not asked for";
  const auto& report = reports[0];
  SKIP_IF_REFUSED(report);
  EXPECT_EQ(report.histograms.at("wait_elsewhere").count, 113u);
  EXPECT_EQ(report.histograms.at("wait_in_fault").count, 31u);
  EXPECT_EQ(report.histograms.at("wait_in_write").count, 29u + 37u);
}

TEST(FutexWait, WithoutTracefsAllSystemCallsAreHookedInstead) {
  auto session = open_session({"futex_wait"}, 1);
  ForkedTarget target([](uint64_t*) {
    uint32_t word = 1;
    say_phase(2);
    for (int i = 0; i < 113; ++i) syscall(SYS_futex, &word, FUTEX_WAIT_BITSET_PRIVATE, 0, nullptr, nullptr, 1);
    say_phase(0);
  });
  ASSERT_TRUE(session->begin(target.pid(), {}).ok());
  ASSERT_TRUE(target.run());
  const auto report = session->end().at(0);
  SKIP_IF_REFUSED(report);
  EXPECT_EQ(report.attached_by, "tp_btf:sys_enter,sys_exit");
  EXPECT_EQ(report.histograms.at("wait_elsewhere").count, 113u);
}

// usleep() is the subject here: one blocked interval each, and never shorter than asked for.
TEST(OffCpu, ABlockedThreadIsOffTheCpuForAsLongAsItIsBlocked) {
  auto session = open_session({"off_cpu"});
  ForkedTarget target([](uint64_t*) {
    say_phase(2);
    DAXLAB_TRACE2(fault_begin, 0, 0);
    for (int i = 0; i < 19; ++i) usleep(2000);
    DAXLAB_TRACE2(fault_end, 0, -1);
    for (int i = 0; i < 7; ++i) usleep(2000);
    say_phase(0);
  });
  ASSERT_TRUE(session->begin(target.pid(), {}).ok());
  ASSERT_TRUE(target.run());
  const auto report = session->end().at(0);
  SKIP_IF_REFUSED(report);
  EXPECT_EQ(report.histograms.at("blocked_in_fault").count, 19u);
  EXPECT_GE(report.histograms.at("blocked_in_fault").sum, 19u * 2'000'000u);
  EXPECT_EQ(report.histograms.at("blocked_elsewhere").count, 7u);
  EXPECT_GE(report.counts.at("switches"), 26u);
}

TEST(MmapLock, EveryMmapAndMunmapTakesItAsWriter) {
  auto session = open_session({"mmap_lock"});
  ForkedTarget target([](uint64_t*) {
    say_phase(2);
    for (int i = 0; i < 151; ++i) munmap(mmap(nullptr, kPageBytes, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), kPageBytes);
    say_phase(0);
  });
  ASSERT_TRUE(session->begin(target.pid(), {}).ok());
  ASSERT_TRUE(target.run());
  const auto report = session->end().at(0);
  SKIP_IF_REFUSED(report);
  EXPECT_GE(report.histograms.at("write").count, 2u * 151u);
  EXPECT_LE(report.histograms.at("write").count, 2u * 151u + 20u);
}

TEST(KernelLock, ThreadsThatMapAtOnceWaitForTheirMmapLock) {
  auto session = open_session({"kernel_lock"});
  ForkedTarget target([](uint64_t* words) {
    say_phase(2);
    std::vector<std::thread> threads;
    for (int t = 0; t < 4; ++t) {
      threads.emplace_back([] {
        for (int i = 0; i < 1500; ++i) {
          void* mapped = mmap(nullptr, 16 * kPageBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
          munmap(mapped, 16 * kPageBytes);
        }
      });
    }
    for (auto& thread : threads) thread.join();
    say_phase(0);
    words[0] = std::thread::hardware_concurrency();
  });
  ASSERT_TRUE(session->begin(target.pid(), {}).ok());
  ASSERT_TRUE(target.run());
  const auto report = session->end().at(0);
  SKIP_IF_REFUSED(report);
  if (target.word(0) < 2) GTEST_SKIP() << "one CPU: nothing contends";
  EXPECT_GT(report.histograms.at("mmap_lock").count, 0u);
}

/// Of the calling thread, so far.
uint64_t context_switches() {
  rusage usage{};
  getrusage(RUSAGE_THREAD, &usage);
  return static_cast<uint64_t>(usage.ru_nvcsw + usage.ru_nivcsw);
}

// One thread runs on while another takes pages away from both: the flushes of single pages must reach the first.
TEST(Tlb, FlushesOfPagesAreCounted) {
  auto session = open_session({"tlb"});
  ForkedTarget target([](uint64_t* words) {
    char* pages = map_fresh(1);
    std::atomic<bool> stop{false};
    std::thread runner([&stop] {
      while (!stop.load(std::memory_order_relaxed)) {
      }
    });
    const uint64_t switches_before = context_switches();
    say_phase(2);
    for (int i = 0; i < 503; ++i) {
      write_pages(pages, 1);
      madvise(pages, kPageBytes, MADV_DONTNEED);
    }
    say_phase(0);
    words[0] = context_switches() - switches_before;
    stop = true;
    runner.join();
  });
  ASSERT_TRUE(session->begin(target.pid(), {}).ok());
  ASSERT_TRUE(target.run());
  const auto report = session->end().at(0);
  SKIP_IF_REFUSED(report);
  // A thread that the scheduler has just switched back to has nothing to flush: of the 503 one may be missing for each switch.
  const uint64_t switches = target.word(0);
  EXPECT_GE(report.counts.at("local_mm_shootdown") + report.counts.at("local_shootdown") + switches, 503u);
  EXPECT_GE(report.counts.at("pages") + switches, 503u);
  EXPECT_LE(report.histograms.at("shootdown_ipi").count, report.counts.at("remote_send_ipi") + 503u + 100u);
}

}  // namespace
}  // namespace daxlab::probes
