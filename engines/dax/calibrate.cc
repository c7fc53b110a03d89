#include "engines/dax/calibrate.h"

#include <algorithm>
#include <atomic>
#include <string>
#include <thread>

#include "engines/base/clock.h"
#include "engines/base/counters.h"
#include "engines/dax/address_space.h"
#include "engines/dax/mapping.h"

namespace daxlab::dax {
namespace {

constexpr uint64_t kRegionBytes = 64 * kMiB;
constexpr uint64_t kWindowPages = 256;  // below 512: no 2 MiB entries
constexpr int kRounds = 8;

/// A file that lies in one piece on the medium: page p is at start + 4 KiB * p.
class FlatFile final : public PageSource {
 public:
  FlatFile(std::byte* start, uint64_t page_count) : start_(start), page_count_(page_count) {}
  Result<PageRange> begin(uint64_t page, uint64_t pages_max, Access) override {
    if (page >= page_count_) return Errc::kInvalid;
    return PageRange{page, std::min(pages_max, page_count_ - page), start_ + page * kBlockBytes, false};
  }
  void end(const PageRange&, Access) override {}
  Result<void> commit(uint64_t, uint64_t) override { return {}; }
  uint64_t page_limit() const override { return page_count_; }

 private:
  std::byte* const start_;
  const uint64_t page_count_;
};

class Samples {
 public:
  template <typename Body>
  void time(const Body& body) {
    const uint64_t began = ticks();
    body();
    ticks_.push_back(ticks() - began);
  }
  pmem::Floor floor(std::string name, std::string what) {
    std::sort(ticks_.begin(), ticks_.end());
    const auto at = [&](double fraction) {
      return static_cast<double>(ticks_[static_cast<size_t>(fraction * static_cast<double>(ticks_.size() - 1))]) * ns_per_tick();
    };
    return {std::move(name), std::move(what), at(0.5), at(0.99)};
  }

 private:
  std::vector<uint64_t> ticks_;
};

/// Keeps another CPU in this process's address space, so that removing an entry must interrupt it.
class BusyThread {
 public:
  BusyThread()
      : thread_([this] {
          while (!stop_.load(std::memory_order_relaxed)) __builtin_ia32_pause();
        }) {}
  ~BusyThread() {
    stop_.store(true);
    thread_.join();
  }
  BusyThread(const BusyThread&) = delete;
  BusyThread& operator=(const BusyThread&) = delete;

 private:
  std::atomic<bool> stop_{false};
  std::thread thread_;
};

/// One kind's measurements; the first failure ends them.
class Bench {
 public:
  Bench(Mmu& mmu, pmem::Region& region)
      : kind_(name(mmu.kind())),
        file_(huge_start(region), (kRegionBytes - 2 * kHugeBytes) / kBlockBytes),
        space_(mmu, file_, Policy::kEntryLock) {}

  Result<void> run(std::vector<pmem::Floor>& floors) {
    for (int round = 0; round < kRounds; ++round) {
      DAXLAB_TRY(whole_window());
      DAXLAB_TRY(single_pages());
      DAXLAB_TRY(huge_entries());
    }
    const auto add = [&](Samples& samples, const char* what_for, const char* what) {
      floors.push_back(samples.floor(kind_ + "_" + what_for, kind_ + ": " + what));
    };
    add(map_, "map", "map() of a file, 1 MiB");
    add(extent_, "fault_extent", "first store to a page, its extent not yet mapped");
    add(read_, "fault_read", "first load of a page of a mapped extent");
    add(write_, "fault_write", "first store to a page of a mapped extent");
    add(upgrade_, "fault_upgrade", "first store to a page that was loaded");
    add(redirty_, "fault_redirty", "first store to a page after msync");
    add(sync_, "sync_page", "msync of one dirty page: protect, flush 64 lines, fence");
    add(invalidate_, "invalidate", "a write takes one page away from a mapping");
    add(invalidate_shared_, "invalidate_shared", "the same while another thread of the process runs");
    add(unmap_, "unmap", "unmap of 1 MiB, every page touched");
    if (huge_found_) add(huge_, "fault_2m", "first store to 2 MiB, one entry");
    return {};
  }

