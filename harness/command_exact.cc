// daxlab exact: kernel DAX file systems and engines in a deterministic guest; and guest-cells, what runs inside of it.
#include <fcntl.h>
#include <fmt/format.h>
#include <signal.h>
#include <unistd.h>

#include "harness/analysis.h"
#include "harness/cli.h"
#include "harness/environment.h"
#include "harness/guest/cell.h"
#include "harness/guest/crash_job.h"
#include "harness/guest/crash_plan.h"
#include "harness/guest/plan.h"
#include "harness/interrupt.h"
#include "harness/process.h"
#include "harness/results.h"

namespace daxlab::harness {
namespace {

constexpr const char* kPython = "/usr/bin/python3";
constexpr double kTimeoutSeconds = 24 * 3600;
constexpr int kGraceSeconds = 20;

void print_plan(const GuestPlan& plan) {
  for (const GuestJob& job : plan.jobs) {
    for (const Cell& cell : job.cells) fmt::print("{}  {}\n", job.name, cell.describe());
  }
  for (const std::string& note : plan.unsuited) fmt::print(stderr, "daxlab: left out: {}\n", note);
}

/// Runs the launcher on the guest with this kernel; its exit code.
Result<int> launch(const std::vector<std::string>& words, const std::string& kernel) {
  if (::access(kPython, X_OK) != 0) return Error(Errc::kMissingFacility, fmt::format("{}: apt-get install python3", kPython));
  ::setenv("PYTHONPATH", (source_folder() + "/harness").c_str(), 1);
  ::setenv("PYTHONDONTWRITEBYTECODE", "1", 1);
  std::vector<std::string> all{"-m", "guest"};
  all.insert(all.end(), words.begin(), words.end());
  if (!kernel.empty()) all.insert(all.end(), {"--kernel", kernel});
  catch_interrupts();
  DAXLAB_ASSIGN(Child child, Child::start(kPython, all, {}));
  int grace_s = kGraceSeconds;  // the launcher ends its machines and removes their files
  const Ending ending = child.wait(kTimeoutSeconds, [&] {
    if (!interrupted()) return true;
    if (grace_s == kGraceSeconds) ::kill(child.pid(), SIGTERM);
    return --grace_s > 0;
  });
  if (ending.kind == Ending::Kind::kInterrupted) return kExitInterrupted;
  if (ending.kind != Ending::Kind::kExit) return Error(Errc::kIo, fmt::format("the launcher {}", ending.describe()));
  return ending.code;
}

Json environment_of(const GuestPlan& plan, const Arguments& arguments) {
  Matrix matrix;
  matrix.name = plan.name;
  matrix.repetitions = plan.repetitions;
  matrix.seconds = 0;
  matrix.ops = plan.ops;
  matrix.seed = plan.seed;
  for (const GuestJob& job : plan.jobs) matrix.cells.insert(matrix.cells.end(), job.cells.begin(), job.cells.end());
  return environment_json(matrix, arguments.command_line, MediaPool(), false);
}

Result<int> run_plan(const GuestPlan& plan, const Arguments& arguments) {
  ResultsFolder::Options options;
  options.path = arguments.get("--out");
  options.seed = plan.seed;
  std::string path;
  {
    DAXLAB_ASSIGN(const ResultsFolder folder, ResultsFolder::open(options));
    path = folder.path();
  }
  Json told = plan.to_json(environment_of(plan, arguments));
  if (arguments.has("--crash")) {
    DAXLAB_ASSIGN(Json crash, crash_plan_json(plan, arguments.get("--crash")));
    told.set("crash", std::move(crash));
  }
  DAXLAB_ASSIGN(const Fd plan_file, memory_file("plan", told.dump()));
  const std::string plan_path = fmt::format("/proc/{}/fd/{}", ::getpid(), plan_file.get());
  std::vector<std::string> words{"run", "--plan", plan_path, "--out", path, "--program", own_path(), "--source", source_folder()};
  DAXLAB_ASSIGN(const int code, launch(words, arguments.get("--kernel")));
  const bool recorded = ::access((path + "/results.jsonl").c_str(), R_OK) == 0 && ::access((path + "/environment.json").c_str(), R_OK) == 0;
  if ((code != kExitDone && code != kExitFailed) || !recorded) return code;
  fmt::print("records: {}/results.jsonl\n", path);
  if (!arguments.has("--no-report")) {
    const std::string report = path + "/report.html";
    const auto made = run_analysis({"report", path, "--out", report}, true);
    if (made.ok() && *made == 0) {
      fmt::print("report: {}\n", report);
    } else {
      fmt::print(stderr, "daxlab exact: no report: {}\n",
                 made.ok() ? fmt::format("the analysis ended with {}", *made) : made.error().message());
    }
  }
  return code;
}

/// Runs a small job twice; every counter must be the same, and those of the gate as accepted.
Result<int> self_test(const Arguments& arguments) {
  DAXLAB_ASSIGN(const GuestPlan plan, plan_from(source_folder() + "/harness/guest/self_test.toml", arguments));
  DAXLAB_ASSIGN(const Fd plan_file, memory_file("plan", plan.to_json(environment_of(plan, arguments)).dump()));
  const std::string plan_path = fmt::format("/proc/{}/fd/{}", ::getpid(), plan_file.get());
  std::vector<std::string> words{"self-test", "--plan", plan_path, "--program", own_path(), "--source", source_folder()};
  if (arguments.has("--accept")) words.push_back("--accept");
  return launch(words, arguments.get("--kernel"));
}

/// Builds native with known changes; exactly the counters that were predicted must change.
Result<int> seeded(const Arguments& arguments) {
  DAXLAB_ASSIGN(const GuestPlan plan, plan_from(source_folder() + "/harness/guest/seeded_cells.toml", arguments));
  DAXLAB_ASSIGN(const Fd plan_file, memory_file("plan", plan.to_json(environment_of(plan, arguments)).dump()));
  const std::string plan_path = fmt::format("/proc/{}/fd/{}", ::getpid(), plan_file.get());
  std::vector<std::string> words{"seeded", "--plan", plan_path, "--program", own_path(), "--source", source_folder()};
  if (arguments.has("--out")) words.insert(words.end(), {"--out", arguments.get("--out")});
  return launch(words, arguments.get("--kernel"));
}

Result<int> exact(const Arguments& arguments) {
  if (arguments.has("--kernel") && arguments.get("--kernel") != "stable" && arguments.get("--kernel") != "backports") {
    return Error(Errc::kUsage, fmt::format("--kernel: '{}'; there is: stable, backports", arguments.get("--kernel")));
  }
  if (arguments.has("--setup")) {
    return launch({"setup", "--program", own_path(), "--source", source_folder()}, arguments.get("--kernel"));
  }
  if (arguments.has("--self-test")) return self_test(arguments);
  if (arguments.has("--seeded")) return seeded(arguments);
  const std::string standard = source_folder() + "/harness/guest/standard.toml";
  DAXLAB_ASSIGN(const GuestPlan plan, plan_from(arguments.has("matrix") ? arguments.get("matrix") : standard, arguments));
  if (arguments.has("--dry-run")) {
    print_plan(plan);
    return kExitDone;
  }
  for (const std::string& note : plan.unsuited) fmt::print(stderr, "daxlab: left out: {}\n", note);
  return run_plan(plan, arguments);
}

Result<int> guest_cells(const Arguments& arguments) {
  const std::string in = arguments.get("--task");
  const Fd file(::open(in.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file) return Error(Errc::kUsage, fmt::format("{}: no such task", in));
  DAXLAB_ASSIGN(const std::string text, read_whole(file.get()));
  DAXLAB_ASSIGN(const Json task, Json::parse(text));
  const Json result = run_guest_cell(task);
  DAXLAB_TRY(write_file_durably(arguments.get("--out"), result.dump()));
  return result["status"].text() == "failed" ? kExitFailed : kExitDone;
}

const RegisterCommand kExact{{
    .name = "exact",
    .purpose = "counts instructions, flushes, fences and bytes in a deterministic guest, beside real ext4-DAX and XFS-DAX",
    .options = {{"matrix", "MATRIX.toml", "matrix file (default: the standard job, 500 operations of every class)"},
                {"--engine", "LIST", "engines, NAME[@LABEL][:option=value]... (default: all on persistent memory, and null)"},
                {"--fs", "LIST",
                 "ext4-dax[:journal=on|fast|none][:dirsync=on], "
                 "xfs-dax[:dirblock=4KiB|64KiB][:reflink=on|off][:wsync=on][:lsunit=512|4KiB|32KiB|256KiB] (default: both)"},
                {"--on", "PLACE",
                 "where engines keep their data: devdax, or a file system as in --fs for a file with MAP_SYNC (default devdax)"},
                {"--workload", "LIST", "workloads; see 'daxlab list workloads'"},
                {"--set", "AXIS=LIST", "values of an axis of workload or engine; '\\,' is a comma", false, true},
                {"--ops", "N", "operations of a cell (default 500)"},
                {"--seed", "N", "of workloads, identifiers and hash seeds, 0 to 2^63-1 (default 1)"},
                {"--repetitions", "N",
                 "runs of each job, 1 to 1000, the first with the seed given, each next with the next (default 1)"},
                {"--crash", "IMAGES",
                 "also build so many crash images of each file system of --fs from what its kernel stored, and judge each in a guest"},
                {"--kernel", "WHICH",
                 "stable: this Debian release's newest cloud kernel (default); backports: that of its backports"},
                {"--out", "DIR", "folder of the run (default results/<UTC time>-<host>)"},
                {"--self-test", "", "run a small job twice, compare every counter, and the gate's with harness/guest/accepted.json"},
                {"--accept", "", "with --self-test: accept what it counts, by writing that file"},
                {"--seeded", "", "build native with five known changes and count each: do exactly the predicted counters change?"},
                {"--setup", "", "only make the guest: kernel, image, plugin, snapshot"},
                {"--dry-run", "", "print the cells and stop"},
                {"--no-report", "", "leave the report to 'daxlab report'"}},
    .examples = {"daxlab exact", "daxlab exact --fs xfs-dax,xfs-dax:wsync=on --engine native --workload create_unlink"},
    .notes = "One of --engine and --fs alone leaves the other out. The first start makes the guest under build/guest: a QEMU "
             "without\nhardware virtualisation, the newest cloud kernel of this Debian release (unpacked, not installed), and a "
             "snapshot.\nCounts are the same to the bit from run to run: 'daxlab compare A B' lists every difference. Nothing is "
             "timed.",
    .passes_on = false,
    .order = 5,
    .run = exact,
}};

const RegisterCommand kGuestCells{{
    .name = "guest-cells",
    .purpose = "runs one cell inside the guest of 'exact', which starts it",
    .options = {{"--task", "FILE", "the cell", true}, {"--out", "FILE", "its result", true}},
    .examples = {"daxlab guest-cells --task task.json --out result.json",
                 "daxlab guest-cells --task /job/0.json --out /out/0.json"},
    .notes = "",
    .passes_on = false,
    .order = 99,
    .run = guest_cells,
}};

Result<int> guest_crash(const Arguments& arguments) {
  const std::string in = arguments.get("--task");
  const Fd file(::open(in.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file) return Error(Errc::kUsage, fmt::format("{}: no such task", in));
  DAXLAB_ASSIGN(const std::string text, read_whole(file.get()));
  DAXLAB_ASSIGN(const Json task, Json::parse(text));
  const Result<Json> done = run_crash_step(task);
  Json result = done.ok() ? *done : Json::object().set("status", "failed").set("error", done.error().message());
  DAXLAB_TRY(write_file_durably(arguments.get("--out"), result.dump()));
  return done.ok() ? kExitDone : kExitFailed;
}

const RegisterCommand kGuestCrash{{
    .name = "guest-crash",
    .purpose = "does one step of 'exact --crash', which starts it in the guest and on the host",
    .options = {{"--task", "FILE", "the step", true}, {"--out", "FILE", "its result", true}},
    .examples = {"daxlab guest-crash --task task.json --out result.json",
                 "daxlab guest-crash --task /job/judge.json --out /out/judge.json"},
    .notes = "",
    .passes_on = false,
    .order = 99,
    .run = guest_crash,
}};

}  // namespace
}  // namespace daxlab::harness
