#include "engines/crash/mutation.h"

#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <deque>
#include <map>

namespace daxlab::crash {

namespace {

constexpr unsigned kWallPerCpu = 20;  // a hang without a loop ends too, however busy the machine is

struct Mutant {
  pmem::MutantSite site;
  pmem::Mutation mutation;
  std::vector<size_t> order;  ///< Of the sequences: those first that reach the site.
};

/// Every step alone, the edges, and the format.
std::vector<Sequence> sequences_for(const EngineSpec& engine) {
  const SyncPoints syncs = sync_points_for(engine.type->traits(engine.options));
  std::vector<Sequence> sequences = sequences_of_one(syncs);
  for (Sequence& sequence : sequences_at_edges(syncs)) sequences.push_back(std::move(sequence));
  sequences.push_back({"format", {}, {}});
  return sequences;
}

/// How often each site was reached so far.
std::map<std::string, uint64_t> hits(const std::string& in_file) {
  std::map<std::string, uint64_t> hits;
  for (const pmem::MutantSite& site : pmem::mutant_sites(in_file)) hits[site.key()] = site.hits;
  return hits;
}

/// Sites register when they are reached: every sequence runs once, unmutated, and must be without a violation.
Result<std::vector<Mutant>> find_mutants(const EngineSpec& engine, const ExplorerOptions& options) {
  ExplorerOptions brief = options;
  brief.images_per_point_max = 2;
  brief.use_everything = false;  // which would reach nearly every site behind every sequence
  const std::string in_file = "engines/" + engine.type->name().substr(0, engine.type->name().find('-'));
  const std::vector<Sequence> sequences = sequences_for(engine);
  std::map<std::string, std::vector<size_t>> reached_by;
  DAXLAB_ASSIGN(const auto explorer, Explorer::create(engine, brief));
  for (size_t i = 0; i < sequences.size(); ++i) {
    const auto before = hits(in_file);
    DAXLAB_TRY(explorer->explore(sequences[i], Explorer::Clock::time_point::max()));
    for (const auto& [key, count] : hits(in_file)) {
      const auto known = before.find(key);
      if (known == before.end() || known->second != count) reached_by[key].push_back(i);
    }
  }
  if (!explorer->violations().empty()) {
    return Error(Errc::kCorrupt, "without any mutant there is a violation: " + explorer->violations().front().what);
  }
  std::vector<Mutant> mutants;
  for (const pmem::MutantSite& site : pmem::mutant_sites(in_file)) {
    std::vector<size_t> order = reached_by[site.key()];
    for (size_t i = 0, reached = order.size(); i < sequences.size(); ++i) {
      if (!std::binary_search(order.begin(), order.begin() + static_cast<ptrdiff_t>(reached), i)) order.push_back(i);
    }
    mutants.push_back({site, pmem::Mutation::kOmit, order});
    if (site.primitive == pmem::Primitive::kFlush) mutants.push_back({site, pmem::Mutation::kDefer, order});
  }
  if (mutants.empty()) return Error(Errc::kMissingFacility, "no persist call site is known: build the preset 'mutants'");
  return mutants;
}

/// In a process of its own, as a mutant may crash, hang or corrupt anything. Writes "K" or "S" and the evidence.
[[noreturn]] void judge_mutant(const EngineSpec& engine, const MutationOptions& options, const Mutant& mutant, int fd) {
  const rlimit hang{options.hang_s, options.hang_s};
  ::setrlimit(RLIMIT_CPU, &hang);
  ::alarm(kWallPerCpu * options.hang_s);
  std::string answer;
  auto explorer = Explorer::create(engine, options.explorer);
  if (!explorer.ok() || !pmem::set_mutant(mutant.site.key(), mutant.mutation).ok()) _exit(2);
  const std::vector<Sequence> sequences = sequences_for(engine);
  for (const size_t i : mutant.order) {
    if (!(*explorer)->explore(sequences[i], Explorer::Clock::time_point::max()).ok()) _exit(2);
    if ((*explorer)->violations().empty()) continue;
    const Violation& found = (*explorer)->violations().front();
    answer = fmt::format("K{}: {}", to_string(found.sequence.ops), found.what);
    break;
  }
  if (answer.empty())
    answer = fmt::format("S{} states judged, in force {} times", (*explorer)->statistics().states, pmem::mutant_hits());
  static_cast<void>(!::write(fd, answer.data(), std::min<size_t>(answer.size(), 4000)));
  _exit(0);
}

struct Running {
  size_t index;
  pid_t child;
  int fd;
};

Running start(const EngineSpec& engine, const MutationOptions& options, const std::vector<Mutant>& mutants, size_t index) {
  int ends[2];
  DAXLAB_CHECK(::pipe(ends) == 0);
  const pid_t child = ::fork();
  DAXLAB_CHECK(child >= 0);
  if (child == 0) judge_mutant(engine, options, mutants[index], ends[1]);
  ::close(ends[1]);
  return {index, child, ends[0]};
}

/// Waits until it has answered or died; false if that is not to be waited for.
bool await(const Running& running, const std::function<bool()>& stop) {
  pollfd end{running.fd, POLLIN, 0};
  while (::poll(&end, 1, 500) <= 0) {
    if (stop && stop()) return false;
  }
  return true;
}

void abandon(const std::deque<Running>& running) {
  for (const Running& each : running) {
    ::kill(each.child, SIGKILL);
    ::close(each.fd);
    ::waitpid(each.child, nullptr, 0);
  }
}

/// What one said; a mutant whose process died has been noticed.
MutantOutcome finish(const Running& running, const Mutant& mutant) {
  std::string answer(4000, '\0');
  const ssize_t got = ::read(running.fd, answer.data(), answer.size());
  answer.resize(got > 0 ? static_cast<size_t>(got) : 0);
  ::close(running.fd);
  int status = 0;
  ::waitpid(running.child, &status, 0);
  if (answer.empty()) {
    return {mutant.site.key(), mutant.mutation, true,
            WIFSIGNALED(status) ? fmt::format("the engine died of signal {}", WTERMSIG(status)) : "the engine exited"};
  }
  return {mutant.site.key(), mutant.mutation, answer[0] == 'K', answer.substr(1)};
}

}  // namespace

Result<std::vector<MutantOutcome>> run_mutants(const EngineSpec& engine, const MutationOptions& options,
                                               const MutationWatch& watch) {
  DAXLAB_ASSIGN(const std::vector<Mutant> mutants, find_mutants(engine, options.explorer));
  std::vector<MutantOutcome> outcomes;
  std::deque<Running> running;
  for (size_t next = 0; outcomes.size() < mutants.size();) {
    while (next < mutants.size() && running.size() < std::max(1u, options.workers)) {
      running.push_back(start(engine, options, mutants, next));
      ++next;
    }
    if (!await(running.front(), watch.stop)) break;
    const Running oldest = running.front();
    running.pop_front();
    outcomes.push_back(finish(oldest, mutants[oldest.index]));
    if (watch.progress) watch.progress(outcomes.size(), mutants.size(), outcomes.back());
  }
  abandon(running);
  return outcomes;
}

}  // namespace daxlab::crash
