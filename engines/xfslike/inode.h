// An inode in DRAM: its core, its fork, its locks and its log item. (XFS: struct xfs_inode.)
//
// Threads: core and fork are guarded by ilock, shared to read, exclusive to change; a change is made by a transaction that joined the
// inode, and ilock is held until its commit has returned. rwsem and invalidate_lock are the callers' (lock_order.h has the order).
// References keep the object; an inode that is dirty stays without.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <span>

#include "engines/api/types.h"
#include "engines/base/mutex.h"
#include "engines/xfslike/btree.h"
#include "engines/xfslike/extent_map.h"
#include "engines/xfslike/format.h"
#include "engines/xfslike/inode_item.h"
#include "engines/xfslike/lsn.h"

namespace daxlab::xfslike {

struct Volume;

/// Whatever a user of the core keeps with an inode in DRAM: the address space of a mapped file. Made under ilock, gone with the inode.
class InodeAttachment {
 public:
  virtual ~InodeAttachment() = default;
};

class Inode {
 public:
  Inode(Volume& volume, uint64_t ino) : volume_(volume), ino_(ino), item_(*this) {}
  Inode(const Inode&) = delete;
  Inode& operator=(const Inode&) = delete;

  uint64_t ino() const { return ino_; }
  Volume& volume() { return volume_; }

  SharedMutex rwsem;
  SharedMutex invalidate_lock;
  SharedMutex ilock;

  // Under ilock. After changing any of these, Transaction::log() says what.
  InodeCoreDisk core{};
  ExtentMap extents;        ///< kExtents and kTree.
  std::atomic<bool> extents_loaded{true};  ///< False: of a tree that has not been read (bmap.h, load_extents()).
  BtreeRoot tree;           ///< kTree: its address is the root node's block.

  NodeKind kind() const { return static_cast<NodeKind>(core.kind); }
  bool is_free() const { return core.kind == 0; }
  ForkFormat fork_format() const { return static_cast<ForkFormat>(core.fork_format); }
  /// kLocal: the bytes in the literal area, at most kForkBytes.
  std::span<const std::byte> local() const { return {local_.data(), core.fork_bytes}; }
  void set_local(std::span<const std::byte> bytes);
  /// From kLocal to an empty extent map.
  void make_extents() { start_fork(ForkFormat::kExtents); }
  Attributes attributes() const;

  /// Sequence of the last commit that changed the inode: what an fsync forces the log up to. fdatasync may leave out what is not needed
  /// to find the data: data_sequence is the last commit that changed size or extents.
  std::atomic<uint64_t> last_sequence{0};
  std::atomic<uint64_t> data_sequence{0};

  std::unique_ptr<InodeAttachment> attachment;

  InodeItem& item() { return item_; }

  /// A free one becomes another: an empty fork of `format`.
  void start_fork(ForkFormat format);
  /// Fills core and fork from the medium's bytes, which have been verified. The extents of a tree are read when first needed.
  Result<void> load(const InodeDisk& disk);
  /// After a change of extents or of the tree: what the core says of the fork.
  void count_fork();
  /// The literal area as it is logged and written back: core.fork_bytes.
  void format_fork(std::byte* to) const;

 private:
  friend class InodeTable;
  Volume& volume_;
  const uint64_t ino_;
  std::array<std::byte, kForkBytes> local_{};
  InodeItem item_;
  // The table's, under its lock.
  uint64_t references_ = 0;
  uint32_t holds_ = 0;
  bool inactive_ = false;  // an orphan without references: nobody gets it any more
  Inode* lru_next_ = nullptr;
  Inode* lru_previous_ = nullptr;
};

}  // namespace daxlab::xfslike
