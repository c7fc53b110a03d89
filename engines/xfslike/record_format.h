// What is in the log, byte for byte: records, their headers, the operations in them (XFS: fs/xfs/libxfs/xfs_log_format.h).
//
// A record: header, extensions (v2: one for each further 32 KiB of the iclog), payload padded to lsunit. Its payload is a
// sequence of operations, each an OpHeaderDisk and its bytes; 4-byte units, so that a stamp never cuts one.
//
// A checkpoint: a start operation without bytes; the transaction header; the regions of its items; a commit operation without
// bytes. A region that does not fit goes on in the next record behind an op header of its own; an op header is never cut.
//
// v2: the first 4 bytes of every 512 are the record's cycle; what they displace is kept in the headers. A block that lies behind
// the end of the log, at its start, has the next cycle.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

#include "engines/base/crc32c.h"
#include "engines/base/result.h"
#include "engines/base/units.h"
#include "engines/pmem/on_media.h"
#include "engines/xfslike/log_config.h"
#include "engines/xfslike/lsn.h"

namespace daxlab::xfslike {

inline constexpr uint32_t kRecordMagic = 0xfeedbabe;
inline constexpr uint32_t kTransactionMagic = 0x5452414e;  // "TRAN"
inline constexpr uint32_t kOpHeaderBytes = 12;
inline constexpr uint32_t kWordsPerHeader = 64;                   ///< Displaced words in one header: 32 KiB of log.
inline constexpr uint32_t kRecordHeaderBytes = kBasicBlockBytes;  ///< v2, and each extension.
inline constexpr uint32_t kRecordHeaderBytesV3 = 64;

enum OpFlags : uint8_t {
  kOpStart = 0x01,         ///< Begins a checkpoint.
  kOpCommit = 0x02,        ///< It holds.
  kOpContinue = 0x04,      ///< The region goes on in the next record.
  kOpWasContinued = 0x08,  ///< ... and this is more of it
  kOpEnd = 0x10,           ///< ... the last of it.
  kOpUnmount = 0x20,       ///< The log was empty here.
};

struct OpHeaderDisk {
  uint32_t checkpoint;  ///< Whose: several may be in one record.
  uint32_t size_bytes;  ///< That follow. A multiple of 4.
  uint8_t client;       ///< 0x69, XFS's own transactions.
  uint8_t flags;        ///< OpFlags.
  uint16_t zero;
};
DAXLAB_ON_MEDIA(OpHeaderDisk, 12, 4);
static_assert(sizeof(OpHeaderDisk) == kOpHeaderBytes);
inline constexpr uint8_t kOpClient = 0x69;

struct TransactionHeaderDisk {
  uint32_t magic;  ///< kTransactionMagic.
  uint32_t type;   ///< 40, XFS_TRANS_CHECKPOINT.
  uint32_t checkpoint;
  uint32_t items;
};
DAXLAB_ON_MEDIA(TransactionHeaderDisk, 16, 4);
inline constexpr uint32_t kTransactionCheckpoint = 40;

/// v2. `magic` and `cycle` are one aligned word of 8 bytes: a header is never half new to who looks for cycles.
struct RecordHeaderDisk {
  uint32_t magic;
  uint32_t cycle;
  uint32_t version;
  uint32_t size_bytes;  ///< Payload, padding included.
  Lsn lsn;
  Lsn tail_lsn;
  uint32_t crc;  ///< Over headers (this field 0) and stamped payload.
  uint32_t previous_block;
  uint32_t ops;
  uint32_t iclog_bytes;
  uint64_t uuid;
  uint64_t sequence;
  uint32_t displaced[kWordsPerHeader];
  uint32_t iclogs;  ///< As many records may be in flight with this one.
  uint32_t zero[47];
};
DAXLAB_ON_MEDIA(RecordHeaderDisk, 512, 8);

struct RecordExtensionDisk {
  uint32_t cycle;
  uint32_t displaced[kWordsPerHeader];
  uint32_t zero[63];
};
DAXLAB_ON_MEDIA(RecordExtensionDisk, 512, 4);

struct RecordHeaderV3Disk {
  uint32_t magic;
  uint32_t version;
  Lsn lsn;
  Lsn tail_lsn;
  uint64_t sequence;  ///< One more than the record before it.
  uint64_t uuid;
  uint32_t size_bytes;
  uint32_t ops;
  uint32_t epoch;  ///< Of the mount: what a torn head left behind has a lower one than what is written before it.
  uint32_t previous_block;
  uint32_t iclog_bytes;
  uint32_t crc;  ///< Over header (this field 0) and payload.
};
DAXLAB_ON_MEDIA(RecordHeaderV3Disk, 64, 8);

/// The sizes that follow from a log's configuration and placement.
struct LogGeometry {
  LogFormat format = LogFormat::kV2;
  uint32_t ring_blocks = 0;     ///< v3: less what the anchors take (recovery_anchor.h).
  uint32_t header_bytes = 0;    ///< Of a record, extensions included.
  uint32_t capacity_bytes = 0;  ///< Payload of an iclog.
  uint32_t iclog_bytes = 0;
  uint32_t iclogs = 0;
  uint32_t lsunit_bytes = 0;
  uint64_t uuid = 0;

