// A B+tree over the objects of a TreeSpace: keys of 64 bits, values of one fixed size, in nodes of one object each. Extents of an
// inode that are too many for it (XFS: fs/xfs/libxfs/xfs_bmap_btree.c) and whatever else is ordered by one number.
//
// A node: the self-describing header of its owner in the first 64 bytes, BtreeNodeDisk, then entries in ascending order. A leaf's
// entry is key and value, an inner node's is key and the child's address: child i holds keys in [key i, key i+1). The first key of a
// node bounds nothing: a smaller key goes into its first child, so that an insertion in front changes no parent.
//
// The root's address and height are the caller's, who keeps them with what it logs anyway (the inode). A tree of height 0 is empty
// and has no node.
//
// Invariants:
//   1. Keys ascend strictly along a node and along the leaves.
//   2. Every node but the root has an entry; an inner root has at least two children.
// Nothing read is trusted: what is out of range is kCorrupt.
// Threads: none of its own; the caller's lock, shared for find, floor, ceiling and visit.
#pragma once

#include <cstdint>
#include <cstring>
#include <functional>
#include <optional>
#include <type_traits>

#include "engines/pmem/on_media.h"
#include "engines/xfslike/metadata_bytes.h"

namespace daxlab::xfslike {

inline constexpr uint32_t kBtreeMagic = 0x65657274u;  // "tree"
inline constexpr uint32_t kBtreeHeightMax = 9;

/// Behind the self-describing header.
struct BtreeNodeDisk {
  uint32_t magic;
  uint16_t level;  ///< 0: leaf.
  uint16_t count;
  uint64_t reserved;
};
DAXLAB_ON_MEDIA(BtreeNodeDisk, 16, 8);

/// Where a tree's nodes come from. The tree chooses no addresses: they may be the medium's own blocks.
class TreeSpace : public BlockSpace {
 public:
  /// An address for a new node, which add() is then called with; kNoSpace.
  virtual Result<uint64_t> allocate() = 0;
};

struct BtreeRoot {
  uint64_t address = 0;
  uint32_t height = 0;  ///< Levels of nodes; 0: empty.
};

/// The tree itself, values as bytes; Btree below gives them a type.
class BtreeBytes {
 public:
  static constexpr uint32_t kValueBytesMax = 64;

  /// `root` is changed by insert, erase and clear.
  BtreeBytes(TreeSpace& space, BtreeRoot& root, uint32_t value_bytes);

  struct Entry {
    uint64_t key;
    std::byte value[kValueBytesMax];
  };

  Result<void> insert(uint64_t key, const void* value);  ///< kExists.
  Result<void> update(uint64_t key, const void* value);  ///< kNotFound.
  Result<void> erase(uint64_t key);                      ///< kNotFound. Frees nodes that become empty, joins what fits into one.
  Result<void> find(uint64_t key, void* value) const;    ///< kNotFound.
  Result<Entry> floor(uint64_t key) const;               ///< The last entry with a key <= `key`; kNotFound.
  Result<Entry> ceiling(uint64_t key) const;             ///< The first entry with a key >= `key`; kNotFound.
  /// Entries with keys >= `from`, ascending, until `visit` returns false.
  Result<void> visit(uint64_t from, const std::function<bool(uint64_t key, const std::byte* value)>& visit) const;
  Result<void> clear();  ///< Frees every node.
  /// Addresses of all nodes, parents first; stops where `visit` returns false.
  Result<void> visit_nodes(const std::function<bool(uint64_t address, uint32_t level)>& visit) const;
  /// kCorrupt where an invariant does not hold.
  Result<void> verify() const;

  /// Nodes that one insert adds at most: what the caller reserves beforehand. An erase adds none.
  uint32_t insert_nodes() const { return root_.height + 1; }
  uint32_t leaf_entries_max() const { return leaf_max_; }
  uint32_t inner_entries_max() const { return inner_max_; }

 private:
  struct Node {
    MetadataRef bytes{nullptr, nullptr};
    uint64_t address = 0;
    uint32_t level = 0;
    uint32_t count = 0;
  };
  struct Path;

