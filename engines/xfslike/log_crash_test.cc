// A log cut at any point recovers exactly a prefix of what was committed, and all that was forced.
//
// Transactions over cells in a log of a few records, so that it wraps within them; every image that the crash model allows (a
// seeded sample where there are too many) is mounted and compared with the states that the transactions went through; then used,
// crashed and mounted again, for what a torn head left behind may not come back.
#include <iostream>
#include <optional>
#include <random>

#include "engines/pmem/crash_images.h"
#include "engines/xfslike/log_testing.h"

namespace daxlab::xfslike {
namespace {

struct CrashShape {
  LogFormat format;
  uint32_t lsunit_bytes;
  uint64_t log_bytes;
  uint32_t iclogs;
  uint32_t payload_most;
};
std::string name_of(const testing::TestParamInfo<CrashShape>& info) {
  return std::string(info.param.format == LogFormat::kV2 ? "v2" : "v3") + "_lsunit" + std::to_string(info.param.lsunit_bytes) +
         "_" + std::to_string(info.param.iclogs) + "iclogs_payload" + std::to_string(info.param.payload_most);
}

using State = std::vector<uint64_t>;

/// What happened: states[t] after t transactions, and which of them each force made durable.
struct History {
  uint64_t first_value = 0;
  std::vector<State> states = {State(LogBed::kCells)};
  std::vector<size_t> committed;  ///< By operation: transactions begun when it ended.
  std::vector<size_t> forced;     ///< By operation: transactions that are durable when it has ended.
};

class LogCrash : public testing::TestWithParam<CrashShape> {
 public:
  static LogConfig config() {
    LogConfig config = small_log(GetParam().format);
    config.lsunit_bytes = GetParam().lsunit_bytes;
    config.iclogs = GetParam().iclogs;
    return config;
  }

  /// --gtest_random_seed=N makes another history.
  static std::mt19937_64 generator(uint64_t seed) {
    return std::mt19937_64(seed + 1000 * static_cast<uint64_t>(GTEST_FLAG_GET(random_seed)));
  }

  static State on_media(const LogBed& bed) {
    State state;
    for (const CellDisk& place : bed.places) state.push_back(place.value);
    return state;
  }

  /// States are counted from here on; values go on.
  static void forget_all_but_the_last(History& history) {
    history.first_value += history.states.size();
    history.states = {history.states.back()};
    history.committed.clear();
    history.forced.clear();
  }

  /// Operation n: one to three transactions, now and then forced.
  static void operate(LogBed& bed, History& history, std::mt19937_64& random, pmem::Recorder* recorder) {
    const uint64_t number = history.committed.size();
    if (recorder != nullptr) recorder->op_begin(number);
    for (uint64_t i = 0; i < 1 + random() % 3; ++i) {
      std::set<uint32_t> indexes;
      for (uint64_t c = 0; c < 1 + random() % 3; ++c) indexes.insert(static_cast<uint32_t>(random() % 12));
      State next = history.states.back();
      const uint64_t value = history.first_value + history.states.size();
      for (uint32_t index : indexes) next[index] = value;
      bed.set({indexes.begin(), indexes.end()}, value, static_cast<uint32_t>(random() % GetParam().payload_most));
      history.states.push_back(next);
    }
    size_t forced = history.forced.empty() ? 0 : history.forced.back();
    if (random() % 2 == 0) {
      LogBed::must(bed.log->force_all());
      forced = history.states.size() - 1;
    }
    history.committed.push_back(history.states.size() - 1);
    history.forced.push_back(forced);
    if (recorder != nullptr) recorder->op_end(number);
  }

