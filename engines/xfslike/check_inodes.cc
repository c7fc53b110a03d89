// The check's steps over inodes, each by itself.

#include "engines/base/mutex.h"
#include "engines/pmem/persist.h"
#include "engines/xfslike/bmap.h"
#include "engines/xfslike/check_steps.h"
#include "engines/xfslike/inode_block_space.h"
#include "engines/xfslike/inode_disk.h"
#include "engines/xfslike/symlink_format.h"

namespace daxlab::xfslike {

void CheckSteps::inodes() {
  for (const auto& group : volume_.groups) {
    for (uint32_t i = 0; i < group->chunks.count(); ++i) {
      const ChunkDisk chunk = group->chunks.record(i);
      for (uint32_t bit = 0; bit < kInodesPerChunk; ++bit) {
        if ((chunk.block_mask >> (bit / kInodesPerBlock) & 1) == 0) continue;
        const uint64_t ino = group->absolute(chunk.first_block) * kInodesPerBlock + bit;
        if ((chunk.free_mask >> bit & 1) != 0) {
          free_inode(ino);
        } else {
          used_inode(ino);
          const bool orphan = (chunk.orphan_mask >> bit & 1) != 0;
          const auto known = known_.find(ino);
          if (known != known_.end() && orphan != (known->second.links == 0)) {
            find("orphan", "inode {} has {} links, its group says orphan {}", ino, known->second.links, orphan);
          }
        }
      }
    }
  }
}

void CheckSteps::free_inode(uint64_t ino) {
  const auto disk = pmem::load(reinterpret_cast<const InodeDisk*>(volume_.address(inode_block(ino)) + inode_offset(ino)));
  const auto verified = verify_inode(disk, ino, volume_.superblock.uuid);
  if (!verified.ok()) {
    find("inode", "{}", verified.error().message());
  } else if (disk.core.kind != 0) {
    find("inode", "inode {} is in use, its group says free", ino);
  }
}

void CheckSteps::used_inode(uint64_t ino) {
  ++report_.inodes;
  const auto got = volume_.inodes.get(ino);
  if (!got.ok()) {
    if (got.code() == Errc::kStale) {
      find("leaked", "inode {} is free, its group says in use", ino);
    } else {
      find("inode", "{}", got.error().message());
    }
    return;
  }
  Inode* const inode = *got;
  this->inode(*inode, known_[ino]);
  if (volume_.inodes.put(inode)) volume_.inodes.gone(inode);  // an orphan: looked at, not freed
}

void CheckSteps::inode(Inode& inode, Known& known) {
  const WriterLock lock(inode.ilock);
  known = {inode.kind(), inode.core.links, inode.core.uid, inode.core.gid, inode.core.block_count};
  const auto loaded = load_extents(inode);
  if (!loaded.ok()) {
    find("extents", "inode {}: {}", inode.ino(), loaded.error().message());
    return;
  }
  fork(inode);
  const uint64_t blocks = claim_extents(inode);
  if (blocks != inode.core.block_count) {
    find("inode", "inode {} counts {} blocks, it has {}", inode.ino(), inode.core.block_count, blocks);
  }
  if (inode.kind() == NodeKind::kSymlink) symlink(inode);
}

void CheckSteps::fork(Inode& inode) {
  const ForkFormat format = inode.fork_format();
  const bool blocks = format == ForkFormat::kExtents || format == ForkFormat::kTree;
  bool fits = false;
  switch (inode.kind()) {
    case NodeKind::kFile: fits = blocks; break;
    case NodeKind::kDirectory:
    case NodeKind::kSymlink: fits = blocks || format == ForkFormat::kLocal; break;
    default: fits = format == ForkFormat::kNone;
  }
  if (!fits) find("inode", "inode {}: a fork that its kind does not have", inode.ino());
  if (format == ForkFormat::kLocal && inode.core.size_bytes != inode.core.fork_bytes) {
    find("inode", "inode {}: {} bytes in the literal area, its size is {}", inode.ino(), inode.core.fork_bytes, inode.core.size_bytes);
  }
  if (blocks && inode.core.extent_count != inode.extents.size()) {
    find("extents", "inode {} counts {} extents, it has {}", inode.ino(), inode.core.extent_count, inode.extents.size());
  }
}

uint64_t CheckSteps::claim_extents(Inode& inode) {
  uint64_t blocks = 0;
  for (const Extent& extent : inode.extents.all()) {
    blocks += extent.count;
    if (!volume_.plausible(extent.block, extent.count) || extent.end() > kFileBlocksMax) {
      find("extents", "inode {}: an extent at {} + {} in no place for one", inode.ino(), extent.block, extent.count);
    }
    claim(extent.block, extent.count, "inode", inode.ino());
  }
  const auto visited = each_tree_block(inode, [&](uint64_t block) {
    ++blocks;
    claim(block, 1, "the extent tree of inode", inode.ino());
    return true;
  });
  if (!visited.ok()) find("extents", "inode {}: {}", inode.ino(), visited.error().message());
  return blocks;
}

void CheckSteps::symlink(Inode& inode) {
  const uint64_t size_bytes = inode.core.size_bytes;
  if (inode.fork_format() == ForkFormat::kLocal) {
    if (size_bytes == 0) find("symlink", "inode {} has an empty target", inode.ino());
    return;
  }
  // An orphan's blocks may be gone already.
  if (inode.core.links == 0) return;
  InodeBlockSpace space(inode, nullptr, Magic::kSymlink, static_cast<uint32_t>(kBlockBytes));
  const auto target = read_symlink(space, size_bytes);
  if (!target.ok()) find("symlink", "inode {}: {}", inode.ino(), target.error().message());
}

}  // namespace daxlab::xfslike
