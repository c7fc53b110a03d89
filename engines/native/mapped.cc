#include "engines/native/mapped.h"

#include <algorithm>
#include <cstring>

#include "engines/base/clock.h"
#include "engines/base/no_alloc_zone.h"
#include "engines/native/cleaner.h"
#include "engines/pmem/persist.h"

namespace daxlab::native {

MappedFile::MappedFile(FileSystem& fs, Inode& inode) : fs_(fs), inode_(inode), space_(*fs.mmu, *this, fs.options.policy) {
  fs.mapped.add(inode.id());
}

MappedFile::~MappedFile() { fs_.mapped.remove(inode_.id()); }

// Order for a hole: the block's zeroes; fence; the record; fence. Only then does anybody see the page.
Result<void> MappedFile::fill_hole(uint64_t page) {
  Change change;
  change.in_fault = true;
  const uint32_t before = page == 0 ? 0 : inode_.data.get(page - 1).block;
  DAXLAB_TRY(allocate_runs(fs_, change, page, 1, before == 0 ? 0 : before + 1));
  pmem::stream_zero(fs_.volume.address(change.runs[0].block), kBlockBytes);
  pmem::fence();
  return commit_change(fs_, inode_, change);
}

/// Bytes of the last page beyond the end of the file read as zero through a mapping (mmap(2)); on the medium they may be anything.
void MappedFile::zero_behind_end(uint64_t page, uint32_t block) {
  const uint64_t size_bytes = inode_.size_bytes.load(std::memory_order_relaxed);
  if (page != size_bytes / kBlockBytes) return;
  const uint64_t keep = size_bytes % kBlockBytes;
  std::byte* const rest = fs_.volume.address(block) + keep;
  const uint64_t rest_bytes = kBlockBytes - keep;
  if (rest[0] == std::byte{0} && std::memcmp(rest, rest + 1, rest_bytes - 1) == 0) return;
  pmem::store_fill(rest, std::byte{0}, rest_bytes);  // durability is not needed: growing the file zeroes it again
}

Result<dax::PageRange> MappedFile::begin(uint64_t page, uint64_t pages_max, dax::Access access) {
  const NoAllocZone no_alloc;
  const StripeLock::Mask mask = StripeLock::pages(page, pages_max);
  const bool write = access == dax::Access::kWrite;
  inode_.stripes.lock(mask);
  const auto fail = [&](Error error) {
    inode_.stripes.unlock(mask);
    return error;
  };
  const uint64_t limit = page_limit();
  if (page >= limit) return fail(Errc::kInvalid);
  dax::PageRange range;
  range.first_page = page;
  if (write) {
    stored_.store(true, std::memory_order_relaxed);
    if (inode_.data.get(page).hole()) {
      const auto filled = fill_hole(page);
      if (!filled.ok()) return fail(filled.error());
      range.fresh = true;
    }
    const auto retired = retire_small(fs_, inode_);
    if (!retired.ok()) return fail(retired.error());
  }
  const uint32_t block = inode_.data.get(page).block;
  range.page_count = inode_.data.run(page, std::min(pages_max, limit - page));
  if (block != 0) {
    const auto direct = fs_.volume.region.direct_access(block, range.page_count);
    range.address = direct.address;
    range.page_count = direct.block_count;
    const uint64_t last = inode_.size_bytes.load(std::memory_order_relaxed) / kBlockBytes;
    if (last >= page && last < page + range.page_count) zero_behind_end(last, block + static_cast<uint32_t>(last - page));
  }
  // Keep only what end() can name again.
  const StripeLock::Mask kept = StripeLock::pages(page, range.page_count);
  if ((mask & ~kept) != 0) inode_.stripes.unlock(mask & ~kept);
  return range;
}

void MappedFile::end(const dax::PageRange& range, dax::Access) {
  inode_.stripes.unlock(StripeLock::pages(range.first_page, range.page_count));
}

// Allocations and size are durable already; what is left are the times.
Result<void> MappedFile::commit(uint64_t, uint64_t) {
  if (!stored_.exchange(false, std::memory_order_relaxed)) return {};
  const WriterLock lock(inode_.lock);
  const uint64_t now_ns = realtime_coarse_ns();
  Line line = touch_line(inode_, now_ns);
  Record record{&line, 1, 0};
  DAXLAB_TRY(log_append(fs_.volume, inode_, {&record, 1}, Urgency::kReserve));
  pmem::fence();
  inode_.mtime_ns = now_ns;
  inode_.ctime_ns.store(now_ns, std::memory_order_relaxed);
  log_hold_state(fs_.volume, inode_.log, record.page, false);
  clean_what_grew(fs_, inode_);
  return {};
}

uint64_t MappedFile::page_limit() const { return div_up(inode_.size_bytes.load(std::memory_order_acquire), kBlockBytes); }

Result<std::unique_ptr<Mapping>> map_file(FileSystem& fs, Inode& inode, uint64_t offset, uint64_t size_bytes, bool writable) {
  const StripeGuard stripes(inode.stripes, StripeLock::kAll);  // no writer is in the middle of anything
  if (inode.mapped.load(std::memory_order_relaxed) == nullptr) {
    inode.mapped.store(new MappedFile(fs, inode), std::memory_order_release);
  }
  if (size_bytes != 0) inode.data.prepare(offset / kBlockBytes, div_up(size_bytes, kBlockBytes));
  InodeTable::hold(inode);
  const auto keep_alive = std::make_shared<Handle>(fs, inode);
  return inode.mapped.load(std::memory_order_relaxed)->space().map(offset, size_bytes, writable, keep_alive);
}

Result<void> sync_file(Inode& inode) {
  if (!is_mapped(inode)) return {};
  return inode.mapped.load(std::memory_order_relaxed)->space().writeback(0, kFilePagesMax);
}

MappedBracket::MappedBracket(Inode& inode, uint64_t first_page, uint64_t page_count, Data data)
    : inode_(inode), first_page_(first_page), page_count_(page_count) {
  if (!is_mapped(inode) || page_count == 0) return;
  space_ = &inode.mapped.load(std::memory_order_relaxed)->space();
  if (data == Data::kDrop) {
    space_->begin_truncate(first_page, page_count);
  } else {
    space_->begin_write(first_page, page_count);
  }
}

MappedBracket::~MappedBracket() {
  if (space_ != nullptr) space_->end_write(first_page_, page_count_);
}

}  // namespace daxlab::native
