// The log under several threads: who waits for what, and that it is woken; then all of it at once.
//
// Nothing is timed: a test waits for a counter to say that somebody waits, and lets go of what it held.
#include <random>

#include "engines/xfslike/log_testing.h"

namespace daxlab::xfslike {
namespace {

/// Holds records up at a gate, so that a test decides when they become durable.
class GatedLog final : public LogPlacement {
 public:
  explicit GatedLog(LogPlacement& behind) : behind_(behind) {}
  const char* name() const override { return "gated"; }
  uint32_t blocks() const override { return behind_.blocks(); }
  Result<std::unique_ptr<IclogSpace>> make_iclog(const LogConfig& config) override {
    DAXLAB_ASSIGN(auto inner, behind_.make_iclog(config));
    return std::unique_ptr<IclogSpace>(std::make_unique<Space>(*this, std::move(inner)));
  }
  void read(uint32_t block, uint32_t count, std::byte* to) const override { behind_.read(block, count, to); }
  void write(uint32_t block, uint32_t count, const std::byte* from) override { behind_.write(block, count, from); }
  void sync() override { behind_.sync(); }

  void close() { open_ = false; }
  void open() {
    open_ = true;
    open_.notify_all();
  }
  /// Records that wait, or have waited, at the gate.
  std::atomic<uint32_t> arrived = 0;

 private:
  class Space final : public IclogSpace {
   public:
    Space(GatedLog& gate, std::unique_ptr<IclogSpace> inner) : gate_(gate), inner_(std::move(inner)) {}
    void begin(Lsn lsn) override { inner_->begin(lsn); }
    void copy(IclogCursor& cursor, const std::byte* from, uint32_t size_bytes) override {
      inner_->copy(cursor, from, size_bytes);
    }
    void settle(IclogCursor& cursor, bool writes_next) override { inner_->settle(cursor, writes_next); }
    void write(const RecordDraft& draft) override {
      ++gate_.arrived;
      gate_.open_.wait(false);
      inner_->write(draft);
    }

