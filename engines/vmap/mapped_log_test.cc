// log=premap and log=at-write: records as the buffered log makes them, through a real log that commits, wraps, crashes and
// recovers.
#include <gtest/gtest.h>

#include <cstring>
#include <map>
#include <string>
#include <vector>

#include "engines/base/random.h"
#include "engines/vmap/at_write_log.h"
#include "engines/vmap/premap_log.h"
#include "engines/vmap/vmap_model.h"
#include "engines/vmap/vmap_real.h"
#include "engines/xfslike/log_testing.h"

namespace daxlab::vmap {
namespace {

using xfslike::BlockRun;
using xfslike::IclogCursor;
using xfslike::kBasicBlockBytes;
using xfslike::LogBed;
using xfslike::LogFormat;

constexpr uint64_t kLogBytes = 256 * kKiB;
constexpr BlockRun kLog{0, kLogBytes / kBlockBytes};

std::unique_ptr<FrameTable> frames_of(pmem::Region& region) { return *FrameTable::make(region, Pages::kDram, 64); }

enum class Kind { kPremapModel, kPremapReal, kAtWrite };
struct Shape {
  Kind kind;
  LogFormat format;
};
std::string name_of(const testing::TestParamInfo<Shape>& info) {
  constexpr const char* kKinds[] = {"premapModel", "premapReal", "atWrite"};
  return std::string(kKinds[static_cast<int>(info.param.kind)]) + (info.param.format == LogFormat::kV2 ? "_v2" : "_v3");
}

/// Null where this machine cannot map the medium so.
std::unique_ptr<xfslike::LogPlacement> make_placement(Kind kind, pmem::Region& region) {
  const std::span<const BlockRun> runs(&kLog, 1);
  if (kind == Kind::kAtWrite) return *AtWriteLog::make(region, frames_of(region), runs, {}, 1, 4);
  if (kind == Kind::kPremapModel)
    return *PremapLog::make(std::make_unique<VmapModel>(region, frames_of(region), VmapConfig{}, 1), runs);
  auto real = VmapReal::make(region, frames_of(region), {.window_pages = 4096});
  if (!real.ok()) return nullptr;
  return *PremapLog::make(std::move(real).value(), runs);
}

class MappedLog : public testing::TestWithParam<Shape> {
 protected:
  bool start(const xfslike::LogConfig& config) {
    bed_ = std::make_unique<LogBed>(config, kLogBytes);
    bed_->log.reset();
    placement_ = make_placement(GetParam().kind, *bed_->region);
    if (placement_ == nullptr) return false;
    bed_->through = placement_.get();
    bed_->mount();
    return true;
  }
  void TearDown() override {
    if (bed_ != nullptr) bed_->log.reset();  // before what it writes through
  }
  std::unique_ptr<LogBed> bed_;
  std::unique_ptr<xfslike::LogPlacement> placement_;
};
INSTANTIATE_TEST_SUITE_P(Arms, MappedLog,
                         testing::Values(Shape{Kind::kPremapModel, LogFormat::kV2}, Shape{Kind::kPremapModel, LogFormat::kV3},
                                         Shape{Kind::kPremapReal, LogFormat::kV2}, Shape{Kind::kPremapReal, LogFormat::kV3},
                                         Shape{Kind::kAtWrite, LogFormat::kV2}, Shape{Kind::kAtWrite, LogFormat::kV3}),
                         name_of);

TEST_P(MappedLog, WhatWasForcedIsThereAfterACrash) {
  if (!start(xfslike::small_log(GetParam().format))) GTEST_SKIP() << "the medium has no pages of 4 KiB";
  Random random(3);
  std::map<uint32_t, uint64_t> expected;
  for (uint64_t value = 1; value <= 600; ++value) {  // some megabytes: the log wraps many times
    const auto cell = static_cast<uint32_t>(random.below(LogBed::kCells));
    expected[cell] = value;
    const uint64_t sequence = bed_->set({cell}, value, static_cast<uint32_t>(random.below(6000)));
    if (value % 50 != 0) continue;
    LogBed::must(bed_->log->force(sequence));
    bed_->crash_and_mount();
    for (const auto& [index, latest] : expected) ASSERT_EQ(bed_->on_media(index), latest) << "cell " << index << " at " << value;
  }
  bed_->unmount();
  bed_->mount();
}

TEST_P(MappedLog, TheBufferedLogReadsItsRecordsAndItTheBufferedLogs) {
  if (!start(xfslike::small_log(GetParam().format))) GTEST_SKIP() << "the medium has no pages of 4 KiB";
  LogBed::must(bed_->log->force(bed_->set({1, 2, 3}, 77, 900)));
  bed_->through = nullptr;
  bed_->crash_and_mount();
  EXPECT_EQ(bed_->on_media(2), 77u);
  LogBed::must(bed_->log->force(bed_->set({2}, 78, 500)));
  bed_->through = placement_.get();
  bed_->crash_and_mount();
  EXPECT_EQ(bed_->on_media(2), 78u);
}

TEST_P(MappedLog, RecordsAreTheBufferedLogsByteForByte) {
  const auto config = xfslike::small_log(GetParam().format);
  for (const uint32_t begin_block :
       {0u, 24u, static_cast<uint32_t>(kLogBytes / kBasicBlockBytes) - 5}) {  // the last goes over the end
    auto one = *pmem::Region::for_test(kLogBytes + 64 * kKiB), other = *pmem::Region::for_test(kLogBytes + 64 * kKiB);
    xfslike::BufferedLog buffered(*one, std::span(&kLog, 1));
    const auto mapped = make_placement(GetParam().kind, *other);
    if (mapped == nullptr) GTEST_SKIP() << "the medium has no pages of 4 KiB";
    const auto geometry = *xfslike::log_geometry(config, mapped->blocks());
    if (begin_block > geometry.ring_blocks) continue;
    std::vector<std::byte> payload(6 * kKiB + 36);
    Random random(begin_block);
    for (std::byte& byte : payload) byte = static_cast<std::byte>(random.next());
    xfslike::RecordDraft draft;
    draft.lsn = draft.tail_lsn = xfslike::make_lsn(5, begin_block);
    draft.ops = 3;
    draft.sequence = 11;
    draft.payload_bytes = static_cast<uint32_t>(payload.size());
    draft.padded_bytes =
        static_cast<uint32_t>(align_up(geometry.header_bytes + payload.size(), geometry.lsunit_bytes)) - geometry.header_bytes;
    const auto first = *buffered.make_iclog(config), second = *mapped->make_iclog(config);
    for (auto* space : {first.get(), second.get()}) {
      space->begin(draft.lsn);
      // Two writers, the later part first.
      IclogCursor late, early;
      late.begin_bytes = late.at_bytes = 1540;
      space->copy(late, payload.data() + 1540, static_cast<uint32_t>(payload.size()) - 1540);
      space->settle(late, false);
      space->copy(early, payload.data(), 516);
      space->copy(early, payload.data() + 516, 1024);
      space->settle(early, true);
      space->write(draft);
    }
    EXPECT_EQ(std::memcmp(one->block_address(0), other->block_address(0), kLogBytes), 0) << "at block " << begin_block;
  }
}

TEST(PremapLog, MapsTheLogOnceAndPaysInPageTables) {
  const uint64_t log_bytes = 8 * kMiB;
  auto region = *pmem::Region::for_test(log_bytes + kMiB);
  const BlockRun run{0, static_cast<uint32_t>(log_bytes / kBlockBytes)};
  auto model = std::make_unique<VmapModel>(*region, frames_of(*region), VmapConfig{}, 1);
  const VmapModel& mapping = *model;
  const auto log = *PremapLog::make(std::move(model), std::span(&run, 1));
  EXPECT_EQ(mapping.allocator().stats().area_allocations, 1u);
  EXPECT_EQ(mapping.allocator().stats().table_bytes, (log_bytes / kHugeBytes + 1) * kBlockBytes);
  EXPECT_GT(log->mapped_ns(), 0u);
  const auto iclog = *log->make_iclog(xfslike::small_log());
  iclog->begin(xfslike::make_lsn(1, 0));
  EXPECT_EQ(mapping.allocator().stats().maps, 1u) << "a record maps nothing";
}

uint64_t failures_of(uint32_t reserve, bool pressure) {
  auto region = *pmem::Region::for_test(kLogBytes + 64 * kKiB);
  const auto log = *AtWriteLog::make(*region, frames_of(*region), std::span(&kLog, 1), {}, 0, reserve);
  log->set_pressure(pressure);
  const auto iclog = *log->make_iclog(xfslike::small_log());
  for (uint32_t i = 0; i < 1000; ++i) iclog->begin(xfslike::make_lsn(1 + i, i * 32 % 448));  // each lets the one before it go
  EXPECT_EQ(log->stats().records, 1000u);
  EXPECT_EQ(log->allocator().stats().live_pages, 4u);
  // A record of 16 KiB that begins on a page is 4 pages: a block of 256 lasts for 64 of them.
  EXPECT_EQ(log->stats().from_reserve + log->stats().failures, 16u);
  return log->stats().failures;
}

TEST(AtWriteLog, FailsWhereTheReserveEnds) {
  EXPECT_EQ(failures_of(0, false), 16u) << "without a reserve every new block is waited for";
  EXPECT_EQ(failures_of(1, false), 0u) << "one is enough while it is filled up again";
  EXPECT_EQ(failures_of(1, true), 15u);
  EXPECT_EQ(failures_of(10, true), 6u);
  EXPECT_EQ(failures_of(16, true), 0u);
}

TEST(AtWriteLog, AnIclogThatBeginsWithinAPageMayNeedAnArea) {
  auto region = *pmem::Region::for_test(4 * kMiB);
  const BlockRun run{0, 512};
  const auto log = *AtWriteLog::make(*region, frames_of(*region), std::span(&run, 1), {}, 0, 8);
  auto config = xfslike::small_log();
  config.iclog_size_bytes = 256 * kKiB;
  const auto iclog = *log->make_iclog(config);
  iclog->begin(xfslike::make_lsn(1, 0));
  EXPECT_EQ(log->allocator().stats().area_allocations, 0u);
  iclog->begin(xfslike::make_lsn(1, 513));
  EXPECT_EQ(log->allocator().stats().area_allocations, 1u);
}

TEST(MappedLogs, PiecesAreRefused) {
  auto region = *pmem::Region::for_test(kLogBytes + 64 * kKiB, {pmem::RunSpec::Kind::kShuffled, 4 * kKiB});
  EXPECT_EQ(AtWriteLog::make(*region, frames_of(*region), std::span(&kLog, 1), {}, 1, 4).code(), Errc::kNotSupported);
  EXPECT_EQ(
      PremapLog::make(std::make_unique<VmapModel>(*region, frames_of(*region), VmapConfig{}, 1), std::span(&kLog, 1)).code(),
      Errc::kNotSupported);
}

}  // namespace
}  // namespace daxlab::vmap
