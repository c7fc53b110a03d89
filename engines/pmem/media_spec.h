// What people write after --media: "dram:512MiB", "file:/mnt/x/img:1GiB", "devdax:/dev/dax0.0", each with
// "?profile=optane-100&run=64KiB&seed=7".
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "engines/base/result.h"

namespace daxlab::pmem {

enum class MediaKind : uint8_t { kDram, kFile, kDevdax };

/// How blocks lie on the medium; see geometry.h.
struct RunSpec {
  enum class Kind : uint8_t { kLinear, kShuffled, kStripe, kHole };
  Kind kind = Kind::kLinear;
  uint64_t run_bytes = 0;  ///< Shuffled: size of a run. Stripe: size of a chunk. Otherwise 0.
  bool operator==(const RunSpec&) const = default;
};

struct MediaSpec {
  MediaKind kind = MediaKind::kDram;
  std::string path;         ///< File or devdax; empty for dram.
  uint64_t size_bytes = 0;  ///< 0: the size of what is there (devdax, an existing file).
  std::string profile = "dram";
  RunSpec run;
  uint64_t seed = 1;  ///< Of the shuffle and of hole placement.

  /// kUsage names the offending part and what would be right.
  static Result<MediaSpec> parse(std::string_view text);
  std::string to_string() const;
  /// The spec less its path: what a cell id covers.
  std::string identity() const;
};

Result<RunSpec> parse_run(std::string_view text);  ///< "linear", "64KiB", "stripe-256KiB", "hole".
std::string to_string(const RunSpec& run);
const char* name(MediaKind kind);

}  // namespace daxlab::pmem
