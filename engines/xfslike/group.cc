#include "engines/xfslike/group.h"

#include <algorithm>

#include <fmt/format.h>

#include "engines/xfslike/volume.h"

namespace daxlab::xfslike {
namespace {

Error damaged(uint32_t group, const char* what) { return {Errc::kCorrupt, fmt::format("group {}: {}", group, what)}; }

Result<Buffer*> metadata(Volume& volume, Magic magic, uint32_t group, uint64_t block) {
  return volume.cache.get({magic, group, {{block, 1}}});
}

Result<void> load_space(Volume& volume, Group& group) {
  DAXLAB_ASSIGN(group.space_block, metadata(volume, Magic::kGroupSpace, group.number, group.absolute(kGroupSpaceAt)));
  const auto space = group.space_block->load<GroupSpaceDisk>(kMetaHeaderBytes);
  const uint32_t bitmaps = bitmap_blocks(volume.superblock.group_blocks);
  if (space.group != group.number || space.block_count != group.block_count || space.bitmap_blocks != bitmaps) {
    return damaged(group.number, "its size is not the superblock's");
  }
  uint64_t run = 0;  // of free blocks that end at the one looked at
  uint32_t block = 0;
  const auto end_run = [&] {
    if (run != 0) group.space.give(group.absolute(block) - run, run);
    run = 0;
  };
  for (uint32_t i = 0; i < bitmaps; ++i) {
    DAXLAB_ASSIGN(Buffer* const bits, metadata(volume, Magic::kBitmap, group.number, group.absolute(kBitmapAt + i)));
    group.bitmap.push_back(bits);
    for (uint32_t at = 0; at < kMetaPayloadBytes && block < group.block_count; at += 8) {
      const auto word = bits->load<uint64_t>(kMetaHeaderBytes + at);
      for (uint32_t bit = 0; bit < 64 && block < group.block_count; ++bit, ++block) {
        if ((word >> bit & 1) != 0) {
          ++run;
        } else {
          end_run();
        }
      }
    }
  }
  end_run();
  if (group.space.free_blocks() != space.free_blocks) return damaged(group.number, "its bitmap and its count of free blocks differ");
  return {};
}

Result<void> load_inodes(Volume& volume, Group& group) {
  DAXLAB_ASSIGN(group.inodes_block, metadata(volume, Magic::kGroupInodes, group.number, group.absolute(kGroupInodesAt)));
  const auto inodes = group.inodes_block->load<GroupInodesDisk>(kMetaHeaderBytes);
  if (inodes.group != group.number || inodes.index_blocks > kIndexBlocksMax ||
      inodes.chunk_count > inodes.index_blocks * kChunksPerIndexBlock) {
    return damaged(group.number, "its counts of inodes are impossible");
  }
  group.index.reserve(kIndexBlocksMax);  // readers of it need no lock: it never moves
  for (uint32_t i = 0; i < inodes.index_blocks; ++i) {
    const auto block = group.inodes_block->load<uint32_t>(kMetaHeaderBytes + static_cast<uint32_t>(sizeof inodes) + 4 * i);
    if (block >= group.block_count) return damaged(group.number, "its index of inodes lies outside");
    DAXLAB_ASSIGN(Buffer* const index, metadata(volume, Magic::kInodeIndex, group.number, group.absolute(block)));
    group.index.push_back(index);
  }
  for (uint32_t record = 0; record < inodes.chunk_count; ++record) {
    const auto at = kMetaHeaderBytes + record % kChunksPerIndexBlock * static_cast<uint32_t>(sizeof(ChunkDisk));
    const auto chunk = group.index[record / kChunksPerIndexBlock]->load<ChunkDisk>(at);
    if (chunk.first_block % kBlocksPerChunk != 0 || chunk.first_block >= group.block_count || chunk.block_mask > 0xff ||
        group.chunks.record_of_block(chunk.first_block)) {
      return damaged(group.number, "a chunk of inodes is in no place for one");
    }
    group.chunks.add(record, chunk);
  }
  if (group.chunks.inodes() != inodes.inode_count || group.chunks.free_inodes() != inodes.free_inodes) {
    return damaged(group.number, "its index and its count of inodes differ");
  }
  return {};
}

}  // namespace

Result<std::unique_ptr<Group>> load_group(Volume& volume, uint32_t number) {
  auto group = std::make_unique<Group>();
  group->number = number;
  group->first_block = uint64_t{number} * volume.superblock.group_blocks;
  group->block_count = static_cast<uint32_t>(
      std::min<uint64_t>(volume.superblock.group_blocks, volume.superblock.block_count - group->first_block));
  DAXLAB_TRY(load_space(volume, *group));
  DAXLAB_TRY(load_inodes(volume, *group));
  return group;
}

}  // namespace daxlab::xfslike