  /// Mounts what a crash left and says which state it is, if it may be.
  static std::optional<size_t> judge(LogBed& bed, const History& history, const pmem::CrashImages& images) {
    if (const auto mounted = bed.try_mount(); !mounted.ok()) {
      ADD_FAILURE() << images.id() << ": " << mounted.error().message();
      return {};
    }
    const State found = on_media(bed);
    const size_t least = images.finished().empty() ? 0 : history.forced[images.finished().back()];
    const size_t most = images.running().empty() ? (images.finished().empty() ? 0 : history.committed[images.finished().back()])
                                                 : history.committed[images.running().back()];
    for (size_t t = most + 1; t-- > least;) {
      if (found == history.states[t]) return t;
    }
    for (size_t t = 0; t < history.states.size(); ++t) {
      if (found == history.states[t]) {
        ADD_FAILURE() << images.id() << ": state " << t << ", must be " << least << " to " << most;
        return {};
      }
    }
    const Log::Recovered& recovered = bed.log->recovered();
    ADD_FAILURE() << images.id() << ": no state that ever was; tail " << std::hex << recovered.tail << " head " << recovered.head
                  << std::dec << ", " << recovered.records << " records, " << recovered.torn_records << " torn, "
                  << recovered.checkpoints << " checkpoints; " << testing::PrintToString(found) << "\nnewest allowed " << most
                  << ": " << testing::PrintToString(history.states[most]);
    return {};
  }

