#include "engines/crash/tree.h"

#include <fmt/format.h>

#include <algorithm>
#include <functional>

#include "engines/api/path.h"
#include "engines/base/crc32c.h"
#include "engines/base/random.h"

namespace daxlab::crash {

namespace {

std::vector<std::string> components(std::string_view path) {
  std::vector<std::string> parts;
  while (!path.empty()) {
    const size_t slash = std::min(path.find('/'), path.size());
    if (slash > 0) parts.emplace_back(path.substr(0, slash));
    path.remove_prefix(std::min(slash + 1, path.size()));
  }
  return parts;
}

}  // namespace

Tree::Tree() {
  Node root;
  root.kind = NodeKind::kDirectory;
  root.mode = 0755;
  root.links = 2;
  nodes[kRoot] = root;
}

std::optional<NodeNumber> Tree::number_of(std::string_view path) const {
  NodeNumber at = kRoot;
  for (const std::string& part : components(path)) {
    const Node& node = nodes.at(at);
    const auto found = node.names.find(part);
    if (node.kind != NodeKind::kDirectory || found == node.names.end()) return std::nullopt;
    at = found->second;
  }
  return at;
}

const Node* Tree::find(std::string_view path) const {
  const auto number = number_of(path);
  return number ? &nodes.at(*number) : nullptr;
}

std::string Tree::describe() const {
  std::map<NodeNumber, std::string> first_path;  // a further name of the same node refers to its first
  std::string text;
  const std::function<void(NodeNumber, const std::string&)> walk = [&](NodeNumber number, const std::string& path) {
    const Node& node = nodes.at(number);
    if (!first_path.emplace(number, path).second) {
      text += fmt::format("{} = {}\n", path, first_path[number]);
      return;
    }
    const uint32_t crc = node.contents ? crc32c(node.contents->data(), node.contents->size()) : 0;
    text += fmt::format("{} kind {} mode {:o} owner {}:{} links {} size {} crc {:08x} {}\n", path, static_cast<int>(node.kind),
                        node.mode, node.uid, node.gid, node.links, node.size_bytes(), crc, node.target);
    for (const auto& [name, child] : node.names) walk(child, path == "/" ? "/" + name : path + "/" + name);
  };
  walk(kRoot, "/");
  return text;
}

uint64_t Tree::hash() const {
  const std::string text = describe();
  return Random::mix(crc32c(text.data(), text.size()), std::hash<std::string>{}(text));
}

namespace {

Result<void> capture_file(Engine& engine, const Attributes& attributes, Node& node) {
  DAXLAB_ASSIGN(auto file, engine.open(attributes.ino, OpenFlags{true, false, false}));
  auto contents = std::make_shared<std::vector<std::byte>>(attributes.size_bytes);
  DAXLAB_ASSIGN(const size_t got, file->read(0, *contents));
  if (got != attributes.size_bytes) {
    return Error(Errc::kCorrupt, fmt::format("inode {} of {} bytes gives only {}", attributes.ino, attributes.size_bytes, got));
  }
  node.contents = std::move(contents);
  return {};
}

/// One capture: the walk, and the names counted per inode.
class Capture {
 public:
  explicit Capture(Engine& engine) : engine_(engine) {}

  Result<Tree> run() {
    DAXLAB_ASSIGN(const Attributes root, engine_.getattr(engine_.root()));
    numbers_[root.ino] = Tree::kRoot;
    DAXLAB_TRY(add(root, Tree::kRoot));
    for (const auto& [number, node] : tree_.nodes) {
      const uint64_t expected = node.kind == NodeKind::kDirectory ? 2 + subdirectories_[number] : names_[number];
      if (node.links != expected) {
        return Error(Errc::kCorrupt, fmt::format("link count {} where {} names were found", node.links, expected));
      }
    }
    return std::move(tree_);
  }

 private:
  Result<void> add(const Attributes& attributes, NodeNumber number) {
    Node node;
    node.kind = attributes.kind;
    node.mode = attributes.mode;
    node.uid = attributes.uid;
    node.gid = attributes.gid;
    node.links = attributes.links;
    if (node.kind == NodeKind::kFile) DAXLAB_TRY(capture_file(engine_, attributes, node));
    if (node.kind == NodeKind::kSymlink) {
      DAXLAB_ASSIGN(node.target, engine_.readlink(attributes.ino));
    }
    tree_.nodes[number] = node;
    if (node.kind == NodeKind::kDirectory) DAXLAB_TRY(add_names(attributes.ino, number));
    return {};
  }

  Result<void> add_names(InodeId ino, NodeNumber number) {
    DAXLAB_ASSIGN(auto directory, engine_.open_directory(ino));
    std::vector<std::pair<std::string, InodeId>> listed;
    DAXLAB_TRY(directory->readdir(0, [&](const DirectoryEntry& entry) {
      listed.emplace_back(entry.name, entry.ino);
      return true;
    }));
    for (const auto& [name, listed_ino] : listed) {
      const auto found = directory->lookup(name);
      if (!found.ok()) return Error(Errc::kCorrupt, fmt::format("'{}' is listed but cannot be looked up", name));
      const Result<void> added = found->ino == listed_ino
                                     ? add_child(*found, name, number)
                                     : Error(Errc::kCorrupt, fmt::format("'{}' is listed as another inode", name));
      engine_.forget(found->ino, 1);
      DAXLAB_TRY(added);
    }
    return {};
  }

  Result<void> add_child(const Attributes& child, const std::string& name, NodeNumber parent) {
    const auto [known, fresh] = numbers_.emplace(child.ino, 0);
    if (fresh) known->second = tree_.new_number();
    const NodeNumber number = known->second;
    if (!tree_.nodes[parent].names.emplace(name, number).second) {
      return Error(Errc::kCorrupt, fmt::format("'{}' is listed twice", name));
    }
    ++names_[number];
    if (child.kind == NodeKind::kDirectory) {
      ++subdirectories_[parent];
      if (!fresh) return Error(Errc::kCorrupt, fmt::format("directory '{}' is reached twice", name));
    }
    return fresh ? add(child, number) : Result<void>();
  }

  Engine& engine_;
  Tree tree_;
  std::map<InodeId, NodeNumber> numbers_;
  std::map<NodeNumber, uint64_t> names_;
  std::map<NodeNumber, uint64_t> subdirectories_;
};

}  // namespace

Result<Tree> capture(Engine& engine) { return Capture(engine).run(); }

}  // namespace daxlab::crash
