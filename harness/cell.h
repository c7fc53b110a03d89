// A cell: one engine with its options, one workload with its parameters, threads, crossing and medium. What a matrix is made of.
//
// A cell's id is a stable hash over everything that can change its number: engine, label and options, workload fingerprint,
// threads, crossing, and the media spec less its path. Equal ids on two machines mean the same experiment.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "engines/api/registry.h"
#include "engines/base/result.h"
#include "engines/pmem/media_spec.h"
#include "harness/json.h"
#include "workloads/workload.h"

namespace daxlab::harness {

/// What kind of run a repetition is; never mixed in a figure.
enum class Kind : uint8_t { kPlain, kAccounted, kTraced };
const char* name(Kind kind);
Result<Kind> parse_kind(std::string_view text);

/// Whether each operation pays one real, trivial system call.
enum class Crossing : uint8_t { kNone, kSyscall };
const char* name(Crossing crossing);
Result<Crossing> parse_crossing(std::string_view text);

struct Cell {
  EngineSpec engine;
  const WorkloadType* workload = nullptr;
  Params params;
  uint32_t threads = 1;
  Crossing crossing = Crossing::kNone;  ///< kSyscall for an engine that enters the kernel anyway.
  pmem::MediaSpec media;

  std::string id() const;        ///< 16 hexadecimal digits.
  std::string describe() const;  ///< "append native:data=inplace threads=2": for people.
  Traits traits() const { return engine.type->traits(engine.options); }
};

/// One process: a cell, its kind and the number of its repetition.
struct Job {
  size_t cell = 0;  ///< Index into the matrix's cells.
  Kind kind = Kind::kPlain;
  uint32_t repetition = 0;
};

/// What a child process must know to run one repetition, as it crosses the pipe.
struct CellTask {
  Cell cell;
  Kind kind = Kind::kPlain;
  uint64_t seed = 1;
  double seconds = 0;     ///< Measured time; 0 when bounded by operations.
  uint64_t ops = 0;       ///< Operations of all threads together; 0 when bounded by time.
  bool timeline = false;  ///< Report when each phase began and ended.

  Json to_json() const;
  static Result<CellTask> from_json(const Json& json);
};

}  // namespace daxlab::harness
