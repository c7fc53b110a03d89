// What the log knows of a metadata object: how to format its changes, and how to write it back (XFS: xfs_log_item and its
// operations).
//
// Life: a transaction changes an object in DRAM and commits its item; the CIL formats the item into a private vector and pins it;
// when its checkpoint is durable the item is unpinned and inserted into the AIL at the checkpoint's start; the AIL's push writes
// the object back to its place and the item leaves the AIL, which lets the tail of the log move.
//
// Write-ahead: an item that is pinned must not be written back, since its newest change is in DRAM only.
#pragma once

#include <cstddef>
#include <cstdint>

#include "engines/xfslike/lsn.h"

namespace daxlab::xfslike {

enum class ItemType : uint16_t { kInode = 1, kBuffer, kDquot, kExtentFreeIntent, kExtentFreeDone };

/// Takes an item's regions, in order. No region is split in memory; each lies at a multiple of 8 bytes.
class RegionWriter {
 public:
  virtual ~RegionWriter() = default;
  /// The place for one region's bytes; within what LogItem::log_size() announced.
  virtual std::byte* add(uint32_t size_bytes) = 0;
};

class LogItem {
 public:
  explicit LogItem(ItemType type) : type_(type) {}
  virtual ~LogItem() = default;
  LogItem(const LogItem&) = delete;
  LogItem& operator=(const LogItem&) = delete;

  ItemType type() const { return type_; }

  /// What format() will write, at most. Called by the committing transaction, which holds the object's lock; may be called more
  /// than once.
  struct Size {
    uint32_t regions = 0;
    uint32_t bytes = 0;
  };
  virtual Size log_size() const = 0;
  /// Formats everything that changed since the object was last written back, not since the last commit: relogging replaces. The
  /// first region names the object. Same thread and lock as log_size(), right after it; neither allocates nor waits.
  virtual void format(RegionWriter& out) const = 0;

  /// Counted: once by each commit that makes the item part of a checkpoint that did not hold it, and once less when that is
  /// durable or dropped.
  virtual void pin() = 0;
  virtual void unpin() = 0;
  /// Its checkpoint, which began at `start`, is durable. Returns where the AIL shall hold the item, kNoLsn for not at all, in
  /// which case the log does not touch it again (a done item, which may have destroyed itself and its intent).
  virtual Lsn committed(Lsn start) { return start; }
  /// The checkpoint could not be written (the file system is shut down), or a mount that ends before it was: the item is dropped.
  virtual void aborted() {}

  enum class Push : uint8_t {
    kDone,    ///< Written back and durable; it is no longer in the AIL unless it was committed again meanwhile.
    kPinned,  ///< Part of a checkpoint that is not durable yet: a log force would help.
    kLocked,  ///< A transaction has it; try again later.
  };
  /// Writes the object back: payload, fence, then the object's own LSN (recovery skips what carries a newer one), then removes
  /// itself from the AIL if its LSN is still the one it was written at. Called by whoever pushes the AIL, with no lock held;
  /// never waits for a transaction.
  virtual Push push() = 0;

 private:
  const ItemType type_;
};

}  // namespace daxlab::xfslike
