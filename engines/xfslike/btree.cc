#include "engines/xfslike/btree.h"

#include <algorithm>
#include <array>
#include <limits>
#include <optional>
#include <utility>

namespace daxlab::xfslike {

namespace {
using Access = BlockSpace::Access;
constexpr uint32_t kHeaderBytes = 64;  // the owner's
constexpr uint32_t kEntriesAt = kHeaderBytes + sizeof(BtreeNodeDisk);

uint32_t entries_fit(uint32_t block_bytes, uint32_t entry_bytes) {
  return std::min<uint32_t>((block_bytes - kEntriesAt) / entry_bytes, std::numeric_limits<uint16_t>::max());
}
}  // namespace

/// Addresses, not references: a node that is read must be given back before it is joined to the transaction.
struct BtreeBytes::Path {
  struct Step {
    uint64_t address = 0;
    uint32_t index = 0;  ///< Of the child taken; in the leaf, of the first key that is not less.
    bool found = false;  ///< Leaf: it is the key.
  };
  std::array<Step, kBtreeHeightMax> at;  // by level
};

struct BtreeBytes::Place {
  Node leaf;
  std::optional<uint64_t> low;   ///< None where the leaf is the first.
  std::optional<uint64_t> high;  ///< Keys of the next leaf begin here; none where it is the last.
};

BtreeBytes::BtreeBytes(TreeSpace& space, BtreeRoot& root, uint32_t value_bytes)
    : space_(space),
      root_(root),
      value_bytes_(value_bytes),
      leaf_max_(entries_fit(space.block_bytes(), 8 + value_bytes)),
      inner_max_(entries_fit(space.block_bytes(), 16)) {
  DAXLAB_CHECK(value_bytes <= kValueBytesMax && leaf_max_ >= 4 && inner_max_ >= 4);
}

uint32_t BtreeBytes::entry_offset(uint32_t level, uint32_t index) const { return kEntriesAt + index * entry_bytes(level); }

Result<BtreeBytes::Node> BtreeBytes::open(uint64_t address, uint32_t level, Access access) const {
  DAXLAB_ASSIGN(MetadataRef bytes, space_.get(address, access));
  const auto header = bytes->load<BtreeNodeDisk>(kHeaderBytes);
  if (header.magic != kBtreeMagic || header.level != level || header.count == 0 || header.count > entries_max(level)) {
    return Errc::kCorrupt;
  }
  return Node{std::move(bytes), address, level, header.count};
}

/// The first index whose key is not less than `key`.
uint32_t BtreeBytes::lower_bound(const Node& node, uint64_t key) const {
  uint32_t low = 0;
  uint32_t high = node.count;
  while (low < high) {
    const uint32_t middle = (low + high) / 2;
    if (node.bytes->load<uint64_t>(entry_offset(node.level, middle)) < key) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return low;
}

uint32_t BtreeBytes::child_index(const Node& node, uint64_t key) const {
  const uint32_t index = lower_bound(node, key);
  const bool exact = index < node.count && node.bytes->load<uint64_t>(entry_offset(node.level, index)) == key;
  return exact || index == 0 ? index : index - 1;
}

Result<BtreeBytes::Place> BtreeBytes::descend(uint64_t key) const {
  if (root_.height == 0) return Errc::kNotFound;
  if (root_.height > kBtreeHeightMax) return Errc::kCorrupt;
  Place place;
  uint64_t address = root_.address;
  for (uint32_t level = root_.height - 1; level > 0; --level) {
    DAXLAB_ASSIGN(const Node node, open(address, level, Access::kRead));
    const uint32_t index = child_index(node, key);
    if (index > 0) place.low = node.bytes->load<uint64_t>(entry_offset(level, index));
    if (index + 1 < node.count) place.high = node.bytes->load<uint64_t>(entry_offset(level, index + 1));
    address = node.bytes->load<uint64_t>(entry_offset(level, index) + 8);
  }
  DAXLAB_ASSIGN(place.leaf, open(address, 0, Access::kRead));
  return place;
}

Result<BtreeBytes::Path> BtreeBytes::path_to(uint64_t key) const {
  if (root_.height > kBtreeHeightMax) return Errc::kCorrupt;
  Path path;
  uint64_t address = root_.address;
  for (uint32_t level = root_.height; level-- > 0;) {
    DAXLAB_ASSIGN(const Node node, open(address, level, Access::kRead));
    auto& step = path.at[level];
    step.address = address;
    if (level > 0) {
      step.index = child_index(node, key);
      address = node.bytes->load<uint64_t>(entry_offset(level, step.index) + 8);
    } else {
      step.index = lower_bound(node, key);
      step.found = step.index < node.count && node.bytes->load<uint64_t>(entry_offset(0, step.index)) == key;
    }
  }
  return path;
}

Result<void> BtreeBytes::find(uint64_t key, void* value) const {
  DAXLAB_ASSIGN(const Place place, descend(key));
  const uint32_t index = lower_bound(place.leaf, key);
  if (index == place.leaf.count) return Errc::kNotFound;
  std::byte scratch[8 + kValueBytesMax];
  const std::byte* at = place.leaf.bytes->read(entry_offset(0, index), entry_bytes(0), scratch);
  if (std::memcmp(at, &key, 8) != 0) return Errc::kNotFound;
  std::memcpy(value, at + 8, value_bytes_);
  return {};
}

namespace {
BtreeBytes::Entry entry_from(const std::byte* at, uint32_t value_bytes) {
  BtreeBytes::Entry entry;
  std::memcpy(&entry.key, at, 8);
  std::memcpy(entry.value, at + 8, value_bytes);
  return entry;
}
}  // namespace

Result<BtreeBytes::Entry> BtreeBytes::floor(uint64_t key) const {
  for (uint64_t wanted = key;;) {
    DAXLAB_ASSIGN(const Place place, descend(wanted));
    uint32_t index = lower_bound(place.leaf, key);
    std::byte scratch[8 + kValueBytesMax];
    if (index < place.leaf.count && place.leaf.bytes->load<uint64_t>(entry_offset(0, index)) == key) ++index;
    if (index > 0) {
      return entry_from(place.leaf.bytes->read(entry_offset(0, index - 1), entry_bytes(0), scratch), value_bytes_);
    }
    if (!place.low || *place.low == 0) return Errc::kNotFound;
    if (*place.low > wanted) return Errc::kCorrupt;
    wanted = *place.low - 1;
  }
}

Result<BtreeBytes::Entry> BtreeBytes::ceiling(uint64_t key) const {
  std::optional<Entry> found;
  DAXLAB_TRY(visit(key, [&](uint64_t at, const std::byte* value) {
    found.emplace();
    found->key = at;
    std::memcpy(found->value, value, value_bytes_);
    return false;
  }));
  if (!found) return Errc::kNotFound;
  return *found;
}

Result<void> BtreeBytes::visit(uint64_t from, const std::function<bool(uint64_t, const std::byte*)>& visit) const {
  while (root_.height != 0) {
    DAXLAB_ASSIGN(const Place place, descend(from));
    for (uint32_t index = lower_bound(place.leaf, from); index < place.leaf.count; ++index) {
      std::byte scratch[8 + kValueBytesMax];
      const std::byte* at = place.leaf.bytes->read(entry_offset(0, index), entry_bytes(0), scratch);
      uint64_t key;
      std::memcpy(&key, at, 8);
      if (!visit(key, at + 8)) return {};
    }
    if (!place.high) return {};
    if (*place.high <= from) return Errc::kCorrupt;
    from = *place.high;
  }
  return {};
}

void BtreeBytes::set_count(Node& node, uint32_t count) const {
  node.count = count;
  node.bytes->store(kHeaderBytes, BtreeNodeDisk{kBtreeMagic, static_cast<uint16_t>(node.level), static_cast<uint16_t>(count), 0});
}

void BtreeBytes::put(Node& node, uint32_t index, uint64_t key, const void* payload) const {
  std::byte entry[8 + kValueBytesMax];
  std::memcpy(entry, &key, 8);
  std::memcpy(entry + 8, payload, entry_bytes(node.level) - 8);
  node.bytes->write(entry_offset(node.level, index), entry, entry_bytes(node.level));
}

Result<BtreeBytes::Node> BtreeBytes::add_node(uint32_t level) {
  DAXLAB_ASSIGN(const uint64_t address, space_.allocate());
  DAXLAB_ASSIGN(MetadataRef bytes, space_.add(address));
  return Node{std::move(bytes), address, level, 0};
}

Result<void> BtreeBytes::insert(uint64_t key, const void* value) {
  if (root_.height == 0) {
    DAXLAB_ASSIGN(Node node, add_node(0));
    put(node, 0, key, value);
    set_count(node, 1);
    root_ = {node.address, 1};
    return {};
  }
  DAXLAB_ASSIGN(const Path path, path_to(key));
  if (path.at[0].found) return Errc::kExists;
  return insert_at(path, 0, path.at[0].index, key, value);
}

/// Makes room at `index` of the path's node of that level, or splits it.
Result<void> BtreeBytes::insert_at(const Path& path, uint32_t level, uint32_t index, uint64_t key, const void* payload) {
  DAXLAB_ASSIGN(Node node, open(path.at[level].address, level, Access::kWrite));
  if (node.count == entries_max(level)) return split(path, node, index, key, payload);
  node.bytes->move(entry_offset(level, index + 1), entry_offset(level, index), (node.count - index) * entry_bytes(level));
  put(node, index, key, payload);
  set_count(node, node.count + 1);
  return {};
}

/// The upper half goes into a new node to the right; of a node that grows at its end nothing does, so that ascending keys fill nodes.
Result<void> BtreeBytes::split(const Path& path, Node& node, uint32_t index, uint64_t key, const void* payload) {
  const uint32_t level = node.level;
  if (level + 1 == root_.height && root_.height == kBtreeHeightMax) return Errc::kFileTooBig;
  DAXLAB_ASSIGN(Node right, add_node(level));
  const uint32_t keep = index == node.count ? node.count : node.count / 2;
  for (uint32_t from = keep; from < node.count; ++from) {
    std::byte scratch[8 + kValueBytesMax];
    const std::byte* entry = node.bytes->read(entry_offset(level, from), entry_bytes(level), scratch);
    right.bytes->write(entry_offset(level, from - keep), entry, entry_bytes(level));
  }
  right.count = node.count - keep;
  if (keep < node.count) set_count(node, keep);
  Node& into = index > keep || right.count == 0 ? right : node;
  const uint32_t at = &into == &right ? index - keep : index;
  into.bytes->move(entry_offset(level, at + 1), entry_offset(level, at), (into.count - at) * entry_bytes(level));
  put(into, at, key, payload);
  set_count(into, into.count + 1);
  if (&into == &node) set_count(right, right.count);

  const auto separator = right.bytes->load<uint64_t>(entry_offset(level, 0));
  if (level + 1 < root_.height) return insert_at(path, level + 1, path.at[level + 1].index + 1, separator, &right.address);
  DAXLAB_ASSIGN(Node root, add_node(level + 1));
  put(root, 0, 0, &node.address);
  put(root, 1, separator, &right.address);
  set_count(root, 2);
  root_ = {root.address, root_.height + 1};
  return {};
}

Result<void> BtreeBytes::update(uint64_t key, const void* value) {
  if (root_.height == 0) return Errc::kNotFound;
  DAXLAB_ASSIGN(const Path path, path_to(key));
  if (!path.at[0].found) return Errc::kNotFound;
  DAXLAB_ASSIGN(Node leaf, open(path.at[0].address, 0, Access::kWrite));
  leaf.bytes->write(entry_offset(0, path.at[0].index) + 8, value, value_bytes_);
  return {};
}

Result<void> BtreeBytes::erase(uint64_t key) {
  if (root_.height == 0) return Errc::kNotFound;
  DAXLAB_ASSIGN(const Path path, path_to(key));
  if (!path.at[0].found) return Errc::kNotFound;
  DAXLAB_TRY(remove_at(path, 0, path.at[0].index));
  return shrink_root();
}

/// Takes an entry out of the path's node of that level, and the node out of its parent when it was the last.
Result<void> BtreeBytes::remove_at(const Path& path, uint32_t level, uint32_t index) {
  uint32_t count = 0;
  {
    DAXLAB_ASSIGN(Node node, open(path.at[level].address, level, Access::kWrite));
    count = node.count - 1;
    if (count > 0) {
      node.bytes->move(entry_offset(level, index), entry_offset(level, index + 1), (count - index) * entry_bytes(level));
      set_count(node, count);
    }
  }
  if (count == 0) {
    DAXLAB_TRY(space_.remove(path.at[level].address));
    if (level + 1 < root_.height) return remove_at(path, level + 1, path.at[level + 1].index);
    root_ = {};
    return {};
  }
  return join(path, level, count);
}

/// Joins a node that is less than half full with a neighbour of the same parent, if that leaves a quarter unused: the next insert
/// shall not split it again.
Result<void> BtreeBytes::join(const Path& path, uint32_t level, uint32_t count) {
  if (level + 1 >= root_.height || count > entries_max(level) / 2) return {};
  const uint32_t index = path.at[level + 1].index;
  DAXLAB_ASSIGN(const bool joined, join_pair(path, level + 1, index));
  if (joined || index == 0) return {};
  DAXLAB_TRY(join_pair(path, level + 1, index - 1));
  return {};
}

Result<bool> BtreeBytes::join_pair(const Path& path, uint32_t parent_level, uint32_t left_index) {
  const uint32_t level = parent_level - 1;
  uint64_t left_address = 0;
  uint64_t right_address = 0;
  uint64_t separator = 0;
  {
    DAXLAB_ASSIGN(const Node parent, open(path.at[parent_level].address, parent_level, Access::kRead));
    if (left_index + 1 >= parent.count) return false;
    left_address = parent.bytes->load<uint64_t>(entry_offset(parent_level, left_index) + 8);
    right_address = parent.bytes->load<uint64_t>(entry_offset(parent_level, left_index + 1) + 8);
    separator = parent.bytes->load<uint64_t>(entry_offset(parent_level, left_index + 1));
  }
  if (left_address == right_address) return Errc::kCorrupt;
  uint32_t total = 0;
  {
    DAXLAB_ASSIGN(const Node left, open(left_address, level, Access::kRead));
    DAXLAB_ASSIGN(const Node right, open(right_address, level, Access::kRead));
    total = left.count + right.count;
  }
  if (total > entries_max(level) - entries_max(level) / 4) return false;
  {
    DAXLAB_ASSIGN(Node left, open(left_address, level, Access::kWrite));
    DAXLAB_ASSIGN(const Node right, open(right_address, level, Access::kRead));
    for (uint32_t from = 0; from < right.count; ++from) {
      std::byte scratch[8 + kValueBytesMax];
      const std::byte* entry = right.bytes->read(entry_offset(level, from), entry_bytes(level), scratch);
      left.bytes->write(entry_offset(level, left.count + from), entry, entry_bytes(level));
    }
    // The first key of an inner node bounds nothing; within the left one it has to.
    if (level > 0) left.bytes->store(entry_offset(level, left.count), separator);
    set_count(left, total);
  }
  DAXLAB_TRY(space_.remove(right_address));
  DAXLAB_TRY(remove_at(path, parent_level, left_index + 1));
  return true;
}

Result<void> BtreeBytes::shrink_root() {
  while (root_.height > 1) {
    uint64_t child = 0;
    {
      DAXLAB_ASSIGN(const Node root, open(root_.address, root_.height - 1, Access::kRead));
      if (root.count > 1) return {};
      child = root.bytes->load<uint64_t>(entry_offset(root.level, 0) + 8);
    }
    DAXLAB_TRY(space_.remove(root_.address));
    root_ = {child, root_.height - 1};
  }
  return {};
}

}  // namespace daxlab::xfslike
