#include "engines/crash/campaign.h"

#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <new>
#include <unordered_set>
#include <utility>

#include "engines/base/random.h"

namespace daxlab::crash {

namespace {

using Clock = Explorer::Clock;

constexpr size_t kRandomLength = 6;  // operations of a random sequence
constexpr uint64_t kRandomBatch = 8;

SyncPoints sync_points_for(const EngineSpec& engine) { return crash::sync_points_for(engine.type->traits(engine.options)); }

std::vector<Sequence> planned(const std::vector<std::string>& suites, SyncPoints syncs) {
  std::vector<Sequence> sequences;
  const auto wants = [&](const char* suite) { return std::find(suites.begin(), suites.end(), suite) != suites.end(); };
  if (wants("seq1")) sequences = sequences_of_one(syncs);
  if (wants("edge")) {
    for (Sequence& sequence : sequences_at_edges(syncs)) sequences.push_back(std::move(sequence));
  }
  if (wants("seq2")) {
    for (Sequence& sequence : sequences_of_two(syncs)) sequences.push_back(std::move(sequence));
  }
  return sequences;
}

/// A flag that the campaign raises and its workers see. Not a signal: one that came before the worker expects it would kill it.
class StopFlag {
 public:
  static Result<StopFlag> create() {
    void* const page = ::mmap(nullptr, sizeof(Flag), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (page == MAP_FAILED) return Error(Errc::kNoSpace, "cannot map a page to share with the workers");
    return StopFlag(new (page) Flag(false));
  }
  ~StopFlag() {
    if (flag_ != nullptr) ::munmap(flag_, sizeof(Flag));
  }
  StopFlag(StopFlag&& other) noexcept : flag_(std::exchange(other.flag_, nullptr)) {}
  StopFlag& operator=(StopFlag&&) = delete;

  void raise() { flag_->store(true, std::memory_order_relaxed); }
  bool raised() const { return flag_->load(std::memory_order_relaxed); }

 private:
  using Flag = std::atomic<bool>;
  static_assert(Flag::is_always_lock_free);
  explicit StopFlag(Flag* flag) : flag_(flag) {}

  Flag* flag_;
};

/// One worker's share, explored until the deadline or until it is to stop.
class Worker {
 public:
  Worker(const CampaignOptions& options, const EngineSpec& engine, uint32_t index)
      : options_(options), syncs_(sync_points_for(engine)), index_(index) {}

  void run(Explorer& explorer, Clock::time_point deadline, const std::function<void()>& tick) const {
    const auto explore = [&](const Sequence& sequence) {
      if (Clock::now() >= deadline || options_.explorer.stop()) return false;
      if (!is_ours(sequence)) return true;
      if (!explorer.explore(sequence, deadline).ok()) return false;
      tick();
      return true;
    };
    if (index_ == 0 && !explorer.explore_format(deadline).ok()) return;
    for (const Sequence& sequence : planned(options_.suites, syncs_)) {
      if (!explore(sequence)) return;
    }
    if (std::find(options_.suites.begin(), options_.suites.end(), "fuzz") == options_.suites.end()) return;
    for (uint64_t batch = 0;; ++batch) {
      for (const Sequence& sequence :
           random_sequences(Random::mix(options_.explorer.seed, batch), kRandomBatch, kRandomLength, syncs_)) {
        if (!explore(sequence)) return;
      }
    }
  }

 private:
  /// By what comes first, so that no state is counted by two workers.
  bool is_ours(const Sequence& sequence) const {
    return std::hash<std::string>{}(sequence.ops.front().to_string()) % options_.workers == index_;
  }

