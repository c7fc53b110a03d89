#include "engines/retrofit/direct_log.h"

#include <utility>

#include "engines/pmem/persist.h"
#include "engines/retrofit/direct_iclog.h"
#include "engines/xfslike/parts.h"
#include "engines/xfslike/record_format.h"

namespace daxlab::retrofit {

using xfslike::IclogSpace;
using xfslike::kBasicBlockBytes;

namespace {

Result<std::unique_ptr<xfslike::LogPlacement>> make_direct(const xfslike::PartRequest& request) {
  return std::unique_ptr<xfslike::LogPlacement>(new DirectLog(request.region, request.log_runs));
}
const xfslike::RegisterLogPlacement kDirect("direct", make_direct);

}  // namespace

Result<std::unique_ptr<IclogSpace>> DirectLog::make_iclog(const xfslike::LogConfig& config) {
  DAXLAB_ASSIGN(const xfslike::LogGeometry geometry, xfslike::log_geometry(config, blocks()));
  if (segments_ == nullptr || segments_->ring_bytes() != geometry.ring_bytes())
    segments_ = std::make_shared<const RingSegments>(space_, geometry.ring_bytes(), geometry.iclog_bytes);
  auto iclog = std::make_unique<DirectIclog>(segments_, geometry, config.knock_out);
  iclog_bytes_ += iclog->dram_bytes();
  return std::unique_ptr<IclogSpace>(std::move(iclog));
}

void DirectLog::read(uint32_t block, uint32_t count, std::byte* to) const {
  space_.for_each(uint64_t{block} * kBasicBlockBytes, uint64_t{count} * kBasicBlockBytes,
                  [&to](const std::byte* from, uint64_t size_bytes) {
                    pmem::load_bytes(to, from, size_bytes);
                    to += size_bytes;
                  });
}

void DirectLog::write(uint32_t block, uint32_t count, const std::byte* from) {
  space_.for_each(uint64_t{block} * kBasicBlockBytes, uint64_t{count} * kBasicBlockBytes,
                  [&from](std::byte* to, uint64_t size_bytes) {
                    pmem::stream(to, from, size_bytes);
                    from += size_bytes;
                  });
}

void DirectLog::sync() { pmem::fence(); }

uint64_t DirectLog::dram_bytes() const { return iclog_bytes_ + (segments_ == nullptr ? 0 : segments_->dram_bytes()); }

}  // namespace daxlab::retrofit
