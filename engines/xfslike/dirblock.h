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
#include <optional>
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
  uint64_t reserved;  ///< XFS: the leaves beside it, which are found through their parents here.
};
DAXLAB_ON_MEDIA(DirLeafHeaderDisk, 16, 8);
inline constexpr uint16_t kDirNoData = 0xffff;

struct DirNodeHeaderDisk {
  uint32_t magic;
  uint16_t count;
  uint16_t level;  ///< 1: its children are leaves.
  uint64_t reserved;
};
DAXLAB_ON_MEDIA(DirNodeHeaderDisk, 16, 8);

/// Child i holds hashes from its own up to that of child i + 1, both included: equal hashes may lie on either side. The first hash of
/// a node bounds nothing. (XFS keeps the last hash of the child instead, and changes it with every new last entry.)
struct DirNodeEntryDisk {
  uint32_t hash;
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

/// A name that has its place already, from the short form.
struct DirName {
  std::string_view name;
  DirTarget target;
  uint64_t cookie;
};

class DirData;
class DirPairs;

/// The three forms in blocks as one directory, "." and ".." included, which are entries like others and which list() leaves out.
///
/// A failure other than kExists, kNotFound or kFileTooBig may leave the transaction dirty. With as many blocks reserved as
/// insert_blocks() says there is no kNoSpace.
class DirBlocks {
 public:
  /// `size_bytes` is the directory's size (data blocks, holes included), which the caller keeps.
  DirBlocks(BlockSpace& space, uint64_t& size_bytes);

  /// Where the first name lies: behind "." and "..".
  static constexpr uint32_t kFirstCookie = (kDirHeaderBytes + sizeof(DirDataHeaderDisk)) / kDirUnit + 4;
  /// The block form with `names`, each where its cookie says, ascending; they fit: fits().
  Result<void> create(uint64_t self, uint64_t parent, std::span<const DirName> names);
  /// Whether `count` names, the last of which ends at `end` of the block, leave room for their index.
  static bool fits(uint32_t block_bytes, uint32_t end, size_t count);

  Result<DirFound> lookup(std::string_view name) const;                       ///< kNotFound.
  Result<uint64_t> insert(std::string_view name, const DirTarget& target);    ///< The cookie; kExists, kFileTooBig.
  Result<DirFound> erase(std::string_view name);                              ///< What it was; kNotFound.
  Result<DirFound> replace(std::string_view name, const DirTarget& target);   ///< What it was; kNotFound.
  /// Names with cookies above `cookie`, ascending, until `visit` returns false.
  Result<void> list(uint64_t cookie, const std::function<bool(const DirectoryEntry&)>& visit) const;
  /// Names in the block form, without "." and ".."; kNoData in the other forms.
  Result<uint32_t> names_in_block() const;
  /// Frees the block of the block form, whose names lie elsewhere.
  Result<void> remove_block();

  /// Objects that an insert of a name of that many bytes adds at most, as the next change. Nothing else adds any.
  Result<uint32_t> insert_blocks(size_t name_bytes) const;
  static constexpr uint32_t kInsertBlocksMax = 2 + (kDirLevelsMax + 1) + 1;
  /// The whole structure, block by block: each finding goes to `report`, which returns false to stop. Returns the number of names.
  Result<uint64_t> verify(const std::function<bool(std::string_view finding)>& report) const;

 private:
  friend class DirVerifier;
  using Access = BlockSpace::Access;
  enum class Form : uint8_t { kBlock, kLeaf, kNode };
  struct BlockForm;
  struct LeafForm;
  struct Path;
  struct Position;

  Result<MetadataRef> need(uint64_t address, Access access) const;
  Result<MetadataRef> add_index_block(uint64_t& address);
  Result<Form> form() const;
  uint32_t data_blocks() const;
  uint32_t address_of(uint64_t block, uint32_t offset) const;
  uint64_t block_of(uint32_t address) const { return uint64_t{address} * kDirUnit / block_bytes_; }
  uint32_t offset_of(uint32_t address) const { return static_cast<uint32_t>(uint64_t{address} * kDirUnit % block_bytes_); }

  // What every form does with the data blocks.
  Result<std::optional<DirTarget>> match(uint32_t address, std::string_view name) const;
  Result<uint32_t> put(DirData& data, uint64_t block, std::string_view name, const DirTarget& target);
  Result<void> set_target(const DirFound& found, std::string_view name, const DirTarget& target);

  // dir_block_form.cc
  Result<BlockForm> open_block(Access access) const;
  Result<std::optional<uint64_t>> block_insert(std::string_view name, const DirTarget& target);
  Result<bool> block_has_room(const BlockForm& form, uint32_t length) const;
  Result<void> block_compact(BlockForm& form);
  Result<DirFound> block_erase(std::string_view name);
  Result<void> block_to_leaf();

  // dir_leaf_form.cc
  Result<LeafForm> open_leaf(Access access) const;
  Result<std::optional<uint64_t>> leaf_insert(std::string_view name, const DirTarget& target);
  Result<DirFound> leaf_erase(std::string_view name);
  Result<void> leaf_drop_data(LeafForm& leaf, uint32_t block);
  Result<void> leaf_to_block();
  Result<void> leaf_to_node();

  // dir_free_index.cc
  Result<std::optional<uint32_t>> free_find(uint32_t length) const;
  Result<void> free_set(uint32_t block, uint32_t longest);
  Result<void> free_drop(uint32_t block);

  // dir_node_form.cc
  Result<uint64_t> node_insert(std::string_view name, const DirTarget& target);
  Result<DirFound> node_erase(std::string_view name);
  Result<void> node_to_leaf();
  Result<Position> node_find(Path path, std::string_view name, uint32_t hash) const;

  // dir_node_tree.cc
  Result<Path> descend(uint32_t hash) const;
  Result<bool> to_right(Path& path, uint32_t hash) const;
  Result<uint64_t> child_of(const DirPairs& pairs, uint32_t index) const;
  Result<void> add_entry(Path& path, uint32_t level, const DirLeafEntryDisk& entry, uint32_t index);
  Result<void> split(Path& path, uint32_t level, const DirLeafEntryDisk& entry, uint32_t index);
  Result<void> push_root_down(Path& path);
  Result<void> shrink(const Path& path, uint32_t level, uint32_t live);
  Result<bool> join(const Path& path, uint32_t parent_level, uint32_t left_index);
  Result<void> remove_child(const Path& path, uint32_t level, uint32_t index);
  Result<void> pull_root_up();

  BlockSpace& space_;
  uint64_t& size_bytes_;
  const uint32_t block_bytes_;
  const uint64_t index_at_;     // address of the first index block: the root
  const uint64_t free_at_;      // ... and of the first free block
  const uint32_t pairs_max_;    // in a leaf of the node form or a node
  const uint32_t free_max_;     // data blocks in a free block
};

/// The structure of one block alone, whatever its kind: kCorrupt with what is wrong. For use when it is read from the medium.
Result<void> verify_dir_block(MetadataBytes& block, uint64_t address);

}  // namespace daxlab::xfslike
