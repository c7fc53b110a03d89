// What a deferred engine may leave, on made-up trees: a prefix of the metadata since the last sync point, unsynced bytes old or
// new by aligned words, fsynced names and bytes there. Every rule has a tree that it accepts and one that it rejects.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <string>

#include "engines/crash/oracle.h"

namespace daxlab::crash {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

Traits deferred() {
  Traits traits;
  traits.durable_on_return = false;
  return traits;
}

Traits deferred_with_atomic_data() {
  Traits traits = deferred();
  traits.data_atomic = true;
  traits.data_atomic_bytes = 1 << 20;
  return traits;
}

/// /a holds 16384 bytes of content 1, all of it durable, when the operations begin.
struct Case {
  explicit Case(std::string_view text, Traits given = deferred())
      : history(History::of(History::of(Tree(), parse_ops("create /a; write /a 0+16384@1").value()).trees.back(),
                            parse_ops(text).value())),
        traits(given) {}

  /// The verdict on `tree` after a crash behind the last operation, or in the middle of it.
  std::string after(const Tree& tree) const { return judge(history, allowed({history.ops.size(), false}), tree); }
  std::string within(const Tree& tree) const { return judge(history, allowed({history.ops.size() - 1, true}), tree); }
  Allowed allowed(CrashPoint point) const { return allowed_after_crash(history, traits, point); }
  const Tree& tree(size_t index) const { return history.trees[index]; }
  /// The metadata of trees[to], with [begin, end) of /a as in trees[from]; zeroes beyond its end.
  Tree mixed(size_t to, size_t from, size_t begin, size_t end) const {
    Tree tree = history.trees[to];
    Node& node = tree.nodes.at(tree.number_of("/a").value());
    auto contents = std::make_shared<std::vector<std::byte>>(*node.contents);
    const auto& source = *history.trees[from].find("/a")->contents;
    for (size_t i = begin; i < end; ++i) contents->at(i) = i < source.size() ? source[i] : std::byte{0};
    node.contents = std::move(contents);
    return tree;
  }

