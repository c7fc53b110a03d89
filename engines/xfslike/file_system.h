// One mounted file system of the core: its parts, and what every operation needs of them. engine.cc wraps it in the public interface.
//
// Threads: all methods from any thread.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>

#include "engines/api/engine.h"
#include "engines/base/mutex.h"
#include "engines/dax/mmu.h"
#include "engines/xfslike/inode.h"
#include "engines/xfslike/lock_order.h"
#include "engines/xfslike/log.h"
#include "engines/xfslike/mapped_inodes.h"
#include "engines/xfslike/options.h"
#include "engines/xfslike/parts.h"
#include "engines/xfslike/transaction.h"
#include "engines/xfslike/volume.h"

namespace daxlab::xfslike {

class FileSystem {
 public:
  explicit FileSystem(const CoreOptions& options_in) : options(options_in) {}
  ~FileSystem();
  FileSystem(const FileSystem&) = delete;
  FileSystem& operator=(const FileSystem&) = delete;

  /// The inode, referenced, its extents in DRAM. kStale, kCorrupt.
  Result<Inode*> get(InodeId ino);
  /// Gives up references; frees the inode with the last one if it has no links. No lock of the core is held.
  void release(Inode& inode, uint64_t references = 1);

  /// After an operation's last commit: what `durability=` says.
  Result<void> settle(uint64_t sequence);
  Result<void> force(uint64_t sequence);
  Result<void> force_all();

  // Destroyed from the last to the first: the log tells items of the volume that they are dropped, inodes hold address spaces.
  const CoreOptions options;
  std::unique_ptr<BufferMapping> mapping;
  std::unique_ptr<LogPlacement> placement;
  std::unique_ptr<dax::Mmu> mmu;
  std::unique_ptr<Volume> volume;
  std::unique_ptr<Log> log;              ///< Null: log=none.
  MappedInodes mapped;
  Mutex rename_lock;                     ///< Renames across directories: the tree's shape does not change under it.
  std::atomic<uint64_t> open_handles{0};

 private:
  std::atomic<uint64_t> operations_{0};  // of durability=batch:N
};

/// ilock of an inode by the documented order; `nested`: beside another inode's with an order of the caller's own.
class SharedIlock : public OrderedLock {
 public:
  explicit SharedIlock(Inode& inode) : OrderedLock(inode.ilock, LockRank::kInode, inode.ino(), Mode::kShared) {}
};
class ExclusiveIlock : public OrderedLock {
 public:
  explicit ExclusiveIlock(Inode& inode) : OrderedLock(inode.ilock, LockRank::kInode, inode.ino(), Mode::kExclusive) {}
};
class SharedRwsem : public OrderedLock {
 public:
  explicit SharedRwsem(Inode& inode) : OrderedLock(inode.rwsem, LockRank::kRwsem, inode.ino(), Mode::kShared) {}
};
class ExclusiveRwsem : public OrderedLock {
 public:
  explicit ExclusiveRwsem(Inode& inode, bool nested = false)
      : OrderedLock(inode.rwsem, LockRank::kRwsem, inode.ino(), Mode::kExclusive, nested) {}
};

/// Holds an inode by number for one call.
class Held {
 public:
  Held(FileSystem& fs, InodeId ino) : fs_(fs), inode_(fs.get(ino)) {}
  ~Held() {
    if (inode_.ok()) fs_.release(**inode_);
  }
  Held(const Held&) = delete;
  Held& operator=(const Held&) = delete;
  bool ok() const { return inode_.ok(); }
  const Error& error() const { return inode_.error(); }
  Inode* operator->() const { return *inode_; }
  Inode& operator*() const { return **inode_; }
  /// The reference is the caller's from here on.
  Inode& keep() {
    Inode& kept = **inode_;
    inode_ = Errc::kStale;
    return kept;
  }

 private:
  FileSystem& fs_;
  Result<Inode*> inode_;
};

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

}  // namespace daxlab::xfslike
