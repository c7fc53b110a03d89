#include "engines/vmap/free_areas.h"

#include <algorithm>

#include "engines/base/check.h"
#include "engines/base/random.h"
#include "engines/base/units.h"

namespace daxlab::vmap {

void FreeAreas::renew(Index node) {
  Node& here = nodes_[node];
  here.largest = std::max({here.range.count, largest(here.left), largest(here.right)});
}

FreeAreas::Index FreeAreas::make(PageRange range) {
  const Node node{range, range.count, Random::mix(range.first, ++priority_state_), kNone, kNone};
  if (unused_.empty()) {
    nodes_.push_back(node);
    return static_cast<Index>(nodes_.size() - 1);
  }
  const Index index = unused_.back();
  unused_.pop_back();
  nodes_[index] = node;
  return index;
}

FreeAreas::Index FreeAreas::merge(Index low, Index high) {
  if (low == kNone) return high;
  if (high == kNone) return low;
  if (nodes_[low].priority > nodes_[high].priority) {
    nodes_[low].right = merge(nodes_[low].right, high);
    renew(low);
    return low;
  }
  nodes_[high].left = merge(low, nodes_[high].left);
  renew(high);
  return high;
}

void FreeAreas::split(Index node, uint64_t first, Index& low, Index& high) {
  if (node == kNone) {
    low = high = kNone;
    return;
  }
  if (nodes_[node].range.first < first) {
    Index rest = kNone;
    split(nodes_[node].right, first, rest, high);
    nodes_[node].right = rest;
    low = node;
  } else {
    Index rest = kNone;
    split(nodes_[node].left, first, low, rest);
    nodes_[node].left = rest;
    high = node;
  }
  renew(node);
}

FreeAreas::Index FreeAreas::lowest_of(uint64_t pages) const {
  if (largest(root_) < pages) return kNone;
  for (Index node = root_;;) {
    if (largest(nodes_[node].left) >= pages)
      node = nodes_[node].left;
    else if (nodes_[node].range.count >= pages)
      return node;
    else
      node = nodes_[node].right;
  }
}

/// Areas that fit although they are smaller than what always fits: reached only when the window is nearly full.
std::optional<PageRange> FreeAreas::lowest_aligned(uint64_t pages, uint64_t align) const {
  if (largest(root_) < pages) return std::nullopt;
  for (const PageRange& range : all())
    if (align_up(range.first, align) + pages <= range.end()) return range;
  return std::nullopt;
}

std::optional<uint64_t> FreeAreas::take(uint64_t pages, uint64_t align) {
  DAXLAB_CHECK(pages > 0 && align > 0 && (align & (align - 1)) == 0);
  PageRange from;
  if (const Index node = lowest_of(align == 1 ? pages : pages + align); node != kNone) {
    from = nodes_[node].range;
  } else if (const auto found = align == 1 ? std::nullopt : lowest_aligned(pages, align)) {
    from = *found;
  } else {
    return std::nullopt;
  }
  const PageRange taken{align_up(from.first, align), pages};
  remove(from.first);
  if (taken.first > from.first) insert({from.first, taken.first - from.first});
  if (from.end() > taken.end()) insert({taken.end(), from.end() - taken.end()});
  free_pages_ -= pages;
  return taken.first;
}

void FreeAreas::remove(uint64_t first) {
  Index low = kNone, at = kNone, high = kNone;
  split(root_, first, low, high);
  split(high, first + 1, at, high);
  DAXLAB_CHECK(at != kNone);
  unused_.push_back(at);
  root_ = merge(low, high);
}

void FreeAreas::insert(PageRange range) {
  Index low = kNone, high = kNone;
  split(root_, range.first, low, high);
  const Index node = make(range);
  root_ = merge(merge(low, node), high);
}

std::optional<PageRange> FreeAreas::last_before(uint64_t first) const {
  std::optional<PageRange> found;
  for (Index node = root_; node != kNone;) {
    if (nodes_[node].range.first < first) {
      found = nodes_[node].range;
      node = nodes_[node].right;
    } else {
      node = nodes_[node].left;
    }
  }
  return found;
}

std::optional<PageRange> FreeAreas::at(uint64_t first) const {
  const auto found = last_before(first + 1);
  return found && found->first == first ? found : std::nullopt;
}

void FreeAreas::release(PageRange range) {
  DAXLAB_CHECK(range.count > 0);
  free_pages_ += range.count;
  if (const auto before = last_before(range.first)) {
    DAXLAB_CHECK(before->end() <= range.first);
    if (before->end() == range.first) {
      remove(before->first);
      range = {before->first, before->count + range.count};
    }
  }
  if (const auto behind = at(range.end())) {
    remove(behind->first);
    range.count += behind->count;
  }
  insert(range);
}

std::vector<PageRange> FreeAreas::all() const {
  std::vector<PageRange> found;
  std::vector<Index> path;
  for (Index node = root_; node != kNone || !path.empty();) {
    for (; node != kNone; node = nodes_[node].left) path.push_back(node);
    node = path.back();
    path.pop_back();
    found.push_back(nodes_[node].range);
    node = nodes_[node].right;
  }
  return found;
}

}  // namespace daxlab::vmap
