// The core's log, whatever carries it: cut at any point, over every placement, format and geometry, wrapped, it recovers a prefix of
// what was committed that holds all that was forced; and records of each shape, torn at the words that the model tears at, are
// recovered or rejected.
#include <unordered_set>

#include "engines/retrofit/crash_bed_testing.h"

namespace daxlab::retrofit {
namespace {

using xfslike::LogConfig;
using xfslike::LogFormat;
using xfslike::lsn_cycle;

struct Arm {
  const char* placement;
  LogFormat format;
  NamedGeometry geometry;
};

std::string name_of(const Arm& arm) {
  return std::string(arm.placement) + (arm.format == LogFormat::kV2 ? "_v2_" : "_v3_") + arm.geometry.name;
}
void PrintTo(const Arm& arm, std::ostream* out) { *out << name_of(arm); }

/// Every placement, format and geometry; chunks are small, as the logs are, so that records lie across them.
std::vector<Arm> arms() {
  using Kind = pmem::RunSpec::Kind;
  std::vector<Arm> all;
  for (const LogFormat format : {LogFormat::kV2, LogFormat::kV3}) {
    for (const NamedGeometry& geometry : {NamedGeometry{"linear", {}}, NamedGeometry{"stripe16KiB", {Kind::kStripe, 16 * kKiB}},
                                          NamedGeometry{"hole", {Kind::kHole, 0}},
                                          NamedGeometry{"scatter4KiB", {Kind::kShuffled, 4 * kKiB}}}) {
      for (const char* placement : {"buffered", "direct"}) all.push_back({placement, format, geometry});
    }
  }
  return all;
}

LogConfig small_log(LogFormat format, uint32_t lsunit, uint32_t iclogs) {
  LogConfig config = xfslike::small_log(format);
  config.lsunit_bytes = lsunit;
  config.iclogs = iclogs;
  return config;
}

class PlacementCrash : public testing::TestWithParam<Arm> {
 protected:
  std::unique_ptr<CrashBed> make(uint32_t lsunit, uint32_t iclogs, uint64_t log_bytes) const {
    return std::make_unique<CrashBed>(GetParam().placement, small_log(GetParam().format, lsunit, iclogs), log_bytes,
                                      GetParam().geometry.run);
  }
  /// Mounts and judges every image; how many differed.
  static uint64_t judge_all(CrashBed& bed, const pmem::Trace& trace, std::span<std::byte> base, const pmem::CrashOptions& options,
                            std::set<size_t>& prefixes) {
    bed.log.reset();
    pmem::CrashImages images(trace, *bed.region, base, options);
    std::unordered_set<uint64_t> distinct;
    for (uint64_t count = 0; images.next() && !testing::Test::HasFailure(); ++count) {
      distinct.insert(images.digest());
      if (const auto state = bed.judge(images)) prefixes.insert(*state);
      if (count % 4 == 0 && !testing::Test::HasFailure()) bed.drive(images);
      bed.log.reset();
    }
    return distinct.size();
  }
};
INSTANTIATE_TEST_SUITE_P(All, PlacementCrash, testing::ValuesIn(arms()), [](const auto& test) { return name_of(test.param); });

TEST_P(PlacementCrash, LeavesAPrefixThatHoldsAllThatWasForced) {
  uint64_t distinct = 0;
  std::set<size_t> prefixes;
  struct Shape {
    uint32_t lsunit;
    uint32_t iclogs;
    uint64_t log_bytes;
    uint32_t payload_bytes;
  };
  for (const Shape& shape : {Shape{512, 2, 64 * kKiB, 900}, Shape{4096, 4, 128 * kKiB, 6000}}) {
    const auto bed = make(shape.lsunit, shape.iclogs, shape.log_bytes);
    Random random(31 + shape.lsunit);
    const auto transactions = [&] {
      const uint64_t count = 1 + random.below(3);
      for (uint64_t i = 0; i < count; ++i) {
        std::set<uint32_t> indexes;
        for (uint64_t c = 1 + random.below(3); c > 0; --c) indexes.insert(static_cast<uint32_t>(random.below(CrashBed::kCells)));
        bed->set(indexes, static_cast<uint32_t>(random.below(shape.payload_bytes)));
      }
      if (random.below(2) == 0) bed->force();
    };
    while (lsn_cycle(bed->log->head_lsn()) < 2) transactions();  // what follows overwrites
    bed->force();
    bed->forget_history();
    std::vector<std::byte> base(bed->region->bytes().begin(), bed->region->bytes().end());
    pmem::Recorder recorder(*bed->region);
    const uint32_t cycle = lsn_cycle(bed->log->head_lsn());
    while (lsn_cycle(bed->log->head_lsn()) < cycle + 2) bed->operation(recorder, transactions);
    const pmem::Trace trace = recorder.take();
    pmem::CrashOptions options;
    options.images_per_point = 24;
    distinct += judge_all(*bed, trace, base, options, prefixes);
    if (testing::Test::HasFailure()) return;
  }
  EXPECT_GT(distinct, 1000u);
  EXPECT_GT(prefixes.size(), 10u);
  RecordProperty("distinct_images", static_cast<int>(distinct));
}

struct RecordShape {
  const char* name;
  uint32_t iclog_bytes;
  uint64_t log_bytes;
  /// One operation, at a place that the preparation chose.
  void (*write)(CrashBed& bed);
  bool near_end;  ///< Begins so that it wraps.
};

void one_small(CrashBed& bed) {
  bed.set({3}, 900);
  bed.force();
}
void over_iclogs(CrashBed& bed) {
  bed.set({1, 2, 3, 4, 5}, 5000);
  bed.force();
}
void one_full(CrashBed& bed) {
  bed.set({1, 2}, 6000);
  bed.force();
}
/// Regions cross every discontiguity, in v2 with the displaced words in several headers.
void many_headers(CrashBed& bed) {
  bed.set({1, 2, 3}, 18'000);
  bed.force();
}
void unmount(CrashBed& bed) {
  bed.set({4}, 900);
  bed.force();
  ASSERT_TRUE(bed.log->unmount().ok());
}

constexpr RecordShape kShapes[] = {
    {"single", 16 * kKiB, 128 * kKiB, one_small, false},          {"single_wrapped", 16 * kKiB, 128 * kKiB, one_small, true},
    {"full", 16 * kKiB, 128 * kKiB, one_full, false},             {"full_wrapped", 16 * kKiB, 128 * kKiB, one_full, true},
    {"spanning", 16 * kKiB, 128 * kKiB, over_iclogs, false},      {"spanning_wrapped", 16 * kKiB, 128 * kKiB, over_iclogs, true},
    {"unmount", 16 * kKiB, 128 * kKiB, unmount, false},           {"unmount_wrapped", 16 * kKiB, 128 * kKiB, unmount, true},
    {"maximal_headers", 256 * kKiB, 1 * kMiB, many_headers, false}, {"maximal_headers_wrapped", 256 * kKiB, 1 * kMiB, many_headers, true},
};

TEST_P(PlacementCrash, ARecordTornAnywhereIsRecoveredOrRejected) {
  uint64_t distinct = 0;
  for (const RecordShape& shape : kShapes) {
    LogConfig config = small_log(GetParam().format, 512, 2);
    config.iclog_size_bytes = shape.iclog_bytes;
    CrashBed bed(GetParam().placement, config, shape.log_bytes, GetParam().geometry.run);
    // To the second cycle, so that what the record overwrites was a record; then to where it will wrap.
    Random random(5);
    const auto ring = static_cast<uint32_t>(bed.log->size_bytes() / xfslike::kBasicBlockBytes);
    const auto in_place = [&] {
      const uint32_t block = xfslike::lsn_block(bed.log->head_lsn());
      return lsn_cycle(bed.log->head_lsn()) >= 2 && (!shape.near_end || ring - block <= (shape.iclog_bytes == 16 * kKiB ? 2u : 20u));
    };
    for (int tries = 0; !in_place(); ++tries) {
      ASSERT_LT(tries, 20'000) << shape.name;
      bed.set({static_cast<uint32_t>(random.below(CrashBed::kCells))}, static_cast<uint32_t>(random.below(600)));
      bed.force();
    }
    bed.forget_history();
    std::vector<std::byte> base(bed.region->bytes().begin(), bed.region->bytes().end());
    pmem::Recorder recorder(*bed.region);
    const xfslike::Lsn before = bed.log->head_lsn();
    bed.operation(recorder, [&] { shape.write(bed); });
    EXPECT_TRUE(!shape.near_end || bed.log->is_shut_down() || lsn_cycle(bed.log->head_lsn()) > lsn_cycle(before)) << shape.name;
    const pmem::Trace trace = recorder.take();
    pmem::CrashOptions options;
    options.images_per_point = 120;
    options.words_per_line = 24;
    std::set<size_t> prefixes;
    distinct += judge_all(bed, trace, base, options, prefixes);
    EXPECT_TRUE(prefixes.contains(0) && prefixes.contains(1)) << shape.name << ": recovered by some images, rejected by others";
    if (testing::Test::HasFailure()) return;
  }
  EXPECT_GT(distinct, 1000u);
  RecordProperty("distinct_images", static_cast<int>(distinct));
}

}  // namespace
}  // namespace daxlab::retrofit
