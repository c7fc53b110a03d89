// Who excludes whom on one file: the seam behind `policy=`.
//
//   entry-lock   a lock bit in each entry, waiters in hashed queues, as fs/dax.c since Linux 4.7: faults of different pages
//                run side by side
//   exclusive    one lock for the file, as ext4's and XFS's i_mmap_sem held for write before that: entries need no lock
//
// A thread takes enter(), then entries in ascending order; a range holder may wait for an entry, an entry holder waits for no
// other entry.
#pragma once

#include <memory>

#include "engines/dax/address_space.h"
#include "engines/dax/entry_table.h"

namespace daxlab::dax {

class LockPolicy {
 public:
  virtual ~LockPolicy() = default;
  /// Brackets everything that one fault, write or writeback batch does with entries.
  virtual void enter() = 0;
  virtual void leave() = 0;
  /// Locks an entry, waiting if need be.
  virtual void lock(EntryWord& entry) = 0;
  /// Locks an entry if nobody has it and it is `expected`.
  virtual bool try_lock(EntryWord& entry, uint64_t expected) = 0;
  /// Gives the entry `word` (without kLocked) and lets go of it.
  virtual void unlock(EntryWord& entry, uint64_t word) = 0;
  /// Gives a locked entry `word` and keeps it.
  virtual void set(EntryWord& entry, uint64_t word) = 0;

  static std::unique_ptr<LockPolicy> create(Policy policy);
};

}  // namespace daxlab::dax
