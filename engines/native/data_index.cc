#include "engines/native/data_index.h"

#include <algorithm>

#include "engines/base/check.h"

namespace daxlab::native {

void DataIndex::set(uint64_t page, BlockRef ref) {
  auto* entry = const_cast<std::atomic<uint64_t>*>(find(page));
  DAXLAB_CHECK(entry != nullptr);
  entry->store(pack(ref), std::memory_order_release);
}

DataIndex::Node* DataIndex::make_node() {
  nodes_.fetch_add(1, std::memory_order_relaxed);
  return new Node;
}

void DataIndex::prepare(uint64_t first_page, uint64_t page_count) {
  const uint64_t end = first_page + page_count;
  for (uint64_t page = std::max(first_page, kInlinePages); page < end; page = (page / kFanout + 1) * kFanout) {
    if (find(page) != nullptr) continue;
    const MutexLock lock(grow_mutex_);
    uint64_t root = root_.load(std::memory_order_relaxed);
    while ((root & kHeightMask) == 0 || page >= span(root & kHeightMask)) {
      Node* const up = make_node();
      up->words[0].store(reinterpret_cast<uint64_t>(node(root)), std::memory_order_relaxed);
      if ((root & kHeightMask) == 0) up->words[0].store(0, std::memory_order_relaxed);
      root = reinterpret_cast<uint64_t>(up) | ((root & kHeightMask) + 1);
      root_.store(root, std::memory_order_release);
    }
    Node* at = node(root);
    for (uint64_t height = root & kHeightMask; --height != 0;) {
      auto& word = at->words[page >> (kFanoutBits * height) & (kFanout - 1)];
      if (word.load(std::memory_order_relaxed) == 0) {
        word.store(reinterpret_cast<uint64_t>(make_node()), std::memory_order_release);
      }
      at = node(word.load(std::memory_order_relaxed));
    }
  }
}

uint64_t DataIndex::run(uint64_t page, uint64_t most) const {
  const uint32_t block = get(page).block;
  uint64_t count = 1;
  while (count < most && get(page + count).block == (block == 0 ? 0 : block + count)) ++count;
  return count;
}

uint64_t DataIndex::next_mapped(uint64_t page, uint64_t limit) const {
  for (; page < std::min(kInlinePages, limit); ++page) {
    if (!get(page).hole()) return page;
  }
  const uint64_t root = root_.load(std::memory_order_acquire);
  if (page >= limit || (root & kHeightMask) == 0) return limit;
  return next_in(node(root), root & kHeightMask, 0, page, limit);
}

uint64_t DataIndex::next_in(const Node* at, uint64_t height, uint64_t base, uint64_t page, uint64_t limit) const {
  const uint64_t below = span(height - 1);
  for (uint64_t i = page <= base ? 0 : (page - base) / below; i < kFanout; ++i) {
    const uint64_t begin = base + i * below;
    if (begin >= limit) return limit;
    const uint64_t word = at->words[i].load(std::memory_order_acquire);
    if (word == 0) continue;
    if (height == 1) return begin;
    const uint64_t found = next_in(node(word), height - 1, begin, std::max(page, begin), limit);
    if (found < std::min(limit, begin + below)) return found;
  }
  return limit;
}

void DataIndex::free_tree(Node* at, uint64_t height) {
  if (height > 1) {
    for (auto& word : at->words) {
      if (word.load(std::memory_order_relaxed) != 0) free_tree(node(word.load(std::memory_order_relaxed)), height - 1);
    }
  }
  nodes_.fetch_sub(1, std::memory_order_relaxed);
  delete at;
}

void DataIndex::clear() {
  for (auto& entry : inline_) entry.store(0, std::memory_order_relaxed);
  const uint64_t root = root_.exchange(0, std::memory_order_acq_rel);
  if ((root & kHeightMask) != 0) free_tree(node(root), root & kHeightMask);
}

}  // namespace daxlab::native
