#include "engines/retrofit/segment_mapping.h"

#include <utility>
#include <vector>

#include "engines/base/check.h"
#include "engines/xfslike/buffer_bytes.h"
#include "engines/xfslike/parts.h"

namespace daxlab::retrofit {

namespace {

class SegmentObject final : public xfslike::MappedObject {
 public:
  SegmentObject(std::vector<xfslike::Segment> pieces, std::atomic<uint64_t>& dram_bytes)
      : pieces_(std::move(pieces)), dram_bytes_(dram_bytes) {
    dram_bytes_.fetch_add(own_bytes(), std::memory_order_relaxed);
  }
  ~SegmentObject() override { dram_bytes_.fetch_sub(own_bytes(), std::memory_order_relaxed); }
  std::span<const xfslike::Segment> segments() const override { return pieces_; }

 private:
  uint64_t own_bytes() const { return sizeof *this + pieces_.capacity() * sizeof(xfslike::Segment); }
  const std::vector<xfslike::Segment> pieces_;
  std::atomic<uint64_t>& dram_bytes_;
};

Result<std::unique_ptr<xfslike::BufferMapping>> make_segment(const xfslike::PartRequest& request) {
  return std::unique_ptr<xfslike::BufferMapping>(new SegmentMapping(request.region));
}
const xfslike::RegisterBufferMapping kSegment("segment", make_segment);

}  // namespace

Result<std::unique_ptr<xfslike::MappedObject>> SegmentMapping::map(std::span<const xfslike::BlockRun> runs) {
  DAXLAB_CHECK(!runs.empty());
  return std::unique_ptr<xfslike::MappedObject>(new SegmentObject(xfslike::pieces_of(region_, runs), dram_bytes_));
}

}  // namespace daxlab::retrofit
