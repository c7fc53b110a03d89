#include "engines/crash/oracle.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <set>

#include "engines/base/units.h"

namespace daxlab::crash {

History History::of(Tree initial, std::vector<Op> ops) {
  History history;
  history.trees.push_back(std::move(initial));
  for (const Op& op : ops) {
    Tree next = history.trees.back();
    if (!apply(next, op).ok()) next = history.trees.back();
    history.trees.push_back(std::move(next));
  }
  history.ops = std::move(ops);
  return history;
}

namespace {

/// Compares a recovered tree with one allowed tree, pairing nodes by name.
class Comparison {
 public:
  /// With the metadata of history.trees[tree].
  Comparison(const History& history, const Allowed& allowed, size_t tree, const Tree& actual)
      : history_(&history), allowed_(&allowed), tree_(tree), expected_(history.trees[tree]), actual_(actual) {}
  /// Exactly.
  Comparison(const Tree& expected, const Tree& actual)
      : history_(nullptr), allowed_(nullptr), tree_(0), expected_(expected), actual_(actual) {}

  std::string run() {
    std::string wrong = compare(Tree::kRoot, Tree::kRoot, "/");
    is_metadata_alike_ = wrong.empty();
    for (auto file = files_.begin(); wrong.empty() && file != files_.end(); ++file) wrong = compare_bytes(*file);
    return wrong;
  }

  /// Whether run() found no difference but in bytes.
  bool is_metadata_alike() const { return is_metadata_alike_; }

 private:
  struct FilePair {
    NodeNumber number;
    const Node* expected;
    const Node* actual;
    std::string path;
  };

  std::string compare(NodeNumber expected_number, NodeNumber actual_number, const std::string& path) {
    const auto [known, fresh] = pairs_.emplace(expected_number, actual_number);
    if (!fresh) return known->second == actual_number ? "" : fmt::format("{} is not the hard link it was", path);
    if (!taken_.insert(actual_number).second) return fmt::format("{} is a hard link of something else", path);
    const Node& expected = expected_.nodes.at(expected_number);
    const Node& actual = actual_.nodes.at(actual_number);
    std::string wrong = compare_attributes(expected, actual, path);
    if (expected.kind == NodeKind::kFile) files_.push_back({expected_number, &expected, &actual, path});
    if (wrong.empty()) wrong = compare_names(expected, actual, path);
    return wrong;
  }

  static std::string compare_attributes(const Node& expected, const Node& actual, const std::string& path) {
    if (expected.kind != actual.kind) return fmt::format("{} is of another kind", path);
    if (expected.mode != actual.mode) return fmt::format("{} has mode {:o}, not {:o}", path, actual.mode, expected.mode);
    if (expected.uid != actual.uid || expected.gid != actual.gid) {
      return fmt::format("{} belongs to {}:{}, not {}:{}", path, actual.uid, actual.gid, expected.uid, expected.gid);
    }
    if (expected.links != actual.links) return fmt::format("{} has {} links, not {}", path, actual.links, expected.links);
    if (expected.target != actual.target) return fmt::format("{} points to '{}', not '{}'", path, actual.target, expected.target);
    if (expected.size_bytes() != actual.size_bytes()) {
      return fmt::format("{} has {} bytes, not {}", path, actual.size_bytes(), expected.size_bytes());
    }
    return {};
  }

  std::string compare_names(const Node& expected, const Node& actual, const std::string& path) {
    const std::string prefix = path == "/" ? "/" : path + "/";
    for (const auto& [name, number] : actual.names) {
      if (!expected.names.contains(name)) return fmt::format("{}{} should not be there", prefix, name);
    }
    for (const auto& [name, number] : expected.names) {
      const auto found = actual.names.find(name);
      if (found == actual.names.end()) return fmt::format("{}{} is gone", prefix, name);
      std::string wrong = compare(number, found->second, prefix + name);
      if (!wrong.empty()) return wrong;
    }
    return {};
  }

  std::string compare_bytes(const FilePair& file) const {
    const auto& want = *file.expected->contents;
    const auto& got = *file.actual->contents;
    const bool is_alike = want.empty() || std::memcmp(want.data(), got.data(), want.size()) == 0;
    if (is_alike && !owes_newer_bytes()) return {};
    for (size_t word = 0; word < want.size(); word += 8) {
      const size_t width = std::min<size_t>(8, want.size() - word);
      if (is_allowed(file.number, {word, width, &got[word]}, want)) continue;
      return fmt::format("{} holds wrong data at byte {}", file.path, word);
    }
    return {};
  }

