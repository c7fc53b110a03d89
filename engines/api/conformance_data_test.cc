// Bytes: read, write, append, truncate, against a plain vector; handles and their access.

#include <thread>

#include "engines/api/testing.h"

namespace daxlab::tests {
namespace {

class ConformanceData : public EngineSuite {
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
  std::string differs(std::span<const std::byte> should) { return difference(Mounted::read_all(*file_), should); }
  void truncate(uint64_t size_bytes) { EXPECT_EQ(must(file_->setattr({.size_bytes = size_bytes})).size_bytes, size_bytes); }
};

/// What a file should hold.
class Model {
 public:
  void write(uint64_t offset, std::span<const std::byte> data) {
    if (!data.empty()) bytes_.resize(std::max<size_t>(bytes_.size(), offset + data.size()));
    std::copy(data.begin(), data.end(), bytes_.begin() + static_cast<std::ptrdiff_t>(offset));
  }
  void zero(uint64_t offset, uint64_t size_bytes) {
    const auto at = [&](uint64_t where) {
      return bytes_.begin() + static_cast<std::ptrdiff_t>(std::min<uint64_t>(where, bytes_.size()));
    };
    std::fill(at(offset), at(offset + size_bytes), std::byte{0});
  }
  void truncate(uint64_t size_bytes) { bytes_.resize(size_bytes); }
  const Bytes& bytes() const { return bytes_; }

