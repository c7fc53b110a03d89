// The core's options: the factors of the experiment, as an axis each, and what a mount makes of them.
//
// A preset (presets.h) is a choice of defaults. Parts that other folders bring (log placements, buffer mappings) add their names to
// `log` and `map` by registering themselves (parts.h).
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "engines/api/registry.h"
#include "engines/base/result.h"
#include "engines/dax/address_space.h"
#include "engines/pmem/media_spec.h"
#include "engines/xfslike/buffer_bytes.h"
#include "engines/xfslike/log_config.h"

namespace daxlab::xfslike {

/// When a change is durable: when its operation returns (XFS's wsync), at fsync, or with every Nth operation.
enum class Durability : uint8_t { kOp, kFsync, kBatch };

struct CoreOptions {
  // what the medium is made of: read back from the label at mount
  LogFormat format = LogFormat::kV2;
  uint32_t log_unit_bytes = 512;         ///< lsunit: what a log write is rounded up to.
  uint64_t log_bytes = 0;                ///< 0: by the size of the medium.
  pmem::RunSpec log_run;                 ///< How the log lies on its blocks.
  uint32_t meta_run_bytes = 0;           ///< The longest piece of a metadata object of several blocks; 0: whole.
  uint32_t dirblock_bytes = 4096;
  uint32_t ags = 4;
  // what a mount may change
  std::string log = "buffered";          ///< A registered placement, or "none".
  MetaMode meta = MetaMode::kBuffer;
  std::string map = "contig";            ///< A registered mapping.
  bool push_inline = false;
  bool completion_inline = false;
  bool background_inline = false;
  Durability durability = Durability::kFsync;
  uint64_t batch_operations = 0;         ///< Of Durability::kBatch.
  bool relog = true;
  uint32_t iclog_bytes = 32768;
  uint32_t iclogs = 8;
  uint64_t cache_bytes = 0;
  bool quota = false;
  dax::Policy policy = dax::Policy::kEntryLock;
  std::string mmu = "auto";

  bool journalled() const { return log != "none"; }
};

/// A preset's choices, option name and value; everything else has the core's default.
using OptionChoices = std::vector<std::pair<std::string, std::string>>;

/// Every option of the core with the preset's defaults.
std::vector<OptionSpec> option_specs(const OptionChoices& choices);
/// What an engine's resolved options say. kUsage for combinations that nothing can be made of.
Result<CoreOptions> parse_options(const Options& options);
/// The same, with what the medium is made of as its label says.
Result<CoreOptions> parse_options(const Options& options, const std::string& label_options);

/// The log's size on a medium of `size_bytes`: what the option says, or a sixteenth of the medium, 1 (more with large directory blocks) to 64 MiB.
uint64_t log_bytes_for(const CoreOptions& options, uint64_t size_bytes);

}  // namespace daxlab::xfslike
