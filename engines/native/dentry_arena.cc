#include "engines/native/dentry_arena.h"

#include <cstdlib>
#include <cstring>

#include "engines/base/check.h"
#include "engines/native/huge_memory.h"

namespace daxlab::native {

DentryArena::~DentryArena() {
  for (std::byte* slab : slabs_) std::free(slab);
}

void DentryArena::add_slab() {
  DAXLAB_CHECK(slab_count_ < kSlabs);
  slabs_[slab_count_] = static_cast<std::byte*>(allocate_table(first_of(slab_count_) * kLineBytes));
  ++slab_count_;
}

void DentryArena::give_back(uint32_t number, uint32_t lines) {
  std::memcpy(address(number), &free_[lines], sizeof free_[lines]);
  free_[lines] = number;
}

/// Of a run that is free and at least that long; the rest of it stays free.
uint32_t DentryArena::take_free(uint32_t lines) {
  for (uint32_t length = lines; length <= kLinesMax; ++length) {
    const uint32_t number = free_[length];
    if (number == kNone) continue;
    std::memcpy(&free_[length], address(number), sizeof free_[length]);
    if (length != lines) give_back(number + lines, length - lines);
    return number;
  }
  return kNone;
}

uint32_t DentryArena::allocate(size_t size_bytes) {
  const uint32_t lines = lines_of(size_bytes);
  DAXLAB_DCHECK(lines >= 1 && lines <= kLinesMax);
  used_lines_ += lines;
  if (const uint32_t number = take_free(lines); number != kNone) return number;
  const uint32_t end = first_of(slab_count_);  // of the last slab
  if (next_ + lines > end) {
    if (next_ != end) give_back(next_, end - next_);
    next_ = end;
    add_slab();
  }
  const uint32_t number = next_;
  next_ += lines;
  return number;
}

void DentryArena::free(uint32_t number, size_t size_bytes) {
  const uint32_t lines = lines_of(size_bytes);
  used_lines_ -= lines;
  give_back(number, lines);
}

}  // namespace daxlab::native
