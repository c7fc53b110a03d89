// The parts of the core that an option names: log placements (`log=`) and buffer mappings (`map=`).
//
// The core registers its own (log=buffered, map=contig); engines/retrofit and engines/vmap register theirs in the same way, at namespace
// scope of an object file: `const RegisterBufferMapping kSegment("segment", "...", make_segment);`. Registration happens before
// main(); afterwards everything here is read-only.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "engines/base/result.h"
#include "engines/pmem/region.h"
#include "engines/xfslike/buffer_mapping.h"
#include "engines/xfslike/log_placement.h"
#include "engines/xfslike/options.h"

namespace daxlab::xfslike {

/// What a part is made of. All of it outlives the part.
struct PartRequest {
  pmem::Region& region;
  const CoreOptions& options;
  std::span<const BlockRun> log_runs = {};  ///< Of a log placement: the blocks that hold the log, in order.
};

/// The blocks [first, first + count) in the order in which `run` lays the log on them: `log_run=`. kUsage where it does not fit.
Result<std::vector<BlockRun>> log_runs(const pmem::RunSpec& run, uint64_t first, uint64_t count, uint64_t seed);

using MakeLogPlacement = Result<std::unique_ptr<LogPlacement>> (*)(const PartRequest&);
using MakeBufferMapping = Result<std::unique_ptr<BufferMapping>> (*)(const PartRequest&);

/// Names in the order "the core's own, then alphabetically": the values of the option.
std::vector<std::string> log_placement_names();
std::vector<std::string> buffer_mapping_names();

/// The part that `options.log` or `options.map` names.
Result<std::unique_ptr<LogPlacement>> make_log_placement(const PartRequest& request);
Result<std::unique_ptr<BufferMapping>> make_buffer_mapping(const PartRequest& request);

class RegisterLogPlacement {
 public:
  RegisterLogPlacement(std::string name, MakeLogPlacement make);
};

class RegisterBufferMapping {
 public:
  RegisterBufferMapping(std::string name, MakeBufferMapping make);
};

}  // namespace daxlab::xfslike
