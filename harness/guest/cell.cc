#include "harness/guest/cell.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <cstring>
#include <memory>

#include "engines/base/counters.h"
#include "engines/base/mark.h"
#include "engines/base/random.h"
#include "engines/base/units.h"
#include "engines/dax/mmu.h"
#include "engines/pmem/region.h"
#include "harness/cell.h"
#include "harness/guest/marks.h"
#include "harness/process.h"

namespace daxlab::harness {
namespace {

constexpr uint64_t kWarmUpDivisor = 10;  // a tenth of the operations, as the harness's measured loop does

Json not_ok(const Error& error, std::string_view where) {
  Json result = Json::object();
  const bool missing = error.code() == Errc::kMissingFacility;
  return result.set("status", missing ? "skipped" : "failed").set("error", fmt::format("{}: {}", where, error.message()));
}

/// Sleeps until the coarse clock, from which file timestamps are taken, has moved on.
void wait_for_tick() {
  timespec before{};
  timespec now{};
  ::clock_gettime(CLOCK_REALTIME_COARSE, &before);
  do {
    const timespec pause{0, 1'000'000};
    static_cast<void>(::clock_nanosleep(CLOCK_MONOTONIC, 0, &pause, nullptr));
    ::clock_gettime(CLOCK_REALTIME_COARSE, &now);
  } while (now.tv_sec == before.tv_sec && now.tv_nsec == before.tv_nsec);
}

/// Begins what is counted at one phase of the guest's clock, right behind a tick, and with nothing left to do in the background: how long
/// the program took to load, which is another time with every change of any engine, does not move the timer's interrupts among the
/// operations. Idle time costs nothing here.
void settle() {
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  const timespec until{now.tv_sec + 2, 0};
  static_cast<void>(::clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, nullptr));
  timespec before{};
  ::clock_gettime(CLOCK_MONOTONIC_COARSE, &before);
  do {
    ::clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
  } while (now.tv_sec == before.tv_sec && now.tv_nsec == before.tv_nsec);
}

/// Shows the plugin where the medium is mapped: one load of its first byte right after the mark.
void show_medium(const pmem::Region& region) {
  const std::byte* first = region.bytes().data();
  asm volatile(
      ".byte 0x0f, 0x1f, 0x80\n\t.long %c1\n\t"
      "movb (%0), %%al"
      :
      : "r"(first), "i"(kMarkMagic | marks::kMedium)
      : "rax", "memory");
}

struct Loop {
  Worker& worker;
  bool tick;
  uint64_t resets = 0;

  Result<void> warm_up(uint64_t ops) {
    for (uint64_t i = 0; i < ops; ++i) {
      if (tick) wait_for_tick();
      DAXLAB_ASSIGN(const Step done, worker.step());
      if (done == Step::kPause) DAXLAB_TRY(worker.reset());
    }
    return {};
  }

