// What the probes cost here: the same loops without them, then with them, in this process. Medians of short samples.
#include <fcntl.h>
#include <fmt/format.h>
#include <linux/futex.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <functional>
#include <thread>

#include "engines/base/clock.h"
#include "engines/base/trace.h"
#include "probes/loader.h"
#include "probes/unique_fd.h"

namespace daxlab::probes {
namespace {

constexpr size_t kPages = 128;  // a sample is about 0.1 ms, shorter than a scheduler tick
constexpr size_t kPageBytes = 4096;
constexpr size_t kSamples = 201;

/// Median over samples of ns per event.
double per_event(size_t samples, size_t events, const std::function<uint64_t()>& sample_ns) {
  std::vector<double> values;
  for (size_t i = 0; i < samples; ++i) values.push_back(static_cast<double>(sample_ns()) / static_cast<double>(events));
  std::nth_element(values.begin(), values.begin() + static_cast<long>(samples / 2), values.end());
  return values[samples / 2];
}

template <typename Step>
double loop(size_t events, Step step) {
  return per_event(kSamples, events, [&] {
    const uint64_t begun_ns = monotonic_ns();
    for (size_t i = 0; i < events; ++i) step();
    return monotonic_ns() - begun_ns;
  });
}

double usdt_pair_ns() {
  return loop(200, [] {
    DAXLAB_TRACE2(fault_begin, 0, 1);
    DAXLAB_TRACE2(fault_end, 0, -1);
  });
}

double futex_ns() {
  uint32_t word = 1;  // not the expected value, so the call returns at once
  return loop(200, [&word] { syscall(SYS_futex, &word, FUTEX_WAIT_PRIVATE, 0, nullptr, nullptr, 0); });
}

double system_call_ns() {
  return loop(200, [] { syscall(SYS_getppid); });
}

/// Write faults on pages of a memfd that are in its page cache but not in the page table.
double page_fault_ns() {
  const UniqueFd file(memfd_create("daxlab-costs", MFD_CLOEXEC));
  if (!file.valid() || ftruncate(file.get(), kPages * kPageBytes) != 0) return 0;
  void* mapped = mmap(nullptr, kPages * kPageBytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, file.get(), 0);
  if (mapped == MAP_FAILED) return 0;
  auto* pages = static_cast<volatile char*>(mapped);
  const double ns = per_event(kSamples, kPages, [&] {
    madvise(mapped, kPages * kPageBytes, MADV_DONTNEED);
    const uint64_t begun_ns = monotonic_ns();
    for (size_t i = 0; i < kPages; ++i) pages[i * kPageBytes] = 1;
    return monotonic_ns() - begun_ns;
  });
  munmap(mapped, kPages * kPageBytes);
  return ns;
}

void pin_to_first_allowed_cpu() {
  cpu_set_t allowed;
  if (sched_getaffinity(0, sizeof allowed, &allowed) != 0) return;
  for (size_t cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
    if (!CPU_ISSET(cpu, &allowed)) continue;
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(cpu, &one);
    sched_setaffinity(0, sizeof one, &one);
    return;
  }
}

/// Two threads on one CPU that hand a byte to and fro: two switches a round.
double context_switch_ns() {
  int there[2], back[2];
  if (pipe2(there, O_CLOEXEC) != 0 || pipe2(back, O_CLOEXEC) != 0) return 0;
  const UniqueFd ends[] = {UniqueFd(there[0]), UniqueFd(there[1]), UniqueFd(back[0]), UniqueFd(back[1])};
  constexpr size_t kRounds = 30;
  double ns = 0;
  std::thread echo([&] {
    pin_to_first_allowed_cpu();
    char byte = 0;
    for (size_t i = 0; i < kRounds * kSamples; ++i) {
      if (read(there[0], &byte, 1) != 1 || write(back[1], &byte, 1) != 1) return;
    }
  });
  std::thread caller([&] {
    pin_to_first_allowed_cpu();
    ns = per_event(kSamples, 2 * kRounds, [&] {
      char byte = 0;
      const uint64_t begun_ns = monotonic_ns();
      for (size_t i = 0; i < kRounds; ++i) {
        if (write(there[1], &byte, 1) != 1 || read(back[0], &byte, 1) != 1) return uint64_t{0};
      }
      return monotonic_ns() - begun_ns;
    });
  });
  caller.join();
  echo.join();
  return ns;
}

struct Measured {
  const char* what;
  const char* probe;  ///< The probe that it is the cost of.
  double (*measure)();
  double without_ns = 0;
};

}  // namespace

Result<std::vector<ProbeCost>> measure_costs() {
  std::array<Measured, 5> all{{{"begin and end of a traced operation", "user_fault", usdt_pair_ns},
                               {"page fault", "page_fault", page_fault_ns},
                               {"context switch", "off_cpu", context_switch_ns},
                               {"futex call", "futex_wait", futex_ns},
                               {"any other system call", "futex_wait", system_call_ns}}};
  for (auto& one : all) one.without_ns = one.measure();

  SessionOptions options;
  options.probes = {"user_fault", "page_fault", "off_cpu", "futex_wait"};
  DAXLAB_ASSIGN(const auto session, Session::open(options));
  DAXLAB_TRY(session->begin(getpid(), {}));
  session->set_phase(SessionPhase::kMeasured);
  std::array<double, all.size()> with_ns{};
  for (size_t i = 0; i < all.size(); ++i) with_ns[i] = all[i].measure();
  const auto reports = session->end();
  const double foreign_pair_ns = usdt_pair_ns();

  std::vector<ProbeCost> costs;
  std::string skipped;
  for (size_t i = 0; i < all.size(); ++i) {
    const auto report = std::find_if(reports.begin(), reports.end(), [&](const auto& one) { return one.name == all[i].probe; });
    if (report == reports.end() || !report->skipped.empty()) {
      if (report != reports.end()) skipped = report->skipped;
      continue;
    }
    costs.push_back({fmt::format("{} ({}: {})", all[i].what, report->name, report->attached_by), with_ns[i] - all[i].without_ns});
    if (i == 0) costs.push_back({"the same in a process that is not the target", foreign_pair_ns - all[i].without_ns});
  }
  if (costs.empty()) return Error(Errc::kMissingFacility, skipped);
  return costs;
}

}  // namespace daxlab::probes
