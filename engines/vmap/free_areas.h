// The free address space of a window, in pages: the lowest free area that fits is the one that is taken.
//
// What Linux's free_vmap_area_root is (mm/vmalloc.c, 6.1.192): a search tree by address, each node knowing the largest area below
// it. Here a treap instead of a red-black tree. Area by area they answer alike but for one thing: for an aligned request the
// kernel prefers areas of size + align - 1 bytes and happens on smaller ones that fit only where its path leads past them, so
// there the answer depends on how its tree grew; here such areas are taken when no larger one is left, lowest first. That moves
// addresses, never whether a request is met, nor any count.
//
// Threads: none; the owner's lock.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

namespace daxlab::vmap {

struct PageRange {
  uint64_t first = 0;
  uint64_t count = 0;
  uint64_t end() const { return first + count; }
};

class FreeAreas {
 public:
  /// All of [0, pages) is free.
  explicit FreeAreas(uint64_t pages) { release({0, pages}); }

  /// Takes `pages` pages beginning at a multiple of `align` (a power of two).
  std::optional<uint64_t> take(uint64_t pages, uint64_t align);
  /// Gives a range back, which joins its neighbours.
  void release(PageRange range);

  uint64_t free_pages() const { return free_pages_; }
  uint64_t areas() const { return nodes_.size() - unused_.size(); }
  /// In order of address.
  std::vector<PageRange> all() const;

 private:
  using Index = uint32_t;
  static constexpr Index kNone = UINT32_MAX;
  struct Node {
    PageRange range;
    uint64_t largest;  ///< Area of this subtree, in pages.
    uint64_t priority;
    Index left, right;
  };

  uint64_t largest(Index node) const { return node == kNone ? 0 : nodes_[node].largest; }
  void renew(Index node);
  Index make(PageRange range);
  Index merge(Index low, Index high);
  /// Of `node`: the areas that begin before `first`, and the others.
  void split(Index node, uint64_t first, Index& low, Index& high);
  Index lowest_of(uint64_t pages) const;
  std::optional<PageRange> lowest_aligned(uint64_t pages, uint64_t align) const;
  void remove(uint64_t first);
  void insert(PageRange range);
  std::optional<PageRange> last_before(uint64_t first) const;
  std::optional<PageRange> at(uint64_t first) const;

  std::vector<Node> nodes_;
  std::vector<Index> unused_;
  Index root_ = kNone;
  uint64_t free_pages_ = 0;
  uint64_t priority_state_ = 1;
};

}  // namespace daxlab::vmap