  Result<void> measured(uint64_t ops) {
    for (uint64_t i = 0; i < ops; ++i) {
      if (tick) wait_for_tick();
      mark<marks::kStep>();
      const Result<Step> done = worker.step();
      mark<marks::kOutside>();
      if (!done.ok()) return done.error();
      if (*done == Step::kDone) continue;
      ++resets;
      mark<marks::kReset>();
      const Result<void> reset = worker.reset();
      mark<marks::kOutside>();
      if (!reset.ok()) return reset.error();
    }
    return {};
  }
};

Result<void> sync_deferred(Engine& engine) {
  mark<marks::kDeferred>();
  Result<void> synced = engine.sync();
  mark<marks::kOutside>();
  return synced;
}

Result<void> verify(Workload& workload, const WorkloadContext& context) {
  DAXLAB_TRY(workload.verify(context));
  if (!context.traits.checkable) return {};
  DAXLAB_ASSIGN(const CheckReport report, context.engine.check());
  if (report.clean()) return {};
  return Error(Errc::kCorrupt, "check(): " + report.findings.front());
}

Json numbers(uint64_t ops, const Loop& loop, const CounterValues& counters, bool stores_data) {
  Json values = Json::object();
  for (size_t i = 0; i < kCounterCount; ++i) {
    if (counters.values[i] != 0) values.set(name(static_cast<Counter>(i)), counters.values[i]);
  }
  Json result = Json::object();
  result.set("status", "ok").set("error", "").set("ops", ops).set("pauses", loop.resets);
  return result.set("counters", std::move(values)).set("verified", stores_data ? Json(true) : Json("not-applicable"));
}

Json run_mounted(const CellTask& task, bool tick, Engine& engine) {
  const Cell& cell = task.cell;
  const std::string what = cell.workload->name();
  const std::unique_ptr<Workload> workload = cell.workload->create();
  const WorkloadContext context{engine, cell.traits(), cell.params, 1, task.seed};
  if (const auto prepared = workload->prepare(context); !prepared.ok()) return not_ok(prepared.error(), what + ": prepare");
  Json result;
  {
    auto worker = workload->make_worker(context, 0, Random::mix(task.seed, 1));
    if (!worker.ok()) return not_ok(worker.error(), what + ": worker");
    Loop loop{**worker, tick};
    if (const auto warmed = loop.warm_up(task.ops / kWarmUpDivisor); !warmed.ok()) return not_ok(warmed.error(), what);
    settle();
    const CounterValues before = total_counters();
    if (const auto measured = loop.measured(task.ops); !measured.ok()) return not_ok(measured.error(), what);
    CounterValues counters = total_counters();
    counters -= before;
    if (const auto synced = sync_deferred(engine); !synced.ok()) return not_ok(synced.error(), what + ": sync");
    result = numbers(task.ops, loop, counters, context.traits.stores_data);
  }
  const auto verified = verify(*workload, context);
  if (context.traits.stores_data && !verified.ok()) return not_ok(verified.error(), what + ": verify");
  if (const auto unmounted = engine.unmount(); !unmounted.ok()) return not_ok(unmounted.error(), "unmount");
  return result;
}

/// Which page tables serve the engine's mappings of this medium.
std::string mmu_name(const Cell& cell, const pmem::Region& region) {
  if (!cell.traits().mappable) return "none";
  const auto& options = cell.engine.options.all();
  const auto wanted = options.find("mmu");
  const auto mmu = dax::Mmu::create(region, wanted == options.end() ? "auto" : wanted->second);
  return mmu.ok() ? dax::name((*mmu)->kind()) : "none";
}

}  // namespace

Result<void> check_dax(const std::string& folder) {
  const std::string path = folder + "/.dax";
  const Fd fd(::open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  struct statx status {};
  if (!fd || ::statx(fd.get(), "", AT_EMPTY_PATH, STATX_BASIC_STATS, &status) != 0 || ::unlink(path.c_str()) != 0) {
    return Error(Errc::kIo, fmt::format("{}: {}", path, std::strerror(errno)));
  }
  if ((status.stx_attributes_mask & status.stx_attributes & STATX_ATTR_DAX) != 0) return {};
  return Error(Errc::kMissingFacility, fmt::format("{}: files are not DAX (STATX_ATTR_DAX is not set)", folder));
}

Json run_guest_cell(const Json& json) {
  mark<marks::kCell>();
  const Result<CellTask> task = CellTask::from_json(json);
  if (!task.ok()) return not_ok(task.error(), "task");
  const EngineSpec& engine = task->cell.engine;
  if (json["dax"].boolean()) {
    if (const auto dax = check_dax(engine.options.get("path")); !dax.ok()) return not_ok(dax.error(), "medium");
  }
  std::unique_ptr<pmem::Region> region;
  if (task->cell.traits().needs_region) {
    auto opened = pmem::Region::open(task->cell.media);
    if (!opened.ok()) return not_ok(opened.error(), "medium");
    region = *std::move(opened);
    show_medium(*region);
  }
  const CounterThread counted;
  if (const auto formatted = engine.type->format(region.get(), engine.options); !formatted.ok()) {
    return not_ok(formatted.error(), "format");
  }
  auto mounted = engine.type->mount(region.get(), engine.options);
  if (!mounted.ok()) return not_ok(mounted.error(), "mount");
  Json result = run_mounted(*task, json["tick"].boolean(), **mounted);
  if (region) result.set("mmu", mmu_name(task->cell, *region));
  return result;
}

}  // namespace daxlab::harness
