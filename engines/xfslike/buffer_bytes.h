// Where the bytes of a buffer are while it is in use: the three answers of the option `meta=`.
//
//   buffer    a DRAM copy, written back by changed chunks
//   overlay   read in place through a BufferMapping; changed chunks are in DRAM until they are written back
//   unsafe    read and stored in place at once: what write-ahead logging forbids, kept as a control that the crash suites must catch
//
// A *fresh* object has never been written back: what the medium holds at its place means nothing and reads as zeroes.
//
// Threads: as MetadataBytes; write_back() counts as writing. The buffer's lock sees to that.
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

namespace daxlab::xfslike {

enum class MetaMode : uint8_t { kBuffer, kOverlay, kUnsafe };

/// A metadata object's place.
using BlockRuns = std::vector<BlockRun>;

class BufferBytes {
 public:
  virtual ~BufferBytes() = default;
  virtual const std::byte* read(uint32_t offset, uint32_t size, std::byte* scratch) const = 0;
  virtual void write(uint32_t offset, const void* from, uint32_t size) = 0;
  /// Stores the chunks of `changed` (all of a fresh object) to their place and flushes them, the object's first line left out. The
  /// caller fences, then calls write_first_line().
  virtual void write_back(const ChunkMap& changed) = 0;
  /// The first line: all but its first 16 bytes (magic, crc, LSN), flushed with the rest by write_back(). Those are stored here, the
  /// LSN last and by itself, flushed; the caller fences.
  virtual void write_stamp() = 0;
  /// The object is on the medium as it is here: an overlay lets go of its chunks.
  virtual void written_back() = 0;
  virtual uint64_t dram_bytes() const = 0;
};

}  // namespace daxlab::xfslike