 private:
  Bytes bytes_;
};

TEST_P(ConformanceData, ReadingStopsAtTheEnd) {
  must(file_->write(0, content(1, 10'000)));
  Bytes out(4096);
  EXPECT_EQ(must(file_->read(8000, out)), 2000u);
  EXPECT_EQ(must(file_->read(9'999, out)), 1u);
  EXPECT_EQ(must(file_->read(10'000, out)), 0u);
  EXPECT_EQ(must(file_->read(1 << 30, out)), 0u);
  EXPECT_EQ(must(file_->read(0, {})), 0u);
  EXPECT_EQ(must(file_->read(uint64_t{1} << 50, out)), 0u);
}

TEST_P(ConformanceData, AnEmptyFileReadsNothing) {
  Bytes out(10);
  EXPECT_EQ(must(file_->read(0, out)), 0u);
  EXPECT_EQ(must(file_->getattr()).size_bytes, 0u);
}

TEST_P(ConformanceData, WritesOfEveryAlignmentLandWhereTheyShould) {
  Model model;
  uint64_t seed = 0;
  for (const uint64_t offset : {0u, 1u, 63u, 64u, 100u, 4000u, 4095u, 4096u, 4097u, 8191u, 12288u, 20000u}) {
    for (const size_t size : {1u, 7u, 8u, 63u, 64u, 65u, 500u, 4095u, 4096u, 4097u, 8192u, 10000u}) {
      const Bytes data = content(++seed, size);
      EXPECT_EQ(must(file_->write(offset, data)), size);
      model.write(offset, data);
      ASSERT_EQ(differs(model.bytes()), "") << offset << " + " << size;
    }
  }
}

TEST_P(ConformanceData, WritingBeyondTheEndLeavesAHoleOfZeroes) {
  Model model;
  for (const uint64_t offset : {100u, 5000u, 50'000u, 1'000'003u}) {
    const Bytes data = content(offset, 300);
    must(file_->write(offset, data));
    model.write(offset, data);
    ASSERT_EQ(differs(model.bytes()), "") << offset;
  }
}

TEST_P(ConformanceData, AWriteOfNothingDoesNothing) {
  must(file_->write(0, bytes_of("abc")));
  EXPECT_EQ(must(file_->write(1000, {})), 0u);
  EXPECT_EQ(must(file_->getattr()).size_bytes, 3u);
  EXPECT_EQ(must(file_->append({})), 3u);
  EXPECT_EQ(must(file_->getattr()).size_bytes, 3u);
}

// Stale bytes are the classic: what was cut off must not come back when the file grows over it.
TEST_P(ConformanceData, WhatWasCutOffReadsAsZeroesWhenTheFileGrowsAgain) {
  for (const uint64_t cut : {0u, 1u, 63u, 64u, 1000u, 4095u, 4096u, 4097u, 6000u, 8192u, 12'000u}) {
    for (const bool by_write : {false, true}) {
      Model model;
      truncate(0);
      const Bytes data = content(cut, 12'288);
      must(file_->write(0, data));
      model.write(0, data);
      truncate(cut);
      model.truncate(cut);
      if (by_write) {
        must(file_->write(14'000, bytes_of("!")));
        model.write(14'000, bytes_of("!"));
      } else {
        truncate(20'000);
        model.truncate(20'000);
      }
      ASSERT_EQ(differs(model.bytes()), "") << cut << (by_write ? " grown by a write" : " grown by truncation");
    }
  }
}

TEST_P(ConformanceData, ShrinkingInStepsAndGrowingOnceLeavesOnlyTheShortestPrefix) {
  const Bytes data = content(5, 40'000);
  must(file_->write(0, data));
  for (const uint64_t size : {39'999u, 30'000u, 28'672u, 10'001u, 20'000u, 15'000u, 40'000u}) truncate(size);
  Model model;
  model.write(0, data);
  model.truncate(10'001);
  model.truncate(40'000);
  EXPECT_EQ(differs(model.bytes()), "");
}

TEST_P(ConformanceData, RandomWritesReadsAndTruncationsAgreeWithAVector) {
  constexpr uint64_t kFileBytesMax = 300'000;
  Random random(17);
  Model model;
  for (uint64_t i = 0; i < scaled(4000); ++i) {
    const uint64_t offset = random.below(kFileBytesMax);
    const uint64_t size = 1 + random.below(random.below(8) == 0 ? 60'000 : 700);
    switch (random.below(8)) {
      case 0:
        truncate(offset);
        model.truncate(offset);
        break;
      case 1:
        must(file_->fallocate(FallocateMode::kPunchHole, offset, size));
        model.zero(offset, size);
        break;
      case 2:
        EXPECT_EQ(must(file_->append(content(i, size))), model.bytes().size());
        model.write(model.bytes().size(), content(i, size));
        break;
      case 3:
      case 4: {
        const Bytes is = Mounted::read(*file_, offset, size);
        const size_t begin = std::min<size_t>(offset, model.bytes().size());
        const size_t end = std::min<size_t>(offset + size, model.bytes().size());
        ASSERT_EQ(difference(is, std::span(model.bytes()).subspan(begin, end - begin)), "") << "step " << i;
        break;
      }
      default:
        must(file_->write(offset, content(i, size)));
        model.write(offset, content(i, size));
    }
    if (model.bytes().size() > 2 * kFileBytesMax) {
      truncate(1000);
      model.truncate(1000);
    }
  }
  EXPECT_EQ(differs(model.bytes()), "");
}

TEST_P(ConformanceData, AppendsReturnWhereTheyWent) {
  uint64_t end = 0;
  for (const size_t size : {1u, 63u, 64u, 100u, 4096u, 5000u, 3u}) {
    EXPECT_EQ(must(file_->append(content(size, size))), end);
    end += size;
    EXPECT_EQ(must(file_->getattr()).size_bytes, end);
  }
  truncate(50);
  EXPECT_EQ(must(file_->append(content(9, 10))), 50u);
  must(file_->write(1000, bytes_of("x")));
  EXPECT_EQ(must(file_->append(bytes_of("y"))), 1001u);
}

// Each record must be whole, at the offset that its append returned, and nothing between them.
TEST_P(ConformanceData, AppendsOfSeveralThreadsNeverMix) {
  constexpr size_t kRecordBytes = 300;
  constexpr uint64_t kThreads = 4;
  const uint64_t appends = scaled(500);
  std::vector<std::vector<uint64_t>> offsets(kThreads);
  std::vector<std::thread> threads;
  for (uint64_t t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      const std::unique_ptr<File> own = t % 2 == 0 ? nullptr : fs().open("/file");
      File& file = own ? *own : *file_;
      for (uint64_t i = 0; i < appends; ++i) {
        offsets[t].push_back(must(file.append(content(t * appends + i, kRecordBytes))));
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  const Bytes all = Mounted::read_all(*file_);
  ASSERT_EQ(all.size(), kThreads * appends * kRecordBytes);
  std::set<uint64_t> distinct;
  for (uint64_t t = 0; t < kThreads; ++t) {
    for (uint64_t i = 0; i < appends; ++i) {
      const uint64_t offset = offsets[t][i];
      EXPECT_TRUE(distinct.insert(offset).second);
      ASSERT_LE(offset + kRecordBytes, all.size());
      ASSERT_EQ(difference(std::span(all).subspan(offset, kRecordBytes), content(t * appends + i, kRecordBytes)), "");
    }
  }
}

TEST_P(ConformanceData, HandlesOfOneFileSeeEachOther) {
  const std::unique_ptr<File> other = fs().open("/file");
  EXPECT_EQ(other->ino(), file_->ino());
  must(file_->write(0, content(1, 9000)));
  EXPECT_EQ(difference(Mounted::read_all(*other), content(1, 9000)), "");
  must(other->setattr({.size_bytes = 5}));
  EXPECT_EQ(must(file_->getattr()).size_bytes, 5u);
  EXPECT_EQ(must(file_->append(bytes_of("x"))), 5u);
}

TEST_P(ConformanceData, AHandleOpenForOneThingRefusesTheOther) {
  must(file_->write(0, bytes_of("kept")));
  const std::unique_ptr<File> reader = fs().open("/file", {.read = true, .write = false});
  const std::unique_ptr<File> writer = fs().open("/file", {.read = false, .write = true});
  Bytes out(4);
  EXPECT_EQ(outcome(reader->write(0, out)), Errc::kBadHandle);
  EXPECT_EQ(outcome(reader->append(out)), Errc::kBadHandle);
  EXPECT_EQ(outcome(reader->fallocate(FallocateMode::kAllocate, 0, 4096)), Errc::kBadHandle);
  EXPECT_EQ(outcome(reader->setattr({.size_bytes = 0})), Errc::kBadHandle);
  EXPECT_EQ(outcome(writer->read(0, out)), Errc::kBadHandle);
  EXPECT_EQ(must(reader->read(0, out)), 4u);
  must(writer->write(0, bytes_of("K")));
  must(reader->fsync());
  EXPECT_EQ(differs(bytes_of("Kept")), "");
}

TEST_P(ConformanceData, OpeningWithTruncationEmptiesTheFile) {
  must(file_->write(0, content(1, 9000)));
  const std::unique_ptr<File> other = fs().open("/file", {.read = true, .write = true, .truncate = true});
  EXPECT_EQ(must(file_->getattr()).size_bytes, 0u);
  must(other->write(5000, bytes_of("x")));
  Model model;
  model.write(5000, bytes_of("x"));
  EXPECT_EQ(differs(model.bytes()), "");
}

TEST_P(ConformanceData, ALargeFileComesBackByteForByteInOddPieces) {
  const Bytes data = content(3, 9 * kMiB + 12345);
  must(file_->write(0, data));
  Bytes back;
  while (back.size() < data.size()) {
    const Bytes piece = Mounted::read(*file_, back.size(), 100'003);
    ASSERT_FALSE(piece.empty());
    back.insert(back.end(), piece.begin(), piece.end());
  }
  EXPECT_EQ(difference(back, data), "");
}

TEST_P(ConformanceData, FarOffsetsAreSparseOrTooBig) {
  for (const uint64_t offset : {uint64_t{5} * kGiB + 7, uint64_t{1} << 40, uint64_t{1} << 44}) {
    const Result<size_t> written = file_->write(offset, bytes_of("far"));
    if (!written.ok()) {
      EXPECT_EQ(written.code(), Errc::kFileTooBig) << offset;
      continue;
    }
    EXPECT_EQ(must(file_->getattr()).size_bytes, offset + 3);
    EXPECT_EQ(difference(Mounted::read(*file_, offset - 2, 10), bytes_of(std::string_view("\0\0far", 5))), "");
    EXPECT_EQ(difference(Mounted::read(*file_, offset / 2, 5), bytes_of(std::string_view("\0\0\0\0\0", 5))), "");
    EXPECT_LT(must(file_->getattr()).allocated_bytes, 16 * kMiB);
  }
  truncate(0);
}

TEST_P(ConformanceData, OffsetsThatOverflowAreRefused) {
  must(file_->write(0, bytes_of("kept")));
  for (const uint64_t offset : {UINT64_MAX, UINT64_MAX - 4, (uint64_t{1} << 63) - 4, uint64_t{1} << 63}) {
    EXPECT_FALSE(outcome(file_->write(offset, content(1, 100))).succeeded) << offset;
    EXPECT_FALSE(outcome(file_->fallocate(FallocateMode::kAllocate, offset, 100)).succeeded) << offset;
    EXPECT_FALSE(outcome(file_->fallocate(FallocateMode::kZeroRange, offset, 100)).succeeded) << offset;
  }
  EXPECT_FALSE(outcome(file_->setattr({.size_bytes = UINT64_MAX})).succeeded);
  EXPECT_EQ(differs(bytes_of("kept")), "");
}

TEST_P(ConformanceData, SyncsOfEveryKindSucceed) {
  must(file_->write(0, content(1, 10'000)));
  must(file_->fdatasync());
  must(file_->append(content(2, 100)));
  must(file_->fsync());
  must(file_->fsync());
  must(root().fsync());
  must(engine().sync());
}

// POSIX: a read that a write overlaps sees all of the write or nothing of it, as far as Linux file systems hold i_rwsem for both;
// here only what every engine promises is asked for: two writes of one aligned block never mix.
TEST_P(ConformanceData, WritesOfOneBlockByTwoThreadsDoNotMix) {
  const uint64_t writes = scaled(2000);
  std::vector<std::thread> threads;
  for (uint8_t t = 1; t <= 2; ++t) {
    threads.emplace_back([&, t] {
      const Bytes block = filled(kBlockBytes, t);
      for (uint64_t i = 0; i < writes; ++i) must(file_->write(kBlockBytes * (i % 3), block));
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (uint64_t block = 0; block < 3; ++block) {
    const Bytes bytes = Mounted::read(*file_, block * kBlockBytes, kBlockBytes);
    EXPECT_EQ(difference(bytes, filled(kBlockBytes, std::to_integer<uint8_t>(bytes[0]))), "") << block;
  }
}

DAXLAB_ON_EVERY_ENGINE(ConformanceData);

}  // namespace
}  // namespace daxlab::tests
