// How a metadata object of several file system blocks is made addressable on the medium: the second part that arms exchange.
//
// map=contig demands one contiguous piece; map=segment (engines/retrofit) keeps a list of pieces; vmap-real and vmap-model
// (engines/vmap) make them virtually contiguous. A mapping is made when an object comes into the cache and undone when it leaves.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

#include "engines/base/result.h"

namespace daxlab::xfslike {

/// File system blocks [first, first + count), which need not be contiguous on the medium.
struct BlockRun {
  uint64_t first = 0;
  uint32_t count = 0;
};

/// One contiguous piece of a mapped object.
struct Segment {
  std::byte* address = nullptr;
  uint32_t size_bytes = 0;
};

/// An object made addressable; destruction unmaps.
class MappedObject {
 public:
  virtual ~MappedObject() = default;
  /// In order of offset. One where the object is contiguous.
  virtual std::span<const Segment> segments() const = 0;
};

class BufferMapping {
 public:
  virtual ~BufferMapping() = default;
  virtual const char* name() const = 0;
  /// kNoSpace where no address space is left; kNotSupported where the mapping cannot do it (contig over pieces, no struct page).
  virtual Result<std::unique_ptr<MappedObject>> map(std::span<const BlockRun> runs) = 0;
  virtual uint64_t dram_bytes() const { return 0; }
};

}  // namespace daxlab::xfslike
