// The oracle must accept what a crash may leave and reject everything else: 50 wrong trees, each wrong in one way.
#include "engines/crash/oracle.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <utility>

namespace daxlab::crash {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

std::vector<Op> ops(std::string_view text) { return parse_ops(text).value(); }

Tree after(std::string_view text) { return History::of(Tree(), ops(text)).trees.back(); }

Traits synchronous() {
  Traits traits;
  traits.data_atomic = true;
  traits.data_atomic_bytes = 1 << 20;
  return traits;
}

Traits in_place() { return Traits{}; }

Traits deferred() {
  Traits traits;
  traits.durable_on_return = false;
  return traits;
}

constexpr const char* kTree =
    "mkdir /A; mkdir /B; create /foo; write /foo 0+10000@1; create /A/bar; write /A/bar 0+100@2; link /A/bar /B/baz; "
    "symlink /A/s ../foo; mkdir /A/sub; create /empty; setattr /empty 384+5@6";

Node& at(Tree& tree, const std::string& path) { return tree.nodes.at(tree.number_of(path).value()); }

void set_byte(Tree& tree, const std::string& path, size_t index, unsigned value) {
  auto contents = std::make_shared<std::vector<std::byte>>(*at(tree, path).contents);
  contents->at(index) = static_cast<std::byte>(value);
  at(tree, path).contents = std::move(contents);
}

void resize(Tree& tree, const std::string& path, size_t size) {
  auto contents = std::make_shared<std::vector<std::byte>>(*at(tree, path).contents);
  contents->resize(size);
  at(tree, path).contents = std::move(contents);
}

NodeNumber add(Tree& tree, const std::string& directory, const std::string& name, NodeKind kind) {
  const NodeNumber number = tree.new_number();
  Node node;
  node.kind = kind;
  node.mode = 0644;
  node.links = kind == NodeKind::kDirectory ? 2 : 1;
  if (kind == NodeKind::kFile) node.contents = std::make_shared<std::vector<std::byte>>();
  tree.nodes[number] = node;
  at(tree, directory).names[name] = number;
  return number;
}

using Spoil = std::pair<const char*, std::function<void(Tree&)>>;

std::vector<Spoil> spoiled_names() {
  return {
      {"root file gone", [](Tree& t) { at(t, "/").names.erase("foo"); }},
      {"file in a directory gone", [](Tree& t) { at(t, "/A").names.erase("bar"); }},
      {"second name of a hard link gone", [](Tree& t) { at(t, "/B").names.erase("baz"); }},
      {"both names of a hard link gone", [](Tree& t) { at(t, "/A").names.erase("bar"), at(t, "/B").names.erase("baz"); }},
      {"symlink gone", [](Tree& t) { at(t, "/A").names.erase("s"); }},
      {"empty directory gone", [](Tree& t) { at(t, "/B"), at(t, "/A").names.erase("sub"); }},
      {"subtree gone", [](Tree& t) { at(t, "/").names.erase("A"); }},
      {"empty file gone", [](Tree& t) { at(t, "/").names.erase("empty"); }},
      {"a file that was never created", [](Tree& t) { add(t, "/", "ghost", NodeKind::kFile); }},
      {"a ghost deep down", [](Tree& t) { add(t, "/A/sub", "ghost", NodeKind::kFile); }},
      {"a directory that was never made", [](Tree& t) { add(t, "/B", "ghost", NodeKind::kDirectory); }},
      {"a device that was never made", [](Tree& t) { add(t, "/A", "dev", NodeKind::kCharDevice); }},
      {"a third name of a hard link", [](Tree& t) { at(t, "/").names["third"] = t.number_of("/A/bar").value(); }},
      {"a name with another spelling",
       [](Tree& t) { at(t, "/").names["Foo"] = t.number_of("/foo").value(), at(t, "/").names.erase("foo"); }},
      {"a name cut short", [](Tree& t) { at(t, "/").names["fo"] = t.number_of("/foo").value(), at(t, "/").names.erase("foo"); }},
      {"a file moved to another directory",
       [](Tree& t) { at(t, "/B").names["foo"] = t.number_of("/foo").value(), at(t, "/").names.erase("foo"); }},
      {"two names exchanged", [](Tree& t) { std::swap(at(t, "/").names["foo"], at(t, "/").names["empty"]); }},
      {"a hard link broken into a copy",
       [](Tree& t) {
         const Node copy = at(t, "/A/bar");
         const NodeNumber number = t.new_number();
         t.nodes[number] = copy;
         at(t, "/B").names["baz"] = number;
       }},
      {"two files become one", [](Tree& t) { at(t, "/").names["empty"] = t.number_of("/foo").value(); }},
      {"a directory in two places", [](Tree& t) { at(t, "/B").names["sub"] = t.number_of("/A/sub").value(); }},
      {"hard link to the wrong file", [](Tree& t) { at(t, "/B").names["baz"] = t.number_of("/foo").value(); }},
  };
}

std::vector<Spoil> spoiled_attributes() {
  return {
      {"mode of a file", [](Tree& t) { at(t, "/foo").mode = 0600; }},
      {"mode lost", [](Tree& t) { at(t, "/empty").mode = 0644; }},
      {"mode of a directory", [](Tree& t) { at(t, "/A").mode = 0; }},
      {"mode of the root", [](Tree& t) { at(t, "/").mode = 0700; }},
      {"setuid appears", [](Tree& t) { at(t, "/foo").mode |= 04000; }},
      {"owner lost", [](Tree& t) { at(t, "/empty").uid = 0; }},
      {"group lost", [](Tree& t) { at(t, "/empty").gid = 0; }},
      {"owner and group exchanged", [](Tree& t) { std::swap(at(t, "/empty").uid, at(t, "/empty").gid); }},
      {"link count too low", [](Tree& t) { at(t, "/A/bar").links = 1; }},
      {"link count too high", [](Tree& t) { at(t, "/foo").links = 2; }},
      {"link count zero", [](Tree& t) { at(t, "/foo").links = 0; }},
      {"directory link count without a subdirectory", [](Tree& t) { at(t, "/A").links = 2; }},
      {"root link count", [](Tree& t) { at(t, "/").links = 3; }},
      {"file became a directory", [](Tree& t) { at(t, "/empty").kind = NodeKind::kDirectory; }},
      {"directory became a file",
       [](Tree& t) {
         at(t, "/B").kind = NodeKind::kFile;
         at(t, "/B").contents = std::make_shared<std::vector<std::byte>>();
       }},
      {"symlink target cut short", [](Tree& t) { at(t, "/A/s").target = "../fo"; }},
      {"symlink target empty", [](Tree& t) { at(t, "/A/s").target.clear(); }},
      {"symlink target padded", [](Tree& t) { at(t, "/A/s").target += std::string(1, '\0'); }},
  };
}

std::vector<Spoil> spoiled_data() {
  return {
      {"size lost", [](Tree& t) { resize(t, "/foo", 0); }},
      {"size short by one", [](Tree& t) { resize(t, "/foo", 9999); }},
      {"size long by one", [](Tree& t) { resize(t, "/foo", 10001); }},
      {"size rounded to a block", [](Tree& t) { resize(t, "/foo", 12288); }},
      {"empty file grew", [](Tree& t) { resize(t, "/empty", 4096); }},
      {"first byte", [](Tree& t) { set_byte(t, "/foo", 0, 0); }},
      {"last byte", [](Tree& t) { set_byte(t, "/foo", 9999, 0); }},
      {"a byte at a block edge", [](Tree& t) { set_byte(t, "/foo", 4096, 0); }},
      {"a word of a line",
       [](Tree& t) {
         for (size_t i = 64; i < 72; ++i) set_byte(t, "/foo", i, 0);
       }},
      {"the last block zeroed",
       [](Tree& t) {
         for (size_t i = 8192; i < 10000; ++i) set_byte(t, "/foo", i, 0);
       }},
      {"data of another file",
       [](Tree& t) {
         auto contents = std::make_shared<std::vector<std::byte>>(10000);
         fill_content(2, 0, *contents);
         at(t, "/foo").contents = std::move(contents);
       }},
  };
}

TEST(Oracle, RejectsFiftyWrongTreesAndAcceptsTheRightOne) {
  const History history = History::of(Tree(), ops(kTree));
  const Allowed allowed = allowed_after_crash(history, synchronous(), {history.ops.size(), false});
  EXPECT_THAT(judge(history, allowed, after(kTree)), IsEmpty());
  size_t wrong_trees = 0;
  for (const auto& spoils : {spoiled_names(), spoiled_attributes(), spoiled_data()}) {
    for (const auto& [what, spoil] : spoils) {
      Tree tree = after(kTree);
      spoil(tree);
      EXPECT_THAT(judge(history, allowed, tree), Not(IsEmpty())) << what;
      ++wrong_trees;
    }
  }
  EXPECT_EQ(wrong_trees, 50u);
}

TEST(Oracle, OperationUnderWayMayHaveHappenedOrNotButNotHalf) {
  const History history = History::of(after("create /a; create /b"), ops("rename /a /b"));
  const Allowed allowed = allowed_after_crash(history, synchronous(), {0, true});
  EXPECT_THAT(judge(history, allowed, history.trees[0]), IsEmpty());
  EXPECT_THAT(judge(history, allowed, history.trees[1]), IsEmpty());
  Tree neither = history.trees[1];
  neither.nodes[Tree::kRoot].names.clear();
  EXPECT_THAT(judge(history, allowed, neither), HasSubstr("gone"));
}

TEST(Oracle, FinishedOperationOfASynchronousEngineMayNotBeLost) {
  const History history = History::of(Tree(), ops("create /a; create /b"));
  const Allowed allowed = allowed_after_crash(history, synchronous(), {2, false});
  EXPECT_THAT(judge(history, allowed, history.trees[1]), HasSubstr("/b is gone"));
}

TEST(Oracle, AtomicWriteMayNotTearAndInPlaceWriteMayTearByWords) {
  const History history = History::of(after("create /a; write /a 0+4096@1"), ops("write /a 0+4096@2"));
  Tree torn = history.trees[0];
  for (size_t i = 128; i < 136; ++i) set_byte(torn, "/a", i, std::to_integer<unsigned>((*at(torn, "/a").contents)[0]));
  Tree mixed = history.trees[0];
  auto contents = std::make_shared<std::vector<std::byte>>(*at(mixed, "/a").contents);
  const Tree& written = history.trees[1];
  std::copy_n(written.find("/a")->contents->begin() + 128, 8, contents->begin() + 128);
  at(mixed, "/a").contents = contents;

  const Allowed atomic = allowed_after_crash(history, synchronous(), {0, true});
  EXPECT_THAT(judge(history, atomic, mixed), HasSubstr("wrong data at byte"));
  const Allowed tearing = allowed_after_crash(history, in_place(), {0, true});
  EXPECT_THAT(judge(history, tearing, mixed), IsEmpty());
  EXPECT_THAT(judge(history, tearing, torn), HasSubstr("wrong data at byte 128"));
  const Allowed finished = allowed_after_crash(history, in_place(), {1, false});
  EXPECT_THAT(judge(history, finished, mixed), HasSubstr("wrong data")) << "a finished write of a synchronous engine is whole";
}

TEST(Oracle, AWordMayBeCutByBytesOnlyWhereItsStoresNeedNotBeAligned) {
  const History history = History::of(after("create /a; write /a 0+64@1"), ops("mapped-store /a 3+13@2"));
  Tree cut = history.trees[0];
  const auto& stored = *history.trees[1].find("/a")->contents;
  for (size_t i = 8; i < 11; ++i) set_byte(cut, "/a", i, std::to_integer<unsigned>(stored[i]));  // the end of a store to bytes 3 to 10
  Allowed allowed = allowed_after_crash(history, deferred(), {0, true});
  EXPECT_THAT(judge(history, allowed, cut), HasSubstr("wrong data at byte 8"));
  allowed.torn_words = true;
  EXPECT_THAT(judge(history, allowed, cut), IsEmpty());
  set_byte(cut, "/a", 12, std::to_integer<unsigned>(stored[11]) ^ 1);
  EXPECT_THAT(judge(history, allowed, cut), HasSubstr("wrong data at byte 8")) << "neither old nor new";
  Tree beside = history.trees[0];
  set_byte(beside, "/a", 17, 0);
  EXPECT_THAT(judge(history, allowed, beside), HasSubstr("wrong data at byte 16")) << "where nothing was stored";
}

TEST(Oracle, ZeroingMayTearOnlyWhereDataIsNotAtomic) {
  const History history = History::of(after("create /a; write /a 0+4096@1"), ops("punch-hole /a 64+128@0"));
  Tree torn = history.trees[0];
  for (size_t i = 64; i < 72; ++i) set_byte(torn, "/a", i, 0);
  EXPECT_THAT(judge(history, allowed_after_crash(history, in_place(), {0, true}), torn), IsEmpty());
  EXPECT_THAT(judge(history, allowed_after_crash(history, synchronous(), {0, true}), torn), HasSubstr("wrong data at byte"));
  EXPECT_THAT(judge(history, allowed_after_crash(history, in_place(), {1, false}), torn), HasSubstr("wrong data at byte 72"));
}

TEST(Oracle, MappedStoresMayBeOldOrNewUntilMsync) {
  const char* const kStores = "mapped-store /a 0+16@2; msync /a 0+4096@0";
  const History history = History::of(after("create /a; write /a 0+4096@1"), ops(kStores));
  Tree old = history.trees[0];
  EXPECT_THAT(judge(history, allowed_after_crash(history, synchronous(), {1, false}), old), IsEmpty());
  EXPECT_THAT(judge(history, allowed_after_crash(history, synchronous(), {2, false}), old), HasSubstr("wrong data"));
}

TEST(Oracle, DeferredEngineMayLoseAMetadataPrefixBackToTheSyncPoint) {
  const History history = History::of(Tree(), ops("create /a; create /b; fsync /b; create /c; create /d"));
  const Allowed allowed = allowed_after_crash(history, deferred(), {5, false});
  EXPECT_THAT(judge(history, allowed, history.trees[5]), IsEmpty());
  EXPECT_THAT(judge(history, allowed, history.trees[4]), IsEmpty());
  EXPECT_THAT(judge(history, allowed, history.trees[2]), IsEmpty());
  EXPECT_THAT(judge(history, allowed, history.trees[1]), HasSubstr("/b is gone")) << "fsynced names must be there";
  Tree later_without_earlier = history.trees[5];
  later_without_earlier.nodes[Tree::kRoot].names.erase("c");
  EXPECT_THAT(judge(history, allowed, later_without_earlier), Not(IsEmpty())) << "/d without /c is no prefix";
}

TEST(Oracle, DeferredEngineKeepsFsyncedBytesAndMayMixUnsyncedOnes) {
  const History history = History::of(after("create /a; write /a 0+64@1"), ops("fsync /a; write /a 0+32@2; write /a 0+8@3"));
  const Allowed allowed = allowed_after_crash(history, deferred(), {3, false});
  Tree mixed = history.trees[1];
  auto contents = std::make_shared<std::vector<std::byte>>(*at(mixed, "/a").contents);
  std::copy_n(history.trees[2].find("/a")->contents->begin() + 8, 8, contents->begin() + 8);  // second word new
  at(mixed, "/a").contents = contents;
  EXPECT_THAT(judge(history, allowed, mixed), IsEmpty());
  set_byte(mixed, "/a", 40, 0);
  EXPECT_THAT(judge(history, allowed, mixed), HasSubstr("wrong data at byte 40")) << "byte 40 was fsynced and not written since";
}

TEST(Op, TextFormRoundTripsAndRejectsNonsense) {
  for (const Op& op : ops(kTree)) EXPECT_EQ(parse_op(op.to_string()).value().to_string(), op.to_string());
  for (const char* text : {"", "frob /a", "write /a", "write /a 1+2", "write /a x+2@3", "rename /a", "create /a /b /c"}) {
    EXPECT_FALSE(parse_op(text).ok()) << text;
  }
}

}  // namespace
}  // namespace daxlab::crash
