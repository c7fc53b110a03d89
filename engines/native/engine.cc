// The native engine: its types, their options, mounting; and the public interface over FileSystem.

#include <algorithm>
#include <thread>

#include <fmt/core.h>

#include "engines/api/engine.h"
#include "engines/api/registry.h"
#include "engines/base/units.h"
#include "engines/native/check.h"
#include "engines/native/directory.h"
#include "engines/native/file.h"
#include "engines/native/mapped.h"
#include "engines/native/recovery.h"
#include "engines/native/superblock.h"
#include "engines/pmem/label.h"

namespace daxlab::native {

namespace {

class NativeEngine final : public Engine {
 public:
  NativeEngine(std::unique_ptr<FileSystem> fs, const StateDisk& state) : fs_(std::move(fs)), state_(state) {}

  InodeId root() const override { return uint64_t{kRootGeneration} << 32 | kRootInode; }
  Result<std::unique_ptr<File>> open(InodeId ino, OpenFlags flags) override;
  Result<std::unique_ptr<Directory>> open_directory(InodeId ino) override;
  Result<Attributes> getattr(InodeId ino) override;
  Result<Attributes> setattr(InodeId ino, const SetAttributes& changes) override;
  Result<std::string> readlink(InodeId ino) override;
  Result<InodeId> parent(InodeId directory) override;
  void forget(InodeId ino, uint64_t references) override;
  Result<FsStats> statfs() override;
  Result<void> sync() override;
  Result<CheckReport> check() override { return check_file_system(*fs_); }
  uint64_t dram_bytes() const override;
  Result<void> unmount() override;
  FileSystem& file_system() { return *fs_; }

 private:
  /// Holds an inode by number for one call.
  class Held {
   public:
    Held(FileSystem& fs, InodeId ino) : fs_(fs), inode_(fs.table.acquire(ino)) {}
    ~Held() {
      if (inode_ != nullptr) fs_.release(*inode_);
    }
    Held(const Held&) = delete;
    Held& operator=(const Held&) = delete;
    explicit operator bool() const { return inode_ != nullptr; }
    Inode* operator->() const { return inode_; }
    Inode& operator*() const { return *inode_; }
    Inode& keep() { return *std::exchange(inode_, nullptr); }

   private:
    FileSystem& fs_;
    Inode* inode_;
  };

