#include "harness/child.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <memory>

#include "engines/base/account.h"
#include "engines/base/clock.h"
#include "engines/base/counters.h"
#include "engines/dax/mmu.h"
#include "engines/pmem/emulation.h"
#include "engines/pmem/region.h"
#include "harness/measure.h"

namespace daxlab::harness {
namespace {

Json status_only(const char* status, const std::string& error) {
  Json result = Json::object();
  result.set("status", status).set("error", error);
  return result;
}

/// A facility that is missing leaves the cell out; anything else is a failure.
Json not_ok(const Error& error, std::string_view where) {
  const bool missing = error.code() == Errc::kMissingFacility;
  return status_only(missing ? "skipped" : "failed", fmt::format("{}: {}", where, error.message()));
}

Json latency_json(const Histogram& histogram) {
  Json json = Json::object();
  json.set("p50", histogram.quantile(0.5)).set("p90", histogram.quantile(0.9)).set("p99", histogram.quantile(0.99));
  json.set("p999", histogram.quantile(0.999)).set("max", histogram.max()).set("mean", histogram.mean());
  return json.set("histogram", histogram.encode());
}

Json counters_json(const Measurement& measured, uint64_t dram_bytes) {
  Json json = Json::object();
  for (size_t i = 0; i < kCounterCount; ++i) json.set(name(static_cast<Counter>(i)), measured.counters.values[i]);
  const uint64_t flushed_bytes = measured.counters[Counter::lines_flushed] * kCacheLineBytes;
  return json.set("media_bytes", measured.counters[Counter::streamed_bytes] + flushed_bytes).set("dram_bytes", dram_bytes);
}

Json explain_json(const Measurement& measured) {
  Json json = Json::object();
  double sum = 0;
  for (size_t i = 0; i < kPhaseCount; ++i) {
    const Phase phase = static_cast<Phase>(i);
    double ns = static_cast<double>(ticks_to_ns(measured.phases.ticks[i]));
    if (phase == Phase::kHarness) ns += static_cast<double>(measured.active_ns) - static_cast<double>(measured.step_ns);
    json.set(name(phase), ns);
    sum += ns;
  }
  return json.set("residual", static_cast<double>(measured.active_ns) - sum);
}

Json roles_json(const Measurement& measured) {
  Json json = Json::object();
  for (const RolePart& part : measured.roles) {
    Json role = Json::object();
    role.set("threads", part.threads).set("ops", part.ops);
    role.set("ns_per_op", part.ops == 0 ? 0.0 : static_cast<double>(part.active_ns) / static_cast<double>(part.ops));
    json.set(part.role, role.set("latency_ns", latency_json(part.latency_ns)));
  }
  return json;
}

void add_numbers(Json& result, const CellTask& task, const Measurement& measured, uint64_t dram_bytes) {
  result.set("ops", measured.ops).set("seconds", measured.seconds);
  result.set("ops_per_s", static_cast<double>(measured.ops) / measured.seconds);
  result.set("ns_per_op", static_cast<double>(measured.active_ns) / static_cast<double>(measured.ops));
  result.set("bytes_per_s", static_cast<double>(measured.bytes) / measured.seconds);
  result.set("latency_ns", latency_json(measured.roles.front().latency_ns)).set("latency_every", measured.latency_every);
  result.set("pauses", measured.pauses);
  if (!measured.roles.front().role.empty()) result.set("roles", roles_json(measured));
  result.set("counters", counters_json(measured, dram_bytes));
  if (task.kind == Kind::kAccounted) result.set("explain_ns", explain_json(measured));
}

void add_timeline(Json& result, const Measurement& measured) {
  Json spans = Json::array();
  for (const Span& span : measured.timeline) {
    Json json = Json::object();
    spans.push(json.set("phase", name(span.phase)).set("begin_ns", span.begin_ns).set("end_ns", span.end_ns));
  }
  result.set("timeline", std::move(spans));
}

/// Which page tables serve the engine's mappings: what it was told, else what this machine gives.
std::string mmu_name(const CellTask& task, const pmem::Region* region) {
  if (region == nullptr || !task.cell.traits().mappable) return "none";
  std::string wanted = "auto";
  for (const auto& [option, value] : task.cell.engine.options.all()) {
    if (option == "mmu") wanted = value;
  }
  const auto mmu = dax::Mmu::create(*region, wanted);
  return mmu.ok() ? dax::name((*mmu)->kind()) : "none";
}

Json media_json(const CellTask& task, const pmem::Region* region) {
  const pmem::MediaSpec& spec = task.cell.media;
  const pmem::MediaClass media_class = region != nullptr ? region->media_class() : pmem::MediaClass::kEmulated;
  Json json = Json::object();
  json.set("kind", pmem::name(spec.kind)).set("class", pmem::name(media_class)).set("profile", spec.profile);
  json.set("run_bytes", spec.run.run_bytes).set("run", pmem::to_string(spec.run));
  json.set("size_bytes", region != nullptr ? region->size_bytes() : spec.size_bytes).set("seed", spec.seed);
  return json.set("mmu", mmu_name(task, region));
}

/// Tells the runner that all is ready and waits for its word, so that probes are armed before the first phase mark.
Result<void> wait_for_word(int control_fd, const pmem::Region* region) {
  if (control_fd < 0) return {};
  const auto bytes = region != nullptr ? region->bytes() : std::span<std::byte>();
  const auto begin = reinterpret_cast<uintptr_t>(bytes.data());
  const std::string ready = fmt::format("ready {} {}\n", begin, begin + bytes.size());
  char word = 0;
  if (::write(control_fd, ready.data(), ready.size()) != static_cast<ssize_t>(ready.size()) ||
      ::read(control_fd, &word, 1) != 1) {
    return Error(Errc::kIo, "the runner gave no word to go on");
  }
  return {};
}

/// The workload's own proof, then the engine's.
Result<void> verify(Workload& workload, const WorkloadContext& context) {
  DAXLAB_TRY(workload.verify(context));
  if (!context.traits.checkable) return {};
  DAXLAB_ASSIGN(const CheckReport report, context.engine.check());
  if (report.clean()) return {};
  return Error(Errc::kCorrupt,
               fmt::format("check() found {} faults, the first: {}", report.findings.size(), report.findings.front()));
}

Result<std::unique_ptr<pmem::Region>> open_medium(const CellTask& task, int media_fd) {
  DAXLAB_ASSIGN(const pmem::Profile* profile, pmem::find_profile(task.cell.media.profile));
  DAXLAB_ASSIGN(auto region,
                media_fd >= 0 ? pmem::Region::adopt(media_fd, task.cell.media) : pmem::Region::open(task.cell.media));
  pmem::apply_profile(*profile);
  return region;
}

/// Prepare, measure, verify and unmount on a mounted, empty engine.
Json run_mounted(const CellTask& task, std::unique_ptr<Engine> engine, const pmem::Region* region, int control_fd) {
  const Cell& cell = task.cell;
  const std::string& what = cell.workload->name();
  const std::unique_ptr<Workload> workload = cell.workload->create();
  const WorkloadContext context{*engine, cell.traits(), cell.params, cell.threads, task.seed};
  if (const auto prepared = workload->prepare(context); !prepared.ok()) return not_ok(prepared.error(), what + ": prepare");
  if (const auto word = wait_for_word(control_fd, region); !word.ok()) return not_ok(word.error(), "traced twin");

  MeasurePlan plan;
  plan.seconds = task.seconds;
  plan.ops = task.ops;
  plan.crossing = cell.crossing == Crossing::kSyscall && !context.traits.enters_kernel;
  plan.accounted = task.kind == Kind::kAccounted;
  const Result<Measurement> measured = measure(*workload, context, plan);
  if (!measured.ok()) return not_ok(measured.error(), what);
  const uint64_t dram_bytes = engine->dram_bytes();

  const bool stores = context.traits.stores_data;
  if (const auto verified = verify(*workload, context); stores && !verified.ok())
    return not_ok(verified.error(), what + ": verify");
  if (const auto unmounted = engine->unmount(); !unmounted.ok()) return not_ok(unmounted.error(), "unmount");
  Json result = status_only("ok", "");
  add_numbers(result, task, *measured, dram_bytes);
  result.set("verified", stores ? Json(true) : Json("not-applicable"));
  if (task.timeline) add_timeline(result, *measured);
  return result;
}

}  // namespace

Json run_cell(const CellTask& task, int media_fd, int control_fd) {
  const Cell& cell = task.cell;
  std::unique_ptr<pmem::Region> region;
  if (cell.traits().needs_region) {
    auto opened = open_medium(task, media_fd);
    if (!opened.ok()) return not_ok(opened.error(), "medium").set("media", media_json(task, nullptr));
    region = *std::move(opened);
  }
  const CounterThread counted;
  Json result;
  if (const auto formatted = cell.engine.type->format(region.get(), cell.engine.options); !formatted.ok()) {
    result = not_ok(formatted.error(), "format");
  } else if (auto mounted = cell.engine.type->mount(region.get(), cell.engine.options); !mounted.ok()) {
    result = not_ok(mounted.error(), "mount");
  } else {
    result = run_mounted(task, *std::move(mounted), region.get(), control_fd);
  }
  return result.set("media", media_json(task, region.get()));
}

namespace {

Result<std::string> read_all(int fd) {
  struct stat status {};
  if (::fstat(fd, &status) != 0) return Error(Errc::kUsage, "`cell` is started by `daxlab run` alone");
  std::string text(static_cast<size_t>(status.st_size), '\0');
  if (::pread(fd, text.data(), text.size(), 0) != static_cast<ssize_t>(text.size()))
    return Error(Errc::kIo, "the task is cut short");
  return text;
}

Result<CellTask> read_task() {
  DAXLAB_ASSIGN(const std::string text, read_all(kTaskFd));
  DAXLAB_ASSIGN(const Json json, Json::parse(text));
  return CellTask::from_json(json);
}

bool is_open(int fd) { return ::fcntl(fd, F_GETFD) >= 0; }

}  // namespace

int child_main() {
  ::signal(SIGINT, SIG_IGN);  // Ctrl-C is the runner's business
  const Result<CellTask> task = read_task();
  if (!task.ok()) {
    fmt::print(stderr, "daxlab cell: {}\n", task.error().message());
    return 2;
  }
  const int media_fd = is_open(kMediaFd) ? kMediaFd : -1;
  const int control_fd = task->kind == Kind::kTraced && is_open(kControlFd) ? kControlFd : -1;
  const std::string text = run_cell(*task, media_fd, control_fd).dump();
  return ::write(kResultFd, text.data(), text.size()) == static_cast<ssize_t>(text.size()) ? 0 : 3;
}

}  // namespace daxlab::harness
