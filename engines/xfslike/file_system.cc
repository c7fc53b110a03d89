#include "engines/xfslike/file_system.h"

#include "engines/xfslike/bmap.h"
#include "engines/xfslike/orphans.h"

namespace daxlab::xfslike {

FileSystem::~FileSystem() { mapped.forget_all(*this); }

Result<Inode*> FileSystem::get(InodeId ino) {
  DAXLAB_ASSIGN(Inode* const inode, volume->inodes.get(ino));
  bool loaded;
  {
    const SharedIlock lock(*inode);
    loaded = inode->extents_loaded;
  }
  if (loaded) return inode;
  Result<void> read;
  {
    const ExclusiveIlock lock(*inode);
    read = load_extents(*inode);
  }
  if (read.ok()) return inode;
  release(*inode);
  return read.error();
}

void FileSystem::release(Inode& inode, uint64_t references) {
  if (volume->inodes.put(&inode, references)) inactivate(*this, inode);
}

Result<void> FileSystem::settle(uint64_t sequence) {
  switch (options.durability) {
    case Durability::kFsync: return {};
    case Durability::kOp: return force(sequence);
    case Durability::kBatch: break;
  }
  const uint64_t count = operations_.fetch_add(1, std::memory_order_relaxed) + 1;
  return count % options.batch_operations == 0 ? force(sequence) : Result<void>();
}

Result<void> FileSystem::force(uint64_t sequence) { return log == nullptr ? Result<void>() : log->force(sequence); }

Result<void> FileSystem::force_all() { return log == nullptr ? Result<void>() : log->force_all(); }

}  // namespace daxlab::xfslike
