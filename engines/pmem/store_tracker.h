// Which lines of a region were stored to through the door since it was asked last. Thread-safe. Inside engines/pmem only.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <vector>

#include "engines/pmem/region.h"
#include "engines/pmem/watch.h"

namespace daxlab::pmem::detail {

class StoreTracker final : public Listener {
 public:
  explicit StoreTracker(Region& region);
  ~StoreTracker() override;

  /// Line numbers (offset / 64) in no order; the tracker forgets them.
  std::vector<uint64_t> take();
  void add(uint64_t offset_bytes, uint64_t size_bytes);

  void on_store(const void* to, size_t size_bytes, bool streamed, Site site) override;
  void on_commit(const uint64_t* to, uint64_t value, Site site) override;
  void on_load(const void*, size_t) override {}
  void on_flush(const void*, size_t, Site) override {}
  void on_fence(Site) override {}

 private:
  const std::byte* begin_;
  uint64_t size_bytes_;
  std::unique_ptr<std::atomic<uint64_t>[]> seen_;  // one bit a line
  std::mutex mutex_;
  std::vector<uint64_t> lines_;
};

}  // namespace daxlab::pmem::detail
