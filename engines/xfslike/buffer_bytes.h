// Where the bytes of a buffer are while it is in use: the three answers of the option `meta=`.
//
//   buffer    a DRAM copy, written back by changed chunks
//   overlay   read in place through a BufferMapping; changed chunks are in DRAM until they are written back
//   unsafe    read and stored in place at once: what write-ahead logging forbids, kept as a control that the crash suites must catch
//
// A *fresh* object has never been written back: what the medium holds at its place means nothing and reads as zeroes.
//
// Invariant: a piece of the medium is a multiple of a block, so that no chunk and no line lies in two.
// Threads: as MetadataBytes; writing back counts as writing. The buffer's lock sees to that.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "engines/base/result.h"
#include "engines/pmem/region.h"
#include "engines/xfslike/buffer_mapping.h"
#include "engines/xfslike/chunk_map.h"
#include "engines/xfslike/lsn.h"

namespace daxlab::xfslike {

enum class MetaMode : uint8_t { kBuffer, kOverlay, kUnsafe };

/// A metadata object's place.
using BlockRuns = std::vector<BlockRun>;

class BufferBytes {
 public:
  virtual ~BufferBytes() = default;
  virtual const std::byte* read(uint32_t offset, uint32_t size, std::byte* scratch) const = 0;
  virtual void write(uint32_t offset, const void* from, uint32_t size) = 0;
  /// Stores and flushes the chunks of `changed`, the stamp's 16 bytes left out; or all of a fresh object, with no LSN in its stamp. The caller
  /// fences.
  virtual void store_chunks(const ChunkMap& changed) = 0;
  /// The object is on the medium: an overlay lets go of its chunks, and nothing is fresh any more.
  virtual void stored() = 0;
  virtual uint64_t dram_bytes() const = 0;

  /// What an object's header has to say when it is written back with `lsn`.
  uint32_t crc(Lsn lsn) const;
  /// Stores magic and crc, then the LSN, and flushes. What came before is durable, as recovery believes the LSN. The caller fences.
  void store_stamp(uint32_t magic, uint32_t crc, Lsn lsn);
  uint32_t size_bytes() const { return size_bytes_; }

 protected:
  explicit BufferBytes(std::vector<Segment> segments);
  /// Of a fresh object, before its first chunk is stored and flushed, whose line it is in: what the place was last used for must not be
  /// taken for an LSN where a crash leaves the stamp's first word alone.
  void clear_lsn();
  /// The medium at `offset`, of which `size` bytes are contiguous: shortened where they are not.
  std::byte* at(uint32_t offset, uint32_t& size) const;
  /// Calls use(address, offset, size) piece by piece.
  template <typename Use>
  void each_piece(uint32_t offset, uint32_t size, Use use) const {
    while (size != 0) {
      uint32_t part = size;
      std::byte* const address = at(offset, part);
      use(address, offset, part);
      offset += part;
      size -= part;
    }
  }

 private:
  std::vector<Segment> segments_;
  uint32_t size_bytes_ = 0;
};

/// The pieces in which a region has the blocks.
std::vector<Segment> pieces_of(const pmem::Region& region, std::span<const BlockRun> runs);

/// An object's bytes by `mode`; `mapping` makes it addressable where that is not `buffer`. Reads the medium unless it is fresh.
Result<std::unique_ptr<BufferBytes>> make_buffer_bytes(MetaMode mode, const pmem::Region& region, BufferMapping* mapping,
                                                       std::span<const BlockRun> runs, bool fresh);
// Of make_buffer_bytes().
std::unique_ptr<BufferBytes> make_buffer_copy(std::vector<Segment> segments, bool fresh);
Result<std::unique_ptr<BufferBytes>> make_buffer_overlay(BufferMapping& mapping, std::span<const BlockRun> runs, bool fresh);
Result<std::unique_ptr<BufferBytes>> make_buffer_in_place(BufferMapping& mapping, std::span<const BlockRun> runs, bool fresh);

}  // namespace daxlab::xfslike
