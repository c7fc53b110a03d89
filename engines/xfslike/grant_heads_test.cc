// Who finds no log space. How reservations sleep in a whole log, and are served, is log_threads_test.cc.
#include "engines/xfslike/grant_heads.h"

#include <gtest/gtest.h>

#include <thread>

namespace daxlab::xfslike {
namespace {

// Who makes space looks for those that wait, and rests if there are none: asked before it could see who asks, it would not come back.
TEST(GrantHeads, WhoAsksForSpaceIsSeenWaiting) {
  LogStats stats;
  uint64_t asked = 0;
  uint64_t seen = 0;
  GrantHeads* self = nullptr;
  GrantHeads heads(
      100, stats,
      [&] {
        ++asked;
        if (self->anyone_waits()) ++seen;
        self->give_back(100);  // as the write-back of all of it
        return false;
      },
      true);
  self = &heads;
  const Ticket all = heads.reserve(100, 1).value();
  std::thread waiter([&] { EXPECT_TRUE(heads.reserve(60, 1).ok()); });
  waiter.join();
  EXPECT_EQ(asked, 1u);
  EXPECT_EQ(seen, 1u);
}

TEST(GrantHeads, WhatIsLargerThanTheLogNeverSleeps) {
  LogStats stats;
  GrantHeads heads(
      100, stats, [] { return true; }, true);
  EXPECT_EQ(heads.reserve(101, 1).code(), Errc::kNoSpace);
}

}  // namespace
}  // namespace daxlab::xfslike
