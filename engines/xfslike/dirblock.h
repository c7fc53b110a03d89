// Directories in blocks: XFS's dir3 format over a BlockSpace (fs/xfs/libxfs/xfs_da_format.h, xfs_dir2*.c), nothing else known.
//
// Three kinds of blocks, each at its own logical addresses, as in XFS: data from 0, the hash index from 32 GiB, the free index from
// 64 GiB. Objects are of 4 to 64 KiB and begin with the 64-byte self-describing header of their owner, then the header of their kind.
//
//   block form   one data block whose end holds the hash index
//   leaf form    data blocks, one leaf with the hash index and, at its end, the free index
//   node form    data blocks, leaves under nodes ordered by hash (a B+tree whose root is always the first index block), free blocks
//
// A data block is entries and unused space without gaps, each at a multiple of 8 and with its own offset in its last two bytes; the
// three largest unused pieces are in the header. An entry never moves, so its place, divided by 8, is its cookie and its address in
// the hash index. A hash index entry that is removed becomes stale and its place serves the next one: few bytes change.
//
// Writes are as small as XFS logs them. Nothing read is trusted: what is out of range, or does not name itself, is kCorrupt.
// Threads: the directory's lock, shared for lookup, list and parent.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string_view>

#include "engines/api/types.h"
#include "engines/base/result.h"
#include "engines/base/units.h"
#include "engines/pmem/on_media.h"
#include "engines/xfslike/metadata_bytes.h"

namespace daxlab::xfslike {

inline constexpr uint32_t kDirHeaderBytes = 64;  ///< The owner's; what follows is the directory's.
inline constexpr uint32_t kDirBlockBytesMin = 4 * kKiB;
inline constexpr uint32_t kDirBlockBytesMax = 64 * kKiB;
inline constexpr uint64_t kDirSpaceBytes = 32 * kGiB;  ///< Of each of the three ranges of addresses.
inline constexpr uint32_t kDirUnit = 8;
inline constexpr uint32_t kDirLevelsMax = 5;  ///< Of nodes above the leaves.

/// XFS's xfs_da_hashname(): part of the format.
uint32_t dir_hash(std::string_view name);

/// Bytes of a data entry: number, length, name, kind, own offset.
constexpr uint32_t dir_entry_bytes(size_t name_bytes) {
  return static_cast<uint32_t>((8 + 1 + name_bytes + 1 + 2 + kDirUnit - 1) / kDirUnit * kDirUnit);
}

inline constexpr uint32_t kDirBlockMagic = 0x33424458u;      // "XDB3": block form
inline constexpr uint32_t kDirDataMagic = 0x33444458u;       // "XDD3"
inline constexpr uint32_t kDirLeafMagic = 0x33464c58u;       // "XLF3": leaf form
inline constexpr uint32_t kDirNodeLeafMagic = 0x334e4c58u;   // "XLN3": leaf of the node form
inline constexpr uint32_t kDirNodeMagic = 0x334e4458u;       // "XDN3"
inline constexpr uint32_t kDirFreeIndexMagic = 0x33464458u;  // "XDF3"

/// An unused piece of a data block: where and how long.
struct DirFreeDisk {
  uint16_t offset;
  uint16_t length;
};
DAXLAB_ON_MEDIA(DirFreeDisk, 4, 2);

struct DirDataHeaderDisk {
  uint32_t magic;
  DirFreeDisk best[3];  ///< Longest first; length 0: no such piece.
};
DAXLAB_ON_MEDIA(DirDataHeaderDisk, 16, 4);

/// The start of an unused piece; its last two bytes are its offset.
struct DirUnusedDisk {
  uint16_t free_tag;  ///< kDirFreeTag: no inode number begins so.
  uint16_t length;
};
DAXLAB_ON_MEDIA(DirUnusedDisk, 4, 2);
inline constexpr uint16_t kDirFreeTag = 0xffff;

struct DirLeafEntryDisk {
  uint32_t hash;
  uint32_t address;  ///< Offset of the entry in the directory / 8; 0: stale.
};
DAXLAB_ON_MEDIA(DirLeafEntryDisk, 8, 4);

/// At the end of a block of the block form; the leaf entries lie before it.
struct DirBlockTailDisk {
  uint32_t count;
  uint32_t stale;
};
DAXLAB_ON_MEDIA(DirBlockTailDisk, 8, 4);

/// Of both kinds of leaves. In the leaf form the last four bytes of the block are the number of data blocks, before which lies for
/// each its longest unused piece (kDirNoData: no such block).
struct DirLeafHeaderDisk {
  uint32_t magic;
  uint16_t count;
  uint16_t stale;
  uint32_t next;      ///< Leaf to the right; 0: none.
  uint32_t previous;
};
DAXLAB_ON_MEDIA(DirLeafHeaderDisk, 16, 4);
inline constexpr uint16_t kDirNoData = 0xffff;

struct DirNodeHeaderDisk {
  uint32_t magic;
  uint16_t count;
  uint16_t level;  ///< 1: its children are leaves.
  uint32_t next;
  uint32_t previous;
};
DAXLAB_ON_MEDIA(DirNodeHeaderDisk, 16, 4);

struct DirNodeEntryDisk {
  uint32_t hash;   ///< Of the child's last entry.
  uint32_t child;
};
DAXLAB_ON_MEDIA(DirNodeEntryDisk, 8, 4);

/// For data blocks [first, first + count) the longest unused piece of each.
struct DirFreeIndexHeaderDisk {
  uint32_t magic;
  uint32_t first;
  uint32_t count;
  uint32_t used;  ///< That are not kDirNoData.
};
DAXLAB_ON_MEDIA(DirFreeIndexHeaderDisk, 16, 4);

/// What a name stands for.
struct DirTarget {
  uint64_t ino = 0;
  NodeKind kind = NodeKind::kFile;
};

struct DirFound {
  uint64_t ino;
  NodeKind kind;
  uint64_t cookie;
};

/// A name on its way from one form of a directory into the next; 0 for a cookie: wherever there is room.
struct DirName {
  std::string_view name;
  DirTarget target;
  uint64_t cookie = 0;
};

/// The three forms in blocks as one directory, "." and ".." included, which are entries like others and which list() leaves out.
///
/// insert(), erase() and create() join blocks to the running transaction; a failure other than kExists, kNotFound or a kNoSpace
/// before the first change leaves it dirty. With insert_blocks() reserved there is no kNoSpace.
class DirBlocks {
 public:
  /// `size_bytes` is the directory's size (data blocks, holes included), which the caller keeps.
  DirBlocks(BlockSpace& space, uint64_t& size_bytes);

