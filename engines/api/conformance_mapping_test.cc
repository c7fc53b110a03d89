// Mapped files: loads and stores against read, write, truncate, punch and sync; the end of the file; buffers that are mappings.

#include <sys/wait.h>

#include <thread>

#include "engines/api/testing.h"

namespace daxlab::tests {
namespace {

class ConformanceMapping : public EngineSuite {
 protected:
  std::unique_ptr<File> file_ = nullptr;
  std::string unsuited(const Traits& traits) const override { return traits.mappable ? "" : "it maps nothing"; }
  void SetUp() override {
    EngineSuite::SetUp();
    if (!IsSkipped()) file_ = fs().create("/file");
  }
  void TearDown() override {
    file_.reset();
    EngineSuite::TearDown();
  }
  std::unique_ptr<Mapping> map(uint64_t size_bytes, bool writable = true, uint64_t offset = 0) {
    return must(file_->map(offset, size_bytes, writable));
  }
  static Bytes load(Mapping& mapping, uint64_t offset, size_t size_bytes) {
    Bytes bytes(size_bytes);
    must(mapping.load(offset, bytes));
    return bytes;
  }
};

/// A process that was ended by an access, as a kernel (SIGBUS) or a sanitizer (its own exit code) ends it.
bool ended_badly(int status) { return WIFSIGNALED(status) || (WIFEXITED(status) && WEXITSTATUS(status) != 0); }

TEST_P(ConformanceMapping, LoadsSeeWhatWasWrittenBeforeAndAfterMapping) {
  must(file_->write(0, content(1, 20'000)));
  const std::unique_ptr<Mapping> mapping = map(20'480);
  EXPECT_EQ(mapping->size_bytes(), 20'480u);
  EXPECT_EQ(difference(load(*mapping, 0, 20'000), content(1, 20'000)), "");
  must(file_->write(5000, content(2, 9000)));
  EXPECT_EQ(difference(load(*mapping, 5000, 9000), content(2, 9000)), "");
  must(file_->append(content(3, 100)));
  EXPECT_EQ(difference(load(*mapping, 20'000, 100), content(3, 100)), "");
}

TEST_P(ConformanceMapping, ReadsSeeWhatWasStored) {
  Bytes should = content(1, 20'480);
  must(file_->write(0, should));
  const std::unique_ptr<Mapping> mapping = map(20'480);
  for (const uint64_t offset : {0u, 1u, 4090u, 8192u, 20'400u}) {
    const Bytes data = content(offset, 80);
    must(mapping->store(offset, data));
    std::copy(data.begin(), data.end(), should.begin() + static_cast<std::ptrdiff_t>(offset));
    EXPECT_EQ(difference(Mounted::read_all(*file_), should), "") << offset;
  }
}

TEST_P(ConformanceMapping, TwoMappingsOfOneFileAreTheSameBytes) {
  must(file_->write(0, content(1, 3 * kBlockBytes)));
  const std::unique_ptr<File> other_file = fs().open("/file");
  const std::unique_ptr<Mapping> whole = map(3 * kBlockBytes);
  const std::unique_ptr<Mapping> second_page = must(other_file->map(kBlockBytes, kBlockBytes, true));
  must(whole->store(kBlockBytes + 7, bytes_of("one")));
  EXPECT_EQ(difference(load(*second_page, 7, 3), bytes_of("one")), "");
  must(second_page->store(7, bytes_of("two")));
  EXPECT_EQ(difference(load(*whole, kBlockBytes + 7, 3), bytes_of("two")), "");
}

TEST_P(ConformanceMapping, HolesLoadAsZeroesAndTakeStores) {
  must(file_->setattr({.size_bytes = 64 * kBlockBytes}));
  const std::unique_ptr<Mapping> mapping = map(64 * kBlockBytes);
  EXPECT_EQ(difference(load(*mapping, 0, 64 * kBlockBytes), filled(64 * kBlockBytes, 0)), "");
  Bytes should = filled(64 * kBlockBytes, 0);
  for (const uint64_t page : {3u, 17u, 63u}) {
    must(mapping->store(page * kBlockBytes + 100, bytes_of("in a hole")));
    std::memcpy(should.data() + page * kBlockBytes + 100, "in a hole", 9);
  }
  EXPECT_GE(must(file_->getattr()).allocated_bytes, 3 * kBlockBytes);
  EXPECT_EQ(difference(Mounted::read_all(*file_), should), "");
}

TEST_P(ConformanceMapping, WritesIntoAHoleThatIsMappedReplaceTheZeroesThere) {
  must(file_->setattr({.size_bytes = 8 * kBlockBytes}));
  const std::unique_ptr<Mapping> mapping = map(8 * kBlockBytes);
  EXPECT_EQ(difference(load(*mapping, 0, 8 * kBlockBytes), filled(8 * kBlockBytes, 0)), "");
  for (uint64_t page = 0; page < 8; ++page) must(file_->write(page * kBlockBytes + page, bytes_of("written")));
  for (uint64_t page = 0; page < 8; ++page)
    EXPECT_EQ(difference(load(*mapping, page * kBlockBytes + page, 7), bytes_of("written")), "");
}

// Copy on write moves a block; the mapping must follow it, whether its page was read or stored to before.
TEST_P(ConformanceMapping, OverwritesAndStoresOfTheSamePagesTakeTurns) {
  constexpr uint64_t kPages = 16;
  Bytes should = content(1, kPages * kBlockBytes);
  must(file_->write(0, should));
  const std::unique_ptr<Mapping> mapping = map(should.size());
  Random random(5);
  for (uint64_t i = 0; i < scaled(2000); ++i) {
    const uint64_t size = 1 + random.below(random.below(4) == 0 ? 10'000 : 200);
    const uint64_t offset = random.below(should.size() - size);
    const Bytes data = content(i, size);
    switch (random.below(4)) {
      case 0:
        must(file_->write(offset, data));
        break;
      case 1:
        must(mapping->store(offset, data));
        break;
      case 2:
        ASSERT_EQ(difference(load(*mapping, offset, size), std::span(should).subspan(offset, size)), "") << i;
        continue;
      default:
        ASSERT_EQ(difference(Mounted::read(*file_, offset, size), std::span(should).subspan(offset, size)), "") << i;
        continue;
    }
    std::copy(data.begin(), data.end(), should.begin() + static_cast<std::ptrdiff_t>(offset));
    if (i % 100 == 0) must(mapping->sync(0, should.size()));
    if (i % 150 == 0) must(file_->fsync());
  }
  EXPECT_EQ(difference(load(*mapping, 0, should.size()), should), "");
  EXPECT_EQ(difference(Mounted::read_all(*file_), should), "");
}

TEST_P(ConformanceMapping, AReadOnlyMappingNeedsOnlyReadingAndAWritableOneWriting) {
  must(file_->write(0, content(1, kBlockBytes)));
  const std::unique_ptr<File> reader = fs().open("/file", {.read = true, .write = false});
  const std::unique_ptr<Mapping> mapping = must(reader->map(0, kBlockBytes, false));
  EXPECT_EQ(difference(load(*mapping, 0, kBlockBytes), content(1, kBlockBytes)), "");
  EXPECT_EQ(outcome(reader->map(0, kBlockBytes, true)), Errc::kBadHandle);
}

TEST_P(ConformanceMapping, BadRangesAreInvalid) {
  must(file_->write(0, content(1, kBlockBytes)));
  EXPECT_EQ(outcome(file_->map(0, 0, true)), Errc::kInvalid);
  EXPECT_EQ(outcome(file_->map(100, kBlockBytes, true)), Errc::kInvalid);
  const std::unique_ptr<Mapping> mapping = map(kBlockBytes);
  Bytes out(10);
  EXPECT_EQ(outcome(mapping->load(kBlockBytes - 5, out)), Errc::kInvalid);
  EXPECT_EQ(outcome(mapping->store(kBlockBytes, out)), Errc::kInvalid);
  EXPECT_EQ(outcome(mapping->load(UINT64_MAX - 2, out)), Errc::kInvalid);
  EXPECT_EQ(outcome(mapping->sync(0, 2 * kBlockBytes)), Errc::kInvalid);
}

TEST_P(ConformanceMapping, SyncAndFsyncAreGoodForAnyRangeAndStoresGoOnAfterwards) {
  Bytes should = content(1, 10 * kBlockBytes);
  must(file_->write(0, should));
  const std::unique_ptr<Mapping> mapping = map(should.size());
  for (int round = 0; round < 5; ++round) {
    for (uint64_t page = 0; page < 10; ++page) {
      const Bytes data = content(page + static_cast<uint64_t>(round), 64);
      must(mapping->store(page * kBlockBytes + 64, data));
      std::copy(data.begin(), data.end(), should.begin() + static_cast<std::ptrdiff_t>(page * kBlockBytes + 64));
    }
    if (round % 2 == 0) {
      must(mapping->sync(100, 5 * kBlockBytes));
    } else {
      must(file_->fsync());
    }
    EXPECT_EQ(difference(Mounted::read_all(*file_), should), "");
  }
}

TEST_P(ConformanceMapping, ShrinkingTakesPagesAwayAndGrowingBringsZeroes) {
  must(file_->write(0, content(1, 8 * kBlockBytes)));
  const std::unique_ptr<Mapping> mapping = map(8 * kBlockBytes);
  must(mapping->store(0, content(2, 8 * kBlockBytes)));
  must(file_->setattr({.size_bytes = 2 * kBlockBytes + 100}));
  must(file_->setattr({.size_bytes = 8 * kBlockBytes}));
  Bytes should = content(2, 8 * kBlockBytes);
  std::fill(should.begin() + 2 * kBlockBytes + 100, should.end(), std::byte{0});
  EXPECT_EQ(difference(load(*mapping, 0, 8 * kBlockBytes), should), "");
  EXPECT_EQ(difference(Mounted::read_all(*file_), should), "");
}

// mmap(2): the rest of the last page reads as zeroes, and what is stored there never becomes part of the file.
TEST_P(ConformanceMapping, StoresBehindTheEndInTheLastPageDoNotBecomeContent) {
  must(file_->write(0, content(1, 5000)));
  const std::unique_ptr<Mapping> mapping = map(2 * kBlockBytes);
  EXPECT_EQ(difference(load(*mapping, 5000, 2 * kBlockBytes - 5000), filled(2 * kBlockBytes - 5000, 0)), "");
  must(mapping->store(6000, bytes_of("no content")));
  EXPECT_EQ(must(file_->getattr()).size_bytes, 5000u);
  if (fs().traits().enters_kernel) return;  // tmpfs of Linux 6.18 shows such stores when the file grows over them
  must(file_->setattr({.size_bytes = 2 * kBlockBytes}));
  Bytes should = content(1, 5000);
  should.resize(2 * kBlockBytes);
  EXPECT_EQ(difference(Mounted::read_all(*file_), should), "");
}

TEST_P(ConformanceMapping, PunchingAMappedRangeGivesZeroesThere) {
  Bytes should = content(1, 8 * kBlockBytes);
  must(file_->write(0, should));
  const std::unique_ptr<Mapping> mapping = map(8 * kBlockBytes);
  must(mapping->store(0, content(2, 8 * kBlockBytes)));
  should = content(2, 8 * kBlockBytes);
  must(file_->fallocate(FallocateMode::kPunchHole, 5000, 12'000));
  std::fill_n(should.begin() + 5000, 12'000, std::byte{0});
  EXPECT_EQ(difference(load(*mapping, 0, 8 * kBlockBytes), should), "");
  must(mapping->store(8192, bytes_of("again")));
  std::memcpy(should.data() + 8192, "again", 5);
  EXPECT_EQ(difference(Mounted::read_all(*file_), should), "");
}

// The end of the file is the end of what may be touched: SIGBUS from real page tables, kInvalid from software ones.
TEST_P(ConformanceMapping, AnAccessBeyondTheLastPageIsABusError) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");  // a forked child would have no upcalls for its faults
  must(file_->write(0, content(1, 5000)));
  const std::unique_ptr<Mapping> mapping = map(4 * kBlockBytes);
  EXPECT_EQ(load(*mapping, 2 * kBlockBytes - 1, 1)[0], std::byte{0});
  Bytes out(1);
  if (mapping->data() == nullptr) {
    EXPECT_EQ(outcome(mapping->load(2 * kBlockBytes, out)), Errc::kInvalid);
    EXPECT_EQ(outcome(mapping->store(3 * kBlockBytes, out)), Errc::kInvalid);
    return;
  }
  EXPECT_EXIT(
      {
        *const_cast<volatile std::byte*>(mapping->data() + 2 * kBlockBytes) = std::byte{1};
        std::_Exit(0);
      },
      ended_badly, "");
}

TEST_P(ConformanceMapping, AWriteTakesItsSourceFromAnUntouchedMappingOfTheSameFile) {
  const Bytes data = content(1, 4 * kBlockBytes);
  must(file_->write(0, data));
  const std::unique_ptr<Mapping> mapping = map(8 * kBlockBytes);
  if (mapping->data() == nullptr) GTEST_SKIP() << "the software MMU gives no address to write from";
  must(file_->write(4 * kBlockBytes, std::span<const std::byte>(mapping->data(), 4 * kBlockBytes)));
  EXPECT_EQ(difference(Mounted::read(*file_, 4 * kBlockBytes, 4 * kBlockBytes), data), "");
  // Onto itself, shifted: what is read and what is written are the same pages.
  Bytes should = Mounted::read_all(*file_);
  must(file_->write(100, std::span<const std::byte>(mapping->data() + 5 * kBlockBytes, 9000)));
  std::copy_n(content(1, 4 * kBlockBytes).begin() + kBlockBytes, 9000, should.begin() + 100);
  EXPECT_EQ(difference(Mounted::read_all(*file_), should), "");
  EXPECT_EQ(must(file_->append(std::span<const std::byte>(mapping->data(), 100))), 8 * kBlockBytes);
}

TEST_P(ConformanceMapping, AReadPutsItsBytesIntoAnUntouchedMapping) {
  must(file_->write(0, content(1, 4 * kBlockBytes)));
  const std::unique_ptr<File> target = fs().create("/target");
  must(target->setattr({.size_bytes = 4 * kBlockBytes}));
  const std::unique_ptr<Mapping> mapping = must(target->map(0, 4 * kBlockBytes, true));
  if (mapping->data() == nullptr) GTEST_SKIP() << "the software MMU gives no address to read to";
  EXPECT_EQ(must(file_->read(100, std::span(mapping->data() + 50, 9000))), 9000u);
  EXPECT_EQ(difference(Mounted::read(*target, 50, 9000), Mounted::read(*file_, 100, 9000)), "");
  // And within one file, from the mapped pages' own neighbours.
  EXPECT_EQ(must(target->read(0, std::span(mapping->data() + 3 * kBlockBytes, kBlockBytes))), kBlockBytes);
  EXPECT_EQ(difference(Mounted::read(*target, 3 * kBlockBytes, kBlockBytes), Mounted::read(*target, 0, kBlockBytes)), "");
}

TEST_P(ConformanceMapping, AMappingOutlivesItsHandleAndItsName) {
  must(file_->write(0, content(1, 2 * kBlockBytes)));
  std::unique_ptr<Mapping> mapping = map(2 * kBlockBytes);
  const InodeId ino = file_->ino();
  file_.reset();
  fs().unlink("/file");
  EXPECT_EQ(difference(load(*mapping, 0, 2 * kBlockBytes), content(1, 2 * kBlockBytes)), "");
  must(mapping->store(kBlockBytes, bytes_of("still")));
  must(mapping->sync(0, 2 * kBlockBytes));
  EXPECT_EQ(outcome(engine().unmount()), Errc::kBusy);
  mapping.reset();
  EXPECT_EQ(outcome(engine().getattr(ino)), Errc::kStale);
}

TEST_P(ConformanceMapping, StoredBytesAreThereAfterSyncAndRemount) {
  if (!fs().traits().unmountable) GTEST_SKIP() << "it does not last";
  must(file_->setattr({.size_bytes = 4 * kBlockBytes + 10}));
  std::unique_ptr<Mapping> mapping = map(4 * kBlockBytes + 10);
  must(mapping->store(0, content(9, 4 * kBlockBytes + 10)));
  must(mapping->sync(0, mapping->size_bytes()));
  mapping.reset();
  file_.reset();
  fs().remount();
  EXPECT_EQ(difference(fs().read_file("/file"), content(9, 4 * kBlockBytes + 10)), "");
}

// Stores of several threads, one thread to a cache line, while another writes to other pages: nothing is lost.
TEST_P(ConformanceMapping, StoresOfSeveralThreadsBesideWritesAllArrive) {
  constexpr uint64_t kPages = 32;
  must(file_->setattr({.size_bytes = 2 * kPages * kBlockBytes}));
  const std::unique_ptr<Mapping> mapping = map(2 * kPages * kBlockBytes);
  std::vector<std::thread> threads;
  for (uint64_t t = 0; t < 3; ++t) {
    threads.emplace_back([&, t] {
      for (uint64_t page = 0; page < kPages; ++page)
        must(mapping->store(page * kBlockBytes + t * 64, content(t * kPages + page, 64)));
    });
  }
  threads.emplace_back([&] {
    for (uint64_t page = kPages; page < 2 * kPages; ++page) must(file_->write(page * kBlockBytes, content(page, kBlockBytes)));
  });
  for (std::thread& thread : threads) thread.join();
  for (uint64_t page = 0; page < kPages; ++page) {
    for (uint64_t t = 0; t < 3; ++t) {
      EXPECT_EQ(difference(Mounted::read(*file_, page * kBlockBytes + t * 64, 64), content(t * kPages + page, 64)), "");
    }
    EXPECT_EQ(difference(load(*mapping, (kPages + page) * kBlockBytes, kBlockBytes), content(kPages + page, kBlockBytes)), "");
  }
}

DAXLAB_ON_EVERY_ENGINE(ConformanceMapping);

}  // namespace
}  // namespace daxlab::tests
