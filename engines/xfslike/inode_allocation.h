// Inodes of a group: chunks of 64, which of them are free, which are orphans.
//
// A chunk's blocks are initialised on the medium before the transaction that adds it commits: nobody can find them before, and a crash
// leaves free blocks. Orphans (no name, still open) are a mask beside the free mask, in the record that freeing the inode changes
// anyway; XFS has a list through the inodes (xfs_iunlink()).
#pragma once

#include <cstdint>
#include <functional>

#include "engines/api/types.h"
#include "engines/base/result.h"

namespace daxlab::xfslike {

class Inode;
class Transaction;
struct Volume;

/// What a new inode begins with.
struct NewInode {
  NodeKind kind = NodeKind::kFile;
  uint32_t mode = 0;
  uint32_t uid = 0;
  uint32_t gid = 0;
  uint64_t device = 0;
  uint64_t now_ns = 0;
};

/// Takes a free inode, in the parent's group (a directory: in the next group), and fills it in: links 0, no fork. It is referenced,
/// its ilock is held exclusive by the caller from here on, and it is joined to `transaction`. kNoSpace only where blocks were not
/// reserved (kInodeChunkBlocks).
Result<Inode*> allocate_inode(Transaction& transaction, uint64_t parent_ino, const NewInode& what);
/// Frees an inode whose fork is empty and which has no links; joined. It is no orphan afterwards.
void free_inode(Transaction& transaction, Inode& inode);
/// Marks a joined inode that just lost its last link, or gives it one back.
void add_orphan(Transaction& transaction, Inode& inode);
void remove_orphan(Transaction& transaction, Inode& inode);
/// Every orphan that the volume's groups know of, by number.
void each_orphan(Volume& volume, const std::function<void(uint64_t ino)>& visit);

}  // namespace daxlab::xfslike
