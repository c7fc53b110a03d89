// From what was asked for to cells: which engines a group runs, which axes each engine and workload has, what is left out.
#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "harness/matrix.h"

namespace daxlab::harness {
namespace {

constexpr uint32_t kThreadsMax = 256;

/// The name of "native@a:data=cow": what narrowing compares.
std::string base_name(std::string_view engine) { return std::string(engine.substr(0, engine.find_first_of("@:"))); }

/// Whether the text pins option `name` itself.
bool pins(std::string_view engine, std::string_view name) {
  return engine.find(fmt::format(":{}=", name)) != std::string_view::npos;
}

struct Named {
  std::string text;
  EngineSpec spec;
};

/// One combination of values, axis by axis.
using Choice = std::map<std::string, std::string>;

std::vector<Choice> product(const AxisLists& lists) {
  std::vector<Choice> choices(1);
  for (const auto& [axis, values] : lists) {
    std::vector<Choice> longer;
    for (const Choice& choice : choices) {
      for (const std::string& value : values) {
        longer.push_back(choice);
        longer.back()[axis] = value;
      }
    }
    choices = std::move(longer);
  }
  return choices;
}

class Expansion {
 public:
  Expansion(const MatrixFile& file, const Overrides& overrides) : file_(file), overrides_(overrides) {}

  Result<Matrix> run() {
    DAXLAB_TRY(settings());
    DAXLAB_TRY(media());
    DAXLAB_TRY(engines());
    DAXLAB_TRY(check_overriding_axes());
    DAXLAB_TRY(groups());
    DAXLAB_TRY(check_file_axes());
    if (matrix_.cells.empty()) {
      const std::string why = matrix_.unsuited.empty() ? std::string("no cell matches") : matrix_.unsuited.front();
      return Error(Errc::kUsage, fmt::format("nothing to run: {}", why));
    }
    return std::move(matrix_);
  }

 private:
  Result<void> settings();
  Result<void> media();
  Result<void> engines();
  Result<void> check_overriding_axes();
  Result<void> check_file_axes();
  Result<void> groups();
  Result<void> group(const CellGroup& group, const WorkloadType& workload);
  Result<void> cells_of(const Named& engine, const WorkloadType& workload, const AxisLists& axes);
  Result<void> add(const Named& engine, const WorkloadType& workload, const Choice& choice, const pmem::MediaSpec& media);
  std::vector<Named> engines_of(const CellGroup& group) const;

