#include "engines/xfslike/mapped_inodes.h"

#include "engines/xfslike/file_system.h"

namespace daxlab::xfslike {

void MappedInodes::add(FileSystem& fs, Inode& inode) {
  const MutexLock lock(lock_);
  if (inodes_.emplace(inode.ino(), &inode).second) fs.volume->inodes.reference(inode);
}

void MappedInodes::remove(FileSystem& fs, Inode& inode) {
  {
    const MutexLock lock(lock_);
    const auto found = inodes_.find(inode.ino());
    if (found == inodes_.end() || found->second != &inode) return;
    inodes_.erase(found);
  }
  fs.release(inode);
}

std::vector<uint64_t> MappedInodes::all() const {
  const MutexLock lock(lock_);
  std::vector<uint64_t> numbers;
  numbers.reserve(inodes_.size());
  for (const auto& [ino, inode] : inodes_) numbers.push_back(ino);
  return numbers;
}

void MappedInodes::forget_all(FileSystem&) {
  const MutexLock lock(lock_);
  inodes_.clear();
}

}  // namespace daxlab::xfslike
