// fallocate() in its four modes and seek() over what it leaves.

#include "engines/api/testing.h"

namespace daxlab::tests {
namespace {

constexpr FallocateMode kModes[] = {FallocateMode::kAllocate, FallocateMode::kKeepSize, FallocateMode::kPunchHole,
                                    FallocateMode::kZeroRange};

struct Range {
  uint64_t offset;
  uint64_t size_bytes;
};
constexpr uint64_t kFileBytes = 40'000;  // not a whole number of blocks
constexpr Range kRanges[] = {{0, 4096},          {4096, 8192},     {1, 1},          {100, 3000},    {4000, 200},
                             {4095, 2},          {5000, 20'000},   {0, kFileBytes}, {39'000, 1000}, {39'000, 50'000},
                             {kFileBytes, 5000}, {100'000, 10'000}};

class ConformanceFallocate : public EngineSuite {
 protected:
  std::unique_ptr<File> file_ = nullptr;
  void SetUp() override {
    EngineSuite::SetUp();
    if (!IsSkipped()) file_ = fs().create("/file");
  }
  void TearDown() override {
    file_.reset();
    EngineSuite::TearDown();
  }
  uint64_t size() { return must(file_->getattr()).size_bytes; }
  uint64_t allocated() { return must(file_->getattr()).allocated_bytes; }
  /// Runs one mode over one range of a file full of `data`; what must be there afterwards.
  void run(FallocateMode mode, const Range& range) {
    must(file_->setattr({.size_bytes = 0}));
    Bytes should = content(7, kFileBytes);
    must(file_->write(0, should));
    must(file_->fallocate(mode, range.offset, range.size_bytes));
    const uint64_t end = range.offset + range.size_bytes;
    const bool zeroes = mode == FallocateMode::kPunchHole || mode == FallocateMode::kZeroRange;
    const bool extends = mode == FallocateMode::kAllocate || mode == FallocateMode::kZeroRange;
    if (extends) should.resize(std::max<size_t>(should.size(), end));
    for (uint64_t at = range.offset; zeroes && at < std::min<uint64_t>(end, should.size()); ++at) should[at] = std::byte{0};
    EXPECT_EQ(difference(Mounted::read_all(*file_), should), "");
    EXPECT_EQ(size(), should.size());
  }
};

TEST_P(ConformanceFallocate, EveryModeOverEveryRangeGivesTheBytesAndTheSizeItShould) {
  for (const FallocateMode mode : kModes) {
    for (const Range& range : kRanges) {
      SCOPED_TRACE(std::to_string(static_cast<int>(mode)) + ": " + std::to_string(range.offset) + " + " +
                   std::to_string(range.size_bytes));
      run(mode, range);
      if (HasFailure()) return;
    }
  }
}

TEST_P(ConformanceFallocate, AnEmptyRangeIsInvalid) {
  for (const FallocateMode mode : kModes) EXPECT_EQ(outcome(file_->fallocate(mode, 0, 0)), Errc::kInvalid);
}

TEST_P(ConformanceFallocate, AllocatingReservesBlocksWithAndWithoutTheSize) {
  must(file_->fallocate(FallocateMode::kKeepSize, 0, 256 * kKiB));
  EXPECT_EQ(size(), 0u);
  EXPECT_GE(allocated(), 256 * kKiB);
  must(file_->fallocate(FallocateMode::kAllocate, 0, 512 * kKiB));
  EXPECT_EQ(size(), 512 * kKiB);
  EXPECT_GE(allocated(), 512 * kKiB);
  EXPECT_EQ(difference(Mounted::read_all(*file_), filled(512 * kKiB, 0)), "");
}

TEST_P(ConformanceFallocate, WhatIsReservedBeyondTheEndReadsAsZeroesOnceTheFileGrowsThere) {
  must(file_->write(0, content(1, 5000)));
  must(file_->fallocate(FallocateMode::kKeepSize, 0, 100'000));
  EXPECT_EQ(size(), 5000u);
  must(file_->write(60'000, bytes_of("x")));
  Bytes should = content(1, 5000);
  should.resize(60'000);
  should.push_back(std::byte{'x'});
  EXPECT_EQ(difference(Mounted::read_all(*file_), should), "");
}

TEST_P(ConformanceFallocate, PunchingFreesBlocksAndZeroingDoesNot) {
  must(file_->write(0, content(1, kMiB)));
  const uint64_t full = allocated();
  must(file_->fallocate(FallocateMode::kZeroRange, 0, 512 * kKiB));
  EXPECT_GE(allocated(), full);
  must(file_->fallocate(FallocateMode::kPunchHole, 256 * kKiB, 512 * kKiB));
  EXPECT_LE(allocated(), full - 512 * kKiB + 16 * kKiB);
  EXPECT_EQ(size(), kMiB);
}

TEST_P(ConformanceFallocate, AHoleIsFilledAgainByWritingIntoIt) {
  Bytes should = content(1, kFileBytes);
  must(file_->write(0, should));
  must(file_->fallocate(FallocateMode::kPunchHole, 0, kFileBytes));
  must(file_->write(10'000, bytes_of("into the hole")));
  std::fill(should.begin(), should.end(), std::byte{0});
  std::memcpy(should.data() + 10'000, "into the hole", 13);
  EXPECT_EQ(difference(Mounted::read_all(*file_), should), "");
}

TEST_P(ConformanceFallocate, SeekFindsDataAndHolesNoWorseThanByBlocks) {
  const Bytes block = content(1, kBlockBytes);
  must(file_->write(0, block));
  must(file_->write(kMiB, block));
  must(file_->setattr({.size_bytes = 2 * kMiB}));
  EXPECT_EQ(must(file_->seek(0, SeekWhat::kData)), 0u);
  const uint64_t hole = must(file_->seek(0, SeekWhat::kHole));
  EXPECT_GE(hole, kBlockBytes);
  EXPECT_LE(hole, 64 * kKiB);
  const uint64_t data = must(file_->seek(hole, SeekWhat::kData));
  EXPECT_LE(data, kMiB);
  EXPECT_GE(data, kMiB - 64 * kKiB);
  EXPECT_EQ(must(file_->seek(kMiB + 5, SeekWhat::kData)), kMiB + 5);
  EXPECT_EQ(must(file_->seek(100'000, SeekWhat::kHole)), 100'000u);
  const uint64_t last_hole = must(file_->seek(kMiB, SeekWhat::kHole));
  EXPECT_GE(last_hole, kMiB + kBlockBytes);
  EXPECT_LT(last_hole, 2 * kMiB);
  EXPECT_EQ(outcome(file_->seek(last_hole, SeekWhat::kData)), Errc::kNoData);
}

TEST_P(ConformanceFallocate, ThereIsAHoleAtTheEndAndNothingBehindIt) {
  must(file_->write(0, content(1, 10'000)));
  EXPECT_EQ(must(file_->seek(0, SeekWhat::kHole)), 10'000u);
  EXPECT_EQ(must(file_->seek(9'999, SeekWhat::kHole)), 10'000u);
  EXPECT_EQ(must(file_->seek(9'999, SeekWhat::kData)), 9'999u);
  for (const uint64_t beyond : {uint64_t{10'000}, uint64_t{10'001}, uint64_t{1} << 40}) {
    EXPECT_EQ(outcome(file_->seek(beyond, SeekWhat::kData)), Errc::kNoData) << beyond;
    EXPECT_EQ(outcome(file_->seek(beyond, SeekWhat::kHole)), Errc::kNoData) << beyond;
  }
  must(file_->setattr({.size_bytes = 0}));
  EXPECT_EQ(outcome(file_->seek(0, SeekWhat::kData)), Errc::kNoData);
  EXPECT_EQ(outcome(file_->seek(0, SeekWhat::kHole)), Errc::kNoData);
}

// A copy by seek (cp --sparse) must get every byte.
TEST_P(ConformanceFallocate, WhatSeekCallsDataHoldsEveryByteThatIsNotZero) {
  Random random(23);
  Bytes should(600'000);
  for (int i = 0; i < 20; ++i) {
    const uint64_t offset = random.below(590'000);
    const Bytes data = content(static_cast<uint64_t>(i), 1 + random.below(9000));
    must(file_->write(offset, data));
    std::copy(data.begin(), data.end(), should.begin() + static_cast<std::ptrdiff_t>(offset));
  }
  must(file_->fallocate(FallocateMode::kPunchHole, 200'000, 77'777));
  std::fill_n(should.begin() + 200'000, 77'777, std::byte{0});
  should.resize(size());
  Bytes copy(should.size());
  uint64_t at = 0;
  while (true) {
    const Result<uint64_t> data = file_->seek(at, SeekWhat::kData);
    if (!data.ok()) {
      EXPECT_EQ(data.code(), Errc::kNoData);
      break;
    }
    ASSERT_GE(*data, at);
    at = must(file_->seek(*data, SeekWhat::kHole));
    ASSERT_GT(at, *data);
    must(file_->read(*data, std::span(copy).subspan(*data, at - *data)));
  }
  EXPECT_EQ(difference(copy, should), "");
}

DAXLAB_ON_EVERY_ENGINE(ConformanceFallocate);

}  // namespace
}  // namespace daxlab::tests
