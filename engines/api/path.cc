#include "engines/api/path.h"

#include <algorithm>
#include <vector>

namespace daxlab {
namespace {

/// Splits at '/'; empty components vanish. A trailing '/' is a trailing ".".
std::vector<std::string> components_of(std::string_view path) {
  std::vector<std::string> components;
  const bool names_directory = path.ends_with('/');
  while (!path.empty()) {
    const size_t end = std::min(path.find('/'), path.size());
    if (end > 0) components.emplace_back(path.substr(0, end));
    path.remove_prefix(std::min(end + 1, path.size()));
  }
  if (names_directory && !components.empty()) components.emplace_back(".");
  return components;
}

/// One walk from the root: a stack of referenced directories, so that ".." needs no question to the engine and nothing that
/// was passed can go away before the walk ends.
class Walk {
 public:
  explicit Walk(Engine& engine) : engine_(engine) {}
  ~Walk() {
    drop_last();
    while (!stack_.empty()) leave();
  }
  Walk(const Walk&) = delete;
  Walk& operator=(const Walk&) = delete;

  /// Goes to `path`. With `parent_only`, to the directory that holds its last component, which is left in `last_name`.
  Result<void> go(std::string_view path, bool follow, bool parent_only, std::string* last_name) {
    std::vector<std::string> todo = components_of(path);
    std::reverse(todo.begin(), todo.end());
    if (parent_only) {
      if (todo.empty() || todo.front() == "." || todo.front() == "..") return Errc::kInvalid;
      *last_name = todo.front();
      todo.erase(todo.begin());
    }
    while (!todo.empty()) {
      const std::string name = std::move(todo.back());
      todo.pop_back();
      DAXLAB_TRY(descend());  // what was found before is walked through now
      if (name == ".") continue;
      if (name == "..") {
        if (!stack_.empty()) leave();
        continue;
      }
      DAXLAB_TRY(step(name, follow || !todo.empty() || parent_only, todo));
    }
    return parent_only ? descend() : Result<void>();
  }

  /// The node reached; still referenced.
  Result<Attributes> attributes() { return has_last_ ? Result<Attributes>(last_) : engine_.getattr(directory_ino()); }
  Result<InodeId> ino() { return has_last_ ? last_.ino : directory_ino(); }

 private:
  struct Level {
    InodeId ino;
    std::unique_ptr<Directory> directory;
  };

  InodeId directory_ino() const { return stack_.empty() ? engine_.root() : stack_.back().ino; }

  Result<Directory*> directory() {
    if (!stack_.empty()) return stack_.back().directory.get();
    if (!root_) {
      DAXLAB_ASSIGN(root_, engine_.open_directory(engine_.root()));
    }
    return root_.get();
  }

  Result<void> step(const std::string& name, bool follow, std::vector<std::string>& todo) {
    DAXLAB_ASSIGN(Directory* const here, directory());
    DAXLAB_ASSIGN(last_, here->lookup(name));
    has_last_ = true;
    if (last_.kind != NodeKind::kSymlink || !follow) return {};
    if (++symlinks_ > kSymlinksFollowedMax) return Errc::kLoop;
    DAXLAB_ASSIGN(const std::string target, engine_.readlink(last_.ino));
    drop_last();
    if (target.starts_with('/')) {
      while (!stack_.empty()) leave();
    }
    const std::vector<std::string> inner = components_of(target);
    todo.insert(todo.end(), inner.rbegin(), inner.rend());
    return {};
  }

  /// Makes the node found last the current directory. The engine says whether it is one.
  Result<void> descend() {
    if (!has_last_) return {};
    DAXLAB_ASSIGN(std::unique_ptr<Directory> directory, engine_.open_directory(last_.ino));
    stack_.push_back({last_.ino, std::move(directory)});
    has_last_ = false;
    return {};
  }

  void leave() {
    const InodeId ino = stack_.back().ino;
    stack_.pop_back();
    engine_.forget(ino, 1);
  }

  void drop_last() {
    if (has_last_) engine_.forget(last_.ino, 1);
    has_last_ = false;
  }

  Engine& engine_;
  std::unique_ptr<Directory> root_;
  std::vector<Level> stack_;
  Attributes last_;
  bool has_last_ = false;
  int symlinks_ = 0;
};

}  // namespace

Result<Attributes> resolve(Engine& engine, std::string_view path, bool follow) {
  Walk walk(engine);
  DAXLAB_TRY(walk.go(path, follow, false, nullptr));
  return walk.attributes();
}

Result<std::unique_ptr<File>> open_path(Engine& engine, std::string_view path, OpenFlags flags) {
  Walk walk(engine);
  DAXLAB_TRY(walk.go(path, true, false, nullptr));
  DAXLAB_ASSIGN(const InodeId ino, walk.ino());
  return engine.open(ino, flags);
}

Result<std::unique_ptr<Directory>> open_directory_path(Engine& engine, std::string_view path) {
  Walk walk(engine);
  DAXLAB_TRY(walk.go(path, true, false, nullptr));
  DAXLAB_ASSIGN(const InodeId ino, walk.ino());
  return engine.open_directory(ino);
}

Result<std::pair<std::unique_ptr<Directory>, std::string>> open_parent(Engine& engine, std::string_view path) {
  Walk walk(engine);
  std::string last_name;
  DAXLAB_TRY(walk.go(path, true, true, &last_name));
  DAXLAB_ASSIGN(const InodeId ino, walk.ino());
  DAXLAB_ASSIGN(std::unique_ptr<Directory> directory, engine.open_directory(ino));
  return std::pair(std::move(directory), std::move(last_name));
}

}  // namespace daxlab
