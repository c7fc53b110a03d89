// What goes through a whole B+tree: freeing it, visiting its nodes, proving its invariants.

#include "engines/xfslike/btree.h"

namespace daxlab::xfslike {

namespace {
using Access = BlockSpace::Access;
}

Result<void> BtreeBytes::clear() {
  if (root_.height == 0) return {};
  if (root_.height > kBtreeHeightMax) return Errc::kCorrupt;
  DAXLAB_TRY(clear_below(root_.address, root_.height - 1));
  root_ = {};
  return {};
}

Result<void> BtreeBytes::clear_below(uint64_t address, uint32_t level) {
  for (uint32_t index = 0; level > 0; ++index) {
    uint64_t child = 0;
    {
      DAXLAB_ASSIGN(const Node node, open(address, level, Access::kRead));
      if (index == node.count) break;
      child = node.bytes->load<uint64_t>(entry_offset(level, index) + 8);
    }
    DAXLAB_TRY(clear_below(child, level - 1));
  }
  return space_.remove(address);
}

Result<void> BtreeBytes::visit_nodes(const std::function<bool(uint64_t, uint32_t)>& visit) const {
  if (root_.height == 0) return {};
  if (root_.height > kBtreeHeightMax) return Errc::kCorrupt;
  DAXLAB_TRY(visit_below(root_.address, root_.height - 1, visit));
  return {};
}

Result<bool> BtreeBytes::visit_below(uint64_t address, uint32_t level, const std::function<bool(uint64_t, uint32_t)>& visit) const {
  if (!visit(address, level)) return false;
  if (level == 0) return true;
  DAXLAB_ASSIGN(const Node node, open(address, level, Access::kRead));
  for (uint32_t index = 0; index < node.count; ++index) {
    const auto child = node.bytes->load<uint64_t>(entry_offset(level, index) + 8);
    DAXLAB_ASSIGN(const bool more, visit_below(child, level - 1, visit));
    if (!more) return false;
  }
  return true;
}

Result<void> BtreeBytes::verify() const {
  if (root_.height == 0) return {};
  if (root_.height > kBtreeHeightMax) return Errc::kCorrupt;
  return verify_node(root_.address, root_.height - 1, {});
}

Result<void> BtreeBytes::verify_node(uint64_t address, uint32_t level, const Bounds& bounds) const {
  DAXLAB_ASSIGN(const Node node, open(address, level, Access::kRead));
  if (level > 0 && level + 1 == root_.height && node.count < 2) return Errc::kCorrupt;
  const auto key_at = [&](uint32_t index) { return node.bytes->load<uint64_t>(entry_offset(level, index)); };
  for (uint32_t index = 0; index < node.count; ++index) {
    const uint64_t key = key_at(index);
    const bool bounded = level == 0 || index > 0;
    if (bounded && bounds.low && key < *bounds.low) return Errc::kCorrupt;
    if (bounded && bounds.high && key >= *bounds.high) return Errc::kCorrupt;
    if (index > 0 && key <= key_at(index - 1)) return Errc::kCorrupt;
    if (level == 0) continue;
    const Bounds below{index == 0 ? bounds.low : key, index + 1 < node.count ? key_at(index + 1) : bounds.high};
    DAXLAB_TRY(verify_node(node.bytes->load<uint64_t>(entry_offset(level, index) + 8), level - 1, below));
  }
  return {};
}

}  // namespace daxlab::xfslike
