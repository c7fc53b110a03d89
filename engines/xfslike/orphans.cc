#include "engines/xfslike/orphans.h"

#include <vector>

#include "engines/xfslike/bmap.h"
#include "engines/xfslike/inode_allocation.h"
#include "engines/xfslike/inode_block_space.h"
#include "engines/xfslike/operation.h"
#include "engines/xfslike/symlink_format.h"

namespace daxlab::xfslike {

namespace {

/// A remote symlink's or a directory's block: as an object, so that its older log records are not replayed over its next life.
Result<bool> remove_object(FileSystem& fs, Inode& inode, Magic magic, uint32_t object_bytes) {
  DAXLAB_ASSIGN(const auto operation, Operation::begin(fs, reservation::unmap(*fs.volume)));
  const ExclusiveIlock lock(inode);
  (*operation)->join(inode);
  InodeBlockSpace space(inode, &**operation, magic, object_bytes);
  const auto first = space.next(0);
  if (!first.ok()) {
    if (first.code() == Errc::kNotFound) return true;
    return first.error();
  }
  DAXLAB_TRY(space.remove(*first));
  DAXLAB_TRY(operation->commit());
  return false;
}

Result<bool> remove_data(FileSystem& fs, Inode& inode) {
  DAXLAB_ASSIGN(const auto operation, Operation::begin(fs, reservation::unmap(*fs.volume)));
  const ExclusiveIlock lock(inode);
  if (inode.extents.empty()) return true;
  (*operation)->join(inode);
  DAXLAB_ASSIGN(const bool done, unmap_blocks(**operation, inode, 0, kFileBlocksMax));
  DAXLAB_TRY(operation->commit());
  return done;
}

Result<void> remove_blocks(FileSystem& fs, Inode& inode) {
  NodeKind kind;
  {
    const SharedIlock lock(inode);
    if (inode.fork_format() != ForkFormat::kExtents && inode.fork_format() != ForkFormat::kTree) return {};
    kind = inode.kind();
  }
  for (bool done = false; !done;) {
    if (kind == NodeKind::kDirectory) {
      DAXLAB_ASSIGN(done, remove_object(fs, inode, Magic::kDirectory, fs.volume->superblock.dirblock_bytes));
    } else if (kind == NodeKind::kSymlink) {
      DAXLAB_ASSIGN(done, remove_object(fs, inode, Magic::kSymlink, static_cast<uint32_t>(kBlockBytes)));
    } else {
      DAXLAB_ASSIGN(done, remove_data(fs, inode));
    }
  }
  return {};
}

Result<void> free_orphan(FileSystem& fs, Inode& inode) {
  if (!inode.extents_loaded) {
    const ExclusiveIlock lock(inode);
    DAXLAB_TRY(load_extents(inode));
  }
  DAXLAB_TRY(remove_blocks(fs, inode));
  DAXLAB_ASSIGN(const auto operation, Operation::begin(fs, reservation::free_inode(*fs.volume)));
  const ExclusiveIlock lock(inode);
  (*operation)->join(inode);
  free_inode(**operation, inode);
  return operation->commit();
}

}  // namespace

void inactivate(FileSystem& fs, Inode& inode) {
  // An error leaves an orphan, which is what it was: the next mount tries again.
  static_cast<void>(free_orphan(fs, inode).ok());
  fs.volume->inodes.gone(&inode);
}

Result<void> free_orphans(FileSystem& fs) {
  std::vector<uint64_t> orphans;
  each_orphan(*fs.volume, [&](uint64_t ino) { orphans.push_back(ino); });
  for (const uint64_t ino : orphans) {
    DAXLAB_ASSIGN(Inode* const inode, fs.get(ino));
    if (inode->core.links != 0) {
      fs.release(*inode);
      return Error(Errc::kCorrupt, "an inode with a name is marked as an orphan");
    }
    fs.release(*inode);  // the last reference
  }
  return {};
}

}  // namespace daxlab::xfslike
