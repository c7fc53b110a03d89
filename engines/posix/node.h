// Inodes that somebody refers to: number -> descriptor, as a FUSE pass-through file system keeps them.
//
// A kernel opens by name, not by number; so every inode that was looked up, created or opened holds one descriptor until the last
// reference goes. The descriptor also pins the inode, so that its number is not given away.
//
// Threads: all methods from any thread. Invariant: a Node is in the table if and only if references > 0.
#pragma once

#include <sys/stat.h>

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <unordered_map>

#include "engines/api/types.h"
#include "engines/base/mutex.h"
#include "engines/posix/fd.h"

namespace daxlab::posix {

struct Node {
  InodeId ino;
  NodeKind kind;
  Fd fd;                    ///< O_PATH, or the descriptor that create() opened.
  FdPool append;            ///< O_WRONLY, for appenders that find their own descriptor in use.
  uint64_t references = 0;  ///< Look-ups and open handles; guarded by the shard's lock.
};

class NodeTable {
 public:
  /// More references on the node for `ino`. If there is none yet, it is made from `fd`, which is then empty; otherwise `fd` stays the
  /// caller's (another thread may look a file up before its creator gets here).
  Node* refer(InodeId ino, NodeKind kind, Fd& fd, uint64_t references = 1);
  /// One more reference on a node that is there; null if none is.
  Node* find(InodeId ino);
  void release(InodeId ino, uint64_t references);
  uint64_t size() const { return size_.load(std::memory_order_relaxed); }

 private:
  struct Shard {
    Mutex mutex;
    std::unordered_map<InodeId, std::unique_ptr<Node>> nodes DAXLAB_GUARDED_BY(mutex);
  };
  Shard& shard_of(InodeId ino) { return shards_[ino % shards_.size()]; }

  std::array<Shard, 64> shards_;
  std::atomic<uint64_t> size_{0};
};

NodeKind kind_of(mode_t mode);
mode_t mode_of(NodeKind kind);
Attributes attributes_of(const struct stat& status);
/// fstat() of any descriptor, O_PATH too.
Result<Attributes> attributes_of(int fd);
/// All changes to the inode behind `fd`, O_PATH too; attributes afterwards.
Result<Attributes> change_attributes(int fd, const SetAttributes& changes);

}  // namespace daxlab::posix
