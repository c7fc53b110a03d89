// A metadata object in use: a name (what, whose, where), its bytes, a lock, and its log item. (XFS: struct xfs_buf and its
// xfs_buf_log_item.)
//
// The bytes begin with the self-describing header, which is the buffer's own: users write behind it.
//
// Threads: mutex() exclusive to change, shared to read; a transaction that joined the buffer holds it exclusive until its commit. Who
// holds a reference keeps it in the cache. The AIL's push takes the lock only if it is free.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>

#include "engines/base/mutex.h"
#include "engines/base/result.h"
#include "engines/xfslike/buffer_bytes.h"
#include "engines/xfslike/chunk_map.h"
#include "engines/xfslike/format.h"
#include "engines/xfslike/metadata_bytes.h"
#include "engines/xfslike/stored_item.h"

namespace daxlab::xfslike {

struct Volume;
class BufferCache;
class Transaction;

/// What a buffer holds. The first block of its runs is its key in the cache.
struct BufferName {
  Magic magic;
  uint64_t owner;
  BlockRuns runs;

  uint64_t first_block() const { return runs.front().first; }
  uint32_t size_bytes() const {
    uint32_t blocks = 0;
    for (const BlockRun& run : runs) blocks += run.count;
    return blocks * static_cast<uint32_t>(kBlockBytes);
  }
};

class Buffer final : public MetadataBytes, public StoredItem {
 public:
  ~Buffer() override = default;

  const BufferName& name() const { return name_; }
  SharedMutex& mutex() { return mutex_; }
  /// In CIL or AIL, or changed by a running transaction: stays in the cache.
  bool dirty() const { return dirty_.load(std::memory_order_acquire); }
  uint64_t dram_bytes() const { return sizeof(Buffer) + bytes_->dram_bytes(); }

  // MetadataBytes
  uint32_t size_bytes() const override { return size_bytes_; }
  const std::byte* read(uint32_t offset, uint32_t size, std::byte* scratch) const override {
    return bytes_->read(offset, size, scratch);
  }
  void write(uint32_t offset, const void* from, uint32_t size) override;

  // LogItem
  Size log_size() const override;
  void format(RegionWriter& out) const override;
  void pin() override { pins_.fetch_add(1, std::memory_order_acq_rel); }
  void unpin() override { pins_.fetch_sub(1, std::memory_order_acq_rel); }
  void committing(uint64_t sequence) override;
  Lsn committed(Lsn start) override;
  void aborted() override;
  Push push() override;
  void write_back(Lsn lsn) override;

 private:
  friend class BufferCache;
  friend class Transaction;
  Buffer(Volume& volume, BufferName name, std::unique_ptr<BufferBytes> bytes, bool fresh);

  /// Whether the medium holds what the name says.
  Result<void> verify() const;
  void write_header();
  /// The transaction that has it frees it.
  void cancel();
  Push push_locked();

  Volume& volume_;
  const BufferName name_;
  const uint32_t size_bytes_;
  SharedMutex mutex_;
  std::unique_ptr<BufferBytes> bytes_;
  ChunkMap changed_;                    // since it was last written back; guarded by mutex_, as what follows
  bool fresh_;                          // never written back
  bool cancelled_ = false;              // freed by a transaction; nobody finds it any more
  std::atomic<bool> final_{false};      // the commit that freed it is in the CIL
  bool logged_ = false;                 // changed by the transaction that holds it
  std::atomic<Transaction*> transaction_{nullptr};  // that holds it
  std::atomic<bool> dirty_{false};
  std::atomic<uint32_t> pins_{0};
  // The cache's, under its shard's lock.
  uint32_t references_ = 0;
  bool cached_ = false;                 // in the map
  Buffer* lru_next_ = nullptr;
  Buffer* lru_previous_ = nullptr;
};

}  // namespace daxlab::xfslike
