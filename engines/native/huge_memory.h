// DRAM for tables that are looked into at random: what is 2 MiB or more asks for huge pages, so that a look-up misses its lines and not
// the page table's as well.
#pragma once

#include <sys/mman.h>

#include <algorithm>
#include <cstddef>
#include <cstdlib>
#include <new>

#include "engines/base/units.h"

namespace daxlab::native {

/// Of any size, at the beginning of a cache line; freed by std::free. Not zeroed.
inline void* allocate_table(size_t size_bytes) {
  const bool huge = size_bytes >= kHugeBytes;
  const size_t alignment = huge ? kHugeBytes : kCacheLineBytes;
  void* const table = std::aligned_alloc(alignment, align_up(std::max<size_t>(size_bytes, 1), alignment));
  if (table == nullptr) throw std::bad_alloc();
  if (huge) static_cast<void>(::madvise(table, size_bytes, MADV_HUGEPAGE));  // a wish
  return table;
}

/// The same for a container.
template <typename T>
struct TableAllocator {
  using value_type = T;
  TableAllocator() = default;
  template <typename Other>
  TableAllocator(const TableAllocator<Other>&) {}  // NOLINT: as std::allocator
  T* allocate(size_t count) { return static_cast<T*>(allocate_table(count * sizeof(T))); }
  void deallocate(T* table, size_t) { std::free(table); }
  bool operator==(const TableAllocator&) const { return true; }
};

}  // namespace daxlab::native