  const CampaignOptions& options_;
  SyncPoints syncs_;
  uint32_t index_;
};

// --- what a worker sends: 'S' statistics | 'V' size, text: a violation, fields parted by '\x1f' | 'T' size, hashes: at its end,
// the trees that it recovered, which workers have in common

bool write_all(int fd, const void* data, size_t size_bytes) {
  const char* at = static_cast<const char*>(data);
  while (size_bytes > 0) {
    const ssize_t written = ::write(fd, at, size_bytes);
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return false;
    at += written;
    size_bytes -= static_cast<size_t>(written);
  }
  return true;
}

void send_statistics(int fd, const Statistics& statistics) {
  write_all(fd, "S", 1);
  write_all(fd, &statistics, sizeof statistics);
}

void send_violation(int fd, const Violation& violation) {
  const std::string text = fmt::format("{}\x1f{}\x1f{}\x1f{}\x1f{}\x1f{}\x1f{}", violation.engine, violation.sequence.suite,
                                       to_string(violation.sequence.setup), to_string(violation.sequence.ops), violation.image,
                                       violation.where, violation.what);
  const uint64_t size = text.size();
  write_all(fd, "V", 1);
  write_all(fd, &size, sizeof size);
  write_all(fd, text.data(), text.size());
}

void send_trees(int fd, const std::unordered_set<uint64_t>& trees) {
  const std::vector<uint64_t> hashes(trees.begin(), trees.end());
  const uint64_t size = hashes.size() * sizeof(uint64_t);
  write_all(fd, "T", 1);
  write_all(fd, &size, sizeof size);
  write_all(fd, hashes.data(), size);
}

[[noreturn]] void worker_main(const CampaignOptions& given, const EngineSpec& engine, uint32_t index, Clock::time_point deadline,
                              const StopFlag& stop, int fd) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  CampaignOptions options = given;
  options.explorer.stop = [&stop] { return stop.raised(); };
  auto explorer = Explorer::create(engine, options.explorer);
  if (!explorer.ok()) _exit(2);
  size_t sent = 0;
  auto last = Clock::now();
  const auto tick = [&] {
    for (; sent < (*explorer)->violations().size(); ++sent) send_violation(fd, (*explorer)->violations()[sent]);
    if (Clock::now() - last < std::chrono::milliseconds(200)) return;
    send_statistics(fd, (*explorer)->statistics());
    last = Clock::now();
  };
  Worker(options, engine, index).run(**explorer, deadline, tick);
  last = {};
  tick();
  send_trees(fd, (*explorer)->recovered_trees());
  _exit(0);
}

/// The reading end: keeps each worker's last statistics and all violations.
class Inbox {
 public:
  Inbox(size_t workers, const CampaignWatch& watch) : watch_(watch), buffers_(workers), statistics_(workers) {}

  void take(size_t worker, const char* data, size_t size_bytes) {
    std::string& buffer = buffers_[worker];
    buffer.append(data, size_bytes);
    while (take_message(worker, buffer)) {
    }
  }
  Statistics sum() const {
    Statistics total;
    for (const Statistics& each : statistics_) total += each;
    if (!trees_.empty()) total.recovered = trees_.size();
    return total;
  }
  std::vector<Violation> violations;

 private:
  bool take_message(size_t worker, std::string& buffer) {
    if (buffer.empty()) return false;
    if (buffer[0] == 'S') {
      if (buffer.size() < 1 + sizeof(Statistics)) return false;
      std::memcpy(&statistics_[worker], buffer.data() + 1, sizeof(Statistics));
      buffer.erase(0, 1 + sizeof(Statistics));
      return true;
    }
    uint64_t size;
    if (buffer.size() < 1 + sizeof size) return false;
    std::memcpy(&size, buffer.data() + 1, sizeof size);
    if (buffer.size() < 1 + sizeof size + size) return false;
    const std::string_view body = std::string_view(buffer).substr(1 + sizeof size, size);
    buffer[0] == 'V' ? take_violation(body) : take_trees(body);
    buffer.erase(0, 1 + sizeof size + size);
    return true;
  }

  void take_violation(std::string_view text) {
    std::vector<std::string> fields;
    for (size_t at; (at = text.find('\x1f')) != std::string_view::npos; text.remove_prefix(at + 1))
      fields.emplace_back(text.substr(0, at));
    fields.emplace_back(text);
    const auto setup = parse_ops(fields[2]);
    const auto ops = parse_ops(fields[3]);
    if (!setup.ok() || !ops.ok()) return;
    violations.push_back({fields[0], {fields[1], *setup, *ops}, fields[4], fields[5], fields[6]});
    if (watch_.found) watch_.found(violations.back());
  }

  void take_trees(std::string_view hashes) {
    for (uint64_t hash; hashes.size() >= sizeof hash; hashes.remove_prefix(sizeof hash)) {
      std::memcpy(&hash, hashes.data(), sizeof hash);
      trees_.insert(hash);
    }
  }

