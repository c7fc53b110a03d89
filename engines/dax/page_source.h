// The one call upward: what dax asks of an engine when a mapped file is faulted on or written through the DAX write path.
//
// As iomap_begin() and iomap_end() do for fs/dax.c. Called from a fault handler (a signal handler on the faulting thread): an
// implementation must not allocate from the heap, and must not take a lock that the engine holds while it copies from or to user
// memory. The engine guarantees that by bouncing such buffers (user_buffer.h).
//
// Lock order: begin() is called with an entry of the address space locked. A lock that begin() takes must therefore not be held
// by the engine when it calls AddressSpace::begin_write, begin_truncate or writeback (as the ilock is inside the entry lock in
// Linux).
#pragma once

#include <cstddef>
#include <cstdint>

#include "engines/base/result.h"

namespace daxlab::dax {

enum class Access : uint8_t { kRead, kWrite };

/// A run of pages of a file and where it lies.
struct PageRange {
  uint64_t first_page = 0;       ///< File page, 4 KiB units.
  uint64_t page_count = 0;       ///< Contiguous on the medium from `address`; 0 never.
  std::byte* address = nullptr;  ///< In the region; null: a hole (read faults map zeroes there).
  bool fresh = false;  ///< begin() allocated blocks of the run just now (IOMAP_F_NEW): zeroes may be mapped in their place.
};

class PageSource {
 public:
  virtual ~PageSource() = default;

  /// Begins an access to `page`: returns the run that contains it, at most `pages_max` pages from `page` on. For kWrite `page`
  /// itself must be allocated (zeroed and durably allocated) by the engine if it was a hole, and the run may be stored to in
  /// place until end(); the run may stop before the next hole, nothing beyond `page` need be allocated. The run stays valid until
  /// end(): blocks may not be freed or moved meanwhile. kInvalid beyond the end of the file.
  virtual Result<PageRange> begin(uint64_t page, uint64_t pages_max, Access access) = 0;
  virtual void end(const PageRange& range, Access access) = 0;

  /// fsync or msync wants what makes stores in [first_page, first_page + page_count) reachable after a crash to be durable:
  /// allocations, size, mtime. The data lines are dax's business. Called with no lock of the address space held.
  virtual Result<void> commit(uint64_t first_page, uint64_t page_count) = 0;

  /// Size of the file in pages, rounded up: beyond it an access is SIGBUS. Called with an entry locked: one atomic load at best.
  virtual uint64_t page_limit() const = 0;

  /// For traces.
  virtual uint64_t ino() const { return 0; }
};

}  // namespace daxlab::dax
