#include "engines/xfslike/contig_mapping.h"

#include "engines/base/units.h"

namespace daxlab::xfslike {

namespace {

class ContigObject final : public MappedObject {
 public:
  explicit ContigObject(Segment segment) : segment_(segment) {}
  std::span<const Segment> segments() const override { return {&segment_, 1}; }

 private:
  const Segment segment_;
};

}  // namespace

Result<std::unique_ptr<MappedObject>> ContigMapping::map(std::span<const BlockRun> runs) {
  DAXLAB_CHECK(!runs.empty());
  std::byte* const begin = region_.block_address(runs[0].first);
  uint64_t blocks = 0;
  for (const BlockRun& run : runs) {
    for (uint64_t done = 0; done < run.count;) {
      const auto piece = region_.direct_access(run.first + done, run.count - done);
      if (piece.address != begin + blocks * kBlockBytes) return Errc::kNotSupported;
      blocks += piece.block_count;
      done += piece.block_count;
    }
  }
  return std::unique_ptr<MappedObject>(new ContigObject({begin, static_cast<uint32_t>(blocks * kBlockBytes)}));
}

}  // namespace daxlab::xfslike
