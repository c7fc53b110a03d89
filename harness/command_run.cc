// daxlab run: a matrix, its records, a summary on stdout and the report.
#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "harness/analysis.h"
#include "harness/cli.h"
#include "harness/environment.h"
#include "harness/matrix.h"
#include "harness/matrix_arguments.h"
#include "harness/results.h"
#include "harness/runner.h"
#include "harness/summary.h"

namespace daxlab::harness {
namespace {

void print_plan(const Matrix& matrix) {
  for (const Cell& cell : matrix.cells) fmt::print("{}  {}  {}\n", cell.id(), cell.media.to_string(), cell.describe());
  for (const std::string& note : matrix.unsuited) fmt::print(stderr, "daxlab: left out: {}\n", note);
  const size_t jobs = matrix.jobs().size();
  fmt::print(stderr, "daxlab: {} cells, {} repetitions in all\n", matrix.cells.size(), jobs);
}

/// A number from a build that is no release is no result.
Result<void> check_build(const Arguments& arguments) {
  const std::string preset = build_preset();
  if (preset == "release" || arguments.has("--any-build")) return {};
  return Error(Errc::kUsage,
               fmt::format("this is the '{}' build; measure with the release preset, or add --any-build (the report will "
                           "carry a banner)",
                           preset));
}

Result<int> finish(const Matrix& matrix, const RunOutcome& outcome, bool with_report) {
  DAXLAB_TRY(print_summary(outcome.folder, matrix));
  if (outcome.interrupted) {
    fmt::print(
        stderr,
        "daxlab run: interrupted; {} of {} repetitions are kept in {}; go on with the same command and --out {} --resume\n",
        outcome.finished, outcome.repetitions, outcome.folder, outcome.folder);
    return kExitInterrupted;
  }
  fmt::print("records: {}/results.jsonl\n", outcome.folder);
  if (with_report) {
    const std::string report = outcome.folder + "/report.html";
    const auto made = run_analysis({"report", outcome.folder, "--out", report}, true);
    if (made.ok() && *made == 0) {
      fmt::print("report: {}\n", report);
    } else {
      fmt::print(stderr, "daxlab run: no report: {}\n",
                 made.ok() ? fmt::format("the analysis ended with {}", *made) : made.error().message());
    }
  }
  return outcome.failed == 0 ? kExitDone : kExitFailed;
}

Result<int> run(const Arguments& arguments) {
  DAXLAB_ASSIGN(const Matrix matrix, matrix_from(arguments));
  if (arguments.has("--dry-run")) {
    print_plan(matrix);
    return kExitDone;
  }
  RunOptions options;
  options.out = arguments.get("--out");
  options.resume = arguments.has("--resume");
  if (options.resume && options.out.empty()) return Error(Errc::kUsage, "--resume needs --out DIR: the run to go on with");
  DAXLAB_TRY(check_build(arguments));
  options.calibrate = !arguments.has("--no-calibration");
  DAXLAB_ASSIGN(const std::optional<double> timeout, arguments.real("--timeout", 1, 86400));
  options.timeout_seconds = timeout.value_or(kTimeoutSecondsDefault);
  options.command_line = arguments.command_line;
  for (const std::string& note : matrix.unsuited) fmt::print(stderr, "daxlab: left out: {}\n", note);
  DAXLAB_ASSIGN(const RunOutcome outcome, run_matrix(matrix, options));
  return finish(matrix, outcome, !arguments.has("--no-report"));
}

std::vector<OptionLine> options() {
  std::vector<OptionLine> all = matrix_options();
  all.push_back({"--out", "DIR", "folder of the run (default results/<UTC time>-<host>)"});
  all.push_back({"--resume", "", "go on with the run in --out: each repetition exactly once"});
  all.push_back(
      {"--timeout", "S", "a repetition that takes longer is failed, 1 to 86400 (default 300, plus 20 times --seconds)"});
  all.push_back({"--dry-run", "", "print the cells and stop"});
  all.push_back({"--no-calibration", "", "leave the machine's floors out of environment.json: a second or two less"});
  all.push_back({"--no-report", "", "leave the report to 'daxlab report'"});
  all.push_back({"--any-build", "", "measure with a build that is no release"});
  return all;
}

const RegisterCommand kRegistered{{
    .name = "run",
    .purpose = "runs a matrix of engines, workloads and axes; without a file, the quick one",
    .options = options(),
    .examples = {"daxlab run",
                 "daxlab run --engine null,posix --workload append --set block_bytes=4KiB,64KiB --threads 1,2 --probe none"},
    .notes = "Writes DIR/results.jsonl (a line a repetition), DIR/environment.json, DIR/report.html. A list of a flag replaces "
             "the file's;\n"
             "engines and workloads that the file does not name are run all the same. A file medium is formatted anew for every "
             "cell.\n"
             "Ctrl-C keeps what is finished (exit code 130).",
    .passes_on = false,
    .order = 1,
    .run = run,
}};

}  // namespace
}  // namespace daxlab::harness
