#include "engines/xfslike/mount.h"

#include <fmt/core.h>

#include "engines/xfslike/mapped.h"
#include "engines/xfslike/mkfs.h"
#include "engines/xfslike/orphans.h"
#include "engines/xfslike/replay.h"
#include "engines/xfslike/superblock.h"

namespace daxlab::xfslike {

namespace {

/// The log's recovery, then everything that needs it. A crash in it leaves a log that is replayed again, to the same effect.
Result<void> start_log(FileSystem& fs) {
  const SuperblockDisk& superblock = fs.volume->superblock;
  pmem::Region& region = fs.volume->region;
  DAXLAB_ASSIGN(const auto runs,
                log_runs(fs.options.log_run, superblock.log_first_block, superblock.log_blocks, region.spec().seed));
  DAXLAB_ASSIGN(fs.placement, make_log_placement({region, fs.options, runs}));
  Replay replay(*fs.volume);
  DAXLAB_ASSIGN(fs.log, Log::mount(*fs.placement, log_config(fs.options, superblock.uuid), replay));
  DAXLAB_TRY(load_groups(*fs.volume));
  fs.volume->log = fs.log.get();
  fs.volume->ail = &fs.log->ail();
  return replay.finish_intents();
}

}  // namespace

Result<std::unique_ptr<FileSystem>> mount_file_system(pmem::Region& region, const CoreOptions& options) {
  DAXLAB_ASSIGN(const SuperblockDisk superblock, read_superblock(region));
  if (superblock.block_count != region.block_count()) {
    return Error(Errc::kCorrupt, fmt::format("the superblock describes a medium of {} blocks, this one has {}", superblock.block_count,
                                             region.block_count()));
  }
  auto fs = std::make_unique<FileSystem>(options);
  VolumeOptions volume_options;
  volume_options.meta = options.meta;
  volume_options.cache_bytes = options.cache_bytes;
  volume_options.quota = superblock.quota != 0;
  volume_options.whole_objects = options.meta != MetaMode::kBuffer && options.map == "contig";
  DAXLAB_ASSIGN(fs->mapping, make_buffer_mapping({region, fs->options, {}}));
  volume_options.mapping = fs->mapping.get();
  DAXLAB_ASSIGN(fs->mmu, dax::Mmu::create(region, options.mmu));
  fs->volume = std::make_unique<Volume>(region, superblock, volume_options);
  if (options.journalled()) {
    DAXLAB_TRY(start_log(*fs));
  } else {
    DAXLAB_TRY(load_groups(*fs->volume));
  }
  DAXLAB_TRY(free_orphans(*fs));
  return fs;
}

Result<void> sync_file_system(FileSystem& fs) {
  for (const uint64_t ino : fs.mapped.all()) {
    const Held inode(fs, ino);
    if (inode.ok()) DAXLAB_TRY(write_back_mapped(fs, *inode));
  }
  return fs.force_all();
}

// Order: lines stored through mappings; the log; every item in its place; the unmount record.
Result<void> unmount_file_system(FileSystem& fs) {
  if (fs.open_handles.load(std::memory_order_acquire) != 0) return Errc::kBusy;
  DAXLAB_TRY(sync_file_system(fs));
  return fs.log == nullptr ? Result<void>() : fs.log->unmount();
}

}  // namespace daxlab::xfslike
