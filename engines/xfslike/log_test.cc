// The log as its users see it: what is committed and forced is there after a crash, space is reserved and given back.
#include "engines/xfslike/log.h"

#include <random>

#include "engines/base/counters.h"
#include "engines/xfslike/log_testing.h"

namespace daxlab::xfslike {
namespace {

struct Shape {
  LogFormat format;
  uint32_t lsunit_bytes;
  uint32_t iclog_bytes;
};
std::string name_of(const testing::TestParamInfo<Shape>& info) {
  return std::string(info.param.format == LogFormat::kV2 ? "v2" : "v3") + "_" + std::to_string(info.param.lsunit_bytes) + "_" +
         std::to_string(info.param.iclog_bytes);
}

class LogShapes : public testing::TestWithParam<Shape> {
 public:
  static LogConfig config() {
    LogConfig config = small_log(GetParam().format);
    config.lsunit_bytes = GetParam().lsunit_bytes;
    config.iclog_size_bytes = GetParam().iclog_bytes;
    return config;
  }
  static uint64_t log_bytes() {
    return std::max<uint64_t>({256 * kKiB, uint64_t{GetParam().iclog_bytes} * 8, uint64_t{GetParam().lsunit_bytes} * 32});
  }
};
INSTANTIATE_TEST_SUITE_P(All, LogShapes,
                         testing::Values(Shape{LogFormat::kV2, 512, 16 * kKiB}, Shape{LogFormat::kV2, 4096, 16 * kKiB},
                                         Shape{LogFormat::kV2, 32768, 32 * kKiB}, Shape{LogFormat::kV2, 512, 256 * kKiB},
                                         Shape{LogFormat::kV3, 512, 16 * kKiB}, Shape{LogFormat::kV3, 4096, 16 * kKiB},
                                         Shape{LogFormat::kV3, 32768, 32 * kKiB}, Shape{LogFormat::kV3, 512, 1024 * kKiB}),
                         name_of);

TEST_P(LogShapes, WhatWasForcedIsThereAfterACrash) {
  LogBed bed(config(), log_bytes());
  bed.set({1, 2, 3}, 11);
  bed.set({2}, 12, 700);
  LogBed::must(bed.log->force_all());
  bed.set({1}, 13);  // not forced
  EXPECT_EQ(bed.on_media(2), 0u) << "written back before anybody pushed";
  bed.crash_and_mount();
  EXPECT_FALSE(bed.log->recovered().clean);
  EXPECT_EQ(bed.log->recovered().checkpoints, 1u);
  EXPECT_EQ(bed.on_media(1), 11u);
  EXPECT_EQ(bed.on_media(2), 12u);
  EXPECT_EQ(bed.on_media(3), 11u);
}

TEST_P(LogShapes, AnUnmountedLogIsCleanAndReplaysNothing) {
  LogBed bed(config(), log_bytes());
  EXPECT_TRUE(bed.log->recovered().clean);
  bed.set({5}, 50);
  bed.unmount();
  EXPECT_EQ(bed.on_media(5), 50u);
  bed.mount();
  EXPECT_TRUE(bed.log->recovered().clean);
  EXPECT_TRUE(bed.sink->noted.empty());
  EXPECT_EQ(bed.sink->ends, 0);
  const Lsn head = bed.log->head_lsn();
  bed.set({5}, 51);
  LogBed::must(bed.log->force_all());
  bed.crash_and_mount();
  EXPECT_EQ(bed.on_media(5), 51u);
  EXPECT_GE(bed.places[5].lsn, head) << "an LSN that was on the medium before";
}

TEST_P(LogShapes, ACheckpointOfAnySizeIsWhole) {
  LogBed bed(config(), log_bytes());
  std::mt19937_64 random(3);
  uint64_t value = 0;
  for (int round = 0; round < 40; ++round) {
    const auto cells = static_cast<uint32_t>(1 + random() % 20);
    std::vector<uint32_t> indexes;
    for (uint32_t i = 0; i < cells; ++i) indexes.push_back((static_cast<uint32_t>(round) + i) % LogBed::kCells);
    bed.set(indexes, ++value, static_cast<uint32_t>(random() % 3000));
    if (round % 3 == 0) LogBed::must(bed.log->force_all());
    if (round % 10 != 9) continue;
    LogBed::must(bed.log->force_all());
    bed.crash_and_mount();
    for (uint32_t index : indexes) EXPECT_EQ(bed.on_media(index), value);
  }
}

TEST_P(LogShapes, ItWrapsManyTimes) {
  LogBed bed(config(), log_bytes());
  uint64_t value = 0;
  std::vector<uint64_t> expected(LogBed::kCells);
  while (lsn_cycle(bed.log->head_lsn()) < 6) {
    const auto index = static_cast<uint32_t>(value * 7 % LogBed::kCells);
    expected[index] = ++value;
    bed.set({index}, value, static_cast<uint32_t>(value * 37 % 6000));
    if (value % 2 == 0) LogBed::must(bed.log->force_all());
    if (value % 61 != 0) continue;
    LogBed::must(bed.log->force_all());
    bed.crash_and_mount();
    for (uint32_t i = 0; i < LogBed::kCells; ++i) ASSERT_EQ(bed.on_media(i), expected[i]) << "after " << value;
  }
}

// Promise 4. Each transaction is alone in its checkpoint, at every position that the iclog may have.
TEST_P(LogShapes, ATransactionNeverUsesMoreThanItReserved) {
  LogBed bed(config(), log_bytes());
  std::mt19937_64 random(7);
  const uint32_t most = static_cast<uint32_t>(bed.log->size_bytes() / 5);
  for (int round = 0; round < 300; ++round) {
    const auto payload = static_cast<uint32_t>(random() % (round % 3 == 0 ? most : 900));
    Ticket ticket = LogBed::must(bed.log->reserve(LogBed::unit_of(payload)));
    const uint64_t reserved = ticket.unit_bytes();
    Cell& cell = *bed.cells[static_cast<size_t>(round) % LogBed::kCells];
    cell.value = static_cast<uint64_t>(round);
    cell.payload_bytes = payload;
    LogItem* const item = &cell;
    const uint64_t before = bed.log->stats().log_bytes();
    bed.log->commit(ticket, {&item, 1});
    LogBed::must(bed.log->force_all());
    EXPECT_LE(bed.log->stats().log_bytes() - before, reserved) << payload;
  }
  LogBed::must(bed.log->quiesce());
  EXPECT_GE(bed.log->free_bytes(), bed.log->size_bytes() - 2 * bed.config.iclog_size_bytes) << "space leaks";
  EXPECT_LE(bed.log->free_bytes(), bed.log->size_bytes());
}

TEST(Log, RelogsEachItemOncePerCheckpoint) {
  for (const bool relog : {true, false}) {
    LogConfig config = small_log();
    config.relog = relog;
    LogBed bed(config);
    for (uint64_t i = 1; i <= 100; ++i) bed.set({4}, i, i % 2 == 0 ? 100 : 0);
    LogBed::must(bed.log->force_all());
    const LogStats& stats = bed.log->stats();
    EXPECT_EQ(stats.relogged, 99u);
    EXPECT_EQ(stats.checkpoint_items, 1u);
    EXPECT_EQ(bed.cells[4]->completions, 1) << "completed once, however often it was logged";
    EXPECT_EQ(bed.cells[4]->pins, 0);
    if (relog)
      EXPECT_LT(stats.payload_bytes, 400u);
    else
      EXPECT_GT(stats.payload_bytes, 100 * 24u + 50 * 100);
    bed.crash_and_mount();
    EXPECT_EQ(bed.on_media(4), 100u);
  }
}

TEST(Log, WhatCanNeverBeReservedIsAnError) {
  LogBed bed;
  EXPECT_EQ(bed.log->reserve(static_cast<uint32_t>(bed.log->size_bytes())).code(), Errc::kNoSpace);
  EXPECT_EQ(bed.log->reserve(static_cast<uint32_t>(bed.log->size_bytes() / 3), 4).code(), Errc::kNoSpace);
  Ticket most = LogBed::must(bed.log->reserve(static_cast<uint32_t>(bed.log->size_bytes() / 3), 2));
  EXPECT_EQ(bed.log->reserve(static_cast<uint32_t>(bed.log->size_bytes() / 3), 2).code(), Errc::kNoSpace) << "the rest is held";
  most.release();
  EXPECT_TRUE(bed.log->reserve(static_cast<uint32_t>(bed.log->size_bytes() / 3), 2).ok());
}

TEST(Log, AnItemThatStaysLockedFillsTheLogWithAnError) {
  LogBed bed;
  bed.set({0}, 1);
  LogBed::must(bed.log->force_all());
  bed.cells[0]->lock.lock();
  Errc code{};
  for (uint64_t i = 0; i < 1000; ++i) {
    auto ticket = bed.log->reserve(LogBed::unit_of(4000));
    if (!ticket.ok()) {
      code = ticket.code();
      break;
    }
    Cell& cell = *bed.cells[1 + i % 60];
    cell.value = i;
    cell.payload_bytes = 4000;
    LogItem* const item = &cell;
    bed.log->commit(*ticket, {&item, 1});
  }
  EXPECT_EQ(code, Errc::kNoSpace);
  bed.cells[0]->lock.unlock();
  EXPECT_TRUE(bed.log->reserve(LogBed::unit_of(4000)).ok());
}

TEST(Log, ARollingTransactionTakesUnitAfterUnit) {
  LogBed bed;
  Ticket ticket = LogBed::must(bed.log->reserve(LogBed::unit_of(0), 2));
  const uint64_t free = bed.log->free_bytes();
  for (uint64_t i = 1; i <= 5; ++i) {
    Cell& cell = *bed.cells[i];
    cell.value = i;
    LogItem* const item = &cell;
    bed.log->commit(ticket, {&item, 1}, Log::After::kRoll);
    LogBed::must(bed.log->regrant(ticket));
    EXPECT_EQ(ticket.left_bytes(), ticket.unit_bytes());
    EXPECT_LE(bed.log->free_bytes(), free + ticket.unit_bytes());
  }
  ticket.release();
  LogBed::must(bed.log->quiesce());
  EXPECT_EQ(bed.on_media(5), 5u);
}

TEST(Log, AQuarterIsKeptFree) {
  LogBed bed;
  for (uint64_t i = 1; i <= 400; ++i) {
    bed.set({static_cast<uint32_t>(i % LogBed::kCells)}, i, 3500);
    LogBed::must(bed.log->force_all());
  }
  const uint64_t ring = bed.log->size_bytes();
  const Lsn tail = bed.log->tail_lsn();
  const Lsn head = bed.log->head_lsn();
  const uint64_t used = ((uint64_t{lsn_cycle(head)} - lsn_cycle(tail)) * (ring / 512) + lsn_block(head) - lsn_block(tail)) * 512;
  EXPECT_LE(used, ring / 4 * 3 + 8 * kKiB);
  EXPECT_GT(used, ring / 2) << "pushed harder than it must be";
  EXPECT_GT(bed.log->stats().ail_pushes, 0u);
}

TEST(Log, EveryIclogStateIsPassedInOrder) {
  LogBed bed;
  for (uint64_t i = 1; i <= 30; ++i) {
    bed.set({1}, i, 3000);
    LogBed::must(bed.log->force_all());
  }
  const auto& entered = bed.log->stats().iclog_entered;
  EXPECT_EQ(entered[0], bed.log->stats().records);
  for (size_t state = 1; state < entered.size(); ++state) EXPECT_EQ(entered[state], entered[0]) << state;
  EXPECT_GE(entered[0], 30u);
}

TEST(Log, ForceOfWhatIsDurableDoesNothing) {
  LogBed bed;
  const uint64_t sequence = bed.set({1}, 1);
  LogBed::must(bed.log->force(sequence));
  EXPECT_GE(bed.log->durable_sequence(), sequence);
  const uint64_t records = bed.log->stats().records;
  const uint64_t fences = t_counters.snapshot()[Counter::fences];
  LogBed::must(bed.log->force(sequence));
  LogBed::must(bed.log->force_all());
  EXPECT_EQ(bed.log->stats().records, records);
  EXPECT_EQ(t_counters.snapshot()[Counter::fences], fences);
}

TEST(Log, AForceOfOneSmallChangeIsOneFence) {
  for (const LogFormat format : {LogFormat::kV2, LogFormat::kV3}) {
    LogBed bed(small_log(format));
    bed.set({1}, 1);
    const CounterValues before = t_counters.snapshot();
    LogBed::must(bed.log->force_all());
    CounterValues used = t_counters.snapshot();
    used -= before;
    EXPECT_EQ(used[Counter::fences], 1u);
    EXPECT_EQ(used[Counter::streamed_bytes], format == LogFormat::kV2 ? 1024u : 512u);
    EXPECT_EQ(used[Counter::log_bytes], used[Counter::streamed_bytes]);
    EXPECT_EQ(used[Counter::lines_flushed], 0u);
    EXPECT_EQ(used[Counter::wakeups], 0u);
  }
}

TEST(Log, ShutdownFailsEverythingAndTellsItems) {
  LogBed bed;
  bed.set({1}, 1);
  bed.log->shutdown();
  EXPECT_EQ(bed.log->reserve(100).code(), Errc::kIo);
  EXPECT_EQ(bed.log->force_all().code(), Errc::kIo);
  bed.log.reset();
  EXPECT_EQ(bed.cells[1]->aborts, 1);
  EXPECT_EQ(bed.cells[1]->pins, 0);
}

TEST(Log, WhatDoesNotFitTogetherIsRefused) {
  const auto region = pmem::Region::for_test(512 * kKiB).value();
  const BlockRun run{0, 64};
  BufferedLog placement(*region, std::span(&run, 1));
  const auto refused = [&](const std::function<void(LogConfig&)>& change) {
    LogConfig config = small_log();
    change(config);
    const auto created = Log::create(placement, config);
    return !created.ok() && created.code() == Errc::kInvalid;
  };
  EXPECT_TRUE(refused([](LogConfig& config) { config.iclogs = 1; }));
  EXPECT_TRUE(refused([](LogConfig& config) { config.iclogs = 9; }));
  EXPECT_TRUE(refused([](LogConfig& config) { config.iclog_size_bytes = 8 * kKiB; }));
  EXPECT_TRUE(refused([](LogConfig& config) { config.iclog_size_bytes = 512 * kKiB; }));
  EXPECT_TRUE(refused([](LogConfig& config) { config.lsunit_bytes = 1000; }));
  EXPECT_TRUE(refused([](LogConfig& config) { config.lsunit_bytes = 32 * kKiB; }));
  EXPECT_TRUE(refused([](LogConfig& config) { config.iclog_size_bytes = 64 * kKiB; })) << "iclogs as large as the log";
  EXPECT_FALSE(refused([](LogConfig& config) { config.iclogs = 8; }));
}

TEST(Log, KnockOutsLeaveTheirPartOut) {
  const auto cost = [](const std::function<void(LogKnockOut&)>& change) {
    LogConfig config = small_log();
    change(config.knock_out);
    LogBed bed(small_log());
    bed.log->unmount().ok();
    bed.config = config;
    bed.mount();
    bed.set({1}, 1, 500);
    const CounterValues before = t_counters.snapshot();
    LogBed::must(bed.log->force_all());
    CounterValues used = t_counters.snapshot();
    used -= before;
    return std::pair(used, bed.log->ail().size());
  };
  EXPECT_EQ(cost([](LogKnockOut& out) { out.fence = true; }).first[Counter::fences], 0u);
  EXPECT_EQ(cost([](LogKnockOut& out) { out.copy = true; }).first[Counter::streamed_bytes], 0u);
  EXPECT_EQ(cost([](LogKnockOut& out) { out.ail = true; }).second, 0u);
  EXPECT_EQ(cost([](LogKnockOut&) {}).second, 1u);
}

}  // namespace
}  // namespace daxlab::xfslike
