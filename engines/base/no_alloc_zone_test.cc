#include "engines/base/no_alloc_zone.h"

#include <gtest/gtest.h>
#include <sys/mman.h>

#include <atomic>
#include <cstdlib>
#include <thread>
#include <vector>

namespace daxlab {
namespace {

void* volatile g_sink;

class NoAllocZoneDeathTest : public testing::Test {
 protected:
  void SetUp() override {
    if (!no_alloc_zone_enforced()) GTEST_SKIP() << "the interposers are not linked into this build";
  }
};

void* map_page() { return ::mmap(nullptr, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0); }

TEST_F(NoAllocZoneDeathTest, AllocatingMappingAndProtectingAbort) {
  void* const page = map_page();
  ASSERT_NE(page, MAP_FAILED);
  EXPECT_DEATH(
      {
        const NoAllocZone zone;
        g_sink = std::malloc(10);
      },
      "malloc inside a no-allocation zone");
  EXPECT_DEATH(
      {
        const NoAllocZone zone;
        g_sink = new int;
      },
      "malloc inside a no-allocation zone");
  EXPECT_DEATH(
      {
        const NoAllocZone zone;
        g_sink = std::calloc(2, 5);
      },
      "calloc inside a no-allocation zone");
  EXPECT_DEATH(
      {
        const NoAllocZone zone;
        g_sink = map_page();
      },
      "mmap inside a no-allocation zone");
  EXPECT_DEATH(
      {
        const NoAllocZone zone;
        ::mprotect(page, 4096, PROT_NONE);
      },
      "mprotect inside a no-allocation zone");
  ::munmap(page, 4096);
}

TEST_F(NoAllocZoneDeathTest, OutsideAZoneAndOnOtherThreadsAllIsAllowed) {
  {
    const NoAllocZone outer;
    { const NoAllocZone inner; }
    EXPECT_EQ(t_no_alloc_depth, 1);
  }
  EXPECT_EQ(t_no_alloc_depth, 0);
  g_sink = std::malloc(10);
  EXPECT_NE(g_sink, nullptr);
  std::free(g_sink);
  std::atomic<bool> done{false};
  std::thread other([&] {
    const std::vector<int> numbers(1000, 3);
    EXPECT_EQ(numbers.back(), 3);
    done = true;
  });
  {
    const NoAllocZone zone;
    while (!done) {
    }
  }
  other.join();
}

}  // namespace
}  // namespace daxlab
