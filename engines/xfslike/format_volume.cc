#include "engines/xfslike/format_volume.h"

#include <algorithm>
#include <vector>

#include "engines/api/types.h"
#include "engines/pmem/persist.h"
#include "engines/xfslike/buffer_bytes.h"
#include "engines/xfslike/dquot.h"
#include "engines/xfslike/dquot_disk.h"
#include "engines/xfslike/extent_map.h"
#include "engines/xfslike/group.h"
#include "engines/xfslike/inode_disk.h"
#include "engines/xfslike/superblock.h"

namespace daxlab::xfslike {
namespace {

constexpr uint32_t kReservedInodes = 3;  // root, user and group quota

constexpr uint32_t kQuotaFiles = 2;

/// Group 0: one index block, then the chunk, then a block of dquots for each quota file.
uint32_t first_chunk(const SuperblockDisk& superblock) {
  return static_cast<uint32_t>(align_up(kBitmapAt + bitmap_blocks(superblock.group_blocks) + 1, kBlocksPerChunk));
}

/// Blocks in front of a group that its metadata takes, free for inodes or files behind.
uint32_t metadata_blocks(const SuperblockDisk& superblock, uint32_t group) {
  const uint32_t fixed = kBitmapAt + bitmap_blocks(superblock.group_blocks);
  if (group != 0) return fixed;
  return first_chunk(superblock) + kBlocksPerChunk + (superblock.quota != 0 ? kQuotaFiles : 0);
}

uint32_t blocks_of(const SuperblockDisk& superblock, uint32_t group) {
  const uint64_t first = uint64_t{group} * superblock.group_blocks;
  return static_cast<uint32_t>(std::min<uint64_t>(superblock.group_blocks, superblock.block_count - first));
}

class Formatter {
 public:
  Formatter(pmem::Region& region, const SuperblockDisk& superblock, const FormatRequest& request)
      : region_(region), superblock_(superblock), request_(request) {}

  void write_group(uint32_t group) {
    const uint64_t first = uint64_t{group} * superblock_.group_blocks;
    const uint32_t count = blocks_of(superblock_, group);
    std::vector<bool> free(count, true);
    const auto use = [&](uint64_t from, uint64_t blocks) {
      for (uint64_t i = from; i < from + blocks; ++i) free[i] = false;
    };
    use(0, metadata_blocks(superblock_, group));
    if (group == 0) {  // between the bitmap, the index block and the chunk
      const uint32_t index = kBitmapAt + bitmap_blocks(superblock_.group_blocks);
      for (uint32_t i = index + 1; i < first_chunk(superblock_); ++i) free[i] = true;
    }
    if (superblock_.log_blocks != 0 && superblock_.log_first_block / superblock_.group_blocks == group) {
      use(superblock_.log_first_block - first, superblock_.log_blocks);
    }
    write_space(group, first, free);
    write_inodes(group, first);
  }

 private:
  void write_object(Magic magic, uint64_t owner, uint64_t block, const void* payload, size_t payload_bytes) {
    MetaHeaderDisk header{};
    header.magic = static_cast<uint32_t>(magic);
    header.owner = owner;
    header.block = block;
    header.uuid = superblock_.uuid;
    header.size_bytes = kBlockBytes;
    const BlockRun run{block, 1};
    const auto bytes = make_buffer_copy(pieces_of(region_, {&run, 1}), true);
    bytes->write(0, &header, sizeof header);
    bytes->write(sizeof header, payload, static_cast<uint32_t>(payload_bytes));
    bytes->store_chunks(ChunkMap(kBlockBytes));
    bytes->store_stamp(header.magic, bytes->crc(kNoLsn), kNoLsn);
  }

  void write_space(uint32_t group, uint64_t first, const std::vector<bool>& free) {
    GroupSpaceDisk space{};
    space.group = group;
    space.block_count = static_cast<uint32_t>(free.size());
    space.free_blocks = static_cast<uint32_t>(std::count(free.begin(), free.end(), true));
    space.bitmap_blocks = bitmap_blocks(superblock_.group_blocks);
    write_object(Magic::kGroupSpace, group, first + kGroupSpaceAt, &space, sizeof space);
    for (uint32_t i = 0; i < space.bitmap_blocks; ++i) {
      std::vector<uint64_t> words(kMetaPayloadBytes / 8);
      for (uint32_t bit = 0; bit < kBitsPerBitmapBlock; ++bit) {
        const uint64_t block = uint64_t{i} * kBitsPerBitmapBlock + bit;
        if (block < free.size() && free[block]) words[bit / 64] |= uint64_t{1} << (bit % 64);
      }
      write_object(Magic::kBitmap, group, first + kBitmapAt + i, words.data(), kMetaPayloadBytes);
    }
  }

  void write_inodes(uint32_t group, uint64_t first) {
    std::vector<uint32_t> words(kMetaPayloadBytes / 4);
    GroupInodesDisk inodes{};
    inodes.group = group;
    if (group == 0) {
      const uint32_t index = kBitmapAt + bitmap_blocks(superblock_.group_blocks);
      inodes.chunk_count = 1;
      inodes.inode_count = kInodesPerChunk;
      inodes.free_inodes = kInodesPerChunk - kReservedInodes;
      inodes.index_blocks = 1;
      words[sizeof inodes / 4] = index;
      ChunkDisk chunk{};
      chunk.first_block = first_chunk(superblock_);
      chunk.block_mask = (1 << kBlocksPerChunk) - 1;
      chunk.free_mask = ~uint64_t{0} << kReservedInodes;
      write_object(Magic::kInodeIndex, group, first + index, &chunk, sizeof chunk);
      write_chunk();
    }
    __builtin_memcpy(words.data(), &inodes, sizeof inodes);
    write_object(Magic::kGroupInodes, group, first + kGroupInodesAt, words.data(), kMetaPayloadBytes);
  }

