// A whole tree as values, to compare what two engines, or one engine before and after something, hold (tests only).
#pragma once

#include <fmt/format.h>

#include <map>
#include <string>

#include "engines/api/testing.h"
#include "engines/base/crc32c.h"

namespace daxlab::tests {

struct TreeNode {
  NodeKind kind = NodeKind::kFile;
  uint32_t mode = 0;
  uint32_t uid = 0;
  uint32_t gid = 0;
  uint32_t links = 0;
  uint64_t device = 0;
  uint64_t mtime_ns = 0;
  uint64_t size_bytes = 0;      ///< Files and symlinks.
  uint32_t content_crc32c = 0;  ///< Of a file's bytes.
  std::string target;           ///< Of a symlink.
  std::string same_inode_as;    ///< The first path, in order, of the same inode.
  friend bool operator==(const TreeNode&, const TreeNode&) = default;

  std::string to_string() const {
    return fmt::format("kind {} mode {:o} owner {}:{} links {} device {} mtime {} size {} crc {:08x} target '{}' inode of '{}'",
                       static_cast<int>(kind), mode, uid, gid, links, device, mtime_ns, size_bytes, content_crc32c, target,
                       same_inode_as);
  }
};

using Tree = std::map<std::string, TreeNode>;  ///< By path; the root is "/".

namespace detail {

inline Result<uint32_t> content_crc(Engine& engine, InodeId ino) {
  DAXLAB_ASSIGN(const std::unique_ptr<File> file, engine.open(ino, {.read = true, .write = false}));
  Bytes buffer(64 * kKiB);
  uint32_t crc = 0;
  for (uint64_t offset = 0;;) {
    DAXLAB_ASSIGN(const size_t got, file->read(offset, buffer));
    if (got == 0) return crc;
    crc = crc32c(buffer.data(), got, crc);
    offset += got;
  }
}

inline Result<TreeNode> describe(Engine& engine, const Attributes& attributes) {
  TreeNode node;
  node.kind = attributes.kind;
  node.mode = attributes.mode;
  node.uid = attributes.uid;
  node.gid = attributes.gid;
  node.links = attributes.links;
  node.device = attributes.device;
  node.mtime_ns = attributes.mtime_ns;
  if (attributes.kind == NodeKind::kFile || attributes.kind == NodeKind::kSymlink) node.size_bytes = attributes.size_bytes;
  if (attributes.kind == NodeKind::kSymlink) {
    DAXLAB_ASSIGN(node.target, engine.readlink(attributes.ino));
  }
  if (attributes.kind == NodeKind::kFile) {
    DAXLAB_ASSIGN(node.content_crc32c, content_crc(engine, attributes.ino));
  }
  return node;
}

/// `depth_left` bounds what a damaged medium may send a walk into.
inline Result<void> add_children(Engine& engine, Directory& directory, const std::string& path, int depth_left,
                                 std::map<InodeId, std::string>& first_paths, Tree& tree) {
  if (depth_left == 0) return Errc::kLoop;
  std::set<std::string> names;
  DAXLAB_TRY(directory.readdir(0, [&](const DirectoryEntry& entry) { return names.emplace(entry.name).second; }));
  for (const std::string& name : names) {
    const std::string child_path = path == "/" ? "/" + name : path + "/" + name;
    DAXLAB_ASSIGN(const Attributes attributes, directory.lookup(name));
    Result<TreeNode> node = describe(engine, attributes);
    Result<void> below;
    if (node.ok()) {
      node->same_inode_as = first_paths.emplace(attributes.ino, child_path).first->second;
      tree.emplace(child_path, *node);
      if (attributes.kind == NodeKind::kDirectory) {
        Result<std::unique_ptr<Directory>> child = engine.open_directory(attributes.ino);
        below = child.ok() ? add_children(engine, **child, child_path, depth_left - 1, first_paths, tree) : child.error();
      }
    }
    engine.forget(attributes.ino, 1);
    if (!node.ok()) return node.error();
    DAXLAB_TRY(below);
  }
  return {};
}

}  // namespace detail

/// Everything that is reachable from the root, read through; the first error on the way otherwise.
inline Result<Tree> read_tree(Engine& engine) {
  Tree tree;
  std::map<InodeId, std::string> first_paths{{engine.root(), "/"}};
  DAXLAB_ASSIGN(const std::unique_ptr<Directory> root, engine.open_directory(engine.root()));
  DAXLAB_ASSIGN(const Attributes attributes, root->getattr());
  DAXLAB_ASSIGN(tree["/"], detail::describe(engine, attributes));
  DAXLAB_TRY(detail::add_children(engine, *root, "/", 64, first_paths, tree));
  return tree;
}

/// The first differences between two trees, one a line; empty if there is none.
inline std::string tree_difference(const Tree& is, const Tree& should) {
  std::string text;
  const auto add = [&](const std::string& line) {
    if (std::count(text.begin(), text.end(), '\n') < 10) text += line + "\n";
  };
  for (const auto& [path, node] : should) {
    const auto found = is.find(path);
    if (found == is.end()) {
      add("missing: " + path + ": " + node.to_string());
    } else if (!(found->second == node)) {
      add(path + ": is " + found->second.to_string() + "\n    should be " + node.to_string());
    }
  }
  for (const auto& [path, node] : is) {
    if (!should.contains(path)) add("extra: " + path + ": " + node.to_string());
  }
  return text;
}

}  // namespace daxlab::tests
