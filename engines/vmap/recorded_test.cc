// One recorded sequence of maps and unmaps, in the kernel and in the model: harness/guest/kernels/vmap_drive.c draws the same.
#include <gtest/gtest.h>

#include <vector>

#include "engines/vmap/vmap_allocator.h"

namespace daxlab::vmap {
namespace {

// Linux 6.1.0-56-cloud-amd64 (6.1.192-2), one CPU, in the deterministic guest, counted by function:
//   python3 -m guest.kernels vmap --part sequence
// Block allocations are alloc_vmap_area() called by maps of up to 64 pages, area allocations those by larger ones.
constexpr uint32_t kSeed = 20261127, kSteps = 20000, kMappings = 400;
constexpr uint64_t kBlockAllocations = 1418, kAreaAllocations = 1634, kPurges = 86, kFlushes = 86;

class Xorshift {
 public:
  explicit Xorshift(uint64_t seed) : state_(seed) {}
  uint32_t below(uint32_t bound) {
    state_ ^= state_ >> 12;
    state_ ^= state_ << 25;
    state_ ^= state_ >> 27;
    return static_cast<uint32_t>(state_ * 0x2545f4914f6cdd1d >> 32) % bound;
  }

 private:
  uint64_t state_;
};

TEST(Recorded, TheModelOfOneCpuCountsWhatTheKernelCounted) {
  VmapAllocator allocator({});
  std::vector<PageRange> live;
  Xorshift random(kSeed);
  for (uint32_t step = 0; step < kSteps; ++step) {
    const bool large = random.below(6) == 0;
    const uint32_t pages = large ? 65 + random.below(300) : 1 + random.below(64);
    if (live.size() < kMappings / 2 || (live.size() < kMappings && random.below(2) == 0)) {
      live.push_back({*allocator.map(0, pages), pages});
    } else {
      PageRange& one = live[random.below(static_cast<uint32_t>(live.size()))];
      allocator.unmap(one.first, static_cast<uint32_t>(one.count));
      one = live.back();
      live.pop_back();
    }
  }
  for (; !live.empty(); live.pop_back()) allocator.unmap(live.back().first, static_cast<uint32_t>(live.back().count));
  const VmapStats stats = allocator.stats();
  EXPECT_EQ(stats.block_allocations, kBlockAllocations);
  EXPECT_EQ(stats.area_allocations, kAreaAllocations);
  EXPECT_EQ(stats.purges, kPurges);
  EXPECT_EQ(stats.flushes, kFlushes);
}

}  // namespace
}  // namespace daxlab::vmap