  uint64_t ring_bytes() const { return uint64_t{ring_blocks} * kBasicBlockBytes; }
  /// Blocks that may be in flight at once, and so be torn by a crash.
  uint32_t window_blocks() const { return iclogs * (iclog_bytes / kBasicBlockBytes); }
  /// Bytes from one position to a later one.
  uint64_t distance(Lsn from, Lsn to) const {
    return (uint64_t{lsn_cycle(to)} * ring_blocks + lsn_block(to) - (uint64_t{lsn_cycle(from)} * ring_blocks + lsn_block(from))) *
           kBasicBlockBytes;
  }
  /// The position `blocks` further on; a cycle is never the magic, which begins a header in its place.
  Lsn advance(Lsn from, uint32_t blocks) const {
    const uint32_t block = lsn_block(from) + blocks;
    return block < ring_blocks ? make_lsn(lsn_cycle(from), block) : make_lsn(lsn_cycle(from) + 1, block - ring_blocks);
  }
};

/// kInvalid names what does not fit together. `placement_blocks` as the placement says.
Result<LogGeometry> log_geometry(const LogConfig& config, uint32_t placement_blocks);
/// Of a v2 record of an iclog of this size.
constexpr uint32_t header_bytes_v2(uint32_t iclog_bytes) {
  return kRecordHeaderBytes * static_cast<uint32_t>(div_up(iclog_bytes, kWordsPerHeader * kBasicBlockBytes));
}

/// What a record's header will say, and how long its payload is.
struct RecordDraft {
  Lsn lsn = kNoLsn;
  Lsn tail_lsn = kNoLsn;
  uint32_t previous_block = 0;
  uint32_t ops = 0;
  uint32_t payload_bytes = 0;  ///< Copied.
  uint32_t padded_bytes = 0;   ///< With the rounding: header and padded payload fill whole lsunits.
  uint64_t sequence = 0;
  uint32_t epoch = 0;
};

/// v2: fills in the headers at `headers` (geometry.header_bytes) but for the displaced words and the checksum.
void compose_v2(std::byte* headers, const RecordDraft& draft, const LogGeometry& geometry);
/// v2: where the word that block `index` of the payload (in units of 512 bytes) lost to its stamp is kept.
uint32_t* displaced_word(std::byte* headers, uint32_t index);
/// v2: the stamp of the record's block `index`, headers counted.
uint32_t stamp_of(Lsn lsn, uint32_t index, const LogGeometry& geometry);
/// v2: stamps `blocks` of payload, the first being the payload's block 0, and keeps what is displaced.
void stamp_v2(std::byte* headers, std::byte* payload, uint32_t blocks, Lsn lsn, const LogGeometry& geometry);
/// v2: puts the displaced words back.
void unstamp_v2(const std::byte* headers, std::byte* payload, uint32_t blocks);
/// v2: the checksum so far of the headers, to be continued over the stamped payload.
uint32_t crc_of_headers_v2(const std::byte* headers, uint32_t header_bytes);

/// v3: the header but for its checksum, which begins with crc32c over the header and goes on over the payload.
RecordHeaderV3Disk compose_v3(const RecordDraft& draft, const LogGeometry& geometry);

/// Fills in the headers at `headers` of a record whose payload is in its place already, in the geometry's format. `displaced`: v2, by block of
/// the payload, what its stamps displaced; null where nothing was stamped. `over_payload(crc)` continues the headers' checksum, and is not
/// called unless `summed`.
template <typename Sum>
void compose_in_place(std::byte* headers, const RecordDraft& draft, const LogGeometry& geometry, const uint32_t* displaced, bool summed,
                      Sum over_payload) {
  if (geometry.format == LogFormat::kV3) {
    RecordHeaderV3Disk header = compose_v3(draft, geometry);
    if (summed) header.crc = over_payload(crc32c(&header, sizeof header));
    std::memcpy(headers, &header, sizeof header);
    return;
  }
  compose_v2(headers, draft, geometry);
  for (uint32_t block = 0; displaced != nullptr && block < draft.padded_bytes / kBasicBlockBytes; ++block)
    *displaced_word(headers, block) = displaced[block];
  if (summed) reinterpret_cast<RecordHeaderDisk*>(headers)->crc = over_payload(crc_of_headers_v2(headers, geometry.header_bytes));
}

}  // namespace daxlab::xfslike
