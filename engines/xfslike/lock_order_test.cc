#include "engines/xfslike/lock_order.h"

#include <gtest/gtest.h>

namespace daxlab::xfslike {
namespace {

TEST(LockOrder, RanksGoOutsideIn) {
  LockOrder order;
  EXPECT_TRUE(order.may_take(LockRank::kRwsem, 7));
  order.took(LockRank::kRwsem, 7);
  EXPECT_TRUE(order.may_take(LockRank::kInode, 1));
  order.took(LockRank::kInode, 1);
  EXPECT_FALSE(order.may_take(LockRank::kRwsem, 9));
  EXPECT_FALSE(order.may_take(LockRank::kReservation, 0)) << "waits for log space while it holds an ilock";
  EXPECT_TRUE(order.may_take(LockRank::kGroup, 0));
}

TEST(LockOrder, KeysOfOneRankAscendUnlessTheyAreNested) {
  LockOrder order;
  order.took(LockRank::kRwsem, 7);
  EXPECT_TRUE(order.may_take(LockRank::kRwsem, 8));
  EXPECT_FALSE(order.may_take(LockRank::kRwsem, 7));
  EXPECT_FALSE(order.may_take(LockRank::kRwsem, 3));
  EXPECT_TRUE(order.may_take(LockRank::kRwsem, 3, true)) << "a child of the first";
}

TEST(LockOrder, LocksAreLetGoOfInAnyOrder) {
  LockOrder order;
  order.took(LockRank::kRwsem, 1);
  order.took(LockRank::kInode, 2);
  order.let_go(LockRank::kRwsem, 1);
  EXPECT_TRUE(order.holds(LockRank::kInode));
  EXPECT_FALSE(order.holds(LockRank::kRwsem));
  order.let_go(LockRank::kInode, 2);
  EXPECT_EQ(order.count(), 0u);
  EXPECT_TRUE(order.may_take(LockRank::kRename, 0));
}

TEST(LockOrder, AGuardTakesAndGivesBack) {
  SharedMutex mutex;
  {
    OrderedLock shared(mutex, LockRank::kInode, 1, OrderedLock::Mode::kShared);
    EXPECT_FALSE(mutex.try_lock());
    shared.release();
    const bool free = mutex.try_lock();
    EXPECT_TRUE(free);
    if (free) mutex.unlock();
  }
  const OrderedLock exclusive(mutex, LockRank::kInode, 1, OrderedLock::Mode::kExclusive);
  EXPECT_FALSE(mutex.try_lock());
}

#if DAXLAB_LOCK_ORDER
TEST(LockOrderDeathTest, AWrongOrderDies) {
  SharedMutex ilock;
  SharedMutex rwsem;
  const OrderedLock inner(ilock, LockRank::kInode, 1, OrderedLock::Mode::kShared);
  EXPECT_DEATH(OrderedLock(rwsem, LockRank::kRwsem, 1, OrderedLock::Mode::kShared), "may_take");
}
#endif

}  // namespace
}  // namespace daxlab::xfslike
