// One inode in DRAM: attributes, log, and by kind the data index, the names or the target.
//
// Life: `refs` counts look-up references, open handles, and one for having links. Whoever drops the last frees blocks, slot and object
// (InodeTable::release). Nothing on the medium says so: an inode that no name reaches is free at the next mount.
//
// Lock order, outermost first (DESIGN.md): rename lock; directories, a parent before its children, else by inode number; entries of
// the address space; stripes; the inode's lock; commit slots; inode table; allocator pools. A thread holds the locks of several inodes only as
// rename and rmdir do.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>

#include "engines/api/types.h"
#include "engines/base/mutex.h"
#include "engines/native/data_index.h"
#include "engines/native/format.h"
#include "engines/native/inode_log.h"
#include "engines/native/name_index.h"
#include "engines/native/stripe_lock.h"

namespace daxlab::native {

class MappedFile;

/// A small write whose record is in the log and whose bytes were stored in place but not fenced.
struct PendingStore {
  uint32_t block;
  uint16_t offset;
  uint16_t size_bytes;
};
struct PendingStores {
  static constexpr uint32_t kMax = 128;
  uint32_t count = 0;
  std::array<PendingStore, kMax> stores;
};

struct Inode {
  Inode(uint32_t ino_in, uint32_t generation_in, NodeKind kind_in) : ino(ino_in), generation(generation_in), kind(kind_in) {}
  ~Inode();
  Inode(const Inode&) = delete;
  Inode& operator=(const Inode&) = delete;

  InodeId id() const { return uint64_t{generation} << 32 | ino; }
  static uint32_t ino_of(InodeId id) { return static_cast<uint32_t>(id); }
  static uint32_t generation_of(InodeId id) { return static_cast<uint32_t>(id >> 32); }

  const uint32_t ino;
  const uint32_t generation;
  const NodeKind kind;
  bool dead = false;            ///< Directories: removed; guarded by lock.
  bool small_unretired = false; ///< kSmall records may be in the log that a mount would apply; guarded by lock.
  uint32_t seed = 0;            ///< Of its records' checksums.
  InodeDisk* slot = nullptr;

  std::atomic<uint32_t> refs{1};
  std::atomic<uint32_t> links{0};
  SharedMutex lock;
  StripeLock stripes;

  // Guarded by `lock`; size also by StripeLock::kEnd: it changes only under both.
  std::atomic<uint64_t> size_bytes{0};
  uint64_t atime_ns = 0;
  uint64_t mtime_ns = 0;
  std::atomic<uint64_t> ctime_ns{0};  ///< Also set by changes of links, without the lock.
  uint64_t device = 0;
  uint32_t uid = 0;
  uint32_t gid = 0;
  uint32_t mode = 0;
  LogState log;

  // Files.
  DataIndex data;
  std::atomic<uint64_t> data_blocks{0};
  /// The block that the last overwrite of one page replaced, for the next one: such a write then asks the allocator for nothing. 0: none.
  /// Filled under the lock, emptied by exchange.
  std::atomic<uint32_t> spare_data_block{0};
  std::unique_ptr<PendingStores> pending;
  std::atomic<MappedFile*> mapped{nullptr};  ///< Made by the first map(), lives as long as the inode.

  // Directories; the parent is guarded by the file system's rename lock for changes.
  std::unique_ptr<NameIndex> names;
  std::atomic<InodeId> parent{0};

  // Symlinks; constant.
  std::unique_ptr<std::string> target;
};

}  // namespace daxlab::native
