#include "harness/guest/plan.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "harness/environment.h"
#include "harness/matrix_arguments.h"
#include "harness/results.h"

namespace daxlab::harness {
namespace {

constexpr const char* kMountPoint = "/mnt/p";               // of the kernel file systems, in the guest
constexpr const char* kDevice = "devdax:/dev/daxlab";       // of the engines, in the guest
constexpr const char* kFile = "file:/mnt/p/medium:768MiB";  // the same on a DAX file system, mapped with MAP_SYNC
constexpr uint64_t kMediumBytes = uint64_t{1} << 30;        // the emulated NVDIMM
constexpr uint64_t kOpsDefault = 500;

uint64_t hash_text(std::string_view text) {
  uint64_t hash = 0xcbf29ce484222325u;  // FNV-1a
  for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3u;
  return hash;
}

/// Engines whose counts mean something here: those on persistent memory, and the harness's own cost.
std::vector<std::string> every_engine() {
  std::vector<std::string> names;
  for (const EngineType* type : engine_types()) {
    EngineSpec spec = *parse_engine(type->name());
    if (type->name() == "null" || type->traits(spec.options).needs_region) names.push_back(type->name());
  }
  return names;
}

struct Wanted {
  std::vector<std::string> engines;
  std::vector<std::string> file_systems;
};

/// Flags replace the file's list; --fs alone asks for no engine, --engine alone for no file system.
Result<Wanted> wanted_from(const Arguments& arguments, const MatrixFile& file) {
  std::vector<std::string> all;
  if (arguments.has("--engine") || arguments.has("--fs")) {
    for (const char* flag : {"--engine", "--fs"}) {
      if (!arguments.has(flag)) continue;
      DAXLAB_ASSIGN(const std::vector<std::string> names, split_list(arguments.get(flag), flag));
      all.insert(all.end(), names.begin(), names.end());
    }
  } else if (!file.engines.empty()) {
    all = file.engines;
  } else {
    all = every_engine();
    all.insert(all.begin(), {"ext4-dax", "xfs-dax"});
  }
  Wanted wanted;
  for (const std::string& name : all) (names_file_system(name) ? wanted.file_systems : wanted.engines).push_back(name);
  return wanted;
}

/// The file with `engine` as its only engine; groups that are narrowed to others are dropped, `listed` being its name there.
MatrixFile narrowed(MatrixFile file, const std::string& engine, const std::string& listed, const char* media) {
  file.engines = {engine};
  file.media = {media};
  std::erase_if(file.groups, [&](const CellGroup& group) {
    return group.engines && std::ranges::find(*group.engines, listed) == group.engines->end();
  });
  for (CellGroup& group : file.groups) group.engines.reset();
  return file;
}

Result<GuestJob> job_of(const MatrixFile& file, const Overrides& overrides, const std::string& name,
                        std::optional<FileSystem> file_system, std::optional<FileSystem> below,
                        std::vector<std::string>& unsuited) {
  GuestJob job{name, std::move(file_system), std::move(below), {}};
  const std::string engine = job.file_system ? fmt::format("posix:path={}", kMountPoint) : name;
  DAXLAB_ASSIGN(const Matrix matrix, expand(narrowed(file, engine, name, job.below ? kFile : kDevice), overrides));
  unsuited.insert(unsuited.end(), matrix.unsuited.begin(), matrix.unsuited.end());
  for (const Cell& cell : matrix.cells) {
    if (cell.threads == 1) {
      job.cells.push_back(cell);
    } else {
      unsuited.push_back(fmt::format("{}: needs {} threads, and the guest has one processor", cell.describe(), cell.threads));
    }
  }
  return job;
}

/// A step that changes nothing but a timestamp finds nothing to commit within one tick of the kernel's clock.
bool waits_for_tick(const Cell& cell) { return cell.workload->name() == "fsync_every" && cell.params.is("op", "overwrite"); }

Json strings(const std::map<std::string, std::string>& values) {
  Json json = Json::object();
  for (const auto& [key, value] : values) json.set(key, value);
  return json;
}

Json media_json(const GuestJob& job, const Cell& cell) {
  Json json = Json::object();
  json.set("kind", "nvdimm").set("class", "guest").set("profile", "dram").set("run_bytes", cell.media.run.run_bytes);
  if (job.below) json.set("kind", "file");
  json.set("run", pmem::to_string(cell.media.run)).set("size_bytes", kMediumBytes).set("seed", cell.media.seed);
  return json.set("mmu", job.file_system ? "kernel" : "none");
}

Json record_json(const GuestJob& job, const Cell& cell, uint64_t seed, uint32_t repetition) {
  std::map<std::string, std::string> options = cell.engine.options.all();
  std::string id = cell.id();
  std::string engine = cell.engine.type->name();
  if (job.file_system) {
    options = job.file_system->options;
    engine = job.file_system->name;
    std::string covered = fmt::format("guest engine={}\nfingerprint={}\n", engine, fingerprint(*cell.workload, cell.params));
    for (const auto& [key, value] : options) covered += fmt::format("{}={}\n", key, value);
    id = fmt::format("{:016x}", hash_text(covered));
  } else if (!cell.engine.label.empty()) {
    options["label"] = cell.engine.label;
  }
  if (const std::string models = cell.engine.type->models(); !models.empty()) options["models"] = models;
  Json json = Json::object();
  json.set("schema", kSchemaVersion).set("run", "").set("cell", id).set("time", utc_now()).set("kind", "exact");
  json.set("engine", engine).set("options", strings(options)).set("workload", cell.workload->name());
  json.set("params", strings(cell.params.all())).set("fingerprint", fingerprint(*cell.workload, cell.params));
  json.set("threads", cell.threads).set("crossing", name(cell.crossing)).set("repetition", repetition).set("seed", seed);
  return json.set("media", media_json(job, cell));
}

Json job_json(const GuestJob& job, uint64_t ops, uint64_t seed, uint32_t repetition) {
  Json cells = Json::array();
  for (const Cell& cell : job.cells) {
    CellTask task;
    task.cell = cell;
    task.seed = seed;
    task.ops = ops;
    Json json = Json::object();
    json.set("describe", cell.describe()).set("record", record_json(job, cell, seed, repetition));
    cells.push(json.set("task", task.to_json().set("dax", job.file_system.has_value()).set("tick", waits_for_tick(cell))));
  }
  Json json = Json::object();
  json.set("name", job.name).set("cells", std::move(cells));
  const std::optional<FileSystem>& mounted = job.file_system ? job.file_system : job.below;
  if (!mounted) return json.set("medium", "devdax");
  json.set("medium", "fsdax").set("type", mounted->type()).set("mkfs", mounted->mkfs(seed));
  return json.set("mount_options", mounted->mount_options()).set("mount_point", kMountPoint);
}

}  // namespace

Json GuestPlan::to_json(const Json& environment) const {
  Json all = Json::array();
  for (uint32_t repetition = 0; repetition < repetitions; ++repetition) {
    for (const GuestJob& job : jobs) all.push(job_json(job, ops, seed + repetition, repetition));
  }
  Json json = Json::object();
  json.set("name", name).set("ops", ops).set("seed", seed).set("medium_bytes", kMediumBytes);
  return json.set("environment", environment).set("jobs", std::move(all));
}

Result<GuestPlan> plan_from(const std::string& path, const Arguments& arguments) {
  DAXLAB_ASSIGN(const MatrixFile file, read_matrix(path));
  DAXLAB_ASSIGN(Overrides overrides, overrides_from(arguments));
  DAXLAB_ASSIGN(const Wanted wanted, wanted_from(arguments, file));
  overrides.engines.reset();
  overrides.axes["threads"] = {"1"};
  GuestPlan plan;
  plan.name = file.name;
  plan.ops = overrides.settings.ops.value_or(file.settings.ops.value_or(kOpsDefault));
  plan.seed = overrides.settings.seed.value_or(file.settings.seed.value_or(kSeedDefault));
  plan.repetitions = overrides.settings.repetitions.value_or(file.settings.repetitions.value_or(1));
  std::optional<FileSystem> below;
  if (arguments.has("--on") && arguments.get("--on") != "devdax") {
    DAXLAB_ASSIGN(below, parse_file_system(arguments.get("--on")));
  }
  std::set<std::string> names;
  for (const std::string& name : wanted.file_systems) {
    DAXLAB_ASSIGN(FileSystem file_system, parse_file_system(name));
    const std::string full = file_system.to_string();
    if (!names.insert(full).second) return Error(Errc::kUsage, fmt::format("file system '{}' is there twice", full));
    DAXLAB_ASSIGN(GuestJob job, job_of(file, overrides, name, std::move(file_system), std::nullopt, plan.unsuited));
    job.name = full;
    plan.jobs.push_back(std::move(job));
  }
  for (const std::string& name : wanted.engines) {
    DAXLAB_ASSIGN(const EngineSpec spec, parse_engine(name));
    if (!names.insert(spec.to_string()).second) return Error(Errc::kUsage, fmt::format("engine '{}' is there twice", name));
    DAXLAB_ASSIGN(GuestJob job, job_of(file, overrides, name, std::nullopt, below, plan.unsuited));
    plan.jobs.push_back(std::move(job));
  }
  std::erase_if(plan.jobs, [](const GuestJob& job) { return job.cells.empty(); });
  if (plan.jobs.empty())
    return Error(Errc::kUsage, "nothing is left to run: see 'daxlab list engines' and 'daxlab list workloads'");
  return plan;
}

}  // namespace daxlab::harness
