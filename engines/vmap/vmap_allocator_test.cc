#include "engines/vmap/vmap_allocator.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <list>
#include <map>
#include <optional>
#include <thread>
#include <tuple>
#include <vector>

#include "engines/base/random.h"

namespace daxlab::vmap {
namespace {

TEST(Constants, BlockSizeFollowsTheNumberOfCpusTheKernelWasBuiltFor) {
  EXPECT_EQ(block_pages(1), 1024u);
  EXPECT_EQ(block_pages(64), 1024u);
  EXPECT_EQ(block_pages(2048), 1024u);
  EXPECT_EQ(block_pages(2049), 512u);
  EXPECT_EQ(block_pages(8192), 256u);
  EXPECT_EQ(block_pages(1u << 20), 128u);
}

TEST(Constants, LazyThresholdGrowsWithTheLogarithmOfCpus) {
  EXPECT_EQ(lazy_pages_max(1), 8192u);
  EXPECT_EQ(lazy_pages_max(2), 2 * 8192u);
  EXPECT_EQ(lazy_pages_max(8), 4 * 8192u);
  EXPECT_EQ(lazy_pages_max(64), 7 * 8192u);
}

TEST(VmapAllocator, SixtyFourPagesAreASlotAndMoreAnArea) {
  VmapAllocator allocator({});
  ASSERT_TRUE(allocator.map(0, 64).ok());
  EXPECT_EQ(allocator.stats().block_allocations, 1u);
  EXPECT_EQ(allocator.stats().area_allocations, 0u);
  ASSERT_TRUE(allocator.map(0, 65).ok());
  EXPECT_EQ(allocator.stats().block_allocations, 1u);
  EXPECT_EQ(allocator.stats().area_allocations, 1u);
}

TEST(VmapAllocator, ASlotIsRoundedUpToAPowerOfTwo) {
  VmapAllocator allocator({});
  const uint64_t first = *allocator.map(0, 5);
  const uint64_t second = *allocator.map(0, 1);
  EXPECT_EQ(second, first + 8);
  EXPECT_EQ(*allocator.map(0, 1), second + 1);
}

TEST(VmapAllocator, ASlotIsNotUsedAgainBeforeTheWholeBlockIsDirty) {
  VmapAllocator allocator({});
  const uint32_t slots = allocator.block_pages() / 4;
  std::vector<uint64_t> seen;
  for (uint32_t i = 0; i < slots; ++i) {
    seen.push_back(*allocator.map(0, 4));
    ASSERT_EQ(seen[i], seen[0] + i * 4);
    allocator.unmap(seen[i], 4);
  }
  EXPECT_EQ(allocator.stats().block_allocations, 1u);
  EXPECT_EQ(allocator.stats().lazy_pages, allocator.block_pages());
  // The block is gone, lazily: the next mapping is elsewhere.
  const uint64_t next = *allocator.map(0, 4);
  EXPECT_EQ(allocator.stats().block_allocations, 2u);
  EXPECT_EQ(next, seen[0] + allocator.block_pages());
}

TEST(VmapAllocator, OneLiveSlotKeepsItsBlock) {
  VmapAllocator allocator({});
  const uint64_t kept = *allocator.map(0, 1);
  for (uint32_t i = 1; i < allocator.block_pages(); ++i) allocator.unmap(*allocator.map(0, 1), 1);
  EXPECT_EQ(allocator.stats().lazy_pages, 0u);
  allocator.unmap(kept, 1);
  EXPECT_EQ(allocator.stats().lazy_pages, allocator.block_pages());
}

TEST(VmapAllocator, ACpuHasItsOwnBlocksAndAnyCpuMayFree) {
  VmapAllocator allocator({.cpus = 64});
  const uint64_t a = *allocator.map(0, 1), b = *allocator.map(63, 1);
  EXPECT_EQ(allocator.stats().block_allocations, 2u);
  EXPECT_NE(a / allocator.block_pages(), b / allocator.block_pages());
  allocator.unmap(b, 1);
  allocator.unmap(a, 1);
}

class Threshold : public testing::TestWithParam<uint32_t> {};
INSTANTIATE_TEST_SUITE_P(Cpus, Threshold, testing::Values(1u, 2u, 64u));

TEST_P(Threshold, OneFlushWhenMoreThanTheThresholdIsLazy) {
  VmapAllocator allocator({.cpus = GetParam()});
  const uint64_t pages = 128, until = lazy_pages_max(GetParam()) / pages;
  for (uint64_t i = 0; i < until; ++i) allocator.unmap(*allocator.map(0, pages), pages);
  EXPECT_EQ(allocator.stats().purges, 0u);
  EXPECT_EQ(allocator.stats().flushes, 0u);
  EXPECT_EQ(allocator.stats().lazy_pages, lazy_pages_max(GetParam()));
  allocator.unmap(*allocator.map(0, pages), pages);
  EXPECT_EQ(allocator.stats().purges, 1u);
  EXPECT_EQ(allocator.stats().drains, 1u);
  EXPECT_EQ(allocator.stats().flushes, 1u);
  EXPECT_EQ(allocator.stats().full_flushes, 1u);
  EXPECT_EQ(allocator.stats().flushed_pages, (until + 1) * pages);
  EXPECT_EQ(allocator.stats().lazy_pages, 0u);
  EXPECT_EQ(*allocator.map(0, pages), 0u) << "the lowest address is given out again";
}

TEST(VmapAllocator, EagerFlushesEveryUnmapAndKeepsNothing) {
  VmapAllocator allocator({.purge = Purge::kEager});
  for (uint32_t i = 0; i < allocator.block_pages(); ++i) allocator.unmap(*allocator.map(0, 1), 1);
  EXPECT_EQ(allocator.stats().flushes, allocator.block_pages());
  EXPECT_EQ(allocator.stats().full_flushes, 0u);
  EXPECT_EQ(allocator.stats().lazy_pages, 0u);
  EXPECT_EQ(*allocator.map(0, 1), 0u);
}

TEST(VmapAllocator, NeverPurgesByThresholdButStillWhenTheWindowIsFull) {
  VmapAllocator allocator({.window_pages = 65536, .purge = Purge::kNever});
  for (int i = 0; i < 512; ++i) allocator.unmap(*allocator.map(0, 128), 128);
  EXPECT_EQ(allocator.stats().flushes, 0u);
  ASSERT_TRUE(allocator.map(0, 128).ok());
  EXPECT_EQ(allocator.stats().flushes, 1u);
  EXPECT_EQ(allocator.stats().drains, 0u);
}

TEST(VmapAllocator, AFullWindowIsPurgedByForceBeforeItFails) {
  VmapAllocator allocator({.window_pages = 1024});
  const uint64_t lives = *allocator.map(0, 512);
  const uint64_t lazy = *allocator.map(0, 512);
  allocator.unmap(lazy, 512);
  EXPECT_EQ(*allocator.map(0, 300), lazy);
  EXPECT_EQ(allocator.stats().purges, 1u);
  EXPECT_EQ(allocator.map(0, 300).code(), Errc::kNoSpace);
  EXPECT_EQ(allocator.stats().failures, 1u);
  EXPECT_EQ(allocator.stats().empty_purges, 1u);
  allocator.unmap(lives, 512);
  EXPECT_EQ(*allocator.map(0, 300), lives);
}

TEST(VmapAllocator, ThreeAttemptsWithAliasesUnmappedBehindEach) {
  VmapAllocator allocator({.window_pages = 512});
  ASSERT_TRUE(allocator.map(0, 300).ok());
  EXPECT_EQ(allocator.map_patiently(0, 300).code(), Errc::kNoSpace);
  EXPECT_EQ(allocator.stats().failures, 3u);
  EXPECT_EQ(allocator.stats().purges, 6u);  // a forced one in each attempt and one in each vm_unmap_aliases()
}

TEST(VmapAllocator, AForcedPurgeTakesFragments) {
  VmapAllocator allocator({.window_pages = 512});
  allocator.unmap(*allocator.map(0, 1), 1);  // a block, one page of it dirty, the others never given out
  ASSERT_EQ(*allocator.map(0, 256), 256u);
  ASSERT_EQ(*allocator.map(0, 100), 0u);
  EXPECT_EQ(allocator.stats().fragments_purged, 1u);
}

TEST(VmapAllocator, AFragmentWithALiveSlotStays) {
  VmapAllocator allocator({.window_pages = 512});
  allocator.unmap(*allocator.map(0, 1), 1);
  ASSERT_TRUE(allocator.map(0, 1).ok());
  ASSERT_TRUE(allocator.map(0, 256).ok());
  EXPECT_EQ(allocator.map(0, 100).code(), Errc::kNoSpace);
  EXPECT_EQ(allocator.stats().fragments_purged, 0u);
}

TEST(VmapAllocator, UnmapAliasesOfSixSixSparesFragmentsWithAQuarterLeft) {
  for (const Rules rules : {Rules::kLinux61, Rules::kLinux66}) {
    for (const uint32_t left : {63u, 64u}) {
      VmapAllocator allocator({.rules = rules});
      ASSERT_EQ(allocator.block_pages() / 4, 64u);
      std::vector<uint64_t> mapped;
      for (uint32_t i = left; i < allocator.block_pages(); ++i) mapped.push_back(*allocator.map(0, 1));
      for (const uint64_t first : mapped) allocator.unmap(first, 1);
      allocator.unmap_aliases();
      EXPECT_EQ(allocator.stats().fragments_purged, rules == Rules::kLinux61 || left < 64 ? 1u : 0u) << left;
      EXPECT_EQ(allocator.stats().flushes, 1u);
    }
  }
}

TEST(VmapAllocator, UnmapAliasesFlushesWhatIsDirtyInBlocksThatStay) {
  for (const Rules rules : {Rules::kLinux61, Rules::kLinux66}) {
    VmapAllocator allocator({.rules = rules});
    ASSERT_TRUE(allocator.map(0, 1).ok());
    const uint64_t first = *allocator.map(0, 4);
    allocator.unmap(first, 4);
    allocator.unmap_aliases();
    EXPECT_EQ(allocator.stats().flushes, 1u);
    EXPECT_EQ(allocator.stats().flushed_pages, 4u);
    allocator.unmap_aliases();  // 6.6 remembers that it was flushed
    EXPECT_EQ(allocator.stats().flushes, rules == Rules::kLinux61 ? 2u : 1u);
  }
}

TEST(VmapAllocator, TheBlocksThatSixOneForgetsSixSixFlushes) {
  for (const Rules rules : {Rules::kLinux61, Rules::kLinux66}) {
    VmapAllocator allocator({.rules = rules});
    ASSERT_TRUE(allocator.map(0, 1).ok());
    for (uint32_t i = 1; i < allocator.block_pages(); ++i) allocator.unmap(*allocator.map(0, 1), 1);
    allocator.unmap_aliases();
    EXPECT_EQ(allocator.stats().flushes, rules == Rules::kLinux61 ? 0u : 1u);
  }
}

TEST(VmapAllocator, PageTablesAreMadeOnceAndKept) {
  VmapAllocator allocator({});
  allocator.unmap(*allocator.map(0, 1), 1);
  EXPECT_EQ(allocator.stats().table_bytes, 2 * kBlockBytes);
  allocator.unmap(*allocator.map(0, 64), 64);
  EXPECT_EQ(allocator.stats().table_bytes, 2 * kBlockBytes);
  ASSERT_EQ(*allocator.map(0, 512), 256u);
  EXPECT_EQ(allocator.stats().table_bytes, 3 * kBlockBytes);
}

TEST(VmapAllocator, WithoutMemoryOnlyWhatIsThereCanBeMapped) {
  VmapAllocator allocator({});
  EXPECT_EQ(allocator.map(0, 16, Memory::kNone).code(), Errc::kNoMemory) << "no block";
  EXPECT_EQ(allocator.map(0, 65, Memory::kNone).code(), Errc::kNoMemory) << "an area's descriptor";
  ASSERT_TRUE(allocator.map(0, 16).ok());
  EXPECT_TRUE(allocator.map(0, 16, Memory::kNone).ok()) << "a block with a page table";
  for (uint32_t used = 32; used < allocator.block_pages(); used += 16) ASSERT_TRUE(allocator.map(0, 16, Memory::kNone).ok());
  EXPECT_EQ(allocator.map(0, 16, Memory::kNone).code(), Errc::kNoMemory) << "the block is used up";
  ASSERT_TRUE(allocator.map(0, 65).ok());  // the rest of the table is not this CPU's
  ASSERT_TRUE(allocator.map(0, 1).ok());   // a block in a table of its own
  EXPECT_TRUE(allocator.map(0, 16, Memory::kNone).ok());
}

/// Unmapped and flushed addresses by a map alone: what the allocator may and may not give out.
class Ledger final : public PageTables {
 public:
  void cleared(PageRange range) override {
    for (uint64_t page = range.first; page < range.end(); ++page) {
      EXPECT_EQ(state_[page], State::kMapped);
      state_[page] = State::kStale;
    }
  }
  void flushed(PageRange range) override {
    for (auto at = state_.lower_bound(range.first); at != state_.end() && at->first < range.end();)
      at = at->second == State::kStale ? state_.erase(at) : std::next(at);
  }
  void mapped(PageRange range) {
    for (uint64_t page = range.first; page < range.end(); ++page) {
      EXPECT_EQ(state_.count(page), 0u) << "page " << page << " is mapped or was not flushed";
      state_[page] = State::kMapped;
    }
  }

