// A run's folder: results.jsonl, to which a line is added when a repetition ends, and environment.json.
//
// A line is one write, then fdatasync: after SIGKILL at any moment every finished repetition is there, and at most the last line
// is torn. Opening for --resume cuts a torn line off. One writer at a time (flock).
#pragma once

#include <map>
#include <set>
#include <string>
#include <tuple>
#include <vector>

#include "engines/base/result.h"
#include "harness/cell.h"
#include "harness/process.h"

namespace daxlab::harness {

inline constexpr int kSchemaVersion = 1;

/// Cell id, kind and repetition: each stands in a run exactly once.
using RecordKey = std::tuple<std::string, Kind, uint32_t>;

class ResultsFolder {
 public:
  struct Options {
    std::string path;  ///< Empty: results/<UTC time>-<host>, below the working directory.
    bool resume = false;
    std::string matrix_hash;  ///< What environment.json must say for a resume.
    uint64_t seed = 0;
  };
  /// kUsage: the folder holds results already (without resume), is of another matrix, in use, or not writable.
  static Result<ResultsFolder> open(const Options& options);

  const std::string& path() const { return path_; }
  std::string name() const;  ///< Of the run: the folder's last component.
  const std::set<RecordKey>& finished() const { return finished_; }
  /// Of finished plain records: cell id -> ns_per_op of each repetition.
  const std::map<std::string, std::vector<double>>& plain_ns() const { return plain_ns_; }
  size_t failed() const { return failed_; }
  bool fresh() const { return fresh_; }  ///< No environment.json yet.

  Result<void> write_environment(const Json& environment);
  /// Appends one record, durably.
  Result<void> append(const Json& record);

 private:
  Result<void> take_over(const Options& options);
  Result<void> check_environment(const Options& options) const;
  Result<void> note(const Json& record);

  std::string path_;
  Fd file_;
  bool fresh_ = true;
  std::set<RecordKey> finished_;
  std::map<std::string, std::vector<double>> plain_ns_;
  size_t failed_ = 0;
};

/// Writes a file whole or not at all: a temporary, synced, renamed over it.
Result<void> write_file_durably(const std::string& path, const std::string& text);
/// results/<UTC time>-<host>, below the working directory.
std::string default_run_folder();
/// "2026-01-31T12:00:00Z".
std::string utc_now();
double median(std::vector<double> values);

}  // namespace daxlab::harness
