#include <algorithm>
#include <cstring>

#include "engines/base/account.h"
#include "engines/dax/user_buffer.h"
#include "engines/native/file_data.h"
#include "engines/pmem/persist.h"

namespace daxlab::native {

Result<size_t> read_data(FileSystem& fs, Inode& inode, uint64_t offset, std::span<std::byte> out) {
  dax::DestinationBuffer destination(out);
  size_t done = 0;
  {
    const ReaderLock lock(inode.lock);
    const uint64_t size_bytes = inode.size_bytes.load(std::memory_order_relaxed);
    if (offset >= size_bytes) return size_t{0};
    const size_t wanted = std::min<uint64_t>(out.size(), size_bytes - offset);
    while (done < wanted) {
      const uint64_t at = offset + done;
      const uint64_t page = at / kBlockBytes;
      const uint64_t in_page = at % kBlockBytes;
      const uint64_t pages = inode.data.run(page, div_up(in_page + wanted - done, kBlockBytes));
      const uint64_t here = std::min<uint64_t>(wanted - done, pages * kBlockBytes - in_page);
      std::byte* to = destination.bytes().data() + done;
      const uint32_t block = inode.data.get(page).block;
      const AccountScope scope(Phase::kCopy);
      if (block == 0) {
        std::memset(to, 0, here);
      } else {
        for_each_piece(fs.volume, block, in_page, here, [&](std::byte* from, uint64_t bytes) {
          pmem::load_bytes(to, from, bytes);
          to += bytes;
        });
      }
      done += here;
    }
  }
  destination.finish(done);
  return done;
}

Result<uint64_t> seek_data(Inode& inode, uint64_t offset, SeekWhat what) {
  const ReaderLock lock(inode.lock);
  const uint64_t size_bytes = inode.size_bytes.load(std::memory_order_relaxed);
  if (offset >= size_bytes) return Errc::kNoData;
  const uint64_t limit = div_up(size_bytes, kBlockBytes);
  uint64_t page = offset / kBlockBytes;
  if (what == SeekWhat::kData) {
    page = inode.data.next_mapped(page, limit);
    if (page == limit) return Errc::kNoData;
    return std::max(offset, page * kBlockBytes);
  }
  while (page < limit && !inode.data.get(page).hole()) page += inode.data.run(page, limit - page);
  return std::min(size_bytes, std::max(offset, page * kBlockBytes));
}

}  // namespace daxlab::native
