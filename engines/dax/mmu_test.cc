#include "engines/dax/mmu.h"

#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstring>
#include <fstream>

#include "engines/dax/arena.h"
#include "engines/dax/dax_testing.h"
#include "engines/dax/raw_mman.h"

namespace daxlab::dax {
namespace {

TEST(Mmu, NamesAreReadBack) {
  for (const MmuKind kind : {MmuKind::kUffd, MmuKind::kSigsegv, MmuKind::kSoft}) {
    ASSERT_TRUE(parse_mmu(name(kind)).ok());
    EXPECT_EQ(*parse_mmu(name(kind)), kind);
  }
  EXPECT_EQ(parse_mmu("hardware").code(), Errc::kUsage);
  EXPECT_EQ(*parse_policy("entry-lock"), Policy::kEntryLock);
  EXPECT_EQ(*parse_policy("exclusive"), Policy::kExclusive);
  EXPECT_EQ(parse_policy("none").code(), Errc::kUsage);
}

TEST(Mmu, AutoGivesRealPageTablesToALinearMemfdAndSaysWhy) {
  auto region = std::move(*pmem::Region::for_test(4 * kMiB));
  auto mmu = Mmu::create(*region);
  ASSERT_TRUE(mmu.ok());
  EXPECT_NE((*mmu)->kind(), MmuKind::kSoft);
  EXPECT_FALSE((*mmu)->why().empty());
}

// 4 KiB runs would need a kernel mapping for each page of a file.
TEST(Mmu, ShortRunsFallBackToSoftAndAreRefusedWhenAskedFor) {
  pmem::RunSpec run;
  run.kind = pmem::RunSpec::Kind::kShuffled;
  run.run_bytes = 4 * kKiB;
  auto region = std::move(*pmem::Region::for_test(16 * kMiB, run));
  auto mmu = Mmu::create(*region);
  ASSERT_TRUE(mmu.ok());
  EXPECT_EQ((*mmu)->kind(), MmuKind::kSoft);
  EXPECT_NE((*mmu)->why().find("max_map_count"), std::string::npos);
  for (const char* wanted : {"uffd", "sigsegv"}) {
    auto refused = Mmu::create(*region, wanted);
    ASSERT_FALSE(refused.ok());
    EXPECT_EQ(refused.code(), Errc::kMissingFacility);
    EXPECT_NE(refused.error().message().find("use mmu=soft"), std::string::npos);
  }
  EXPECT_EQ(Mmu::create(*region, "hard").code(), Errc::kUsage);
  run.run_bytes = 64 * kKiB;
  auto longer = std::move(*pmem::Region::for_test(16 * kMiB, run));
  EXPECT_TRUE(Mmu::create(*longer, "sigsegv").ok());
}

class MmuTest : public DaxTest {};
INSTANTIATE_TEST_SUITE_P(Mmu, MmuTest, every_kind(), kind_name);

TEST_P(MmuTest, InWindowKnowsMappingsFromOtherMemory) {
  file_->allocate(0, 4);
  auto mapping = map(0, 4);
  std::vector<std::byte> heap(10000);
  int on_stack = 0;
  EXPECT_FALSE(in_window(heap.data(), heap.size()));
  EXPECT_FALSE(in_window(&on_stack, sizeof on_stack));
  EXPECT_FALSE(in_window(nullptr, 0));
  EXPECT_FALSE(in_window(nullptr, 1));
  EXPECT_FALSE(in_window(region_->bytes().data(), region_->bytes().size()));
  if (soft()) return;
  EXPECT_TRUE(in_window(mapping->data(), 1));
  EXPECT_TRUE(in_window(mapping->data() + 4 * kBlockBytes - 1, 1));
  EXPECT_TRUE(in_window(mapping->data() + 5, 10 * kBlockBytes));
}

TEST_P(MmuTest, TenThousandWindowsAreRoutedAndGivenBack) {
  file_->allocate(0, kPages);
  for (uint64_t page = 0; page < kPages; ++page) std::memset(file_->frame(page), static_cast<int>(page % 251), 1);
  std::vector<std::unique_ptr<Mapping>> mappings;
  for (uint64_t i = 0; i < 10'000; ++i) mappings.push_back(map(i % kPages, 1 + i % 2 * (i % kPages != kPages - 1)));
  for (uint64_t i = 0; i < mappings.size(); i += 7) EXPECT_EQ(get(*mappings[i], 0), i % kPages % 251);
  for (uint64_t i = 0; i < mappings.size(); i += 2) mappings[i].reset();
  for (uint64_t i = 1; i < mappings.size(); i += 10) EXPECT_EQ(get(*mappings[i], 0), i % kPages % 251);
  if (!soft()) {
    std::byte* const gone = mappings[1]->data();
    mappings[1].reset();
    EXPECT_EQ(signal_of([&] { touch_byte(gone); }), SIGSEGV);
  }
}

// Slots are found again after the arena has been walked through.
TEST_P(MmuTest, AddressSpaceIsReused) {
  auto file = std::make_unique<ToyFile>(*region_, *mmu_, policy(), uint64_t{1} << 22);  // 16 GiB of holes
  for (uint64_t i = 0; i < 20; ++i) {
    auto mapping = file->space().map(0, 15 * kGiB, true);
    ASSERT_TRUE(mapping.ok()) << mapping.error().message();
    EXPECT_EQ(get(**mapping, 1000 * i), 0);
  }
}

class RealMmuTest : public DaxTest {};
INSTANTIATE_TEST_SUITE_P(Mmu, RealMmuTest,
                         testing::Combine(testing::Values(std::string("uffd"), std::string("sigsegv")),
                                          testing::Values(Policy::kEntryLock)),
                         kind_name);

// A page that the kernel has never faulted in cannot be reached by a system call: EFAULT, no hang.
TEST_P(RealMmuTest, SystemCallOnAnUnfaultedPageIsEfaultAndWorksOnceFaultedIn) {
  file_->allocate(0, 2, std::byte{'x'});
  auto mapping = map(0, 2);
  int pipe_ends[2];
  ASSERT_EQ(pipe(pipe_ends), 0);
  EXPECT_EQ(write(pipe_ends[1], mapping->data(), 1), -1);
  EXPECT_EQ(errno, EFAULT);
  EXPECT_EQ(get(*mapping, 0), 'x');
  EXPECT_EQ(write(pipe_ends[1], mapping->data(), 1), 1);
  close(pipe_ends[0]);
  close(pipe_ends[1]);
}

// A wild pointer keeps its meaning: the handler that was there before gets it.
TEST_P(RealMmuTest, FaultsElsewhereGoToThePreviousHandler) {
  file_->allocate(0, 1);
  auto mapping = map(0, 1);
  put(*mapping, 0, 1);
  void* closed = mmap(nullptr, kBlockBytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  EXPECT_EQ(signal_of([&] { touch_byte(static_cast<std::byte*>(closed)); }), SIGSEGV);
  munmap(closed, kBlockBytes);
  EXPECT_EQ(signal_of([&] { touch_byte(mapping->data() + kHugeBytes); }), SIGSEGV);
  EXPECT_EQ(signal_of([] { raise(SIGBUS); }), SIGBUS);
}

// A SIGBUS of the kernel's own, because the medium's file was cut, is the program's to see and no endless fault.
TEST_P(RealMmuTest, AMediumThatIsGoneIsSigbus) {
  if (mmu_->kind() == MmuKind::kUffd) return;  // its own faults are SIGBUS; the medium is a memfd that nobody else can cut
  file_->allocate(0, 2, std::byte{7});
  auto mapping = map(0, 2);
  EXPECT_EQ(get(*mapping, 0), 7);
  ASSERT_EQ(ftruncate(region_->fd(), 0), 0);
  EXPECT_EQ(signal_of([&] { get(*mapping, 0); }), SIGBUS);
}

// The kernel may drop a page table entry of a file on its own (memory pressure): the next access brings it back, dirty or not.
TEST_P(RealMmuTest, EntriesThatTheKernelDropsComeBack) {
  file_->allocate(0, 3, std::byte{7});
  auto mapping = map(0, 3);
  EXPECT_EQ(get(*mapping, 0), 7);
  put(*mapping, 1, 8);
  put(*mapping, 2, 9);
  ASSERT_TRUE(mapping->sync(2 * kBlockBytes, kBlockBytes).ok());
  ASSERT_EQ(madvise(mapping->data(), 3 * kBlockBytes, MADV_DONTNEED), 0);
  EXPECT_EQ(get(*mapping, 0), 7);
  put(*mapping, 1, 18);
  EXPECT_EQ(get(*mapping, 1), 18);
  put(*mapping, 2, 19);
  EXPECT_EQ(get(*mapping, 2), 19);
  const CounterDelta delta;
  ASSERT_TRUE(mapping->sync(0, 3 * kBlockBytes).ok());
  EXPECT_EQ(delta[Counter::lines_flushed], 2 * kBlockBytes / kCacheLineBytes);
}

TEST_P(RealMmuTest, ErrnoSurvivesAFault) {
  file_->allocate(0, 4);
  auto mapping = map(0, 4);
  errno = 12345;
  for (uint64_t page = 0; page < 4; ++page)
    __atomic_store_n(reinterpret_cast<char*>(mapping->data() + page * kBlockBytes), 1, __ATOMIC_RELAXED);
  EXPECT_EQ(errno, 12345);
}

/// What a child of fork() died of when it ran `body`; 0 when it ended by itself.
template <typename Body>
int death_in_child(const Body& body) {
  const pid_t child = fork();
  if (child == 0) {
    struct sigaction fallback {};
    fallback.sa_handler = SIG_DFL;
    for (const int signo : {SIGSEGV, SIGBUS}) {
      sigaction(signo, &fallback, nullptr);
      static_cast<void>(install_fault_handler());
    }
    body();
    _exit(0);
  }
  int status = 0;
  waitpid(child, &status, 0);
  return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

// After fork() the child has no upcalls: every window is inaccessible to it, also pages that were faulted in, and the parent goes
// on.
TEST_P(RealMmuTest, ChildOfForkHasNoWindowsAndTheParentKeepsIts) {
  file_->allocate(0, 4, std::byte{9});
  auto mapping = map(0, 4);
  put(*mapping, 0, 1);
  EXPECT_EQ(death_in_child([&] { get(*mapping, 0); }), SIGSEGV);
  EXPECT_EQ(death_in_child([&] { get(*mapping, 1); }), SIGSEGV);
  EXPECT_EQ(death_in_child([&] { mapping->sync(0, kBlockBytes).ok(); }), 0);
  const CounterDelta delta;
  put(*mapping, 0, 2);
  EXPECT_EQ(delta.faults(), 0u);  // the child's sync did not touch the parent's page tables
  EXPECT_EQ(get(*mapping, 3), 9);
  ASSERT_TRUE(mapping->sync(0, 4 * kBlockBytes).ok());
  put(*mapping, 0, 3);
  EXPECT_EQ(delta.faults(), 2u);
}

#ifndef DAXLAB_SANITIZED  // whose runtimes take the signal
TEST_P(RealMmuTest, BeyondTheEndKillsAProgramWithoutAHandlerBySigbus) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");  // a fresh program image: after a mere fork() there would be no upcalls
  file_->allocate(0, 1);
  file_->set_limit(1);
  auto mapping = map(0, 2);
  EXPECT_EXIT(get(*mapping, 1), testing::KilledBySignal(SIGBUS), "");
}
#endif

// 2 MiB entries: file range, frame and window aligned, frame huge-backed.
class HugeTest : public DaxTest {
 protected:
  void SetUp() override {
    pmem::MediaSpec spec;
    spec.size_bytes = 32 * kMiB;
    auto region = pmem::Region::open(spec);
    ASSERT_TRUE(region.ok()) << region.error().message();
    region_ = std::move(*region);
    auto mmu = Mmu::create(*region_, std::get<0>(GetParam()));
    ASSERT_TRUE(mmu.ok()) << mmu.error().message();
    mmu_ = std::move(*mmu);
    // The first block whose place in the file is a multiple of 2 MiB.
    uint64_t block = 0;
    while (region_->file_offset(region_->block_address(block)) % kHugeBytes != 0) ++block;
    file_ = std::make_unique<ToyFile>(*region_, *mmu_, policy(), kPages + 100, block);
    file_->allocate(0, kPages, std::byte{4});
    auto probe = map(0, kHugePages);
    if (!mmu_->can_map_huge(static_cast<DaxMapping&>(*probe).window(), 0, file_->frame(0))) {
      GTEST_SKIP() << "the kernel gave the memfd no huge pages (CONFIG_TRANSPARENT_HUGEPAGE, memory fragmented)";
    }
  }
};
INSTANTIATE_TEST_SUITE_P(Mmu, HugeTest,
                         testing::Combine(testing::Values(std::string("uffd"), std::string("sigsegv")),
                                          testing::Values(Policy::kEntryLock, Policy::kExclusive)),
                         kind_name);

TEST_P(HugeTest, OneFaultServesTwoMiB) {
  auto mapping = map(0, kPages);
  const CounterDelta delta;
  EXPECT_EQ(get(*mapping, 300), 4);
  EXPECT_EQ(delta[Counter::faults_2m], 1u);
  for (uint64_t page = 0; page < kHugePages; ++page) EXPECT_EQ(get(*mapping, page), 4);
  EXPECT_EQ(delta.faults(), 1u);
  put(*mapping, 17, 5);
  EXPECT_EQ(delta[Counter::faults_2m], 2u);
  for (uint64_t page = 0; page < kHugePages; ++page) put(*mapping, page, 6);
  EXPECT_EQ(delta.faults(), 2u);
  EXPECT_EQ(file_->frame(511)[0], std::byte{6});
  ASSERT_TRUE(mapping->sync(0, kBlockBytes).ok());
  EXPECT_EQ(delta[Counter::reprotects], 1u);
  EXPECT_EQ(delta[Counter::lines_flushed], kHugeBytes / kCacheLineBytes);
  put(*mapping, 17, 7);
  EXPECT_EQ(delta[Counter::faults_2m], 3u);
}

TEST_P(HugeTest, AMovedPageSplitsTheEntryAndKeepsEveryByte) {
  auto mapping = map(0, kPages);
  for (uint64_t page = 0; page < kHugePages; ++page) put(*mapping, page, static_cast<uint8_t>(page % 200));
  const CounterDelta delta;
  file_->move_page(100);
  EXPECT_EQ(delta[Counter::invalidations], 1u);
  EXPECT_EQ(delta[Counter::lines_flushed], kHugeBytes / kCacheLineBytes);
  for (uint64_t page = 0; page < kHugePages; ++page) EXPECT_EQ(get(*mapping, page), page % 200);
  EXPECT_EQ(delta[Counter::faults_4k], kHugePages);
  EXPECT_EQ(delta[Counter::faults_2m], 0u);
  put(*mapping, 100, 201);
  EXPECT_EQ(file_->frame(100)[0], std::byte{201});
}

TEST_P(HugeTest, ASmallWindowBesideSplitsTheEntry) {
  auto whole = map(0, kPages);
  put(*whole, 5, 9);
  auto small = map(3, 10);
  const CounterDelta delta;
  EXPECT_EQ(get(*small, 2), 9);
  EXPECT_EQ(delta[Counter::faults_4k], 1u);
  EXPECT_EQ(get(*whole, 5), 9);
  put(*small, 2, 10);
  EXPECT_EQ(get(*whole, 5), 10);
  ASSERT_TRUE(file_->space().writeback(0, kPages).ok());
  EXPECT_EQ(delta[Counter::reprotects], 1u);
}

// Userfaultfd installs 4 KiB entries inside a 2 MiB page of the memfd, and leaves the region's own mapping whole.
TEST_P(HugeTest, SmallEntriesInsideAHugePage) {
  auto mapping = map(1, 100);  // askew: no 2 MiB entry is possible
  const CounterDelta delta;
  for (uint64_t page = 0; page < 100; ++page) put(*mapping, page, 8);
  EXPECT_EQ(delta[Counter::faults_4k], 100u);
  EXPECT_EQ(delta[Counter::faults_2m], 0u);
  auto whole = map(0, kPages);
  EXPECT_TRUE(mmu_->can_map_huge(static_cast<DaxMapping&>(*whole).window(), 0, file_->frame(0)));
}

TEST_P(HugeTest, TruncateInsideTheEntryKeepsWhatIsBefore) {
  auto mapping = map(0, kPages);
  for (uint64_t page = 0; page < kHugePages; ++page) put(*mapping, page, 3);
  file_->truncate(10);
  for (uint64_t page = 0; page < 10; ++page) EXPECT_EQ(get(*mapping, page), 3);
  EXPECT_TRUE(raises_sigbus(*mapping, 10));
  EXPECT_TRUE(raises_sigbus(*mapping, 511));
}

TEST_P(HugeTest, UnmappedAndMappedAgainItIsHugeAgain) {
  auto mapping = map(0, kPages);
  put(*mapping, 0, 1);
  mapping.reset();
  ASSERT_TRUE(file_->space().writeback(0, kPages).ok());
  mapping = map(0, kPages);
  const CounterDelta delta;
  EXPECT_EQ(get(*mapping, 0), 1);
  EXPECT_EQ(get(*mapping, 700), 4);
  EXPECT_EQ(delta[Counter::faults_2m], 2u);
}

}  // namespace
}  // namespace daxlab::dax
