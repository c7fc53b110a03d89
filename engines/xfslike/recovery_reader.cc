#include "engines/xfslike/recovery_reader.h"

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstring>

#include "engines/base/crc32c.h"

namespace daxlab::xfslike {

namespace {

template <typename T>
T as(const std::byte* bytes) {
  T value;
  std::memcpy(&value, bytes, sizeof value);
  return value;
}

}  // namespace

std::optional<RecordInfo> RecordReader::parse_v2(const std::byte* block) const {
  const auto header = as<RecordHeaderDisk>(block);
  if (header.magic != kRecordMagic || header.uuid != geometry_.uuid || header.cycle != lsn_cycle(header.lsn)) return {};
  if (!std::has_single_bit(header.iclog_bytes) || header.iclog_bytes < LogConfig::kIclogBytesMin ||
      header.iclog_bytes > LogConfig::kIclogBytesMax || header.iclogs > LogConfig::kIclogsMax)
    return {};
  return RecordInfo{.lsn = header.lsn,
                    .tail_lsn = header.tail_lsn,
                    .header_bytes = header_bytes_v2(header.iclog_bytes),
                    .size_bytes = header.size_bytes,
                    .previous_block = header.previous_block,
                    .ops = header.ops,
                    .iclog_bytes = header.iclog_bytes,
                    .iclogs = header.iclogs,
                    .crc = header.crc,
                    .epoch = 0,
                    .sequence = header.sequence};
}

std::optional<RecordInfo> RecordReader::parse_v3(const std::byte* block) const {
  const auto header = as<RecordHeaderV3Disk>(block);
  if (header.magic != kRecordMagic || header.uuid != geometry_.uuid) return {};
  if (!std::has_single_bit(header.iclog_bytes) || header.iclog_bytes > LogConfig::kIclogBytesMaxV3) return {};
  return RecordInfo{.lsn = header.lsn,
                    .tail_lsn = header.tail_lsn,
                    .header_bytes = kRecordHeaderBytesV3,
                    .size_bytes = header.size_bytes,
                    .previous_block = header.previous_block,
                    .ops = header.ops,
                    .iclog_bytes = header.iclog_bytes,
                    .iclogs = LogConfig::kIclogsMax,
                    .crc = header.crc,
                    .epoch = header.epoch,
                    .sequence = header.sequence};
}

std::optional<RecordInfo> RecordReader::header_at(uint32_t block) {
  alignas(8) std::byte bytes[kBasicBlockBytes];
  placement_.read(block, 1, bytes);
  const auto info = geometry_.format == LogFormat::kV2 ? parse_v2(bytes) : parse_v3(bytes);
  if (!info || lsn_block(info->lsn) != block || info->size_bytes == 0) return {};
  const uint64_t record_bytes = uint64_t{info->header_bytes} + info->size_bytes;
  if (record_bytes > info->iclog_bytes || record_bytes % kBasicBlockBytes != 0 || record_bytes > geometry_.ring_bytes())
    return {};
  return info;
}

std::optional<RecordInfo> RecordReader::header_at(Lsn lsn) {
  auto info = header_at(lsn_block(lsn));
  if (info && info->lsn != lsn) info.reset();
  return info;
}

std::optional<std::span<const std::byte>> RecordReader::payload(const RecordInfo& info) {
  const uint32_t blocks = info.blocks();
  record_.resize(size_t{blocks} * kBasicBlockBytes);
  const uint32_t block = lsn_block(info.lsn);
  const uint32_t before_end = std::min(blocks, geometry_.ring_blocks - block);
  placement_.read(block, before_end, record_.data());
  if (before_end < blocks) placement_.read(0, blocks - before_end, record_.data() + size_t{before_end} * kBasicBlockBytes);
  std::byte* const bytes = record_.data();
  std::byte* const data = bytes + info.header_bytes;
  if (geometry_.format == LogFormat::kV2) {
    if (crc32c(data, info.size_bytes, crc_of_headers_v2(bytes, info.header_bytes)) != info.crc) return {};
    unstamp_v2(bytes, data, info.size_bytes / kBasicBlockBytes);
  } else {
    auto header = as<RecordHeaderV3Disk>(bytes);
    header.crc = 0;
    if (crc32c(data, info.size_bytes, crc32c(&header, sizeof header)) != info.crc) return {};
  }
  return std::span<const std::byte>(data, info.size_bytes);
}

uint32_t RecordReader::cycle_at(uint32_t block) {
  std::byte bytes[kBasicBlockBytes];
  placement_.read(block, 1, bytes);
  const auto first = as<uint32_t>(bytes);
  return first == kRecordMagic ? as<uint32_t>(bytes + sizeof first) : first;
}

}  // namespace daxlab::xfslike
