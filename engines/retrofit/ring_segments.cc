#include "engines/retrofit/ring_segments.h"

#include <algorithm>

#include "engines/base/check.h"

namespace daxlab::retrofit {

RingSegments::RingSegments(const xfslike::LogSpace& space, uint64_t ring_bytes, uint64_t record_bytes) : ring_bytes_(ring_bytes) {
  DAXLAB_CHECK(ring_bytes % xfslike::kBasicBlockBytes == 0 && record_bytes <= ring_bytes);
  of_block_.reserve(div_up(ring_bytes, kBlockBytes));
  for (const auto& piece : space.pieces()) {
    if (piece.first_byte >= ring_bytes) break;
    const Segment segment{piece.first_byte, std::min(piece.first_byte + piece.size_bytes, ring_bytes), piece.address};
    while (of_block_.size() * kBlockBytes < segment.end) of_block_.push_back(in_ring_);
    segments_.push_back(segment);
    ++in_ring_;
  }
  for (uint32_t i = 0; segments_.back().end < ring_bytes + record_bytes; ++i) {
    const Segment again = segments_[i];
    segments_.push_back({again.begin + ring_bytes, again.end + ring_bytes, again.address});
  }
  segments_.shrink_to_fit();
}

}  // namespace daxlab::retrofit
