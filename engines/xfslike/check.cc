#include "engines/xfslike/check.h"

#include <cstring>
#include <map>

#include "engines/pmem/persist.h"
#include "engines/xfslike/check_steps.h"
#include "engines/xfslike/superblock.h"

namespace daxlab::xfslike {

void CheckSteps::superblocks() {
  const SuperblockDisk& expected = volume_.superblock;
  for (uint64_t group = 0; group < expected.group_count; ++group) {
    const auto* address = reinterpret_cast<const SuperblockDisk*>(volume_.address(group * expected.group_blocks + kSuperblockAt));
    const SuperblockDisk copy = pmem::load(address);
    if (std::memcmp(&copy, &expected, sizeof copy) != 0) find("superblock", "the copy in group {} differs", group);
  }
}

void CheckSteps::claim(uint64_t block, uint64_t count, const char* what, uint64_t owner) {
  if (block >= claimed_.size() || count > claimed_.size() - block) {
    find("extents", "blocks {} + {} of {} {} lie outside", block, count, what, owner);
    return;
  }
  for (uint64_t at = block; at < block + count; ++at) {
    if (claimed_[at]) find("shared", "block {} of {} {} has another owner, too", at, what, owner);
    claimed_[at] = true;
  }
}

void CheckSteps::groups() {
  for (const auto& group : volume_.groups) {
    claim(group->first_block, kBitmapAt + group->bitmap.size(), "group", group->number);
    for (const Buffer* index : group->index) claim(index->name().first_block(), 1, "the inode index of group", group->number);
    for (uint32_t i = 0; i < group->chunks.count(); ++i) {
      const ChunkDisk chunk = group->chunks.record(i);
      for (uint32_t block = 0; block < kBlocksPerChunk; ++block) {
        const uint64_t present = chunk.block_mask >> block & 1;
        const uint64_t bits = uint64_t{(1u << kInodesPerBlock) - 1} << (block * kInodesPerBlock);
        if (present != 0) claim(group->absolute(chunk.first_block + block), 1, "inode chunk of group", group->number);
        if (present == 0 && ((chunk.free_mask | chunk.orphan_mask) & bits) != 0) {
          find("group", "group {}: inodes of a chunk's absent block {}", group->number, chunk.first_block + block);
        }
      }
      if ((chunk.free_mask & chunk.orphan_mask) != 0) find("group", "group {}: an inode is free and an orphan", group->number);
    }
  }
  const SuperblockDisk& superblock = volume_.superblock;
  claim(superblock.log_first_block, superblock.log_blocks, "the log", 0);
}

/// What is free has no owner, and what has none is free.
void CheckSteps::free_space() {
  std::vector<bool>& taken = claimed_;
  for (const auto& group : volume_.groups) {
    std::vector<bool> free(group->block_count);
    group->space.each([&](uint64_t first, uint64_t count) {
      for (uint64_t block = first; block < first + count; ++block) free[block - group->first_block] = true;
    });
    for (uint32_t at = 0; at < group->block_count; ++at) {
      const uint64_t block = group->absolute(at);
      if (taken[block] && free[at]) find("shared", "block {} is in use and free", block);
      if (!taken[block] && !free[at]) find("leaked", "block {} has no owner and is not free", block);
      if (taken[block]) ++report_.blocks_used;
    }
  }
}

Result<CheckReport> check_medium(pmem::Region& region) {
  DAXLAB_ASSIGN(const SuperblockDisk superblock, read_superblock(region));
  CheckReport report;
  VolumeOptions options;
  options.quota = superblock.quota != 0;
  Volume volume(region, superblock, options);
  CheckSteps steps(volume, report);
  steps.superblocks();
  if (const auto loaded = load_groups(volume); !loaded.ok()) {
    steps.find("group", "{}", loaded.error().message());
    return report;
  }
  steps.groups();
  steps.inodes();
  steps.names();
  if (superblock.quota != 0) steps.quota();
  steps.free_space();
  return report;
}

Result<CheckReport> check_volume(Volume& mounted) {
  DAXLAB_ASSIGN(CheckReport report, check_medium(mounted.region));
  VolumeOptions options;
  Volume volume(mounted.region, mounted.superblock, options);
  if (!load_groups(volume).ok()) return report;  // has been found
  const auto pieces = [](const Group& group) {
    std::map<uint64_t, uint64_t> found;
    group.space.each([&](uint64_t first, uint64_t count) { found[first] = count; });
    return found;
  };
  const auto differs = [&](uint32_t group, const char* what) {
    report.findings.push_back(fmt::format("dram: group {}: {} in DRAM and on the medium differ", group, what));
  };
  for (size_t i = 0; i < mounted.groups.size(); ++i) {
    const Group& here = *mounted.groups[i];
    const Group& there = *volume.groups[i];
    if (pieces(here) != pieces(there)) differs(here.number, "free space");
    if (here.chunks.count() != there.chunks.count()) {
      differs(here.number, "the number of inode chunks");
      continue;
    }
    for (uint32_t record = 0; record < here.chunks.count(); ++record) {
      const ChunkDisk dram = here.chunks.record(record);
      const ChunkDisk medium = there.chunks.record(record);
      if (std::memcmp(&dram, &medium, sizeof dram) != 0) differs(here.number, "a chunk of inodes");
    }
  }
  return report;
}

}  // namespace daxlab::xfslike
