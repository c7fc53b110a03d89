#include "harness/matrix_arguments.h"

#include <fmt/format.h>

#include <algorithm>

#include "probes/loader.h"

namespace daxlab::harness {
namespace {

Result<void> list_into(const Arguments& arguments, const char* option, std::optional<std::vector<std::string>>& into) {
  if (!arguments.has(option)) return {};
  DAXLAB_ASSIGN(into, split_list(arguments.get(option), option));
  return {};
}

}  // namespace

Result<void> check_probes(const std::vector<std::string>& wanted) {
  std::vector<std::string> known;
  for (const probes::ProbeInfo& probe : probes::catalogue()) known.push_back(probe.name);
  for (const std::string& name : wanted) {
    if (name == "auto" || std::find(known.begin(), known.end(), name) != known.end()) continue;
    return Error(Errc::kUsage, fmt::format("unknown probe '{}'; there are: auto, none, {}", name, fmt::join(known, ", ")));
  }
  return {};
}

std::vector<OptionLine> matrix_options() {
  return {
      {"matrix", "MATRIX.toml", "matrix file (default: the built-in quick matrix)"},
      {"--engine", "LIST", "engines, NAME[@LABEL][:option=value]...; see 'daxlab list engines'"},
      {"--workload", "LIST", "workloads; see 'daxlab list workloads'"},
      {"--threads", "LIST", "threads of a cell, each 1 to 256"},
      {"--media", "LIST", "dram:SIZE, file:PATH:SIZE or devdax:PATH, with ?profile=P&run=R&seed=N (default dram:512MiB)"},
      {"--set", "AXIS=LIST", "values of an axis of workload, engine or harness; '\\,' is a comma", false, true},
      {"--repetitions", "N", "processes a cell, 1 to 1000 (default 5)"},
      {"--seconds", "S", "measured time of a repetition, 0.001 to 86400 (default 0.15)"},
      {"--ops", "N", "operations of a repetition, all threads, instead of a time"},
      {"--seed", "N", "of order and workloads, 0 to 2^63-1 (default 1)"},
      {"--probe", "LIST", "eBPF probes of the traced twins: auto, none or names (default auto)"},
  };
}

Result<Overrides> overrides_from(const Arguments& arguments) {
  Overrides overrides;
  DAXLAB_TRY(list_into(arguments, "--engine", overrides.engines));
  DAXLAB_TRY(list_into(arguments, "--workload", overrides.workloads));
  DAXLAB_TRY(list_into(arguments, "--media", overrides.media));
  DAXLAB_TRY(list_into(arguments, "--probe", overrides.settings.probes));
  if (arguments.has("--threads")) {
    DAXLAB_ASSIGN(overrides.axes["threads"], split_list(arguments.get("--threads"), "--threads"));
  }
  for (const std::string& set : arguments.all("--set")) DAXLAB_TRY(parse_set(set, overrides.axes));
  DAXLAB_ASSIGN(const std::optional<uint64_t> repetitions, arguments.whole("--repetitions", 1, 1000));
  if (repetitions) overrides.settings.repetitions = static_cast<uint32_t>(*repetitions);
  DAXLAB_ASSIGN(overrides.settings.seconds, arguments.real("--seconds", 0.001, 86400));
  DAXLAB_ASSIGN(overrides.settings.ops, arguments.whole("--ops", 1, uint64_t{1} << 40));
  DAXLAB_ASSIGN(overrides.settings.seed, arguments.whole("--seed", 0, INT64_MAX));
  if (overrides.settings.seconds && overrides.settings.ops)
    return Error(Errc::kUsage, "give either --seconds or --ops, not both");
  return overrides;
}

Result<Matrix> matrix_from(const Arguments& arguments) {
  const bool from_file = arguments.has("matrix");
  DAXLAB_ASSIGN(const MatrixFile file,
                from_file ? read_matrix(arguments.get("matrix")) : parse_matrix(quick_matrix_toml(), "quick.toml"));
  DAXLAB_ASSIGN(const Overrides overrides, overrides_from(arguments));
  DAXLAB_ASSIGN(Matrix matrix, expand(file, overrides));
  DAXLAB_TRY(check_probes(matrix.probes));
  return matrix;
}

}  // namespace daxlab::harness
