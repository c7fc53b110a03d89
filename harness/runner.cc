#include "harness/runner.h"

#include <fmt/format.h>

#include <algorithm>

#include "engines/base/random.h"
#include "harness/cell_process.h"
#include "harness/environment.h"
#include "harness/interrupt.h"
#include "harness/media_pool.h"
#include "harness/progress.h"
#include "harness/results.h"

namespace daxlab::harness {
namespace {

class Runner {
 public:
  Runner(const Matrix& matrix, const RunOptions& options, ResultsFolder folder)
      : matrix_(matrix), options_(options), folder_(std::move(folder)), jobs_(matrix.jobs()), progress_(jobs_.size()) {
    for (const Cell& cell : matrix_.cells) ids_.push_back(cell.id());
  }

  Result<RunOutcome> run() {
    DAXLAB_TRY(open_media());
    if (folder_.fresh()) {
      if (options_.calibrate) progress_.begin(0, "measuring the machine's floors");
      DAXLAB_TRY(folder_.write_environment(environment_json(matrix_, options_.command_line, media_, options_.calibrate)));
    }
    RunOutcome outcome;
    for (const Job& job : jobs_) {
      if (folder_.finished().contains({ids_[job.cell], job.kind, job.repetition})) continue;
      if (interrupted()) break;
      DAXLAB_TRY(one(job));
    }
    outcome.folder = folder_.path();
    outcome.repetitions = jobs_.size();
    outcome.finished = folder_.finished().size();
    outcome.failed = folder_.failed();
    outcome.interrupted = interrupted();
    return outcome;
  }

 private:
  Result<void> open_media() {
    for (const Cell& cell : matrix_.cells) {
      if (media_.will_populate(cell))
        progress_.begin(folder_.finished().size(), fmt::format("populating {}", cell.media.to_string()));
      DAXLAB_TRY(media_.require(cell));
    }
    return {};
  }

  /// Loads and attaches on first use: every plain and accounted repetition has run by then.
  Result<probes::Session*> loaded() {
    if (session_ == nullptr) {
      progress_.begin(folder_.finished().size(), "loading the probes");
      probes::SessionOptions wanted;
      if (matrix_.probes != std::vector<std::string>{"auto"}) wanted.probes = matrix_.probes;
      wanted.binary = own_path();
      DAXLAB_ASSIGN(session_, probes::Session::open(wanted));
    }
    return session_.get();
  }

  Result<void> one(const Job& job) {
    const Cell& cell = matrix_.cells[job.cell];
    CellTask task;
    task.cell = cell;
    task.kind = job.kind;
    task.seed = Random::mix(matrix_.seed, job.repetition) >> 1;  // fits a signed JSON integer
    task.seconds = matrix_.seconds;
    task.ops = matrix_.ops;
    CellProcessOptions process;
    process.media_fd = media_.fd(cell);
    process.timeout_seconds = options_.timeout_seconds + 20 * matrix_.seconds;
    process.tick = [this] {
      progress_.tick();
      return !interrupted();
    };
    if (job.kind == Kind::kTraced) {
      DAXLAB_ASSIGN(probes::Session * session, loaded());
      process.arm = [session](pid_t pid, const std::vector<probes::AddressRange>& ranges) { return session->begin(pid, ranges); };
    }
    progress_.begin(folder_.finished().size(), fmt::format("{} {} {}", name(job.kind), job.repetition + 1, cell.describe()));
    const std::string started = utc_now();
    DAXLAB_ASSIGN(const CellProcessResult done, run_cell_process(task, process));
    std::vector<probes::ProbeReport> reports;
    if (done.armed) reports = session_->end();
    if (done.interrupted) return {};
    const Json record = make_record(job, task, started, done.result, reports);
    if (record["status"].text() != "ok") {
      progress_.line(
          fmt::format("{}: {} ({}): {}", record["status"].text(), cell.describe(), name(job.kind), record["error"].text()));
    }
    DAXLAB_TRY(folder_.append(record));
    progress_.finished();
    return {};
  }

