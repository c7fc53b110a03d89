// meta=buffer: the object in DRAM.
#include <cstring>

#include "engines/base/check.h"
#include "engines/pmem/persist.h"
#include "engines/xfslike/buffer_bytes.h"
#include "engines/xfslike/format.h"

namespace daxlab::xfslike {
namespace {

constexpr uint32_t kStampBytes = 16;

class BufferCopy final : public BufferBytes {
 public:
  BufferCopy(std::vector<Segment> segments, bool fresh)
      : BufferBytes(std::move(segments)), fresh_(fresh), copy_(std::make_unique<std::byte[]>(size_bytes())) {
    if (fresh) return;
    each_piece(0, size_bytes(), [&](const std::byte* address, uint32_t offset, uint32_t size) {
      pmem::load_bytes(copy_.get() + offset, address, size);
    });
  }

  const std::byte* read(uint32_t offset, uint32_t size, std::byte*) const override {
    DAXLAB_CHECK(uint64_t{offset} + size <= size_bytes());
    return copy_.get() + offset;
  }
  void write(uint32_t offset, const void* from, uint32_t size) override {
    DAXLAB_CHECK(uint64_t{offset} + size <= size_bytes());
    std::memcpy(copy_.get() + offset, from, size);
  }
  void store_chunks(const ChunkMap& changed) override {
    if (fresh_) {
      clear_lsn();
      return store(0, size_bytes());
    }
    changed.each_run([&](uint32_t first, uint32_t count) { store(first * kChunkBytes, count * kChunkBytes); });
  }
  void stored() override { fresh_ = false; }
  uint64_t dram_bytes() const override { return sizeof(BufferCopy) + size_bytes(); }

 private:
  void store(uint32_t offset, uint32_t size) {
    if (offset == 0) {
      offset += kStampBytes;
      size -= kStampBytes;
    }
    each_piece(offset, size, [&](std::byte* address, uint32_t at, uint32_t part) {
      pmem::store_bytes(address, copy_.get() + at, part);
      pmem::flush(address, part);
    });
  }

  bool fresh_;
  std::unique_ptr<std::byte[]> copy_;
};

}  // namespace

std::unique_ptr<BufferBytes> make_buffer_copy(std::vector<Segment> segments, bool fresh) {
  return std::make_unique<BufferCopy>(std::move(segments), fresh);
}

}  // namespace daxlab::xfslike