  std::unique_ptr<FileSystem> fs_;
  StateDisk state_;
};

Result<std::unique_ptr<File>> NativeEngine::open(InodeId ino, OpenFlags flags) {
  Held inode(*fs_, ino);
  if (!inode) return Errc::kStale;
  if (inode->kind == NodeKind::kDirectory) return Errc::kIsDirectory;
  if (inode->kind == NodeKind::kSymlink) return Errc::kLoop;
  if (inode->kind != NodeKind::kFile) return Errc::kNotSupported;
  if (flags.truncate && flags.write) {
    SetAttributes changes;
    changes.size_bytes = 0;
    DAXLAB_TRY(set_attributes(*fs_, *inode, changes));
  }
  return std::unique_ptr<File>(new NativeFile(*fs_, inode.keep(), flags));
}

Result<std::unique_ptr<Directory>> NativeEngine::open_directory(InodeId ino) {
  Held inode(*fs_, ino);
  if (!inode) return Errc::kStale;
  if (inode->kind != NodeKind::kDirectory) return Errc::kNotDirectory;
  return std::unique_ptr<Directory>(new NativeDirectory(*fs_, inode.keep()));
}

Result<Attributes> NativeEngine::getattr(InodeId ino) {
  const Held inode(*fs_, ino);
  if (!inode) return Errc::kStale;
  return attributes_of(*inode);
}

Result<Attributes> NativeEngine::setattr(InodeId ino, const SetAttributes& changes) {
  const Held inode(*fs_, ino);
  if (!inode) return Errc::kStale;
  return set_attributes(*fs_, *inode, changes);
}

Result<std::string> NativeEngine::readlink(InodeId ino) {
  const Held inode(*fs_, ino);
  if (!inode) return Errc::kStale;
  if (inode->kind != NodeKind::kSymlink) return Errc::kInvalid;
  return *inode->target;
}

Result<InodeId> NativeEngine::parent(InodeId directory) {
  const Held inode(*fs_, directory);
  if (!inode) return Errc::kStale;
  if (inode->kind != NodeKind::kDirectory) return Errc::kNotDirectory;
  return inode->parent.load(std::memory_order_acquire);
}

// Every change was durable when it returned, except stores through mappings.
Result<void> NativeEngine::sync() {
  for (const InodeId ino : fs_->mapped.all()) {
    const Held inode(*fs_, ino);
    if (inode) DAXLAB_TRY(sync_file(*inode));
  }
  return {};
}

void NativeEngine::forget(InodeId ino, uint64_t references) {
  if (references == 0) return;
  Inode* const inode = fs_->table.get(Inode::ino_of(ino));
  if (inode != nullptr && inode->generation == Inode::generation_of(ino)) fs_->release(*inode, references);
}

Result<FsStats> NativeEngine::statfs() {
  FsStats stats;
  stats.blocks_total = fs_->volume.superblock.block_count;
  stats.blocks_free = fs_->volume.allocator.available_blocks();
  stats.inodes_total = fs_->table.capacity_max();
  stats.inodes_free = stats.inodes_total - std::min(stats.inodes_total, fs_->table.live());
  return stats;
}

uint64_t NativeEngine::dram_bytes() const {
  uint64_t sum = sizeof(FileSystem) + fs_->table.dram_bytes() + fs_->volume.allocator.dram_bytes();
  fs_->table.for_each([&](Inode& inode) {
    const ReaderLock lock(inode.lock);
    sum += inode.data.dram_bytes();
    sum += inode.log.pages() * sizeof(LogPageInfo);
    if (inode.names != nullptr) sum += inode.names->dram_bytes();
    if (inode.target != nullptr) sum += sizeof(std::string) + inode.target->capacity();
    if (inode.pending != nullptr) sum += sizeof(PendingStores);
  });
  return sum;
}

// Order: everything is durable already; the state, one line, says so; fence.
Result<void> NativeEngine::unmount() {
  if (fs_->open_handles.load(std::memory_order_acquire) != 0) return Errc::kBusy;
  // What mappings that are gone left dirty.
  Result<void> synced;
  fs_->table.for_each([&](Inode& inode) {
    auto result = sync_file(inode);
    if (!result.ok()) synced = result;
  });
  DAXLAB_TRY(synced);
  state_.clean = 1;
  state_.epoch = fs_->volume.epoch;
  const Digest now = digest(*fs_);
  state_.digest = now.sum;
  state_.inodes = now.inodes;
  write_state(fs_->volume, state_);
  return {};
}

/// Threads that a mount reads the medium with.
unsigned recovery_threads(const MountOptions& options) {
  return options.background_threads ? std::clamp(std::thread::hardware_concurrency(), 1u, 16u) : 1;
}

Result<std::unique_ptr<Engine>> mount_volume(pmem::Region& region, const MountOptions& options) {
  DAXLAB_ASSIGN(const SuperblockDisk superblock, read_superblock(region));
  auto fs = std::make_unique<FileSystem>(region, superblock, options);
  DAXLAB_ASSIGN(StateDisk state, read_state(fs->volume));
  fs->volume.epoch = state.epoch + 1;
  const bool clean = state.clean != 0;
  DAXLAB_TRY(recover(*fs, clean ? RecoveryMode::kClean : RecoveryMode::kCrash, recovery_threads(options)));
  finish_recovery(*fs);
  const Digest found = digest(*fs);
  if (clean && (state.digest != found.sum || state.inodes != found.inodes)) {
    return Error(Errc::kCorrupt, "the medium was unmounted, but its logs end elsewhere than they did");
  }
  DAXLAB_ASSIGN(fs->mmu, dax::Mmu::create(region, options.mmu));
  // From here on the medium is in use: durable before the first record of this epoch, and with it what the recovery stored.
  state.clean = 0;
  state.epoch = fs->volume.epoch;
  write_state(fs->volume, state);
  return std::unique_ptr<Engine>(new NativeEngine(std::move(fs), state));
}

class NativeType final : public EngineType {
 public:
  explicit NativeType(bool copy_on_write) : copy_on_write_(copy_on_write) {}

