// A matrix: what a file and the command line ask for, and the cells that it expands to.
//
// Axes have three owners with one name space: the workload, the engine and the harness (`threads`, `crossing`). An axis that no
// chosen engine or workload has is an error; an engine that lacks an axis, or pins it in its own name (`native:data=cow`), runs
// once.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "engines/base/result.h"
#include "harness/cell.h"

namespace daxlab::harness {

using AxisLists = std::map<std::string, std::vector<std::string>>;

/// One [[cells]] table: workloads with their axes, and perhaps a narrower list of engines.
struct CellGroup {
  std::vector<std::string> workloads;
  std::optional<std::vector<std::string>> engines;
  AxisLists axes;  ///< Including `threads` and `crossing`.
};

/// How long and how often, and with what attached. Absent: the file's, else the default.
struct RunSettings {
  std::optional<uint32_t> repetitions;
  std::optional<double> seconds;
  std::optional<uint64_t> ops;
  std::optional<uint64_t> seed;
  std::optional<std::vector<std::string>> probes;  ///< {"auto"}, {"none"} or names.
};

/// A matrix file as written; nothing in it is checked against the registries yet.
struct MatrixFile {
  std::string name = "matrix";
  std::vector<std::string> media;
  std::vector<std::string> engines;
  AxisLists axes;  ///< For every group that has them.
  RunSettings settings;
  std::vector<CellGroup> groups;
};

/// `source` names the text in errors. kUsage with line and column.
Result<MatrixFile> parse_matrix(std::string_view toml, std::string_view source);
Result<MatrixFile> read_matrix(const std::string& path);
/// The built-in quick matrix (harness/quick.toml).
std::string_view quick_matrix_toml();

/// The command line's part: each list replaces the file's.
struct Overrides {
  std::optional<std::vector<std::string>> engines;
  std::optional<std::vector<std::string>> workloads;
  std::optional<std::vector<std::string>> media;
  AxisLists axes;
  RunSettings settings;
};

inline constexpr uint32_t kRepetitionsDefault = 5;
inline constexpr double kSecondsDefault = 0.15;
inline constexpr uint64_t kSeedDefault = 1;
inline constexpr const char* kMediaDefault = "dram:512MiB";

struct Matrix {
  std::string name;
  uint32_t repetitions = kRepetitionsDefault;
  double seconds = kSecondsDefault;  ///< 0 when bounded by operations.
  uint64_t ops = 0;
  uint64_t seed = kSeedDefault;
  std::vector<std::string> probes;    ///< Empty: none; {"auto"}; or names.
  std::vector<Cell> cells;            ///< Distinct ids.
  std::vector<std::string> unsuited;  ///< "mmap_fault on null: needs mmap": combinations that were left out.

  /// Every repetition: first the plain ones in seeded random order, then the accounted twins, then the traced twins.
  std::vector<Job> jobs() const;
  /// Hash over cells, repetitions, bound and seed: what --resume compares.
  std::string hash() const;
};

/// kUsage, one line, for an unknown engine, workload, axis or value, and when nothing is left to run.
Result<Matrix> expand(const MatrixFile& file, const Overrides& overrides);

/// Aborts start-up with kUsage when an axis name has two owners of different kind.
Result<void> check_axis_owners();

/// Splits at commas; "\," is a comma. Empty parts are kUsage.
Result<std::vector<std::string>> split_list(std::string_view text, std::string_view what);
/// "AXIS=LIST" of --set.
Result<void> parse_set(std::string_view text, AxisLists& axes);

}  // namespace daxlab::harness
