// A workload: what every engine is asked to do, with its axes, and the proof afterwards that it was done.
//
// Life of a cell, all on one mounted, empty engine:
//   prepare()            once: creates files and directories, draws nothing from the workers' generators
//   Worker per thread    make_worker(i), once for each i below `threads`: opens what the thread needs; its own seeded generator
//   step() ...           the measured section: one operation each, nothing but the operation
//   reset()              when step() returned Step::kPause: back to the starting state, untimed and uncounted
//   verify()             reads back what was written; an error is wrong data and the cell has no number
// Registered by name; `daxlab list workloads` shows axes, ranges and defaults.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "engines/api/engine.h"
#include "engines/api/registry.h"
#include "engines/base/random.h"
#include "engines/base/result.h"

namespace daxlab {

/// An axis of a workload: an OptionSpec whose value is part of the fingerprint. `values` of a kInteger axis are words that
/// are allowed beside numbers ("inf").
using AxisSpec = OptionSpec;
using Params = Options;

struct WorkloadContext {
  Engine& engine;
  Traits traits;
  const Params& params;  ///< Every axis of the workload, resolved.
  uint32_t threads;
  uint64_t seed;
};

enum class Step : uint8_t {
  kDone,   ///< One operation done.
  kPause,  ///< One operation done, and the worker needs reset() before the next.
};

/// One thread's part. Used by that thread alone.
class Worker {
 public:
  virtual ~Worker() = default;
  virtual Result<Step> step() = 0;
  virtual Result<void> reset() { return {}; }
  /// Bytes that one operation moves; 0 for metadata workloads.
  virtual uint64_t bytes_per_op() const = 0;
  /// What this worker does in a workload with roles ("faulter", "writer"); empty elsewhere. Latency is reported for the first
  /// role.
  virtual std::string role() const { return {}; }
};

class Workload {
 public:
  virtual ~Workload() = default;
  virtual Result<void> prepare(const WorkloadContext& context) = 0;
  virtual Result<std::unique_ptr<Worker>> make_worker(const WorkloadContext& context, uint32_t index, uint64_t seed) = 0;
  /// After every worker has stopped and been destroyed.
  virtual Result<void> verify(const WorkloadContext& context) = 0;
};

class WorkloadType {
 public:
  virtual ~WorkloadType() = default;
  virtual std::string name() const = 0;
  virtual std::string description() const = 0;  ///< One line: what it stresses, bytes per step.
  virtual std::vector<AxisSpec> axes() const = 0;
  /// Raised when the meaning of a step or of an axis changes, so that old records are not compared with new ones.
  virtual uint32_t revision() const { return 1; }
  /// What single axes cannot say (file_size is a multiple of block_bytes); kUsage names the offender.
  virtual Result<void> check_params(const Params& params) const {
    (void)params;
    return {};
  }
  /// File data that it holds at once, bytes: a medium with less cannot run it. By default file_size for every thread, and once where
  /// the workload fixes the threads, which then share a file.
  virtual uint64_t space_bytes(const Params& params, uint32_t threads) const;
  virtual std::unique_ptr<Workload> create() const = 0;
  /// Why an engine with these traits cannot run it ("needs mmap"); empty if it can.
  virtual std::string unsuited(const Traits& traits) const {
    (void)traits;
    return {};
  }
  /// A workload with roles fixes its thread count by its axes; 0: `threads` is free.
  virtual uint32_t fixed_threads(const Params& params) const {
    (void)params;
    return 0;
  }
};

std::vector<const WorkloadType*> workload_types();
Result<const WorkloadType*> find_workload(std::string_view name);  ///< kUsage lists the names.
/// All axes with defaults filled in and values checked; kUsage names an axis or value that is wrong.
Result<Params> resolve_params(const WorkloadType& type, const std::map<std::string, std::string>& given);
/// Short hash over the workload's name and every parameter: cells with equal fingerprints are comparable.
std::string fingerprint(const WorkloadType& type, const Params& params);

namespace detail {
void register_workload(std::unique_ptr<WorkloadType> type);
}

template <typename Type>
class RegisterWorkload {
 public:
  RegisterWorkload() { detail::register_workload(std::make_unique<Type>()); }
};

}  // namespace daxlab
