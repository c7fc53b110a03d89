#include "engines/xfslike/reservation.h"

#include <algorithm>

#include "engines/xfslike/bmap.h"
#include "engines/xfslike/item_format.h"
#include "engines/xfslike/record_format.h"
#include "engines/xfslike/volume.h"

namespace daxlab::xfslike::reservation {
namespace {

constexpr uint32_t kRegionBytes = kOpHeaderBytes + 4;
constexpr uint32_t kInodeLog = sizeof(InodeLogDisk) + kInodeBytes + 3 * kRegionBytes;
constexpr uint32_t kDquotLog = sizeof(DquotLogDisk) + sizeof(DquotDisk) + 2 * kRegionBytes;
constexpr uint32_t kChunkLog = kChunkBytes + kRegionBytes;
/// Levels of an extents' tree that one change rewrites, and nodes that it may add.
constexpr uint32_t kTreeLevels = 3;

/// All of an object, in as many regions as it can fall into.
constexpr uint32_t object_log(uint32_t bytes) {
  const uint32_t runs = bytes / kChunkBytes / 2 + 1;
  const auto blocks = static_cast<uint32_t>(bytes / kBlockBytes);
  return bytes + static_cast<uint32_t>(sizeof(BufferLogDisk) + blocks * sizeof(BlockRunDisk)) + bytes / kChunkBytes / 8 + 8 +
         (runs + 1) * kRegionBytes;
}
/// A few chunks of a block.
constexpr uint32_t block_log(uint32_t chunks) {
  return static_cast<uint32_t>(sizeof(BufferLogDisk) + sizeof(BlockRunDisk)) + 8 + kRegionBytes + chunks * kChunkLog;
}
constexpr uint32_t kTreeLog = kTreeLevels * object_log(kBlockBytes);

/// A block of a group. What it logs is all that changed since it was last written back, by whomever: in the end all of it, as XFS has it
/// (xfs_calc_buf_res() of whole blocks). Counts are in its first chunks.
constexpr uint32_t kGroupBlockLog = object_log(kBlockBytes);
constexpr uint32_t kCountsLog = block_log(2);

/// Bitmaps and counts for `extents` extents of `blocks` in all, each in a group of its own at worst.
uint32_t space_log(const Volume& volume, uint64_t extents, uint64_t blocks) {
  const uint64_t groups = std::min<uint64_t>(extents, volume.superblock.group_count);
  const uint64_t more = blocks / kBitsPerBitmapBlock;  // of extents that are longer than a bitmap block's stretch
  const uint64_t bitmaps = std::min(groups * bitmap_blocks(volume.superblock.group_blocks), 2 * extents + more);
  return static_cast<uint32_t>(groups * kCountsLog + bitmaps * kGroupBlockLog);
}
/// The record of an inode and the counts of its group.
constexpr uint32_t kInodeIndexLog = kGroupBlockLog + kGroupBlockLog;
uint32_t quota_log(const Volume& volume, uint32_t owners) { return volume.superblock.quota != 0 ? 2 * owners * kDquotLog : 0; }
uint32_t intent_log(uint32_t extents) {
  return static_cast<uint32_t>(2 * (sizeof(ExtentFreeLogDisk) + kRegionBytes) + extents * sizeof(BlockRunDisk));
}

/// One directory's blocks: a name's data block, leaf, free index and node, and for each block added another one that it came from.
uint32_t directory_log(const Volume& volume, uint32_t objects) { return (4 + 2 * objects) * object_log(volume.superblock.dirblock_bytes); }
/// What mapping that many objects takes: each in as many pieces as it has blocks.
uint32_t mapping_log(const Volume& volume, uint32_t objects) {
  if (objects == 0) return 0;
  const uint64_t pieces = uint64_t{objects} * volume.dirblock_blocks();
  return kTreeLog + space_log(volume, pieces + kTreeLevels, pieces);
}

}  // namespace

Reservation attributes(const Volume& volume, uint32_t inodes) { return {.log_bytes = inodes * kInodeLog + quota_log(volume, 2 * inodes)}; }

Reservation create(const Volume& volume, uint32_t objects, uint32_t target_blocks) {
  Reservation r;
  r.objects = objects;
  r.blocks = target_blocks + (objects != 0 ? 2 * kTreeLevels : 0);
  r.log_bytes = 2 * kInodeLog + kInodeIndexLog + quota_log(volume, 2) + directory_log(volume, objects) + mapping_log(volume, objects) +
                target_blocks * object_log(kBlockBytes) + space_log(volume, target_blocks, target_blocks);
  return r;
}

Reservation names(const Volume& volume, uint32_t objects, uint32_t inodes) {
  Reservation r;
  r.parts = 2;
  r.objects = objects;
  r.blocks = objects != 0 ? 2 * kTreeLevels : kTreeLevels;
  r.privileged = objects == 0;
  const uint32_t pieces = 2 * volume.dirblock_blocks() * 4;  // of directory blocks that become empty
  const uint32_t changes = inodes * (kInodeLog + kInodeIndexLog) + quota_log(volume, inodes) + directory_log(volume, objects) +
                           directory_log(volume, 0) + mapping_log(volume, objects) + 2 * kTreeLog + intent_log(pieces);
  r.log_bytes = std::max(changes, space_log(volume, pieces, pieces) + intent_log(0));
  return r;
}

Reservation write(const Volume& volume, uint64_t blocks, uint32_t extents) {
  Reservation r;
  r.parts = 2;  // an extent's tree may become short enough for the inode
  r.blocks = blocks + 2 * kTreeLevels;
  const uint64_t pieces = extents + uint64_t{2} * kTreeLevels;
  r.log_bytes = kInodeLog + quota_log(volume, 1) + 2 * kTreeLog + space_log(volume, pieces, blocks) + intent_log(2 * kTreeLevels);
  return r;
}

Reservation unmap(const Volume& volume) {
  Reservation r;
  r.parts = 2;
  r.blocks = 2 * kTreeLevels;
  r.privileged = true;
  const uint32_t extents = kUnmapExtents + 2 * kTreeLevels;
  const uint32_t changes = kInodeLog + quota_log(volume, 1) + 2 * kTreeLog + intent_log(extents) + space_log(volume, kTreeLevels, kTreeLevels);
  r.log_bytes = std::max(changes, space_log(volume, extents, kUnmapBlocks) + intent_log(0));
  return r;
}

Reservation free_inode(const Volume& volume) {
  return {.log_bytes = kInodeLog + kInodeIndexLog + quota_log(volume, 1)};
}

Reservation inode_chunk(const Volume& volume, bool sparse) {
  Reservation r;
  r.blocks = sparse ? 2 : kBlocksPerChunk + 1;
  r.log_bytes = space_log(volume, 2, kBlocksPerChunk + 1) + kInodeIndexLog + kGroupBlockLog;
  return r;
}

Reservation finish_intent(const Volume& volume, uint32_t extents, uint64_t blocks) {
  return {.log_bytes = space_log(volume, extents, blocks) + intent_log(0)};
}

}  // namespace daxlab::xfslike::reservation
