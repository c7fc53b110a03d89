// daxlab trace: an eBPF session on one cell, or on a process that runs already.
#include <fmt/format.h>
#include <signal.h>
#include <time.h>

#include <cerrno>

#include "engines/base/clock.h"
#include "harness/cell_process.h"
#include "harness/cli.h"
#include "harness/interrupt.h"
#include "harness/matrix_arguments.h"
#include "harness/media_pool.h"
#include "harness/process.h"
#include "harness/results.h"
#include "harness/trace_output.h"

namespace daxlab::harness {
namespace {

constexpr double kSecondsDefaultOfTrace = 5;
constexpr double kTimeoutSeconds = 600;

/// What watches the target: sums by probe, and, where the machine allows, a recording for timeline and stacks.
struct Watch {
  std::unique_ptr<probes::Session> session;
  std::unique_ptr<probes::Recording> recording;

  Result<void> begin(pid_t pid, const std::vector<probes::AddressRange>& ranges) {
    if (recording != nullptr) DAXLAB_TRY(recording->begin(pid, ranges));
    return session->begin(pid, ranges);
  }
};

Result<Watch> open_watch(const Arguments& arguments, const std::vector<std::string>& wanted) {
  probes::SessionOptions options;
  if (wanted != std::vector<std::string>{"auto"}) options.probes = wanted;
  options.binary = own_path();
  fmt::print(stderr, "daxlab trace: loading the probes\n");
  Watch watch;
  DAXLAB_ASSIGN(watch.session, probes::Session::open(options));
  if (arguments.has("--counts-only")) return watch;
  auto recording = probes::Recording::open(options.binary);
  if (recording.ok()) {
    watch.recording = *std::move(recording);
  } else {
    fmt::print(stderr, "daxlab trace: no timeline and no stacks: {}\n", recording.error().message());
  }
  return watch;
}

Result<Cell> one_cell(const Arguments& arguments) {
  if (!arguments.has("--engine") || !arguments.has("--workload")) {
    return Error(Errc::kUsage, "name one cell by --engine E and --workload W, or a process by -p PID");
  }
  DAXLAB_ASSIGN(const Overrides overrides, overrides_from(arguments));
  MatrixFile file;
  file.name = "trace";
  DAXLAB_ASSIGN(const Matrix matrix, expand(file, overrides));
  if (matrix.cells.size() == 1) return matrix.cells.front();
  return Error(Errc::kUsage,
               fmt::format("that is {} cells, and a trace is of one: give one engine, workload and value of each axis",
                           matrix.cells.size()));
}

Result<std::optional<TraceFiles>> trace_cell(const Arguments& arguments, double seconds, const std::vector<std::string>& wanted) {
  DAXLAB_ASSIGN(const Cell cell, one_cell(arguments));
  MediaPool media;
  DAXLAB_TRY(media.require(cell));
  DAXLAB_ASSIGN(Watch watch, open_watch(arguments, wanted));
  CellTask task;
  task.cell = cell;
  task.kind = Kind::kTraced;
  task.seconds = seconds;
  task.timeline = true;
  DAXLAB_ASSIGN(const std::optional<uint64_t> seed, arguments.whole("--seed", 0, INT64_MAX));
  task.seed = seed.value_or(kSeedDefault);
  const uint64_t began_ns = monotonic_ns();
  CellProcessOptions process;
  process.media_fd = media.fd(cell);
  process.timeout_seconds = kTimeoutSeconds + 20 * seconds;
  process.arm = [&](pid_t pid, const std::vector<probes::AddressRange>& ranges) { return watch.begin(pid, ranges); };
  process.tick = [&] {
    fmt::print(stderr, "daxlab trace: {} s, {}\n", (monotonic_ns() - began_ns) / 1'000'000'000, cell.describe());
    return !interrupted();
  };
  DAXLAB_ASSIGN(const CellProcessResult done, run_cell_process(task, process));
  TraceFiles files;
  if (done.armed) files.reports = watch.session->end();
  if (done.armed && watch.recording != nullptr) files.recorded = watch.recording->end();
  if (done.interrupted) return std::optional<TraceFiles>();
  const Json& result = done.result;
  if (result["status"].text() != "ok") return Error(Errc::kIo, fmt::format("{}: {}", cell.describe(), result["error"].text()));
  files.timeline = chrome_timeline(result["timeline"], files.recorded.spans, cell.describe());
  files.about.set("cell", cell.describe()).set("id", cell.id());
  for (const char* key : {"ops", "seconds", "ns_per_op", "latency_ns", "roles", "counters"}) {
    if (const Json* value = result.find(key)) files.about.set(key, *value);
  }
  fmt::print("{}: {} operations in {:.3f} s, {:.1f} ns each\n", cell.describe(), result["ops"].u64(), result["seconds"].real(),
             result["ns_per_op"].real());
  return std::optional<TraceFiles>(std::move(files));
}

void sleep_for(double seconds) {
  timespec time{static_cast<time_t>(seconds),
                static_cast<long>((seconds - static_cast<double>(static_cast<time_t>(seconds))) * 1e9)};
  static_cast<void>(::nanosleep(&time, nullptr));  // a signal ends it early, and that is what a signal is for here
}

/// A process without phase marks: sums are read once a second, shown and added up. Between two slices a few milliseconds are not
/// seen.
Result<TraceFiles> trace_process(const Arguments& arguments, pid_t pid, double seconds, const std::vector<std::string>& wanted) {
  if (::kill(pid, 0) != 0 && errno == ESRCH) return Error(Errc::kUsage, fmt::format("there is no process {}", pid));
  DAXLAB_ASSIGN(Watch watch, open_watch(arguments, wanted));
  if (watch.recording != nullptr) {
    DAXLAB_TRY(watch.recording->begin(pid, {}));
    watch.recording->set_phase(probes::SessionPhase::kMeasured);
  }
  TraceFiles files;
  double observed = 0;
  while (observed < seconds && !interrupted() && ::kill(pid, 0) == 0) {
    const uint64_t slice_began_ns = monotonic_ns();
    DAXLAB_TRY(watch.session->begin(pid, {}));
    watch.session->set_phase(probes::SessionPhase::kMeasured);
    sleep_for(std::min(1.0, seconds - observed));
    watch.session->set_phase(probes::SessionPhase::kOutside);
    const auto slice = watch.session->end();
    observed += static_cast<double>(monotonic_ns() - slice_began_ns) * 1e-9;
    fmt::print(stderr, "--- {:.1f} s\n{}", observed, summary_of(slice));
    add_reports(files.reports, slice);
  }
  if (watch.recording != nullptr) {
    watch.recording->set_phase(probes::SessionPhase::kOutside);
    files.recorded = watch.recording->end();
    files.timeline = chrome_timeline(Json::array(), files.recorded.spans, fmt::format("process {}", pid));
  }
  files.about.set("pid", static_cast<int64_t>(pid)).set("seconds", observed);
  return files;
}

Result<int> finish(const Arguments& arguments, const TraceFiles& files) {
  fmt::print("{}", summary_of(files.reports));
  const std::string folder = arguments.has("--out") ? arguments.get("--out") : default_run_folder();
  DAXLAB_TRY(write_trace(folder, files));
  fmt::print("trace: {}/trace\n", folder);
  return kExitDone;
}

Result<int> trace(const Arguments& arguments) {
  DAXLAB_ASSIGN(const std::optional<double> seconds, arguments.real("--seconds", 0.001, 86400));
  DAXLAB_ASSIGN(const std::optional<uint64_t> pid, arguments.whole("--pid", 1, INT32_MAX));
  if (pid && (arguments.has("--engine") || arguments.has("--workload"))) {
    return Error(Errc::kUsage, "give either a cell by --engine and --workload, or a process by -p PID");
  }
  std::vector<std::string> wanted{"auto"};
  if (arguments.has("--probe")) {
    DAXLAB_ASSIGN(wanted, split_list(arguments.get("--probe"), "--probe"));
  }
  DAXLAB_TRY(check_probes(wanted));
  catch_interrupts();
  const double length = seconds.value_or(kSecondsDefaultOfTrace);
  if (pid) {
    DAXLAB_ASSIGN(const TraceFiles files, trace_process(arguments, static_cast<pid_t>(*pid), length, wanted));
    return finish(arguments, files);
  }
  DAXLAB_ASSIGN(const std::optional<TraceFiles> files, trace_cell(arguments, length, wanted));
  return files ? finish(arguments, *files) : Result<int>(kExitInterrupted);
}

std::vector<OptionLine> options() {
  std::vector<OptionLine> all = {
      {"-p,--pid", "PID", "trace this process instead of a cell"},
      {"--seconds", "S", "how long, 0.001 to 86400 (default 5)"},
      {"--counts-only", "", "no timeline and no stacks, which cost the target more than the sums"},
      {"--out", "DIR", "files go to DIR/trace (default results/<UTC time>-<host>)"},
  };
  for (const OptionLine& line : matrix_options()) {
    for (const char* name : {"--engine", "--workload", "--threads", "--media", "--set", "--seed", "--probe"}) {
      if (line.name == name) all.push_back(line);
    }
  }
  return all;
}

const RegisterCommand kRegistered{{
    .name = "trace",
    .purpose = "an eBPF session on one cell or on a running process",
    .options = options(),
    .examples = {"daxlab trace --engine posix --workload mmap_fault --seconds 1", "daxlab trace -p $$ --seconds 2"},
    .notes = "Writes into DIR/trace: probes.json, timeline.json (for chrome://tracing or ui.perfetto.dev), on_cpu.folded and\n"
             "off_cpu.folded (for flame graph tools). Needs root or CAP_BPF and CAP_PERFMON; a probe that cannot be loaded says\n"
             "why and is left out.",
    .passes_on = false,
    .order = 5,
    .run = trace,
}};

}  // namespace
}  // namespace daxlab::harness
