// What the tests of the metadata layer share: a formatted, mounted volume with a log, without an engine around it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include <gtest/gtest.h>

#include "engines/pmem/region.h"
#include "engines/xfslike/bmap.h"
#include "engines/xfslike/buffered_log.h"
#include "engines/xfslike/format_volume.h"
#include "engines/xfslike/inode_allocation.h"
#include "engines/xfslike/log.h"
#include "engines/xfslike/replay.h"
#include "engines/xfslike/superblock.h"
#include "engines/xfslike/transaction.h"
#include "engines/xfslike/volume.h"

namespace daxlab::xfslike {

/// An object as the list of its pieces: what meta=overlay stands on in these tests.
class PieceMapping final : public BufferMapping {
 public:
  explicit PieceMapping(pmem::Region& region) : region_(region) {}
  const char* name() const override { return "pieces"; }
  Result<std::unique_ptr<MappedObject>> map(std::span<const BlockRun> runs) override {
    return std::unique_ptr<MappedObject>(std::make_unique<Pieces>(pieces_of(region_, runs)));
  }

 private:
  class Pieces final : public MappedObject {
   public:
    explicit Pieces(std::vector<Segment> segments) : segments_(std::move(segments)) {}
    std::span<const Segment> segments() const override { return segments_; }

   private:
    std::vector<Segment> segments_;
  };
  pmem::Region& region_;
};

struct TestVolumeOptions {
  uint64_t size_bytes = 16 * kMiB;
  uint64_t log_bytes = kMiB;
  pmem::RunSpec run = {};
  uint32_t groups = 4;
  uint32_t dirblock_bytes = 4096;
  uint32_t meta_run_blocks = 0;
  MetaMode meta = MetaMode::kBuffer;
  bool whole_objects = false;
  bool quota = false;
  bool journal = true;
  uint64_t cache_bytes = 64 * kMiB;
  bool threads = false;
};

class TestVolume {
 public:
  static constexpr size_t kRootForkBytes = 24;

  explicit TestVolume(const TestVolumeOptions& options = {})
      : options_(options), region_(pmem::Region::for_test(options.size_bytes, options.run).value()), mapping_(*region_) {
    std::vector<std::byte> root(kRootForkBytes, std::byte{7});
    FormatRequest request;
    request.group_count = options.groups;
    request.log_blocks = options.log_bytes / kBlockBytes;
    request.dirblock_bytes = options.dirblock_bytes;
    request.meta_run_blocks = options.meta_run_blocks;
    request.quota = options.quota;
    request.uuid = {1, 2, 3, 4, 5, 6, 7, 8};
    request.now_ns = 1000;
    request.root_fork = root;
    must(format_volume(*region_, request));
    if (options.journal) {
      auto placement = make_placement();
      must(Log::create(*placement, log_config()));
    }
    must(mount());
  }
  ~TestVolume() { crash(); }

  Volume* operator->() { return volume_.get(); }
  Volume& operator*() { return *volume_; }
  pmem::Region& region() { return *region_; }
  Log& log() { return *log_; }
  const Replay::Counts& replayed() const { return replayed_; }

  Result<void> mount() {
    DAXLAB_ASSIGN(const SuperblockDisk superblock, read_superblock(*region_));
    VolumeOptions options;
    options.meta = options_.meta;
    options.mapping = &mapping_;
    options.whole_objects = options_.whole_objects;
    options.cache_bytes = options_.cache_bytes;
    auto volume = std::make_unique<Volume>(*region_, superblock, options);
    Replay replay(*volume);
    std::unique_ptr<Log> log;
    if (options_.journal) {
      placement_ = make_placement();
      DAXLAB_ASSIGN(log, Log::mount(*placement_, log_config(), replay));
    }
    DAXLAB_TRY(load_groups(*volume));
    if (log != nullptr) {
      volume->log = log.get();
      volume->ail = &log->ail();
      DAXLAB_TRY(replay.finish_intents());
    }
    replayed_ = replay.counts();
    volume_ = std::move(volume);
    log_ = std::move(log);
    return {};
  }
  void crash() {
    log_.reset();
    volume_.reset();
  }
  void unmount() {
    if (log_ != nullptr) must(log_->unmount());
    crash();
  }
  void remount() {
    unmount();
    must(mount());
  }
  void crash_and_mount() {
    crash();
    must(mount());
  }
  /// What a mount says of the medium as it is, after an unmount.
  Errc remount_code() {
    if (volume_ != nullptr) unmount();
    const auto mounted = mount();
    return mounted.ok() ? Errc::kExists : mounted.code();
  }
  bool remounts() { return remount_code() == Errc::kExists; }

  template <typename T>
  static T must(Result<T> result) {
    if (!result.ok()) ADD_FAILURE() << result.error().message();
    return std::move(result).value();
  }
  static void must(const Result<void>& result) {
    if (!result.ok()) ADD_FAILURE() << result.error().message();
  }

  std::unique_ptr<Transaction> begin(const Reservation& reservation) { return must(Transaction::begin(*volume_, reservation)); }

  /// A new file with one link and no name, committed; its reference is the caller's.
  Inode* create_file(NodeKind kind = NodeKind::kFile, uint32_t uid = 0, uint32_t gid = 0) DAXLAB_NO_THREAD_SAFETY_ANALYSIS {
    must(volume_->dquots.ensure(uid, gid));
    auto slot = must(InodeSlot::take(*volume_, volume_->superblock.root_ino, kind));
    const auto transaction = begin(reservation::create(*volume_, 0));
    NewInode what;
    what.kind = kind;
    what.mode = 0644;
    what.uid = uid;
    what.gid = gid;
    Inode* const inode = must(allocate_inode(*transaction, slot, what));
    inode->core.links = 1;
    transaction->commit();
    inode->ilock.unlock();
    return inode;
  }
  /// Allocates [offset, offset + count) of a file in as many transactions as it takes.
  void allocate(Inode& inode, uint64_t offset, uint64_t count, bool unwritten = false) {
    for (const uint64_t end = offset + count; offset < end;) {
      const auto transaction = begin(reservation::write(*volume_, end - offset));
      const WriterLock lock(inode.ilock);
      transaction->join(inode);
      offset += must(allocate_blocks(*transaction, inode, offset, end - offset, unwritten)).count;
      transaction->commit();
    }
  }

 private:
  LogConfig log_config() const {
    LogConfig config;
    config.background_threads = options_.threads;
    config.push_worker = options_.threads;
    config.completion_worker = options_.threads;
    return config;
  }
  std::unique_ptr<BufferedLog> make_placement() {
    const SuperblockDisk superblock = read_superblock(*region_).value();
    const BlockRun run{superblock.log_first_block, static_cast<uint32_t>(superblock.log_blocks)};
    return std::make_unique<BufferedLog>(*region_, std::span(&run, 1));
  }

  const TestVolumeOptions options_;
  std::unique_ptr<pmem::Region> region_;
  PieceMapping mapping_;
  std::unique_ptr<BufferedLog> placement_;
  std::unique_ptr<Volume> volume_;
  std::unique_ptr<Log> log_;
  Replay::Counts replayed_;
};

}  // namespace daxlab::xfslike
