// Inodes of a group: taking one, giving one back, and the ones that are orphans.
//
// A create takes its inode number before its transaction begins (InodeSlot); where a group has none left, a chunk is added by a transaction
// of its own, as XFS rolls one for it (xfs_dialloc_roll()). A chunk's blocks are initialised on the medium before that commits:
// nobody can find them before, and a crash leaves free blocks. Orphans (no name, still open) are a mask beside the free mask, in the
// record that freeing the inode changes anyway; XFS has a list through the inodes (xfs_iunlink()).
#pragma once

#include <cstdint>
#include <functional>
#include <utility>

#include "engines/api/types.h"
#include "engines/base/result.h"

namespace daxlab::xfslike {

class Inode;
class Transaction;
struct Volume;

/// The number of a free inode that nobody else takes. Destruction gives it back unless allocate_inode() used it.
class InodeSlot {
 public:
  /// In the parent's group; for a directory in the next group in turn, as XFS spreads them. May run a transaction: no ilock is held.
  static Result<InodeSlot> take(Volume& volume, uint64_t parent_ino, NodeKind kind);
  InodeSlot(InodeSlot&& other) noexcept : volume_(other.volume_), ino_(std::exchange(other.ino_, 0)) {}
  InodeSlot& operator=(InodeSlot&&) = delete;
  ~InodeSlot();
  uint64_t ino() const { return ino_; }

 private:
  friend Result<Inode*> allocate_inode(Transaction& transaction, InodeSlot& slot, const struct NewInode& what);
  InodeSlot(Volume& volume, uint64_t ino) : volume_(&volume), ino_(ino) {}
  Volume* volume_;
  uint64_t ino_;
};

/// What a new inode begins with.
struct NewInode {
  NodeKind kind = NodeKind::kFile;
  uint32_t mode = 0;
  uint32_t uid = 0;
  uint32_t gid = 0;
  uint64_t device = 0;
  uint64_t now_ns = 0;
};

/// The inode of a slot, filled in: links 0; an empty extent map, an empty literal area (directory, symlink), or no fork. It is
/// referenced, its ilock is held exclusive, which the caller releases after the commit, and it is joined and logged.
Result<Inode*> allocate_inode(Transaction& transaction, InodeSlot& slot, const NewInode& what);
/// Frees an inode whose fork is empty and which has no links; joined. It is no orphan afterwards.
void free_inode(Transaction& transaction, Inode& inode);
/// A joined inode that just lost its last link but has references, or gets a link back.
void add_orphan(Transaction& transaction, Inode& inode);
void remove_orphan(Transaction& transaction, Inode& inode);
/// Every orphan that the volume's groups know of, by number.
void each_orphan(Volume& volume, const std::function<void(uint64_t ino)>& visit);
/// Every inode that is not free, by number.
void each_inode(Volume& volume, const std::function<void(uint64_t ino)>& visit);

}  // namespace daxlab::xfslike
