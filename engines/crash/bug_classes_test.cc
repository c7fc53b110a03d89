// The bug classes of published pmem file systems (numbered as in engines/native/DESIGN.md), each seeded into native: the recorded
// trace of an operation is changed as that bug would have changed it. Without the change the laboratory finds nothing, with it a
// violation.
//
// Classes are named after reports on NOVA, PMFS, WineFS and SplitFS (LeBlanc et al., Chipmunk, EuroSys 2023; Kalbfleisch et al.,
// Vinter, USENIX ATC 2022).
#include <gtest/gtest.h>

#include <functional>
#include <string>
#include <vector>

#include "engines/crash/explorer.h"

namespace daxlab::crash {
namespace {

using Kind = pmem::Event::Kind;
using Edit = std::function<void(pmem::Trace&)>;

/// Calls `visit` with every event of operation `op` until it returns false.
void visit_op(pmem::Trace& trace, uint64_t op, const std::function<bool(size_t)>& visit) {
  bool inside = false;
  for (size_t i = 0; i < trace.events.size(); ++i) {
    const pmem::Event& event = trace.events[i];
    if (event.kind == Kind::kOpBegin) inside = event.offset_bytes == op;
    if (event.kind == Kind::kOpEnd) inside = false;
    if (inside && !visit(i)) return;
  }
}

Edit without_fence(uint64_t op, size_t which) {
  return [=](pmem::Trace& trace) {
    size_t seen = 0;
    size_t found = SIZE_MAX;
    visit_op(trace, op, [&](size_t i) {
      if (trace.events[i].kind == Kind::kFence && seen++ == which) found = i;
      return found == SIZE_MAX;
    });
    ASSERT_NE(found, SIZE_MAX) << "no such fence";
    trace.events.erase(trace.events.begin() + static_cast<ptrdiff_t>(found));
  };
}

/// Cached stores that nobody flushes; with `streams`, streaming ones become such too.
Edit without_flushes(uint64_t op, bool streams) {
  return [=](pmem::Trace& trace) {
    std::vector<size_t> dropped;
    bool changed = false;
    visit_op(trace, op, [&](size_t i) {
      pmem::Event& event = trace.events[i];
      if (event.kind == Kind::kFlush) dropped.push_back(i);
      if (streams && event.kind == Kind::kStream) {
        event.kind = Kind::kStore;
        changed = true;
      }
      return true;
    });
    ASSERT_TRUE(changed || !dropped.empty()) << "nothing to change";
    for (auto i = dropped.rbegin(); i != dropped.rend(); ++i)
      trace.events.erase(trace.events.begin() + static_cast<ptrdiff_t>(*i));
  };
}

/// The operation's last record goes over the one before it.
Edit over_the_committed_entry(uint64_t op) {
  return [=](pmem::Trace& trace) {
    size_t last = SIZE_MAX;
    visit_op(trace, op, [&](size_t i) {
      if (trace.events[i].kind == Kind::kStream && trace.events[i].size_bytes == kCacheLineBytes) last = i;
      return true;
    });
    ASSERT_NE(last, SIZE_MAX) << "no record";
    trace.events[last].offset_bytes -= kCacheLineBytes;
  };
}

/// The last line of the operation's longest store is not part of it.
Edit without_last_line(uint64_t op) {
  return [=](pmem::Trace& trace) {
    size_t longest = SIZE_MAX;
    visit_op(trace, op, [&](size_t i) {
      const pmem::Event& event = trace.events[i];
      if (event.kind == Kind::kStream && (longest == SIZE_MAX || event.size_bytes > trace.events[longest].size_bytes))
        longest = i;
      return true;
    });
    ASSERT_NE(longest, SIZE_MAX) << "no record";
    ASSERT_GT(trace.events[longest].size_bytes, kCacheLineBytes) << "a record of one line";
    trace.events[longest].size_bytes -= static_cast<uint32_t>(kCacheLineBytes);
  };
}

struct BugClass {
  const char* name;
  std::string ops;
  Edit seed;
};

void PrintTo(const BugClass& bug, std::ostream* out) { *out << bug.ops; }

std::string creations_over_a_log_page() {
  std::string ops;
  for (char c = 'a'; c <= 'p'; ++c) ops += (ops.empty() ? "" : "; ") + ("create /A/" + std::string(250, c));
  return ops;
}

std::vector<BugClass> bug_classes() {
  return {
      {"C1MissingFlush", "create /new", without_flushes(0, false)},
      {"C1MissingFlushOfARecord", "mkdir /A/newdir", without_flushes(0, true)},
      {"C2MissingFence", "unlink /foo", without_fence(0, 0)},
      {"C3UnalignedEdgesOfACopy", "append /foo 0+2001@9", without_flushes(0, false)},
      {"C4PointerBeforeWhatItPointsTo", "symlink /A/far " + std::string(300, 't'), without_fence(0, 0)},
      {"C5RenameInHalves", "rename /foo /B/moved", without_fence(0, 0)},
      {"C6DirectoryRenamedAwayFromItsParent", "rename /A/C /B/C", without_fence(0, 0)},
      {"C7CommittedEntryChangedInPlace", "setattr /foo 384+5@6", over_the_committed_entry(0)},
      {"C8LinkGoneButNotItsEffect", "unlink /B/hard", without_flushes(0, true)},
      {"C13TornWrite", "write /foo 4096+4096@9", without_fence(0, 0)},
      {"C14TruncationsDownAndUp", "truncate /foo 5001+0@0; truncate /foo 20000+0@0", without_fence(1, 0)},
      {"C15RecordOfALongName", "create /A/" + std::string(255, 'n'), without_last_line(0)},
      {"C17SizeBeforeData", "append /foo 0+4096@9", without_fence(0, 0)},
      {"C21StoresThroughAMappingOverLoggedBytes", "write /foo 100+64@9; mapped-store /foo 96+200@10; msync /foo 0+4096@0",
       without_flushes(1, true)},
      {"C23LogGrowsByAPage", creations_over_a_log_page(), without_flushes(13, true)},
  };
}

class BugClasses : public testing::TestWithParam<BugClass> {};

bool violates(const std::string& text, const Edit& edit) {
  ExplorerOptions options;
  options.recovery_share = 0;
  options.images_per_point_max = 24;
  options.edit = edit;
  const auto explorer = Explorer::create(parse_engine("native").value(), options).value();
  const Sequence sequence{"test", standard_setup(), parse_ops(text).value()};
  EXPECT_TRUE(explorer->explore(sequence, Explorer::Clock::time_point::max()).ok());
  return !explorer->violations().empty();
}

TEST_P(BugClasses, IsFoundWhereItIsSeededAndNowhereElse) {
  EXPECT_FALSE(violates(GetParam().ops, {}));
  EXPECT_TRUE(violates(GetParam().ops, GetParam().seed));
}

INSTANTIATE_TEST_SUITE_P(Native, BugClasses, testing::ValuesIn(bug_classes()),
                         [](const auto& bug) { return std::string(bug.param.name); });

// --- bugs of the recovery itself: what a mount stores is not written back

void without_flushes_in_the_mount(pmem::Trace& trace) {
  bool in_mount = true;
  std::erase_if(trace.events, [&](const pmem::Event& event) {
    in_mount = in_mount && event.kind != Kind::kOpBegin;
    return in_mount && event.kind == Kind::kFlush;
  });
}

/// Violations of every image of `text`, each cut in or behind its recovery.
std::vector<std::string> wrong_behind_recovery(const std::string& text, const Edit& edit) {
  ExplorerOptions options;
  options.recovery_share = 1;
  options.images_per_point_max = 16;
  options.edit_recovery = edit;
  std::vector<std::string> wrong;
  for (options.seed = 1; options.seed <= 8; ++options.seed) {  // another operation behind each image
    const auto explorer = Explorer::create(parse_engine("native").value(), options).value();
    const Sequence sequence{"test", standard_setup(), parse_ops(text).value()};
    EXPECT_TRUE(explorer->explore(sequence, Explorer::Clock::time_point::max()).ok());
    for (const Violation& violation : explorer->violations()) wrong.push_back(violation.what);
  }
  return wrong;
}

TEST(BugClassesOfRecovery, C9BytesThatARecoveryStoredAgainAreLost) {
  const std::string ops = "write /foo 100+64@9";
  EXPECT_TRUE(wrong_behind_recovery(ops, {}).empty());
  const auto wrong = wrong_behind_recovery(ops, without_flushes_in_the_mount);
  ASSERT_FALSE(wrong.empty());
  EXPECT_NE(wrong.front().find("wrong data"), std::string::npos) << wrong.front();
}

TEST(BugClassesOfRecovery, C16WhatARecoveryUndidIsBackAndTheNextMountFailsOrShowsIt) {
  for (const char* ops : {"create /A/new", "rename /foo /B/moved"}) {
    EXPECT_TRUE(wrong_behind_recovery(ops, {}).empty()) << ops;
    EXPECT_FALSE(wrong_behind_recovery(ops, without_flushes_in_the_mount).empty()) << ops;
  }
}

}  // namespace
}  // namespace daxlab::crash
