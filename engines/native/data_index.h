// Where the pages of one file lie: file page -> (block, log page whose record says so), in DRAM, O(1).
//
// The first four pages stand in the object itself, so that a small file needs no memory of its own; the others in a radix tree of
// 512-entry nodes whose height grows with the file. Nodes are published once and live until clear().
//
// Invariants:
//   1. An entry is 0 (a hole) or has both a block and a log page.
//   2. Nodes of a range exist after prepare() of it; set() then allocates nothing, as a fault handler needs.
//
// Threads: get(), run() and set() of different pages from any thread; who may set a page is the owner's business (its stripe lock, and
// the inode's lock against readers). prepare() serialises itself. clear() needs exclusion of everything.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>

#include "engines/base/mutex.h"

namespace daxlab::native {

struct BlockRef {
  uint32_t block = 0;     ///< 0: a hole.
  uint32_t log_page = 0;
  bool hole() const { return block == 0; }
  bool operator==(const BlockRef&) const = default;
};

class DataIndex {
 public:
  static constexpr uint64_t kInlinePages = 4;

  DataIndex() = default;
  ~DataIndex() { clear(); }
  DataIndex(const DataIndex&) = delete;
  DataIndex& operator=(const DataIndex&) = delete;

  BlockRef get(uint64_t page) const {
    const std::atomic<uint64_t>* entry = find(page);
    return entry == nullptr ? BlockRef{} : unpack(entry->load(std::memory_order_acquire));
  }
  void prefetch(uint64_t page) const {
    if (const std::atomic<uint64_t>* entry = find(page)) __builtin_prefetch(entry, 1);
  }
  /// The node must exist: prepare() was called, or the page has a block.
  void set(uint64_t page, BlockRef ref);
  /// Makes every node of [first, first + count) exist.
  void prepare(uint64_t first_page, uint64_t page_count);

  /// From `page` on, how many of at most `most` pages lie in consecutive blocks (or are all holes).
  uint64_t run(uint64_t page, uint64_t most) const;
  /// The first page >= `page` and < `limit` that has a block; `limit` if there is none. Skips empty subtrees.
  uint64_t next_mapped(uint64_t page, uint64_t limit) const;

  void clear();
  uint64_t dram_bytes() const { return nodes_.load(std::memory_order_relaxed) * sizeof(Node); }

 private:
  static constexpr uint32_t kFanoutBits = 9;
  static constexpr uint64_t kFanout = uint64_t{1} << kFanoutBits;
  static constexpr uint64_t kHeightMask = 7;

  struct alignas(64) Node {
    std::array<std::atomic<uint64_t>, kFanout> words{};  // children, or entries in a leaf
  };

  static uint64_t pack(BlockRef ref) { return uint64_t{ref.log_page} << 32 | ref.block; }
  static BlockRef unpack(uint64_t word) { return {static_cast<uint32_t>(word), static_cast<uint32_t>(word >> 32)}; }
  static Node* node(uint64_t word) { return reinterpret_cast<Node*>(word & ~kHeightMask); }
  static uint64_t span(uint64_t height) { return uint64_t{1} << (kFanoutBits * height); }  // pages below a node

  const std::atomic<uint64_t>* find(uint64_t page) const {
    if (page < kInlinePages) return &inline_[page];
    const uint64_t root = root_.load(std::memory_order_acquire);
    uint64_t height = root & kHeightMask;
    if (page >= span(height) || height == 0) return nullptr;
    const Node* at = node(root);
    while (--height != 0) {
      at = node(at->words[page >> (kFanoutBits * height) & (kFanout - 1)].load(std::memory_order_acquire));
      if (at == nullptr) return nullptr;
    }
    return &at->words[page & (kFanout - 1)];
  }

  Node* make_node();
  uint64_t next_in(const Node* at, uint64_t height, uint64_t base, uint64_t page, uint64_t limit) const;
  void free_tree(Node* at, uint64_t height);

  std::array<std::atomic<uint64_t>, kInlinePages> inline_{};
  std::atomic<uint64_t> root_{0};  // node address | height (0: no tree)
  std::atomic<uint32_t> nodes_{0};
  Mutex grow_mutex_;
};

}  // namespace daxlab::native