  /// Whether bytes of some file must be newer than the metadata compared.
  bool owes_newer_bytes() const {
    return allowed_ && std::any_of(allowed_->durable.begin(), allowed_->durable.end(),
                                   [this](const DurableRange& range) { return range.at > tree_; });
  }

  /// Up to 8 bytes of a recovered file, aligned.
  struct Word {
    size_t at;
    size_t width;
    const std::byte* got;
  };

  bool is_allowed(NodeNumber number, const Word& word, const std::vector<std::byte>& want) const {
    if (!allowed_) return holds(want, word);
    const size_t base = std::max(tree_, durable_since(number, word));
    if (is_version(number, word, base)) return true;
    if (allowed_->torn_words && word.width > 1) {
      for (size_t i = 0; i < word.width; ++i) {
        if (!is_allowed(number, {word.at + i, 1, word.got + i}, want)) return false;
      }
      return true;
    }
    for (const MixedRange& range : allowed_->mixed) {
      if (range.node != number || word.at + word.width <= range.begin || word.at >= range.end) continue;
      for (size_t i = range.since; i <= allowed_->newest; ++i) {
        if (is_version(number, word, i) && !is_parted(number, word.at, i)) return true;
      }
    }
    return false;
  }

  size_t durable_since(NodeNumber number, const Word& word) const {
    size_t since = 0;
    for (const DurableRange& range : allowed_->durable) {
      if (range.node == number && range.begin <= word.at && word.at + word.width <= range.end) since = std::max(since, range.at);
    }
    return since;
  }

  /// Whether a truncation of this word lies between version `i` and the metadata that was found.
  bool is_parted(NodeNumber number, size_t word, size_t i) const {
    for (size_t op = std::min(i, tree_); op < std::max(i, tree_); ++op) {
      const uint64_t before = size_in(number, op);
      const uint64_t after = size_in(number, op + 1);
      const bool is_cut = after <= word && word < before;
      const bool is_in_kept_block = word < align_up(after, kBlockBytes);
      if (is_cut && (i <= op || !is_in_kept_block)) return true;
    }
    return false;
  }

  uint64_t size_in(NodeNumber number, size_t tree) const {
    const auto found = history_->trees[tree].nodes.find(number);
    return found == history_->trees[tree].nodes.end() ? 0 : found->second.size_bytes();
  }

  /// Whether the word is what it was in trees[i]; a file that was gone by then, as it last was.
  bool is_version(NodeNumber number, const Word& word, size_t i) const {
    while (i > tree_ && !history_->trees[i].nodes.contains(number)) --i;
    const auto found = history_->trees[i].nodes.find(number);
    return found != history_->trees[i].nodes.end() && holds(*found->second.contents, word);
  }

  /// Bytes beyond a version's end are zero.
  static bool holds(const std::vector<std::byte>& version, const Word& word) {
    for (size_t i = 0; i < word.width; ++i) {
      const std::byte value = word.at + i < version.size() ? version[word.at + i] : std::byte{0};
      if (value != word.got[i]) return false;
    }
    return true;
  }

  const History* history_;
  const Allowed* allowed_;
  size_t tree_;  // of the history, whose metadata is compared
  const Tree& expected_;
  const Tree& actual_;
  std::map<NodeNumber, NodeNumber> pairs_;
  std::set<NodeNumber> taken_;
  std::vector<FilePair> files_;
  bool is_metadata_alike_ = false;
};

}  // namespace

std::string judge(const History& history, const Allowed& allowed, const Tree& recovered) {
  std::string nearest;
  bool is_nearest_alike = false;
  for (const size_t index : allowed.trees) {
    Comparison comparison(history, allowed, index, recovered);
    std::string wrong = comparison.run();
    if (wrong.empty()) return {};
    if (is_nearest_alike && !comparison.is_metadata_alike()) continue;
    nearest = std::move(wrong);
    is_nearest_alike = comparison.is_metadata_alike();
  }
  return nearest;
}

std::string difference(const Tree& expected, const Tree& actual) { return Comparison(expected, actual).run(); }

}  // namespace daxlab::crash
