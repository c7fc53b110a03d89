#include "engines/vmap/vmap_model.h"

#include <fmt/format.h>

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

namespace {

constexpr uint64_t kUnmapped = UINT64_MAX;  // a single page, which needs no window

}  // namespace

class VmapModel::Object final : public MappedObject {
 public:
  Object(VmapModel& model, HeldPages held, Segment segment, uint64_t window, uint32_t pages)
      : model_(model), held_(std::move(held)), segment_(segment), window_(window), pages_(pages) {}
  ~Object() override {
    if (window_ == kUnmapped) return;
    const AccountScope scope(Phase::kMap);
    const auto charge = model_.meter_.unmap(pages_);
    model_.allocator_.unmap(window_, pages_);
  }
  std::span<const Segment> segments() const override { return {&segment_, 1}; }

 private:
  VmapModel& model_;
  const HeldPages held_;
  const Segment segment_;
  const uint64_t window_;
  const uint32_t pages_;
};

VmapModel::VmapModel(pmem::Region& region, std::unique_ptr<FrameTable> frames, const VmapConfig& config, double cost_scale)
    : region_(region), frames_(std::move(frames)), allocator_(config), meter_(config.cpus, cost_scale) {}

Result<std::unique_ptr<MappedObject>> VmapModel::map(std::span<const BlockRun> runs) {
  DAXLAB_CHECK(!runs.empty());
  const uint32_t pages = pages_of(runs);
  std::byte* const begin = region_.block_address(runs[0].first);
  uint64_t blocks = 0;
  for (const BlockRun& run : runs) {
    for (uint64_t done = 0; done < run.count;) {
      const auto piece = region_.direct_access(run.first + done, run.count - done);
      if (piece.address != begin + blocks * kBlockBytes)
        return Error(Errc::kNotSupported,
                     fmt::format("map=vmap-model reads an object where it lies, and block {} does not follow "
                                 "the one before it: meta_run=linear, or map=vmap-real",
                                 run.first + done));
      blocks += piece.block_count;
      done += piece.block_count;
    }
  }
  DAXLAB_ASSIGN(HeldPages held, HeldPages::hold(*frames_, runs));
  const Segment segment{begin, static_cast<uint32_t>(blocks * kBlockBytes)};
  uint64_t window = kUnmapped;
  if (pages > 1) {
    const AccountScope scope(Phase::kMap);
    const auto charge = meter_.map(pages);
    DAXLAB_ASSIGN(window, allocator_.map_patiently(cpu_of_thread(allocator_.config().cpus), pages));
    count(Counter::map_calls);
  }
  return std::unique_ptr<MappedObject>(new Object(*this, std::move(held), segment, window, pages));
}

}  // namespace daxlab::vmap
