// Inodes without a name: marked by the transaction that took the last one, freed when nobody holds them any more, or by the next mount.
// (XFS: xfs_inactive(), xlog_recover_process_iunlinks().)
#pragma once

#include "engines/base/result.h"

namespace daxlab::xfslike {

class FileSystem;
class Inode;

/// Frees an inode whose last reference has just gone: blocks in parts of at most kUnmapExtents extents, then the inode itself.
/// A crash between two parts leaves an orphan with fewer blocks. No lock of the core is held. On an error (damage, shutdown) the
/// orphan stays on the medium.
void inactivate(FileSystem& fs, Inode& inode);

/// At mount, after recovery: frees what the last mount had still open.
Result<void> free_orphans(FileSystem& fs);

}  // namespace daxlab::xfslike
