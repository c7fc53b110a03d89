// The first block of a region: which engine formatted it, with what, over which geometry. Self-checking (magic, crc32c).
//
// Invariant: a label is there or it is not. Its first word, the magic, is stored last and cleared first.
#pragma once

#include <cstdint>
#include <string>

#include "engines/base/result.h"
#include "engines/pmem/media_spec.h"
#include "engines/pmem/region.h"

namespace daxlab::pmem {

struct Label {
  std::string engine;           ///< Registered name, at most 31 bytes.
  uint32_t format_version = 0;  ///< The engine's.
  std::string options;          ///< As resolved at mkfs, "data=cow:cpus=2".
  RunSpec run;
  uint64_t seed = 0;
  uint64_t size_bytes = 0;
  std::string uuid;  ///< 36 characters; write_label() makes one where it is empty.
};

/// Takes away what label there is, durably: the first step of a format, so that a crash in it leaves no label.
void erase_label(Region& region);
/// Writes and persists the label in `region`, with the region's geometry, seed and size: the last step of a format.
void write_label(Region& region, const Label& label);
/// kWrongLabel when there is none or it is of another version of daxlab, kCorrupt when its checksum is wrong.
Result<Label> read_label(const Region& region);
/// Reads the label of a file or devdax before it is opened as a region, to learn size and geometry.
Result<Label> peek_label(const MediaSpec& spec);
/// kWrongLabel, naming both sides, unless the label is `engine`'s at `format_version`.
Result<void> expect_label(const Region& region, const std::string& engine, uint32_t format_version);

}  // namespace daxlab::pmem
