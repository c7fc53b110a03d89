// Struct pages, or nothing: what an arm must do for each page of pmem that is mapped, faulted on or pinned.
//
// The core's own answer is nothing: fs-dax without pages, as in 2016 (pfn_t without a page). engines/vmap has the other.
#pragma once

#include <cstdint>

namespace daxlab::xfslike {

class FrameDescriptors {
 public:
  virtual ~FrameDescriptors() = default;
  /// Whether the page of this block has a descriptor (pfn_t_has_page() in Linux up to 6.14).
  virtual bool has_page(uint64_t block) const = 0;
  virtual void get(uint64_t block) = 0;  ///< One more map, fault or pin.
  virtual void put(uint64_t block) = 0;
  /// Bytes of DRAM, and of the medium's capacity, that the descriptors take.
  virtual uint64_t dram_bytes() const = 0;
  virtual uint64_t media_bytes() const = 0;
};

}  // namespace daxlab::xfslike
