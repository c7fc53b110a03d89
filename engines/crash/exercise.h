// Uses everything in a recovered file system: a medium that mounts but then fails, or gives an inode number or a block twice, is
// broken too.
#pragma once

#include <string>

#include "engines/api/engine.h"
#include "engines/crash/tree.h"

namespace daxlab::crash {

/// Creates, writes, renames and lists in every directory of `tree` (what `engine` holds), writes to every file, then unlinks it
/// all. Empty, or the first thing that went wrong. The file system is empty afterwards.
std::string exercise(Engine& engine, const Tree& tree);

}  // namespace daxlab::crash
