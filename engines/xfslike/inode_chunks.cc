#include "engines/xfslike/inode_chunks.h"

#include <bit>

#include "engines/base/check.h"

namespace daxlab::xfslike {

void InodeChunks::add(uint32_t record, const ChunkDisk& added) {
  const MutexLock lock(mutex_);
  if (record == records_.size()) {
    records_.push_back(added);
  } else {
    records_[record].block_mask |= added.block_mask;
    records_[record].free_mask |= added.free_mask;
  }
  by_block_[added.first_block] = record;
  inodes_ += static_cast<uint64_t>(std::popcount(added.block_mask)) * kInodesPerBlock;
  free_inodes_ += static_cast<uint64_t>(std::popcount(added.free_mask));
  if (added.free_mask != 0) with_free_.insert(record);
}

std::optional<uint32_t> InodeChunks::take() {
  const MutexLock lock(mutex_);
  if (with_free_.empty()) return std::nullopt;
  ChunkDisk& chunk = records_[*with_free_.begin()];
  const auto bit = static_cast<uint32_t>(std::countr_zero(chunk.free_mask));
  chunk.free_mask &= chunk.free_mask - 1;
  --free_inodes_;
  if (chunk.free_mask == 0) with_free_.erase(with_free_.begin());
  return chunk.first_block * kInodesPerBlock + bit;
}

std::optional<InodeChunks::Place> InodeChunks::find(uint32_t inode) const {
  const MutexLock lock(mutex_);
  const auto found = by_block_.find(inode / kInodesPerChunk * kBlocksPerChunk);
  if (found == by_block_.end()) return std::nullopt;
  const uint32_t bit = inode % kInodesPerChunk;
  if ((records_[found->second].block_mask >> (bit / kInodesPerBlock) & 1) == 0) return std::nullopt;
  return Place{found->second, bit};
}

void InodeChunks::give(uint32_t inode) {
  const auto place = find(inode);
  DAXLAB_CHECK(place);
  const MutexLock lock(mutex_);
  ChunkDisk& chunk = records_[place->record];
  DAXLAB_CHECK((chunk.free_mask >> place->bit & 1) == 0);
  chunk.free_mask |= uint64_t{1} << place->bit;
  ++free_inodes_;
  with_free_.insert(place->record);
}

void InodeChunks::set_orphan(uint32_t inode, bool orphan) {
  const auto place = find(inode);
  DAXLAB_CHECK(place);
  const MutexLock lock(mutex_);
  const uint64_t bit = uint64_t{1} << place->bit;
  uint64_t& mask = records_[place->record].orphan_mask;
  mask = orphan ? mask | bit : mask & ~bit;
}

ChunkDisk InodeChunks::record(uint32_t record) const {
  const MutexLock lock(mutex_);
  return records_[record];
}

std::optional<uint32_t> InodeChunks::record_of_block(uint32_t block) const {
  const MutexLock lock(mutex_);
  const auto found = by_block_.find(block / kBlocksPerChunk * kBlocksPerChunk);
  if (found == by_block_.end()) return std::nullopt;
  return found->second;
}

uint32_t InodeChunks::count() const {
  const MutexLock lock(mutex_);
  return static_cast<uint32_t>(records_.size());
}

uint64_t InodeChunks::inodes() const {
  const MutexLock lock(mutex_);
  return inodes_;
}

uint64_t InodeChunks::free_inodes() const {
  const MutexLock lock(mutex_);
  return free_inodes_;
}

}  // namespace daxlab::xfslike
