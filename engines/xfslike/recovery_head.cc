#include "engines/xfslike/recovery_head.h"

#include <algorithm>
#include <cstring>
#include <string>

namespace daxlab::xfslike {

namespace detail {

bool is_unmount_record(const RecordInfo& info, std::span<const std::byte> payload) {
  OpHeaderDisk op;
  if (info.ops != 1 || payload.size() < sizeof op) return false;
  std::memcpy(&op, payload.data(), sizeof op);
  return (op.flags & kOpUnmount) != 0;
}

Error log_damaged(const char* what, uint32_t block) {
  return Error(Errc::kCorrupt, std::string("log: ") + what + ", block " + std::to_string(block));
}

Result<LogEnds> find_log_ends_v3(LogPlacement& placement, const LogGeometry& geometry) {
  RecordReader reader(placement, geometry);
  LogEnds ends;
  DAXLAB_ASSIGN(ends.anchor, AnchorWriter::read(placement, geometry));
  ends.head = ends.anchor.lsn;
  while (geometry.distance(ends.anchor.lsn, ends.head) < geometry.ring_bytes()) {
    const auto info = reader.header_at(ends.head);
    const bool first = ends.head == ends.anchor.lsn;
    if (!info) break;
    if (!first && (info->sequence != ends.last.sequence + 1 || info->epoch < ends.last.epoch)) break;
    const auto payload = reader.payload(*info);
    if (!payload) {
      ++ends.torn_records;
      break;
    }
    ends.last = *info;
    ends.clean = is_unmount_record(*info, *payload);
    ends.head = reader.end_of(*info);
  }
  if (ends.last.lsn == kNoLsn) return log_damaged("the anchor names no whole record", lsn_block(ends.anchor.lsn));
  // What may have been in flight: as many records as there are iclogs. Look a little further than they reach.
  const uint64_t reach_blocks =
      (LogConfig::kIclogsMax + 2) * uint64_t{std::max(ends.last.iclog_bytes, geometry.iclog_bytes)} / kBasicBlockBytes;
  for (uint32_t i = 0; i < std::min<uint64_t>(reach_blocks, geometry.ring_blocks); ++i) {
    const auto info = reader.header_at(geometry.advance(ends.head, i));
    if (info && info->epoch == ends.last.epoch && info->sequence > ends.last.sequence + LogConfig::kIclogsMax &&
        reader.payload(*info))
      return log_damaged("whole records behind one that is not", lsn_block(ends.head));
  }
  ends.tail = ends.clean ? ends.last.lsn : std::max(ends.anchor.lsn, ends.last.tail_lsn);
  if (ends.tail > ends.last.lsn) return log_damaged("a record names a tail that cannot be", lsn_block(ends.last.lsn));
  ends.epoch = std::max(ends.anchor.epoch, ends.last.epoch);
  return ends;
}

}  // namespace detail

Result<LogEnds> find_log_ends(LogPlacement& placement, const LogGeometry& geometry) {
  return geometry.format == LogFormat::kV2 ? detail::find_log_ends_v2(placement, geometry)
                                           : detail::find_log_ends_v3(placement, geometry);
}

}  // namespace daxlab::xfslike
