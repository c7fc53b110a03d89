// Page index -> entry, for the pages of a file that were ever mapped: the i_pages of an address space.
//
// An entry is the frame's address with flags in its low bits; a chunk of 512 entries has one more for its 2 MiB, which governs
// all of them while kHuge is set in it. Chunks are made by map() (cover()), so that a fault allocates nothing, and stay until the
// file is closed.
//
// Threads: find() lock-free from any thread and from signal handlers; cover() one at a time. Who holds an entry's lock owns its
// other bits.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <vector>

#include "engines/base/result.h"
#include "engines/dax/mmu.h"

namespace daxlab::dax {

using EntryWord = std::atomic<uint64_t>;

struct Entry {
  static constexpr uint64_t kLocked = 1;
  static constexpr uint64_t kPresent = 2;  ///< Some window may have it installed.
  static constexpr uint64_t kDirty = 4;
  static constexpr uint64_t kZero = 8;   ///< The zero page of a hole is what is installed.
  static constexpr uint64_t kHuge = 16;  ///< In a chunk's 2 MiB entry: it governs.
  static constexpr uint64_t kFlags = kBlockBytes - 1;
  static std::byte* frame(uint64_t word) { return reinterpret_cast<std::byte*>(word & ~kFlags); }
  static uint64_t of(const std::byte* frame) { return reinterpret_cast<uintptr_t>(frame); }
};

struct Chunk {
  std::array<EntryWord, kHugePages> small{};
  EntryWord huge{0};
};

class EntryTable {
 public:
  EntryTable() = default;
  EntryTable(const EntryTable&) = delete;
  EntryTable& operator=(const EntryTable&) = delete;

  Result<void> cover(uint64_t first_page, uint64_t page_count);
  /// Null where no mapping ever was.
  Chunk* find(uint64_t page) const {
    const Directory* directory = directory_.load(std::memory_order_acquire);
    const uint64_t index = page / kHugePages;
    if (directory == nullptr || index >= directory->chunk_count) return nullptr;
    return directory->chunks[index].load(std::memory_order_acquire);
  }
  /// Pages beyond this were never mapped.
  uint64_t page_limit() const {
    const Directory* directory = directory_.load(std::memory_order_acquire);
    return directory == nullptr ? 0 : directory->chunk_count * kHugePages;
  }

 private:
  struct Directory {
    explicit Directory(uint64_t count) : chunk_count(count), chunks(new std::atomic<Chunk*>[count] {}) {}
    const uint64_t chunk_count;
    const std::unique_ptr<std::atomic<Chunk*>[]> chunks;
  };
  std::atomic<Directory*> directory_{nullptr};
  std::vector<std::unique_ptr<Directory>> directories_;  // outgrown ones may still be read
  std::vector<std::unique_ptr<Chunk>> chunks_;
};

}  // namespace daxlab::dax
