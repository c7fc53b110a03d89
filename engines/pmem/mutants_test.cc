#include "engines/pmem/mutants.h"

#include <gtest/gtest.h>

#include "engines/pmem/recorder.h"
#include "engines/pmem/region.h"

namespace daxlab::pmem {
namespace {

#if DAXLAB_MUTANTS

/// A commit as an engine makes it: payload, then the commit word.
void commit(std::byte* payload, uint64_t* word) {
  store_fill(payload, std::byte{7}, 100);
  flush(payload, 100);
  fence();
  store_commit(word, 1);
  persist(word, 8);
}

class MutantsTest : public testing::Test {
 protected:
  void TearDown() override { clear_mutants(); }

  std::vector<Event::Kind> record() {
    Recorder recorder(*region_);
    commit(region_->block_address(1), reinterpret_cast<uint64_t*>(region_->block_address(2)));
    std::vector<Event::Kind> kinds;
    for (const Event& event : recorder.take().events) kinds.push_back(event.kind);
    return kinds;
  }
  /// The key of the n-th site of commit().
  std::string key(size_t n) {
    record();
    return mutant_sites("mutants_test").at(n).key();
  }

  using K = Event::Kind;
  std::unique_ptr<Region> region_ = Region::for_test(16 * kBlockBytes).value();
};

TEST_F(MutantsTest, SitesAreListedByPlaceAndPrimitive) {
  record();
  const auto sites = mutant_sites("mutants_test");
  ASSERT_EQ(sites.size(), 5u);
  EXPECT_EQ(sites[0].primitive, Primitive::kFlush);
  EXPECT_EQ(sites[1].primitive, Primitive::kFence);
  EXPECT_EQ(sites[2].primitive, Primitive::kCommit);
  EXPECT_EQ(sites[3].primitive, Primitive::kFlush);
  EXPECT_EQ(sites[4].primitive, Primitive::kFence);
  EXPECT_EQ(sites[3].line, sites[4].line);
  for (size_t i = 1; i < sites.size(); ++i) EXPECT_LT(sites[i - 1].number, sites[i].number);
  EXPECT_EQ(sites[0].file.substr(0, 8), "engines/");
}

TEST_F(MutantsTest, AnOmittedSiteIsLeftOutAndNothingElse) {
  const std::vector<K> whole = {K::kStore, K::kFlush, K::kFence, K::kStore, K::kFlush, K::kFence};
  EXPECT_EQ(record(), whole);
  for (size_t n = 0; n < 5; ++n) {
    ASSERT_TRUE(set_mutant(key(n), Mutation::kOmit).ok());
    std::vector<K> wanted = whole;
    wanted.erase(wanted.begin() + static_cast<long>(n + 1));
    EXPECT_EQ(record(), wanted) << n;
    EXPECT_EQ(mutant_hits(), 1u);
    clear_mutants();
  }
  EXPECT_EQ(record(), whole);
}

TEST_F(MutantsTest, ADeferredFlushChangesPlacesWithItsFence) {
  ASSERT_TRUE(set_mutant(key(0), Mutation::kDefer).ok());
  EXPECT_EQ(record(), (std::vector<K>{K::kStore, K::kFence, K::kFlush, K::kStore, K::kFlush, K::kFence}));
}

TEST_F(MutantsTest, AnUnknownSiteOrAMisfitIsRefused) {
  EXPECT_EQ(set_mutant("nowhere.cc:1:flush", Mutation::kOmit).code(), Errc::kUsage);
  EXPECT_EQ(set_mutant(key(1), Mutation::kDefer).code(), Errc::kUsage);
}

#else

TEST(Mutants, ExistOnlyInTheirOwnBuild) {
  EXPECT_TRUE(mutant_sites().empty());
  EXPECT_EQ(set_mutant("engines/x.cc:1:flush", Mutation::kOmit).code(), Errc::kMissingFacility);
}

#endif

}  // namespace
}  // namespace daxlab::pmem
