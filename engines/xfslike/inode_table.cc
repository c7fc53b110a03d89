#include "engines/xfslike/inode_table.h"

#include <unordered_map>

#include "engines/base/check.h"
#include "engines/base/mutex.h"
#include "engines/pmem/persist.h"
#include "engines/xfslike/inode_disk.h"
#include "engines/xfslike/volume.h"

namespace daxlab::xfslike {
namespace {
/// Unreferenced inodes that stay in DRAM, over all shards.
constexpr uint64_t kInodesKept = 65536;
/// Inodes that a reclaim looks at before it gives up: the coldest may all be waiting to be written back.
constexpr uint32_t kReclaimLooks = 32;
}  // namespace

struct alignas(kCacheLineBytes) InodeTable::Shard {
  mutable Mutex mutex;
  std::unordered_map<uint64_t, std::unique_ptr<Inode>> by_number DAXLAB_GUARDED_BY(mutex);
  // Unreferenced inodes, coldest first.
  Inode* coldest DAXLAB_GUARDED_BY(mutex) = nullptr;
  Inode* hottest DAXLAB_GUARDED_BY(mutex) = nullptr;
  uint64_t unreferenced DAXLAB_GUARDED_BY(mutex) = 0;

  void link(Inode* inode) DAXLAB_REQUIRES(mutex) {
    inode->lru_previous_ = hottest;
    inode->lru_next_ = nullptr;
    (hottest == nullptr ? coldest : hottest->lru_next_) = inode;
    hottest = inode;
    ++unreferenced;
  }
  void unlink(Inode* inode) DAXLAB_REQUIRES(mutex) {
    (inode->lru_previous_ == nullptr ? coldest : inode->lru_previous_->lru_next_) = inode->lru_next_;
    (inode->lru_next_ == nullptr ? hottest : inode->lru_next_->lru_previous_) = inode->lru_previous_;
    inode->lru_next_ = inode->lru_previous_ = nullptr;
    --unreferenced;
  }
  void reference(Inode* inode, uint64_t references) DAXLAB_REQUIRES(mutex) {
    if (inode->references_ == 0) unlink(inode);
    inode->references_ += references;
  }
};

InodeTable::InodeTable(Volume& volume) : volume_(volume) {
  for (uint32_t i = 0; i < volume.superblock.group_count; ++i) shards_.push_back(std::make_unique<Shard>());
}

InodeTable::~InodeTable() = default;

InodeTable::Shard& InodeTable::shard_of(uint64_t ino) const { return *shards_[volume_.group_of(inode_block(ino))]; }

Result<std::unique_ptr<Inode>> InodeTable::read(uint64_t ino) {
  const uint64_t block = inode_block(ino);
  if (block >= volume_.superblock.block_count) return Errc::kStale;
  const Group& group = volume_.group(block);
  if (!group.chunks.find(static_cast<uint32_t>(ino - group.first_block * kInodesPerBlock))) return Errc::kStale;
  const auto disk = pmem::load(reinterpret_cast<const InodeDisk*>(volume_.address(block) + inode_offset(ino)));
  DAXLAB_TRY(verify_inode(disk, ino, volume_.superblock.uuid));
  auto inode = std::make_unique<Inode>(volume_, ino);
  DAXLAB_TRY(inode->load(disk));
  return inode;
}

Result<Inode*> InodeTable::get(uint64_t ino) {
  if (inode_block(ino) >= volume_.superblock.block_count) return Errc::kStale;
  Shard& shard = shard_of(ino);
  {
    const MutexLock lock(shard.mutex);
    const auto found = shard.by_number.find(ino);
    if (found != shard.by_number.end()) {
      if (found->second->inactive_) return Errc::kStale;
      shard.reference(found->second.get(), 1);
      return found->second.get();
    }
  }
  DAXLAB_ASSIGN(auto inode, read(ino));
  if (inode->is_free()) return Errc::kStale;
  return insert(shard, std::move(inode), false);
}

/// Unless someone else was faster.
Result<Inode*> InodeTable::insert(Shard& shard, std::unique_ptr<Inode> inode, bool adopt) {
  const MutexLock lock(shard.mutex);
  const auto [place, inserted] = shard.by_number.try_emplace(inode->ino(), nullptr);
  if (inserted) {
    place->second = std::move(inode);
    shard.link(place->second.get());
  } else if (place->second->inactive_ && !adopt) {
    return Errc::kStale;
  }
  Inode* const found = place->second.get();
  DAXLAB_CHECK(!adopt || found->references_ == 0);
  found->inactive_ = false;
  shard.reference(found, 1);
  reclaim(shard);
  return found;
}

Result<Inode*> InodeTable::adopt(uint64_t ino) {
  Shard& shard = shard_of(ino);
  {
    const MutexLock lock(shard.mutex);
    const auto found = shard.by_number.find(ino);
    if (found != shard.by_number.end()) {
      Inode* const inode = found->second.get();
      if (inode->references_ != 0 || !inode->is_free()) return Error(Errc::kCorrupt, "an inode in use was given out again");
      inode->inactive_ = false;
      shard.reference(inode, 1);
      return inode;
    }
  }
  DAXLAB_ASSIGN(auto inode, read(ino));
  if (!inode->is_free()) return Error(Errc::kCorrupt, "the index has an inode as free that is not");
  return insert(shard, std::move(inode), true);
}

void InodeTable::reference(Inode& inode, uint64_t references) {
  Shard& shard = shard_of(inode.ino());
  const MutexLock lock(shard.mutex);
  DAXLAB_CHECK(inode.references_ != 0);
  inode.references_ += references;
}

bool InodeTable::put(Inode* inode, uint64_t references) {
  Shard& shard = shard_of(inode->ino());
  const MutexLock lock(shard.mutex);
  DAXLAB_CHECK(inode->references_ >= references);
  inode->references_ -= references;
  if (inode->references_ != 0) return false;
  if (inode->core.links == 0 && !inode->is_free()) {  // without references nobody changes it
    inode->inactive_ = true;
    inode->references_ = 1;
    return true;
  }
  shard.link(inode);
  reclaim(shard);
  return false;
}

Inode* InodeTable::forget(uint64_t ino, uint64_t references) {
  Inode* inode = nullptr;
  {
    Shard& shard = shard_of(ino);
    const MutexLock lock(shard.mutex);
    const auto found = shard.by_number.find(ino);
    if (found == shard.by_number.end() || found->second->references_ < references) return nullptr;
    inode = found->second.get();
  }
  return put(inode, references) ? inode : nullptr;
}

void InodeTable::gone(Inode* inode) {
  const uint64_t ino = inode->ino();
  const bool freed = inode->is_free();
  Shard& shard = shard_of(ino);
  {
    const MutexLock lock(shard.mutex);
    DAXLAB_CHECK(inode->inactive_ && inode->references_ == 1);
    inode->references_ = 0;
    shard.link(inode);
    reclaim(shard);
  }
  Group& group = volume_.group(inode_block(ino));
  if (freed) group.chunks.give(static_cast<uint32_t>(ino - group.first_block * kInodesPerBlock));
}

void InodeTable::hold(Inode& inode) {
  Shard& shard = shard_of(inode.ino());
  const MutexLock lock(shard.mutex);
  ++inode.holds_;
}

Inode* InodeTable::hold_cached(uint64_t ino) {
  Shard& shard = shard_of(ino);
  const MutexLock lock(shard.mutex);
  const auto found = shard.by_number.find(ino);
  if (found == shard.by_number.end()) return nullptr;
  ++found->second->holds_;
  return found->second.get();
}

void InodeTable::unhold(Inode& inode) {
  Shard& shard = shard_of(inode.ino());
  const MutexLock lock(shard.mutex);
  --inode.holds_;
}

void InodeTable::reclaim(Shard& shard) DAXLAB_NO_THREAD_SAFETY_ANALYSIS {
  uint32_t looks = kReclaimLooks;
  const uint64_t kept = kInodesKept / shards_.size();
  Inode* inode = shard.coldest;
  while (inode != nullptr && looks-- != 0 && shard.unreferenced > kept) {
    Inode* const next = inode->lru_next_;
    shard.unlink(inode);
    if (inode->item().dirty() || inode->holds_ != 0) {
      shard.link(inode);
    } else {
      shard.by_number.erase(inode->ino());
    }
    inode = next;
  }
}

uint64_t InodeTable::referenced() const {
  uint64_t sum = 0;
  for (const auto& shard : shards_) {
    const MutexLock lock(shard->mutex);
    sum += shard->by_number.size() - shard->unreferenced;
  }
  return sum;
}

uint64_t InodeTable::dram_bytes() const {
  uint64_t sum = 0;
  for (const auto& shard : shards_) {
    const MutexLock lock(shard->mutex);
    sum += shard->by_number.size() * sizeof(Inode);
  }
  return sum;
}

void InodeTable::each(const std::function<void(Inode&)>& visit) {
  for (const auto& shard : shards_) {
    std::vector<Inode*> found;
    {
      const MutexLock lock(shard->mutex);
      for (const auto& [ino, inode] : shard->by_number) {
        ++inode->holds_;
        found.push_back(inode.get());
      }
    }
    for (Inode* const inode : found) {
      visit(*inode);
      unhold(*inode);
    }
  }
}

}  // namespace daxlab::xfslike
