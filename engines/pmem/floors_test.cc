#include "engines/pmem/floors.h"

#include <gtest/gtest.h>

#include <map>

namespace daxlab::pmem {
namespace {

TEST(Floors, EveryFloorIsMeasuredAndNamed) {
  const auto region = Region::for_test(16 * kMiB).value();
  std::map<std::string, Floor> floors;
  for (const Floor& floor : measure_floors(*region)) floors.emplace(floor.name, floor);
  for (const char* name : {"stream_4k_fence", "persist_line", "persist_same_line", "fence_idle", "flush_line", "stream_line",
                           "load_line", "wakeup"}) {
    ASSERT_TRUE(floors.contains(name)) << name;
    EXPECT_LE(floors.at(name).p50_ns, floors.at(name).p99_ns) << name;
    EXPECT_FALSE(floors.at(name).what.empty());
  }
  EXPECT_GT(floors.at("stream_4k_fence").p50_ns, 0);
  EXPECT_GE(last_level_cache_bytes(), kMiB);
}

}  // namespace
}  // namespace daxlab::pmem
