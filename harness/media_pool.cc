#include "harness/media_pool.h"

#include <fmt/format.h>

#include <algorithm>

#include "engines/base/units.h"

namespace daxlab::harness {

namespace {

Error too_small(const Cell& cell, uint64_t have) {
  return {Errc::kUsage,
          fmt::format("medium {} is too small for {}: {}, it needs {}", cell.media.to_string(), cell.engine.type->name(),
                      format_size(have), format_size(cell.engine.type->min_size_bytes()))};
}

}  // namespace

Result<void> MediaPool::require(const Cell& cell) {
  if (!cell.traits().needs_region) return {};
  const uint64_t least = cell.engine.type->min_size_bytes();
  if (cell.media.size_bytes != 0 && cell.media.size_bytes < least) return too_small(cell, cell.media.size_bytes);
  const std::string text = cell.media.to_string();
  auto found = regions_.find(text);
  if (found == regions_.end()) {
    auto opened = pmem::Region::open(cell.media);
    if (!opened.ok()) return Error(Errc::kUsage, fmt::format("medium {}: {}", text, opened.error().message()));
    found = regions_.emplace(text, *std::move(opened)).first;
  }
  const uint64_t have = found->second->size_bytes();
  if (have < least) return too_small(cell, have);
  return {};
}

bool MediaPool::will_populate(const Cell& cell) const {
  return cell.traits().needs_region && cell.media.kind == pmem::MediaKind::kDram && !regions_.contains(cell.media.to_string()) &&
         cell.media.size_bytes >= cell.engine.type->min_size_bytes();
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
