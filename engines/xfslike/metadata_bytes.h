// A metadata object as its user sees it: bytes by offset, whatever pieces it lies in.
//
// This is the seam that the arms of the experiment differ at: a DRAM copy (meta=buffer), pmem read in place with changes kept in
// DRAM until they are logged (meta=overlay), over contiguous blocks, segments or a mapped window (map=). A directory block of 64
// KiB need not be contiguous, so nobody takes a pointer to all of it.
//
// Threads: readers share, a writer is alone; the object's lock, which its owner holds, sees to that.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <type_traits>

#include "engines/base/result.h"

namespace daxlab::xfslike {

class MetadataBytes {
 public:
  virtual ~MetadataBytes() = default;
  virtual uint32_t size_bytes() const = 0;

  /// [offset, offset + size) as the last write() left it: in place where it is contiguous, else gathered into `scratch`, which
  /// holds `size` bytes. Valid until the next write() to the object.
  virtual const std::byte* read(uint32_t offset, uint32_t size, std::byte* scratch) const = 0;
  /// Stores into the copy or the overlay and marks the 128-byte chunks for the log. Never touches the medium.
  virtual void write(uint32_t offset, const void* from, uint32_t size) = 0;
  /// write(to, what read(from, size) gives), the two being allowed to overlap: entries make room. An owner whose object is in one
  /// piece does it by one memmove.
  virtual void move(uint32_t to, uint32_t from, uint32_t size) {
    constexpr uint32_t kPieceBytes = 1024;
    alignas(8) std::byte piece[kPieceBytes];
    for (uint32_t done = 0; done < size;) {
      const uint32_t bytes = size - done < kPieceBytes ? size - done : kPieceBytes;
      const uint32_t at = to < from ? done : size - done - bytes;
      const std::byte* read_at = read(from + at, bytes, piece);
      if (read_at != piece) __builtin_memcpy(piece, read_at, bytes);
      write(to + at, piece, bytes);
      done += bytes;
    }
  }

  template <typename T>
  T load(uint32_t offset) const {
    static_assert(std::is_trivially_copyable_v<T>);
    alignas(T) std::byte scratch[sizeof(T)];
    T value;
    __builtin_memcpy(&value, read(offset, sizeof(T), scratch), sizeof(T));
    return value;
  }
  template <typename T>
  void store(uint32_t offset, const T& value) {
    static_assert(std::is_trivially_copyable_v<T>);
    write(offset, &value, sizeof(T));
  }
};

/// Holds an object while it is used; destruction gives it back to its owner (a buffer cache, a transaction).
using MetadataRef = std::unique_ptr<MetadataBytes, void (*)(MetadataBytes*)>;

/// A directory's (or any tree's) blocks by their logical address, in units of one object. What a directory knows of inodes,
/// extents, transactions and caches.
class BlockSpace {
 public:
  virtual ~BlockSpace() = default;
  virtual uint32_t block_bytes() const = 0;
  enum class Access : uint8_t { kRead, kWrite };  ///< kWrite joins the object to the running transaction.
  /// The object at `address`: kNotFound where nothing is mapped, kCorrupt where it is not what it says.
  virtual Result<MetadataRef> get(uint64_t address, Access access) = 0;
  /// A new object at `address`, its bytes zero, joined to the running transaction; kNoSpace.
  virtual Result<MetadataRef> add(uint64_t address) = 0;
  /// Frees the object at `address` (the caller has given back its reference).
  virtual Result<void> remove(uint64_t address) = 0;
  /// The first mapped address >= `address`; kNotFound when there is none.
  virtual Result<uint64_t> next(uint64_t address) = 0;
  /// The first address >= `address` at which nothing is mapped.
  virtual Result<uint64_t> unused(uint64_t address) = 0;
};

}  // namespace daxlab::xfslike
