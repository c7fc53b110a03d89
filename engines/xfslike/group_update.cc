#include "engines/xfslike/group_update.h"

#include <algorithm>
#include <bit>

#include "engines/base/check.h"
#include "engines/xfslike/volume.h"

namespace daxlab::xfslike {
namespace {

uint32_t record_offset(uint32_t record) {
  return kMetaHeaderBytes + record % kChunksPerIndexBlock * static_cast<uint32_t>(sizeof(ChunkDisk));
}

struct InodePlace {
  Group& group;
  InodeChunks::Place at;
};
InodePlace place_of(Volume& volume, uint64_t ino) {
  Group& group = volume.group(inode_block(ino));
  const auto place = group.chunks.find(static_cast<uint32_t>(ino - group.first_block * kInodesPerBlock));
  DAXLAB_CHECK(place);
  return {group, *place};
}

/// A field of a group's block, by its offset in the payload.
void add_to(Buffer& buffer, size_t field, int64_t by) {
  const uint32_t offset = kMetaHeaderBytes + static_cast<uint32_t>(field);
  buffer.store(offset, static_cast<uint32_t>(buffer.load<uint32_t>(offset) + by));
}

/// Sets or clears bits [first, first + count) of a bitmap block; each was the other way.
void change_bits(Buffer& buffer, uint32_t first, uint32_t count, bool set) {
  while (count != 0) {
    const uint32_t bit = first % 64;
    const uint32_t part = std::min(count, 64 - bit);
    const uint64_t mask = (part == 64 ? ~uint64_t{0} : (uint64_t{1} << part) - 1) << bit;
    const uint32_t offset = kMetaHeaderBytes + first / 64 * 8;
    const auto word = buffer.load<uint64_t>(offset);
    DAXLAB_CHECK((word & mask) == (set ? 0 : mask));
    buffer.store(offset, word ^ mask);
    first += part;
    count -= part;
  }
}

}  // namespace

void GroupUpdate::add_chunk(Group& group, const ChunkDisk& added, uint32_t record, Buffer* new_index, uint32_t index_block) {
  Buffer* const index = new_index != nullptr ? new_index : group.index[record / kChunksPerIndexBlock];
  chunks_.push_back({&group, added, record, index, index_block});
}

std::vector<Buffer*> GroupUpdate::buffers(Volume& volume) const {
  std::vector<Buffer*> found;
  for (const Run& run : runs_) {
    Group& group = volume.group(run.first);
    found.push_back(group.space_block);
    const uint32_t first = group.relative(run.first) / kBitsPerBitmapBlock;
    const uint32_t last = group.relative(run.first + run.count - 1) / kBitsPerBitmapBlock;
    for (uint32_t i = first; i <= last; ++i) found.push_back(group.bitmap[i]);
  }
  for (const InodeBit& bit : inodes_) {
    const InodePlace place = place_of(volume, bit.ino);
    if (bit.change == InodeChange::kTake || bit.change == InodeChange::kFree) found.push_back(place.group.inodes_block);
    found.push_back(place.group.index[place.at.record / kChunksPerIndexBlock]);
  }
  for (const Chunk& chunk : chunks_) {
    found.push_back(chunk.group->inodes_block);
    found.push_back(chunk.index);
  }
  std::sort(found.begin(), found.end(),
            [](const Buffer* a, const Buffer* b) { return a->name().first_block() < b->name().first_block(); });
  found.erase(std::unique(found.begin(), found.end()), found.end());
  return found;
}

void GroupUpdate::apply(Volume& volume) const {
  for (const Run& run : runs_) apply_run(volume, run);
  for (const Chunk& chunk : chunks_) apply_chunk(chunk);
  for (const InodeBit& bit : inodes_) apply_inode(volume, bit);
}

void GroupUpdate::settle(Volume& volume) const {
  for (const InodeBit& bit : inodes_) {
    Group& group = volume.group(inode_block(bit.ino));
    const auto inode = static_cast<uint32_t>(bit.ino - group.first_block * kInodesPerBlock);
    if (bit.change == InodeChange::kOrphan) group.chunks.set_orphan(inode, true);
    if (bit.change == InodeChange::kNoOrphan) group.chunks.set_orphan(inode, false);
  }
}

void GroupUpdate::apply_run(Volume& volume, const Run& run) const {
  Group& group = volume.group(run.first);
  DAXLAB_CHECK(group.relative(run.first) + run.count <= group.block_count);
  uint32_t block = group.relative(run.first);
  for (auto left = static_cast<uint32_t>(run.count); left != 0;) {
    const uint32_t bit = block % kBitsPerBitmapBlock;
    const uint32_t part = std::min(left, kBitsPerBitmapBlock - bit);
    change_bits(*group.bitmap[block / kBitsPerBitmapBlock], bit, part, run.free);
    block += part;
    left -= part;
  }
  const auto count = static_cast<int64_t>(run.count);
  add_to(*group.space_block, offsetof(GroupSpaceDisk, free_blocks), run.free ? count : -count);
}

void GroupUpdate::apply_inode(Volume& volume, const InodeBit& bit) const {
  const InodePlace place = place_of(volume, bit.ino);
  Buffer& index = *place.group.index[place.at.record / kChunksPerIndexBlock];
  const uint32_t at = record_offset(place.at.record);
  const uint64_t mask = uint64_t{1} << place.at.bit;
  const bool orphans = bit.change == InodeChange::kOrphan || bit.change == InodeChange::kNoOrphan;
  const bool set = bit.change == InodeChange::kOrphan || bit.change == InodeChange::kFree;
  const auto field = static_cast<uint32_t>(orphans ? offsetof(ChunkDisk, orphan_mask) : offsetof(ChunkDisk, free_mask));
  const auto word = index.load<uint64_t>(at + field);
  DAXLAB_CHECK(((word & mask) == 0) == set);
  index.store(at + field, word ^ mask);
  if (!orphans) add_to(*place.group.inodes_block, offsetof(GroupInodesDisk, free_inodes), set ? 1 : -1);
}

void GroupUpdate::apply_chunk(const Chunk& chunk) const {
  Buffer& inodes = *chunk.group->inodes_block;
  ChunkDisk disk = chunk.added;
  auto header = inodes.load<GroupInodesDisk>(kMetaHeaderBytes);
  if (chunk.record < header.chunk_count) {
    disk = chunk.index->load<ChunkDisk>(record_offset(chunk.record));
    disk.block_mask |= chunk.added.block_mask;
    disk.free_mask |= chunk.added.free_mask;
  } else {
    header.chunk_count = chunk.record + 1;
  }
  chunk.index->store(record_offset(chunk.record), disk);
  header.inode_count += static_cast<uint32_t>(std::popcount(chunk.added.block_mask)) * kInodesPerBlock;
  header.free_inodes += static_cast<uint32_t>(std::popcount(chunk.added.free_mask));
  if (chunk.new_index_block != 0) {
    inodes.store(kMetaHeaderBytes + static_cast<uint32_t>(sizeof header) + 4 * header.index_blocks, chunk.new_index_block);
    ++header.index_blocks;
  }
  inodes.store(kMetaHeaderBytes, header);
}

}  // namespace daxlab::xfslike
