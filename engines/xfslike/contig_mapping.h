// map=contig: an object is addressable where its blocks lie in one piece, and not otherwise.
#pragma once

#include "engines/pmem/region.h"
#include "engines/xfslike/buffer_mapping.h"

namespace daxlab::xfslike {

class ContigMapping final : public BufferMapping {
 public:
  explicit ContigMapping(pmem::Region& region) : region_(region) {}
  const char* name() const override { return "contig"; }
  Result<std::unique_ptr<MappedObject>> map(std::span<const BlockRun> runs) override;

 private:
  pmem::Region& region_;
};

}  // namespace daxlab::xfslike
