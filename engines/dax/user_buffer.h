// A caller's buffer made safe to copy from or to while an engine's locks are held.
//
// A read or write whose buffer is itself a mapped file would fault inside the engine and might wait for a lock that the same call
// holds. Such a buffer is replaced by a bounce buffer in DRAM, filled before or emptied after; any other buffer is used as it is,
// at the cost of one compare. (A kernel prefaults the source and retries with faults disabled; without pagefault_disable() a
// bounce is the form that cannot deadlock.)
#pragma once

#include <cstddef>
#include <span>
#include <vector>

namespace daxlab::dax {

class SourceBuffer {
 public:
  explicit SourceBuffer(std::span<const std::byte> user);  ///< Copies now if it must.
  std::span<const std::byte> bytes() const { return bytes_; }

 private:
  std::vector<std::byte> bounce_;
  std::span<const std::byte> bytes_;
};

class DestinationBuffer {
 public:
  explicit DestinationBuffer(std::span<std::byte> user);
  std::span<std::byte> bytes() const { return bytes_; }
  /// Copies `size_bytes` back to the user's buffer if it was bounced; call after every lock is released.
  void finish(size_t size_bytes);

 private:
  std::span<std::byte> user_;
  std::vector<std::byte> bounce_;
  std::span<std::byte> bytes_;
};

}  // namespace daxlab::dax
