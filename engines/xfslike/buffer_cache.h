// The metadata objects that are in use or were lately: at most `cache_bytes` of those that could go.
//
// A miss means that the object was not instantiated: it is copied from the medium or mapped, and its crc, name and place are
// checked. One shard a group, as XFS has a cache for each, so that work in different groups shares nothing. Buffers that are
// referenced, pinned or waiting to be written back stay whatever the size.
//
// Threads: any. A shard's lock is a leaf, held for look-ups and never while an object is read from the medium.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <vector>

#include "engines/base/result.h"
#include "engines/xfslike/buffer.h"

namespace daxlab::xfslike {

struct Volume;

struct BufferCacheStats {
  uint64_t hits = 0;
  uint64_t misses = 0;
  uint64_t evictions = 0;
  uint64_t objects = 0;
  uint64_t object_bytes = 0;  ///< Sizes of the objects.
  uint64_t dram_bytes = 0;    ///< What they take in DRAM.
};

class BufferCache {
 public:
  BufferCache(Volume& volume, uint64_t cache_bytes);
  ~BufferCache();
  BufferCache(const BufferCache&) = delete;
  BufferCache& operator=(const BufferCache&) = delete;

  /// The object, referenced, not locked. kCorrupt where the medium holds something else.
  Result<Buffer*> get(const BufferName& name);
  /// The object, locked shared for as long as the reference is held.
  Result<MetadataRef> read_shared(const BufferName& name);
  /// A new object of zeroes behind its header, referenced. Its blocks are the caller's.
  Result<Buffer*> create(const BufferName& name);
  /// One more reference, by someone who knows that it stays: a transaction that changed it, the AIL.
  void hold(Buffer* buffer);
  void put(Buffer* buffer);

  /// The object is freed by a transaction: nobody finds it any more; its item lives on until the freeing is durable.
  void forget(Buffer* buffer);
  /// Its item is out of CIL and AIL: one that was forgotten goes with its last reference.
  void settled(Buffer* buffer);

  BufferCacheStats stats() const;

 private:
  struct Shard;
  Shard& shard_of(uint64_t block);
  Result<std::unique_ptr<Buffer>> make(const BufferName& name, bool fresh);
  Buffer* find(Shard& shard, uint64_t block);
  void evict(Shard& shard);

  Volume& volume_;
  const uint64_t cache_bytes_;
  std::atomic<uint64_t> object_bytes_{0};
  std::vector<std::unique_ptr<Shard>> shards_;
};

}  // namespace daxlab::xfslike
