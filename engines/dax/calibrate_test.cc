#include "engines/dax/calibrate.h"

#include <gtest/gtest.h>

#include <set>

namespace daxlab::dax {
namespace {

TEST(Calibrate, EveryKindThatThisMachineHasIsMeasuredOnce) {
  const auto floors = measure_faults();
  ASSERT_TRUE(floors.ok()) << floors.error().message();
  std::set<std::string> names;
  for (const auto& floor : *floors) {
    EXPECT_TRUE(names.insert(floor.name).second) << floor.name;
    EXPECT_GT(floor.p50_ns, 0.0) << floor.name;
    EXPECT_GE(floor.p99_ns, floor.p50_ns) << floor.name;
    RecordProperty(floor.name, std::to_string(floor.p50_ns));
  }
  for (const char* what : {"map", "fault_extent", "fault_read", "fault_write", "fault_upgrade", "fault_redirty", "sync_page",
                           "invalidate", "invalidate_shared", "unmap"}) {
    EXPECT_TRUE(names.contains(std::string("soft_") + what)) << what;
  }
}

}  // namespace
}  // namespace daxlab::dax
