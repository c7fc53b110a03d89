#include <algorithm>
#include <cstring>

#include "engines/base/account.h"
#include "engines/dax/user_buffer.h"
#include "engines/pmem/persist.h"
#include "engines/xfslike/bmap.h"
#include "engines/xfslike/file_data.h"

namespace daxlab::xfslike {

namespace {

/// Bytes [in_block, in_block + size) of the blocks from `block` on, piece by piece.
void load_blocks(const Volume& volume, uint64_t block, uint64_t in_block, uint64_t size_bytes, std::byte* to) {
  while (size_bytes != 0) {
    const auto piece = volume.region.direct_access(block, div_up(in_block + size_bytes, kBlockBytes));
    const uint64_t bytes = std::min(size_bytes, piece.block_count * kBlockBytes - in_block);
    pmem::load_bytes(to, piece.address + in_block, bytes);
    to += bytes;
    size_bytes -= bytes;
    block += piece.block_count;
    in_block = 0;
  }
}

}  // namespace

// Under i_rwsem shared the blocks stay; ilock is held for each look-up only.
Result<size_t> read_data(FileSystem& fs, Inode& inode, uint64_t offset, std::span<std::byte> out) {
  dax::DestinationBuffer destination(out);
  size_t done = 0;
  {
    const SharedRwsem rwsem(inode);
    size_t wanted = 0;
    {
      const SharedIlock lock(inode);
      const uint64_t size_bytes = inode.core.size_bytes;
      if (offset >= size_bytes) return size_t{0};
      wanted = std::min<uint64_t>(out.size(), size_bytes - offset);
    }
    while (done < wanted) {
      const uint64_t at = offset + done;
      const uint64_t in_block = at % kBlockBytes;
      Mapped found;
      {
        const SharedIlock lock(inode);
        found = map_blocks(inode, at / kBlockBytes, div_up(in_block + wanted - done, kBlockBytes));
      }
      const uint64_t here = std::min<uint64_t>(wanted - done, found.count * kBlockBytes - in_block);
      std::byte* const to = destination.bytes().data() + done;
      const AccountScope scope(Phase::kCopy);
      if (found.hole() || found.unwritten) {
        std::memset(to, 0, here);
      } else {
        load_blocks(*fs.volume, found.block, in_block, here, to);
      }
      done += here;
    }
  }
  destination.finish(done);
  return done;
}

Result<uint64_t> seek_data(Inode& inode, uint64_t offset, SeekWhat what) {
  const SharedIlock lock(inode);
  const uint64_t size_bytes = inode.core.size_bytes;
  if (offset >= size_bytes) return Errc::kNoData;
  DAXLAB_ASSIGN(const uint64_t block, seek_blocks(inode, offset / kBlockBytes, what));
  const uint64_t found = std::max(offset, block * kBlockBytes);
  if (what == SeekWhat::kHole) return std::min(found, size_bytes);
  if (found >= size_bytes) return Errc::kNoData;
  return found;
}

}  // namespace daxlab::xfslike