  std::string name() const override { return copy_on_write_ ? "native" : "native-relaxed"; }
  std::string description() const override {
    return copy_on_write_ ? "per-inode logs, copy-on-write data: every operation atomic and durable when it returns"
                          : "native with data overwritten in place: metadata atomic, data durable but not atomic";
  }
  std::vector<OptionSpec> options() const override {
    const unsigned cpus = std::clamp(std::thread::hardware_concurrency(), 1u, kCommitSlots);
    const auto choice = [](std::string option, std::vector<std::string> values, std::string help) {
      OptionSpec spec;
      spec.name = std::move(option);
      spec.default_value = values.front();
      spec.values = std::move(values);
      spec.help = std::move(help);
      return spec;
    };
    std::vector<OptionSpec> specs;
    specs.push_back(copy_on_write_ ? choice("data", {"cow", "inplace"}, "overwrites go to new blocks, or in place")
                                   : choice("data", {"inplace", "cow"}, "overwrites go in place, or to new blocks"));
    specs.push_back(choice("dirs", {"hash", "xfslike"}, "names found by a hash table, or by XFS's directory blocks; both in DRAM over a log"));
    specs.push_back(choice("dirblock", {"4KiB", "16KiB", "64KiB"}, "size of a directory's blocks with dirs=xfslike"));
    specs.push_back(choice("durability", {"op"}, "every operation is durable when it returns"));
    specs.push_back(choice("background", {"threads", "inline"}, "whether there may be threads: mounts read the logs side by side"));
    specs.push_back(choice("policy", {"entry-lock", "exclusive"}, "locks between faults and writes of a mapped file"));
    specs.push_back(choice("mmu", {"auto", "uffd", "sigsegv", "soft"}, "page tables of mapped files"));
    OptionSpec spec;
    spec.name = "cpus";
    spec.kind = OptionSpec::Kind::kInteger;
    spec.min = 1;
    spec.max = kCommitSlots;
    spec.default_value = std::to_string(cpus);
    spec.help = "pools that free space is divided into; default: the processors online";
    specs.push_back(spec);
    return specs;
  }
  Traits traits(const Options& options) const override {
    Traits traits;
    traits.data_atomic = options.is("data", "cow");
    traits.data_atomic_bytes = traits.data_atomic ? kFilePagesMax * kBlockBytes : 0;
    return traits;
  }
  std::vector<std::string> suite_variants() const override {
    if (!copy_on_write_) return {name()};
    return {name(), name() + ":cpus=1", name() + ":cpus=5:background=inline:dirs=xfslike"};
  }
  uint32_t format_version() const override { return kFormatVersion; }
  uint64_t min_size_bytes() const override { return (kBlocksMin + 1) * kBlockBytes; }

  Result<void> format(pmem::Region* region, const Options& options) const override {
    DAXLAB_CHECK(region != nullptr);
    DAXLAB_TRY(format_volume(*region));
    pmem::Label label;
    label.engine = name();
    label.format_version = kFormatVersion;
    label.options = options.to_string();
    label.run = region->geometry().run();
    label.seed = region->spec().seed;
    label.size_bytes = region->size_bytes();
    pmem::write_label(*region, label);
    return {};
  }
  Result<std::unique_ptr<Engine>> mount(pmem::Region* region, const Options& options) const override {
    DAXLAB_CHECK(region != nullptr);
    DAXLAB_TRY(pmem::expect_label(*region, name(), kFormatVersion));
    MountOptions mount_options;
    mount_options.copy_on_write = options.is("data", "cow");
    if (options.is("dirs", "xfslike")) {
      DAXLAB_ASSIGN(const uint64_t bytes, parse_size(options.get("dirblock")));
      mount_options.dirblock_bytes = static_cast<uint32_t>(bytes);
    }
    mount_options.background_threads = options.is("background", "threads");
    mount_options.cpus = static_cast<uint32_t>(options.integer("cpus"));
    mount_options.mmu = options.get("mmu");
    DAXLAB_ASSIGN(mount_options.policy, dax::parse_policy(options.get("policy")));
    return mount_volume(*region, mount_options);
  }

 private:
  const bool copy_on_write_;
};

const RegisterEngine<NativeType> kNative(true);
const RegisterEngine<NativeType> kNativeRelaxed(false);

}  // namespace

FileSystem& file_system_of(Engine& engine) {
  auto* const native = dynamic_cast<NativeEngine*>(&engine);
  DAXLAB_CHECK(native != nullptr);
  return native->file_system();
}

}  // namespace daxlab::native
