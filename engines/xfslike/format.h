// What the core stores on the medium, the log's own records apart (record_*.h). DESIGN.md has the tables and the orders.
//
// Blocks are 4 KiB and numbered by the region's geometry. Everything is little endian. Nothing is trusted when read: every object of
// metadata begins with a header that says what it is, whose, where, and with which LSN it was written back; inodes and dquots, of
// which several share a block, carry the same in themselves. (XFS: fs/xfs/libxfs/xfs_format.h.)
//
// Group g has blocks [g * group_blocks, ...): a copy of the superblock, free space counts, inode counts, then the bitmap.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "engines/base/units.h"
#include "engines/pmem/on_media.h"

namespace daxlab::xfslike {

inline constexpr uint32_t kFormatVersion = 1;

constexpr uint32_t magic_of(const char (&word)[5]) {
  uint32_t value = 0;
  for (uint32_t i = 0; i < 4; ++i) value |= static_cast<uint32_t>(static_cast<unsigned char>(word[i])) << (8 * i);
  return value;
}
/// What a block says it is: also the type of a buffer.
enum class Magic : uint32_t {
  kSuperblock = magic_of("DXSB"),
  kGroupSpace = magic_of("DXGF"),
  kBitmap = magic_of("DXFB"),
  kGroupInodes = magic_of("DXGI"),
  kInodeIndex = magic_of("DXIX"),
  kInode = magic_of("DXIN"),
  kDquot = magic_of("DXDQ"),
  kExtentTree = magic_of("DXBM"),
  kDirectory = magic_of("DXDD"),
  kSymlink = magic_of("DXSL"),
};

using Uuid = std::array<uint8_t, 16>;

/// First line of every object that a buffer holds. The CRC covers the whole object with itself 0, the LSN included.
struct MetaHeaderDisk {
  uint32_t magic;
  uint32_t crc;
  uint64_t lsn;          ///< Of the checkpoint it was last written back at. Stored alone and last: recovery skips what is not newer.
  uint64_t owner;        ///< Inode number, or group.
  uint64_t block;        ///< Of its first byte.
  Uuid uuid;
  uint32_t size_bytes;   ///< Of the object.
  uint32_t reserved0;
  uint64_t reserved1;
};
DAXLAB_ON_MEDIA(MetaHeaderDisk, 64, 8);
inline constexpr uint32_t kMetaHeaderBytes = sizeof(MetaHeaderDisk);
inline constexpr uint32_t kMetaPayloadBytes = kBlockBytes - kMetaHeaderBytes;  ///< Of an object of one block.

/// Written by mkfs and never again. Copies in the first block of every group.
struct SuperblockDisk {
  uint32_t magic;
  uint32_t crc;              ///< Of the struct with this field 0.
  uint32_t version;
  uint32_t quota;            ///< 1: user and group usage is counted.
  Uuid uuid;
  uint64_t block_count;      ///< Of the region when it was formatted.
  uint32_t group_count;
  uint32_t group_blocks;     ///< Of every group; the last one has what is left.
  uint64_t log_first_block;
  uint64_t log_blocks;
  uint64_t root_ino;
  uint64_t user_quota_ino;
  uint64_t group_quota_ino;
  uint64_t created_ns;
  uint32_t dirblock_bytes;
  uint32_t meta_run_blocks;  ///< The longest piece of an object of several blocks; 0: whole where free space allows.
  uint64_t reserved[3];
};
DAXLAB_ON_MEDIA(SuperblockDisk, 128, 8);

// Blocks of a group, from its first.
inline constexpr uint32_t kSuperblockAt = 0;
inline constexpr uint32_t kGroupSpaceAt = 1;
inline constexpr uint32_t kGroupInodesAt = 2;
inline constexpr uint32_t kBitmapAt = 3;

/// Payload of the block at kGroupSpaceAt (XFS: AGF).
struct GroupSpaceDisk {
  uint32_t group;
  uint32_t block_count;
  uint32_t free_blocks;
  uint32_t bitmap_blocks;
  uint64_t reserved[6];
};
DAXLAB_ON_MEDIA(GroupSpaceDisk, 64, 8);

/// The payload of a bitmap block: bit i of it stands for block i of its stretch of the group; 1 is free.
inline constexpr uint32_t kBitsPerBitmapBlock = kMetaPayloadBytes * 8;

/// Payload of the block at kGroupInodesAt (XFS: AGI), followed by kIndexBlocksMax block numbers within the group, 32 bits each.
struct GroupInodesDisk {
  uint32_t group;
  uint32_t chunk_count;    ///< Records in the index.
  uint32_t inode_count;
  uint32_t free_inodes;
  uint32_t index_blocks;
  uint32_t reserved0;
  uint64_t reserved[5];
};
DAXLAB_ON_MEDIA(GroupInodesDisk, 64, 8);
inline constexpr uint32_t kIndexBlocksMax = (kMetaPayloadBytes - sizeof(GroupInodesDisk)) / 4;

inline constexpr uint32_t kInodeBytes = 512;
inline constexpr uint32_t kInodesPerBlock = kBlockBytes / kInodeBytes;
inline constexpr uint32_t kInodesPerChunk = 64;
inline constexpr uint32_t kBlocksPerChunk = kInodesPerChunk / kInodesPerBlock;

/// One chunk of inodes: a record of the index. Chunks are never given back (XFS's ikeep), so the index only grows.
struct ChunkDisk {
  uint32_t first_block;    ///< Within the group, a multiple of kBlocksPerChunk.
  uint16_t block_mask;     ///< Which of its blocks hold inodes: all, unless free space was too fragmented (XFS: sparse inodes).
  uint16_t reserved0;
  uint64_t free_mask;      ///< Inodes to be had. An absent block's bits are 0.
  uint64_t orphan_mask;    ///< Inodes without a name that are still open, or were when the system went down.
  uint64_t reserved1;
};
DAXLAB_ON_MEDIA(ChunkDisk, 32, 8);
inline constexpr uint32_t kChunksPerIndexBlock = kMetaPayloadBytes / sizeof(ChunkDisk);

// An inode number is its place: block * kInodesPerBlock + slot.
constexpr uint64_t inode_block(uint64_t ino) { return ino / kInodesPerBlock; }
constexpr uint32_t inode_offset(uint64_t ino) { return static_cast<uint32_t>(ino % kInodesPerBlock) * kInodeBytes; }

enum class ForkFormat : uint8_t {
  kNone = 0,  ///< Device nodes, fifos, sockets.
  kLocal,     ///< The literal area is the content: a short directory, a short symlink.
  kExtents,   ///< Extent records, in order.
  kTree,      ///< Root of a B+tree of extent records.
};

/// The part of an inode that every commit logs. 176 bytes, as XFS's version 3.
struct InodeCoreDisk {
  uint32_t magic;
  uint32_t crc;            ///< Of the inode, 512 bytes, with this field 0.
  uint64_t lsn;            ///< As MetaHeaderDisk::lsn.
  uint64_t ino;
  Uuid uuid;
  uint32_t generation;
  uint16_t mode;           ///< 07777.
  uint8_t kind;            ///< NodeKind; 0: a free inode.
  uint8_t fork_format;
  uint32_t uid;
  uint32_t gid;
  uint32_t links;
  uint32_t extent_count;
  uint64_t size_bytes;
  uint64_t block_count;    ///< Data and the extents' tree.
  uint64_t device;
  uint64_t atime_ns;
  uint64_t mtime_ns;
  uint64_t ctime_ns;
  uint64_t created_ns;
  uint32_t fork_bytes;     ///< Of the literal area that mean something.
  uint32_t flags;
  uint64_t reserved[6];
};
DAXLAB_ON_MEDIA(InodeCoreDisk, 176, 8);
inline constexpr uint32_t kForkBytes = kInodeBytes - sizeof(InodeCoreDisk);

struct InodeDisk {
  InodeCoreDisk core;
  std::array<std::byte, kForkBytes> fork;
};
DAXLAB_ON_MEDIA(InodeDisk, 512, 8);

/// A file's blocks [offset, offset + count) lie at [block, block + count), unwritten or not, in 128 bits as XFS packs them:
/// 1 bit unwritten, 54 bits offset, 52 bits block, 21 bits count.
struct ExtentDisk {
  uint64_t high;
  uint64_t low;
};
DAXLAB_ON_MEDIA(ExtentDisk, 16, 8);
inline constexpr uint32_t kExtentsInline = kForkBytes / sizeof(ExtentDisk);
inline constexpr uint32_t kExtentCountMax = (1u << 21) - 1;
inline constexpr uint64_t kFileBlocksMax = uint64_t{1} << 48;  ///< Offsets of a file, in blocks, are below.

/// The literal area of an inode whose extents are in a tree (btree.h).
struct TreeRootDisk {
  uint64_t block;
  uint32_t height;
  uint32_t reserved;
};
DAXLAB_ON_MEDIA(TreeRootDisk, 16, 8);

/// Usage of one user or group. Several share a block and, as inodes, are written back one by one.
struct DquotDisk {
  uint32_t magic;
  uint32_t crc;            ///< Of the struct with this field 0.
  uint64_t lsn;            ///< As MetaHeaderDisk::lsn.
  uint64_t block_count;
  uint64_t inode_count;
  uint32_t id;
  uint32_t kind;           ///< QuotaKind.
  Uuid uuid;
  uint64_t reserved[9];
};
DAXLAB_ON_MEDIA(DquotDisk, 128, 8);
inline constexpr uint32_t kDquotsPerBlock = kBlockBytes / sizeof(DquotDisk);

}  // namespace daxlab::xfslike
