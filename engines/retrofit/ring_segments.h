// Where every position of the log's ring lies on the medium: the contiguous segments behind it, in order, computed at mount. A log
// write may neither allocate nor ask; it is told its position under a spinning lock.
//
// The list is that of the ring laid out one record further than it is long, so that a record that wraps is a list like any other.
// Segments are whole file system blocks but for the last before the ring's end, and always whole basic blocks of 512 bytes.
//
// Threads: immutable.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "engines/base/units.h"
#include "engines/xfslike/log_space.h"

namespace daxlab::retrofit {

class RingSegments {
 public:
  /// Of the first `ring_bytes` of `space`; records are `record_bytes` at most.
  RingSegments(const xfslike::LogSpace& space, uint64_t ring_bytes, uint64_t record_bytes);

  struct Segment {
    uint64_t begin;  ///< Bytes from the ring's start; of what lies behind the ring's end: on from there.
    uint64_t end;
    std::byte* address;  ///< Of `begin`.
  };
  const Segment& operator[](uint32_t index) const { return segments_[index]; }
  /// Which segment holds byte `offset`, which is below ring_bytes() + record bytes.
  uint32_t index_of(uint64_t offset) const {
    return offset < ring_bytes_ ? of_block_[offset / kBlockBytes] : in_ring_ + of_block_[(offset - ring_bytes_) / kBlockBytes];
  }
  uint64_t ring_bytes() const { return ring_bytes_; }
  uint32_t in_ring() const { return in_ring_; }
  uint64_t dram_bytes() const { return segments_.capacity() * sizeof(Segment) + of_block_.capacity() * sizeof(uint32_t); }

 private:
  const uint64_t ring_bytes_;
  uint32_t in_ring_ = 0;
  std::vector<Segment> segments_;
  std::vector<uint32_t> of_block_;  // the segment that each block of the ring lies in
};

}  // namespace daxlab::retrofit