  /// The block form with `names`, which fit (fits_block()), those with a cookie where that says, "." and ".." first.
  Result<void> create(uint64_t self, uint64_t parent, std::span<const DirName> names);

  Result<DirFound> lookup(std::string_view name) const;                       ///< kNotFound.
  Result<uint64_t> insert(std::string_view name, const DirTarget& target);    ///< The cookie; kExists, kFileTooBig.
  Result<DirFound> erase(std::string_view name);                              ///< What it was; kNotFound.
  Result<DirFound> replace(std::string_view name, const DirTarget& target);   ///< What it was; kNotFound.
  Result<bool> is_empty() const;
  /// Names with cookies above `cookie`, ascending, until `visit` returns false.
  Result<void> list(uint64_t cookie, const std::function<bool(const DirectoryEntry&)>& visit) const;

  /// Objects that one insert adds at most: a data block, one a level of the index and a new root, two of the free index.
  static constexpr uint32_t insert_blocks() { return 1 + (kDirLevelsMax + 1) + 1 + 2; }
  /// The whole structure, block by block: each finding goes to `report`, which returns false to stop. Returns the names found.
  Result<uint64_t> verify(const std::function<bool(std::string_view finding)>& report) const;

 private:
  BlockSpace& space_;
  uint64_t& size_bytes_;
};

/// The structure of one block alone, whatever its kind: kCorrupt with what is wrong. For use when it is read from the medium.
Result<void> verify_dir_block(const MetadataBytes& block, uint64_t address);

}  // namespace daxlab::xfslike
