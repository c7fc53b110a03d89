// Making an empty file system: groups, root, log. The label, which is last, is presets.cc's.
#pragma once

#include "engines/base/result.h"
#include "engines/pmem/region.h"
#include "engines/xfslike/format.h"
#include "engines/xfslike/log_config.h"
#include "engines/xfslike/options.h"

namespace daxlab::xfslike {

/// Whatever was on the medium is gone once this has begun. kNoSpace, kUsage.
Result<void> make_file_system(pmem::Region& region, const CoreOptions& options);

/// The log of such a file system, as mkfs and mount make it.
LogConfig log_config(const CoreOptions& options, const Uuid& uuid);

/// The smallest medium that a file system with these options fits on.
uint64_t min_medium_bytes();

}  // namespace daxlab::xfslike
