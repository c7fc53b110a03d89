// format=v3: where recovery begins to read. Blocks carry no stamps there, so that no search over them can find the head.
//
// An anchor names a record from which the chain of records is whole up to the head. Two slots behind the ring, written in turn,
// each a block with its own checksum. A new one is written when a record is about to be stored over the one that the anchor
// names, which is once in a turn of the log, and at mount, where it also makes the mount's epoch durable before any record has
// it.
//
// Threads: write() by one at a time.
#pragma once

#include <cstdint>

#include "engines/pmem/on_media.h"
#include "engines/xfslike/log_placement.h"

namespace daxlab::xfslike {

struct AnchorDisk {
  uint32_t magic;
  uint32_t epoch;
  uint64_t uuid;
  uint64_t count;  ///< The higher of two valid slots is the anchor.
  Lsn lsn;
  uint64_t zero[3];
  uint32_t pad;
  uint32_t crc;
};
DAXLAB_ON_MEDIA(AnchorDisk, 64, 8);

struct Anchor {
  Lsn lsn = kNoLsn;
  uint32_t epoch = 0;
  uint64_t count = 0;
};

class AnchorWriter {
 public:
  AnchorWriter(LogPlacement& placement, const LogGeometry& geometry, const Anchor& last)
      : placement_(placement), geometry_(geometry), last_(last) {}

  /// Order: the other slot; fence. A crash before leaves the old anchor, which still holds.
  void write(Lsn lsn, uint32_t epoch);
  /// A record at `lsn` may be stored up to `record_bytes` of it: moves the anchor to `tail` if that hits what it names.
  void before_record(Lsn lsn, uint64_t record_bytes, Lsn tail);
  const Anchor& last() const { return last_; }

  /// kCorrupt when neither slot is valid.
  static Result<Anchor> read(const LogPlacement& placement, const LogGeometry& geometry);

 private:
  LogPlacement& placement_;
  const LogGeometry geometry_;
  Anchor last_;
};

}  // namespace daxlab::xfslike
