#include "engines/xfslike/inode_block_space.h"

#include <algorithm>

#include "engines/base/check.h"
#include "engines/xfslike/bmap.h"
#include "engines/xfslike/inode.h"
#include "engines/xfslike/transaction.h"
#include "engines/xfslike/volume.h"

namespace daxlab::xfslike {

Result<BufferName> InodeBlockSpace::name_of(uint64_t address) const {
  if (address >= kFileBlocksMax / object_blocks_) return Errc::kNotFound;
  DAXLAB_ASSIGN(BlockRuns runs, find_runs(inode_, address * object_blocks_, object_blocks_));
  return BufferName{magic_, inode_.ino(), std::move(runs)};
}

Result<MetadataRef> InodeBlockSpace::get(uint64_t address, Access access) {
  DAXLAB_ASSIGN(const BufferName name, name_of(address));
  if (transaction_ == nullptr) {
    DAXLAB_CHECK(access == Access::kRead);
    return inode_.volume().cache.read_shared(name);
  }
  return transaction_->read(name, access == Access::kWrite);
}

Result<MetadataRef> InodeBlockSpace::add(uint64_t address) {
  DAXLAB_TRY(load_extents(inode_));
  const uint64_t offset = address * object_blocks_;
  const Extent* const before = inode_.extents.before(offset);
  const uint64_t near = before == nullptr ? inode_block(inode_.ino()) : before->block + before->count;
  DAXLAB_ASSIGN(BlockRuns runs, transaction_->allocate_object(near, object_blocks_));
  DAXLAB_TRY(map_runs(*transaction_, inode_, offset, runs));
  return transaction_->create({magic_, inode_.ino(), std::move(runs)});
}

Result<void> InodeBlockSpace::remove(uint64_t address) {
  DAXLAB_ASSIGN(const BufferName name, name_of(address));
  DAXLAB_TRY(transaction_->invalidate(name));
  DAXLAB_ASSIGN(const bool all, unmap_blocks(*transaction_, inode_, address * object_blocks_, object_blocks_));
  DAXLAB_CHECK(all);
  return {};
}

Result<uint64_t> InodeBlockSpace::next(uint64_t address) {
  DAXLAB_CHECK(inode_.extents_loaded.load(std::memory_order_acquire));
  const Extent* const extent = inode_.extents.at_or_after(address * object_blocks_);
  if (extent == nullptr) return Errc::kNotFound;
  return std::max(address, extent->offset / object_blocks_);
}

Result<uint64_t> InodeBlockSpace::unused(uint64_t address) {
  for (;;) {
    const Mapped mapped = map_blocks(inode_, address * object_blocks_, object_blocks_);
    if (mapped.hole()) return address;
    const Extent* const extent = inode_.extents.at_or_after(address * object_blocks_);
    address = std::max(address + 1, extent->end() / object_blocks_);
  }
}

}  // namespace daxlab::xfslike
