#include "engines/native/superblock.h"

#include <cstring>

#include <fmt/core.h>

#include "engines/base/clock.h"
#include "engines/base/random.h"
#include "engines/native/inode_table.h"
#include "engines/native/seal.h"
#include "engines/pmem/persist.h"

namespace daxlab::native {

namespace {

SuperblockDisk* superblock_at(pmem::Region& region, uint64_t block) {
  return reinterpret_cast<SuperblockDisk*>(region.block_address(block));
}

bool valid(const SuperblockDisk& disk) {
  return disk.magic == kSuperblockMagic && disk.version == kFormatVersion && disk.crc == struct_crc(disk, 0);
}

/// Differs from that of any file system that was formatted here before, so that nothing it left behind validates. A function of the
/// medium's seed and history alone, so that a crash run can be replayed.
uint64_t new_identity(pmem::Region& region) {
  const SuperblockDisk before = pmem::load(superblock_at(region, kSuperblockBlock));
  return Random::mix(region.spec().seed, before.identity + 1);
}

StateDisk* state_at(pmem::Region& region, uint64_t counter) {
  return reinterpret_cast<StateDisk*>(region.block_address(kStateBlock)) + counter % kStateCopies * kStateStrideLines;
}

void seal_state(StateDisk& state, uint32_t seed) {
  state.magic = kStateMagic;
  state.crc = struct_crc(state, seed);
}

/// The state of an empty file system; the other copy is zeroes.
void format_state(pmem::Region& region, uint32_t seed) {
  StateDisk state{};
  state.clean = 1;
  state.inodes = 1;
  state.digest = Random::mix(uint64_t{kRootGeneration} << 32 | kRootInode, 0);
  seal_state(state, seed);
  Line block[kBlockLines]{};
  static_assert(sizeof block == kBlockBytes && sizeof state == kLineBytes);
  std::memcpy(&block[0], &state, sizeof state);  // counter 0
  pmem::stream(region.block_address(kStateBlock), block, sizeof block);
}

}  // namespace

// Order: everything once, in any order; the label, which is written behind this, begins with a fence. A crash before it leaves what is refused,
// as every structure is sealed with the new identity (a superblock without the state, a map without the root's slot), or all of it.
Result<void> format_volume(pmem::Region& region) {
  const uint64_t blocks = std::min(region.block_count(), kBlocksMax);
  if (blocks < kBlocksMin) {
    return Error(Errc::kNoSpace, fmt::format("native needs a medium of at least {} KiB", (kBlocksMin + 2) * kBlockBytes / kKiB));
  }
  SuperblockDisk superblock{};
  superblock.magic = kSuperblockMagic;
  superblock.version = kFormatVersion;
  superblock.block_count = blocks;
  superblock.identity = new_identity(region);
  superblock.created_ns = realtime_ns();
  superblock.inode_map_blocks = InodeTable::map_blocks(blocks);
  superblock.crc = struct_crc(superblock, 0);
  const uint32_t seed = identity_seed(superblock.identity);

  InodeDisk root{};
  root.magic = kInodeMagic;
  root.ino = kRootInode;
  root.generation = kRootGeneration;
  root.time_ns = superblock.created_ns;
  root.mode = 0755;
  root.kind = static_cast<uint8_t>(NodeKind::kDirectory);
  root.crc = inode_crc(root, seed);
  DAXLAB_TRY(InodeTable::format(region, superblock, root));
  CommitSlots(region, seed).format();
  format_state(region, seed);
  pmem::stream(superblock_at(region, kSuperblockBlock), &superblock, sizeof superblock);
  pmem::stream(superblock_at(region, blocks - 1), &superblock, sizeof superblock);
  return {};
}

Result<SuperblockDisk> read_superblock(pmem::Region& region) {
  SuperblockDisk disk = pmem::load(superblock_at(region, kSuperblockBlock));
  const bool damaged = !valid(disk);
  if (damaged) disk = pmem::load(superblock_at(region, std::min(region.block_count(), kBlocksMax) - 1));
  if (!valid(disk)) return Error(Errc::kCorrupt, "the superblock and its replica are damaged");
  const bool fits = disk.block_count == std::min(region.block_count(), kBlocksMax) && disk.block_count >= kBlocksMin &&
                    disk.inode_map_blocks == InodeTable::map_blocks(disk.block_count);
  if (!fits) {
    return Error(Errc::kCorrupt, fmt::format("the superblock describes a medium of {} blocks, this one has {}", disk.block_count,
                                             region.block_count()));
  }
  if (damaged) {
    pmem::store(superblock_at(region, kSuperblockBlock), disk);
    pmem::flush(superblock_at(region, kSuperblockBlock), sizeof disk);  // durable with the state of the mount
  }
  return disk;
}

Result<StateDisk> read_state(const Volume& volume) {
  StateDisk best{};
  bool found = false;
  for (uint64_t copy = 0; copy < kStateCopies; ++copy) {
    const StateDisk state = pmem::load(state_at(volume.region, copy));
    const bool ok = state.magic == kStateMagic && state.clean <= 1 && state.crc == struct_crc(state, volume.seed) &&
                    state.counter % kStateCopies == copy;
    if (!ok || (found && state.counter < best.counter)) continue;
    best = state;
    found = true;
  }
  if (!found) return Error(Errc::kCorrupt, "both copies of the mount state are damaged");
  return best;
}

// Order: one line over the older copy; fence. A crash before it leaves the newer copy, which still holds.
void write_state(const Volume& volume, StateDisk& state) {
  ++state.counter;
  seal_state(state, volume.seed);
  pmem::stream(state_at(volume.region, state.counter), &state, sizeof state);
  pmem::fence();
}

}  // namespace daxlab::native
