// The log item of an inode: logs the core and, if it changed since the inode was last written back, the fork; writes back in place.
//
// Threads: the inode's ilock; push() takes it only if it is free.
#pragma once

#include <atomic>
#include <cstdint>

#include "engines/xfslike/stored_item.h"

namespace daxlab::xfslike {

class Inode;

/// What of an inode changed.
enum InodeField : uint32_t {
  kInodeCore = 1,
  kInodeFork = 2,  ///< Literal area: extents, root of the tree, local bytes.
  kInodeData = 4,  ///< What an fdatasync needs, too: size or extents. Not logged, but remembered.
};

class InodeItem final : public StoredItem {
 public:
  explicit InodeItem(Inode& inode) : StoredItem(ItemType::kInode), inode_(inode) {}

  /// The running transaction changed this.
  void add(uint32_t fields) {
    fields_ |= fields;
    logged_ = true;
  }
  bool logged() const { return logged_; }
  /// In CIL or AIL: the inode stays in DRAM.
  bool dirty() const { return dirty_.load(std::memory_order_acquire); }
  void set_dirty() { dirty_.store(true, std::memory_order_release); }
  bool pinned() const { return pins_.load(std::memory_order_acquire) != 0; }

  Size log_size() const override;
  void format(RegionWriter& out) const override;
  void committing(uint64_t sequence) override;
  void pin() override { pins_.fetch_add(1, std::memory_order_acq_rel); }
  void unpin() override { pins_.fetch_sub(1, std::memory_order_acq_rel); }
  Push push() override;
  void write_back(Lsn lsn) override;

 private:
  friend class InodeFlush;
  Inode& inode_;
  uint32_t fields_ = 0;  // since it was last written back
  bool logged_ = false;
  std::atomic<uint32_t> pins_{0};
  std::atomic<bool> dirty_{false};
};

}  // namespace daxlab::xfslike
