#include "engines/pmem/store_tracker.h"

#include "engines/base/no_alloc_zone.h"
#include "engines/base/units.h"

namespace daxlab::pmem::detail {

StoreTracker::StoreTracker(Region& region)
    : begin_(region.bytes().data()),
      size_bytes_(region.size_bytes()),
      seen_(new std::atomic<uint64_t>[div_up(region.size_bytes(), 64 * kCacheLineBytes)] {}) {
  add_listener(*this);
}

StoreTracker::~StoreTracker() { remove_listener(*this); }

void StoreTracker::add(uint64_t offset_bytes, uint64_t size_bytes) {
  if (size_bytes == 0) return;
  const uint64_t last = (offset_bytes + size_bytes - 1) / kCacheLineBytes;
  for (uint64_t line = offset_bytes / kCacheLineBytes; line <= last; ++line) {
    const uint64_t bit = uint64_t{1} << (line % 64);
    if ((seen_[line / 64].fetch_or(bit, std::memory_order_relaxed) & bit) != 0) continue;
    const NoAllocExemption exemption;
    const std::lock_guard lock(mutex_);
    lines_.push_back(line);
  }
}

void StoreTracker::on_store(const void* to, size_t size_bytes, bool, Site) {
  const auto* byte = static_cast<const std::byte*>(to);
  if (byte < begin_ || byte >= begin_ + size_bytes_) return;
  add(static_cast<uint64_t>(byte - begin_), size_bytes);
}

void StoreTracker::on_commit(const uint64_t* to, uint64_t, Site site) { on_store(to, sizeof(uint64_t), false, site); }

std::vector<uint64_t> StoreTracker::take() {
  std::vector<uint64_t> taken;
  {
    const std::lock_guard lock(mutex_);
    taken.swap(lines_);
  }
  for (const uint64_t line : taken) {
    seen_[line / 64].fetch_and(~(uint64_t{1} << (line % 64)), std::memory_order_relaxed);
  }
  return taken;
}

}  // namespace daxlab::pmem::detail