 private:
  enum class State : uint8_t { kMapped, kStale };
  std::map<uint64_t, State> state_;
};

class Policies : public testing::TestWithParam<std::tuple<Purge, Rules>> {};
INSTANTIATE_TEST_SUITE_P(All, Policies,
                         testing::Combine(testing::Values(Purge::kLazy, Purge::kEager, Purge::kNever),
                                          testing::Values(Rules::kLinux61, Rules::kLinux66)));

TEST_P(Policies, NothingIsGivenOutTwiceNorBeforeAFlush) {
  for (uint64_t seed = 1; seed <= 2; ++seed) {
    Ledger ledger;
    VmapAllocator allocator({.cpus = 3, .window_pages = 8192, .purge = std::get<0>(GetParam()), .rules = std::get<1>(GetParam())},
                            &ledger);
    Random random(seed);
    std::vector<PageRange> live;
    uint64_t live_pages = 0;
    for (int step = 0; step < 2500; ++step) {
      const auto pages = static_cast<uint32_t>(1 + random.below(random.below(8) == 0 ? 400 : 64));
      if (random.below(100) < 52) {
        const auto first = allocator.map(static_cast<uint32_t>(random.below(3)), pages);
        if (!first.ok()) continue;
        ASSERT_LE(*first + pages, 8192u);
        ledger.mapped({*first, pages});
        live.push_back({*first, pages});
        live_pages += pages;
      } else if (!live.empty()) {
        std::swap(live[random.below(live.size())], live.back());
        allocator.unmap(live.back().first, static_cast<uint32_t>(live.back().count));
        live_pages -= live.back().count;
        live.pop_back();
      }
      if (random.below(500) == 0) allocator.unmap_aliases();
      ASSERT_EQ(allocator.stats().live_pages, live_pages);
      if (testing::Test::HasFailure()) return;
    }
    EXPECT_GT(allocator.stats().fragments_purged, 0u);
    for (const PageRange range : live) allocator.unmap(range.first, static_cast<uint32_t>(range.count));
    allocator.unmap_aliases();
  }
}

/// mm/vmalloc.c again, as plainly as it can be said: lists that are walked, one CPU, a window that is never full.
class Plain {
 public:
  uint64_t map(uint32_t pages) {
    if (pages > 64) {
      ++areas;
      return take(pages, 1);
    }
    const uint32_t slot = std::bit_ceil(pages);
    for (auto at = blocks.begin(); at != blocks.end(); ++at) {
      if (at->free < slot) continue;
      at->free -= slot;
      return at->first + 256 - at->free - slot;
    }
    ++block_count;
    blocks.push_back({take(256, 256), 256 - slot, 0});
    return blocks.back().first;
  }
  void unmap(uint64_t first, uint32_t pages) {
    if (pages > 64) return retire({first, pages});
    for (auto at = blocks.begin(); at != blocks.end(); ++at) {
      if (first < at->first || first >= at->first + 256) continue;
      at->dirty += std::bit_ceil(pages);
      if (at->dirty == 256) {
        retire({at->first, 256});
        blocks.erase(at);
      }
      return;
    }
  }
  uint64_t block_count = 0, areas = 0, purges = 0;

