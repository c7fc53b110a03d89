// Mounting: the superblock, the log's recovery, groups, what the last mount left to do; and unmounting.
#pragma once

#include <memory>

#include "engines/base/result.h"
#include "engines/pmem/region.h"
#include "engines/xfslike/file_system.h"
#include "engines/xfslike/options.h"

namespace daxlab::xfslike {

Result<std::unique_ptr<FileSystem>> mount_file_system(pmem::Region& region, const CoreOptions& options);

/// Makes everything durable: stores through mappings, and the log up to now.
Result<void> sync_file_system(FileSystem& fs);
/// The same, written back to its place, the log empty and an unmount record in it. kBusy while handles are open. Only destruction may
/// follow.
Result<void> unmount_file_system(FileSystem& fs);

}  // namespace daxlab::xfslike
