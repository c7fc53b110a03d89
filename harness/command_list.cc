// daxlab list: what there is, one line each, with axes, ranges and defaults.
#include <fmt/format.h>

#include "engines/api/registry.h"
#include "engines/base/units.h"
#include "harness/analysis.h"
#include "harness/cli.h"
#include "harness/json.h"
#include "probes/loader.h"
#include "workloads/workload.h"

namespace daxlab::harness {
namespace {

std::string range(const OptionSpec& spec) {
  const auto shown = [&](uint64_t value) {
    return spec.kind == OptionSpec::Kind::kSize ? format_size(value) : std::to_string(value);
  };
  std::string text = fmt::format("{}", fmt::join(spec.values, "|"));
  if (spec.kind == OptionSpec::Kind::kPath) return "PATH";
  if (spec.kind == OptionSpec::Kind::kEnum) return text;
  if (!text.empty()) text = "|" + text;
  return spec.max == 0 ? fmt::format("{}..{}", shown(spec.min), text)
                       : fmt::format("{}..{}{}", shown(spec.min), shown(spec.max), text);
}

Json spec_json(const OptionSpec& spec) {
  Json values = Json::array();
  for (const std::string& value : spec.values) values.push(value);
  Json json = Json::object();
  json.set("name", spec.name).set("range", range(spec)).set("values", std::move(values)).set("default", spec.default_value);
  return json.set("help", spec.help);
}

/// One thing that a list shows: a name, a line, and its options or axes.
struct Item {
  std::string name;
  std::string line;
  std::vector<OptionSpec> specs;
  Json more = Json::object();
};

void print(const std::vector<Item>& items, const char* specs_key, bool as_json) {
  Json all = Json::array();
  for (const Item& item : items) {
    Json json = Json::object();
    json.set("name", item.name).set("description", item.line);
    for (const auto& [key, value] : item.more.members()) json.set(key, value);
    Json specs = Json::array();
    for (const OptionSpec& spec : item.specs) specs.push(spec_json(spec));
    if (specs_key != nullptr) json.set(specs_key, std::move(specs));
    all.push(std::move(json));
    if (as_json) continue;
    fmt::print("{:<16} {}\n", item.name, item.line);
    for (const OptionSpec& spec : item.specs) {
      fmt::print("    {:<14} {} (default {}): {}\n", spec.name, range(spec),
                 spec.default_value.empty() ? "none" : spec.default_value, spec.help);
    }
  }
  if (as_json) fmt::print("{}\n", all.dump(true));
}

Json traits_json(const EngineType& type) {
  const auto defaults = parse_engine(type.name());
  if (!defaults.ok()) return {};
  const Traits traits = type.traits(defaults->options);
  Json json = Json::object();
  json.set("stores_data", traits.stores_data)
      .set("durable_on_return", traits.durable_on_return)
      .set("data_atomic", traits.data_atomic);
  json.set("data_atomic_bytes", traits.data_atomic_bytes).set("checkable", traits.checkable).set("mappable", traits.mappable);
  return json.set("needs_region", traits.needs_region).set("enters_kernel", traits.enters_kernel);
}

std::vector<Item> engines() {
  std::vector<Item> items;
  for (const EngineType* type : engine_types()) {
    Item item{type->name(), type->description(), type->options()};
    item.more.set("traits", traits_json(*type)).set("min_size_bytes", type->min_size_bytes());
    items.push_back(std::move(item));
  }
  return items;
}

std::vector<Item> workloads() {
  std::vector<Item> items;
  for (const WorkloadType* type : workload_types()) items.push_back({type->name(), type->description(), type->axes()});
  return items;
}

std::vector<Item> probe_items() {
  std::vector<Item> items;
  for (const probes::ProbeInfo& probe : probes::catalogue()) {
    Item item{probe.name, probe.question + (probe.by_default ? "" : " (not in auto)"), {}};
    Json attach = Json::array();
    for (const std::string& type : probe.attach) attach.push(type);
    item.more.set("attach", std::move(attach)).set("by_default", probe.by_default);
    items.push_back(std::move(item));
  }
  return items;
}

Result<int> list(const Arguments& arguments) {
  const std::string what = arguments.get("WHAT");
  const bool as_json = arguments.has("--json");
  if (what == "engines") {
    print(engines(), "options", as_json);
  } else if (what == "workloads") {
    print(workloads(), "axes", as_json);
  } else if (what == "probes") {
    print(probe_items(), nullptr, as_json);
  } else if (what == "figures" || what == "questions") {
    std::vector<std::string> words{"list", what};
    if (as_json) words.emplace_back("--json");
    return run_analysis(words, false);
  } else {
    return Error(Errc::kUsage, fmt::format("cannot list '{}'; there are: engines, workloads, probes, figures, questions", what));
  }
  return kExitDone;
}

const RegisterCommand kRegistered{{
    .name = "list",
    .purpose = "shows engines, workloads, probes, figures or questions, one line each",
    .options = {{"WHAT", "WHAT", "engines, workloads, probes, figures or questions", true}, {"--json", "", "as JSON"}},
    .examples = {"daxlab list engines", "daxlab list workloads --json"},
    .notes = "",
    .passes_on = false,
    .order = 4,
    .run = list,
}};

}  // namespace
}  // namespace daxlab::harness
