// Proves what the core's metadata must satisfy, by reading all of the medium once more, as a mount would but storing nothing.
//
// What is proved: every object's checksum, owner and place; each block belongs to exactly one of groups, log, inodes, extents, trees and
// free space; counts agree; directories agree with their indexes; every inode has as many names as links, or is an orphan that its group
// knows of; every directory is reached from the root and names its parent; what users and groups own is what their dquots say.
//
// Threads: nobody changes the file system meanwhile, and everything has been written back (the log is empty).
#pragma once

#include "engines/api/types.h"
#include "engines/base/result.h"
#include "engines/pmem/region.h"

namespace daxlab::xfslike {

struct Volume;

/// The medium alone. An error only where nothing can be read at all: no superblock. Each finding begins with its class: one of the words
/// of kCheckClasses.
Result<CheckReport> check_medium(pmem::Region& region);
/// ... and whether what the mounted volume's groups have in DRAM is what the medium says.
Result<CheckReport> check_volume(Volume& mounted);

inline constexpr const char* kCheckClasses[] = {
    "superblock",  // a copy differs
    "group",       // a group's own blocks
    "inode",       // an inode that is not what it says, or whose parts do not fit together
    "extents",     // an extent map, or its tree
    "shared",      // a block with two owners, or in use and free
    "leaked",      // a block or an inode that nobody owns and that is not free
    "directory",   // a directory's blocks, or its index out of step
    "links",       // names and link counts
    "orphan",      // an inode without links that its group does not know of, or the other way round
    "symlink",     // a target that cannot be read
    "quota",       // a dquot, or its counts
    "dram",        // a mounted group's indexes
};

}  // namespace daxlab::xfslike