  /// It goes on from there: a change that is forced is there after another crash, and nothing else has changed.
  static void drive(LogBed& bed, const State& before, const pmem::CrashImages& images) {
    State expected = before;
    for (uint64_t i = 0; i < 2; ++i) {
      expected[i] = 1'000'000 + i;
      bed.set({static_cast<uint32_t>(i)}, expected[i], 100);
      LogBed::must(bed.log->force_all());
    }
    if (const auto mounted = bed.try_mount(); !mounted.ok()) {
      ADD_FAILURE() << images.id() << ", driven: " << mounted.error().message();
      return;
    }
    EXPECT_EQ(on_media(bed), expected) << images.id() << ", driven";
  }
};
INSTANTIATE_TEST_SUITE_P(
    All, LogCrash,
    testing::Values(CrashShape{LogFormat::kV2, 512, 64 * kKiB, 2, 900}, CrashShape{LogFormat::kV2, 4096, 128 * kKiB, 4, 900},
                    CrashShape{LogFormat::kV2, 512, 128 * kKiB, 4, 9000}, CrashShape{LogFormat::kV3, 512, 64 * kKiB, 2, 900},
                    CrashShape{LogFormat::kV3, 4096, 128 * kKiB, 4, 900}, CrashShape{LogFormat::kV3, 512, 128 * kKiB, 4, 9000}),
    name_of);

TEST_P(LogCrash, LeavesAPrefixThatHoldsAllThatWasForced) {
  LogBed bed(config(), GetParam().log_bytes);
  History history;
  std::mt19937_64 random = generator(17);
  while (lsn_cycle(bed.log->head_lsn()) < 2) operate(bed, history, random, nullptr);  // so that what follows overwrites
  LogBed::must(bed.log->force_all());
  forget_all_but_the_last(history);
  std::vector<std::byte> base(bed.region->bytes().begin(), bed.region->bytes().end());
  pmem::Trace trace;
  {
    pmem::Recorder recorder(*bed.region);
    const uint32_t cycle = lsn_cycle(bed.log->head_lsn());
    while (lsn_cycle(bed.log->head_lsn()) < cycle + 3) operate(bed, history, random, &recorder);
    trace = recorder.take();
  }
  bed.log.reset();
  pmem::CrashOptions options;
  options.images_per_point = 64;
  pmem::CrashImages images(trace, *bed.region, base, options);
  uint64_t count = 0;
  std::set<size_t> prefixes;
  while (images.next()) {
    ++count;
    const auto state = judge(bed, history, images);
    if (state) {
      prefixes.insert(*state);
      if (count % 3 == 0) drive(bed, history.states[*state], images);
    }
    bed.log.reset();
    if (testing::Test::HasFailure()) break;
  }
  EXPECT_GT(count, 1500u);
  EXPECT_GT(prefixes.size(), 15u);
  RecordProperty("images", static_cast<int>(count));
  std::cout << "images " << count << ", prefixes " << prefixes.size() << ", transactions " << history.states.size() << "\n";
}

/// A crash while a crash is recovered from, and while that recovery's first records are written.
TEST_P(LogCrash, InsideRecoveryLeavesTheSame) {
  LogBed bed(config(), GetParam().log_bytes);
  History history;
  std::mt19937_64 random = generator(23);
  while (lsn_cycle(bed.log->head_lsn()) < 2) operate(bed, history, random, nullptr);
  LogBed::must(bed.log->force_all());
  forget_all_but_the_last(history);
  std::vector<std::byte> base(bed.region->bytes().begin(), bed.region->bytes().end());
  pmem::Trace trace;
  {
    pmem::Recorder recorder(*bed.region);
    for (int i = 0; i < 24; ++i) operate(bed, history, random, &recorder);
    trace = recorder.take();
  }
  bed.log.reset();
  pmem::CrashOptions options;
  options.images_per_point = 4;
  pmem::CrashImages images(trace, *bed.region, base, options);
  uint64_t inner_images = 0;
  for (uint64_t outer = 0; images.next() && !testing::Test::HasFailure(); ++outer) {
    if (outer % 5 != 0) continue;
    std::vector<std::byte> crashed(bed.region->bytes().begin(), bed.region->bytes().end());
    pmem::Trace recovery;
    std::optional<size_t> state;
    State driven;
    {
      pmem::Recorder recorder(*bed.region);
      recorder.op_begin(0);
      state = judge(bed, history, images);
      recorder.op_end(0);
      if (!state) break;
      driven = history.states[*state];
      recorder.op_begin(1);
      driven[3] = 2'000'000;
      bed.set({3}, driven[3], 300);
      LogBed::must(bed.log->force_all());
      recorder.op_end(1);
      recovery = recorder.take();
    }
    bed.log.reset();
    pmem::CrashOptions inner_options;
    inner_options.images_per_point = 32;
    pmem::CrashImages inner(recovery, *bed.region, crashed, inner_options);
    while (inner.next() && !testing::Test::HasFailure()) {
      ++inner_images;
      if (const auto mounted = bed.try_mount(); !mounted.ok())
        ADD_FAILURE() << images.id() << " " << inner.id() << ": " << mounted.error().message();
      const State found = on_media(bed);
      const bool before = found == history.states[*state];
      const bool after = found == driven;
      const bool must_be_after = inner.finished().size() == 2;
      EXPECT_TRUE(must_be_after ? after : before || after) << images.id() << " then " << inner.id();
      bed.log.reset();
    }
    inner.restore_final();
  }
  EXPECT_GT(inner_images, 500u);
  std::cout << "images inside recovery " << inner_images << "\n";
}

/// The judge is not blind: without the fence a force promises what is not there.
TEST(LogCrashControl, AForceWithoutItsFenceIsCaught) {
  LogBed bed;
  bed.log->unmount().ok();
  bed.config.knock_out.fence = true;
  bed.mount();
  std::vector<std::byte> base(bed.region->bytes().begin(), bed.region->bytes().end());
  pmem::Trace trace;
  {
    pmem::Recorder recorder(*bed.region);
    recorder.op_begin(0);
    bed.set({1}, 7);
    LogBed::must(bed.log->force_all());
    recorder.op_end(0);
    trace = recorder.take();
  }
  bed.log.reset();
  bed.config.knock_out.fence = false;
  pmem::CrashImages images(trace, *bed.region, base, {});
  uint64_t lost = 0;
  while (images.next()) {
    LogBed::must(bed.try_mount());
    lost += images.finished().size() == 1 && bed.on_media(1) != 7;
    bed.log.reset();
  }
  EXPECT_GT(lost, 0u);
}

}  // namespace
}  // namespace daxlab::xfslike
