// An image that lasts, opened by nothing but its medium: the label says which engine made it, with what, over which geometry.
#pragma once

#include <memory>
#include <string>

#include "engines/api/engine.h"
#include "engines/api/registry.h"
#include "engines/base/result.h"
#include "engines/pmem/region.h"

namespace daxlab::harness {

/// A medium that outlives this program: kUsage for dram.
Result<pmem::MediaSpec> parse_lasting_media(const std::string& text);
/// Opens it under its profile. What cannot be opened is kUsage: the medium was named by a person.
Result<std::unique_ptr<pmem::Region>> open_lasting_region(const pmem::MediaSpec& spec);

/// Destroyed in the right order: the engine before its region.
struct StoredEngine {
  pmem::MediaSpec media;
  EngineSpec spec;
  std::unique_ptr<pmem::Region> region;
  std::unique_ptr<Engine> engine;  ///< Mounted.
};

/// kWrongLabel: no label, or of an engine or version that is not here. kCorrupt: the label or the file system is damaged.
Result<StoredEngine> open_stored_engine(const std::string& media);

}  // namespace daxlab::harness
