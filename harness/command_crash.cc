// `daxlab crash`: explores crash states of engines and prints a table of what was found.
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <map>
#include <sstream>

#include "engines/base/clock.h"
#include "engines/crash/campaign.h"
#include "engines/crash/mutation.h"
#include "harness/cli.h"
#include "harness/interrupt.h"
#include "harness/matrix.h"

namespace daxlab::harness {
namespace {

constexpr double kBudgetDefaultS = 60;
constexpr size_t kViolationsShown = 10;  // of an engine
constexpr const char* kClearLine = "\r\x1b[K";
constexpr size_t kMutantImages = 24;  // of a point: bounded by states and not by time, so that a score does not depend on load
constexpr uint32_t kMutantRecoveryShare = 4;  // what only a recovery stores is judged by crashes behind one

Result<std::vector<std::string>> suites_of(const std::string& given) {
  if (given.empty() || given == "all") return std::vector<std::string>{"seq1", "edge", "seq2", "fuzz"};
  if (given == "seq1" || given == "edge" || given == "seq2" || given == "fuzz") return std::vector<std::string>{given};
  return Error(Errc::kUsage, fmt::format("unknown suite '{}'; there are seq1, edge, seq2, fuzz and all", given));
}

/// The engines named, or every registered one that keeps its data on a region.
Result<std::vector<EngineSpec>> engines_of(const std::string& list) {
  std::vector<EngineSpec> engines;
  if (!list.empty()) {
    DAXLAB_ASSIGN(const auto names, split_list(list, "--engine"));
    for (const std::string& text : names) {
      DAXLAB_ASSIGN(EngineSpec engine, parse_engine(text));
      engines.push_back(std::move(engine));
    }
    return engines;
  }
  for (const EngineType* type : engine_types()) {
    DAXLAB_ASSIGN(EngineSpec engine, parse_engine(type->name()));
    const Traits traits = type->traits(engine.options);
    if (traits.needs_region && traits.stores_data) engines.push_back(std::move(engine));
  }
  return engines;
}

/// One line, rewritten on a terminal; a plain line every ten seconds elsewhere.
void show_progress(const EngineSpec& engine, const crash::Statistics& sums, double seconds_left) {
  static const bool terminal = isatty(STDERR_FILENO) != 0;
  static uint64_t last_ns = 0;
  constexpr uint64_t kPlainEveryNs = 10'000'000'000;
  if (!terminal && monotonic_ns() - last_ns < kPlainEveryNs) return;
  last_ns = monotonic_ns();
  fmt::print(stderr, "{}{}: {} sequences, {} states, {} in recovery, {} violations, {:.0f} s left{}", terminal ? kClearLine : "",
             engine.to_string(), sums.sequences, sums.states, sums.states_in_recovery, sums.violations,
             std::max(0.0, seconds_left), terminal ? "" : "\n");
  std::fflush(stderr);
}

void print_violation(FILE* to, const crash::Violation& violation, const crash::ExplorerOptions& options) {
  fmt::print(to, "\nVIOLATION {}: {}\n  {}\n  daxlab crash --replay '{}'\n", violation.engine, violation.what, violation.where,
             crash::replay_id(violation, options));
}

/// Above the progress, so that a campaign of hours tells at once; the first ones of each engine.
void show_found(const crash::Violation& violation, const crash::ExplorerOptions& options) {
  static std::map<std::string, size_t> shown;
  if (++shown[violation.engine] > kViolationsShown) return;
  if (isatty(STDERR_FILENO) != 0) fmt::print(stderr, kClearLine);
  print_violation(stderr, violation, options);
  std::fflush(stderr);
}

double share(uint64_t part, uint64_t whole) {
  return whole == 0 ? 0 : 100.0 * static_cast<double>(part) / static_cast<double>(whole);
}

void print_table(const std::vector<crash::EngineOutcome>& outcomes) {
  fmt::print("{:<28} {:>9} {:>10} {:>10} {:>7} {:>7} {:>7} {:>9} {:>9} {:>10}\n", "engine", "sequences", "images", "states",
             "mid-op", "recov.", "multi", "trees", "states/s", "violations");
  for (const auto& [engine, sums, violations, planned] : outcomes) {
    fmt::print("{:<28} {:>9} {:>10} {:>10} {:>6.1f}% {:>6.1f}% {:>6.1f}% {:>9} {:>9.0f} {:>10}\n", engine.to_string(),
               sums.sequences, sums.images, sums.states, share(sums.states_under_way, sums.states),
               share(sums.states_in_recovery, sums.states), share(sums.states_multi, sums.states), sums.recovered,
               sums.seconds > 0 ? static_cast<double>(sums.states) / sums.seconds : 0, violations.size());
  }
  fmt::print(
      "\nstates: distinct by image and operations so far, each mounted, checked, compared, used and mounted again; trees: "
      "distinct\n"
      "trees found after recovery.\n\nstates by operation\n");
  fmt::print("{:<18}", "");
  for (const auto& outcome : outcomes) fmt::print(" {:>24}", outcome.engine.to_string());
  for (size_t kind = 0; kind < crash::kOpKindCount; ++kind) {
    fmt::print("\n{:<18}", crash::name(static_cast<crash::OpKind>(kind)));
    for (const auto& outcome : outcomes) fmt::print(" {:>24}", outcome.statistics.states_by_kind[kind]);
  }
  fmt::print("\n");
}

/// The first ones of each engine, with the lines that replay them.
void print_violations(const std::vector<crash::EngineOutcome>& outcomes, const crash::ExplorerOptions& options) {
  for (const auto& outcome : outcomes) {
    const size_t shown = std::min(outcome.violations.size(), kViolationsShown);
    for (size_t i = 0; i < shown; ++i) print_violation(stdout, outcome.violations[i], options);
    if (outcome.violations.size() > shown)
      fmt::print("\n{}: {} more\n", outcome.engine.to_string(), outcome.violations.size() - shown);
  }
}

Result<int> replay(const std::string& given) {
  std::string id = given;
  if (std::ifstream file(given); file) {
    std::stringstream text;
    text << file.rdbuf();
    id = text.str();
    while (!id.empty() && id.back() == '\n') id.pop_back();
  }
  DAXLAB_ASSIGN(const std::string wrong, crash::replay(id));
  fmt::print("{}\n", wrong.empty() ? "allowed: no violation" : "VIOLATION: " + wrong);
  return wrong.empty() ? kExitDone : kExitFailed;
}

/// Of a command that was told to stop before its end; what it had found is printed first.
int exit_code(bool failed) { return failed ? kExitFailed : interrupted() ? kExitInterrupted : kExitDone; }

/// The mutation score of each engine; exit code 1 where one has survivors.
Result<int> mutants(const std::vector<EngineSpec>& engines, const crash::MutationOptions& options) {
  bool survived = false;
  for (const EngineSpec& engine : engines) {
    if (interrupted()) break;
    const auto progress = [](size_t done, size_t total, const crash::MutantOutcome& outcome) {
      fmt::print(stderr, "{}/{} {} {} {}\n", done, total, outcome.site,
                 outcome.mutation == pmem::Mutation::kOmit ? "omitted" : "deferred",
                 outcome.killed ? "killed by " + outcome.evidence : "SURVIVED");
    };
    DAXLAB_ASSIGN(const auto outcomes, crash::run_mutants(engine, options, {progress, interrupted}));
    const auto killed = std::count_if(outcomes.begin(), outcomes.end(), [](const auto& outcome) { return outcome.killed; });
    fmt::print("{}{}: {} of {} mutants killed ({:.1f} %)\n", interrupted() ? "stopped early; " : "", engine.to_string(), killed,
               outcomes.size(), share(static_cast<uint64_t>(killed), outcomes.size()));
    for (const crash::MutantOutcome& outcome : outcomes) {
      if (outcome.killed) continue;
      survived = true;
      fmt::print("  survived: {} {}, {}\n", outcome.site, outcome.mutation == pmem::Mutation::kOmit ? "omitted" : "deferred",
                 outcome.evidence);
    }
  }
  return exit_code(survived);
}

Result<int> run(const Arguments& arguments) {
  if (arguments.has("--replay")) return replay(arguments.get("--replay"));
  crash::CampaignOptions options;
  DAXLAB_ASSIGN(options.engines, engines_of(arguments.get("--engine")));
  DAXLAB_ASSIGN(options.suites, suites_of(arguments.get("--suite")));
  DAXLAB_ASSIGN(const auto budget, arguments.real("--budget", 1, 1e6));
  DAXLAB_ASSIGN(const auto seed, arguments.whole("--seed", 1, UINT64_MAX));
  DAXLAB_ASSIGN(const auto workers, arguments.whole("--workers", 1, 256));
  const std::string model = arguments.get("--model");
  if (!model.empty() && model != "clwb" && model != "eadr") {
    return Error(Errc::kUsage, fmt::format("unknown model '{}'; there are clwb and eadr", model));
  }
  options.budget_s = budget.value_or(kBudgetDefaultS);
  options.workers = static_cast<uint32_t>(workers.value_or(static_cast<uint64_t>(std::max(1L, sysconf(_SC_NPROCESSORS_ONLN)))));
  options.explorer.seed = seed.value_or(1);
  options.explorer.model = model == "eadr" ? pmem::CrashModel::kEadr : pmem::CrashModel::kClwb;
  catch_interrupts();  // a campaign of hours that is stopped says what it has found
  if (arguments.has("--mutants")) {
    crash::MutationOptions mutation;
    mutation.explorer = options.explorer;
    mutation.workers = options.workers;
    mutation.explorer.recovery_share = kMutantRecoveryShare;
    mutation.explorer.images_per_point_max = kMutantImages;
    mutation.explorer.recovery_images_max = kMutantImages;
    return mutants(options.engines, mutation);
  }
  const auto found = [&](const crash::Violation& violation) { show_found(violation, options.explorer); };
  DAXLAB_ASSIGN(const auto outcomes, crash::run_campaign(options, {show_progress, found, interrupted}));
  if (isatty(STDERR_FILENO)) fmt::print(stderr, kClearLine);
  if (interrupted()) fmt::print("stopped early\n");
  print_table(outcomes);
  print_violations(outcomes, options.explorer);
  const bool violated =
      std::any_of(outcomes.begin(), outcomes.end(), [](const auto& outcome) { return !outcome.violations.empty(); });
  return exit_code(violated);
}

const RegisterCommand kRegistered{{
    .name = "crash",
    .purpose = "explore the states a crash may leave, and judge each",
    .options =
        {{"--engine", "LIST", "engines, with options (default: every one that keeps its data on pmem)", false, false},
         {"--suite", "NAME",
          "seq1, seq2: every sequence of one or two steps; edge: long histories; fuzz: random ones; all (default)", false, false},
         {"--budget", "S", "seconds in all, 1 to 1000000 (default 60)", false, false},
         {"--seed", "N", "of samples and random sequences, from 1 (default 1)", false, false},
         {"--model", "MODEL", "clwb: caches are lost; eadr: caches persist (default clwb)", false, false},
         {"--workers", "N", "processes, 1 to 256 (default: one a CPU)", false, false},
         {"--mutants", "", "leave out each flush, fence and commit store in turn: does the exploration notice? (preset mutants)",
          false, false},
         {"--replay", "FILE|ID", "judge one image again: an id as a violation prints it, or a file with one", false, false}},
    .examples = {"daxlab crash --engine native --suite seq1", "daxlab crash --budget 600 --seed 7"},
    .notes =
        "Each violation is printed as it is found, with the one command line that replays it. Ctrl-C or SIGTERM ends a campaign\n"
        "early: it prints what it has found.",
    .order = 60,
    .run = run,
}};

}  // namespace
}  // namespace daxlab::harness