  void write_chunk() {
    const uint64_t first = first_chunk(superblock_);
    for (uint64_t block = first; block < first + kBlocksPerChunk; ++block) {
      write_free_inodes(region_.block_address(block), block, superblock_.uuid);
    }
    write_inode(superblock_.root_ino, NodeKind::kDirectory, ForkFormat::kLocal, request_.root_fork);
    write_quota_file(superblock_.user_quota_ino, QuotaKind::kUser, first + kBlocksPerChunk);
    write_quota_file(superblock_.group_quota_ino, QuotaKind::kGroup, first + kBlocksPerChunk + 1);
  }

  /// One that counts the root directory, which user and group 0 have.
  void write_quota_file(uint64_t ino, QuotaKind kind, uint64_t block) {
    if (superblock_.quota == 0) return write_inode(ino, NodeKind::kFile, ForkFormat::kExtents, {});
    std::byte* const address = region_.block_address(block);
    write_dquot_block(address, static_cast<uint32_t>(kind), 0, superblock_.uuid);
    auto root = pmem::load(reinterpret_cast<const DquotDisk*>(address));
    root.inode_count = 1;
    root.crc = dquot_crc(root);
    store_dquot(address, root);
    const ExtentDisk extent = pack({0, block, 1, false});
    write_inode(ino, NodeKind::kFile, ForkFormat::kExtents, std::as_bytes(std::span(&extent, 1)), 1);
  }

  void write_inode(uint64_t ino, NodeKind kind, ForkFormat format, std::span<const std::byte> fork, uint32_t extents = 0) {
    InodeDisk inode = free_inode_disk(ino, 1, superblock_.uuid);
    InodeCoreDisk& core = inode.core;
    core.kind = static_cast<uint8_t>(kind);
    core.fork_format = static_cast<uint8_t>(format);
    core.mode = kind == NodeKind::kDirectory ? 0755 : 0600;
    core.links = kind == NodeKind::kDirectory ? 2 : 1;
    core.fork_bytes = static_cast<uint32_t>(fork.size());
    core.size_bytes = extents == 0 ? fork.size() : extents * kBlockBytes;
    core.extent_count = extents;
    core.block_count = extents;
    core.atime_ns = core.mtime_ns = core.ctime_ns = core.created_ns = request_.now_ns;
    std::copy(fork.begin(), fork.end(), inode.fork.begin());
    core.crc = inode_crc(inode);
    std::byte* const address = region_.block_address(inode_block(ino)) + inode_offset(ino);
    pmem::store_bytes(address, &inode, sizeof inode);
    pmem::flush(address, sizeof inode);
  }

  pmem::Region& region_;
  const SuperblockDisk& superblock_;
  const FormatRequest& request_;
};

}  // namespace

Result<SuperblockDisk> plan_volume(const pmem::Region& region, const FormatRequest& request) {
  if (request.group_count == 0 || request.dirblock_bytes < kBlockBytes || request.dirblock_bytes > 64 * kKiB ||
      request.dirblock_bytes % kBlockBytes != 0) {
    return Error(Errc::kUsage, "a file system has groups, and directory blocks of 4 to 64 KiB");
  }
  SuperblockDisk superblock{};
  superblock.magic = static_cast<uint32_t>(Magic::kSuperblock);
  superblock.version = kFormatVersion;
  superblock.quota = request.quota ? 1 : 0;
  superblock.uuid = request.uuid;
  superblock.block_count = region.block_count();
  superblock.group_count = request.group_count;
  superblock.group_blocks = static_cast<uint32_t>(div_up(region.block_count(), request.group_count));
  superblock.dirblock_bytes = request.dirblock_bytes;
  superblock.meta_run_blocks = request.meta_run_blocks;
  superblock.created_ns = request.now_ns;
  if (uint64_t{superblock.group_count - 1} * superblock.group_blocks >= superblock.block_count) {
    return Error(Errc::kNoSpace, "the medium is too small for so many groups");
  }
  const uint32_t log_group = superblock.group_count / 2;
  superblock.log_blocks = request.log_blocks;
  superblock.log_first_block = uint64_t{log_group} * superblock.group_blocks + metadata_blocks(superblock, log_group);
  superblock.root_ino = uint64_t{first_chunk(superblock)} * kInodesPerBlock;
  superblock.user_quota_ino = superblock.root_ino + 1;
  superblock.group_quota_ino = superblock.root_ino + 2;
  for (uint32_t group = 0; group < superblock.group_count; ++group) {
    uint64_t needed = metadata_blocks(superblock, group) + kBlocksPerChunk;
    if (group == log_group) needed += superblock.log_blocks;
    if (blocks_of(superblock, group) < needed) return Error(Errc::kNoSpace, "the medium is too small for its groups and its log");
  }
  return superblock;
}

// Everything but the superblock, flushed; fence; the superblocks (superblock.cc). A crash before leaves no file system.
Result<SuperblockDisk> format_volume(pmem::Region& region, const FormatRequest& request) {
  DAXLAB_ASSIGN(const SuperblockDisk superblock, plan_volume(region, request));
  if (request.root_fork.size() > kForkBytes) return Error(Errc::kUsage, "the root directory's names do not fit");
  Formatter formatter(region, superblock, request);
  for (uint32_t group = 0; group < superblock.group_count; ++group) formatter.write_group(group);
  pmem::fence();
  write_superblocks(region, superblock);
  return superblock;
}

}  // namespace daxlab::xfslike
