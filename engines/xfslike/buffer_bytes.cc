#include "engines/xfslike/buffer_bytes.h"

#include <algorithm>
#include <cstddef>

#include "engines/base/check.h"
#include "engines/base/crc32c.h"
#include "engines/pmem/persist.h"
#include "engines/xfslike/format.h"

namespace daxlab::xfslike {

BufferBytes::BufferBytes(std::vector<Segment> segments) : segments_(std::move(segments)) {
  for (const Segment& segment : segments_) size_bytes_ += segment.size_bytes;
}

std::byte* BufferBytes::at(uint32_t offset, uint32_t& size) const {
  DAXLAB_CHECK(offset + size <= size_bytes_);
  for (const Segment& segment : segments_) {
    if (offset < segment.size_bytes) {
      size = std::min(size, segment.size_bytes - offset);
      return segment.address + offset;
    }
    offset -= segment.size_bytes;
  }
  check_failed("offset lies within a segment", __FILE__, __LINE__);
}

uint32_t BufferBytes::crc(Lsn lsn) const {
  std::byte scratch[kBlockBytes];
  MetaHeaderDisk header;
  __builtin_memcpy(&header, read(0, sizeof header, scratch), sizeof header);
  header.crc = 0;
  header.lsn = lsn;
  uint32_t sum = crc32c(&header, sizeof header);
  for (uint32_t offset = sizeof header; offset < size_bytes_;) {
    const uint32_t part = std::min<uint32_t>(size_bytes_ - offset, kBlockBytes - offset % kBlockBytes);
    sum = crc32c(read(offset, part, scratch), part, sum);
    offset += part;
  }
  return sum;
}

void BufferBytes::clear_lsn() {
  uint32_t size = sizeof(MetaHeaderDisk);
  pmem::store_bytes(at(0, size) + offsetof(MetaHeaderDisk, lsn), &kNoLsn, sizeof kNoLsn);
}

// Both words are in one line, so the LSN is there only if crc and magic are.
void BufferBytes::store_stamp(uint32_t magic, uint32_t crc_value, Lsn lsn) {
  uint32_t size = sizeof(MetaHeaderDisk);
  auto* const words = reinterpret_cast<uint64_t*>(at(0, size));
  pmem::store_commit(words, magic | uint64_t{crc_value} << 32);
  pmem::store_commit(words + 1, lsn);
  pmem::flush(words, 2 * sizeof(uint64_t));
}

std::vector<Segment> pieces_of(const pmem::Region& region, std::span<const BlockRun> runs) {
  std::vector<Segment> pieces;
  for (const BlockRun& run : runs) {
    for (uint64_t block = run.first; block < run.first + run.count;) {
      const auto range = region.direct_access(block, run.first + run.count - block);
      const auto size = static_cast<uint32_t>(range.block_count * kBlockBytes);
      if (!pieces.empty() && pieces.back().address + pieces.back().size_bytes == range.address) {
        pieces.back().size_bytes += size;
      } else {
        pieces.push_back({range.address, size});
      }
      block += range.block_count;
    }
  }
  return pieces;
}

Result<std::unique_ptr<BufferBytes>> make_buffer_bytes(MetaMode mode, const pmem::Region& region, BufferMapping* mapping,
                                                       std::span<const BlockRun> runs, bool fresh) {
  if (mode == MetaMode::kBuffer) return make_buffer_copy(pieces_of(region, runs), fresh);
  DAXLAB_CHECK(mapping != nullptr);
  return mode == MetaMode::kOverlay ? make_buffer_overlay(*mapping, runs, fresh) : make_buffer_in_place(*mapping, runs, fresh);
}

}  // namespace daxlab::xfslike
