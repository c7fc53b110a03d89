// The inodes in DRAM, by number: one shard a group.
//
// References: get() takes one, put() gives back any number. An inode without references stays while it is dirty, and clean ones stay up
// to a bound. When the last reference of an inode without links goes, put() says so once, and from then on nobody gets that inode:
// the caller frees it (Transaction, inode_allocation.h) and then calls gone().
//
// Threads: any. A shard's lock is a leaf.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "engines/base/result.h"
#include "engines/xfslike/inode.h"

namespace daxlab::xfslike {

struct Volume;
class Transaction;

class InodeTable {
 public:
  explicit InodeTable(Volume& volume);
  ~InodeTable();
  InodeTable(const InodeTable&) = delete;
  InodeTable& operator=(const InodeTable&) = delete;

  /// The inode, referenced. kStale where no inode is, a free one, or an orphan that is being freed; kCorrupt where it is not what it says.
  Result<Inode*> get(uint64_t ino);
  /// One more reference by someone who has one.
  void reference(Inode& inode, uint64_t references = 1);
  /// True: this was the last reference and the inode has no links. The caller frees it.
  [[nodiscard]] bool put(Inode* inode, uint64_t references = 1);
  /// The same by number, for references that are counted elsewhere (look-ups that a kernel forgets); null where it was not the last of an
  /// orphan.
  Inode* forget(uint64_t ino, uint64_t references);
  /// The orphan that put() or forget() spoke of has been freed, and its number may be taken again; or it could not be. Unlocked.
  void gone(Inode* inode);

  /// The inode of a number that was just allocated, referenced: free until the caller fills it in.
  Result<Inode*> adopt(uint64_t ino);
  /// Keeps the object for a while, by the AIL, which knows that it is there: no reference.
  void hold(Inode& inode);
  void unhold(Inode& inode);
  /// The inode if it is in DRAM, held.
  Inode* hold_cached(uint64_t ino);

  uint64_t referenced() const;  ///< Inodes with references.
  uint64_t dram_bytes() const;
  /// Every inode in DRAM, with no lock of the table held; each is held meanwhile.
  void each(const std::function<void(Inode&)>& visit);

 private:
  struct Shard;
  Shard& shard_of(uint64_t ino) const;
  Result<std::unique_ptr<Inode>> read(uint64_t ino);
  Result<Inode*> insert(Shard& shard, std::unique_ptr<Inode> inode, bool adopt);
  void reclaim(Shard& shard);

  Volume& volume_;
  std::vector<std::unique_ptr<Shard>> shards_;
};

}  // namespace daxlab::xfslike
