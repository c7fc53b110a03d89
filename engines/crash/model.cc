// The model's side of every operation: what POSIX says happens to a Tree.
#include <algorithm>

#include "engines/crash/tree.h"

namespace daxlab::crash {

namespace {

/// A path taken apart: its parent directory and last name.
struct Place {
  NodeNumber parent;
  std::string leaf;
  std::optional<NodeNumber> node;  ///< What is there now.
};

Result<Place> locate(const Tree& tree, const std::string& path) {
  const size_t slash = path.rfind('/');
  const auto parent = tree.number_of(path.substr(0, slash));
  if (!parent) return Errc::kNotFound;
  const Node& directory = tree.nodes.at(*parent);
  if (directory.kind != NodeKind::kDirectory) return Errc::kNotDirectory;
  Place place{*parent, path.substr(slash + 1), std::nullopt};
  if (place.leaf.size() > kNameBytesMax) return Errc::kNameTooLong;
  if (const auto found = directory.names.find(place.leaf); found != directory.names.end()) place.node = found->second;
  return place;
}

void add_name(Tree& tree, const Place& place, NodeNumber number) {
  tree.nodes[place.parent].names[place.leaf] = number;
  if (tree.nodes[number].kind == NodeKind::kDirectory) {
    ++tree.nodes[place.parent].links;
  } else {
    ++tree.nodes[number].links;
  }
}

void remove_name(Tree& tree, const Place& place) {
  Node& node = tree.nodes[*place.node];
  tree.nodes[place.parent].names.erase(place.leaf);
  if (node.kind == NodeKind::kDirectory) {
    --tree.nodes[place.parent].links;
    tree.nodes.erase(*place.node);
  } else if (--node.links == 0) {
    tree.nodes.erase(*place.node);
  }
}

Result<void> make(Tree& tree, const Op& op, Node node) {
  DAXLAB_ASSIGN(const Place place, locate(tree, op.path));
  if (place.node) return Errc::kExists;
  const NodeNumber number = tree.new_number();
  if (node.kind == NodeKind::kDirectory) node.links = 2;
  if (node.kind == NodeKind::kFile) node.contents = std::make_shared<std::vector<std::byte>>();
  tree.nodes[number] = std::move(node);
  add_name(tree, place, number);
  return {};
}

Result<void> make_node(Tree& tree, const Op& op) {
  Node node;
  switch (op.kind) {
    case OpKind::kMkdir:
      node.kind = NodeKind::kDirectory;
      node.mode = 0755;
      break;
    case OpKind::kSymlink:
      node.kind = NodeKind::kSymlink;
      node.mode = 0777;
      node.target = op.other;
      break;
    default:
      node.mode = 0644;
  }
  return make(tree, op, std::move(node));
}

Result<void> link(Tree& tree, const Op& op) {
  const auto target = tree.number_of(op.path);
  if (!target) return Errc::kNotFound;
  if (tree.nodes[*target].kind == NodeKind::kDirectory) return Errc::kPermission;
  DAXLAB_ASSIGN(const Place place, locate(tree, op.other));
  if (place.node) return Errc::kExists;
  add_name(tree, place, *target);
  return {};
}

Result<void> remove(Tree& tree, const Op& op) {
  DAXLAB_ASSIGN(const Place place, locate(tree, op.path));
  if (!place.node) return Errc::kNotFound;
  const Node& node = tree.nodes[*place.node];
  const bool directory = node.kind == NodeKind::kDirectory;
  if (op.kind == OpKind::kUnlink && directory) return Errc::kIsDirectory;
  if (op.kind == OpKind::kRmdir && !directory) return Errc::kNotDirectory;
  if (op.kind == OpKind::kRmdir && !node.names.empty()) return Errc::kNotEmpty;
  remove_name(tree, place);
  return {};
}

Result<void> rename(Tree& tree, const Op& op) {
  DAXLAB_ASSIGN(const Place from, locate(tree, op.path));
  if (!from.node) return Errc::kNotFound;
  DAXLAB_ASSIGN(const Place to, locate(tree, op.other));
  const bool directory = tree.nodes[*from.node].kind == NodeKind::kDirectory;
  if (directory && op.other.starts_with(op.path + "/")) return Errc::kInvalid;
  if (to.node) {
    if (*to.node == *from.node) return {};
    const Node& replaced = tree.nodes[*to.node];
    const bool over_directory = replaced.kind == NodeKind::kDirectory;
    if (directory && !over_directory) return Errc::kNotDirectory;
    if (!directory && over_directory) return Errc::kIsDirectory;
    if (over_directory && !replaced.names.empty()) return Errc::kNotEmpty;
    remove_name(tree, to);
  }
  Node moved = tree.nodes[*from.node];
  const uint64_t links = moved.links;
  remove_name(tree, from);  // may drop the node: it comes back with the name
  tree.nodes[*from.node] = std::move(moved);
  add_name(tree, to, *from.node);
  tree.nodes[*from.node].links = links;
  return {};
}

Result<Node*> file_at(Tree& tree, const std::string& path) {
  const auto number = tree.number_of(path);
  if (!number) return Errc::kNotFound;
  Node& node = tree.nodes[*number];
  if (node.kind == NodeKind::kDirectory) return Errc::kIsDirectory;
  if (node.kind != NodeKind::kFile) return Errc::kInvalid;
  return &node;
}

Result<void> change_data(Tree& tree, const Op& op) {
  DAXLAB_ASSIGN(Node* const node, file_at(tree, op.path));
  auto contents = std::make_shared<std::vector<std::byte>>(*node->contents);
  const uint64_t size = contents->size();
  const uint64_t end = op.offset + op.size_bytes;
  switch (op.kind) {
    case OpKind::kTruncate:
      contents->resize(op.offset);
      break;
    case OpKind::kAppend: {
      std::vector<std::byte> bytes(op.size_bytes);
      fill_content(op.content, op.offset, bytes);
      contents->insert(contents->end(), bytes.begin(), bytes.end());
      break;
    }
    case OpKind::kWrite:
    case OpKind::kMappedStore:
      if (op.kind == OpKind::kMappedStore && end > size) return Errc::kInvalid;
      if (op.size_bytes == 0) return {};
      contents->resize(std::max(size, end));
      fill_content(op.content, op.offset, std::span(*contents).subspan(op.offset, op.size_bytes));
      break;
    case OpKind::kAllocate:
    case OpKind::kZeroRange:
      contents->resize(std::max(size, end));
      [[fallthrough]];
    default:
      if (op.kind == OpKind::kPunchHole || op.kind == OpKind::kZeroRange) {
        const auto stop = static_cast<ptrdiff_t>(std::min<uint64_t>(end, contents->size()));
        const auto start = std::min(static_cast<ptrdiff_t>(op.offset), stop);
        std::fill(contents->begin() + start, contents->begin() + stop, std::byte{0});
      }
  }
  node->contents = std::move(contents);
  return {};
}

Result<void> set_attributes(Tree& tree, const Op& op) {
  const auto number = tree.number_of(op.path);
  if (!number) return Errc::kNotFound;
  Node& node = tree.nodes[*number];
  node.mode = static_cast<uint32_t>(op.offset);
  node.uid = static_cast<uint32_t>(op.size_bytes);
  node.gid = static_cast<uint32_t>(op.content);
  return {};
}

}  // namespace

Result<void> apply(Tree& tree, const Op& op) {
  switch (op.kind) {
    case OpKind::kCreate:
    case OpKind::kMkdir:
    case OpKind::kSymlink:
      return make_node(tree, op);
    case OpKind::kLink:
      return link(tree, op);
    case OpKind::kUnlink:
    case OpKind::kRmdir:
      return remove(tree, op);
    case OpKind::kRename:
      return rename(tree, op);
    case OpKind::kSetattr:
      return set_attributes(tree, op);
    case OpKind::kMsync:
    case OpKind::kFsync:
    case OpKind::kFdatasync:
    case OpKind::kFsyncDirectory:
    case OpKind::kHoldOpen:
      return tree.number_of(op.path) ? Result<void>() : Result<void>(Errc::kNotFound);
    case OpKind::kSync:
    case OpKind::kCloseHeld:
      return {};
    default:
      return change_data(tree, op);
  }
}

}  // namespace daxlab::crash