   private:
    GatedLog& gate_;
    std::unique_ptr<IclogSpace> inner_;
  };
  LogPlacement& behind_;
  std::atomic<bool> open_ = true;
};

void until(const std::function<bool()>& condition) {
  while (!condition()) std::this_thread::yield();
}

class LogThreads : public testing::TestWithParam<std::tuple<LogFormat, bool, bool>> {
 public:
  static LogConfig config() {
    LogConfig config = small_log(std::get<0>(GetParam()));
    config.background_threads = true;
    config.push_worker = std::get<1>(GetParam());
    config.completion_worker = std::get<2>(GetParam());
    return config;
  }
};
INSTANTIATE_TEST_SUITE_P(All, LogThreads,
                         testing::Combine(testing::Values(LogFormat::kV2, LogFormat::kV3), testing::Bool(), testing::Bool()),
                         [](const auto& shape) {
                           return std::string(std::get<0>(shape.param) == LogFormat::kV2 ? "v2" : "v3") +
                                  (std::get<1>(shape.param) ? "_push_worker" : "_push_inline") +
                                  (std::get<2>(shape.param) ? "_completion_worker" : "_completion_inline");
                         });

TEST_P(LogThreads, AReservationSleepsUntilTheTailHasMoved) {
  LogBed bed(config());
  const auto most = static_cast<uint32_t>(bed.log->size_bytes() / 5 * 2);
  Ticket first = LogBed::must(bed.log->reserve(most));
  Ticket second = LogBed::must(bed.log->reserve(most));
  std::atomic<int> got = 0;
  std::thread waiter([&] {
    EXPECT_TRUE(bed.log->reserve(most).ok());
    ++got;
  });
  until([&] { return bed.log->stats().grant_sleeps >= 1; });
  std::thread behind([&] {
    EXPECT_TRUE(bed.log->reserve(100).ok());
    ++got;
  });
  until([&] { return bed.log->stats().grant_sleeps >= 2; });  // it would fit, but does not overtake who waits
  EXPECT_EQ(got, 0);
  first.release();
  waiter.join();
  behind.join();
}

TEST_P(LogThreads, WhatSleepsForSpaceIsServedByWriteBack) {
  LogBed bed(config());
  for (uint64_t i = 1; i <= 300; ++i) bed.set({static_cast<uint32_t>(i % LogBed::kCells)}, i, 4000);
  LogBed::must(bed.log->force_all());
  EXPECT_GT(lsn_cycle(bed.log->head_lsn()), 2u);
  EXPECT_GT(bed.log->stats().ail_pushes, 0u);
  bed.crash_and_mount();
  for (uint32_t i = 0; i < LogBed::kCells; ++i) EXPECT_GT(bed.on_media(i), 300u - LogBed::kCells);
}

TEST_P(LogThreads, AQuarterIsKeptFreeByTheThread) {
  LogBed bed(config());
  for (uint64_t i = 1; i <= 200; ++i) {
    bed.set({static_cast<uint32_t>(i % LogBed::kCells)}, i, 3500);
    LogBed::must(bed.log->force_all());
  }
  // Not waited for by anybody: there was room for the last ones without it.
  until([&] { return bed.log->free_bytes() >= bed.log->size_bytes() / 4 - bed.config.iclog_size_bytes; });
  EXPECT_GT(bed.log->stats().ail_pushes, 0u);
}

TEST_P(LogThreads, AShutdownWakesWhoSleeps) {
  LogBed bed(config());
  const auto most = static_cast<uint32_t>(bed.log->size_bytes() / 5 * 2);
  Ticket first = LogBed::must(bed.log->reserve(most));
  Ticket second = LogBed::must(bed.log->reserve(most));
  std::thread waiter([&] { EXPECT_EQ(bed.log->reserve(most).code(), Errc::kIo); });
  until([&] { return bed.log->stats().grant_sleeps >= 1; });
  bed.log->shutdown();
  waiter.join();
}

TEST_P(LogThreads, ARollingTransactionSleepsInTheWriteHead) {
  LogBed bed(config());
  const auto unit = static_cast<uint32_t>(bed.log->size_bytes() / 5 * 2);
  Ticket rolling = LogBed::must(bed.log->reserve(unit, 1));
  bed.log->commit(rolling, {}, Log::After::kRoll);
  Ticket other = LogBed::must(bed.log->reserve(unit / 10 * 9));  // and the roll has overcommitted the reserve head
  Ticket third = std::move(other);
  std::thread roller([&] {
    EXPECT_TRUE(bed.log->regrant(rolling).ok());
    rolling.release();
  });
  roller.join();
  third.release();
  LogBed::must(bed.log->quiesce());
}

TEST_P(LogThreads, ForcesBesideEachOtherAllEnd) {
  LogBed bed(config());
  std::vector<std::thread> threads;
  for (uint32_t t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      for (uint64_t i = 1; i <= 100; ++i) {
        const uint64_t sequence = bed.set({t}, i);
        EXPECT_TRUE(bed.log->force(sequence).ok());
        EXPECT_GE(bed.log->durable_sequence(), sequence);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  bed.crash_and_mount();
  for (uint32_t t = 0; t < 4; ++t) EXPECT_EQ(bed.on_media(t), 100u);
}

// Several threads commit over shared cells and force now and then; then all that is in DRAM is lost.
TEST_P(LogThreads, WhateverThreadsDoWhatWasForcedIsThere) {
  LogConfig how = config();
  how.iclogs = 2;
  LogBed bed(how);
  constexpr uint32_t kThreads = 4;
  for (int round = 0; round < 3; ++round) {
    std::vector<uint64_t> forced(LogBed::kCells);
    std::vector<uint64_t> committed(LogBed::kCells);
    std::vector<std::thread> threads;
    for (uint32_t t = 0; t < kThreads; ++t) {
      threads.emplace_back([&, t] {
        std::mt19937_64 random(t + 10 * static_cast<uint64_t>(round));
        std::vector<uint64_t> mine(LogBed::kCells);
        for (uint64_t i = 1; i <= 250; ++i) {
          // Each thread has cells of its own and one that all take turns at.
          const auto own = static_cast<uint32_t>(1 + t + kThreads * (random() % 10));
          mine[own] = static_cast<uint64_t>(round) * 1000 + i;
          const uint64_t sequence = bed.set({own}, mine[own], static_cast<uint32_t>(random() % 5000));
          if (i % 5 == 0) bed.set({0}, i * kThreads + t);
          committed[own] = mine[own];
          if (random() % 8 != 0) continue;
          EXPECT_TRUE(bed.log->force(sequence).ok());
          for (uint32_t cell = 1 + t; cell < LogBed::kCells; cell += kThreads) forced[cell] = mine[cell];
        }
      });
    }
    for (std::thread& thread : threads) thread.join();
    bed.crash_and_mount();
    for (uint32_t cell = 1; cell < LogBed::kCells; ++cell) {
      if (committed[cell] == 0) continue;
      EXPECT_GE(bed.on_media(cell), forced[cell]) << cell;
      EXPECT_LE(bed.on_media(cell), committed[cell]) << cell;
    }
  }
  bed.unmount();
}

/// A log behind a gate, with workers.
class GatedBed {
 public:
  explicit GatedBed(uint32_t iclogs = 8, uint64_t log_bytes = 1 * kMiB) : bed(how(iclogs), log_bytes), gate(*bed.placement) {
    bed.through = &gate;
    bed.unmount();
    bed.mount();
  }
  ~GatedBed() {
    gate.open();
    bed.log.reset();
  }
  static LogConfig how(uint32_t iclogs) {
    LogConfig config = small_log();
    config.background_threads = true;
    config.iclogs = iclogs;
    return config;
  }
  LogBed bed;
  GatedLog gate;
};

TEST(LogGate, CommittersAreHeldUpAtTwiceTheLimitAndFourPushesAreInFlight) {
  GatedBed gated;
  LogBed& bed = gated.bed;
  gated.gate.close();
  const LogStats& stats = bed.log->stats();
  const uint64_t commits_a_push = bed.log->size_bytes() / 8 / LogBed::unit_of(6000) + 1;
  uint64_t value = 0;
  const auto commit_one = [&] {
    ++value;
    bed.set({static_cast<uint32_t>(value % LogBed::kCells)}, value, 6000);
  };
  for (uint64_t push = 1; push <= 4; ++push) {  // an eighth of the log each, which cannot end
    for (uint64_t i = 0; i < commits_a_push; ++i) commit_one();
    until([&] { return stats.pushes == push; });
  }
  EXPECT_EQ(stats.pushes_in_flight_max, 4u);
  const uint64_t blocks_before = stats.cil_blocks;
  std::atomic<uint64_t> committed = 0;
  std::thread committer([&] {
    for (; committed < 2 * commits_a_push + 5; ++committed) commit_one();
  });
  until([&] { return stats.cil_blocks > blocks_before; });
  EXPECT_GE(committed + 1, 2 * (commits_a_push - 1)) << "held up before it had twice the limit";
  EXPECT_LT(committed, 2 * commits_a_push + 1);
  EXPECT_EQ(stats.pushes, 4u);
  EXPECT_EQ(bed.log->durable_sequence() + 5, bed.log->current_sequence());
  gated.gate.open();
  committer.join();
  EXPECT_EQ(bed.log->stats().pushes_in_flight_max, 4u);
  LogBed::must(bed.log->force_all());
}

TEST(LogGate, AWriterWaitsForAnIclog) {
  GatedBed gated(2);
  LogBed& bed = gated.bed;
  gated.gate.close();
  std::vector<std::thread> forcers;
  for (uint32_t i = 0; i < 3; ++i) {
    forcers.emplace_back([&, i] {
      bed.set({i}, 1, 100);
      EXPECT_TRUE(bed.log->force_all().ok());
    });
    if (i < 2) until([&] { return gated.gate.arrived > i; });  // each has one of the two
  }
  until([&] { return bed.log->stats().iclog_waits >= 1; });
  gated.gate.open();
  for (std::thread& forcer : forcers) forcer.join();
}

// Two records of one checkpoint are ready at once. Its commit record is in the second, which is not written before the first is
// done.
TEST(LogGate, ACommitRecordWaitsForItsCheckpointsEarlierRecords) {
  GatedBed gated;
  LogBed& bed = gated.bed;
  gated.gate.close();
  std::thread forcer([&] {
    bed.set({1, 2, 3}, 1, 7000);
    EXPECT_TRUE(bed.log->force_all().ok());
  });
  until([&] { return gated.gate.arrived >= 1u; });
  gated.gate.open();
  forcer.join();
  EXPECT_GE(bed.log->stats().records, 2u);
}

// The first record is held up, the second written: it is not completed, and nobody is told that it is durable.
TEST(LogGate, RecordsCompleteInOrder) {
  GatedBed gated;
  LogBed& bed = gated.bed;
  gated.gate.close();
  std::atomic<int> told = 0;
  const uint64_t first = bed.set({1}, 1);
  std::thread one([&] {
    EXPECT_TRUE(bed.log->force(first).ok());
    ++told;
  });
  until([&] { return gated.gate.arrived >= 1u; });
  const uint64_t second = bed.set({2}, 2);
  std::thread two([&] {
    EXPECT_TRUE(bed.log->force(second).ok());
    ++told;
  });
  until([&] { return gated.gate.arrived >= 2; });
  EXPECT_EQ(told, 0);
  EXPECT_LT(bed.log->durable_sequence(), first);
  EXPECT_EQ(bed.cells[1]->completions, 0);
  gated.gate.open();
  one.join();
  two.join();
  EXPECT_EQ(bed.cells[2]->completions, 1);
}

// An item that is in a checkpoint under way and logged again belongs to both; what it was is written, what it is stays pinned.
TEST(LogGate, AnItemMayBeInSeveralCheckpointsAtOnce) {
  GatedBed gated;
  LogBed& bed = gated.bed;
  gated.gate.close();
  const uint64_t first = bed.set({1}, 10);
  std::thread one([&] { EXPECT_TRUE(bed.log->force(first).ok()); });
  until([&] { return gated.gate.arrived >= 1u; });
  bed.set({1}, 11);
  EXPECT_EQ(bed.cells[1]->pins, 2);
  gated.gate.open();
  one.join();
  EXPECT_EQ(bed.cells[1]->pins, 1);
  EXPECT_EQ(bed.log->ail().push(UINT64_MAX).pinned, 1u);
  EXPECT_EQ(bed.on_media(1), 0u) << "written back with a change that is in no durable checkpoint";
  bed.crash_and_mount();
  EXPECT_EQ(bed.on_media(1), 10u);
}

TEST(LogHandOvers, AreCountedByWhatIsDoneByWorkers) {
  for (const bool push_worker : {false, true}) {
    for (const bool completion_worker : {false, true}) {
      LogConfig config = small_log();
      config.background_threads = true;
      config.push_worker = push_worker;
      config.completion_worker = completion_worker;
      LogBed bed(config);
      const uint64_t before = bed.log->stats().wakeups;
      bed.set({1}, 1);
      LogBed::must(bed.log->force_all());
      EXPECT_EQ(bed.log->stats().wakeups - before, (push_worker ? 1u : 0u) + (completion_worker ? 1u : 0u));
    }
  }
}

}  // namespace
}  // namespace daxlab::xfslike
