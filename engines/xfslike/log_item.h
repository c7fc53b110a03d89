// What the log knows of a metadata object: how to format its changes, and how to write it back (XFS: xfs_log_item and its
// operations).
//
// Life: a transaction changes an object in DRAM and commits its item; the CIL formats the item into a private vector and pins it;
// when its checkpoint is durable the item is unpinned and inserted into the AIL at the checkpoint's start; the AIL's push writes
// the object back to its place and the item leaves the AIL, which lets the tail of the log move.
//
// Write-ahead: an item that is pinned must not be written back, since its newest change is in DRAM only.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <thread>

#include "engines/pmem/on_media.h"
#include "engines/xfslike/lsn.h"

namespace daxlab::xfslike {

enum class ItemType : uint16_t { kInode = 1, kBuffer, kDquot, kExtentFreeIntent, kExtentFreeDone };

class Ail;
class Checkpoint;
class Cil;
struct LogVector;
struct LogVectorDeleter {
  void operator()(LogVector* vector) const;
};

/// Every item's first region begins with this, which the log fills in after format() and by which recovery finds where an item
/// ends: the item leaves these 4 bytes free (every xfs_*_log_format begins so). Behind them an intent and its done have, at
/// offset 8 of the first region, the 64-bit number by which recovery pairs them.
struct ItemHeaderDisk {
  uint16_t type;     ///< ItemType.
  uint16_t regions;  ///< The first included.
};
DAXLAB_ON_MEDIA(ItemHeaderDisk, 4, 2);

/// Takes an item's regions, in order. No region is split in memory; each lies at a multiple of 8 bytes.
class RegionWriter {
 public:
  virtual ~RegionWriter() = default;
  /// The place for one region's bytes; within what LogItem::log_size() announced. What recovery gets back is `size_bytes` rounded
  /// up to 4, the rest zero.
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

  /// The last step of a commit: the item is part of checkpoint `sequence`, which a log force of that number makes durable (XFS's
  /// iop_committing). The one place where it may give up its object's lock: the commit may sleep afterwards.
  virtual void committing(uint64_t sequence) { static_cast<void>(sequence); }

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

  /// Where the AIL holds the item, kNoLsn when it does not. Changes as checkpoints complete: push() reads it once, before it
  /// writes.
  Lsn ail_lsn() const { return ail_lsn_.load(std::memory_order_acquire); }

 private:
  friend class Ail;
  friend class Checkpoint;
  friend class Cil;

  const ItemType type_;
  // The AIL's, under its lock.
  std::atomic<Lsn> ail_lsn_ = kNoLsn;
  LogItem* ail_before_ = nullptr;
  LogItem* ail_behind_ = nullptr;
  std::thread::id ail_pusher_;  // whose push() runs
  // The CIL's. vector_ belongs to the running checkpoint, under the object's lock and the CIL's; shadow_ to the item.
  LogVector* vector_ = nullptr;
  std::unique_ptr<LogVector, LogVectorDeleter> shadow_;
};

}  // namespace daxlab::xfslike
