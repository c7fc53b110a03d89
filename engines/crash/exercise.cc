#include "engines/crash/exercise.h"

#include <fmt/format.h>

#include <functional>

#include "engines/crash/oracle.h"

namespace daxlab::crash {

namespace {

constexpr const char* kNewFile = "made-after-the-crash";
constexpr const char* kMovedFile = "moved-after-the-crash";

std::string join(const std::string& directory, const std::string& name) {
  return directory == "/" ? "/" + name : directory + "/" + name;
}

/// Runs operations on engine and model alike; remembers the first answer that differs.
class Exercise {
 public:
  Exercise(Engine& engine, const Tree& tree) : engine_(engine), model_(tree) {}

  std::string run() {
    visit("/", [this](const std::string& path, const Node& node) {
      if (node.kind == NodeKind::kFile) doing(Op{OpKind::kWrite, path, {}, 10, 5000, 77});
      if (node.kind == NodeKind::kDirectory) use_directory(path);
    });
    compare("after writing everywhere");
    visit_depth_first("/");
    compare("after removing everything");
    return failed_;
  }

 private:
  void use_directory(const std::string& path) {
    doing(Op{OpKind::kCreate, join(path, kNewFile)});
    doing(Op{OpKind::kAppend, join(path, kNewFile), {}, 0, 4096 + 100, 78});
    doing(Op{OpKind::kRename, join(path, kNewFile), join(path, kMovedFile)});
  }

  void doing(const Op& op) {
    if (!failed_.empty()) return;
    const Result<void> model = apply(model_, op);
    const Result<void> engine = apply(engine_, held_, op);
    if (engine.ok() != model.ok()) {
      failed_ = fmt::format("using it after recovery: '{}': {}", op.to_string(), engine.ok() ? "done" : engine.error().message());
    }
  }

  void compare(const char* when) {
    if (!failed_.empty()) return;
    const auto now = capture(engine_);
    const std::string wrong = now.ok() ? difference(model_, *now) : now.error().message();
    if (!wrong.empty()) failed_ = fmt::format("{}: {}", when, wrong);
  }

  /// Paths are collected first: the visitor changes the tree.
  void visit(const std::string& root, const std::function<void(const std::string&, const Node&)>& visitor) {
    std::vector<std::pair<std::string, Node>> found;
    const std::function<void(const std::string&)> walk = [&](const std::string& path) {
      const Node& node = *model_.find(path);
      found.emplace_back(path, node);
      for (const auto& [name, number] : node.names) walk(join(path, name));
    };
    walk(root);
    for (const auto& [path, node] : found) visitor(path, node);
  }

  void visit_depth_first(const std::string& path) {
    const auto names = model_.find(path)->names;
    for (const auto& [name, number] : names) {
      const std::string child = join(path, name);
      const bool directory = model_.find(child)->kind == NodeKind::kDirectory;
      if (directory) visit_depth_first(child);
      doing(Op{directory ? OpKind::kRmdir : OpKind::kUnlink, child});
      if (!failed_.empty()) return;
    }
  }

  Engine& engine_;
  Tree model_;
  HeldFiles held_;
  std::string failed_;
};

}  // namespace

std::string exercise(Engine& engine, const Tree& tree) { return Exercise(engine, tree).run(); }

}  // namespace daxlab::crash
