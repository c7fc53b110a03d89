// One checkpoint: the transactions that go to the log together (XFS: struct xfs_cil_ctx).
//
// Filled by commits while it is the CIL's current one; then written by one push; then completed when its commit record is
// durable.
#pragma once

#include <cstdint>
#include <functional>

#include "engines/xfslike/grant_ticket.h"
#include "engines/xfslike/iclog_ring.h"
#include "engines/xfslike/log_vector.h"
#include "engines/xfslike/log_writer.h"

namespace daxlab::xfslike {

class Checkpoint {
 public:
  Checkpoint(uint64_t its_sequence, uint32_t its_id) : sequence(its_sequence), id(its_id) {}
  ~Checkpoint();
  Checkpoint(const Checkpoint&) = delete;
  Checkpoint& operator=(const Checkpoint&) = delete;

  const uint64_t sequence;
  const uint32_t id;  ///< By which its operations are told from those of others in a record.

  // While current: under the CIL's lock.
  Ticket ticket;             ///< What its transactions gave of their reservations.
  uint32_t headers = 0;      ///< Record headers that this is enough for.
  uint64_t space_bytes = 0;  ///< Of the items' operations.
  uint32_t items = 0;
  LogVector* first = nullptr;  ///< In order of each item's last commit.
  LogVector* last = nullptr;

  // While written: under the CIL's lock.
  Lsn start_floor = kNoLsn;  ///< It will not begin before this.
  Lsn start_lsn = kNoLsn;
  Lsn commit_lsn = kNoLsn;

  void append(LogVector& vector);
  void take_out(LogVector& vector);

  /// Writes start record, transaction header and regions; `started` is told where it begins.
  Result<void> write_body(LogWriter& writer, const std::function<void(Lsn)>& started);
  /// Writes the commit record and holds its iclog, which the caller gives to IclogRing::put_commit().
  Result<Iclog*> write_commit(LogWriter& writer, IclogRing& ring);

  /// Calls use(item) for each item, once. What use() does may end the item.
  template <typename Use>
  void for_each_item(Use use) {
    for (LogVector* vector = first; vector != nullptr; vector = vector->behind) {
      if (vector->item != nullptr) use(*vector->item);
    }
  }
  /// Its items belong to the next checkpoint's commits from now on.
  void detach_items();

 private:
  // Operations of its own, where they stay until the records are written.
  OpHeaderDisk start_op_;
  struct {
    OpHeaderDisk op;
    TransactionHeaderDisk header;
  } transaction_op_;
  OpHeaderDisk commit_op_;
};

}  // namespace daxlab::xfslike
