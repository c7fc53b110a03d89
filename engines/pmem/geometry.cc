#include "engines/pmem/geometry.h"

#include <algorithm>
#include <limits>
#include <string>
#include <utility>

#include "engines/base/random.h"

namespace daxlab::pmem {

namespace {

constexpr uint64_t kHoleEveryBlocks = Geometry::kHoleEveryBytes / kBlockBytes;

Error too_small(const RunSpec& run, uint64_t size_bytes, uint64_t wanted_bytes) {
  return {Errc::kUsage, "run " + to_string(run) + " needs a medium of at least " + format_size(wanted_bytes) +
                            " behind its label, not " + format_size(size_bytes)};
}

/// Slots of runs in seeded random order (Fisher and Yates).
std::vector<uint32_t> shuffled_slots(uint64_t run_count, uint64_t seed) {
  std::vector<uint32_t> slots(run_count);
  for (uint64_t i = 0; i < run_count; ++i) slots[i] = static_cast<uint32_t>(i);
  Random random(seed);
  for (uint64_t i = run_count; i > 1; --i) std::swap(slots[i - 1], slots[random.below(i)]);
  return slots;
}

/// One bad block in every full unit of kHoleEveryBytes; in a last partial unit, if its offset falls inside.
std::vector<uint64_t> bad_blocks_of(uint64_t total_blocks, uint64_t seed) {
  std::vector<uint64_t> bad;
  Random random(seed);
  for (uint64_t unit = 0; unit < total_blocks; unit += kHoleEveryBlocks) {
    const uint64_t block = unit + random.below(kHoleEveryBlocks);
    if (block < total_blocks) bad.push_back(block);
  }
  return bad;
}

}  // namespace

Result<Geometry> Geometry::create(const RunSpec& run, uint64_t seed, uint64_t size_bytes) {
  Geometry made;
  made.run_ = run;
  const uint64_t total_blocks = size_bytes / kBlockBytes;
  if (total_blocks == 0) return too_small(run, size_bytes, kBlockBytes);
  switch (run.kind) {
    case RunSpec::Kind::kLinear:
      made.block_count_ = total_blocks;
      made.run_bytes_ = total_blocks * kBlockBytes;
      break;
    case RunSpec::Kind::kShuffled: {
      const uint64_t run_count = size_bytes / run.run_bytes;
      if (run_count == 0) return too_small(run, size_bytes, run.run_bytes);
      DAXLAB_CHECK(run_count <= std::numeric_limits<uint32_t>::max());
      made.run_bytes_ = run.run_bytes;
      made.run_blocks_ = run.run_bytes / kBlockBytes;
      made.block_count_ = run_count * made.run_blocks_;
      made.run_order_ = shuffled_slots(run_count, seed);
      break;
    }
    case RunSpec::Kind::kStripe:
      if (size_bytes < kStripePieces * run.run_bytes) return too_small(run, size_bytes, kStripePieces * run.run_bytes);
      made.run_bytes_ = run.run_bytes;
      made.run_blocks_ = run.run_bytes / kBlockBytes;
      made.piece_blocks_ = align_down(total_blocks / kStripePieces, made.run_blocks_);
      made.block_count_ = kStripePieces * made.piece_blocks_;
      break;
    case RunSpec::Kind::kHole:
      made.bad_blocks_ = bad_blocks_of(total_blocks, seed);
      made.block_count_ = total_blocks - made.bad_blocks_.size();
      made.run_bytes_ = kBlockBytes;
      if (made.block_count_ == 0) return too_small(run, size_bytes, 2 * kBlockBytes);
      break;
  }
  return made;
}

Placement Geometry::place(BlockIndex block, uint64_t count) const {
  DAXLAB_DCHECK(count > 0 && block + count <= block_count_);
  switch (run_.kind) {
    case RunSpec::Kind::kLinear:
      break;
    case RunSpec::Kind::kShuffled: {
      // A run ends where it ends, even if the next one happens to follow it on the medium: splits depend on the run size alone.
      const uint64_t within = block % run_blocks_;
      const uint64_t at = run_order_[block / run_blocks_] * run_blocks_ + within;
      return {at * kBlockBytes, std::min(count, run_blocks_ - within)};
    }
    case RunSpec::Kind::kStripe: {
      const uint64_t chunk = block / run_blocks_;
      const uint64_t within = block % run_blocks_;
      const uint64_t at = chunk % kStripePieces * piece_blocks_ + chunk / kStripePieces * run_blocks_ + within;
      return {at * kBlockBytes, std::min(count, run_blocks_ - within)};
    }
    case RunSpec::Kind::kHole: {
      // bad_blocks_[u] lies in unit u, behind u earlier ones: a full unit holds kHoleEveryBlocks - 1 good blocks, so of the bad
      // blocks those of units before `unit` are passed for certain, that of `unit` perhaps, and no later one.
      const uint64_t unit = block / (kHoleEveryBlocks - 1);
      uint64_t passed = std::min<uint64_t>(unit, bad_blocks_.size());
      if (passed < bad_blocks_.size() && bad_blocks_[passed] - passed <= block) ++passed;
      const uint64_t at = block + passed;
      const uint64_t good = passed < bad_blocks_.size() ? bad_blocks_[passed] - at : block_count_ - block;
      return {at * kBlockBytes, std::min(count, good)};
    }
  }
  return {block * kBlockBytes, count};
}

}  // namespace daxlab::pmem
