// The parts of this folder by the names that the core's options use. What they are made with until the core has options for it:
// struct pages in memory, one CPU, lazy purges, the costs as measured.
#include "engines/xfslike/parts.h"

#include <memory>

#include "engines/base/units.h"
#include "engines/vmap/at_write_log.h"
#include "engines/vmap/frame_table.h"
#include "engines/vmap/premap_log.h"
#include "engines/vmap/vmap_model.h"
#include "engines/vmap/vmap_real.h"

namespace daxlab::vmap {

namespace {

constexpr Pages kPages = Pages::kDram;
constexpr double kCostScale = 1;
constexpr uint32_t kReserve = 8;  // a mapping for every iclog
constexpr uint64_t kRealWindowPages = 4 * kGiB / kBlockBytes;

Result<std::unique_ptr<FrameTable>> make_frames(const xfslike::PartRequest& request) {
  return FrameTable::make(request.region, kPages,
                          static_cast<uint32_t>(div_up(request.region.block_count(), request.options.ags)));
}

Result<std::unique_ptr<xfslike::BufferMapping>> make_model(const xfslike::PartRequest& request) {
  DAXLAB_ASSIGN(auto frames, make_frames(request));
  return std::unique_ptr<xfslike::BufferMapping>(new VmapModel(request.region, std::move(frames), {}, kCostScale));
}

Result<std::unique_ptr<xfslike::BufferMapping>> make_real(const xfslike::PartRequest& request) {
  DAXLAB_ASSIGN(auto frames, make_frames(request));
  DAXLAB_ASSIGN(auto real, VmapReal::make(request.region, std::move(frames), {.window_pages = kRealWindowPages}));
  return std::unique_ptr<xfslike::BufferMapping>(std::move(real));
}

/// By real page tables where the arm's objects are mapped so, else by the model.
Result<std::unique_ptr<xfslike::LogPlacement>> make_premap(const xfslike::PartRequest& request) {
  DAXLAB_ASSIGN(auto mapping, request.options.map == "vmap-real" ? make_real(request) : make_model(request));
  DAXLAB_ASSIGN(auto log, PremapLog::make(std::move(mapping), request.log_runs));
  return std::unique_ptr<xfslike::LogPlacement>(std::move(log));
}

Result<std::unique_ptr<xfslike::LogPlacement>> make_at_write(const xfslike::PartRequest& request) {
  DAXLAB_ASSIGN(auto frames, make_frames(request));
  DAXLAB_ASSIGN(auto log, AtWriteLog::make(request.region, std::move(frames), request.log_runs, {}, kCostScale, kReserve));
  return std::unique_ptr<xfslike::LogPlacement>(std::move(log));
}

const xfslike::RegisterBufferMapping kModel("vmap-model", make_model);
const xfslike::RegisterBufferMapping kReal("vmap-real", make_real);
const xfslike::RegisterLogPlacement kPremap("premap", make_premap);
const xfslike::RegisterLogPlacement kAtWrite("at-write", make_at_write);

}  // namespace

}  // namespace daxlab::vmap
