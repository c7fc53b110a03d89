// The active item list: order, moves, removal beside a push.
#include "engines/xfslike/ail.h"

#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <thread>
#include <vector>

namespace daxlab::xfslike {
namespace {

class Thing final : public LogItem {
 public:
  explicit Thing(Ail& ail) : LogItem(ItemType::kInode), ail_(ail) {}
  Size log_size() const override { return {1, 8}; }
  void format(RegionWriter& out) const override { out.add(8); }
  void pin() override {}
  void unpin() override {}
  Push push() override {
    ++pushes;
    if (during_push) during_push();
    if (outcome == Push::kDone) ail_.remove_at(*this, ail_lsn());
    return outcome;
  }
  Push outcome = Push::kDone;
  std::atomic<int> pushes = 0;
  std::function<void()> during_push;

 private:
  Ail& ail_;
};

class AilTest : public testing::Test {
 protected:
  Thing& add(Lsn lsn) {
    things.push_back(std::make_unique<Thing>(ail));
    LogItem* const item = things.back().get();
    ail.insert({&item, 1}, lsn);
    return *things.back();
  }
  void move(Thing& thing, Lsn lsn) {
    LogItem* const item = &thing;
    ail.insert({&item, 1}, lsn);
  }
  std::vector<std::unique_ptr<Thing>> things;  // outlive the list that they are in
  LogStats stats;
  Ail ail{stats};
};

TEST_F(AilTest, KeepsTheOrderOfLsns) {
  Thing& late = add(30);
  Thing& early = add(10);
  add(20);
  EXPECT_EQ(ail.lowest(), 10u);
  EXPECT_EQ(ail.highest(), 30u);
  move(early, 25);
  EXPECT_EQ(ail.lowest(), 20u);
  move(early, 5);
  EXPECT_EQ(early.ail_lsn(), 25u) << "an item never goes back";
  EXPECT_TRUE(ail.remove(late));
  EXPECT_FALSE(ail.remove(late));
  EXPECT_EQ(ail.highest(), 25u);
  EXPECT_EQ(ail.size(), 2u);
}

TEST_F(AilTest, TellsWhenTheTailMoves) {
  int moved = 0;
  ail.on_tail_moved([&moved] { ++moved; });
  Thing& first = add(10);
  Thing& second = add(20);
  add(10);
  EXPECT_EQ(moved, 0);
  ail.remove(first);
  EXPECT_EQ(moved, 0) << "another one is at 10";
  ail.remove(second);
  EXPECT_EQ(moved, 0);
  move(*things[2], 40);
  EXPECT_EQ(moved, 1);
  ail.remove(*things[2]);
  EXPECT_EQ(moved, 2);
}

TEST_F(AilTest, PushesInOrderUpToTheTarget) {
  for (Lsn lsn = 1; lsn <= 100; ++lsn) add(lsn);
  things[10]->outcome = LogItem::Push::kPinned;
  things[20]->outcome = LogItem::Push::kLocked;
  const Ail::Pass pass = ail.push(50);
  EXPECT_EQ(pass.done, 48u);
  EXPECT_EQ(pass.pinned, 1u);
  EXPECT_EQ(pass.locked, 1u);
  EXPECT_EQ(ail.size(), 52u);
  EXPECT_EQ(ail.lowest(), 11u);
  EXPECT_EQ(things[60]->pushes, 0);
  EXPECT_EQ(ail.push(UINT64_MAX, 5).done, 3u);
}

TEST_F(AilTest, RemoveAtLeavesANewerPlaceAlone) {
  Thing& thing = add(10);
  thing.during_push = [&] { move(thing, 20); };  // committed again while it is written
  EXPECT_TRUE(ail.remove_at(thing, 10));
  move(thing, 10);
  Thing& other = add(10);
  other.outcome = LogItem::Push::kPinned;
  EXPECT_FALSE(ail.remove_at(thing, 9));
  EXPECT_EQ(thing.ail_lsn(), 10u);
}

TEST_F(AilTest, AnItemRemovedByTheNextOnesPushIsSteppedOver) {
  Thing& first = add(1);
  add(2);
  add(3);
  first.during_push = [&] { ail.remove(*things[1]); };
  EXPECT_EQ(ail.push(UINT64_MAX).done, 2u);
  EXPECT_EQ(things[1]->pushes, 0);
  EXPECT_TRUE(ail.empty());
}

// Invariant 3: who removes an item may destroy it.
TEST_F(AilTest, RemoveWaitsForAPushUnderWay) {
  Thing& thing = add(1);
  thing.outcome = LogItem::Push::kLocked;
  std::atomic<bool> pushing = false;
  std::atomic<bool> go_on = false;
  std::atomic<bool> push_is_over = false;
  thing.during_push = [&] {
    pushing = true;
    while (!go_on) std::this_thread::yield();
    push_is_over = true;
  };
  std::thread pusher([&] { ail.push(UINT64_MAX); });
  while (!pushing) std::this_thread::yield();
  std::thread remover([&] {
    EXPECT_TRUE(ail.remove(thing));
    EXPECT_TRUE(push_is_over);
    things.clear();
  });
  go_on = true;
  remover.join();
  pusher.join();
}

TEST_F(AilTest, ManyThreadsInsertMoveRemoveAndPush) {
  for (Lsn lsn = 1; lsn <= 64; ++lsn) add(lsn);
  std::atomic<bool> stop = false;
  std::thread pusher([&] {
    while (!stop) ail.push(UINT64_MAX, 16);
  });
  std::vector<std::thread> threads;
  for (int t = 0; t < 3; ++t) {
    threads.emplace_back([&, t] {
      for (Lsn i = 1; i < 3000; ++i) {
        Thing& thing = *things[static_cast<size_t>(t) * 20 + i % 20];
        if (i % 3 == 0)
          ail.remove(thing);
        else
          move(thing, 64 + i);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  stop = true;
  pusher.join();
  Lsn before = 0;
  while (!ail.empty()) {
    EXPECT_GE(ail.lowest(), before);
    before = ail.lowest();
    ail.push(before);
  }
}

}  // namespace
}  // namespace daxlab::xfslike
