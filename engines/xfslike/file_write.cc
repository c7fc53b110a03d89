#include <algorithm>
#include <vector>

#include "engines/base/account.h"
#include "engines/base/clock.h"
#include "engines/base/counters.h"
#include "engines/base/trace.h"
#include "engines/dax/user_buffer.h"
#include "engines/dax/write.h"
#include "engines/pmem/persist.h"
#include "engines/xfslike/bmap.h"
#include "engines/xfslike/file_blocks.h"
#include "engines/xfslike/file_data.h"
#include "engines/xfslike/mapped.h"
#include "engines/xfslike/operation.h"

namespace daxlab::xfslike {

namespace {

/// What dax::write() asks of a write whose blocks are all there. New ones are said to be fresh once, so that zero pages in their place go.
class WriteSource final : public dax::PageSource {
 public:
  WriteSource(FileSystem& fs, Inode& inode, const std::vector<MadeRange>& made) : fs_(fs), inode_(inode), made_(made) {}

  Result<dax::PageRange> begin(uint64_t page, uint64_t pages_max, dax::Access) override {
    dax::PageRange range;
    range.first_page = page;
    Mapped found;
    {
      const SharedIlock lock(inode_);
      found = map_blocks(inode_, page, pages_max);
    }
    DAXLAB_CHECK(!found.hole() && !found.unwritten);
    const auto direct = fs_.volume->region.direct_access(found.block, found.count);
    range.address = direct.address;
    range.page_count = direct.block_count;
    if (page < said_until_) return range;
    for (const MadeRange& made : made_) {
      if (page >= made.first + made.count || page + range.page_count <= made.first) continue;
      range.fresh = true;
      said_until_ = page + range.page_count;
    }
    return range;
  }
  void end(const dax::PageRange&, dax::Access) override {}
  Result<void> commit(uint64_t, uint64_t) override { return {}; }
  uint64_t page_limit() const override { return kFileBytesMax / kBlockBytes; }
  uint64_t ino() const override { return inode_.ino(); }

 private:
  FileSystem& fs_;
  Inode& inode_;
  const std::vector<MadeRange>& made_;
  uint64_t said_until_ = 0;
};

Result<void> store_data(FileSystem& fs, Inode& inode, uint64_t offset, std::span<const std::byte> data,
                        const std::vector<MadeRange>& made) {
  const AccountScope scope(Phase::kCopy);
  WriteSource source(fs, inode, made);
  if (is_mapped(inode)) return dax::write(mapped_file(inode)->space(), source, offset, data);
  dax::AddressSpace nobodys(*fs.mmu, source, fs.options.policy);
  return dax::write(nobodys, source, offset, data);
}

// Order: zeroes into new blocks | the transaction that maps them ; zeroes between the old end and the offset ; data | the size. A crash
// before the last transaction is durable leaves the old size and any of the bytes below it.
Result<void> write_locked(FileSystem& fs, Inode& inode, uint64_t offset, std::span<const std::byte> data, uint64_t old_size,
                          uint64_t& sequence) {
  const uint64_t end = offset + data.size();
  const uint64_t first = offset / kBlockBytes;
  std::vector<MadeRange> made;
  DAXLAB_TRY(make_written(fs, inode, first, div_up(end, kBlockBytes) - first, made, sequence));
  DAXLAB_TRY(commit_times(fs, inode, sequence));
  if (offset > old_size) zero_written(fs, inode, old_size, offset);
  DAXLAB_TRY(store_data(fs, inode, offset, data, made));
  pmem::fence();
  if (end > old_size) DAXLAB_TRY(commit_size(fs, inode, end, sequence));
  return {};
}

}  // namespace

Result<uint64_t> write_data(FileSystem& fs, Inode& inode, std::optional<uint64_t> where, std::span<const std::byte> user) {
  const ScopedLockScope scope(LockScope::kWrite);
  DAXLAB_TRACE2(write_begin, where.value_or(0), user.size());
  count(Counter::writes);
  count(Counter::logical_bytes, user.size());
  const dax::SourceBuffer source(user);
  const auto data = source.bytes();
  const auto result = [&]() -> Result<uint64_t> {
    const ExclusiveRwsem rwsem(inode);
    uint64_t size_bytes;
    {
      const SharedIlock lock(inode);
      size_bytes = inode.core.size_bytes;
    }
    const uint64_t offset = where.value_or(size_bytes);
    if (data.empty()) return offset;
    if (offset > kFileBytesMax || data.size() > kFileBytesMax - offset) return Errc::kFileTooBig;
    uint64_t sequence = 0;
    DAXLAB_TRY(write_locked(fs, inode, offset, data, size_bytes, sequence));
    if (sequence != 0) DAXLAB_TRY(fs.settle(sequence));
    return offset;
  }();
  DAXLAB_TRACE2(write_end, where.value_or(0), user.size());
  return result;
}

}  // namespace daxlab::xfslike
