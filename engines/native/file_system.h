// One mounted native file system: the parts and what every operation needs of them. engine.cc wraps it in the public interface.
//
// Threads: all methods from any thread.
#pragma once

#include <atomic>
#include <memory>
#include <string>

#include "engines/api/engine.h"
#include "engines/base/mutex.h"
#include "engines/dax/address_space.h"
#include "engines/dax/mmu.h"
#include "engines/native/inode.h"
#include "engines/native/inode_table.h"
#include "engines/native/mapped_inodes.h"
#include "engines/native/volume.h"

namespace daxlab::native {

struct MountOptions {
  bool copy_on_write = true;
  uint32_t dirblock_bytes = 0;  ///< Volume::dirblock_bytes.
  bool background_threads = true;
  uint32_t cpus = 1;
  dax::Policy policy = dax::Policy::kEntryLock;
  std::string mmu = "auto";
};

class FileSystem {
 public:
  FileSystem(pmem::Region& region, const SuperblockDisk& superblock, const MountOptions& options_in)
      : options(options_in), volume(region, superblock, options_in.cpus), table(volume) {
    volume.copy_on_write = options.copy_on_write;
    volume.dirblock_bytes = options.dirblock_bytes;
  }

  /// Gives up references; frees the inode, its blocks and its slot with the last one. No lock of the inode is held.
  void release(Inode& inode, uint64_t references = 1);
  /// A link was taken away durably: the reference of having links goes with the last one.
  void drop_link(Inode& inode, uint32_t links = 1);

  const MountOptions options;
  Volume volume;
  MappedInodes mapped;  ///< Before the table, whose inodes leave it.
  InodeTable table;
  std::unique_ptr<dax::Mmu> mmu;
  Mutex rename_lock;                     ///< Renames across directories: the tree's shape does not change under it.
  std::atomic<uint64_t> open_handles{0};
};

/// What is behind a mounted native engine, for the tests that damage it.
FileSystem& file_system_of(Engine& engine);

Attributes attributes_of(Inode& inode) DAXLAB_EXCLUDES(inode.lock);
/// setattr(2) with truncation: one record, all or nothing.
Result<Attributes> set_attributes(FileSystem& fs, Inode& inode, const SetAttributes& changes);

/// Counts an open handle and holds a reference for its lifetime.
class Handle {
 public:
  /// Takes over one reference.
  Handle(FileSystem& fs, Inode& inode) : fs_(fs), inode_(inode) { fs_.open_handles.fetch_add(1, std::memory_order_relaxed); }
  ~Handle() {
    FileSystem& fs = fs_;
    fs.release(inode_);
    fs.open_handles.fetch_sub(1, std::memory_order_release);
  }
  Handle(const Handle&) = delete;
  Handle& operator=(const Handle&) = delete;
  FileSystem& fs() const { return fs_; }
  Inode& inode() const { return inode_; }

 private:
  FileSystem& fs_;
  Inode& inode_;
};

}  // namespace daxlab::native
