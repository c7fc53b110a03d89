// `daxlab crash`: explores crash states of engines and prints a table of what was found.
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <sstream>

#include "engines/base/clock.h"
#include "engines/crash/campaign.h"
#include "engines/crash/mutation.h"
#include "harness/cli.h"
#include "harness/matrix.h"

namespace daxlab::harness {
namespace {

constexpr double kBudgetDefaultS = 60;
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
  fmt::print(stderr, "{}{}: {} sequences, {} states, {} in recovery, {} violations, {:.0f} s left{}", terminal ? "\r\x1b[K" : "",
             engine.to_string(), sums.sequences, sums.states, sums.states_in_recovery, sums.violations,
             std::max(0.0, seconds_left), terminal ? "" : "\n");
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

/// Each kind of violation once, with how often and the line that replays the first.
void print_violations(const std::vector<crash::EngineOutcome>& outcomes, const crash::ExplorerOptions& options) {
  constexpr size_t kShown = 10;
  for (const auto& outcome : outcomes) {
    size_t shown = 0;
    for (const crash::Violation& violation : outcome.violations) {
      if (++shown > kShown) break;
      fmt::print("\nVIOLATION {}: {}\n  {}\n  daxlab crash --replay '{}'\n", violation.engine, violation.what, violation.where,
                 crash::replay_id(violation, options));
    }
    if (outcome.violations.size() > kShown)
      fmt::print("\n{}: {} more\n", outcome.engine.to_string(), outcome.violations.size() - kShown);
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

/// The mutation score of each engine; exit code 1 where one has survivors.
Result<int> mutants(const std::vector<EngineSpec>& engines, const crash::MutationOptions& options) {
  bool survived = false;
  for (const EngineSpec& engine : engines) {
    const auto progress = [](size_t done, size_t total, const crash::MutantOutcome& outcome) {
      fmt::print(stderr, "{}/{} {} {} {}\n", done, total, outcome.site,
                 outcome.mutation == pmem::Mutation::kOmit ? "omitted" : "deferred", outcome.killed ? "killed" : "SURVIVED");
    };
    DAXLAB_ASSIGN(const auto outcomes, crash::run_mutants(engine, options, progress));
    const auto killed = std::count_if(outcomes.begin(), outcomes.end(), [](const auto& outcome) { return outcome.killed; });
    fmt::print("{}: {} of {} mutants killed ({:.1f} %)\n", engine.to_string(), killed, outcomes.size(),
               share(static_cast<uint64_t>(killed), outcomes.size()));
    for (const crash::MutantOutcome& outcome : outcomes) {
      if (outcome.killed) continue;
      survived = true;
      fmt::print("  survived: {} {}, {}\n", outcome.site, outcome.mutation == pmem::Mutation::kOmit ? "omitted" : "deferred",
                 outcome.evidence);
    }
  }
  return survived ? kExitFailed : kExitDone;
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
  if (arguments.has("--mutants")) {
    crash::MutationOptions mutation;
    mutation.explorer = options.explorer;
    mutation.workers = options.workers;
    mutation.explorer.recovery_share = kMutantRecoveryShare;
    mutation.explorer.images_per_point_max = kMutantImages;
    mutation.explorer.recovery_images_max = kMutantImages;
    return mutants(options.engines, mutation);
  }
  DAXLAB_ASSIGN(const auto outcomes, crash::run_campaign(options, show_progress));
  if (isatty(STDERR_FILENO)) fmt::print(stderr, "\r\x1b[K");
  print_table(outcomes);
  print_violations(outcomes, options.explorer);
  const bool violated =
      std::any_of(outcomes.begin(), outcomes.end(), [](const auto& outcome) { return !outcome.violations.empty(); });
  return violated ? kExitFailed : kExitDone;
}

const RegisterCommand kRegistered{{
    .name = "crash",
    .purpose = "explore the states a crash may leave, and judge each",
    .options = {{"--engine", "LIST", "engines, with options (default: every one that keeps its data on pmem)", false, false},
                {"--suite", "NAME", "seq1, seq2: every sequence of one or two steps; edge: long histories; fuzz: random ones; all (default)",
                 false, false},
                {"--budget", "S", "seconds in all, 1 to 1000000 (default 60)", false, false},
                {"--seed", "N", "of samples and random sequences, from 1 (default 1)", false, false},
                {"--model", "MODEL", "clwb: caches are lost; eadr: caches persist (default clwb)", false, false},
                {"--workers", "N", "processes, 1 to 256 (default: one a CPU)", false, false},
                {"--mutants", "",
                 "leave out each flush, fence and commit store in turn: does the exploration notice? (preset mutants)", false,
                 false},
                {"--replay", "FILE|ID", "judge one image again: an id as a violation prints it, or a file with one", false,
                 false}},
    .examples = {"daxlab crash --engine native --suite seq1", "daxlab crash --budget 600 --seed 7"},
    .notes = "Each violation is printed with the one command line that replays it.",
    .order = 60,
    .run = run,
}};

}  // namespace
}  // namespace daxlab::harness