 private:
  static std::byte* huge_start(pmem::Region& region) {
    const uint64_t offset = region.file_offset(region.block_address(0));
    return region.block_address(0) + (align_up(offset, kHugeBytes) - offset);
  }
  // Sampled stores and loads go through Mapping, which for real page tables is a memcpy of one byte.
  void put(Mapping& mapping, uint64_t page) {
    const std::byte one{1};
    failed_ |= !mapping.store(page * kBlockBytes, {&one, 1}).ok();
  }
  void get(Mapping& mapping, uint64_t page) {
    std::byte value{};
    failed_ |= !mapping.load(page * kBlockBytes, {&value, 1}).ok();
  }

  Result<void> whole_window() {
    Result<std::unique_ptr<Mapping>> mapping = Errc::kIo;
    map_.time([&] { mapping = space_.map(0, kWindowPages * kBlockBytes, true); });
    if (!mapping) return mapping.error();
    Mapping& window = **mapping;
    get(window, 0);  // maps the extent
    for (uint64_t page = 1; page < kWindowPages; page += 2) read_.time([&] { get(window, page); });
    for (uint64_t page = 2; page < kWindowPages; page += 2) write_.time([&] { put(window, page); });
    for (uint64_t page = 1; page < kWindowPages; page += 2) upgrade_.time([&] { put(window, page); });
    DAXLAB_TRY(window.sync(0, kWindowPages * kBlockBytes));
    for (uint64_t page = 1; page < kWindowPages; ++page) redirty_.time([&] { put(window, page); });
    for (uint64_t page = 1; page < kWindowPages; ++page) {
      sync_.time([&] { failed_ |= !window.sync(page * kBlockBytes, kBlockBytes).ok(); });
    }
    take_away(window, invalidate_);
    {
      const BusyThread busy;
      take_away(window, invalidate_shared_);
    }
    for (uint64_t page = 0; page < kWindowPages; ++page) put(window, page);
    DAXLAB_TRY(window.sync(0, kWindowPages * kBlockBytes));
    unmap_.time([&] { mapping->reset(); });
    return failed_ ? Result<void>(Errc::kIo) : Result<void>();
  }

  void take_away(Mapping& window, Samples& samples) {
    for (uint64_t page = 0; page < kWindowPages; ++page) {
      get(window, page);
      samples.time([&] { space_.begin_write(page, 1); });
      space_.end_write(page, 1);
    }
  }

  Result<void> single_pages() {
    for (uint64_t page = 0; page < 64; ++page) {
      DAXLAB_ASSIGN(auto mapping, space_.map(page * kBlockBytes, kBlockBytes, true));
      extent_.time([&] { put(*mapping, 0); });
      DAXLAB_TRY(mapping->sync(0, kBlockBytes));
    }
    return failed_ ? Result<void>(Errc::kIo) : Result<void>();
  }

  Result<void> huge_entries() {
    constexpr uint64_t kPieces = 16;
    DAXLAB_ASSIGN(auto mapping, space_.map(0, kPieces * kHugeBytes, true));
    for (uint64_t piece = 0; piece < kPieces; ++piece) {
      const uint64_t before = t_counters.snapshot()[Counter::faults_2m];
      huge_.time([&] { put(*mapping, piece * kHugePages + 7); });
      huge_found_ |= t_counters.snapshot()[Counter::faults_2m] != before;
    }
    space_.begin_truncate(0, kPieces * kHugePages);  // forget the dirty tags: nobody wants 32 MiB flushed
    space_.end_write(0, kPieces * kHugePages);
    return failed_ ? Result<void>(Errc::kIo) : Result<void>();
  }

  const std::string kind_;
  FlatFile file_;
  AddressSpace space_;
  Samples map_, extent_, read_, write_, upgrade_, redirty_, sync_, invalidate_, invalidate_shared_, unmap_, huge_;
  bool huge_found_ = false;
  bool failed_ = false;
};

}  // namespace

Result<std::vector<pmem::Floor>> measure_faults() {
  pmem::MediaSpec spec;
  spec.size_bytes = kRegionBytes;
  DAXLAB_ASSIGN(auto region, pmem::Region::open(spec));
  std::vector<pmem::Floor> floors;
  for (const MmuKind kind : {MmuKind::kUffd, MmuKind::kSigsegv, MmuKind::kSoft}) {
    auto mmu = Mmu::create(*region, name(kind));
    if (!mmu && mmu.code() == Errc::kMissingFacility) continue;  // `daxlab doctor` says what is missing
    if (!mmu) return mmu.error();
    DAXLAB_TRY(Bench(**mmu, *region).run(floors));
  }
  return floors;
}

}  // namespace daxlab::dax
