// meta=unsafe: the object where it lies, changed there at once. What a crash leaves is whatever was stored, committed or not.
#include <cstring>

#include "engines/base/check.h"
#include "engines/pmem/persist.h"
#include "engines/xfslike/buffer_bytes.h"

namespace daxlab::xfslike {
namespace {

std::vector<Segment> segments_of(const MappedObject& object) {
  const auto segments = object.segments();
  return {segments.begin(), segments.end()};
}

class BufferInPlace final : public BufferBytes {
 public:
  BufferInPlace(std::unique_ptr<MappedObject> object, bool fresh) : BufferBytes(segments_of(*object)), object_(std::move(object)) {
    if (!fresh) return;
    each_piece(0, size_bytes(), [](std::byte* address, uint32_t, uint32_t size) { pmem::stream_zero(address, size); });
    pmem::fence();
  }

  const std::byte* read(uint32_t offset, uint32_t size, std::byte* scratch) const override {
    uint32_t contiguous = size;
    const std::byte* const address = at(offset, contiguous);
    if (contiguous == size) {
      pmem::touch(address, size);
      return address;
    }
    each_piece(offset, size, [&](const std::byte* piece, uint32_t piece_offset, uint32_t part) {
      pmem::load_bytes(scratch + (piece_offset - offset), piece, part);
    });
    return scratch;
  }
  void write(uint32_t offset, const void* from, uint32_t size) override {
    each_piece(offset, size, [&](std::byte* address, uint32_t piece_offset, uint32_t part) {
      pmem::store_bytes(address, static_cast<const std::byte*>(from) + (piece_offset - offset), part);
      pmem::flush(address, part);
    });
  }
  void store_chunks(const ChunkMap&) override {}
  void stored() override {}
  uint64_t dram_bytes() const override { return sizeof(BufferInPlace); }

 private:
  std::unique_ptr<MappedObject> object_;
};

}  // namespace

Result<std::unique_ptr<BufferBytes>> make_buffer_in_place(BufferMapping& mapping, std::span<const BlockRun> runs, bool fresh) {
  DAXLAB_ASSIGN(auto object, mapping.map(runs));
  return std::unique_ptr<BufferBytes>(std::make_unique<BufferInPlace>(std::move(object), fresh));
}

}  // namespace daxlab::xfslike
