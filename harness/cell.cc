#include "harness/cell.h"

#include <fmt/format.h>

namespace daxlab::harness {
namespace {

// FNV-1a, 64 bit (Fowler, Noll, Vo): stable across compilers and machines, which std::hash is not.
uint64_t hash_text(std::string_view text) {
  uint64_t hash = 0xcbf29ce484222325u;
  for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3u;
  return hash;
}

}  // namespace

const char* name(Kind kind) {
  switch (kind) {
    case Kind::kPlain:
      return "plain";
    case Kind::kAccounted:
      return "accounted";
    case Kind::kTraced:
      return "traced";
  }
  return "plain";
}

Result<Kind> parse_kind(std::string_view text) {
  for (const Kind kind : {Kind::kPlain, Kind::kAccounted, Kind::kTraced}) {
    if (text == name(kind)) return kind;
  }
  return Error(Errc::kUsage, fmt::format("unknown kind '{}'; there are: plain, accounted, traced", text));
}

const char* name(Crossing crossing) { return crossing == Crossing::kNone ? "none" : "syscall"; }

Result<Crossing> parse_crossing(std::string_view text) {
  if (text == "none") return Crossing::kNone;
  if (text == "syscall") return Crossing::kSyscall;
  return Error(Errc::kUsage, fmt::format("crossing '{}' is neither none nor syscall", text));
}

std::string Cell::id() const {
  const std::string covered = fmt::format("engine={}\nlabel={}\noptions={}\nfingerprint={}\nthreads={}\ncrossing={}\nmedia={}\n",
                                          engine.type->name(), engine.label, engine.options.to_string(),
                                          fingerprint(*workload, params), threads, name(crossing), media.identity());
  return fmt::format("{:016x}", hash_text(covered));
}

std::string Cell::describe() const {
  std::string text = fmt::format("{} {} threads={}", workload->name(), engine.to_string(), threads);
  for (const AxisSpec& axis : workload->axes()) {
    if (params.get(axis.name) != axis.default_value) text += fmt::format(" {}={}", axis.name, params.get(axis.name));
  }
  if (crossing == Crossing::kSyscall) text += " crossing=syscall";
  return text;
}

Json CellTask::to_json() const {
  Json params = Json::object();
  for (const auto& [axis, value] : cell.params.all()) params.set(axis, value);
  Json json;
  json.set("engine", cell.engine.to_string()).set("workload", cell.workload->name()).set("params", std::move(params));
  json.set("threads", cell.threads).set("crossing", name(cell.crossing)).set("media", cell.media.to_string());
  json.set("kind", name(kind)).set("seed", seed).set("seconds", seconds).set("ops", ops).set("timeline", timeline);
  return json;
}

Result<CellTask> CellTask::from_json(const Json& json) {
  CellTask task;
  DAXLAB_ASSIGN(task.cell.engine, parse_engine(json["engine"].text()));
  DAXLAB_ASSIGN(task.cell.workload, find_workload(json["workload"].text()));
  std::map<std::string, std::string> given;
  for (const auto& [axis, value] : json["params"].members()) given[axis] = value.text();
  DAXLAB_ASSIGN(task.cell.params, resolve_params(*task.cell.workload, given));
  task.cell.threads = static_cast<uint32_t>(json["threads"].u64(1));
  DAXLAB_ASSIGN(task.cell.crossing, parse_crossing(json["crossing"].text()));
  DAXLAB_ASSIGN(task.cell.media, pmem::MediaSpec::parse(json["media"].text()));
  DAXLAB_ASSIGN(task.kind, parse_kind(json["kind"].text()));
  task.seed = json["seed"].u64();
  task.seconds = json["seconds"].real();
  task.ops = json["ops"].u64();
  task.timeline = json["timeline"].boolean();
  return task;
}

}  // namespace daxlab::harness