 private:
  struct PlainBlock {
    uint64_t first, free, dirty;
  };
  uint64_t take(uint64_t pages, uint64_t align) {
    uint64_t at = 0;
    for (auto used = busy.begin(); used != busy.end(); ++used) {
      // as find_vmap_lowest_match(): an aligned request asks for align pages more than it takes
      if (used->first >= at && used->first - at >= pages + (align == 1 ? 0 : align)) break;
      at = used->first + used->second;
    }
    at = (at + align - 1) / align * align;
    busy[at] = pages;
    return at;
  }
  void retire(PageRange range) {
    lazy.push_back(range);
    lazy_pages += range.count;
    if (lazy_pages <= 8192) return;
    ++purges;
    for (const PageRange one : lazy) busy.erase(one.first);
    lazy.clear();
    lazy_pages = 0;
  }
  std::list<PlainBlock> blocks;
  std::map<uint64_t, uint64_t> busy;
  std::vector<PageRange> lazy;
  uint64_t lazy_pages = 0;
};

TEST(VmapAllocator, AgreesWithAPlainModelAddressByAddress) {
  for (uint64_t seed = 1; seed <= 3; ++seed) {
    VmapAllocator allocator({});
    Plain plain;
    Random random(seed);
    std::vector<PageRange> live;
    for (int step = 0; step < 20000; ++step) {
      const auto pages = static_cast<uint32_t>(1 + random.below(random.below(6) == 0 ? 300 : 64));
      if (live.size() < 60 || random.below(2) == 0) {
        const uint64_t first = *allocator.map(0, pages);
        ASSERT_EQ(first, plain.map(pages)) << "step " << step;
        live.push_back({first, pages});
      } else {
        std::swap(live[random.below(live.size())], live.back());
        allocator.unmap(live.back().first, static_cast<uint32_t>(live.back().count));
        plain.unmap(live.back().first, static_cast<uint32_t>(live.back().count));
        live.pop_back();
      }
    }
    EXPECT_EQ(allocator.stats().block_allocations, plain.block_count);
    EXPECT_EQ(allocator.stats().area_allocations, plain.areas);
    EXPECT_EQ(allocator.stats().purges, plain.purges);
    EXPECT_GT(plain.purges, 10u);
  }
}

TEST(VmapAllocator, ThreadsOnModelledCpus) {
  Ledger* const none = nullptr;
  VmapAllocator allocator({.cpus = 2, .window_pages = 65536}, none);
  const auto churn = [&allocator](uint32_t cpu) {
    Random random(cpu + 1);
    std::vector<PageRange> live;
    for (int step = 0; step < 20000; ++step) {
      const auto pages = static_cast<uint32_t>(1 + random.below(random.below(8) == 0 ? 200 : 64));
      if (live.size() < 20) {
        if (const auto first = allocator.map(cpu % 2, pages); first.ok()) live.push_back({*first, pages});
      } else {
        std::swap(live[random.below(live.size())], live.back());
        allocator.unmap(live.back().first, static_cast<uint32_t>(live.back().count));
        live.pop_back();
      }
      if (random.below(2000) == 0) allocator.unmap_aliases();
    }
    for (const PageRange range : live) allocator.unmap(range.first, static_cast<uint32_t>(range.count));
  };
  std::vector<std::thread> threads;
  for (uint32_t i = 0; i < 4; ++i) threads.emplace_back(churn, i);
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(allocator.stats().live_pages, 0u);
  EXPECT_EQ(allocator.stats().failures, 0u);
  allocator.unmap_aliases();
  EXPECT_EQ(allocator.stats().lazy_pages, 0u);
}

TEST(VmapAllocatorDeath, WhatIsNotMappedCannotBeUnmapped) {
  VmapAllocator allocator({});
  const uint64_t first = *allocator.map(0, 4);
  EXPECT_DEATH(allocator.unmap(first + 1, 1), "live");
  allocator.unmap(first, 4);
  EXPECT_DEATH(allocator.unmap(first, 4), "live");
}

}  // namespace
}  // namespace daxlab::vmap
