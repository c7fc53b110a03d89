#include "engines/xfslike/engine.h"

#include "engines/xfslike/attributes.h"
#include "engines/xfslike/check.h"
#include "engines/xfslike/file.h"
#include "engines/xfslike/mount.h"
#include "engines/xfslike/names.h"
#include "engines/xfslike/orphans.h"

namespace daxlab::xfslike {

namespace {

class CoreEngine final : public Engine {
 public:
  explicit CoreEngine(std::unique_ptr<FileSystem> fs) : fs_(std::move(fs)) {}

  InodeId root() const override { return fs_->volume->superblock.root_ino; }
  Result<std::unique_ptr<File>> open(InodeId ino, OpenFlags flags) override;
  Result<std::unique_ptr<Directory>> open_directory(InodeId ino) override;
  Result<Attributes> getattr(InodeId ino) override;
  Result<Attributes> setattr(InodeId ino, const SetAttributes& changes) override;
  Result<std::string> readlink(InodeId ino) override;
  Result<InodeId> parent(InodeId directory) override;
  void forget(InodeId ino, uint64_t references) override;
  Result<FsStats> statfs() override { return volume_stats(*fs_->volume); }
  Result<void> sync() override { return sync_file_system(*fs_); }
  Result<CheckReport> check() override;
  uint64_t dram_bytes() const override;
  Result<void> unmount() override { return unmount_file_system(*fs_); }

  FileSystem& file_system() { return *fs_; }

 private:
  std::unique_ptr<FileSystem> fs_;
};

Result<std::unique_ptr<File>> CoreEngine::open(InodeId ino, OpenFlags flags) {
  Held inode(*fs_, ino);
  if (!inode.ok()) return inode.error();
  switch (inode->kind()) {
    case NodeKind::kFile: break;
    case NodeKind::kDirectory: return Errc::kIsDirectory;
    case NodeKind::kSymlink: return Errc::kLoop;
    default: return Errc::kNotSupported;
  }
  if (flags.truncate && flags.write) {
    SetAttributes changes;
    changes.size_bytes = 0;
    DAXLAB_TRY(set_attributes(*fs_, *inode, changes));
  }
  return std::unique_ptr<File>(new CoreFile(*fs_, inode.keep(), flags));
}

Result<std::unique_ptr<Directory>> CoreEngine::open_directory(InodeId ino) {
  Held inode(*fs_, ino);
  if (!inode.ok()) return inode.error();
  if (inode->kind() != NodeKind::kDirectory) return Errc::kNotDirectory;
  return std::unique_ptr<Directory>(new CoreDirectory(*fs_, inode.keep()));
}

Result<Attributes> CoreEngine::getattr(InodeId ino) {
  const Held inode(*fs_, ino);
  if (!inode.ok()) return inode.error();
  return attributes_of(*inode);
}

Result<Attributes> CoreEngine::setattr(InodeId ino, const SetAttributes& changes) {
  const Held inode(*fs_, ino);
  if (!inode.ok()) return inode.error();
  return set_attributes(*fs_, *inode, changes);
}

Result<std::string> CoreEngine::readlink(InodeId ino) {
  const Held inode(*fs_, ino);
  if (!inode.ok()) return inode.error();
  return read_target(*inode);
}

Result<InodeId> CoreEngine::parent(InodeId directory) {
  const Held inode(*fs_, directory);
  if (!inode.ok()) return inode.error();
  if (inode->kind() != NodeKind::kDirectory) return Errc::kNotDirectory;
  return parent_of(*inode);
}

void CoreEngine::forget(InodeId ino, uint64_t references) {
  if (references == 0) return;
  Inode* const orphan = fs_->volume->inodes.forget(ino, references);
  if (orphan != nullptr) inactivate(*fs_, *orphan);
}

// The check reads the medium, so everything is written back first.
Result<CheckReport> CoreEngine::check() {
  DAXLAB_TRY(sync_file_system(*fs_));
  if (fs_->log != nullptr) DAXLAB_TRY(fs_->log->quiesce());
  return check_volume(*fs_->volume);
}

uint64_t CoreEngine::dram_bytes() const {
  const Volume& volume = *fs_->volume;
  uint64_t sum = sizeof(FileSystem) + volume.cache.stats().dram_bytes + volume.inodes.dram_bytes() + volume.dquots.dram_bytes();
  sum += fs_->mapping->dram_bytes();
  if (fs_->placement != nullptr) sum += fs_->placement->dram_bytes();
  return sum;
}

}  // namespace

std::unique_ptr<Engine> make_engine(std::unique_ptr<FileSystem> fs) { return std::make_unique<CoreEngine>(std::move(fs)); }

FileSystem& file_system_of(Engine& engine) {
  auto* const core = dynamic_cast<CoreEngine*>(&engine);
  DAXLAB_CHECK(core != nullptr);
  return core->file_system();
}

}  // namespace daxlab::xfslike
