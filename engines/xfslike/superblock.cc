#include "engines/xfslike/superblock.h"

#include "engines/base/crc32c.h"
#include "engines/pmem/persist.h"

namespace daxlab::xfslike {
namespace {

uint32_t superblock_crc(SuperblockDisk superblock) {
  superblock.crc = 0;
  return crc32c(&superblock, sizeof superblock);
}

bool sound(const SuperblockDisk& superblock, uint64_t block_count) {
  if (superblock.magic != static_cast<uint32_t>(Magic::kSuperblock) || superblock.crc != superblock_crc(superblock)) return false;
  if (superblock.version != kFormatVersion || superblock.block_count != block_count) return false;
  return superblock.group_count != 0 && superblock.group_blocks > kBitmapAt &&
         uint64_t{superblock.group_count - 1} * superblock.group_blocks < block_count && superblock.dirblock_bytes >= kBlockBytes;
}

}  // namespace

Result<SuperblockDisk> read_superblock(pmem::Region& region) {
  const auto at = [&](uint64_t block) {
    return pmem::load(reinterpret_cast<const SuperblockDisk*>(region.block_address(block)));
  };
  const SuperblockDisk first = at(0);
  if (sound(first, region.block_count())) return first;
  // A copy is at the start of every group, whose size only a superblock says: wherever a group might begin.
  for (uint64_t block = 1; block < region.block_count(); ++block) {
    const SuperblockDisk copy = at(block);
    if (copy.magic == static_cast<uint32_t>(Magic::kSuperblock) && sound(copy, region.block_count()) && block % copy.group_blocks == 0) {
      return copy;
    }
  }
  return Error(Errc::kCorrupt, "no superblock");
}

// Copies, flushed; fence; group 0's, flushed; fence. A crash before that leaves whatever the medium was before, as far as a mount can see: a
// copy is believed only where block 0 is damaged.
void write_superblocks(pmem::Region& region, SuperblockDisk superblock) {
  superblock.crc = superblock_crc(superblock);
  for (uint32_t group = superblock.group_count; group-- > 0;) {
    std::byte* const address = region.block_address(uint64_t{group} * superblock.group_blocks);
    if (group == 0) pmem::fence();
    pmem::store_bytes(address, &superblock, sizeof superblock);
    pmem::flush(address, sizeof superblock);
  }
  pmem::fence();
}

}  // namespace daxlab::xfslike
