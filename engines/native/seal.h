// Checksums of media structs and words that check themselves.
//
// A pointer word holds a block in its low 32 bits and a check in its high 32; a number word 40 and 24. Both are stored as one aligned
// 8-byte store, so they are never torn: a word that is neither 0 nor right is damage.
#pragma once

#include <cstdint>
#include <cstring>
#include <optional>

#include "engines/base/crc32c.h"
#include "engines/native/format.h"

namespace daxlab::native {

/// crc32c of a struct with its own crc field (and whatever else `mask` clears) 0.
template <typename Disk, typename Mask>
uint32_t struct_crc(Disk disk, uint32_t seed, Mask mask) {
  mask(disk);
  disk.crc = 0;
  return crc32c(&disk, sizeof disk, seed);
}
template <typename Disk>
uint32_t struct_crc(const Disk& disk, uint32_t seed) {
  return struct_crc(disk, seed, [](Disk&) {});
}

/// What every checksum of a file system begins with.
inline uint32_t identity_seed(uint64_t identity) { return crc32c(&identity, sizeof identity); }
/// ... and those of one inode's log.
inline uint32_t inode_seed(uint32_t seed, uint32_t ino, uint32_t generation) {
  const uint32_t words[2] = {ino, generation};
  return crc32c(words, sizeof words, seed);
}

/// A pointer to a log page: what the check covers besides the block tells one pointer from another.
inline uint64_t seal_pointer(uint32_t block, uint32_t seed, uint32_t ordinal) {
  const uint32_t words[2] = {block, ordinal};
  return block | uint64_t{crc32c(words, sizeof words, seed)} << 32;
}
inline bool pointer_is(uint64_t word, uint32_t seed, uint32_t ordinal) {
  const auto block = static_cast<uint32_t>(word);
  return block != 0 && seal_pointer(block, seed, ordinal) == word;
}

inline constexpr uint64_t kNumberBits = 40;
inline constexpr uint64_t kNumberMask = (uint64_t{1} << kNumberBits) - 1;
inline uint64_t seal_number(uint64_t number, uint32_t seed, uint32_t place) {
  const uint64_t words[2] = {number & kNumberMask, place};
  return (number & kNumberMask) | uint64_t{crc32c(words, sizeof words, seed)} << kNumberBits;
}
/// The number in a sealed word; none where the check is wrong.
inline std::optional<uint64_t> open_number(uint64_t word, uint32_t seed, uint32_t place) {
  const uint64_t number = word & kNumberMask;
  if (seal_number(number, seed, place) != word) return std::nullopt;
  return number;
}

inline uint32_t inode_crc(const InodeDisk& disk, uint32_t seed) {
  return struct_crc(disk, seed, [](InodeDisk& inode) { inode.head = 0; });
}
inline uint32_t log_page_crc(const LogPageDisk& disk, uint32_t seed) {
  return struct_crc(disk, seed, [](LogPageDisk& page) { page.next = 0; });
}

/// Writes sequence and crc of a record of `lines` lines: its last 8 bytes.
inline void seal_record(std::byte* record, uint32_t lines, uint32_t sequence, uint32_t seed) {
  const size_t size_bytes = lines * kLineBytes;
  std::memcpy(record + size_bytes - 8, &sequence, 4);
  const uint32_t crc = crc32c(record, size_bytes - 4, seed);
  std::memcpy(record + size_bytes - 4, &crc, 4);
}

}  // namespace daxlab::native
