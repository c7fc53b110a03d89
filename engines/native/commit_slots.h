// The commit words of operations over two logs.
//
// A record with kTransaction names a slot and a number and holds if and only if the slot's word is at least that number. One
// transaction at a time per slot. Recovery erases the records of numbers that were given out but not committed before any slot is used again,
// so that a number may be given out twice.
//
// Threads: slots are independent; a Transaction holds its slot's lock.
#pragma once

#include <array>
#include <cstdint>

#include "engines/base/mutex.h"
#include "engines/base/result.h"
#include "engines/pmem/region.h"

namespace daxlab::native {

class CommitSlots {
 public:
  CommitSlots(pmem::Region& region, uint32_t seed) : region_(region), seed_(seed) {}

  /// Writes the empty table; not yet durable.
  void format();
  /// Reads the table; kCorrupt names the slot whose word is wrong.
  Result<void> load();

  /// Whether the transaction that a record names (slot in the high 8 bits) happened. Any value may be asked for.
  bool committed(uint64_t transaction) const;
  static bool plausible(uint64_t transaction);

  class Transaction;

 private:
  struct Slot {
    Mutex mutex;
    uint64_t committed = 0;
  };
  uint64_t* word(uint32_t slot) const;

  pmem::Region& region_;
  const uint32_t seed_;
  std::array<Slot, 64> slots_;
};

/// One transaction in one slot, exclusively.
class DAXLAB_SCOPED_CAPABILITY CommitSlots::Transaction {
 public:
  Transaction(CommitSlots& slots, uint32_t slot) DAXLAB_ACQUIRE(slots.slots_[slot].mutex);
  ~Transaction() DAXLAB_RELEASE();
  Transaction(const Transaction&) = delete;
  Transaction& operator=(const Transaction&) = delete;

  /// What its records carry.
  uint64_t number() const { return number_; }
  /// The records are stored and flushed. Order: fence; the word, 8 bytes; flush; fence. A crash before the word leaves records that do
  /// not count, after it all of them do.
  void commit();

 private:
  CommitSlots& slots_;
  const uint32_t slot_;
  uint64_t number_ = 0;  // set once, under the slot's lock
};

}  // namespace daxlab::native
