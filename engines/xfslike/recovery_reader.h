// Reads records from the log, in either format, and says whether they are whole.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "engines/xfslike/log_placement.h"

namespace daxlab::xfslike {

/// What a record's header says; plausible, not yet summed.
struct RecordInfo {
  Lsn lsn = kNoLsn;
  Lsn tail_lsn = kNoLsn;
  uint32_t header_bytes = 0;
  uint32_t size_bytes = 0;  ///< Payload with its padding.
  uint32_t previous_block = 0;
  uint32_t ops = 0;
  uint32_t iclog_bytes = 0;
  uint32_t iclogs = LogConfig::kIclogsMax;
  uint32_t crc = 0;
  uint32_t epoch = 0;
  uint64_t sequence = 0;

  uint32_t blocks() const { return (header_bytes + size_bytes) / kBasicBlockBytes; }
};

class RecordReader {
 public:
  RecordReader(const LogPlacement& placement, const LogGeometry& geometry) : placement_(placement), geometry_(geometry) {}

  /// A header at this block that names itself and this file system; nothing else is a header.
  std::optional<RecordInfo> header_at(uint32_t block);
  std::optional<RecordInfo> header_at(Lsn lsn);  ///< The same, which must be of this cycle.
  /// The record's payload as it was written, or nothing if its checksum is wrong. Valid until the next call.
  std::optional<std::span<const std::byte>> payload(const RecordInfo& info);
  Lsn end_of(const RecordInfo& info) const { return geometry_.advance(info.lsn, info.blocks()); }
  /// v2: the cycle by which this block was written last.
  uint32_t cycle_at(uint32_t block);

 private:
  std::optional<RecordInfo> parse_v2(const std::byte* block) const;
  std::optional<RecordInfo> parse_v3(const std::byte* block) const;

  const LogPlacement& placement_;
  const LogGeometry geometry_;
  std::vector<std::byte> record_;
};

}  // namespace daxlab::xfslike
