// Where the posix engine keeps its files, and how it gets rid of them.
#pragma once

#include <string>

#include "engines/base/result.h"

namespace daxlab::posix {

/// Below `posix:path=DIR`: all that the engine ever touches.
inline constexpr const char* kTreeName = "daxlab.posix";

/// A fresh directory on tmpfs, in /dev/shm. kMissingFacility where there is none.
Result<std::string> make_temporary_tree();
/// DIR/daxlab.posix, made if it is missing; kUsage with the system's words where DIR is no directory that can be written.
Result<std::string> make_tree_in(const std::string& directory);
/// Removes everything below `path` and then `path`, without following symlinks or entering other mounts. Absent: nothing to do.
Result<void> remove_tree(const std::string& path);

}  // namespace daxlab::posix
