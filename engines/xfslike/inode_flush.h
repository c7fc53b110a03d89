// Writing inodes back, those of one cluster together.
//
// Threads: one thread's, which holds the ilocks.
#pragma once

#include <cstdint>
#include <vector>

#include "engines/xfslike/lsn.h"

namespace daxlab::xfslike {

class Inode;
struct Volume;

class InodeFlush {
 public:
  explicit InodeFlush(Volume& volume) : volume_(volume) {}

  /// An inode that the caller has locked, to be stamped with `lsn`.
  void add(Inode& inode, Lsn lsn) { inodes_.push_back({&inode, lsn}); }
  /// A locked and held inode at the LSN where the AIL has it. False: it has not, and the inode is let go.
  bool take(Inode& inode);
  /// Inodes of the same cluster that are in the AIL, not pinned, and whose locks are free.
  void take_cluster(const Inode& inode);
  void write();
  /// Out of the AIL, unlocked, no longer held: those that take() and take_cluster() got.
  void let_go();

 private:
  struct Entry {
    Inode* inode;
    Lsn lsn;
  };
  Volume& volume_;
  std::vector<Entry> inodes_;
};

}  // namespace daxlab::xfslike
