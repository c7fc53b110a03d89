// Who owns which bytes of the file that fault_vs_write contends for, and the proof that each kept its own.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "engines/base/units.h"
#include "workloads/mapped.h"
#include "workloads/progress.h"

namespace daxlab {

/// Faulter f owns word f of the last line of every page. Writers own all blocks; when blocks are smaller than a page, all but the
/// last of each page, so that the faulters' line is never written by a writer.
struct ContentionLayout {
  static constexpr uint64_t kFaultersMax = kCacheLineBytes / sizeof(uint64_t);

  ContentionLayout(const Params& params, uint64_t seed);

  uint32_t faulters;
  uint32_t writers;
  bool faulters_store;
  uint64_t pages;
  uint64_t blocks;           ///< Of block_bytes.
  uint64_t blocks_per_page;  ///< 1 when a block is a page or more.
  Content content;

  bool separate() const { return blocks_per_page > 1; }
  /// Blocks that writers write, as slots 0 to slots()-1.
  uint64_t slots() const { return separate() ? pages * (blocks_per_page - 1) : blocks; }
  uint64_t block_of_slot(uint64_t slot) const {
    return separate() ? slot / (blocks_per_page - 1) * blocks_per_page + slot % (blocks_per_page - 1) : slot;
  }
  static uint64_t writer_id(uint32_t writer) { return 1 + writer; }  ///< In tags; 0 is what prepare() wrote.
  uint64_t word_offset(uint64_t page, uint32_t faulter) const {
    return (page + 1) * kBlockBytes - kCacheLineBytes + faulter * sizeof(uint64_t);
  }
  uint64_t word(uint64_t page, uint32_t faulter, uint64_t pass) const {
    return content.tag_of(uint64_t{1} << 32 | faulter, page, pass);
  }
};

/// The word of the i-th page of its order was stored in `passes` passes, and once more where i < next.
struct FaulterProgress {
  uint64_t seed = 0;
  uint64_t passes = 0;
  uint64_t next = 0;
};

/// Every block is the last that one of the writers wrote there; every faulter's word is its last store, or, where writers own the
/// line too, one of its stores or the writer's bytes. An error is wrong data.
Result<void> check_contended(File& file, const ContentionLayout& layout, std::span<const FaulterProgress> faulters,
                             std::span<const OverwriteProgress> writers);

}  // namespace daxlab
