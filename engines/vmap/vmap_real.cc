#include "engines/vmap/vmap_real.h"

#include <fmt/format.h>
#include <sys/mman.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "engines/base/account.h"
#include "engines/base/check.h"
#include "engines/base/counters.h"
#include "engines/base/units.h"
#include "engines/vmap/mapped_pages.h"

namespace daxlab::vmap {

using xfslike::BlockRun;
using xfslike::MappedObject;
using xfslike::Segment;

VmapReal::Window::~Window() { munmap(base_, pages_ * kBlockBytes); }

void VmapReal::Window::reserve(PageRange range) {
  void* const made = mmap(address(range.first), range.count * kBlockBytes, PROT_NONE,
                          MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0);
  DAXLAB_CHECK(made == address(range.first));
}

void VmapReal::Window::cleared(PageRange range) {
  const MutexLock lock(mutex_);
  if (poison_) DAXLAB_CHECK(mprotect(address(range.first), range.count * kBlockBytes, PROT_NONE) == 0);
  stale_[range.first] = range.count;
}

void VmapReal::Window::flushed(PageRange range) {
  const MutexLock lock(mutex_);
  for (auto at = stale_.lower_bound(range.first); at != stale_.end() && at->first < range.end();) {
    DAXLAB_CHECK(at->first + at->second <= range.end());
    reserve({at->first, at->second});
    at = stale_.erase(at);
  }
}

uint64_t VmapReal::Window::stale_pages() const {
  const MutexLock lock(mutex_);
  uint64_t pages = 0;
  for (const auto& [first, count] : stale_) pages += count;
  return pages;
}

class VmapReal::Object final : public MappedObject {
 public:
  Object(VmapReal& mapping, HeldPages held, Segment segment, uint64_t page, uint32_t pages)
      : mapping_(mapping), held_(std::move(held)), segment_(segment), page_(page), pages_(pages) {}
  ~Object() override {
    const AccountScope scope(Phase::kMap);
    mapping_.allocator_->unmap(page_, pages_);
  }
  std::span<const Segment> segments() const override { return {&segment_, 1}; }

 private:
  VmapReal& mapping_;
  const HeldPages held_;
  const Segment segment_;
  const uint64_t page_;
  const uint32_t pages_;
};

/// A single page is reached through the medium's own mapping.
class OnePage final : public MappedObject {
 public:
  OnePage(HeldPages held, Segment segment) : held_(std::move(held)), segment_(segment) {}
  std::span<const Segment> segments() const override { return {&segment_, 1}; }

 private:
  const HeldPages held_;
  const Segment segment_;
};

VmapReal::VmapReal(pmem::Region& region, std::unique_ptr<FrameTable> frames, std::unique_ptr<Window> window,
                   const VmapConfig& config)
    : region_(region),
      frames_(std::move(frames)),
      window_(std::move(window)),
      allocator_(std::make_unique<VmapAllocator>(config, window_.get())) {}

VmapReal::~VmapReal() = default;

uint64_t VmapReal::stale_pages() const { return window_->stale_pages(); }

Result<std::unique_ptr<VmapReal>> VmapReal::make(pmem::Region& region, std::unique_ptr<FrameTable> frames,
                                                 const VmapConfig& config, bool poison) {
  if (region.fd() < 0)
    return Error(Errc::kMissingFacility, "map=vmap-real needs a medium that can be mapped in pages of 4 KiB: not devdax");
  const uint64_t bytes = config.window_pages * kBlockBytes;
  void* const base = mmap(nullptr, bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (base == MAP_FAILED)
    return Error(Errc::kMissingFacility,
                 fmt::format("no addresses for a window of {}: {}", format_size(bytes), std::strerror(errno)));
  auto window = std::make_unique<Window>(static_cast<std::byte*>(base), config.window_pages, poison);
  std::unique_ptr<VmapReal> made(new VmapReal(region, std::move(frames), std::move(window), config));
  const BlockRun first{1, 1};  // in the middle of a huge page, where the medium has such
  const auto tried = made->alias(0, {&first, 1});
  made->window_->cleared({0, 1});
  made->window_->flushed({0, 1});
  if (!tried.ok()) return Error(Errc::kMissingFacility, "map=vmap-real: " + tried.error().message());
  return made;
}

Result<void> VmapReal::alias(uint64_t page, std::span<const BlockRun> runs) {
  for (const BlockRun& run : runs) {
    for (uint64_t done = 0; done < run.count;) {
      const auto piece = region_.direct_access(run.first + done, run.count - done);
      const auto offset = static_cast<off_t>(region_.file_offset(piece.address));
      void* const to = window_->address(page);
      if (mmap(to, piece.block_count * kBlockBytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, region_.fd(), offset) != to)
        return Error(Errc::kNoSpace, fmt::format("cannot map block {}: {}{}", run.first + done, std::strerror(errno),
                                                 errno == ENOMEM ? " (vm.max_map_count pieces are mapped)" : ""));
      page += piece.block_count;
      done += piece.block_count;
    }
  }
  return {};
}

Result<std::unique_ptr<MappedObject>> VmapReal::map(std::span<const BlockRun> runs) {
  DAXLAB_CHECK(!runs.empty());
  const uint32_t pages = pages_of(runs);
  DAXLAB_ASSIGN(HeldPages held, HeldPages::hold(*frames_, runs));
  if (pages == 1) {
    const Segment segment{region_.block_address(runs[0].first), kBlockBytes};
    return std::unique_ptr<MappedObject>(new OnePage(std::move(held), segment));
  }
  const AccountScope scope(Phase::kMap);
  DAXLAB_ASSIGN(const uint64_t page, allocator_->map_patiently(cpu_of_thread(allocator_->config().cpus), pages));
  if (const auto made = alias(page, runs); !made.ok()) {
    allocator_->unmap(page, pages);
    allocator_->unmap_aliases();
    return made.error();
  }
  count(Counter::map_calls);
  const Segment segment{window_->address(page), static_cast<uint32_t>(pages * kBlockBytes)};
  return std::unique_ptr<MappedObject>(new Object(*this, std::move(held), segment, page, pages));
}

}  // namespace daxlab::vmap
