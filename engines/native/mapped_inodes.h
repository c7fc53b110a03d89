// Which inodes have an address space: what sync() has to write back.
//
// Threads: all methods from any thread. Innermost lock: nothing is taken under it.
#pragma once

#include <unordered_set>
#include <vector>

#include "engines/api/types.h"
#include "engines/base/mutex.h"

namespace daxlab::native {

class MappedInodes {
 public:
  void add(InodeId ino) {
    const MutexLock lock(lock_);
    inodes_.insert(ino);
  }
  void remove(InodeId ino) {
    const MutexLock lock(lock_);
    inodes_.erase(ino);
  }
  std::vector<InodeId> all() const {
    const MutexLock lock(lock_);
    return {inodes_.begin(), inodes_.end()};
  }

 private:
  mutable Mutex lock_;
  std::unordered_set<InodeId> inodes_ DAXLAB_GUARDED_BY(lock_);
};

}  // namespace daxlab::native
