// What native stores on the medium. DESIGN.md has the tables and the order in which the fields become durable.
//
// Blocks are 4 KiB and numbered by the region's geometry. Everything is little endian. Nothing here is trusted when read: every struct
// carries a checksum, every pointer word checks itself, and every block number is compared with the size of the medium.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <type_traits>

#include "engines/base/units.h"
#include "engines/pmem/on_media.h"

namespace daxlab::native {

inline constexpr uint32_t kFormatVersion = 1;
inline constexpr uint64_t kSuperblockMagic = 0x6576697461'6e7864u;  // "dxnative"
inline constexpr uint32_t kLogPageMagic = 0x676f6c6eu;               // "nlog"
inline constexpr uint32_t kInodeMagic = 0x646f6e69u;                 // "inod"
inline constexpr uint32_t kStateMagic = 0x74617473u;                 // "stat"

inline constexpr uint64_t kLineBytes = kCacheLineBytes;
inline constexpr uint32_t kBlockLines = kBlockBytes / kLineBytes;

// Fixed places.
inline constexpr uint32_t kSuperblockBlock = 0;  ///< Replica: the last block.
inline constexpr uint32_t kStateBlock = 1;
inline constexpr uint32_t kCommitBlock = 2;
inline constexpr uint32_t kInodeMapBlock = 3;    ///< First of SuperblockDisk::inode_map_blocks.
inline constexpr uint32_t kStateCopies = 2;
inline constexpr uint32_t kStateStrideLines = 4;  ///< The copies stand in different 256-byte units of the medium.
inline constexpr uint32_t kCommitSlots = 64;

inline constexpr uint32_t kInodesPerBlock = kBlockBytes / kLineBytes;
inline constexpr uint32_t kRootInode = 1;         ///< Slot 0 of the first inode block is never used.
inline constexpr uint32_t kRootGeneration = 1;

/// Block numbers are 32 bits: 16 TiB.
inline constexpr uint64_t kBlocksMax = uint64_t{1} << 32;
/// Pages of a file are numbered with 36 bits: 256 TiB.
inline constexpr uint64_t kFilePagesMax = uint64_t{1} << 36;

struct SuperblockDisk {
  uint64_t magic;
  uint32_t version;
  uint32_t crc;              ///< Of the struct with this field 0.
  uint64_t block_count;      ///< Of the region when it was formatted.
  uint64_t identity;         ///< Seeds every checksum: what an earlier file system left on the medium never validates.
  uint64_t created_ns;
  uint32_t inode_map_blocks;
  uint32_t reserved0;
  uint64_t reserved[2];
};
DAXLAB_ON_MEDIA(SuperblockDisk, 64, 8);

/// How the last mount ended. Two copies, written in turn; the valid one with the higher counter holds.
struct StateDisk {
  uint32_t magic;
  uint32_t crc;              ///< Of the struct with this field 0, seeded with the identity.
  uint64_t counter;          ///< Higher is newer.
  uint32_t epoch;            ///< Of the mount that wrote it. Every mount has a higher one.
  uint32_t clean;            ///< 1: everything below describes the medium; 0: a mount is or was in progress.
  uint64_t digest;           ///< Sum over live inodes of where their logs end: a clean medium that reads otherwise is damaged.
  uint64_t inodes;
  uint64_t snapshot;         ///< First block of the snapshot with its check; 0: none.
  uint64_t reserved[2];
};
DAXLAB_ON_MEDIA(StateDisk, 64, 8);

/// One of 64 commit words: transactions of this slot up to the number in it happened.
struct CommitSlotDisk {
  uint64_t committed;        ///< Sealed: number in the low 40 bits, check in the high 24.
  uint64_t reserved[7];
};
DAXLAB_ON_MEDIA(CommitSlotDisk, 64, 8);

/// An inode as it was created. What changed since is in its log.
struct InodeDisk {
  uint32_t magic;
  uint32_t epoch;
  uint32_t ino;
  uint32_t generation;
  uint64_t head;             ///< First log page: block in the low 32 bits, check in the high 32; 0: no log. Changed alone.
  uint64_t time_ns;
  uint64_t device;
  uint32_t uid;
  uint32_t gid;
  uint16_t mode;
  uint8_t kind;              ///< NodeKind.
  uint8_t reserved0;
  uint32_t reserved1;
  uint32_t reserved2;
  uint32_t crc;              ///< Of the struct with crc and head 0, seeded with the identity. Stored last: who sees it sees this head, too.
};
DAXLAB_ON_MEDIA(InodeDisk, 64, 8);

/// Line 0 of a log page; lines 1 to 63 hold records.
struct LogPageDisk {
  uint32_t magic;
  uint32_t crc;              ///< Of the struct with crc and next 0, seeded with the inode's seed.
  uint32_t ino;
  uint32_t generation;
  uint32_t ordinal;          ///< Pages of one log are numbered from 0 without gaps.
  uint32_t reserved0;
  uint64_t next;             ///< Next page: block and check, as InodeDisk::head. Changed alone.
  uint64_t reserved[4];
};
DAXLAB_ON_MEDIA(LogPageDisk, 64, 8);

enum class RecordType : uint8_t {
  kSkip = 1,    ///< The rest of the page is unused.
  kWrite,       ///< File pages now lie in these blocks.
  kSmall,       ///< Bytes within one block, carried in the record, to be stored in place.
  kAttributes,  ///< All attributes; a smaller size drops what lies beyond.
  kPunch,       ///< File pages are holes now.
  kTouch,       ///< Times only. With kRetire: earlier kSmall records have reached their blocks.
  kDentry,      ///< A name added, removed or both.
  kTarget,      ///< A piece of a symlink's target.
};

// RecordHeaderDisk::flags
inline constexpr uint8_t kFirst = 1;        ///< First of a group.
inline constexpr uint8_t kLast = 2;         ///< Last of a group: a group without it did not happen.
inline constexpr uint8_t kTransaction = 4;  ///< Happened only if its commit word says so.
inline constexpr uint8_t kCreates = 8;      ///< kDentry: vouches for the inode slot that was written with it.
inline constexpr uint8_t kMoved = 16;       ///< Repeats what held already (log cleaning): times are not taken from it.
inline constexpr uint8_t kRetire = 32;      ///< Earlier kSmall records are not to be applied.
inline constexpr uint8_t kKnownFlags = 63;

/// A record is 1 to 63 lines within a page: this header, a payload, and in its last 8 bytes RecordTailDisk.
struct RecordHeaderDisk {
  uint8_t type;
  uint8_t flags;
  uint8_t lines;
  uint8_t aux;               ///< kDentry: bytes of the name.
  uint32_t epoch;            ///< Of the mount that wrote it; never falls along a log.
};
DAXLAB_ON_MEDIA(RecordHeaderDisk, 8, 4);

struct RecordTailDisk {
  uint32_t sequence;         ///< Line of the record in the log: 63 * page ordinal + line - 1, low 32 bits.
  uint32_t crc;              ///< Of everything before, seeded with identity, inode number and generation.
};
DAXLAB_ON_MEDIA(RecordTailDisk, 8, 4);

struct WriteRecordDisk {
  RecordHeaderDisk header;
  uint64_t first_page;
  uint32_t block;
  uint32_t pages;            ///< 0: only size and times.
  uint64_t size_bytes;       ///< Of the file afterwards.
  uint64_t time_ns;          ///< mtime and ctime.
  uint64_t reserved[2];
  RecordTailDisk tail;
};
DAXLAB_ON_MEDIA(WriteRecordDisk, 64, 8);

struct SmallRecordDisk {
  RecordHeaderDisk header;
  uint64_t offset;
  uint64_t size_bytes;
  uint64_t time_ns;
  uint32_t block;
  uint32_t data_bytes;       ///< Data follows; the tail is at the end of the record's last line.
};
DAXLAB_ON_MEDIA(SmallRecordDisk, 40, 8);

struct AttributesRecordDisk {
  RecordHeaderDisk header;
  uint16_t mode;
  uint16_t reserved0;
  uint32_t uid;
  uint32_t gid;
  uint32_t reserved1;
  uint64_t size_bytes;
  uint64_t atime_ns;
  uint64_t mtime_ns;
  uint64_t ctime_ns;
};
DAXLAB_ON_MEDIA(AttributesRecordDisk, 56, 8);

struct PunchRecordDisk {
  RecordHeaderDisk header;
  uint64_t first_page;
  uint64_t pages;
  uint64_t size_bytes;       ///< Of the file afterwards.
  uint64_t time_ns;
  uint64_t reserved[2];
  RecordTailDisk tail;
};
DAXLAB_ON_MEDIA(PunchRecordDisk, 64, 8);

struct TouchRecordDisk {
  RecordHeaderDisk header;
  uint64_t size_bytes;       ///< As it is: whatever record is the last says all of size and times.
  uint64_t time_ns;
  uint64_t reserved[4];
  RecordTailDisk tail;
};
DAXLAB_ON_MEDIA(TouchRecordDisk, 64, 8);

/// Adds `cookie` with the name that follows (replacing what has that name) if aux is not 0; removes the entry with cookie `removes`.
struct DentryRecordDisk {
  RecordHeaderDisk header;
  uint32_t ino;
  uint32_t generation;
  uint64_t time_ns;
  uint64_t cookie;           ///< Kind of the inode in the high 8 bits.
  uint64_t removes;          ///< 0: nothing.
  // With kTransaction: a TransactionDisk. Then the name.
};
DAXLAB_ON_MEDIA(DentryRecordDisk, 40, 8);

struct TransactionDisk {
  uint64_t number;           ///< Slot in the high 8 bits.
};
DAXLAB_ON_MEDIA(TransactionDisk, 8, 8);

struct TargetRecordDisk {
  RecordHeaderDisk header;
  uint64_t bytes;            ///< That follow.
};
DAXLAB_ON_MEDIA(TargetRecordDisk, 16, 8);

inline constexpr uint32_t kLinesPerLogPage = kBlockLines - 1;
inline constexpr size_t kRecordBytesMax = kLinesPerLogPage * kLineBytes;
/// The tail alone: all of a short record's line but the payload and the tail is zero.
static_assert(sizeof(AttributesRecordDisk) + sizeof(RecordTailDisk) == kLineBytes);

/// Lines of a record with `payload_bytes` between its start (header included) and its tail.
constexpr uint32_t record_lines(size_t bytes_before_tail) {
  return static_cast<uint32_t>(div_up(bytes_before_tail + sizeof(RecordTailDisk), kLineBytes));
}

/// One line of DRAM in which a record is built.
struct alignas(kLineBytes) Line {
  std::array<std::byte, kLineBytes> bytes;
};
static_assert(sizeof(Line) == kLineBytes && std::is_trivial_v<Line>);

}  // namespace daxlab::native
