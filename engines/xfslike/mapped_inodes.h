// Which inodes have been mapped and may hold stores that are not durable: what sync() writes back. (A kernel's inode with dirty pages.)
//
// Each is referenced from its first mapping on until it has been written back with no mapping left, or has lost its last link: then
// what was stored is nobody's.
//
// Threads: all methods from any thread. Innermost lock: nothing is taken under it.
#pragma once

#include <cstdint>
#include <unordered_map>
#include <vector>

#include "engines/base/mutex.h"

namespace daxlab::xfslike {

class FileSystem;
class Inode;

class MappedInodes {
 public:
  /// Takes a reference if the inode was not here.
  void add(FileSystem& fs, Inode& inode);
  /// Gives the reference back if the inode is here.
  void remove(FileSystem& fs, Inode& inode);
  std::vector<uint64_t> all() const;
  /// At the end of a mount without unmount: references are not given back, as nothing must be written any more.
  void forget_all(FileSystem& fs);

 private:
  mutable Mutex lock_;
  std::unordered_map<uint64_t, Inode*> inodes_ DAXLAB_GUARDED_BY(lock_);
};

}  // namespace daxlab::xfslike
