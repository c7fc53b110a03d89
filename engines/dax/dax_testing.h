// Shared by the tests of engines/dax: every MMU kind under every policy, one toy file in a region of its own.
#pragma once

#include <gtest/gtest.h>
#include <setjmp.h>
#include <signal.h>

#include <memory>
#include <string>
#include <tuple>
#include <vector>

#include "engines/base/counters.h"
#include "engines/dax/address_space.h"
#include "engines/dax/fault_handler.h"
#include "engines/dax/mapping.h"
#include "engines/dax/toy_file.h"
#include "engines/pmem/region.h"

namespace daxlab::dax {

/// Counters of the calling thread since construction.
class CounterDelta {
 public:
  CounterDelta() : before_(t_counters.snapshot()) {}
  uint64_t operator[](Counter counter) const { return t_counters.snapshot()[counter] - before_[counter]; }
  uint64_t faults() const { return (*this)[Counter::faults_4k] + (*this)[Counter::faults_2m]; }

 private:
  CounterValues before_;
};

/// Runs `access`; the signal that it raised, or 0.
template <typename Access>
int signal_of(const Access& access) {
  static sigjmp_buf target;
  struct sigaction catcher {};
  catcher.sa_handler = [](int signo) { siglongjmp(target, signo); };
  struct sigaction old_bus {};
  struct sigaction old_segv {};
  sigaction(SIGBUS, nullptr, &old_bus);
  sigaction(SIGSEGV, nullptr, &old_segv);
  sigaction(SIGBUS, &catcher, nullptr);
  sigaction(SIGSEGV, &catcher, nullptr);
  const auto kept = install_fault_handler();  // in front of the catcher
  DAXLAB_CHECK(kept.ok());
  const int signo = sigsetjmp(target, 1);
  if (signo == 0) access();
  sigaction(SIGBUS, &old_bus, nullptr);
  sigaction(SIGSEGV, &old_segv, nullptr);
  return signo;
}

using Kind = std::tuple<std::string, Policy>;  // mmu, policy

class DaxTest : public testing::TestWithParam<Kind> {
 protected:
  static constexpr uint64_t kPages = 1024;

  void SetUp() override { make_region(16 * kMiB); }

  void make_region(uint64_t size_bytes) {
    auto region = pmem::Region::for_test(size_bytes);
    ASSERT_TRUE(region.ok()) << region.error().message();
    region_ = std::move(*region);
    auto mmu = Mmu::create(*region_, std::get<0>(GetParam()));
    ASSERT_TRUE(mmu.ok()) << mmu.error().message();
    mmu_ = std::move(*mmu);
    file_ = std::make_unique<ToyFile>(*region_, *mmu_, policy(), kPages);
  }

  static Policy policy() { return std::get<1>(GetParam()); }
  bool soft() const { return mmu_->kind() == MmuKind::kSoft; }

  std::unique_ptr<Mapping> map(uint64_t first_page, uint64_t pages, bool writable = true) {
    auto mapping = file_->space().map(first_page * kBlockBytes, pages * kBlockBytes, writable);
    EXPECT_TRUE(mapping.ok());
    return std::move(*mapping);
  }
  static uint8_t get(Mapping& mapping, uint64_t page, uint64_t at = 0) {
    std::byte value{};
    const auto loaded = mapping.load(page * kBlockBytes + at, {&value, 1});
    EXPECT_TRUE(loaded.ok());
    return static_cast<uint8_t>(value);
  }
  static void put(Mapping& mapping, uint64_t page, uint8_t value, uint64_t at = 0) {
    const std::byte byte{value};
    const auto stored = mapping.store(page * kBlockBytes + at, {&byte, 1});
    EXPECT_TRUE(stored.ok());
  }
  /// What an access beyond the end does: SIGBUS, or kInvalid from the software MMU.
  bool raises_sigbus(Mapping& mapping, uint64_t page) {
    if (soft()) {
      std::byte value{};
      const auto loaded = mapping.load(page * kBlockBytes, {&value, 1});
      return !loaded.ok() && loaded.code() == Errc::kInvalid;
    }
    return signal_of([&] { get(mapping, page); }) == SIGBUS;
  }

  std::unique_ptr<pmem::Region> region_;
  std::unique_ptr<Mmu> mmu_;
  std::unique_ptr<ToyFile> file_;
};

inline std::string kind_name(const testing::TestParamInfo<Kind>& info) {
  return std::get<0>(info.param) + (std::get<1>(info.param) == Policy::kExclusive ? "_exclusive" : "_entry_lock");
}

inline auto every_kind() {
  return testing::Combine(testing::Values(std::string("uffd"), std::string("sigsegv"), std::string("soft")),
                          testing::Values(Policy::kEntryLock, Policy::kExclusive));
}

}  // namespace daxlab::dax
