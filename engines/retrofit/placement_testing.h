// What the tests and benchmarks of log placements share: the named geometries, and records written through an iclog.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "engines/base/random.h"
#include "engines/pmem/region.h"
#include "engines/retrofit/direct_log.h"
#include "engines/xfslike/buffered_log.h"

namespace daxlab::retrofit {

struct NamedGeometry {
  const char* name;
  pmem::RunSpec run;
};
/// Where discontiguity comes from, and the adversarial one.
inline const std::vector<NamedGeometry>& named_geometries() {
  using Kind = pmem::RunSpec::Kind;
  static const std::vector<NamedGeometry> kAll = {{"linear", {}},
                                                  {"stripe64KiB", {Kind::kStripe, 64 * kKiB}},
                                                  {"stripe256KiB", {Kind::kStripe, 256 * kKiB}},
                                                  {"hole", {Kind::kHole, 0}},
                                                  {"scatter4KiB", {Kind::kShuffled, 4 * kKiB}}};
  return kAll;
}

inline std::vector<std::byte> random_bytes(size_t size, uint64_t seed) {
  Random random(seed);
  std::vector<std::byte> bytes(size);
  for (std::byte& byte : bytes) byte = static_cast<std::byte>(random.next());
  return bytes;
}

inline std::unique_ptr<xfslike::LogPlacement> make_placement(const std::string& name, pmem::Region& region,
                                                             const std::vector<xfslike::BlockRun>& runs) {
  if (name == "direct") return std::make_unique<DirectLog>(region, runs);
  return std::make_unique<xfslike::BufferedLog>(region, runs);
}

/// A record of `payload` at `lsn`, padded to the log's unit.
inline xfslike::RecordDraft draft_of(xfslike::Lsn lsn, uint32_t payload_bytes, const xfslike::LogGeometry& geometry) {
  xfslike::RecordDraft draft;
  draft.lsn = lsn;
  draft.tail_lsn = lsn;
  draft.previous_block = 7;
  draft.ops = 3;
  draft.payload_bytes = payload_bytes;
  draft.padded_bytes =
      static_cast<uint32_t>(align_up(geometry.header_bytes + payload_bytes, geometry.lsunit_bytes)) - geometry.header_bytes;
  draft.sequence = 11;
  draft.epoch = 2;
  return draft;
}

inline void copy_all(xfslike::IclogSpace& space, const std::vector<std::byte>& payload) {
  xfslike::IclogCursor cursor;
  space.copy(cursor, payload.data(), static_cast<uint32_t>(payload.size()));
  space.settle(cursor, true);
}

}  // namespace daxlab::retrofit
