// Memory for the entries of one directory: whole cache lines out of slabs that double, each run of lines named by a number of 32 bits.
//
// So a cell of the hash table is 8 bytes, an entry with a name of up to 18 bytes one line, and neither has an allocator's header beside
// it: what a look-up among a million names costs is the lines it misses. Slabs of 2 MiB and more ask for huge pages. What is freed is
// used again for entries of the same size or shorter ones; slabs stay until the arena goes.
//
// Threads: as NameIndex.
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>

namespace daxlab::native {

class DentryArena {
 public:
  static constexpr size_t kLineBytes = 64;
  static constexpr uint32_t kNone = 0;

  DentryArena() = default;
  ~DentryArena();
  DentryArena(const DentryArena&) = delete;
  DentryArena& operator=(const DentryArena&) = delete;

  /// The number of `size_bytes` bytes, at most kLinesMax lines; never kNone.
  uint32_t allocate(size_t size_bytes);
  /// Of what was allocated with this size.
  void free(uint32_t number, size_t size_bytes);

  std::byte* address(uint32_t number) const {
    const uint32_t slab = slab_of(number);
    return slabs_[slab] + (size_t{number} - first_of(slab)) * kLineBytes;
  }
  uint64_t dram_bytes() const { return used_lines_ * kLineBytes; }

 private:
  static constexpr uint32_t kLinesMax = 5;
  static constexpr uint32_t kFirstBits = 3;  // eight lines in the first slab
  static constexpr uint32_t kSlabs = 32 - kFirstBits;

  static uint32_t lines_of(size_t size_bytes) { return static_cast<uint32_t>((size_bytes + kLineBytes - 1) / kLineBytes); }
  // Numbers begin at the length of the first slab, so that the highest bit names the slab.
  static uint32_t slab_of(uint32_t number) { return static_cast<uint32_t>(std::bit_width(number)) - 1 - kFirstBits; }
  static uint32_t first_of(uint32_t slab) { return uint32_t{1} << (slab + kFirstBits); }

  void give_back(uint32_t number, uint32_t lines);
  uint32_t take_free(uint32_t lines);
  void add_slab();

  std::array<std::byte*, kSlabs> slabs_{};
  uint32_t next_ = first_of(0);  // never used yet, up to the end of its slab
  uint32_t slab_count_ = 0;
  uint64_t used_lines_ = 0;
  std::array<uint32_t, kLinesMax + 1> free_{};  // by lines; the next one's number stands in the first bytes
};

}  // namespace daxlab::native