  const CampaignWatch& watch_;
  std::vector<std::string> buffers_;
  std::unordered_set<uint64_t> trees_;
  std::vector<Statistics> statistics_;
};

/// Reads from all workers until each has closed its end.
void drain(std::vector<pollfd>& pipes, Inbox& inbox, const std::function<void()>& tick) {
  size_t open = pipes.size();
  std::vector<char> chunk(1 << 16);
  while (open > 0) {
    tick();
    if (::poll(pipes.data(), pipes.size(), 500) <= 0) continue;
    for (size_t i = 0; i < pipes.size(); ++i) {
      if (pipes[i].fd < 0 || (pipes[i].revents & (POLLIN | POLLHUP)) == 0) continue;
      const ssize_t got = ::read(pipes[i].fd, chunk.data(), chunk.size());
      if (got < 0 && errno == EINTR) continue;
      if (got > 0) {
        inbox.take(i, chunk.data(), static_cast<size_t>(got));
      } else {
        ::close(pipes[i].fd);
        pipes[i].fd = -1;
        --open;
      }
    }
  }
  tick();
}

Result<void> reap(const EngineSpec& engine, const std::vector<pid_t>& children) {
  for (const pid_t child : children) {
    int status = 0;
    ::waitpid(child, &status, 0);
    if (WIFSIGNALED(status)) {
      return Error(Errc::kIo, fmt::format("a crash worker of {} was killed by signal {} ({})", engine.to_string(),
                                          WTERMSIG(status), strsignal(WTERMSIG(status))));
    }
    if (WEXITSTATUS(status) != 0)
      return Error(Errc::kIo, fmt::format("a crash worker of {} could not start", engine.to_string()));
  }
  return {};
}

Result<EngineOutcome> explore_engine(const CampaignOptions& options, const EngineSpec& engine, double budget_s,
                                     const CampaignWatch& watch) {
  DAXLAB_ASSIGN(const auto usable, Explorer::create(engine, options.explorer));  // a wrong engine is an answer, not a dead worker
  DAXLAB_ASSIGN(StopFlag stop, StopFlag::create());
  const auto began = Clock::now();
  const auto deadline = began + std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(budget_s));
  std::vector<pollfd> pipes;
  std::vector<pid_t> children;
  for (uint32_t i = 0; i < options.workers; ++i) {
    int ends[2];
    if (::pipe(ends) != 0) return Error(Errc::kIo, "cannot make a pipe");
    const pid_t child = ::fork();
    if (child < 0) return Error(Errc::kIo, "cannot fork");
    if (child == 0) {
      ::close(ends[0]);
      worker_main(options, engine, i, deadline, stop, ends[1]);
    }
    ::close(ends[1]);
    pipes.push_back({ends[0], POLLIN, 0});
    children.push_back(child);
  }
  Inbox inbox(options.workers, watch);
  drain(pipes, inbox, [&] {
    if (watch.progress) watch.progress(engine, inbox.sum(), std::chrono::duration<double>(deadline - Clock::now()).count());
    if (watch.stop && watch.stop()) stop.raise();
  });
  DAXLAB_TRY(reap(engine, children));
  EngineOutcome outcome{engine, inbox.sum(), std::move(inbox.violations),
                        planned(options.suites, sync_points_for(engine)).size()};
  outcome.statistics.seconds = std::chrono::duration<double>(Clock::now() - began).count();
  return outcome;
}

const char* model_name(pmem::CrashModel model) { return model == pmem::CrashModel::kClwb ? "clwb" : "eadr"; }

}  // namespace

Result<std::vector<EngineOutcome>> run_campaign(const CampaignOptions& options, const CampaignWatch& watch) {
  std::vector<EngineOutcome> outcomes;
  for (const EngineSpec& engine : options.engines) {
    if (watch.stop && watch.stop()) break;
    DAXLAB_ASSIGN(EngineOutcome outcome,
                  explore_engine(options, engine, options.budget_s / static_cast<double>(options.engines.size()), watch));
    outcomes.push_back(std::move(outcome));
  }
  return outcomes;
}

std::string replay_id(const Violation& violation, const ExplorerOptions& options) {
  return fmt::format("{}|{}|{}|{}|{}|{}", violation.engine, model_name(options.model), options.seed,
                     to_string(violation.sequence.setup), to_string(violation.sequence.ops), violation.image);
}

Result<std::string> replay(std::string_view id) {
  std::vector<std::string_view> fields;
  for (size_t at; (at = id.find('|')) != std::string_view::npos; id.remove_prefix(at + 1)) fields.push_back(id.substr(0, at));
  fields.push_back(id);
  ExplorerOptions options;
  const bool seed_ok = fields.size() == 6 && std::from_chars(fields[2].begin(), fields[2].end(), options.seed).ec == std::errc();
  if (!seed_ok || (fields[1] != "clwb" && fields[1] != "eadr")) {
    return Error(Errc::kUsage, "a replay id reads ENGINE|clwb or eadr|SEED|SETUP|OPERATIONS|IMAGE");
  }
  options.model = fields[1] == "clwb" ? pmem::CrashModel::kClwb : pmem::CrashModel::kEadr;
  Sequence sequence{"replay", {}, {}};
  DAXLAB_ASSIGN(const EngineSpec engine, parse_engine(fields[0]));
  DAXLAB_ASSIGN(sequence.setup, parse_ops(fields[3]));
  DAXLAB_ASSIGN(sequence.ops, parse_ops(fields[4]));
  DAXLAB_ASSIGN(const auto explorer, Explorer::create(engine, options));
  return explorer->replay(sequence, std::string(fields[5]));
}

}  // namespace daxlab::crash
