#include "engines/xfslike/buffer_cache.h"

#include <unordered_map>
#include <utility>

#include <fmt/format.h>

#include "engines/base/check.h"
#include "engines/base/mutex.h"
#include "engines/xfslike/volume.h"

namespace daxlab::xfslike {
namespace {
/// Buffers that eviction looks at before it gives up: those at the cold end may all be waiting to be written back.
constexpr uint32_t kEvictionLooks = 32;
}  // namespace

struct alignas(kCacheLineBytes) BufferCache::Shard {
  mutable Mutex mutex;
  std::unordered_map<uint64_t, Buffer*> by_block DAXLAB_GUARDED_BY(mutex);
  // Unreferenced buffers, coldest first.
  Buffer* coldest DAXLAB_GUARDED_BY(mutex) = nullptr;
  Buffer* hottest DAXLAB_GUARDED_BY(mutex) = nullptr;
  uint64_t hits DAXLAB_GUARDED_BY(mutex) = 0;
  uint64_t misses DAXLAB_GUARDED_BY(mutex) = 0;
  uint64_t evictions DAXLAB_GUARDED_BY(mutex) = 0;

  void link(Buffer* buffer) DAXLAB_REQUIRES(mutex) {
    buffer->lru_previous_ = hottest;
    buffer->lru_next_ = nullptr;
    (hottest == nullptr ? coldest : hottest->lru_next_) = buffer;
    hottest = buffer;
  }
  void unlink(Buffer* buffer) DAXLAB_REQUIRES(mutex) {
    (buffer->lru_previous_ == nullptr ? coldest : buffer->lru_previous_->lru_next_) = buffer->lru_next_;
    (buffer->lru_next_ == nullptr ? hottest : buffer->lru_next_->lru_previous_) = buffer->lru_previous_;
    buffer->lru_next_ = buffer->lru_previous_ = nullptr;
  }
  void reference(Buffer* buffer) DAXLAB_REQUIRES(mutex) {
    if (buffer->references_++ == 0 && buffer->cached_) unlink(buffer);
  }
};

BufferCache::BufferCache(Volume& volume, uint64_t cache_bytes) : volume_(volume), cache_bytes_(cache_bytes) {
  for (uint32_t i = 0; i < volume.superblock.group_count; ++i) shards_.push_back(std::make_unique<Shard>());
}

BufferCache::~BufferCache() {
  for (const auto& shard : shards_) {
    for (const auto& [block, buffer] : shard->by_block) delete buffer;
  }
}

BufferCache::Shard& BufferCache::shard_of(uint64_t block) { return *shards_[volume_.group_of(block)]; }

Buffer* BufferCache::find(Shard& shard, uint64_t block) {
  const MutexLock lock(shard.mutex);
  const auto found = shard.by_block.find(block);
  if (found == shard.by_block.end()) return nullptr;
  shard.reference(found->second);
  ++shard.hits;
  return found->second;
}

Result<std::unique_ptr<Buffer>> BufferCache::make(const BufferName& name, bool fresh) {
  DAXLAB_ASSIGN(auto bytes,
                make_buffer_bytes(volume_.options.meta, volume_.region, volume_.options.mapping, name.runs, fresh));
  return std::unique_ptr<Buffer>(new Buffer(volume_, name, std::move(bytes), fresh));
}

Result<Buffer*> BufferCache::get(const BufferName& name) {
  Shard& shard = shard_of(name.first_block());
  Buffer* buffer = find(shard, name.first_block());
  if (buffer == nullptr) {
    DAXLAB_ASSIGN(auto made, make(name, false));
    DAXLAB_TRY(made->verify());
    const MutexLock lock(shard.mutex);
    ++shard.misses;
    const auto [place, inserted] = shard.by_block.try_emplace(name.first_block(), made.get());
    buffer = place->second;
    if (inserted) {
      made->cached_ = true;
      made->references_ = 1;
      object_bytes_.fetch_add(made->size_bytes(), std::memory_order_relaxed);
      made.release();
      evict(shard);
    } else {
      shard.reference(buffer);  // someone else was faster
    }
  }
  if (buffer->name().magic == name.magic && buffer->name().owner == name.owner && buffer->size_bytes() == name.size_bytes()) {
    return buffer;
  }
  put(buffer);
  return Error(Errc::kCorrupt, fmt::format("block {} is claimed by two owners", name.first_block()));
}

Result<MetadataRef> BufferCache::read_shared(const BufferName& name) DAXLAB_NO_THREAD_SAFETY_ANALYSIS {
  DAXLAB_ASSIGN(Buffer* const found, get(name));
  found->mutex().lock_shared();
  return MetadataRef(found, [](MetadataBytes* bytes) DAXLAB_NO_THREAD_SAFETY_ANALYSIS {
    auto* const buffer = static_cast<Buffer*>(bytes);
    buffer->mutex().unlock_shared();
    buffer->volume_.cache.put(buffer);
  });
}

Result<Buffer*> BufferCache::create(const BufferName& name) {
  Shard& shard = shard_of(name.first_block());
  DAXLAB_ASSIGN(auto made, make(name, true));
  const MutexLock lock(shard.mutex);
  const auto old = shard.by_block.find(name.first_block());
  if (old != shard.by_block.end()) {
    // A clean object that lay here before its blocks were freed without invalidation, by a crash before this mount or a damaged owner.
    Buffer* const stale = old->second;
    if (stale->references_ != 0 || stale->dirty()) {
      return Error(Errc::kCorrupt, fmt::format("block {} is in use and was given out again", name.first_block()));
    }
    shard.unlink(stale);
    shard.by_block.erase(old);
    object_bytes_.fetch_sub(stale->size_bytes(), std::memory_order_relaxed);
    delete stale;
  }
  Buffer* const buffer = made.release();
  buffer->cached_ = true;
  buffer->references_ = 1;
  shard.by_block.emplace(name.first_block(), buffer);
  object_bytes_.fetch_add(buffer->size_bytes(), std::memory_order_relaxed);
  evict(shard);
  return buffer;
}

void BufferCache::hold(Buffer* buffer) {
  Shard& shard = shard_of(buffer->name().first_block());
  const MutexLock lock(shard.mutex);
  shard.reference(buffer);
}

void BufferCache::put(Buffer* buffer) {
  Shard& shard = shard_of(buffer->name().first_block());
  std::unique_ptr<Buffer> gone;
  const MutexLock lock(shard.mutex);
  DAXLAB_CHECK(buffer->references_ > 0);
  if (--buffer->references_ != 0) return;
  if (buffer->cached_) {
    shard.link(buffer);
    evict(shard);
  } else if (!buffer->dirty()) {
    gone.reset(buffer);
  }
}

void BufferCache::forget(Buffer* buffer) {
  Shard& shard = shard_of(buffer->name().first_block());
  const MutexLock lock(shard.mutex);
  DAXLAB_CHECK(buffer->cached_ && buffer->references_ > 0);
  shard.by_block.erase(buffer->name().first_block());
  buffer->cached_ = false;
  object_bytes_.fetch_sub(buffer->size_bytes(), std::memory_order_relaxed);
}

void BufferCache::settled(Buffer* buffer) {
  hold(buffer);
  put(buffer);
}

void BufferCache::evict(Shard& shard) DAXLAB_NO_THREAD_SAFETY_ANALYSIS {
  uint32_t looks = kEvictionLooks;
  Buffer* buffer = shard.coldest;
  while (buffer != nullptr && looks-- != 0 && object_bytes_.load(std::memory_order_relaxed) > cache_bytes_) {
    Buffer* const next = buffer->lru_next_;
    shard.unlink(buffer);
    if (buffer->dirty()) {
      shard.link(buffer);
    } else {
      shard.by_block.erase(buffer->name().first_block());
      object_bytes_.fetch_sub(buffer->size_bytes(), std::memory_order_relaxed);
      ++shard.evictions;
      delete buffer;
    }
    buffer = next;
  }
}

BufferCacheStats BufferCache::stats() const {
  BufferCacheStats sum;
  for (const auto& shard : shards_) {
    const MutexLock lock(shard->mutex);
    sum.hits += shard->hits;
    sum.misses += shard->misses;
    sum.evictions += shard->evictions;
    sum.objects += shard->by_block.size();
  }
  sum.object_bytes = object_bytes_.load(std::memory_order_relaxed);
  sum.dram_bytes = sum.objects * sizeof(Buffer) + (volume_.options.meta == MetaMode::kBuffer ? sum.object_bytes : 0);
  return sum;
}

}  // namespace daxlab::xfslike
