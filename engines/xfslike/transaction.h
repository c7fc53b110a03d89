// A transaction: what changes together. Everything it may need is reserved first, everything it touches is joined under its lock, and
// commit hands it to the log in one step. (XFS: fs/xfs/xfs_trans.c, xfs_defer.c.)
//
// Life: begin() waits for log space, holding nothing; then inodes are locked and joined, buffers joined as they are needed, changes are
// made and logged; commit() makes it one with the CIL, or cancel() undoes nothing because nothing was changed.
//
// Free space and inode chunks: blocks and inodes are taken from the groups' indexes in DRAM at once, and the groups' blocks are locked
// and changed in commit(), in ascending order, as XFS applies superblock deltas (xfs_trans_apply_sb_deltas()). So no transaction waits
// for a group while it holds what another one needs.
//
// Extents that are freed: commit() logs an intent with the changes, then, as a second part, the freeing and a done record.
//
// Invariants:
//   1. A transaction is dirty only by what it has reserved; one that is dirty is committed. To cancel it shuts the file system down.
//   2. A joined inode's ilock is held, exclusive, by the caller until commit() or cancel() has returned.
//   3. A joined buffer's lock is the transaction's, until commit() or cancel(), or until its last reference is given back unchanged.
//   4. Every reference is given back before commit() or cancel().
// Threads: one thread's.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "engines/base/result.h"
#include "engines/xfslike/buffer.h"
#include "engines/xfslike/dquot.h"
#include "engines/xfslike/extent_free.h"
#include "engines/xfslike/grant_ticket.h"
#include "engines/xfslike/group_update.h"
#include "engines/xfslike/inode_item.h"
#include "engines/xfslike/metadata_bytes.h"
#include "engines/xfslike/reservation.h"

namespace daxlab::xfslike {

class Inode;
struct Volume;

class Transaction {
 public:
  /// Waits for log space and takes the blocks; no lock of the core may be held. kNoSpace.
  static Result<std::unique_ptr<Transaction>> begin(Volume& volume, const Reservation& reservation);
  ~Transaction();  ///< Cancels what was not committed.
  Transaction(const Transaction&) = delete;
  Transaction& operator=(const Transaction&) = delete;

  Volume& volume() { return volume_; }

  // --- inodes
  /// The inode takes part. More than once is once.
  void join(Inode& inode);
  /// The inode, joined, changed: InodeField.
  void log(Inode& inode, uint32_t fields);

  // --- buffers
  /// The object, locked and joined, as a reference: destroy it when done with it. `write`: stays joined until the commit.
  Result<MetadataRef> read(const BufferName& name, bool write);
  /// A new object of zeroes behind its header; its blocks came from allocate().
  Result<MetadataRef> create(const BufferName& name);
  /// The object is freed: its earlier log records must not be replayed. Its blocks still are to be freed by free_extent().
  Result<void> invalidate(const BufferName& name);

  // --- space
  struct Space {
    uint64_t near = 0;     ///< As close behind this block as can be.
    uint32_t count = 1;    ///< Wanted ...
    uint32_t minimum = 1;  ///< ... and needed, in one piece.
    uint32_t align = 1;    ///< Within the group.
    std::optional<uint32_t> group = {};  ///< In this group alone.
  };
  /// Blocks out of the reservation. kNoSpace: no piece of `minimum`, or more than reserved.
  Result<BlockRun> allocate(const Space& space);
  /// The runs of a new directory block: one piece where the volume's mapping needs it, else as free space and meta_run have it.
  Result<BlockRuns> allocate_object(uint64_t near, uint32_t blocks);
  /// Frees blocks in the deferred part.
  void free_extent(uint64_t block, uint64_t count);
  /// Blocks that allocate() may still take.
  uint64_t blocks_left() const { return blocks_left_; }

  // --- groups and quota
  GroupUpdate& groups() {
    dirty_ = true;
    return update_;
  }
  /// Adds to the usage of an inode's owners, whose dquots exist (DquotTable::ensure()); nothing where usage is not counted.
  void charge(const Inode& inode, int64_t blocks, int64_t inodes);

  bool dirty() const { return dirty_; }

  /// The transaction is over: in the CIL, everything unlocked but the inodes. Returns its sequence, which Log::force() takes.
  uint64_t commit();
  /// The same for an intent that is in the log already: frees its extents, and nothing else.
  uint64_t commit_intent(std::unique_ptr<ExtentFreeIntentItem> intent);
  void cancel();

  /// For tests: log bytes of the largest part so far, and of the reservation.
  uint32_t log_bytes_used() const { return log_bytes_used_; }
  const Reservation& reservation() const { return reservation_; }

 private:
  Transaction(Volume& volume, const Reservation& reservation) : volume_(volume), reservation_(reservation) {}

  struct Joined {
    Buffer* buffer;
    uint32_t references;
    bool keep;                 // until the commit
    bool handed_over = false;  // to the log, which has it unlocked
  };
  struct Charge {
    Dquot* dquot = nullptr;
    int64_t blocks = 0;
    int64_t inodes = 0;
  };
  Result<void> take_objects();
  static void release(MetadataBytes* bytes);
  MetadataRef reference(Buffer* buffer, bool keep);
  void lock_groups();
  void apply_charges();
  void collect(std::vector<LogItem*>& items);
  uint64_t hand_over(std::vector<LogItem*>& items, bool more);
  uint64_t commit_frees(std::unique_ptr<ExtentFreeIntentItem> intent, std::vector<LogItem*>& items);
  void let_go();

  Volume& volume_;
  const Reservation reservation_;
  Ticket ticket_;
  uint64_t blocks_left_ = 0;
  bool dirty_ = false;
  bool over_ = false;
  uint32_t log_bytes_used_ = 0;
  std::vector<Inode*> inodes_;
  std::vector<Joined> buffers_;
  std::map<std::pair<QuotaKind, uint32_t>, Charge> charges_;
  std::vector<Dquot*> dquots_;  // locked
  GroupUpdate update_;
  std::vector<BlockRun> taken_;
  std::vector<BlockRun> freed_;
  std::vector<BlockRun> objects_;  // whole ones, allocated beforehand and not in taken_ yet
};

/// buffers of the groups' own, for Transaction and tests: 4 bytes of alignment and an op header a region, as the log counts.
uint32_t logged_bytes(const LogItem& item);

}  // namespace daxlab::xfslike
