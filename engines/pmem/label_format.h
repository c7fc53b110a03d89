// The label on media. Version 1 of the label itself; the engine's version is a field of it.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "engines/pmem/on_media.h"

namespace daxlab::pmem {

inline constexpr uint64_t kLabelMagic = 0x316c62616c786164;  // "daxlabl1" in memory order
inline constexpr uint32_t kLabelVersion = 1;

/// Invariant: a label is there if and only if `magic` is kLabelMagic; it is stored last.
struct LabelDisk {
  uint64_t magic;          ///< Commit word.
  uint32_t label_version;  ///< kLabelVersion.
  uint32_t crc;            ///< crc32c of the struct with `crc` zero and `magic` in place.
  uint64_t size_bytes;
  uint64_t seed;
  uint64_t run_bytes;
  uint8_t run_kind;         ///< RunSpec::Kind.
  uint8_t reserved[3];      ///< Zero.
  uint32_t format_version;  ///< The engine's.
  std::array<uint8_t, 16> uuid;
  std::array<char, 32> engine;    ///< NUL-padded, at most 31 bytes.
  std::array<char, 928> options;  ///< NUL-padded, at most 927 bytes.
};
DAXLAB_ON_MEDIA(LabelDisk, 1024, 8);

}  // namespace daxlab::pmem
