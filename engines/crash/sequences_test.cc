#include "engines/crash/sequences.h"

#include <gtest/gtest.h>

#include <set>

#include "engines/crash/oracle.h"

namespace daxlab::crash {
namespace {

TEST(Sequences, OfOneApplyToTheStandardTreeAndCoverEveryKindOfOperation) {
  std::set<OpKind> kinds;
  for (const Sequence& sequence : sequences_of_one()) {
    Tree tree = History::of(Tree(), sequence.setup).trees.back();
    for (const Op& op : sequence.ops) {
      EXPECT_TRUE(apply(tree, op).ok()) << op.to_string();
      kinds.insert(op.kind);
    }
  }
  EXPECT_EQ(kinds.size(), kOpKindCount);
}

TEST(Sequences, OfTwoAreThousandsAndAllApply) {
  const auto sequences = sequences_of_two();
  EXPECT_GT(sequences.size(), 3000u);
  for (const Sequence& sequence : sequences) {
    const History history = History::of(History::of(Tree(), sequence.setup).trees.back(), sequence.ops);
    EXPECT_EQ(history.trees.size(), sequence.ops.size() + 1);
  }
}

TEST(Sequences, SyncPointsFollowEveryStepAndApply) {
  size_t syncs = 0;
  for (const auto& sequences : {sequences_of_one(SyncPoints::kAdded), sequences_of_two(SyncPoints::kAdded),
                                sequences_at_edges(SyncPoints::kAdded), random_sequences(3, 20, 6, SyncPoints::kAdded)}) {
    for (const Sequence& sequence : sequences) {
      Tree tree = History::of(Tree(), sequence.setup).trees.back();
      for (const Op& op : sequence.ops) {
        EXPECT_TRUE(apply(tree, op).ok()) << to_string(sequence.ops);
        const Node* const node = tree.find(op.path);
        const bool is_of_file = op.kind == OpKind::kFsync;
        const bool is_of_directory = op.kind == OpKind::kFsyncDirectory;
        EXPECT_TRUE(!is_of_file || node->kind == NodeKind::kFile) << to_string(sequence.ops);
        EXPECT_TRUE(!is_of_directory || node->kind == NodeKind::kDirectory) << to_string(sequence.ops);
        syncs += is_of_file || is_of_directory || op.kind == OpKind::kSync;
      }
    }
  }
  EXPECT_GT(sequences_of_one(SyncPoints::kAdded).size(), 2 * sequences_of_one().size());
  EXPECT_GT(syncs, sequences_of_two().size());
}

TEST(Sequences, RandomOnesRepeatFromTheirSeedAndDifferBetweenSeeds) {
  const auto text = [](uint64_t seed) {
    std::string all;
    for (const Sequence& sequence : random_sequences(seed, 3, 10)) all += to_string(sequence.ops) + "\n";
    return all;
  };
  EXPECT_EQ(text(7), text(7));
  EXPECT_NE(text(7), text(8));
}

}  // namespace
}  // namespace daxlab::crash
