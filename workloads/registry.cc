// Workload types by name, their parameters resolved, and the hash that says which cells may be compared.
#include <fmt/core.h>

#include <algorithm>
#include <array>

#include "engines/base/units.h"
#include "workloads/workload.h"

namespace daxlab {
namespace {

std::vector<std::unique_ptr<WorkloadType>>& registered() {
  static std::vector<std::unique_ptr<WorkloadType>> types;
  return types;
}

/// Axes have three owners and one name space: a matrix could not tell which one is meant otherwise.
void check_axis_names() {
  std::map<std::string, AxisSpec::Kind> axes;
  for (const auto& type : registered()) {
    for (const AxisSpec& axis : type->axes()) {
      DAXLAB_CHECK(axis.name != "threads" && axis.name != "crossing");
      DAXLAB_CHECK(axes.emplace(axis.name, axis.kind).first->second == axis.kind);
    }
  }
  for (const EngineType* engine : engine_types()) {
    for (const OptionSpec& option : engine->options()) DAXLAB_CHECK(!axes.contains(option.name));
  }
}

std::string join(const std::vector<std::string>& words) {
  std::string text;
  for (const std::string& word : words) text += (text.empty() ? "" : ", ") + word;
  return text;
}

Result<std::string> check_axis(const AxisSpec& axis, const std::string& value) {
  const bool is_word = axis.kind == AxisSpec::Kind::kInteger && std::ranges::find(axis.values, value) != axis.values.end();
  if (is_word) return value;
  return check_option(axis, value);
}

uint64_t hash(std::string_view text) {
  uint64_t state = 0xcbf29ce484222325u;  // FNV-1a, then one round of splitmix to spread it
  for (const char c : text) state = (state ^ static_cast<unsigned char>(c)) * 0x100000001b3u;
  return Random::mix(state, text.size());
}

}  // namespace

namespace detail {
void register_workload(std::unique_ptr<WorkloadType> type) {
  auto& types = registered();
  const std::string name = type->name();
  const auto at = std::ranges::lower_bound(types, name, {}, [](const auto& other) { return other->name(); });
  DAXLAB_CHECK(at == types.end() || (*at)->name() != name);
  types.insert(at, std::move(type));
}
}  // namespace detail

uint64_t WorkloadType::space_bytes(const Params& params, uint32_t threads) const {
  if (!params.all().contains("file_size")) return 0;
  return params.integer("file_size") * (fixed_threads(params) == 0 ? threads : 1);
}

std::vector<const WorkloadType*> workload_types() {
  static const bool checked = (check_axis_names(), true);
  static_cast<void>(checked);
  std::vector<const WorkloadType*> types;
  for (const auto& type : registered()) types.push_back(type.get());
  return types;
}

Result<const WorkloadType*> find_workload(std::string_view name) {
  std::vector<std::string> names;
  for (const WorkloadType* type : workload_types()) {
    if (type->name() == name) return type;
    names.push_back(type->name());
  }
  return Error(Errc::kUsage, fmt::format("unknown workload '{}'; there is: {}", name, join(names)));
}

Result<Params> resolve_params(const WorkloadType& type, const std::map<std::string, std::string>& given) {
  const std::vector<AxisSpec> axes = type.axes();
  for (const auto& [name, value] : given) {
    if (std::ranges::find(axes, name, &AxisSpec::name) != axes.end()) continue;
    std::vector<std::string> names;
    for (const AxisSpec& axis : axes) names.push_back(axis.name);
    return Error(Errc::kUsage, fmt::format("workload {} has no axis '{}'; it has: {}", type.name(), name, join(names)));
  }
  Params params;
  for (const AxisSpec& axis : axes) {
    const auto found = given.find(axis.name);
    DAXLAB_ASSIGN(std::string value, check_axis(axis, found == given.end() ? axis.default_value : found->second));
    params.set(axis.name, std::move(value));
  }
  DAXLAB_TRY(type.check_params(params));
  return params;
}

std::string fingerprint(const WorkloadType& type, const Params& params) {
  return fmt::format("{:012x}", hash(fmt::format("{}#{}:{}", type.name(), type.revision(), params.to_string())) >> 16);
}

}  // namespace daxlab
