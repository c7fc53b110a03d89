#include "engines/xfslike/log_space.h"

#include <algorithm>

#include "engines/base/check.h"
#include "engines/base/units.h"

namespace daxlab::xfslike {

LogSpace::LogSpace(pmem::Region& region, std::span<const BlockRun> runs) {
  uint64_t bytes = 0;
  for (const BlockRun& run : runs) {
    for (uint64_t done = 0; done < run.count;) {
      const auto range = region.direct_access(run.first + done, run.count - done);
      const uint64_t size_bytes = range.block_count * kBlockBytes;
      if (!pieces_.empty() && pieces_.back().address + pieces_.back().size_bytes == range.address)
        pieces_.back().size_bytes += size_bytes;
      else
        pieces_.push_back({bytes, range.address, size_bytes});
      bytes += size_bytes;
      done += range.block_count;
    }
  }
  blocks_ = static_cast<uint32_t>(bytes / kBasicBlockBytes);
}

size_t LogSpace::piece_at(uint64_t offset_bytes) const {
  DAXLAB_DCHECK(offset_bytes < uint64_t{blocks_} * kBasicBlockBytes);
  const auto behind = std::upper_bound(pieces_.begin(), pieces_.end(), offset_bytes,
                                       [](uint64_t offset, const Piece& piece) { return offset < piece.first_byte; });
  return static_cast<size_t>(behind - pieces_.begin()) - 1;
}

}  // namespace daxlab::xfslike
