// What a crash may leave at a point of a history: which trees' metadata, and which bytes beside theirs.
#include <fmt/format.h>

#include <algorithm>

#include "engines/base/units.h"
#include "engines/crash/oracle.h"

namespace daxlab::crash {

namespace {

/// What fsync of a node promises, except its bytes: its attributes, and the names by which its parents hold it. Not whole paths:
/// a later rename of a parent is no change of the node.
std::string standing(const Tree& tree, NodeNumber number) {
  const auto found = tree.nodes.find(number);
  if (found == tree.nodes.end()) return {};
  const Node& node = found->second;
  std::string text = fmt::format("{} {} {} {} {} {} {}", static_cast<int>(node.kind), node.mode, node.uid, node.gid, node.links,
                                 node.size_bytes(), node.target);
  for (const auto& [parent, directory] : tree.nodes) {
    for (const auto& [name, child] : directory.names) {
      if (child == number) text += fmt::format(" {}/{}", parent, name);
    }
  }
  for (const auto& [name, child] : node.names) text += fmt::format(" {}={}", name, child);
  return text;
}

/// The tree from which on `number` has the standing it has in trees[at].
size_t standing_since(const History& history, NodeNumber number, size_t at) {
  const std::string now = standing(history.trees[at], number);
  while (at > 0 && standing(history.trees[at - 1], number) == now) --at;
  return at;
}

struct DataRange {
  uint64_t begin = 0;
  uint64_t end = 0;
  bool empty() const { return begin >= end; }
};

/// The bytes that an operation writes as data. Zeroing counts: a design without atomic data zeroes in place, as XFS does at the
/// edges of a hole and, before the transaction that sets the size, in the block where a truncation cuts.
DataRange data_written(const Op& op, const Tree& before, const Traits& traits) {
  const Node* const node = before.find(op.path);
  const uint64_t size = node ? node->size_bytes() : 0;
  switch (op.kind) {
    case OpKind::kWrite:
    case OpKind::kMappedStore:
    case OpKind::kPunchHole:
    case OpKind::kZeroRange:
      return {op.offset, op.offset + op.size_bytes};
    case OpKind::kAppend:
      return {size, size + op.size_bytes};
    case OpKind::kTruncate:
      if (traits.durable_on_return) return {};
      return {op.offset, std::min(size, align_up(op.offset, kBlockBytes))};
    default:
      return {};
  }
}

/// Whether all of what an operation writes appears at once.
bool is_atomic(const Op& op, const Traits& traits) {
  return op.kind != OpKind::kMappedStore && traits.data_atomic && op.size_bytes <= traits.data_atomic_bytes;
}

/// Whether crash-time versions of what this operation wrote may be mixed although the operation returned.
bool stays_mixed(const Op& op, const Traits& traits) {
  return op.kind == OpKind::kMappedStore || (!traits.durable_on_return && !is_atomic(op, traits));
}

/// Walks the finished operations, keeping what is not yet durable.
class UnsyncedData {
 public:
  UnsyncedData(const History& history, const Traits& traits) : history_(history), traits_(traits) {}

  void finish(size_t index, Allowed& allowed) const {
    const Op& op = history_.ops[index];
    const Tree& before = history_.trees[index];
    if (op.kind == OpKind::kSync) {
      allowed.mixed.clear();
      for (const auto& [number, node] : before.nodes) {
        if (node.kind == NodeKind::kFile) allowed.durable.push_back({number, 0, UINT64_MAX, index});
      }
    }
    const auto node = before.number_of(op.path);
    if (!node) return;
    if (op.kind == OpKind::kFsync || op.kind == OpKind::kFdatasync) make_durable({*node, 0, UINT64_MAX, index}, allowed);
    if (op.kind == OpKind::kMsync) make_durable({*node, op.offset, op.offset + op.size_bytes, index}, allowed);
    const DataRange written = data_written(op, before, traits_);
    if (!written.empty() && stays_mixed(op, traits_)) allowed.mixed.push_back({*node, written.begin, written.end, index});
  }

 private:
  static void make_durable(const DurableRange& range, Allowed& allowed) {
    std::erase_if(allowed.mixed, [&](const MixedRange& mixed) {
      return mixed.node == range.node && mixed.begin >= range.begin && mixed.end <= range.end;
    });
    allowed.durable.push_back(range);
  }

  const History& history_;
  const Traits& traits_;
};

/// The first tree whose metadata may be what is found.
size_t sync_point(const History& history, const Traits& traits, size_t finished) {
  if (traits.durable_on_return) return finished;
  size_t point = 0;
  for (size_t i = 0; i < finished; ++i) {
    const Op& op = history.ops[i];
    if (op.kind == OpKind::kSync) point = i + 1;
    const bool names_too = op.kind == OpKind::kFsync || op.kind == OpKind::kFsyncDirectory || op.kind == OpKind::kFdatasync ||
                           op.kind == OpKind::kMsync;  // as Linux: an fdatasync of a range
    const auto node = history.trees[i].number_of(op.path);
    if (names_too && node) point = std::max(point, standing_since(history, *node, i));
  }
  return point;
}

}  // namespace

Allowed allowed_after_crash(const History& history, const Traits& traits, CrashPoint point) {
  Allowed allowed;
  allowed.newest = point.finished + (point.under_way ? 1 : 0);
  for (size_t i = sync_point(history, traits, point.finished); i <= allowed.newest; ++i) allowed.trees.push_back(i);
  const UnsyncedData data(history, traits);
  for (size_t i = 0; i < point.finished; ++i) data.finish(i, allowed);
  if (point.under_way) {
    const Op& op = history.ops[point.finished];
    const Tree& before = history.trees[point.finished];
    const auto node = before.number_of(op.path);
    const DataRange written = data_written(op, before, traits);
    if (node && !written.empty() && !is_atomic(op, traits)) {
      allowed.mixed.push_back({*node, written.begin, written.end, point.finished});
    }
  }
  return allowed;
}

}  // namespace daxlab::crash
