#include "engines/crash/after_recovery.h"

#include <fmt/format.h>

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "engines/base/random.h"
#include "engines/crash/tree.h"

namespace daxlab::crash {

namespace {

constexpr uint64_t kContent = 5000;
constexpr const char* kFresh = "made-after-recovery";

struct Paths {
  std::vector<std::string> directories;  // "" is the root
  std::vector<std::string> files;
  std::vector<std::string> names;  // of whatever kind
};

Paths paths_of(const Tree& tree) {
  Paths paths;
  const std::function<void(NodeNumber, const std::string&)> walk = [&](NodeNumber number, const std::string& path) {
    const Node& node = tree.nodes.at(number);
    if (!path.empty()) paths.names.push_back(path);
    if (node.kind == NodeKind::kDirectory) paths.directories.push_back(path);
    if (node.kind == NodeKind::kFile) paths.files.push_back(path);
    for (const auto& [name, child] : node.names) walk(child, path + "/" + name);
  };
  walk(Tree::kRoot, "");
  return paths;
}

std::string fresh_in(const std::string& directory) { return fmt::format("{}/{}", directory, kFresh); }

/// Every operation of one kind that might fit.
using Kind = std::vector<Op>;

std::vector<Kind> name_kinds(const Paths& paths) {
  Kind makes;
  Kind links;
  Kind removes;
  Kind moves;
  for (const std::string& directory : paths.directories) {
    makes.push_back({OpKind::kCreate, fresh_in(directory)});
    makes.push_back({OpKind::kMkdir, fresh_in(directory)});
    makes.push_back({OpKind::kSymlink, fresh_in(directory), "target"});
    for (const std::string& file : paths.files) links.push_back({OpKind::kLink, file, fresh_in(directory)});
    for (const std::string& name : paths.names) moves.push_back({OpKind::kRename, name, fresh_in(directory)});
  }
  for (const std::string& name : paths.names) {
    removes.push_back({OpKind::kUnlink, name});
    removes.push_back({OpKind::kRmdir, name});
    removes.push_back({OpKind::kSetattr, name, {}, 0600, 3, kContent});
  }
  for (const std::string& from : paths.files) {
    for (const std::string& to : paths.files) {
      if (from != to) moves.push_back({OpKind::kRename, from, to});
    }
  }
  return {std::move(makes), std::move(links), std::move(removes), std::move(moves)};
}

/// They store little, but what is promised then is what the recovery found.
Kind sync_kind(const Paths& paths) {
  Kind syncs = {{OpKind::kSync, "/"}};
  for (const std::string& directory : paths.directories) syncs.push_back({OpKind::kFsyncDirectory, directory.empty() ? "/" : directory});
  for (const std::string& file : paths.files) {
    syncs.push_back({OpKind::kFsync, file});
    syncs.push_back({OpKind::kFdatasync, file});
    syncs.push_back({OpKind::kHoldOpen, file});
  }
  return syncs;
}

/// Data of the first file bytes and the last ones: what was written before the crash lies mostly between.
std::vector<Kind> data_kinds(const Paths& paths, const Tree& tree) {
  std::vector<Kind> kinds(4);
  for (const std::string& path : paths.files) {
    const uint64_t size_bytes = tree.find(path)->size_bytes();
    kinds[0].push_back({OpKind::kMappedStore, path, {}, 0, 50, kContent});
    kinds[0].push_back({OpKind::kMappedStore, path, {}, size_bytes - std::min<uint64_t>(size_bytes, 20), 20, kContent});
    kinds[1].push_back({OpKind::kWrite, path, {}, 10, 64, kContent});
    kinds[1].push_back({OpKind::kWrite, path, {}, 0, kBlockBytes, kContent});
    kinds[2].push_back({OpKind::kAppend, path, {}, 0, 100, kContent});
    kinds[2].push_back({OpKind::kAppend, path, {}, 0, 3 * kBlockBytes, kContent});
    kinds[3].push_back({OpKind::kTruncate, path, {}, 5000});
    kinds[3].push_back({OpKind::kTruncate, path, {}, 0});
    kinds[3].push_back({OpKind::kPunchHole, path, {}, 0, kBlockBytes});
  }
  return kinds;
}

}  // namespace

Op op_after_recovery(const Tree& tree, uint64_t choice) {
  const Paths paths = paths_of(tree);
  std::vector<Kind> kinds = name_kinds(paths);
  for (Kind& kind : data_kinds(paths, tree)) kinds.push_back(std::move(kind));
  kinds.push_back(sync_kind(paths));
  Random random(choice);
  for (;;) {  // a create fits every tree
    const Kind& kind = kinds[random.below(kinds.size())];
    if (kind.empty()) continue;
    const Op& op = kind[random.below(kind.size())];
    Tree trial = tree;
    if (apply(trial, op).ok()) return op;
  }
}

Result<Recovery> record_recovery(const EngineSpec& engine, pmem::Region& region, uint64_t choice) {
  Recovery recovery;
  HeldFiles held;
  pmem::Recorder recorder(region);
  DAXLAB_ASSIGN(const auto mounted, engine.type->mount(&region, engine.options));
  DAXLAB_ASSIGN(Tree tree, capture(*mounted));
  const Op op = op_after_recovery(tree, choice);
  recovery.after = History::of(std::move(tree), {op, Op{}});
  recorder.op_begin(0);
  DAXLAB_TRY(apply(*mounted, held, op));
  recorder.op_end(0);
  recorder.op_begin(1);
  held.by_path.clear();
  DAXLAB_TRY(mounted->unmount());
  recorder.op_end(1);
  recovery.trace = recorder.take();
  return recovery;
}

}  // namespace daxlab::crash
