// A transaction of an operation: whatever goes wrong in the middle of a change ends the mount, whatever goes wrong before it changes
// nothing.
//
// Threads: one thread's.
#pragma once

#include <memory>

#include "engines/xfslike/file_system.h"

namespace daxlab::xfslike {

class Operation {
 public:
  /// Waits for log space and takes the blocks, holding no ilock. kNoSpace before anything is changed.
  static Result<std::unique_ptr<Operation>> begin(FileSystem& fs, const Reservation& reservation) {
    lock_order_wait(LockRank::kReservation);
    DAXLAB_ASSIGN(auto transaction, Transaction::begin(*fs.volume, reservation));
    return std::unique_ptr<Operation>(new Operation(fs, std::move(transaction)));
  }
  Transaction& operator*() { return *transaction_; }
  Transaction* operator->() { return transaction_.get(); }

  /// The transaction is in the CIL; the caller still holds the ilocks. kIo where the file system has been shut down.
  Result<void> commit() {
    sequence_ = transaction_->commit();
    transaction_.reset();
    if (fs_.volume->is_shut_down()) return Errc::kIo;
    return {};
  }
  uint64_t sequence() const { return sequence_; }

 private:
  Operation(FileSystem& fs, std::unique_ptr<Transaction> transaction) : fs_(fs), transaction_(std::move(transaction)) {}
  FileSystem& fs_;
  std::unique_ptr<Transaction> transaction_;
  uint64_t sequence_ = 0;
};

}  // namespace daxlab::xfslike
