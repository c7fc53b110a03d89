#include "engines/crash/campaign.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "engines/api/testing.h"

namespace daxlab::crash {
namespace {

constexpr double kForever = 1e6;  // a test that ends has been stopped

CampaignOptions options_of(std::vector<std::string> suites) {
  CampaignOptions options;
  options.engines = {parse_engine("native").value()};
  options.suites = std::move(suites);
  options.budget_s = kForever;
  options.workers = 2;
  options.explorer.images_per_point_max = 2;
  options.explorer.recovery_share = 0;
  options.explorer.use_everything = false;
  return options;
}

/// What a missing fence leaves: the stores of an operation are still in flight when it has returned.
void leave_out_fences(pmem::Trace& trace) {
  std::erase_if(trace.events, [](const pmem::Event& event) { return event.kind == pmem::Event::Kind::kFence; });
}

TEST(Campaign, TellsOfAViolationWhileItRuns) {
  CampaignOptions options = options_of({"seq1", "fuzz"});
  options.explorer.edit = leave_out_fences;
  std::vector<Violation> found;
  CampaignWatch watch;
  watch.found = [&](const Violation& violation) { found.push_back(violation); };
  watch.stop = [&] { return !found.empty(); };
  const auto outcomes = run_campaign(options, watch);
  ASSERT_TRUE(outcomes.ok()) << outcomes.error().message();
  ASSERT_EQ(outcomes->size(), 1u);
  const EngineOutcome& outcome = outcomes->front();
  EXPECT_EQ(found.size(), outcome.violations.size());
  EXPECT_EQ(outcome.statistics.violations, outcome.violations.size()) << "the last sums of a worker are missing";
  EXPECT_FALSE(found.front().what.empty());
}

TEST(Campaign, ThatIsStoppedSaysWhatItHasFound) {
  CampaignOptions options = options_of({"fuzz"});
  options.engines.push_back(parse_engine("native-relaxed").value());
  uint64_t seen = 0;
  CampaignWatch watch;
  watch.progress = [&](const EngineSpec&, const Statistics& sums, double) { seen = sums.states; };
  watch.stop = [&] { return seen > 0; };
  const auto outcomes = run_campaign(options, watch);
  ASSERT_TRUE(outcomes.ok()) << outcomes.error().message();
  ASSERT_EQ(outcomes->size(), 1u) << "an engine was begun after the campaign was to stop";
  EXPECT_GE(outcomes->front().statistics.states, seen);
  EXPECT_GT(outcomes->front().statistics.recovered, 0u) << "the trees, which a worker sends at its end";
  EXPECT_TRUE(outcomes->front().violations.empty());
}

}  // namespace
}  // namespace daxlab::crash
