// The log item of an inode: logs the core and, if it changed since the inode was last written back, the fork; writes back in place.
//
// Threads: the inode's ilock; push() takes it only if it is free.
#pragma once

#include <atomic>
#include <cstdint>

#include "engines/xfslike/log_item.h"

namespace daxlab::xfslike {

class Inode;

/// What of an inode changed.
enum InodeField : uint32_t {
  kInodeCore = 1,
  kInodeFork = 2,  ///< Literal area: extents, root of the tree, local bytes.
  kInodeData = 4,  ///< What an fdatasync needs, too: size or extents. Not logged, but remembered.
};

class InodeItem final : public LogItem {
 public:
  explicit InodeItem(Inode& inode) : LogItem(ItemType::kInode), inode_(inode) {}

  void add(uint32_t fields) { fields_ |= fields; }
  uint32_t fields() const { return fields_; }
  /// In CIL or AIL: the inode stays in DRAM.
  bool dirty() const { return dirty_.load(std::memory_order_acquire); }
  void set_dirty() { dirty_.store(true, std::memory_order_release); }

  Size log_size() const override;
  void format(RegionWriter& out) const override;
  void pin() override { pins_.fetch_add(1, std::memory_order_acq_rel); }
  void unpin() override { pins_.fetch_sub(1, std::memory_order_acq_rel); }
  void aborted() override;
  Push push() override;

 private:
  void write_back(Lsn lsn);

  Inode& inode_;
  uint32_t fields_ = 0;  // since it was last written back
  std::atomic<uint32_t> pins_{0};
  std::atomic<bool> dirty_{false};
};

}  // namespace daxlab::xfslike
