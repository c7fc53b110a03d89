#include "harness/media_pool.h"

#include <fmt/format.h>

#include <algorithm>

#include "engines/base/units.h"

namespace daxlab::harness {

namespace {

/// Whether a medium of `have` bytes holds the engine and what the workload stores.
Result<void> fits(const Cell& cell, uint64_t have) {
  const std::string medium = cell.media.to_string();
  const uint64_t least = cell.engine.type->min_size_bytes();
  if (have < least) {
    return Error(Errc::kUsage, fmt::format("medium {} is too small for {}: {}, it needs {}", medium, cell.engine.type->name(),
                                           format_size(have), format_size(least)));
  }
  const uint64_t space = cell.traits().stores_data ? cell.workload->space_bytes(cell.params, cell.threads) : 0;
  if (have > space) return {};
  return Error(Errc::kUsage,
               fmt::format("medium {} is too small for {}: its files take {} (file_size={}, threads={}); give more with "
                           "--media, or less with --set file_size=",
                           medium, cell.workload->name(), format_size(space), cell.params.get("file_size"), cell.threads));
}

}  // namespace

Result<void> MediaPool::require(const Cell& cell) {
  if (!cell.traits().needs_region) return {};
  if (cell.media.size_bytes != 0) DAXLAB_TRY(fits(cell, cell.media.size_bytes));
  const std::string text = cell.media.to_string();
  auto found = regions_.find(text);
  if (found == regions_.end()) {
    auto opened = pmem::Region::open(cell.media);
    if (!opened.ok()) return Error(Errc::kUsage, fmt::format("medium {}: {}", text, opened.error().message()));
    found = regions_.emplace(text, *std::move(opened)).first;
  }
  return fits(cell, found->second->size_bytes());
}

bool MediaPool::will_populate(const Cell& cell) const {
  return cell.traits().needs_region && cell.media.kind == pmem::MediaKind::kDram && !regions_.contains(cell.media.to_string()) &&
         fits(cell, cell.media.size_bytes).ok();
}

int MediaPool::fd(const Cell& cell) const {
  if (!cell.traits().needs_region || cell.media.kind != pmem::MediaKind::kDram) return -1;
  const auto found = regions_.find(cell.media.to_string());
  return found == regions_.end() ? -1 : found->second->fd();
}

bool MediaPool::huge_pages() const {
  return std::all_of(regions_.begin(), regions_.end(), [](const auto& entry) {
    return entry.second->spec().kind != pmem::MediaKind::kDram || entry.second->huge_pages();
  });
}

}  // namespace daxlab::harness
