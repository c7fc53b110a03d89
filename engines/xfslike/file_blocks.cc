#include "engines/xfslike/file_blocks.h"

#include <algorithm>

#include "engines/base/clock.h"
#include "engines/pmem/persist.h"
#include "engines/xfslike/bmap.h"
#include "engines/xfslike/mapped.h"
#include "engines/xfslike/operation.h"

namespace daxlab::xfslike {

namespace {

void zero_blocks(const Volume& volume, uint64_t block, uint64_t count) {
  while (count != 0) {
    const auto piece = volume.region.direct_access(block, count);
    pmem::stream_zero(piece.address, piece.block_count * kBlockBytes);
    block += piece.block_count;
    count -= piece.block_count;
  }
}

struct Missing {
  uint64_t blocks = 0;   ///< In holes.
  uint32_t ranges = 0;   ///< Holes, and unwritten extents if they count.
};
Missing missing_in(Inode& inode, uint64_t first, uint64_t count, bool unwritten_too) {
  const SharedIlock lock(inode);
  Missing missing;
  for (uint64_t at = first; at < first + count;) {
    const Mapped found = map_blocks(inode, at, first + count - at);
    if (found.hole()) missing.blocks += found.count;
    if (found.hole() || (found.unwritten && unwritten_too)) ++missing.ranges;
    at += found.count;
  }
  return missing;
}

/// Extents that one transaction makes at most: a longer operation is several, of which the first reserves the blocks of all.
constexpr uint32_t kExtentsAtOnce = 8;

/// Whether a block of [at, end) is mapped.
bool any_mapped(const Inode& inode, uint64_t at, uint64_t end) {
  const Extent* const extent = inode.extents.at_or_after(at);
  return extent != nullptr && extent->offset < end;
}

}  // namespace

// Order, for each extent: zeroes into its blocks; fence; the transaction that maps or converts it.
Result<void> make_written(FileSystem& fs, Inode& inode, uint64_t first, uint64_t count, std::vector<MadeRange>& made,
                          uint64_t& sequence) {
  const uint64_t end = first + count;
  for (uint64_t at = first; at < end;) {
    const Missing missing = missing_in(inode, at, end - at, true);
    if (missing.ranges == 0) return {};
    DAXLAB_ASSIGN(const auto operation, Operation::begin(fs, reservation::write(*fs.volume, missing.blocks, kExtentsAtOnce)));
    Transaction& transaction = **operation;
    const ExclusiveIlock lock(inode);
    transaction.join(inode);
    for (uint32_t extents = 0; at < end && extents < kExtentsAtOnce;) {
      const Mapped found = map_blocks(inode, at, end - at);
      uint64_t done = found.count;
      if (found.hole()) {
        DAXLAB_ASSIGN(const Extent extent, allocate_blocks(transaction, inode, at, found.count, false));
        done = extent.count;
        zero_blocks(*fs.volume, extent.block, done);
        pmem::fence();
      } else if (found.unwritten) {
        zero_blocks(*fs.volume, found.block, done);
        pmem::fence();
        DAXLAB_TRY(convert_unwritten(transaction, inode, at, done));
      }
      if (found.hole() || found.unwritten) {
        made.push_back({at, done});
        ++extents;
      }
      at += done;
    }
    DAXLAB_TRY(operation->commit());
    sequence = operation->sequence();
  }
  return {};
}

// No store but the transactions': unwritten blocks read as zeroes whatever they hold.
Result<void> make_allocated(FileSystem& fs, Inode& inode, uint64_t first, uint64_t count, uint64_t& sequence) {
  const uint64_t end = first + count;
  for (uint64_t at = first; at < end;) {
    const Missing missing = missing_in(inode, at, end - at, false);
    if (missing.ranges == 0) return {};
    DAXLAB_ASSIGN(const auto operation, Operation::begin(fs, reservation::write(*fs.volume, missing.blocks, kExtentsAtOnce)));
    const ExclusiveIlock lock(inode);
    (*operation)->join(inode);
    for (uint32_t extents = 0; at < end && extents < kExtentsAtOnce;) {
      const Mapped found = map_blocks(inode, at, end - at);
      uint64_t done = found.count;
      if (found.hole()) {
        DAXLAB_ASSIGN(const Extent extent, allocate_blocks(**operation, inode, at, found.count, true));
        done = extent.count;
        ++extents;
      }
      at += done;
    }
    DAXLAB_TRY(operation->commit());
    sequence = operation->sequence();
  }
  return {};
}

Result<void> make_unwritten(FileSystem& fs, Inode& inode, uint64_t first, uint64_t count, uint64_t& sequence) {
  if (count == 0) return {};
  DAXLAB_ASSIGN(const auto operation, Operation::begin(fs, reservation::write(*fs.volume, 0, 2)));
  const ExclusiveIlock lock(inode);
  if (!any_mapped(inode, first, first + count)) return {};
  (*operation)->join(inode);
  DAXLAB_TRY(convert_to_unwritten(**operation, inode, first, count));
  DAXLAB_TRY(operation->commit());
  sequence = operation->sequence();
  return {};
}

Result<void> free_blocks(FileSystem& fs, Inode& inode, uint64_t first, uint64_t count, uint64_t& sequence) {
  for (bool done = count == 0; !done;) {
    {
      const SharedIlock lock(inode);
      if (!any_mapped(inode, first, first + count)) return {};
    }
    DAXLAB_ASSIGN(const auto operation, Operation::begin(fs, reservation::unmap(*fs.volume)));
    const ExclusiveIlock lock(inode);
    (*operation)->join(inode);
    DAXLAB_ASSIGN(done, unmap_blocks(**operation, inode, first, count));
    DAXLAB_TRY(operation->commit());
    sequence = operation->sequence();
  }
  return {};
}

bool zero_written(FileSystem& fs, Inode& inode, uint64_t begin, uint64_t end) {
  bool any = false;
  while (begin < end) {
    const uint64_t in_block = begin % kBlockBytes;
    Mapped found;
    {
      const SharedIlock lock(inode);
      const uint64_t block = begin / kBlockBytes;
      found = map_blocks(inode, block, div_up(end, kBlockBytes) - block);
    }
    uint64_t bytes = std::min(end - begin, found.count * kBlockBytes - in_block);
    if (!found.hole() && !found.unwritten) {
      const auto piece = fs.volume->region.direct_access(found.block, found.count);
      bytes = std::min(bytes, piece.block_count * kBlockBytes - in_block);
      pmem::stream_zero(piece.address + in_block, bytes);
      any = true;
    }
    begin += bytes;
  }
  return any;
}

Result<void> commit_size(FileSystem& fs, Inode& inode, uint64_t size_bytes, uint64_t& sequence) {
  DAXLAB_ASSIGN(const auto operation, Operation::begin(fs, reservation::attributes(*fs.volume)));
  const ExclusiveIlock lock(inode);
  (*operation)->join(inode);
  inode.core.size_bytes = size_bytes;
  inode.core.mtime_ns = inode.core.ctime_ns = realtime_coarse_ns();
  (*operation)->log(inode, kInodeCore | kInodeData);
  DAXLAB_TRY(operation->commit());
  if (inode.attachment != nullptr) mapped_file(inode)->set_size(size_bytes);
  sequence = operation->sequence();
  return {};
}

Result<void> commit_times(FileSystem& fs, Inode& inode, uint64_t& sequence) {
  const uint64_t now_ns = realtime_coarse_ns();
  {
    const SharedIlock lock(inode);
    if (inode.core.mtime_ns == now_ns && inode.core.ctime_ns == now_ns) return {};
  }
  DAXLAB_ASSIGN(const auto operation, Operation::begin(fs, reservation::attributes(*fs.volume)));
  const ExclusiveIlock lock(inode);
  (*operation)->join(inode);
  inode.core.mtime_ns = inode.core.ctime_ns = now_ns;
  (*operation)->log(inode, kInodeCore);
  DAXLAB_TRY(operation->commit());
  sequence = operation->sequence();
  return {};
}

}  // namespace daxlab::xfslike
