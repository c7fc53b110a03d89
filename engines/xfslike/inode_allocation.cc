#include "engines/xfslike/inode_allocation.h"

#include <bit>

#include "engines/base/check.h"
#include "engines/pmem/persist.h"
#include "engines/xfslike/inode_disk.h"
#include "engines/xfslike/transaction.h"
#include "engines/xfslike/volume.h"

namespace daxlab::xfslike {
namespace {

uint32_t relative(const Group& group, uint64_t ino) { return static_cast<uint32_t>(ino - group.first_block * kInodesPerBlock); }

/// Blocks for inodes: a whole chunk or, where free space is too fragmented, one block of one (XFS: sparse inodes).
Result<ChunkDisk> allocate_chunk(Transaction& transaction, const Group& group) {
  auto run = transaction.allocate(
      {.count = kBlocksPerChunk, .minimum = kBlocksPerChunk, .align = kBlocksPerChunk, .group = group.number});
  if (!run.ok()) run = transaction.allocate({.group = group.number});
  if (!run.ok()) return run.error();
  const uint32_t first = group.relative(run->first);
  ChunkDisk chunk{};
  chunk.first_block = first / kBlocksPerChunk * kBlocksPerChunk;
  const uint32_t at = first - chunk.first_block;
  chunk.block_mask = static_cast<uint16_t>(((1u << run->count) - 1) << at);
  const uint64_t inodes = run->count == kBlocksPerChunk ? ~uint64_t{0} : (uint64_t{1} << kInodesPerBlock) - 1;
  chunk.free_mask = inodes << (at * kInodesPerBlock);
  return chunk;
}

// Stores: the chunk's inodes, free; fence; the commit. A crash before the commit is durable leaves free blocks.
Result<void> add_inodes(Volume& volume, Group& group) {
  auto begun = Transaction::begin(volume, reservation::inode_chunk(volume, false));
  if (!begun.ok()) begun = Transaction::begin(volume, reservation::inode_chunk(volume, true));
  if (!begun.ok()) return begun.error();
  Transaction& transaction = **begun;
  DAXLAB_ASSIGN(const ChunkDisk chunk, allocate_chunk(transaction, group));
  const uint32_t record = group.chunks.record_of_block(chunk.first_block).value_or(group.chunks.count());
  Buffer* index = nullptr;
  uint32_t index_block = 0;
  if (record == group.index.size() * kChunksPerIndexBlock) {
    if (group.index.size() == kIndexBlocksMax) return Errc::kNoSpace;
    DAXLAB_ASSIGN(const BlockRun run, transaction.allocate({.group = group.number}));
    index_block = group.relative(run.first);
    DAXLAB_ASSIGN(const MetadataRef made, transaction.create({Magic::kInodeIndex, group.number, {{run.first, 1}}}));
    index = static_cast<Buffer*>(made.get());
    volume.cache.hold(index);  // the group's own reference
  }
  for (uint32_t i = 0; i < kBlocksPerChunk; ++i) {
    if ((chunk.block_mask >> i & 1) == 0) continue;
    const uint64_t block = group.absolute(chunk.first_block + i);
    write_free_inodes(volume.address(block), block, volume.superblock.uuid);
  }
  pmem::fence();
  transaction.groups().add_chunk(group, chunk, record, index, index_block);
  transaction.commit();
  if (index != nullptr) group.index.push_back(index);
  group.chunks.add(record, chunk);
  return {};
}

/// A free inode of the group, as a number of the volume; 0 and no error: no space for more.
Result<uint64_t> take_from(Volume& volume, Group& group) {
  for (;;) {
    if (const auto inode = group.chunks.take()) return group.first_block * kInodesPerBlock + *inode;
    const MutexLock lock(group.growth);
    if (group.chunks.free_inodes() != 0) continue;
    const auto added = add_inodes(volume, group);
    if (!added.ok()) return added.code() == Errc::kNoSpace ? Result<uint64_t>(uint64_t{0}) : Result<uint64_t>(added.error());
  }
}

}  // namespace

// As XFS (xfs_dialloc()): with little space left, free inodes of any group before new ones. What is little is not a hundredth here but a
// half, as chunks are never given back: a medium that was full of files must hold as many again.
Result<InodeSlot> InodeSlot::take(Volume& volume, uint64_t parent_ino, NodeKind kind) {
  const auto groups = static_cast<uint32_t>(volume.groups.size());
  const uint32_t first = kind == NodeKind::kDirectory ? volume.next_directory_group.fetch_add(1, std::memory_order_relaxed)
                                                      : volume.group_of(inode_block(parent_ino));
  const bool low_space = volume.budget.available() < volume.superblock.block_count / 2;
  for (uint32_t i = 0; low_space && i < groups; ++i) {
    Group& group = *volume.groups[(first + i) % groups];
    if (const auto inode = group.chunks.take()) return InodeSlot(volume, group.first_block * kInodesPerBlock + *inode);
  }
  for (uint32_t i = 0; i < groups; ++i) {
    DAXLAB_ASSIGN(const uint64_t ino, take_from(volume, *volume.groups[(first + i) % groups]));
    if (ino != 0) return InodeSlot(volume, ino);
  }
  return Errc::kNoSpace;
}

InodeSlot::~InodeSlot() {
  if (ino_ == 0) return;
  Group& group = volume_->group(inode_block(ino_));
  group.chunks.give(relative(group, ino_));
}

Result<Inode*> allocate_inode(Transaction& transaction, InodeSlot& slot, const NewInode& what) DAXLAB_NO_THREAD_SAFETY_ANALYSIS {
  Volume& volume = transaction.volume();
  DAXLAB_ASSIGN(Inode* const inode, volume.inodes.adopt(slot.ino_));
  inode->ilock.lock();
  InodeCoreDisk core{};
  core.magic = static_cast<uint32_t>(Magic::kInode);
  core.ino = slot.ino_;
  core.uuid = volume.superblock.uuid;
  core.lsn = inode->core.lsn;
  core.generation = inode->core.generation + 1;
  core.kind = static_cast<uint8_t>(what.kind);
  core.mode = static_cast<uint16_t>(what.mode);
  core.uid = what.uid;
  core.gid = what.gid;
  core.device = what.device;
  core.atime_ns = core.mtime_ns = core.ctime_ns = core.created_ns = what.now_ns;
  inode->core = core;
  const bool local = what.kind == NodeKind::kDirectory || what.kind == NodeKind::kSymlink;
  inode->start_fork(what.kind == NodeKind::kFile ? ForkFormat::kExtents : local ? ForkFormat::kLocal : ForkFormat::kNone);
  transaction.join(*inode);
  transaction.log(*inode, kInodeCore | kInodeFork | kInodeData);
  transaction.groups().inode(slot.ino_, InodeChange::kTake);
  transaction.charge(*inode, 0, 1);
  slot.ino_ = 0;
  return inode;
}

void free_inode(Transaction& transaction, Inode& inode) {
  DAXLAB_CHECK(inode.core.links == 0 && inode.extents.empty() && !inode.is_free());
  Group& group = transaction.volume().group(inode_block(inode.ino()));
  const auto place = group.chunks.find(relative(group, inode.ino()));
  DAXLAB_CHECK(place);
  if ((group.chunks.record(place->record).orphan_mask >> place->bit & 1) != 0) remove_orphan(transaction, inode);
  transaction.charge(inode, 0, -1);
  inode.core.kind = 0;
  inode.core.mode = 0;
  inode.core.size_bytes = 0;
  inode.start_fork(ForkFormat::kNone);
  transaction.log(inode, kInodeCore | kInodeFork | kInodeData);
  transaction.groups().inode(inode.ino(), InodeChange::kFree);
}

void add_orphan(Transaction& transaction, Inode& inode) { transaction.groups().inode(inode.ino(), InodeChange::kOrphan); }
void remove_orphan(Transaction& transaction, Inode& inode) { transaction.groups().inode(inode.ino(), InodeChange::kNoOrphan); }

namespace {
/// visit(ino) for each bit of `mask(record)`.
template <typename Mask>
void each_bit(Volume& volume, Mask mask, const std::function<void(uint64_t ino)>& visit) {
  for (const auto& group : volume.groups) {
    for (uint32_t i = 0; i < group->chunks.count(); ++i) {
      const ChunkDisk record = group->chunks.record(i);
      for (uint64_t bits = mask(record); bits != 0; bits &= bits - 1) {
        visit(group->absolute(record.first_block) * kInodesPerBlock + static_cast<uint64_t>(std::countr_zero(bits)));
      }
    }
  }
}
}  // namespace

void each_orphan(Volume& volume, const std::function<void(uint64_t ino)>& visit) {
  each_bit(volume, [](const ChunkDisk& record) { return record.orphan_mask; }, visit);
}

void each_inode(Volume& volume, const std::function<void(uint64_t ino)>& visit) {
  const auto used = [](const ChunkDisk& record) {
    uint64_t present = 0;
    for (uint32_t i = 0; i < kBlocksPerChunk; ++i) {
      if ((record.block_mask >> i & 1) != 0) present |= uint64_t{0xff} << (i * kInodesPerBlock);
    }
    return present & ~record.free_mask;
  };
  each_bit(volume, used, visit);
}

}  // namespace daxlab::xfslike
