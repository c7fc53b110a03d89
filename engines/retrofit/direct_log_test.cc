#include "engines/retrofit/direct_log.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>

#include "engines/base/counters.h"
#include "engines/base/no_alloc_zone.h"
#include "engines/pmem/crash_images.h"
#include "engines/pmem/persist.h"
#include "engines/pmem/recorder.h"
#include "engines/pmem/watch.h"
#include "engines/retrofit/placement_testing.h"

namespace daxlab::retrofit {
namespace {

using xfslike::IclogCursor;
using xfslike::IclogSpace;
using xfslike::kBasicBlockBytes;
using xfslike::LogConfig;
using xfslike::LogFormat;
using xfslike::LogGeometry;
using xfslike::Lsn;
using xfslike::make_lsn;
using xfslike::RecordDraft;

constexpr uint64_t kRegionBytes = 16 * kMiB;
constexpr uint64_t kLogFirst = 60;
constexpr uint32_t kLogBlocks = 1100;  // over a hole, and over several chunks of every stripe

/// One log on a medium of its own, at one geometry.
struct Subject {
  Subject(const std::string& placement_name, LogFormat format, const pmem::RunSpec& run, uint32_t lsunit = 512) {
    region = pmem::Region::for_test(kRegionBytes, run).value();
    placement = make_placement(placement_name, *region, {{kLogFirst, kLogBlocks}});
    config.format = format;
    config.lsunit_bytes = lsunit;
    config.uuid = 0x1234;
    geometry = xfslike::log_geometry(config, placement->blocks()).value();
    iclog = placement->make_iclog(config).value();
  }
  std::vector<std::byte> log_bytes() const {
    std::vector<std::byte> bytes(size_t{placement->blocks()} * kBasicBlockBytes);
    placement->read(0, placement->blocks(), bytes.data());
    return bytes;
  }
  std::unique_ptr<pmem::Region> region;
  std::unique_ptr<xfslike::LogPlacement> placement;
  LogConfig config;
  LogGeometry geometry;
  std::unique_ptr<IclogSpace> iclog;
};

template <typename Body>
CounterValues counted(const Body& body) {
  const CounterValues before = t_counters.snapshot();
  body();
  CounterValues after = t_counters.snapshot();
  after -= before;
  return after;
}

/// Cuts `payload` into the parts of several writers, and these into copies, as regions fall; the writers take turns at random.
void copy_by_writers(IclogSpace& iclog, const std::vector<std::byte>& payload, uint64_t seed) {
  Random random(seed);
  struct Writer {
    IclogCursor cursor;
    uint32_t end;
  };
  std::vector<Writer> writers;
  for (uint32_t at = 0; at < payload.size();) {
    const auto left = static_cast<uint32_t>(payload.size()) - at;
    const uint32_t size = writers.size() == 3 ? left : std::min<uint32_t>(left, 4 * (1 + static_cast<uint32_t>(random.below(4000))));
    Writer writer{{}, at + size};
    writer.cursor.begin_bytes = writer.cursor.at_bytes = at;
    writers.push_back(writer);
    at += size;
  }
  while (!writers.empty()) {
    const size_t which = random.below(writers.size());
    Writer& writer = writers[which];
    const uint32_t left = writer.end - writer.cursor.at_bytes;
    const uint32_t size = std::min<uint32_t>(left, random.below(8) == 0 ? 6000 : 4 * (1 + static_cast<uint32_t>(random.below(80))));
    iclog.copy(writer.cursor, payload.data() + writer.cursor.at_bytes, size);
    if (size < left) continue;
    iclog.settle(writer.cursor, random.below(2) == 0);
    writers.erase(writers.begin() + static_cast<std::ptrdiff_t>(which));
  }
}

class DirectLogTest : public testing::TestWithParam<std::tuple<LogFormat, NamedGeometry>> {
 protected:
  LogFormat format() const { return std::get<0>(GetParam()); }
  const pmem::RunSpec& run() const { return std::get<1>(GetParam()).run; }
};

// The buffered placement composes its record in one flat buffer and sums it in one pass: what must be on the medium in the end.
TEST_P(DirectLogTest, LeavesWhatTheBufferedPlacementLeaves) {
  for (const uint32_t lsunit : {512u, 4096u, 32768u}) {
    Subject direct("direct", format(), run(), lsunit);
    Subject buffered("buffered", format(), run(), lsunit);
    Random random(lsunit);
    const uint32_t unit_blocks = lsunit / kBasicBlockBytes;
    for (uint32_t i = 0; i < 30; ++i) {
      const uint32_t ring = direct.geometry.ring_blocks;
      // Every third begins where it wraps.
      const auto near_end = static_cast<uint32_t>(random.below(direct.geometry.iclog_bytes / kBasicBlockBytes));
      const auto block = static_cast<uint32_t>(align_down(i % 3 == 0 ? ring - 1 - near_end : random.below(ring), unit_blocks));
      const auto size = static_cast<uint32_t>(4 * (1 + random.below(direct.geometry.capacity_bytes / 4)));
      const auto payload = random_bytes(size, i);
      const RecordDraft draft = draft_of(make_lsn(5 + i, block), size, direct.geometry);
      direct.iclog->begin(draft.lsn);
      copy_by_writers(*direct.iclog, payload, i);
      direct.iclog->write(draft);
      buffered.iclog->begin(draft.lsn);
      copy_all(*buffered.iclog, payload);
      buffered.iclog->write(draft);
      ASSERT_TRUE(direct.log_bytes() == buffered.log_bytes()) << "record " << i << " at block " << block << ", " << size << " bytes";
    }
  }
}

TEST_P(DirectLogTest, CopiesEachByteOnceStagesNothingAndReadsNothingBack) {
  Subject log("direct", format(), run(), 4096);
  for (const uint32_t size : {12u, 512u, 3000u, log.geometry.capacity_bytes}) {
    const auto payload = random_bytes(size, size);
    const RecordDraft draft = draft_of(make_lsn(3, 1024), size, log.geometry);
    const CounterValues c = counted([&] {
      log.iclog->begin(draft.lsn);
      copy_by_writers(*log.iclog, payload, 1);
      log.iclog->write(draft);
    });
    const uint64_t record_bytes = log.geometry.header_bytes + draft.padded_bytes;
    EXPECT_EQ(c[Counter::log_copied_bytes], record_bytes);
    EXPECT_EQ(c[Counter::streamed_bytes], record_bytes);
    EXPECT_EQ(c[Counter::stored_bytes], 0u);
    EXPECT_EQ(c[Counter::staged_bytes], 0u);
    EXPECT_EQ(c[Counter::pmem_lines_loaded], 0u);
    EXPECT_EQ(c[Counter::lines_flushed], 0u) << "nothing to flush, so nothing flushed twice or in vain";
  }
}

/// A store's bytes of a trace.
std::span<const std::byte> bytes_of(const pmem::Trace& trace, const pmem::Event& event) {
  return {trace.data.data() + event.data_at, event.size_bytes};
}

TEST_P(DirectLogTest, NoPayloadIsEverStoredWhereACycleIsLookedFor) {
  if (format() == LogFormat::kV3) GTEST_SKIP() << "v3 looks for no cycles";
  Subject log("direct", format(), run());
  const uint32_t size = log.geometry.capacity_bytes - 256;
  std::vector<std::byte> payload(size, std::byte{0xab});
  const RecordDraft draft = draft_of(make_lsn(9, log.geometry.ring_blocks - 20), size, log.geometry);
  pmem::Recorder recorder(*log.region);
  log.iclog->begin(draft.lsn);
  copy_by_writers(*log.iclog, payload, 4);
  log.iclog->write(draft);
  const pmem::Trace trace = recorder.take();
  const uint64_t region_base = log.region->file_offset(log.region->block_address(0));
  uint32_t stamps = 0;
  for (const pmem::Event& event : trace.events) {
    if (event.kind != pmem::Event::Kind::kStore && event.kind != pmem::Event::Kind::kStream) continue;
    const auto bytes = bytes_of(trace, event);
    for (uint64_t at = align_up(event.offset_bytes - region_base, kBasicBlockBytes); at < event.offset_bytes - region_base + event.size_bytes;
         at += kBasicBlockBytes) {
      uint32_t word = 0;
      std::memcpy(&word, bytes.data() + (at + region_base - event.offset_bytes), sizeof word);
      EXPECT_TRUE(word == 9 || word == 10 || word == xfslike::kRecordMagic) << std::hex << word << " at " << at;
      ++stamps;
    }
  }
  EXPECT_EQ(stamps, (log.geometry.header_bytes + draft.padded_bytes) / kBasicBlockBytes);
}

TEST_P(DirectLogTest, PayloadIsDurableBeforeAnythingOfTheHeaderIsStored) {
  Subject log("direct", format(), run());
  const auto payload = random_bytes(9000, 8);
  const RecordDraft draft = draft_of(make_lsn(9, 100), 9000, log.geometry);
  for (const bool settles_itself : {false, true}) {
    pmem::Recorder recorder(*log.region);
    log.iclog->begin(draft.lsn);
    IclogCursor cursor;
    log.iclog->copy(cursor, payload.data(), 9000);
    log.iclog->settle(cursor, !settles_itself);
    log.iclog->write(draft);
    const pmem::Trace trace = recorder.take();
    std::vector<std::pair<size_t, bool>> payload_and_fences;
    const std::byte* const header = log.region->block_address(kLogFirst + 100 / 8) + (100 % 8) * kBasicBlockBytes;
    size_t header_at = 0;
    size_t last_payload = 0;
    std::vector<size_t> fences;
    for (size_t i = 0; i < trace.events.size(); ++i) {
      const pmem::Event& event = trace.events[i];
      if (event.kind == pmem::Event::Kind::kFence) fences.push_back(i);
      if (event.kind != pmem::Event::Kind::kStream) continue;
      if (event.offset_bytes == log.region->file_offset(header))
        header_at = i;
      else if (bytes_of(trace, event)[event.size_bytes - 1] != std::byte{0} || event.size_bytes > 64)
        last_payload = std::max(last_payload, header_at == 0 ? i : last_payload);
    }
    ASSERT_EQ(fences.size(), 2u) << "one for the payload, one for the header";
    ASSERT_GT(header_at, 0u);
    EXPECT_LT(fences[0], header_at);
    EXPECT_GT(fences[1], header_at);
    // All of the payload before the first fence: what is behind it is padding.
    uint64_t before_fence = 0;
    for (size_t i = 0; i < fences[0]; ++i) {
      if (trace.events[i].kind == pmem::Event::Kind::kStream) before_fence += trace.events[i].size_bytes;
    }
    EXPECT_GE(before_fence, 9000u);
  }
}

TEST_P(DirectLogTest, CountsWhereTheMediumCutsRegions) {
  Subject log("direct", format(), run());
  const auto payload = random_bytes(log.geometry.capacity_bytes, 2);
  const uint32_t block = log.geometry.ring_blocks - 24;  // wraps
  const RecordDraft draft = draft_of(make_lsn(2, block), log.geometry.capacity_bytes, log.geometry);
  const CounterValues c = counted([&] {
    log.iclog->begin(draft.lsn);
    copy_all(*log.iclog, payload);
    log.iclog->write(draft);
  });
  EXPECT_GE(c[Counter::splits], 1u) << "at the log's end at least";
  EXPECT_EQ(c[Counter::straddling_regions], 1u);
  EXPECT_EQ(c[Counter::log_segments], c[Counter::splits] + 1) << "one region, so one more segment than cuts";
  const std::string geometry = std::get<1>(GetParam()).name;
  EXPECT_GE(c[Counter::log_segments], geometry == "scatter4KiB" ? 6u : 2u);
  EXPECT_TRUE(geometry != "linear" || c[Counter::log_segments] == 2);
}

INSTANTIATE_TEST_SUITE_P(Placements, DirectLogTest,
                         testing::Combine(testing::Values(LogFormat::kV2, LogFormat::kV3), testing::ValuesIn(named_geometries())),
                         [](const auto& test) {
                           return std::string(std::get<0>(test.param) == LogFormat::kV2 ? "v2_" : "v3_") +
                                  std::get<1>(test.param).name;
                         });

TEST(DirectLog, TakesLittleMemory) {
  Subject log("direct", LogFormat::kV2, {pmem::RunSpec::Kind::kShuffled, 4 * kKiB});
  const uint64_t blocks = kLogBlocks;
  EXPECT_LT(log.placement->dram_bytes(), (blocks + 16) * 28 + 2048) << "a list entry and an index a block; headers";
}

TEST(RingSegments, EveryPositionHasItsListWrapIncluded) {
  for (const NamedGeometry& geometry : named_geometries()) {
    const auto region = pmem::Region::for_test(kRegionBytes, geometry.run).value();
    const xfslike::LogSpace space(*region, std::vector<xfslike::BlockRun>{{kLogFirst, kLogBlocks}});
    for (const uint64_t ring : {uint64_t{kLogBlocks} * kBlockBytes, uint64_t{kLogBlocks} * kBlockBytes - 8192, 300 * kBlockBytes + 512}) {
      const uint64_t record = 256 * kKiB;
      const RingSegments segments(space, ring, record);
      for (uint64_t at = 0; at < ring + record; at += 512) {
        const RingSegments::Segment& segment = segments[segments.index_of(at)];
        ASSERT_TRUE(segment.begin <= at && at + 512 <= segment.end) << geometry.name << " " << at;
        const uint64_t in_log = at % ring;
        const std::byte* const expected = region->block_address(kLogFirst + in_log / kBlockBytes) + in_log % kBlockBytes;
        ASSERT_EQ(segment.address + (at - segment.begin), expected) << geometry.name << " " << at;
      }
    }
  }
}

/// Allocates whenever the medium is stored to: as a log write that had to look its segments up would.
struct AllocatingListener final : pmem::detail::Listener {
  void on_store(const void*, size_t, bool, pmem::Site) override { kept = std::make_unique<char[]>(64); }
  void on_commit(const uint64_t*, uint64_t, pmem::Site) override {}
  void on_load(const void*, size_t) override {}
  void on_flush(const void*, size_t, pmem::Site) override {}
  void on_fence(pmem::Site) override { kept = std::make_unique<char[]>(64); }
  std::unique_ptr<char[]> kept;
};

TEST(DirectLogDeathTest, AllocatingWhileTheLogIsWrittenDies) {
  if (!no_alloc_zone_enforced()) GTEST_SKIP() << "a sanitizer interposes the allocator";
  testing::FLAGS_gtest_death_test_style = "threadsafe";
  const auto attempt = [](int step) {
    Subject log("direct", LogFormat::kV2, {});
    const auto payload = random_bytes(1000, 1);
    AllocatingListener listener;
    log.iclog->begin(make_lsn(1, 0));
    IclogCursor cursor;
    if (step == 0) pmem::detail::add_listener(listener);
    log.iclog->copy(cursor, payload.data(), 1000);
    if (step == 1) pmem::detail::add_listener(listener);
    log.iclog->settle(cursor, false);
    if (step == 2) pmem::detail::add_listener(listener);
    log.iclog->write(draft_of(make_lsn(1, 0), 1000, log.geometry));
    pmem::detail::remove_listener(listener);
  };
  EXPECT_DEATH(attempt(0), "inside a no-allocation zone");
  EXPECT_DEATH(attempt(1), "inside a no-allocation zone");
  EXPECT_DEATH(attempt(2), "inside a no-allocation zone");
  attempt(3);
}

}  // namespace
}  // namespace daxlab::retrofit