  Json make_record(const Job& job, const CellTask& task, const std::string& started, const Json& result,
                   const std::vector<probes::ProbeReport>& reports) const {
    const Cell& cell = task.cell;
    Json record = Json::object();
    record.set("schema", kSchemaVersion).set("run", folder_.name()).set("cell", ids_[job.cell]).set("time", started);
    record.set("kind", name(job.kind)).set("engine", cell.engine.type->name()).set("options", options_json(cell));
    record.set("workload", cell.workload->name()).set("params", params_json(cell));
    record.set("fingerprint", fingerprint(*cell.workload, cell.params)).set("threads", cell.threads);
    record.set("crossing", name(cell.crossing)).set("repetition", job.repetition).set("seed", task.seed);
    record.set("media", result.find("media") != nullptr ? result["media"] : nominal_media(cell));
    const bool ok = result["status"].text() == "ok";
    for (const auto& [key, value] : result.members()) {
      if (key != "media" && !(ok && key == "error")) record.set(key, value);
    }
    if (!ok) return record;
    if (job.kind == Kind::kTraced) {
      Json probes = Json::object();
      for (const probes::ProbeReport& report : reports) probes.set(report.name, probe_json(report));
      record.set("probes", std::move(probes));
    }
    if (job.kind != Kind::kPlain) {
      const auto plain = folder_.plain_ns().find(ids_[job.cell]);
      const double base = plain == folder_.plain_ns().end() ? 0 : median(plain->second);
      record.set("overhead", base > 0 ? Json(record["ns_per_op"].real() / base) : Json());
    }
    return record;
  }

  static Json options_json(const Cell& cell) {
    Json json = Json::object();
    for (const auto& [option, value] : cell.engine.options.all()) json.set(option, value);
    if (!cell.engine.label.empty()) json.set("label", cell.engine.label);
    return json;
  }

  static Json params_json(const Cell& cell) {
    Json json = Json::object();
    for (const auto& [axis, value] : cell.params.all()) json.set(axis, value);
    return json;
  }

  /// For a child that died before it could say what it ran on.
  static Json nominal_media(const Cell& cell) {
    Json json = Json::object();
    json.set("kind", pmem::name(cell.media.kind)).set("class", pmem::name(pmem::MediaClass::kEmulated));
    json.set("profile", cell.media.profile)
        .set("run_bytes", cell.media.run.run_bytes)
        .set("run", pmem::to_string(cell.media.run));
    return json.set("size_bytes", cell.media.size_bytes).set("seed", cell.media.seed).set("mmu", "none");
  }

  const Matrix& matrix_;
  const RunOptions& options_;
  ResultsFolder folder_;
  const std::vector<Job> jobs_;
  std::vector<std::string> ids_;
  Progress progress_;
  MediaPool media_;
  std::unique_ptr<probes::Session> session_;
};

Json histogram_json(const probes::Log2Histogram& histogram) {
  Json slots = Json::array();
  size_t used = histogram.slots.size();
  while (used > 0 && histogram.slots[used - 1] == 0) --used;
  for (size_t i = 0; i < used; ++i) slots.push(histogram.slots[i]);
  Json json = Json::object();
  return json.set("count", histogram.count).set("sum", histogram.sum).set("max", histogram.max).set("slots", std::move(slots));
}

}  // namespace

Json probe_json(const probes::ProbeReport& report) {
  Json counts = Json::object();
  for (const auto& [key, count] : report.counts) counts.set(key, count);
  Json histograms = Json::object();
  for (const auto& [key, histogram] : report.histograms) histograms.set(key, histogram_json(histogram));
  Json json = Json::object();
  json.set("attached_by", report.attached_by).set("fallback", report.fallback).set("skipped", report.skipped);
  return json.set("counts", std::move(counts)).set("histograms", std::move(histograms)).set("lost", report.lost);
}

Result<RunOutcome> run_matrix(const Matrix& matrix, const RunOptions& options) {
  DAXLAB_ASSIGN(ResultsFolder folder, ResultsFolder::open({options.out, options.resume, matrix.hash(), matrix.seed}));
  catch_interrupts();
  return Runner(matrix, options, std::move(folder)).run();
}

}  // namespace daxlab::harness
