// The explorer on real engines: nothing found where nothing is wrong, and everything found that is made wrong.
#include "engines/crash/explorer.h"

#include <gtest/gtest.h>

#include <numeric>

#include "engines/api/testing.h"
#include "engines/crash/campaign.h"

namespace daxlab::crash {
namespace {

using Kind = pmem::Event::Kind;

/// Every registered engine that keeps its data on a region, as the suites name it.
std::vector<std::string> crashable_engines() {
  std::vector<std::string> specs;
  for (const EngineType* type : engine_types()) {
    for (const std::string& spec : type->suite_variants()) {
      const EngineSpec engine = parse_engine(spec).value();
      const Traits traits = type->traits(engine.options);
      if (traits.needs_region && traits.stores_data) specs.push_back(spec);
    }
  }
  return specs;
}

std::unique_ptr<Explorer> explorer_of(const std::string& spec, const ExplorerOptions& options) {
  return Explorer::create(parse_engine(spec).value(), options).value();
}

Sequence sequence_of(std::string_view text) { return {"test", standard_setup(), parse_ops(text).value()}; }

/// States of each engine in each crash model, the same for all: an engine that stores little in a step is explored over all steps, one
/// that stores much over a part of them. The rest is what `daxlab crash` is for.
constexpr uint64_t kStatesMax = tests::kSanitized ? 600 : 6000;

/// Steps in an order in which every kind comes early.
std::vector<Sequence> mixed(std::vector<Sequence> sequences) {
  std::vector<Sequence> order;
  const size_t step = std::gcd(sequences.size(), size_t{37}) == 1 ? 37 : 1;
  for (size_t i = 0; i < sequences.size(); ++i) order.push_back(std::move(sequences[i * step % sequences.size()]));
  return order;
}

TEST(Explorer, FindsNothingInEnginesThatArePromisedToBeSafe) {
  for (const std::string& spec : crashable_engines()) {
    for (const pmem::CrashModel model : {pmem::CrashModel::kClwb, pmem::CrashModel::kEadr}) {
      ExplorerOptions options;
      options.model = model;
      options.images_per_point_max = tests::kSanitized ? 4 : 24;  // every point; a sanitizer looks at the code, not at more images
      const auto explorer = explorer_of(spec, options);
      const EngineSpec engine = parse_engine(spec).value();
      ASSERT_TRUE(explorer->explore_format(Explorer::Clock::time_point::max()).ok());
      const uint64_t states_max = explorer->statistics().states + kStatesMax;
      for (const Sequence& sequence : mixed(sequences_of_one(sync_points_for(engine.type->traits(engine.options))))) {
        if (explorer->statistics().states >= states_max) break;
        ASSERT_TRUE(explorer->explore(sequence, Explorer::Clock::time_point::max()).ok());
      }
      for (const Violation& violation : explorer->violations()) {
        ADD_FAILURE() << violation.what << "\n" << violation.where << "\n" << replay_id(violation, options);
      }
      EXPECT_GE(explorer->statistics().states, std::min<uint64_t>(kStatesMax, 1000)) << spec;
      EXPECT_GT(explorer->statistics().states_in_recovery, 0u) << spec;
    }
  }
}

/// Each of these once left a log that the next mount took for damaged: two groups under one fence, the second durable alone.
TEST(Explorer, FindsNothingWhereLogsAreCleaned) {
  for (const char* spec : {"native", "native-relaxed"}) {
    ExplorerOptions options;
    options.images_per_point_max = 8;
    options.recovery_share = 0;
    const auto explorer = explorer_of(spec, options);
    for (const Sequence& sequence : sequences_at_edges()) {
      if (sequence.ops.size() < 20) continue;
      ASSERT_TRUE(explorer->explore(sequence, Explorer::Clock::time_point::max()).ok());
    }
    for (const Violation& violation : explorer->violations()) ADD_FAILURE() << violation.what << "\n" << replay_id(violation, options);
  }
}

TEST(Explorer, EqualSeedsExploreEqualStates) {
  const auto states = [] {
    const auto explorer = explorer_of("native", ExplorerOptions{});
    for (const char* ops : {"rename /foo /B/moved", "write /foo 100+64@13; truncate /foo 5000+0@0"}) {
      EXPECT_TRUE(explorer->explore(sequence_of(ops), Explorer::Clock::time_point::max()).ok());
    }
    return explorer->statistics();
  };
  const Statistics first = states();
  const Statistics second = states();
  EXPECT_EQ(first.states, second.states);
  EXPECT_EQ(first.recovered, second.recovered);
}

// --- negative controls: one fence of one operation is taken out of the trace, or one store never reaches the medium by itself

struct Control {
  const char* ops;
  size_t fence;  ///< Which fence of the first operation is missing.
};

std::function<void(pmem::Trace&)> without_fence(size_t which) {
  return [which](pmem::Trace& trace) {
    size_t seen = 0;
    bool inside = false;
    for (size_t i = 0; i < trace.events.size(); ++i) {
      if (trace.events[i].kind == Kind::kOpBegin) inside = trace.events[i].offset_bytes == 0;
      if (!inside || trace.events[i].kind != Kind::kFence || seen++ != which) continue;
      trace.events.erase(trace.events.begin() + static_cast<ptrdiff_t>(i));
      return;
    }
    ADD_FAILURE() << "the operation has no fence number " << which;
  };
}

/// Streaming stores of the first operation become cached ones that nobody flushes.
void without_write_back(pmem::Trace& trace) {
  bool inside = false;
  std::erase_if(trace.events, [&](pmem::Event& event) {
    if (event.kind == Kind::kOpBegin) inside = event.offset_bytes == 0;
    if (inside && event.kind == Kind::kStream) event.kind = Kind::kStore;
    return inside && event.kind == Kind::kFlush;
  });
}

bool caught(const char* ops, std::function<void(pmem::Trace&)> edit) {
  ExplorerOptions options;
  options.recovery_share = 0;
  options.edit = std::move(edit);
  const auto explorer = explorer_of("native", options);
  EXPECT_TRUE(explorer->explore(sequence_of(ops), Explorer::Clock::time_point::max()).ok());
  return !explorer->violations().empty();
}

TEST(Explorer, CatchesTwentyControlsWithAMissingFenceOrWriteBack) {
  const std::vector<Control> fences = {{"create /new", 0},
                                       {"mkdir /A/newdir", 0},
                                       {"link /foo /A/hard", 0},
                                       {"unlink /foo", 0},
                                       {"rmdir /D", 0},
                                       {"rename /foo /moved", 0},
                                       {"rename /foo /B/moved", 0},
                                       {"rename /foo /B/moved", 1},
                                       {"symlink /sym foo", 0},
                                       {"write /foo 4096+4096@9", 0},
                                       {"write /foo 4096+4096@9", 1},
                                       {"write /foo 100+64@9", 0},
                                       {"append /foo 0+4096@9", 0},
                                       {"append /foo 0+4096@9", 1},
                                       {"truncate /foo 5000+0@0", 0},
                                       {"setattr /foo 384+5@6", 0}};
  size_t controls = 0;
  for (const Control& control : fences) {
    EXPECT_TRUE(caught(control.ops, without_fence(control.fence))) << control.ops << " without fence " << control.fence;
    ++controls;
  }
  for (const char* ops : {"create /new", "unlink /foo", "write /foo 0+8192@9", "rename /foo /A/bar"}) {
    EXPECT_TRUE(caught(ops, without_write_back)) << ops << " without write-back";
    ++controls;
  }
  EXPECT_EQ(controls, 20u);
}

}  // namespace
}  // namespace daxlab::crash
