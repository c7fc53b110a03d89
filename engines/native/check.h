// Proves the invariants that DESIGN.md numbers, N1 to N12, on a mounted and idle file system: reads the medium a second time, as a mount
// would but storing nothing, and compares with what is in DRAM.
#pragma once

#include "engines/api/types.h"
#include "engines/base/result.h"
#include "engines/native/file_system.h"

namespace daxlab::native {

Result<CheckReport> check_file_system(FileSystem& fs);

}  // namespace daxlab::native
