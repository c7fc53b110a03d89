#include "engines/crash/sequences.h"

#include <algorithm>

#include "engines/base/check.h"
#include "engines/base/random.h"
#include "engines/crash/tree.h"

namespace daxlab::crash {

namespace {

using Step = std::vector<Op>;

const std::string& long_name() {
  static const std::string name(kNameBytesMax, 'n');
  return name;
}

Step step(std::string_view text) {
  auto parsed = parse_ops(text);
  DAXLAB_CHECK(parsed.ok());
  return std::move(parsed).value();
}

void add(std::vector<Step>& steps, std::initializer_list<const char*> texts) {
  for (const char* text : texts) steps.push_back(step(text));
}

std::vector<Step> name_steps() {
  std::vector<Step> steps;
  add(steps, {"create /new",
              "create /A/new",
              "mkdir /newdir",
              "mkdir /A/newdir",
              "symlink /sym foo",
              "link /foo /A/hard",
              "link /A/bar /B/hard2",
              "unlink /foo",
              "unlink /A/bar",
              "unlink /B/hard",
              "unlink /A/s",
              "rmdir /D",
              "rmdir /A/C",
              "rename /foo /moved",
              "rename /foo /B/moved",
              "rename /foo /x",
              "rename /foo /A/bar",
              "rename /A/bar /B/hard",
              "rename /x /A/bar",
              "rename /A /E",
              "rename /A/C /B/C",
              "rename /A/C /D",
              "rename /D /A/C",
              "rename /A /D",
              "rename /B/F /A/C",
              "rename /A/s /B/s",
              "hold-open /foo; unlink /foo; close-held /foo",
              "hold-open /x; rename /foo /x; close-held /x",
              "hold-open /A/bar; unlink /A/bar; close-held /A/bar",
              "hold-open /foo; truncate /foo 100+0@0; append /foo 0+60@26; close-held /foo"});
  steps.push_back(step("create /A/" + long_name()));
  steps.push_back(step("mkdir /" + long_name()));
  steps.push_back(step("rename /foo /A/" + long_name()));
  steps.push_back(step("link /foo /B/" + long_name()));
  steps.push_back(step("symlink /A/far " + std::string(300, 't')));
  return steps;
}

std::vector<Step> data_steps() {
  std::vector<Step> steps;
  add(steps, {"write /foo 4096+4096@11",
              "write /foo 0+8192@12",
              "write /foo 100+64@13",
              "write /foo 4000+1000@14",
              "write /foo 9000+4000@15",
              "write /foo 20000+100@16",
              "write /x 0+10@17",
              "write /foo 4104+8@18",
              "write /foo 4099+13@18",
              "write /foo 1+9999@19",
              "write /A/bar 50+4096@20",
              "append /foo 0+100@21",
              "append /foo 0+4096@22",
              "append /x 0+5000@23",
              "append /A/bar 0+1@24",
              "truncate /foo 5000+0@0",
              "truncate /foo 0+0@0",
              "truncate /foo 4096+0@0",
              "truncate /foo 20000+0@0",
              "truncate /A/bar 99+0@0",
              "allocate /foo 8192+8192@0",
              "allocate /x 0+4096@0",
              "keep-size /foo 12288+4096@0",
              "punch-hole /foo 4096+4096@0",
              "punch-hole /foo 100+5000@0",
              "zero-range /foo 4000+200@0",
              "zero-range /foo 8000+8000@0",
              "truncate /foo 5001+0@0; truncate /foo 20000+0@0",
              "truncate /foo 5001+0@0; allocate /foo 4096+16384@0",
              "truncate /foo 5001+0@0; write /foo 9003+100@25",
              "setattr /foo 384+5@6",
              "setattr /A 448+7@8",
              "mapped-store /foo 0+200@31; msync /foo 0+4096@0",
              "mapped-store /foo 4000+200@32; fsync /foo",
              "mapped-store /foo 4096+4096@33",
              "mapped-store /foo 8000+300@34; sync /",
              "truncate /x 20000+0@0; mapped-store /x 5000+100@37",
              "fsync /foo",
              "fdatasync /x",
              "fdatasync /A/bar",
              "mapped-store /foo 100+200@35; fdatasync /foo",
              "fsync-directory /A",
              "fsync-directory /",
              "mkdir /B/synced; fsync-directory /B",
              "mapped-store /A/bar 10+50@36; sync /",
              "sync /"});
  return steps;
}

const std::vector<Step>& all_steps() {
  static const std::vector<Step> steps = [] {
    std::vector<Step> all = name_steps();
    for (Step& data : data_steps()) all.push_back(std::move(data));
    return all;
  }();
  return steps;
}

/// Applies a step; false, and the tree as it was, if the model refuses any of it.
bool applies(Tree& tree, const Step& candidate) {
  Tree trial = tree;
  for (const Op& op : candidate) {
    if (!apply(trial, op).ok()) return false;
  }
  tree = std::move(trial);
  return true;
}

Tree standard_tree() {
  Tree tree;
  const bool applied = applies(tree, standard_setup());
  DAXLAB_CHECK(applied);
  return tree;
}

/// The fsync that makes durable what a step changed, in the tree that it left.
Op fsync_of(const Tree& tree, const Step& step) {
  const auto at = std::find_if(step.begin(), step.end(), [](const Op& op) { return op.kind != OpKind::kHoldOpen; });
  const bool has_new_name = at->kind == OpKind::kLink || at->kind == OpKind::kRename;
  const std::string& path = has_new_name ? at->other : at->path;
  const Node* const node = tree.find(path);
  if (node && node->kind == NodeKind::kFile) return {OpKind::kFsync, path};
  if (node && node->kind == NodeKind::kDirectory) return {OpKind::kFsyncDirectory, path};
  return {OpKind::kFsyncDirectory, path.substr(0, std::max<size_t>(1, path.rfind('/')))};
}

/// Gives every write of a sequence content of its own, so that a word tells which write it is from.
void renumber_content(std::vector<Op>& ops) {
  uint64_t content = 1000;
  for (Op& op : ops) {
    if (op.kind == OpKind::kWrite || op.kind == OpKind::kAppend || op.kind == OpKind::kMappedStore) op.content = ++content;
  }
}

Sequence make(std::string suite, std::vector<Op> ops) {
  renumber_content(ops);
  return {std::move(suite), standard_setup(), std::move(ops)};
}

}  // namespace

std::vector<Op> standard_setup() {
  return step(
      "mkdir /A; mkdir /B; mkdir /D; mkdir /A/C; mkdir /B/F; create /foo; write /foo 0+10000@1; create /A/bar; "
      "write /A/bar 0+100@2; link /A/bar /B/hard; symlink /A/s ../foo; create /x");
}

SyncPoints sync_points_for(const Traits& traits) { return traits.durable_on_return ? SyncPoints::kOfSteps : SyncPoints::kAdded; }

std::vector<Sequence> sequences_of_one(SyncPoints syncs) {
  std::vector<Sequence> sequences;
  const Tree start = standard_tree();
  for (const Step& only : all_steps()) {
    sequences.push_back(make("seq1", only));
    if (syncs == SyncPoints::kOfSteps) continue;
    Tree tree = start;
    const bool applied = applies(tree, only);
    DAXLAB_CHECK(applied);
    for (const Op& sync : {fsync_of(tree, only), Op{OpKind::kSync, "/"}}) {
      Step ops = only;
      ops.push_back(sync);
      sequences.push_back(make("seq1", std::move(ops)));
    }
  }
  return sequences;
}

std::vector<Sequence> sequences_of_two(SyncPoints syncs) {
  std::vector<Sequence> sequences;
  const Tree start = standard_tree();
  const auto joined = [](std::initializer_list<Step> steps) {
    Step ops;
    for (const Step& each : steps) ops.insert(ops.end(), each.begin(), each.end());
    return make("seq2", std::move(ops));
  };
  for (const Step& first : all_steps()) {
    Tree after_first = start;
    if (!applies(after_first, first)) continue;
    for (const Step& second : all_steps()) {
      Tree after_second = after_first;
      if (!applies(after_second, second)) continue;
      if (syncs == SyncPoints::kOfSteps) {
        sequences.push_back(joined({first, second}));
      } else {
        sequences.push_back(joined({first, {fsync_of(after_first, first)}, second}));
        sequences.push_back(joined({first, second, {fsync_of(after_second, second)}}));
      }
    }
  }
  return sequences;
}

std::vector<Sequence> random_sequences(uint64_t seed, size_t count, size_t length, SyncPoints syncs) {
  constexpr uint64_t kStepsPerSync = 4;
  std::vector<Sequence> sequences;
  Random random(seed);
  const auto& steps = all_steps();
  for (size_t i = 0; i < count; ++i) {
    Tree tree = standard_tree();
    std::vector<Op> ops;
    while (ops.size() < length) {
      const Step& drawn = steps[random.below(steps.size())];
      if (!applies(tree, drawn)) continue;
      ops.insert(ops.end(), drawn.begin(), drawn.end());
      if (syncs == SyncPoints::kAdded && random.below(kStepsPerSync) == 0) {
        ops.push_back(random.below(kStepsPerSync) == 0 ? Op{OpKind::kSync, "/"} : fsync_of(tree, drawn));
      }
    }
    sequences.push_back(make("random", std::move(ops)));
  }
  return sequences;
}

}  // namespace daxlab::crash
