// One iclog of log=direct: see direct_log.h.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <vector>

#include "engines/base/mutex.h"
#include "engines/retrofit/ring_segments.h"
#include "engines/xfslike/log_placement.h"

namespace daxlab::retrofit {

class DirectIclog final : public xfslike::IclogSpace {
 public:
  DirectIclog(std::shared_ptr<const RingSegments> segments, const xfslike::LogGeometry& geometry,
              const xfslike::LogKnockOut& knock_out);

  void begin(xfslike::Lsn lsn) override;
  void copy(xfslike::IclogCursor& cursor, const std::byte* from, uint32_t size_bytes) override;
  void settle(xfslike::IclogCursor& cursor, bool writes_next) override;
  void write(const xfslike::RecordDraft& draft) override;

  uint64_t dram_bytes() const { return headers_.capacity() + displaced_.capacity() * sizeof(uint32_t); }

 private:
  /// Payload that was copied and settled, and its checksum.
  struct Run {
    uint32_t begin;
    uint32_t end;
    uint32_t crc;
  };
  static constexpr size_t kRuns = 16;  ///< More than the gaps that the writers in flight can leave: 4 pushes.

  /// Copies within one segment and, with stamps, one basic block.
  void put(xfslike::IclogCursor& cursor, std::byte* to, const std::byte* from, uint32_t size_bytes);
  void add_run(const Run& run) DAXLAB_REQUIRES(mutex_);
  void pad(const xfslike::RecordDraft& draft);
  /// To the record's beginning.
  void put_headers();
  void compose(const xfslike::RecordDraft& draft, uint32_t payload_crc);

  const std::shared_ptr<const RingSegments> segments_;
  const xfslike::LogGeometry geometry_;
  const xfslike::LogKnockOut knock_out_;
  const bool stamped_;
  std::vector<std::byte> headers_;
  std::vector<uint32_t> displaced_;  // v2: by block of the payload; each written by whoever copies its word
  // The record's, set by begin().
  xfslike::Lsn lsn_ = xfslike::kNoLsn;
  uint64_t record_at_ = 0;  // bytes from the ring's start
  Mutex mutex_;
  std::array<Run, kRuns> runs_ DAXLAB_GUARDED_BY(mutex_);
  uint32_t run_count_ DAXLAB_GUARDED_BY(mutex_) = 0;  // by place; neighbours are merged
  bool unfenced_ DAXLAB_GUARDED_BY(mutex_) = false;
};

}  // namespace daxlab::retrofit