  const MatrixFile& file_;
  const Overrides& overrides_;
  Matrix matrix_;
  std::vector<pmem::MediaSpec> media_;
  std::vector<Named> chosen_;                 // the list that un-narrowed groups run
  std::map<std::string, EngineSpec> parsed_;  // every engine text that occurs
  std::set<std::string> named_in_file_;       // base names
  std::set<std::string> chosen_workloads_;
  std::set<std::string> ids_;
};

Result<void> Expansion::settings() {
  const auto pick = [](const auto& flag, const auto& file) { return flag ? flag : file; };
  const RunSettings& flag = overrides_.settings;
  const RunSettings& file = file_.settings;
  matrix_.name = file_.name;
  matrix_.repetitions = pick(flag.repetitions, file.repetitions).value_or(kRepetitionsDefault);
  matrix_.seed = pick(flag.seed, file.seed).value_or(kSeedDefault);
  if (flag.ops || (file.ops && !flag.seconds)) {
    matrix_.ops = pick(flag.ops, file.ops).value_or(0);
    matrix_.seconds = 0;
  } else {
    matrix_.seconds = pick(flag.seconds, file.seconds).value_or(kSecondsDefault);
  }
  matrix_.probes = pick(flag.probes, file.probes).value_or(std::vector<std::string>{"auto"});
  if (matrix_.probes.size() > 1) {
    for (const std::string& probe : matrix_.probes) {
      if (probe == "auto" || probe == "none")
        return Error(Errc::kUsage, fmt::format("--probe: '{}' stands alone, or give names", probe));
    }
  }
  if (matrix_.probes == std::vector<std::string>{"none"}) matrix_.probes.clear();
  return {};
}

Result<void> Expansion::media() {
  std::vector<std::string> texts = overrides_.media.value_or(file_.media);
  if (texts.empty()) texts.emplace_back(kMediaDefault);
  for (const std::string& text : texts) {
    DAXLAB_ASSIGN(pmem::MediaSpec spec, pmem::MediaSpec::parse(text));
    media_.push_back(std::move(spec));
  }
  return {};
}

Result<void> Expansion::engines() {
  const auto parse = [&](const std::vector<std::string>& texts) -> Result<void> {
    for (const std::string& text : texts) {
      DAXLAB_ASSIGN(parsed_[text], parse_engine(text));
    }
    return {};
  };
  for (const std::string& text : file_.engines) named_in_file_.insert(base_name(text));
  DAXLAB_TRY(parse(file_.engines));
  for (const CellGroup& group : file_.groups) {
    if (!group.engines) continue;
    DAXLAB_TRY(parse(*group.engines));
    for (const std::string& text : *group.engines) named_in_file_.insert(base_name(text));
  }
  if (overrides_.engines) DAXLAB_TRY(parse(*overrides_.engines));
  const std::vector<std::string>& texts = overrides_.engines ? *overrides_.engines : file_.engines;
  for (const std::string& text : texts) chosen_.push_back({text, parsed_[text]});
  if (overrides_.workloads) {
    for (const std::string& workload : *overrides_.workloads) {
      DAXLAB_TRY(find_workload(workload));
      chosen_workloads_.insert(workload);
    }
  }
  return {};
}

bool has_axis(const WorkloadType& workload, const std::string& axis) {
  const auto axes = workload.axes();
  return std::any_of(axes.begin(), axes.end(), [&](const AxisSpec& a) { return a.name == axis; });
}

bool has_option(const EngineType& engine, const std::string& name) {
  const auto options = engine.options();
  return std::any_of(options.begin(), options.end(), [&](const OptionSpec& o) { return o.name == name; });
}

bool of_harness(const std::string& axis) { return axis == "threads" || axis == "crossing"; }

Error nobody_has(const std::string& axis, const std::set<std::string>& there_are) {
  return {Errc::kUsage,
          fmt::format("no chosen engine or workload has an axis '{}'; they have: {}", axis, fmt::join(there_are, ", "))};
}

Result<void> Expansion::check_overriding_axes() {
  std::set<std::string> known{"threads", "crossing"};
  for (const Named& engine : chosen_) {
    for (const OptionSpec& option : engine.spec.type->options()) known.insert(option.name);
  }
  if (chosen_.empty() || !overrides_.engines) {
    for (const auto& [text, spec] : parsed_) {
      for (const OptionSpec& option : spec.type->options()) known.insert(option.name);
    }
  }
  std::set<std::string> workloads = chosen_workloads_;
  if (!overrides_.workloads) {
    for (const CellGroup& group : file_.groups) workloads.insert(group.workloads.begin(), group.workloads.end());
  }
  for (const std::string& workload : workloads) {
    DAXLAB_ASSIGN(const WorkloadType* type, find_workload(workload));
    for (const AxisSpec& axis : type->axes()) known.insert(axis.name);
  }
  for (const auto& [axis, values] : overrides_.axes) {
    if (!known.contains(axis)) return nobody_has(axis, known);
  }
  return {};
}

/// An axis of the file must belong to a workload or engine that the file or the command line names: a flag that leaves its owner
/// out does not make the file wrong.
Result<void> Expansion::check_file_axes() {
  std::set<std::string> options{"threads", "crossing"};
  for (const auto& [text, spec] : parsed_) {
    for (const OptionSpec& option : spec.type->options()) options.insert(option.name);
  }
  std::set<std::string> anywhere = options;
  for (const CellGroup& group : file_.groups) {
    std::set<std::string> known = options;
    for (const std::string& workload : group.workloads) {
      DAXLAB_ASSIGN(const WorkloadType* type, find_workload(workload));
      for (const AxisSpec& axis : type->axes()) known.insert(axis.name);
    }
    for (const auto& [axis, values] : group.axes) {
      if (!known.contains(axis)) return nobody_has(axis, known);
    }
    anywhere.insert(known.begin(), known.end());
  }
  for (const auto& [axis, values] : file_.axes) {
    if (!anywhere.contains(axis)) return nobody_has(axis, anywhere);
  }
  return {};
}

/// The engines of a group: its own list or the general one; under --engine those of the flag that the group names, and those that
/// the file names nowhere.
std::vector<Named> Expansion::engines_of(const CellGroup& group) const {
  if (!group.engines) return chosen_;
  std::vector<Named> narrowed;
  if (!overrides_.engines) {
    for (const std::string& text : *group.engines) narrowed.push_back({text, parsed_.at(text)});
    return narrowed;
  }
  std::set<std::string> here;
  for (const std::string& text : *group.engines) here.insert(base_name(text));
  for (const Named& engine : chosen_) {
    const std::string base = base_name(engine.text);
    if (here.contains(base) || !named_in_file_.contains(base)) narrowed.push_back(engine);
  }
  return narrowed;
}

Result<void> Expansion::groups() {
  std::set<std::string> seen;
  for (const CellGroup& one : file_.groups) {
    for (const std::string& workload : one.workloads) {
      DAXLAB_ASSIGN(const WorkloadType* type, find_workload(workload));
      seen.insert(workload);
      if (!overrides_.workloads || chosen_workloads_.contains(workload)) DAXLAB_TRY(group(one, *type));
    }
  }
  for (const std::string& workload : chosen_workloads_) {
    if (seen.contains(workload)) continue;
    DAXLAB_ASSIGN(const WorkloadType* type, find_workload(workload));
    DAXLAB_TRY(group(CellGroup{{workload}, std::nullopt, {}}, *type));
  }
  return {};
}

Result<void> Expansion::group(const CellGroup& group, const WorkloadType& workload) {
  AxisLists axes = file_.axes;
  for (const auto& [axis, values] : group.axes) axes[axis] = values;
  for (const auto& [axis, values] : overrides_.axes) axes[axis] = values;
  for (const Named& engine : engines_of(group)) DAXLAB_TRY(cells_of(engine, workload, axes));
  return {};
}

Result<void> Expansion::cells_of(const Named& engine, const WorkloadType& workload, const AxisLists& axes) {
  AxisLists mine;
  for (const auto& [axis, values] : axes) {
    const bool engines = has_option(*engine.spec.type, axis) && !pins(engine.text, axis);
    if (engines || has_axis(workload, axis) || of_harness(axis)) mine[axis] = values;
  }
  for (const Choice& choice : product(mine)) {
    for (const pmem::MediaSpec& media : media_) DAXLAB_TRY(add(engine, workload, choice, media));
  }
  return {};
}

Result<uint32_t> parse_threads(const std::string& text) {
  uint32_t threads = 0;
  for (const char c : text) {
    if (c < '0' || c > '9' || threads > kThreadsMax) {
      threads = 0;
      break;
    }
    threads = threads * 10 + static_cast<uint32_t>(c - '0');
  }
  if (threads >= 1 && threads <= kThreadsMax) return threads;
  return Error(Errc::kUsage, fmt::format("threads '{}' is not a whole number, 1 to {}", text, kThreadsMax));
}

Result<void> Expansion::add(const Named& engine, const WorkloadType& workload, const Choice& choice,
                            const pmem::MediaSpec& media) {
  Cell cell;
  cell.engine = engine.spec;
  cell.workload = &workload;
  cell.media = media;
  std::map<std::string, std::string> given;
  for (const auto& chosen : choice) {
    const auto& axis = chosen.first;  // no binding: a lambda below reads it
    const auto& value = chosen.second;
    if (axis == "threads") {
      DAXLAB_ASSIGN(cell.threads, parse_threads(value));
    } else if (axis == "crossing") {
      DAXLAB_ASSIGN(cell.crossing, parse_crossing(value));
    } else if (has_axis(workload, axis)) {
      given[axis] = value;
    } else {
      const auto options = engine.spec.type->options();
      const auto spec = std::find_if(options.begin(), options.end(), [&](const OptionSpec& o) { return o.name == axis; });
      DAXLAB_ASSIGN(std::string checked, check_option(*spec, value));
      cell.engine.options.set(axis, std::move(checked));
    }
  }
  DAXLAB_ASSIGN(cell.params, resolve_params(workload, given));
  if (const uint32_t fixed = workload.fixed_threads(cell.params); fixed != 0) cell.threads = fixed;
  const Traits traits = cell.traits();
  if (traits.enters_kernel) cell.crossing = Crossing::kSyscall;
  if (const std::string why = workload.unsuited(traits); !why.empty()) {
    const std::string note = fmt::format("{} on {}: {}", workload.name(), engine.text, why);
    if (std::find(matrix_.unsuited.begin(), matrix_.unsuited.end(), note) == matrix_.unsuited.end())
      matrix_.unsuited.push_back(note);
    return {};
  }
  if (ids_.insert(cell.id()).second) matrix_.cells.push_back(std::move(cell));
  return {};
}

}  // namespace

Result<Matrix> expand(const MatrixFile& file, const Overrides& overrides) { return Expansion(file, overrides).run(); }

}  // namespace daxlab::harness
