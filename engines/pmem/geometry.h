// Block -> place on the medium, as dax_direct_access() answers it: a pointer and how far it is contiguous.
//
// Block numbers are what an engine sees: 0 to block_count()-1, each 4 KiB. Where they lie depends on the run spec:
//   linear          in order, one contiguous piece
//   shuffled F      runs of F bytes (a power of two >= 4 KiB) in seeded random order
//   stripe-C        striped in chunks of C over kStripePieces equal pieces (a DM stripe over namespaces)
//   hole            linear less one bad 4 KiB block in every 4 MiB, at a seeded offset
// A pure function of (spec, seed, size): nothing is stored. Immutable after construction, so thread-safe.
#pragma once

#include <cstdint>
#include <vector>

#include "engines/base/result.h"
#include "engines/base/units.h"
#include "engines/pmem/media_spec.h"

namespace daxlab::pmem {

using BlockIndex = uint64_t;

/// A contiguous piece of the medium.
struct Placement {
  uint64_t offset_bytes;  ///< From the start of the space that the geometry was made for.
  uint64_t block_count;   ///< Contiguous blocks from there, at most what was asked for, at least 1.
};

class Geometry {
 public:
  static constexpr uint64_t kStripePieces = 4;
  static constexpr uint64_t kHoleEveryBytes = 4 * kMiB;

  /// A geometry over `size_bytes` of medium. kUsage when the run size does not fit the medium.
  static Result<Geometry> create(const RunSpec& run, uint64_t seed, uint64_t size_bytes);

  uint64_t block_count() const { return block_count_; }
  bool linear() const { return run_.kind == RunSpec::Kind::kLinear; }
  const RunSpec& run() const { return run_; }
  /// The longest stretch that any block is guaranteed to lie in, if aligned to it; the whole medium when linear.
  uint64_t run_bytes() const { return run_bytes_; }

  /// block + count <= block_count(), count > 0.
  Placement place(BlockIndex block, uint64_t count) const;

 private:
  RunSpec run_;
  uint64_t block_count_ = 0;
  uint64_t run_bytes_ = 0;
  uint64_t run_blocks_ = 0;
  uint64_t piece_blocks_ = 0;
  std::vector<uint32_t> run_order_;   // shuffled: run -> slot
  std::vector<uint64_t> bad_blocks_;  // hole: ascending
};

}  // namespace daxlab::pmem
