// Usage of users and groups: blocks and inodes, counted in the transaction that changes them. (XFS: fs/xfs/xfs_dquot.c.)
//
// Dquots lie in a file for each kind, 32 a block, at id / 32; a dquot block is initialised on the medium before the transaction that adds
// it commits, and never given back. Limits are not enforced: what is under study is what counting logs.
//
// Threads: a dquot has a lock, taken after ilocks, by kind and then id; a transaction that joined it holds it until its commit.
#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>

#include "engines/base/mutex.h"
#include "engines/base/result.h"
#include "engines/xfslike/format.h"
#include "engines/xfslike/stored_item.h"

namespace daxlab::xfslike {

struct Volume;
class Inode;
class Transaction;

enum class QuotaKind : uint32_t { kUser = 1, kGroup = 2 };

struct Usage {
  uint64_t blocks = 0;
  uint64_t inodes = 0;
};

class Dquot final : public StoredItem {
 public:
  Dquot(Volume& volume, QuotaKind kind, uint32_t id, uint64_t block)
      : StoredItem(ItemType::kDquot), volume_(volume), kind_(kind), id_(id), block_(block) {}

  QuotaKind kind() const { return kind_; }
  uint32_t id() const { return id_; }
  Mutex& mutex() { return mutex_; }
  DquotDisk core{};  ///< Guarded by mutex().

  Size log_size() const override;
  void format(RegionWriter& out) const override;
  void committing(uint64_t sequence) override;
  void pin() override { pins_.fetch_add(1, std::memory_order_acq_rel); }
  void unpin() override { pins_.fetch_sub(1, std::memory_order_acq_rel); }
  Push push() override;
  void write_back(Lsn lsn) override;

 private:

  Volume& volume_;
  const QuotaKind kind_;
  const uint32_t id_;
  const uint64_t block_;
  Mutex mutex_;
  std::atomic<uint32_t> pins_{0};
};

class DquotTable {
 public:
  explicit DquotTable(Volume& volume) : volume_(volume) {}
  /// The dquot; null where the volume has none for that id yet. kCorrupt.
  Result<Dquot*> find(QuotaKind kind, uint32_t id);
  /// Makes sure that the dquots of an owner exist, in a transaction of their own: before one that charges them begins.
  Result<void> ensure(uint32_t uid, uint32_t gid);
  Result<Usage> usage(QuotaKind kind, uint32_t id);
  uint64_t dram_bytes() const;

 private:
  Result<Inode*> file(QuotaKind kind);
  /// Where the block of a dquot lies; 0: nowhere.
  Result<uint64_t> block_of(QuotaKind kind, uint32_t id);
  Result<void> add_block(QuotaKind kind, uint32_t id);

  Volume& volume_;
  mutable Mutex mutex_;
  std::map<std::pair<QuotaKind, uint32_t>, std::unique_ptr<Dquot>> dquots_ DAXLAB_GUARDED_BY(mutex_);
};

}  // namespace daxlab::xfslike
