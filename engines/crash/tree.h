// A file system's visible state as a value: the in-memory POSIX model, and what a recovered engine is compared as.
//
// A Tree maps node numbers to nodes; directories map names to node numbers, so hard links are two names of one number. The model
// applies operations to a Tree (apply below); capture() reads a Tree out of a mounted engine by nothing but its interface.
// Numbers differ between the two: comparison (oracle.h) pairs them up by walking names.
//
// Timestamps are not part of a tree; what they must be is the conformance suite's business.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "engines/api/engine.h"
#include "engines/base/result.h"
#include "engines/crash/op.h"

namespace daxlab::crash {

using NodeNumber = uint64_t;

/// File contents, shared between trees until one of them changes: a sequence has a tree per operation.
using Contents = std::shared_ptr<const std::vector<std::byte>>;

struct Node {
  NodeKind kind = NodeKind::kFile;
  uint32_t mode = 0;
  uint32_t uid = 0;
  uint32_t gid = 0;
  uint64_t links = 0;
  Contents contents;                        ///< Files; its size is the file's.
  std::string target;                       ///< Symlinks.
  std::map<std::string, NodeNumber> names;  ///< Directories.
  uint64_t size_bytes() const { return contents ? contents->size() : 0; }
};

class Tree {
 public:
  static constexpr NodeNumber kRoot = 1;
  Tree();  ///< An empty root directory, mode 0755.

  std::map<NodeNumber, Node> nodes;

  /// The node at "/A/foo", symlinks not followed; null if there is none.
  const Node* find(std::string_view path) const;
  std::optional<NodeNumber> number_of(std::string_view path) const;
  /// A number for a new node; numbers are never used twice.
  NodeNumber new_number() { return next_++; }
  /// A line a node, in order of path: for messages and for counting distinct states.
  std::string describe() const;
  uint64_t hash() const;

 private:
  NodeNumber next_ = kRoot + 1;
};

/// Does `op` to the model: the POSIX result, or an error and an unchanged tree. A file without names is not part of a tree, held
/// open or not, since no crash leaves it.
Result<void> apply(Tree& tree, const Op& op);

/// Reads a mounted engine's tree: every name, attribute and byte. Fails if the engine contradicts itself (a name that cannot be
/// looked up, a directory reached twice, a link count that differs from the names counted, a short read).
Result<Tree> capture(Engine& engine);

}  // namespace daxlab::crash
