// What recovery makes of a log's end, of damage, of cancelled buffers and of intents.
#include "engines/xfslike/recovery.h"

#include <random>

#include "engines/xfslike/log_testing.h"

namespace daxlab::xfslike {
namespace {

class RecoveryFormats : public testing::TestWithParam<LogFormat> {
 public:
  static LogConfig config() { return small_log(GetParam()); }
};
INSTANTIATE_TEST_SUITE_P(All, RecoveryFormats, testing::Values(LogFormat::kV2, LogFormat::kV3),
                         [](const auto& shape) { return shape.param == LogFormat::kV2 ? "v2" : "v3"; });

using Image = std::vector<std::byte>;

Image image_of(const LogBed& bed) { return {bed.region->bytes().begin(), bed.region->bytes().end()}; }
void restore(LogBed& bed, const Image& image) {
  bed.log.reset();
  std::memcpy(bed.region->bytes().data(), image.data(), image.size());
}
/// Bytes that differ, of the log alone.
std::pair<size_t, size_t> changed(const Image& before, const Image& after) {
  size_t first = before.size();
  size_t end = 0;
  for (size_t i = 0; i < before.size(); ++i) {
    if (before[i] == after[i]) continue;
    first = std::min(first, i);
    end = i + 1;
  }
  return {first, end};
}

// The last record, of several blocks, less any one of its aligned words, or with only one of them: as it was before it.
TEST_P(RecoveryFormats, ATornRecordIsCutOffWordByWord) {
  LogBed bed(config());
  bed.set({1, 2}, 10, 300);
  LogBed::must(bed.log->force_all());
  bed.set({1, 2}, 11, 1500);
  const Image before = image_of(bed);
  LogBed::must(bed.log->force_all());
  const Image after = image_of(bed);
  const auto [first, end] = changed(before, after);
  ASSERT_GT(end - first, 3000u);
  uint64_t torn = 0;
  for (const bool only_one : {false, true}) {
    for (size_t at = first / 8 * 8; at < end; at += 8) {
      if (std::memcmp(&before[at], &after[at], 8) == 0) continue;
      Image image = only_one ? before : after;
      std::memcpy(&image[at], only_one ? &after[at] : &before[at], 8);
      restore(bed, image);
      const auto mounted = bed.try_mount();
      ASSERT_TRUE(mounted.ok()) << at << ": " << mounted.error().message();
      EXPECT_EQ(bed.on_media(1), 10u) << at;
      EXPECT_EQ(bed.on_media(2), 10u) << at;
      ++torn;
      // What is left of it must not come back when the log goes on in its place.
      bed.set({3}, 12);
      LogBed::must(bed.log->force_all());
      bed.crash_and_mount();
      EXPECT_EQ(bed.on_media(1), 10u) << at;
      EXPECT_EQ(bed.on_media(3), 12u) << at;
    }
  }
  EXPECT_GT(torn, 500u);
  restore(bed, after);
  bed.mount();
  EXPECT_EQ(bed.on_media(1), 11u);
}

// Two records were in flight and only the second is there. The log goes on, in records of the same size, where the first was
// torn: the second then follows it seamlessly, but for its cycle (v2: set back), its epoch (v3).
TEST_P(RecoveryFormats, ARecordBehindATornOneDoesNotComeBack) {
  LogBed bed(config());
  bed.set({1}, 10);
  LogBed::must(bed.log->force_all());
  const Image before = image_of(bed);
  bed.set({1}, 11);
  LogBed::must(bed.log->force_all());
  const Image between = image_of(bed);
  bed.set({2}, 12);
  LogBed::must(bed.log->force_all());
  const Image after = image_of(bed);
  const auto [first, end] = changed(before, between);
  Image image = after;
  std::memcpy(&image[first], &before[first], end - first);
  restore(bed, image);
  bed.mount();
  EXPECT_EQ(bed.on_media(1), 10u);
  EXPECT_EQ(bed.on_media(2), 0u);
  bed.set({1}, 13);
  LogBed::must(bed.log->force_all());
  bed.crash_and_mount();
  EXPECT_EQ(bed.on_media(1), 13u);
  EXPECT_EQ(bed.on_media(2), 0u) << "a torn head's successor came back";
  // The same with the record that takes its place torn as well.
  restore(bed, image);
  bed.mount();
  const Image fresh = image_of(bed);
  bed.set({1}, 14);
  LogBed::must(bed.log->force_all());
  Image again = image_of(bed);
  const auto [f, e] = changed(fresh, again);
  std::memcpy(&again[f + 24], &fresh[f + 24], e - f - 24);
  restore(bed, again);
  bed.mount();
  EXPECT_EQ(bed.on_media(1), 10u);
  EXPECT_EQ(bed.on_media(2), 0u);
}

TEST_P(RecoveryFormats, DamageBehindTheHeadIsAnError) {
  LogBed bed(config());
  for (uint64_t i = 1; i <= 30; ++i) {
    bed.set({static_cast<uint32_t>(i)}, i, 200);
    LogBed::must(bed.log->force_all());
  }
  const Image image = image_of(bed);
  const uint64_t half_bytes = lsn_block(bed.log->head_lsn()) * 512 / 2;  // 15 records follow, more than may be torn
  bed.log.reset();
  std::mt19937_64 random(5);
  const size_t log_at = static_cast<size_t>(bed.region->block_address(0) - bed.region->bytes().data());
  for (int i = 0; i < 200; ++i) {
    Image damaged = image;
    const size_t at = log_at + 1024 + random() % (half_bytes - 1024);  // behind the first record
    damaged[at] ^= static_cast<std::byte>(1 << random() % 8);
    restore(bed, damaged);
    const auto mounted = bed.try_mount();
    ASSERT_FALSE(mounted.ok()) << at;
    EXPECT_EQ(mounted.code(), Errc::kCorrupt) << at;
  }
}

TEST_P(RecoveryFormats, AnythingInTheLogIsAnErrorOrAPrefix) {
  LogBed bed(config());
  for (uint64_t i = 1; i <= 12; ++i) {
    bed.set({1}, i, 200);
    LogBed::must(bed.log->force_all());
  }
  const Image image = image_of(bed);
  const size_t log_at = static_cast<size_t>(bed.region->block_address(0) - bed.region->bytes().data());
  std::mt19937_64 random(6);
  uint64_t refused = 0;
  for (int i = 0; i < 2000; ++i) {
    Image damaged = image;
    for (uint64_t n = 0; n < 1 + random() % 20; ++n) {
      const size_t at = log_at + random() % (16 * 1024);
      damaged[at] = static_cast<std::byte>(random());
    }
    restore(bed, damaged);
    const auto mounted = bed.try_mount();
    if (mounted.ok())
      EXPECT_LE(bed.on_media(1), 12u);
    else
      ++refused;
  }
  EXPECT_GT(refused, 200u);
}

TEST_P(RecoveryFormats, ALogOfNothingIsAnError) {
  LogBed bed(config());
  bed.log.reset();
  std::memset(bed.region->block_address(0), 0, 256 * kKiB);
  EXPECT_EQ(bed.try_mount().code(), Errc::kCorrupt);
  std::memset(bed.region->block_address(0), 0xff, 256 * kKiB);
  EXPECT_EQ(bed.try_mount().code(), Errc::kCorrupt);
}

TEST_P(RecoveryFormats, AnotherFileSystemsRecordsAreNobodys) {
  LogBed bed(config());
  bed.set({1}, 10);
  LogBed::must(bed.log->force_all());
  bed.log.reset();
  bed.config.uuid = 0x9999;
  EXPECT_EQ(bed.try_mount().code(), Errc::kCorrupt);
  LogBed::must(Log::create(*bed.placement, bed.config));
  bed.mount();
  EXPECT_TRUE(bed.log->recovered().clean);
  EXPECT_EQ(bed.on_media(1), 0u);
}

TEST_P(RecoveryFormats, ItTakesAnyNumberOfIclogsAtTheNextMount) {
  LogBed bed(config());
  uint64_t value = 0;
  for (const uint32_t iclogs : {4u, 8u, 2u, 3u}) {
    for (const uint64_t iclog_bytes : {16 * kKiB, 16 * kKiB, 32 * kKiB}) {
      if (iclogs * iclog_bytes > 120 * kKiB) continue;
      bed.config.iclogs = iclogs;
      bed.config.iclog_size_bytes = static_cast<uint32_t>(iclog_bytes);
      bed.crash_and_mount();
      EXPECT_EQ(bed.on_media(3), value);
      for (int i = 0; i < 5; ++i) bed.set({3}, ++value, 9000);
      LogBed::must(bed.log->force_all());
    }
  }
}

// The same record, cut behind other records or, as a mount's first, behind an unmount record; then the word that it lacked comes after
// all, as an equal word of the next record in its place, of which a crash leaves no more. It is still as before it.
TEST_P(RecoveryFormats, ACutRecordIsNotCompletedByEqualWordsOfTheNext) {
  for (const bool behind_unmount : {false, true}) {
    LogBed bed(config());
    bed.set({1, 2}, 10, 300);
    LogBed::must(bed.log->force_all());
    if (behind_unmount) {
      bed.unmount();
      bed.mount();
    }
    bed.set({1, 2}, 11, 1500);
    const Image before = image_of(bed);
    LogBed::must(bed.log->force_all());
    const Image after = image_of(bed);
    const auto [first, end] = changed(before, after);
    for (size_t at = first / 8 * 8; at < end; at += 8) {
      if (std::memcmp(&before[at], &after[at], 8) == 0) continue;
      Image image = after;
      std::memcpy(&image[at], &before[at], 8);
      restore(bed, image);
      bed.mount();
      bed.log.reset();
      std::memcpy(bed.region->bytes().data() + at, &after[at], 8);
      bed.mount();
      ASSERT_EQ(bed.on_media(1), 10u) << at << (behind_unmount ? " behind an unmount record" : "");
    }
  }
}

/// A sink that does what a buffer cache does with cancelled buffers: a cell logged with value kCancel is freed.
class CancellingSink final : public CellSink {
 public:
  static constexpr uint64_t kCancel = 777;
  using CellSink::CellSink;
  Result<void> note(const RecoveredItem& item) override {
    CellLogDisk disk;
    std::memcpy(&disk, item.regions[0].data(), sizeof disk);
    if (disk.value == kCancel) cancelled.insert(disk.index);
    return CellSink::note(item);
  }
  Result<void> replay(const RecoveredItem& item, Lsn start) override {
    CellLogDisk disk;
    std::memcpy(&disk, item.regions[0].data(), sizeof disk);
    if (cancelled.contains(disk.index)) {
      ++suppressed;
      if (disk.value == kCancel) cancelled.erase(disk.index);
      return {};
    }
    return CellSink::replay(item, start);
  }
  std::set<uint32_t> cancelled;
  int suppressed = 0;
};

TEST_P(RecoveryFormats, ACancelledBufferIsNotReplayedOverItsNextLife) {
  LogBed bed(config());
  bed.set({7, 9}, 5);  // as metadata; 9 keeps it in the log
  LogBed::must(bed.log->force_all());
  bed.set({7}, CancellingSink::kCancel);  // freed
  LogBed::must(bed.log->force_all());
  pmem::store(&bed.places[7].value, uint64_t{424242});  // a file's data now
  pmem::persist(&bed.places[7], 64);
  bed.set({8}, 9);
  LogBed::must(bed.log->force_all());
  bed.log.reset();
  CancellingSink sink(bed.places);
  auto log = LogBed::must(Log::mount(*bed.placement, bed.config, sink));
  EXPECT_EQ(bed.on_media(7), 424242u);
  EXPECT_EQ(bed.on_media(8), 9u);
  EXPECT_EQ(sink.suppressed, 2);
}

TEST_P(RecoveryFormats, AnIntentWithoutItsDoneIsHandedOver) {
  LogBed bed(config());
  const auto log_it = [&](ItemType type, uint64_t number) {
    auto cell = std::make_unique<Cell>(bed.places[0], 0, type);
    cell->ail = &bed.log->ail();
    cell->value = number;
    Ticket ticket = LogBed::must(bed.log->reserve(LogBed::unit_of(0)));
    LogItem* const item = cell.get();
    bed.log->commit(ticket, {&item, 1});
    LogBed::must(bed.log->force_all());
    return cell;
  };
  const auto one = log_it(ItemType::kExtentFreeIntent, 100);
  const auto two = log_it(ItemType::kExtentFreeIntent, 101);
  const auto done = log_it(ItemType::kExtentFreeDone, 100);
  const auto three = log_it(ItemType::kExtentFreeIntent, 102);
  const Lsn intent_at = two->ail_lsn();
  const Lsn last_at = three->ail_lsn();
  Cell recovered(bed.places[0], 0, ItemType::kExtentFreeIntent);
  bed.on_intent = [&](uint64_t number, Lsn start) -> LogItem* {
    EXPECT_EQ(start, number == 101 ? intent_at : last_at);
    return number == 101 ? &recovered : nullptr;
  };
  bed.crash_and_mount();
  EXPECT_EQ(bed.sink->intents, (std::vector<uint64_t>{101, 102}));
  EXPECT_TRUE(bed.sink->replayed_indexes.empty()) << "intents and dones are not replayed";
  EXPECT_EQ(bed.sink->ends, 1);
  EXPECT_EQ(bed.log->recovered().intents, 2u);
  EXPECT_EQ(bed.log->tail_lsn(), intent_at) << "it stays in the log until its done is there";
  bed.set({5}, 1);
  LogBed::must(bed.log->force_all());
  EXPECT_EQ(bed.log->tail_lsn(), intent_at);
  bed.crash_and_mount();
  EXPECT_EQ(bed.sink->intents, (std::vector<uint64_t>{101, 102}));
  EXPECT_TRUE(bed.log->ail().remove(recovered));
  bed.set({5}, 2);
  LogBed::must(bed.log->force_all());
  EXPECT_GT(bed.log->tail_lsn(), intent_at);
}

TEST_P(RecoveryFormats, BuffersComeBeforeWhatLiesInThem) {
  LogBed bed(config());
  Cell buffer(bed.places[20], 20, ItemType::kBuffer);
  buffer.ail = &bed.log->ail();
  buffer.value = 3;
  std::vector<LogItem*> items = {bed.cells[21].get(), &buffer, bed.cells[22].get()};
  Ticket ticket = LogBed::must(bed.log->reserve(3 * LogBed::unit_of(0)));
  bed.log->commit(ticket, items);
  LogBed::must(bed.log->force_all());
  bed.crash_and_mount();
  EXPECT_EQ(bed.sink->noted, (std::vector<uint32_t>{20, 21, 22}));
  EXPECT_EQ(bed.sink->replayed_indexes, (std::vector<uint32_t>{20, 21, 22}));
}

TEST(Recovery, ARecordWithEveryHeaderExtensionIsWhole) {
  LogConfig config = small_log();
  config.iclog_size_bytes = 256 * kKiB;
  config.iclogs = 2;
  LogBed bed(config, 4 * kMiB);
  for (uint64_t i = 1; i <= 9; ++i) {
    bed.set({1, 2, 3}, i, 200'000);  // more than two records
    LogBed::must(bed.log->force_all());
  }
  EXPECT_EQ(bed.log->stats().header_bytes, bed.log->stats().records * 4096);
  EXPECT_GT(bed.log->stats().wraps, 0u);
  EXPECT_GT(bed.log->stats().splits, 9u);
  bed.crash_and_mount();
  EXPECT_EQ(bed.on_media(3), 9u);
}

// Every word at the start of a block is a cycle or a header: what recovery searches for is never a payload's.
TEST(Recovery, EveryBlockOfV2BeginsWithItsCycle) {
  LogBed bed;
  for (uint64_t i = 1; i <= 40; ++i) {
    bed.set({1, 2}, i, static_cast<uint32_t>(i * 211 % 7000));
    LogBed::must(bed.log->force_all());
  }
  const Lsn head = bed.log->head_lsn();
  ASSERT_GT(lsn_cycle(head), 1u);
  for (uint32_t block = 0; block < 512; ++block) {
    uint32_t word[2];
    std::memcpy(word, bed.region->block_address(0) + block * 512, sizeof word);
    const uint32_t cycle = word[0] == kRecordMagic ? word[1] : word[0];
    EXPECT_EQ(cycle, lsn_cycle(head) - (block < lsn_block(head) ? 0 : 1)) << block;
  }
}

// What of the log is ahead of the head costs v3 nothing: recovery reads from its anchor to the head, twice more for the passes.
TEST(Recovery, V3ReadsNoMoreThanTheLogHolds) {
  LogBed bed(small_log(LogFormat::kV3), 8 * kMiB);
  bed.set({1}, 5, 1000);
  LogBed::must(bed.log->force_all());
  bed.log.reset();
  const uint64_t before = t_counters.snapshot()[Counter::pmem_lines_loaded];
  bed.mount();
  EXPECT_LT(t_counters.snapshot()[Counter::pmem_lines_loaded] - before, (256 * kKiB) / 64) << "of 8 MiB";
}

}  // namespace
}  // namespace daxlab::xfslike