  Result<Node> open(uint64_t address, uint32_t level, BlockSpace::Access access) const;
  /// The leaf of `key`, and on the way the nearest bounds of the keys that belong to it.
  struct Place;
  Result<Place> descend(uint64_t key) const;
  Result<Path> path_to(uint64_t key) const;
  uint32_t entry_bytes(uint32_t level) const { return 8 + (level == 0 ? value_bytes_ : 8); }
  uint32_t entries_max(uint32_t level) const { return level == 0 ? leaf_max_ : inner_max_; }
  uint32_t entry_offset(uint32_t level, uint32_t index) const;
  uint32_t lower_bound(const Node& node, uint64_t key) const;
  uint32_t child_index(const Node& node, uint64_t key) const;
  void set_count(Node& node, uint32_t count) const;
  void put(Node& node, uint32_t index, uint64_t key, const void* payload) const;
  Result<Node> add_node(uint32_t level);
  Result<void> insert_at(const Path& path, uint32_t level, uint32_t index, uint64_t key, const void* payload);
  Result<void> split(const Path& path, Node& node, uint32_t index, uint64_t key, const void* payload);
  Result<void> remove_at(const Path& path, uint32_t level, uint32_t index);
  Result<void> join(const Path& path, uint32_t level, uint32_t count);
  Result<bool> join_pair(const Path& path, uint32_t parent_level, uint32_t left_index);
  Result<void> shrink_root();
  Result<void> clear_below(uint64_t address, uint32_t level);
  struct Bounds {
    std::optional<uint64_t> low;
    std::optional<uint64_t> high;
  };
  Result<void> verify_node(uint64_t address, uint32_t level, const Bounds& bounds) const;
  Result<bool> visit_below(uint64_t address, uint32_t level, const std::function<bool(uint64_t, uint32_t)>& visit) const;

  TreeSpace& space_;
  BtreeRoot& root_;
  const uint32_t value_bytes_;
  const uint32_t leaf_max_;
  const uint32_t inner_max_;
};

template <typename Value>
class Btree {
  static_assert(std::is_trivially_copyable_v<Value> && sizeof(Value) <= BtreeBytes::kValueBytesMax);

 public:
  Btree(TreeSpace& space, BtreeRoot& root) : bytes_(space, root, sizeof(Value)) {}

  struct Entry {
    uint64_t key;
    Value value;
  };

  Result<void> insert(uint64_t key, const Value& value) { return bytes_.insert(key, &value); }
  Result<void> update(uint64_t key, const Value& value) { return bytes_.update(key, &value); }
  Result<void> erase(uint64_t key) { return bytes_.erase(key); }
  Result<Value> find(uint64_t key) const {
    Value value;
    DAXLAB_TRY(bytes_.find(key, &value));
    return value;
  }
  Result<Entry> floor(uint64_t key) const { return typed(bytes_.floor(key)); }
  Result<Entry> ceiling(uint64_t key) const { return typed(bytes_.ceiling(key)); }
  /// visit(key, value) returns false to stop.
  template <typename Visit>
  Result<void> visit(uint64_t from, Visit visit) const {
    return bytes_.visit(from, [&](uint64_t key, const std::byte* at) {
      Value value;
      std::memcpy(&value, at, sizeof value);
      return visit(key, value);
    });
  }
  Result<void> clear() { return bytes_.clear(); }
  uint32_t insert_nodes() const { return bytes_.insert_nodes(); }
  BtreeBytes& bytes() { return bytes_; }
  const BtreeBytes& bytes() const { return bytes_; }

 private:
  static Result<Entry> typed(Result<BtreeBytes::Entry> entry) {
    if (!entry.ok()) return entry.error();
    Entry typed;
    typed.key = entry->key;
    std::memcpy(&typed.value, entry->value, sizeof(Value));
    return typed;
  }
  BtreeBytes bytes_;
};

}  // namespace daxlab::xfslike