  History history;
  Traits traits;
};

TEST(DeferredMetadata, IsAPrefixAcrossDirectories) {
  const Case made("mkdir /d; mkdir /e; create /d/one; create /e/two; rename /d/one /e/one");
  for (size_t i = 0; i <= 5; ++i) EXPECT_THAT(made.after(made.tree(i)), IsEmpty()) << i;
  Tree second_without_first = made.tree(4);
  second_without_first.nodes.at(second_without_first.number_of("/d").value()).names.erase("one");
  EXPECT_THAT(made.after(second_without_first), Not(IsEmpty()));
  Tree in_both = made.tree(5);
  in_both.nodes.at(in_both.number_of("/d").value()).names["one"] = in_both.number_of("/e/one").value();
  EXPECT_THAT(made.after(in_both), Not(IsEmpty())) << "half a rename";
}

TEST(DeferredMetadata, OperationUnderWayBelongsToThePrefixOrNot) {
  const Case made("sync /; create /b; create /c");
  for (size_t i = 1; i <= 3; ++i) EXPECT_THAT(made.within(made.tree(i)), IsEmpty()) << i;
  const Case synced("create /b; sync /; create /c");
  EXPECT_THAT(synced.within(synced.tree(0)), HasSubstr("/b is gone"));
}

TEST(DeferredMetadata, FsyncKeepsEverythingUpToTheLastChangeOfItsFile) {
  const Case made("create /b; create /c; setattr /c 384+5@6; create /d; fsync /c; create /e");
  EXPECT_THAT(made.after(made.tree(6)), IsEmpty());
  EXPECT_THAT(made.after(made.tree(3)), IsEmpty()) << "/d came after the last change of /c";
  EXPECT_THAT(made.after(made.tree(2)), Not(IsEmpty())) << "the attributes of /c were fsynced";
}

TEST(DeferredMetadata, FsyncKeepsTheNameButNotALaterNameOfTheParent) {
  const Case made("mkdir /d; create /d/f; sync /; rename /d /e; fsync /e/f");
  EXPECT_THAT(made.after(made.tree(3)), IsEmpty());
  EXPECT_THAT(made.after(made.tree(5)), IsEmpty());
  const Case renamed("rename /a /b; fsync /b");
  EXPECT_THAT(renamed.after(renamed.tree(0)), HasSubstr("/a should not be there"));
  const Case directory("create /b; fsync-directory /; create /c");
  EXPECT_THAT(directory.after(directory.tree(0)), HasSubstr("/b is gone"));
  EXPECT_THAT(directory.after(directory.tree(2)), IsEmpty());
}

TEST(DeferredMetadata, FsyncPromisesNothingAfterTheLastChangeOfItsFile) {
  const Case made("setattr /a 384+5@6; create /b; mkdir /d; fsync /a; rename /b /c");
  for (size_t i = 1; i <= 5; ++i) EXPECT_THAT(made.after(made.tree(i)), IsEmpty()) << i;
  EXPECT_THAT(made.after(made.tree(0)), Not(IsEmpty())) << "what was fsynced is lost";
  Tree gap = made.tree(3);
  gap.nodes.at(Tree::kRoot).names.erase("b");
  EXPECT_THAT(made.after(gap), Not(IsEmpty())) << "/d without /b, which came before it: one log, so a prefix";
}

TEST(DeferredMetadata, EveryKindOfChangeOfAFileIsKeptByItsFsync) {
  for (const char* change : {"link /a /d/l", "unlink /l", "rename /a /d/r", "rename /a /r", "append /a 0+8@2", "truncate /a 100+0@0",
                             "truncate /a 20000+0@0", "setattr /a 384+5@6", "allocate /a 16384+4096@0"}) {
    const std::string renamed = parse_op(change)->kind == OpKind::kRename ? parse_op(change)->other : "/a";
    const Case made("mkdir /d; link /a /l; sync /; mkdir /e; " + std::string(change) + "; mkdir /f; fsync " + renamed);
    for (size_t i = 5; i <= 7; ++i) EXPECT_THAT(made.after(made.tree(i)), IsEmpty()) << change << " and tree " << i;
    for (size_t i = 3; i <= 4; ++i) EXPECT_THAT(made.after(made.tree(i)), Not(IsEmpty())) << change << " and tree " << i;
  }
}

TEST(DeferredMetadata, ChangeThatIsUndoneBeforeTheFsyncIsKeptToo) {
  const Case made("create /b; rename /a /r; rename /r /a; create /c; fsync /a");
  EXPECT_THAT(made.after(made.tree(3)), IsEmpty());
  EXPECT_THAT(made.after(made.tree(2)), Not(IsEmpty())) << "the name that /a had in between";
  EXPECT_THAT(made.after(made.tree(0)), Not(IsEmpty())) << "what came before a change that was made durable";
}

TEST(DeferredMetadata, FsyncOfADirectoryKeepsItsEntriesAndItselfOnly) {
  const Case made("mkdir /d; create /d/f; create /x; write /d/f 0+8@2; setattr /d/f 384+5@6; fsync-directory /d; create /y");
  EXPECT_THAT(made.after(made.tree(2)), IsEmpty()) << "the entry, not what became of the file";
  EXPECT_THAT(made.after(made.tree(1)), HasSubstr("f is gone"));
  const Case removed("mkdir /d; create /d/f; sync /; unlink /d/f; create /x; fsync-directory /d");
  EXPECT_THAT(removed.after(removed.tree(4)), IsEmpty());
  EXPECT_THAT(removed.after(removed.tree(3)), HasSubstr("f should not be there"));
}

TEST(DeferredMetadata, SyncKeepsEverything) {
  const Case made("create /b; write /a 0+8@2; sync /");
  EXPECT_THAT(made.after(made.tree(3)), IsEmpty());
  EXPECT_THAT(made.after(made.tree(1)), HasSubstr("wrong data at byte 0"));
  EXPECT_THAT(made.after(made.tree(0)), Not(IsEmpty()));
}

TEST(DeferredData, UnsyncedWordsAreOldOrNewWhateverTheMetadata) {
  const Case made("create /b; write /a 0+24@2; create /c");
  for (size_t metadata = 0; metadata <= 3; ++metadata) {
    EXPECT_THAT(made.after(made.mixed(metadata, 2, 8, 16)), IsEmpty()) << metadata;
    const size_t other = metadata < 2 ? 2 : 0;
    EXPECT_THAT(made.after(made.mixed(metadata, other, 8, 12)), HasSubstr("wrong data at byte 8")) << "half a word";
    EXPECT_THAT(made.after(made.mixed(metadata, 0, 0, 24)), IsEmpty()) << metadata;
  }
  Tree garbage = made.tree(3);
  EXPECT_THAT(made.after(garbage), IsEmpty());
  Node& node = garbage.nodes.at(garbage.number_of("/a").value());
  auto contents = std::make_shared<std::vector<std::byte>>(*node.contents);
  fill_content(9, 0, std::span(*contents).first(8));
  node.contents = std::move(contents);
  EXPECT_THAT(made.after(garbage), HasSubstr("wrong data at byte 0")) << "a version that never was";
}

TEST(DeferredData, ThreeVersionsOfAWordUntilASync) {
  const Case made("write /a 0+8@2; write /a 0+8@3");
  for (size_t version = 0; version <= 2; ++version) EXPECT_THAT(made.after(made.mixed(2, version, 0, 8)), IsEmpty()) << version;
  const Case synced("write /a 0+8@2; fdatasync /a; write /a 0+8@3");
  EXPECT_THAT(synced.after(synced.mixed(3, 0, 0, 8)), HasSubstr("wrong data at byte 0"));
  EXPECT_THAT(synced.after(synced.mixed(3, 1, 0, 8)), IsEmpty());
}

TEST(DeferredData, FsyncedBytesAreThereThoughOlderMetadataIsFound) {
  const Case made("create /b; write /a 0+8@2; fdatasync /a");
  EXPECT_THAT(made.after(made.mixed(0, 3, 0, 8)), IsEmpty()) << "the overwrite is durable, the creation before it need not be";
  EXPECT_THAT(made.after(made.tree(0)), HasSubstr("wrong data at byte 0"));
  EXPECT_THAT(made.after(made.tree(3)), IsEmpty());
}

TEST(DeferredData, UnsyncedAppendIsAbsentZeroOrThereButNotGarbage) {
  const Case made("append /a 0+16@2");
  EXPECT_THAT(made.after(made.tree(0)), IsEmpty());
  EXPECT_THAT(made.after(made.tree(1)), IsEmpty());
  EXPECT_THAT(made.after(made.mixed(1, 0, 16384, 16400)), IsEmpty()) << "size without bytes";
  Tree garbage = made.tree(1);
  Node& node = garbage.nodes.at(garbage.number_of("/a").value());
  auto contents = std::make_shared<std::vector<std::byte>>(*node.contents);
  std::copy_n(contents->begin(), 8, contents->begin() + 16384);
  node.contents = std::move(contents);
  EXPECT_THAT(made.after(garbage), HasSubstr("wrong data at byte 16384"));
  const Case synced("append /a 0+16@2; fsync /a");
  EXPECT_THAT(synced.after(synced.tree(0)), HasSubstr("bytes, not"));
  EXPECT_THAT(synced.after(synced.mixed(2, 0, 16384, 16400)), HasSubstr("wrong data at byte 16384"));
}

TEST(DeferredData, WhatWasTruncatedDoesNotComeBack) {
  const Case made("write /a 8192+4096@2; truncate /a 0+0@0; truncate /a 16384+0@0");
  EXPECT_THAT(made.after(made.tree(3)), IsEmpty());
  EXPECT_THAT(made.after(made.mixed(3, 1, 8192, 8200)), HasSubstr("wrong data at byte 8192")) << "stale bytes of a cut block";
  EXPECT_THAT(made.after(made.mixed(1, 0, 8192, 8200)), IsEmpty()) << "before the truncation, old or new";
}

TEST(DeferredData, WhatWasWrittenAfterATruncationIsNotSeenBeforeItExceptInTheKeptBlock) {
  const Case made("truncate /a 100+0@0; write /a 100+12000@2");
  EXPECT_THAT(made.after(made.mixed(0, 2, 8192, 8200)), HasSubstr("wrong data at byte 8192")) << "a freed block changed";
  EXPECT_THAT(made.after(made.mixed(0, 2, 104, 4096)), IsEmpty()) << "the file keeps the block in which it was cut";
  EXPECT_THAT(made.after(made.mixed(0, 1, 104, 4096)), IsEmpty()) << "the edge is zeroed in place before the size is set";
  EXPECT_THAT(made.after(made.mixed(0, 1, 4096, 4104)), HasSubstr("wrong data at byte 4096"));
}

TEST(DeferredData, HoleIsOldOrZeroUntilSynced) {
  const Case made("punch-hole /a 4096+8192@0");
  EXPECT_THAT(made.after(made.mixed(0, 1, 4096, 8192)), IsEmpty());
  const Case synced("punch-hole /a 4096+8192@0; fsync /a");
  EXPECT_THAT(synced.after(synced.mixed(2, 0, 4096, 8192)), HasSubstr("wrong data at byte 4096"));
}

TEST(DeferredData, MsyncKeepsItsRangeOnly) {
  const Case made("mapped-store /a 0+8@2; mapped-store /a 8192+8@3; msync /a 0+4096@0");
  EXPECT_THAT(made.after(made.mixed(3, 0, 8192, 8200)), IsEmpty());
  EXPECT_THAT(made.after(made.mixed(3, 0, 0, 8)), HasSubstr("wrong data at byte 0"));
}

TEST(DeferredData, AtomicDataIsPartOfThePrefix) {
  const Case made("create /b; write /a 0+4096@2; create /c", deferred_with_atomic_data());
  for (size_t i = 0; i <= 3; ++i) EXPECT_THAT(made.after(made.tree(i)), IsEmpty()) << i;
  EXPECT_THAT(made.after(made.mixed(3, 0, 0, 8)), HasSubstr("wrong data")) << "torn";
  EXPECT_THAT(made.after(made.mixed(0, 2, 0, 4096)), HasSubstr("wrong data")) << "the write without the creation before it";
  EXPECT_THAT(made.after(made.mixed(3, 0, 0, 4096)), HasSubstr("wrong data")) << "the creation after it without the write";
}

}  // namespace
}  // namespace daxlab::crash
