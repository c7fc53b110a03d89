// A file of an imaginary engine, for the tests and benchmarks of engines/dax: page -> block in memory, blocks handed out from a
// free list, one lock held shared between begin() and end(), as a kernel's ilock would be.
#pragma once

#include <atomic>
#include <cstring>
#include <shared_mutex>
#include <vector>

#include "engines/base/mutex.h"
#include "engines/dax/address_space.h"
#include "engines/dax/page_source.h"
#include "engines/pmem/persist.h"
#include "engines/pmem/region.h"

namespace daxlab::dax {

class ToyFile final : public PageSource {
 public:
  static constexpr int64_t kHole = -1;
  static constexpr std::byte kPoison{0xdd};  ///< What freed blocks hold.

  ToyFile(pmem::Region& region, Mmu& mmu, Policy policy, uint64_t page_count, uint64_t first_block = 0)
      : region_(region), space_(mmu, *this, policy), blocks_(page_count, kHole), limit_(page_count), next_block_(first_block) {
    freed_.reserve(region.block_count());
  }

  AddressSpace& space() { return space_; }
  std::byte* frame(uint64_t page) { return region_.block_address(static_cast<uint64_t>(blocks_[page])); }
  uint64_t commits() const { return commits_.load(); }
  uint64_t begins() const { return begins_.load(); }
  void set_limit(uint64_t pages) { limit_.store(pages); }
  void give_no_space() { no_space_.store(true); }

  /// Gives every page of [first, first + count) a block, filled with `fill`.
  void allocate(uint64_t first, uint64_t count, std::byte fill = std::byte{0}) {
    const std::unique_lock lock(mutex_);
    for (uint64_t page = first; page < first + count; ++page) {
      if (blocks_[page] == kHole) blocks_[page] = take_block();
      std::memset(frame(page), static_cast<int>(fill), kBlockBytes);
    }
  }

  /// Copy-on-write of one page, as an engine does it: faults wait meanwhile, and the old block is poisoned before they go on.
  void move_page(uint64_t page) {
    space_.begin_write(page, 1);
    {
      const std::unique_lock lock(mutex_);
      std::byte* const old_frame = frame(page);
      const int64_t old_block = blocks_[page];
      blocks_[page] = take_block();
      std::memcpy(frame(page), old_frame, kBlockBytes);
      std::memset(old_frame, static_cast<int>(kPoison), kBlockBytes);
      freed_.push_back(old_block);
    }
    space_.end_write(page, 1);
  }

  /// Cuts the file to `pages` pages.
  void truncate(uint64_t pages) {
    const uint64_t count = blocks_.size() - pages;
    space_.begin_truncate(pages, count);
    {
      const std::unique_lock lock(mutex_);
      limit_.store(pages);
      for (uint64_t page = pages; page < blocks_.size(); ++page) {
        if (blocks_[page] == kHole) continue;
        std::memset(frame(page), static_cast<int>(kPoison), kBlockBytes);
        freed_.push_back(blocks_[page]);
        blocks_[page] = kHole;
      }
    }
    space_.end_write(pages, count);
  }

  Result<PageRange> begin(uint64_t page, uint64_t pages_max, Access access) override {
    begins_.fetch_add(1, std::memory_order_relaxed);
    mutex_.lock_shared();
    PageRange range{page, 1, nullptr, false};
    if (page >= blocks_.size()) return fail(Errc::kInvalid);
    if (blocks_[page] == kHole && access == Access::kWrite) {
      mutex_.unlock_shared();
      DAXLAB_TRY(fill_hole(page));
      mutex_.lock_shared();
      range.fresh = true;
    }
    if (blocks_[page] != kHole) range.address = frame(page);
    while (range.page_count < pages_max && page + range.page_count < blocks_.size() &&
           (range.address == nullptr ? blocks_[page + range.page_count] == kHole
                                     : blocks_[page + range.page_count] != kHole &&
                                           frame(page + range.page_count) == range.address + range.page_count * kBlockBytes)) {
      ++range.page_count;
    }
    return range;
  }
  void end(const PageRange&, Access) override { mutex_.unlock_shared(); }
  Result<void> commit(uint64_t, uint64_t) override {
    commits_.fetch_add(1);
    return {};
  }
  uint64_t page_limit() const override { return limit_.load(std::memory_order_relaxed); }

 private:
  Errc fail(Errc code) {
    mutex_.unlock_shared();
    return code;
  }
  Result<void> fill_hole(uint64_t page) {
    const std::unique_lock lock(mutex_);
    if (blocks_[page] != kHole) return {};
    if (no_space_.load()) return Errc::kNoSpace;
    blocks_[page] = take_block();
    pmem::stream_zero(frame(page), kBlockBytes);
    pmem::fence();
    return {};
  }
  int64_t take_block() {
    if (next_block_ < region_.block_count()) return static_cast<int64_t>(next_block_++);
    DAXLAB_CHECK(!freed_.empty());
    const int64_t block = freed_.back();
    freed_.pop_back();
    return block;
  }

  pmem::Region& region_;
  AddressSpace space_;
  std::shared_mutex mutex_;
  std::vector<int64_t> blocks_;
  std::vector<int64_t> freed_;
  std::atomic<uint64_t> limit_;
  uint64_t next_block_;
  std::atomic<bool> no_space_{false};
  std::atomic<uint64_t> commits_{0};
  std::atomic<uint64_t> begins_{0};
};

}  // namespace daxlab::dax
