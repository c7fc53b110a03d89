// One iclog of log=premap and log=at-write: the record is made in its place on the medium, through addresses that are contiguous,
// by the log writer as it is: copy, stamp, sum, write.
//
// What the mail's fourth sentence from the end supposes: map pmem for the log buffers and leave xlog_write() alone. So regions
// are copied by cached stores straight into the mapping; the sum is a second pass, as xlog_cksum() is, over lines that the cache
// should still have; then the lines are written back. One thing is not left alone: a basic block's first word is its stamp in the
// very store that would have brought the payload's there (fs/xfs/xfs_log.c, xlog_pack_data(), stamps at the end), for here a
// half-written record may be durable.
//
// Threads: as IclogSpace says. Nothing is allocated once it is made.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "engines/xfslike/log_placement.h"

namespace daxlab::vmap {

/// A stretch of the log made addressable, in at most two pieces: it may go over the end.
struct RecordWindow {
  std::byte* first = nullptr;
  uint64_t first_bytes = 0;
  std::byte* second = nullptr;
};

/// Where an iclog's records are reached.
class RecordWindows {
 public:
  virtual ~RecordWindows() = default;
  /// [block, block + bytes) of the ring. Called under the log's lock.
  virtual RecordWindow open(uint32_t block, uint64_t size_bytes) = 0;
  /// The record is written.
  virtual void close() = 0;
};

class MappedIclog final : public xfslike::IclogSpace {
 public:
  MappedIclog(std::unique_ptr<RecordWindows> windows, const xfslike::LogGeometry& geometry,
              const xfslike::LogKnockOut& knock_out);

  void begin(xfslike::Lsn lsn) override;
  void copy(xfslike::IclogCursor& cursor, const std::byte* from, uint32_t size_bytes) override;
  void settle(xfslike::IclogCursor& cursor, bool writes_next) override;
  void write(const xfslike::RecordDraft& draft) override;

  uint64_t dram_bytes() const { return headers_.capacity() + displaced_.capacity() * sizeof(uint32_t); }

 private:
  /// Calls use(address, size) for the pieces of [offset, offset + size) of the record.
  template <typename Use>
  void for_each(uint64_t offset_bytes, uint64_t size_bytes, Use use) const;
  void put(uint64_t record_offset_bytes, const std::byte* from, uint64_t size_bytes);
  uint32_t sum(uint32_t crc, uint32_t payload_bytes) const;
  void compose(const xfslike::RecordDraft& draft);

  const std::unique_ptr<RecordWindows> windows_;
  const xfslike::LogGeometry geometry_;
  const xfslike::LogKnockOut knock_out_;
  const bool stamped_;
  std::vector<std::byte> headers_;
  std::vector<uint32_t> displaced_;  // v2: by block of the payload; each written by whoever copies its word
  // The record's, set by begin().
  xfslike::Lsn lsn_ = xfslike::kNoLsn;
  RecordWindow window_;
};

}  // namespace daxlab::vmap
