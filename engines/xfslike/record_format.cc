#include "engines/xfslike/record_format.h"

#include <bit>
#include <cstring>
#include <string>

#include "engines/base/crc32c.h"

namespace daxlab::xfslike {

namespace {

constexpr uint32_t kVersion2 = 2;
constexpr uint32_t kVersion3 = 3;
constexpr uint32_t kAnchorBlocks = 8;

}  // namespace

Result<LogGeometry> log_geometry(const LogConfig& config, uint32_t placement_blocks) {
  const auto wrong = [](const char* what) { return Error(Errc::kInvalid, std::string("log: ") + what); };
  const bool v2 = config.format == LogFormat::kV2;
  if (config.iclogs < LogConfig::kIclogsMin || config.iclogs > LogConfig::kIclogsMax) return wrong("iclogs must be 2 to 8");
  if (!std::has_single_bit(config.iclog_size_bytes) || config.iclog_size_bytes < LogConfig::kIclogBytesMin ||
      config.iclog_size_bytes > (v2 ? LogConfig::kIclogBytesMax : LogConfig::kIclogBytesMaxV3))
    return wrong("iclog_size must be a power of two from 16KiB to 256KiB (v3: 32MiB)");
  if (!std::has_single_bit(config.lsunit_bytes) || config.lsunit_bytes < kBasicBlockBytes ||
      config.lsunit_bytes > config.iclog_size_bytes)
    return wrong("lsunit must be a power of two from 512 bytes to iclog_size");
  LogGeometry geometry;
  geometry.format = config.format;
  geometry.header_bytes = v2 ? header_bytes_v2(config.iclog_size_bytes) : kRecordHeaderBytesV3;
  geometry.capacity_bytes = config.iclog_size_bytes - geometry.header_bytes;
  geometry.iclog_bytes = config.iclog_size_bytes;
  geometry.iclogs = config.iclogs;
  geometry.lsunit_bytes = config.lsunit_bytes;
  geometry.uuid = config.uuid;
  const uint32_t taken = v2 ? 0 : kAnchorBlocks;
  if (placement_blocks > taken)
    geometry.ring_blocks = static_cast<uint32_t>(align_down(placement_blocks - taken, config.lsunit_bytes / kBasicBlockBytes));
  // What is in flight and what the search for a torn head looks at must not overlap (recovery_head.h).
  if (uint64_t{geometry.window_blocks()} * 4 > uint64_t{geometry.ring_blocks} * (v2 ? 2 : 3))
    return wrong("too small for its iclogs, which may take half of it (v3: three quarters)");
  return geometry;
}

void compose_v2(std::byte* headers, const RecordDraft& draft, const LogGeometry& geometry) {
  auto* const header = reinterpret_cast<RecordHeaderDisk*>(headers);
  std::memset(headers, 0, geometry.header_bytes);
  header->magic = kRecordMagic;
  header->cycle = lsn_cycle(draft.lsn);
  header->version = kVersion2;
  header->size_bytes = draft.padded_bytes;
  header->lsn = draft.lsn;
  header->tail_lsn = draft.tail_lsn;
  header->previous_block = draft.previous_block;
  header->ops = draft.ops;
  header->iclog_bytes = geometry.iclog_bytes;
  header->uuid = geometry.uuid;
  header->sequence = draft.sequence;
  header->iclogs = geometry.iclogs;
  for (uint32_t i = 1; i < geometry.header_bytes / kRecordHeaderBytes; ++i) {
    auto* const extension = reinterpret_cast<RecordExtensionDisk*>(headers + i * kRecordHeaderBytes);
    extension->cycle = stamp_of(draft.lsn, i, geometry);
  }
}

uint32_t* displaced_word(std::byte* headers, uint32_t index) {
  std::byte* const at = headers + index / kWordsPerHeader * kRecordHeaderBytes;
  const uint32_t word = index % kWordsPerHeader;
  return index < kWordsPerHeader ? &reinterpret_cast<RecordHeaderDisk*>(at)->displaced[word]
                                 : &reinterpret_cast<RecordExtensionDisk*>(at)->displaced[word];
}

uint32_t stamp_of(Lsn lsn, uint32_t index, const LogGeometry& geometry) {
  return lsn_cycle(lsn) + (lsn_block(lsn) + index >= geometry.ring_blocks ? 1 : 0);
}

void stamp_v2(std::byte* headers, std::byte* payload, uint32_t blocks, Lsn lsn, const LogGeometry& geometry) {
  const uint32_t header_blocks = geometry.header_bytes / kBasicBlockBytes;
  for (uint32_t i = 0; i < blocks; ++i) {
    const uint32_t stamp = stamp_of(lsn, header_blocks + i, geometry);
    std::byte* const at = payload + size_t{i} * kBasicBlockBytes;
    std::memcpy(displaced_word(headers, i), at, sizeof stamp);
    std::memcpy(at, &stamp, sizeof stamp);
  }
}

void unstamp_v2(const std::byte* headers, std::byte* payload, uint32_t blocks) {
  for (uint32_t i = 0; i < blocks; ++i)
    std::memcpy(payload + size_t{i} * kBasicBlockBytes, displaced_word(const_cast<std::byte*>(headers), i), sizeof(uint32_t));
}

uint32_t crc_of_headers_v2(const std::byte* headers, uint32_t header_bytes) {
  RecordHeaderDisk header;
  std::memcpy(&header, headers, sizeof header);
  header.crc = 0;
  return crc32c(headers + sizeof header, header_bytes - sizeof header, crc32c(&header, sizeof header));
}

RecordHeaderV3Disk compose_v3(const RecordDraft& draft, const LogGeometry& geometry) {
  RecordHeaderV3Disk header{};
  header.magic = kRecordMagic;
  header.version = kVersion3;
  header.lsn = draft.lsn;
  header.tail_lsn = draft.tail_lsn;
  header.sequence = draft.sequence;
  header.uuid = geometry.uuid;
  header.size_bytes = draft.padded_bytes;
  header.ops = draft.ops;
  header.epoch = draft.epoch;
  header.previous_block = draft.previous_block;
  header.iclog_bytes = geometry.iclog_bytes;
  return header;
}

}  // namespace daxlab::xfslike
