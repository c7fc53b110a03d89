// The log's bytes on the medium: file system blocks, in order, wherever the medium's geometry puts them.
//
// Threads: any; immutable but for what callers store.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "engines/pmem/region.h"
#include "engines/xfslike/buffer_mapping.h"
#include "engines/xfslike/lsn.h"

namespace daxlab::xfslike {

class LogSpace {
 public:
  /// The pieces are looked up once, here, as a log write may neither allocate nor ask.
  LogSpace(pmem::Region& region, std::span<const BlockRun> runs);

  uint32_t blocks() const { return blocks_; }
  struct Piece {
    uint64_t first_byte;
    std::byte* address;
    uint64_t size_bytes;
  };
  std::span<const Piece> pieces() const { return pieces_; }

  /// Calls use(address, size) for each contiguous part of [offset, offset + size), not over the end. Returns how many.
  template <typename Use>
  uint32_t for_each(uint64_t offset_bytes, uint64_t size_bytes, Use use) const {
    uint32_t parts = 0;
    for (size_t i = piece_at(offset_bytes); size_bytes > 0; ++i, ++parts) {
      const Piece& piece = pieces_[i];
      const uint64_t skip = offset_bytes - piece.first_byte;
      const uint64_t here = piece.size_bytes - skip < size_bytes ? piece.size_bytes - skip : size_bytes;
      use(piece.address + skip, here);
      offset_bytes += here;
      size_bytes -= here;
    }
    return parts;
  }

 private:
  size_t piece_at(uint64_t offset_bytes) const;
  std::vector<Piece> pieces_;
  uint32_t blocks_ = 0;
};

}  // namespace daxlab::xfslike
