// Which 128-byte chunks of an object have changed: the unit in which buffers are logged (XFS: XFS_BLF_CHUNK).
//
// Threads: the object's lock.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace daxlab::xfslike {

inline constexpr uint32_t kChunkBytes = 128;

class ChunkMap {
 public:
  explicit ChunkMap(uint32_t object_bytes) : chunk_count_(object_bytes / kChunkBytes), words_((chunk_count_ + 63) / 64) {}

  uint32_t chunk_count() const { return chunk_count_; }
  bool test(uint32_t chunk) const { return (words_[chunk / 64] >> (chunk % 64) & 1) != 0; }
  void set(uint32_t chunk) { words_[chunk / 64] |= uint64_t{1} << (chunk % 64); }
  /// Every chunk that [offset, offset + size) touches.
  void set_bytes(uint32_t offset, uint32_t size) {
    if (size == 0) return;
    for (uint32_t chunk = offset / kChunkBytes; chunk <= (offset + size - 1) / kChunkBytes; ++chunk) set(chunk);
  }
  void clear() {
    for (uint64_t& word : words_) word = 0;
  }
  bool any() const {
    for (const uint64_t word : words_) {
      if (word != 0) return true;
    }
    return false;
  }
  uint32_t count() const {
    uint32_t sum = 0;
    for (const uint64_t word : words_) sum += static_cast<uint32_t>(std::popcount(word));
    return sum;
  }

  /// From words as words() has them, at any alignment. Chunks beyond the object are dropped.
  void assign(const std::byte* words) {
    __builtin_memcpy(words_.data(), words, words_.size() * sizeof(uint64_t));
    if (chunk_count_ % 64 != 0) words_.back() &= (uint64_t{1} << (chunk_count_ % 64)) - 1;
  }
  const uint64_t* words() const { return words_.data(); }
  uint32_t word_count() const { return static_cast<uint32_t>(words_.size()); }

  /// visit(first chunk, count) for every run of chunks that are set.
  template <typename Visit>
  void each_run(Visit visit) const {
    for (uint32_t chunk = 0; chunk < chunk_count_; ++chunk) {
      if (!test(chunk)) continue;
      uint32_t end = chunk + 1;
      while (end < chunk_count_ && test(end)) ++end;
      visit(chunk, end - chunk);
      chunk = end;
    }
  }

 private:
  uint32_t chunk_count_;
  std::vector<uint64_t> words_;
};

}  // namespace daxlab::xfslike
