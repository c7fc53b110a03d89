// meta=overlay: the object where it lies, its changed chunks in DRAM.
#include <algorithm>
#include <array>
#include <cstring>

#include "engines/base/check.h"
#include "engines/base/counters.h"
#include "engines/pmem/persist.h"
#include "engines/xfslike/buffer_bytes.h"
#include "engines/xfslike/format.h"

namespace daxlab::xfslike {
namespace {

constexpr uint32_t kStampBytes = 16;
using Chunk = std::array<std::byte, kChunkBytes>;
alignas(kCacheLineBytes) constexpr std::array<std::byte, 64 * kKiB> kZeroes{};

std::vector<Segment> segments_of(const MappedObject& object) {
  const auto segments = object.segments();
  return {segments.begin(), segments.end()};
}

class BufferOverlay final : public BufferBytes {
 public:
  BufferOverlay(std::unique_ptr<MappedObject> object, bool fresh)
      : BufferBytes(segments_of(*object)), object_(std::move(object)), fresh_(fresh) {}

  const std::byte* read(uint32_t offset, uint32_t size, std::byte* scratch) const override {
    count(Counter::overlay_lookups);
    if (!overlaid(offset, size)) {
      if (fresh_) return kZeroes.data();
      uint32_t contiguous = size;
      const std::byte* const address = at(offset, contiguous);
      if (contiguous == size) {
        pmem::touch(address, size);
        return address;
      }
    }
    gather(offset, size, scratch);
    return scratch;
  }

  void write(uint32_t offset, const void* from, uint32_t size) override {
    DAXLAB_CHECK(uint64_t{offset} + size <= size_bytes());
    const auto* bytes = static_cast<const std::byte*>(from);
    while (size != 0) {
      const uint32_t within = offset % kChunkBytes;
      const uint32_t part = std::min(size, kChunkBytes - within);
      std::memcpy(chunk_for(offset / kChunkBytes, part == kChunkBytes).data() + within, bytes, part);
      offset += part;
      bytes += part;
      size -= part;
    }
  }

  void store_chunks(const ChunkMap& changed) override {
    if (fresh_) {
      clear_lsn();
      for (uint32_t i = 0; i < size_bytes() / kChunkBytes; ++i) store_chunk(i);
      return;
    }
    changed.each_run([&](uint32_t first, uint32_t run) {
      for (uint32_t i = first; i < first + run; ++i) store_chunk(i);
    });
  }
  void stored() override {
    fresh_ = false;
    chunks_.clear();
    chunk_count_ = 0;
  }
  uint64_t dram_bytes() const override {
    return sizeof(BufferOverlay) + chunks_.capacity() * sizeof(chunks_[0]) + chunk_count_ * sizeof(Chunk);
  }

 private:
  const Chunk* chunk(uint32_t index) const { return chunks_.empty() ? nullptr : chunks_[index].get(); }
  bool overlaid(uint32_t offset, uint32_t size) const {
    if (chunks_.empty() || size == 0) return false;
    for (uint32_t i = offset / kChunkBytes; i <= (offset + size - 1) / kChunkBytes; ++i) {
      if (chunks_[i] != nullptr) return true;
    }
    return false;
  }
  void gather(uint32_t offset, uint32_t size, std::byte* to) const {
    while (size != 0) {
      const uint32_t within = offset % kChunkBytes;
      const uint32_t part = std::min(size, kChunkBytes - within);
      const Chunk* const here = chunk(offset / kChunkBytes);
      if (here != nullptr) {
        std::memcpy(to, here->data() + within, part);
      } else {
        load(offset, part, to);
      }
      offset += part;
      to += part;
      size -= part;
    }
  }
  void load(uint32_t offset, uint32_t size, std::byte* to) const {
    if (fresh_) {
      std::memset(to, 0, size);
      return;
    }
    pmem::load_bytes(to, at(offset, size), size);
  }
  Chunk& chunk_for(uint32_t index, bool whole) {
    if (chunks_.empty()) chunks_.resize(size_bytes() / kChunkBytes);
    if (chunks_[index] == nullptr) {
      chunks_[index] = std::make_unique<Chunk>();
      ++chunk_count_;
      if (!whole) load(index * kChunkBytes, kChunkBytes, chunks_[index]->data());
    }
    return *chunks_[index];
  }
  void store_chunk(uint32_t index) {
    const Chunk* const here = chunk(index);
    const std::byte* const from = here == nullptr ? kZeroes.data() : here->data();
    DAXLAB_DCHECK(here != nullptr || fresh_);
    const uint32_t skip = index == 0 ? kStampBytes : 0;
    uint32_t size = kChunkBytes - skip;
    std::byte* const address = at(index * kChunkBytes + skip, size);
    pmem::store_bytes(address, from + skip, size);
    pmem::flush(address, size);
  }

  std::unique_ptr<MappedObject> object_;
  bool fresh_;
  std::vector<std::unique_ptr<Chunk>> chunks_;  // by index; empty while nothing has changed
  uint64_t chunk_count_ = 0;
};

}  // namespace

Result<std::unique_ptr<BufferBytes>> make_buffer_overlay(BufferMapping& mapping, std::span<const BlockRun> runs, bool fresh) {
  DAXLAB_ASSIGN(auto object, mapping.map(runs));
  return std::unique_ptr<BufferBytes>(std::make_unique<BufferOverlay>(std::move(object), fresh));
}

}  // namespace daxlab::xfslike
