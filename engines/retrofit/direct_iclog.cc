#include "engines/retrofit/direct_iclog.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "engines/base/account.h"
#include "engines/base/check.h"
#include "engines/base/counters.h"
#include "engines/base/crc32c.h"
#include "engines/base/crc32c_combine.h"
#include "engines/base/no_alloc_zone.h"
#include "engines/pmem/persist.h"

namespace daxlab::retrofit {

using xfslike::IclogCursor;
using xfslike::kBasicBlockBytes;
using xfslike::RecordDraft;

namespace {

/// What is summed and then streamed at once, so that it is in the nearest cache when it is read the second time.
constexpr uint32_t kStepBytes = 3 * 1024;
constexpr std::byte kZeroes[kBlockBytes] = {};

/// Each piece is summed by itself: the instruction takes three cycles to give what the next one of a sum needs, and pieces that need
/// nothing of each other are summed side by side. Joining takes one multiplication for up to 255 bytes.
void add_sum(IclogCursor& cursor, uint32_t crc, uint32_t size_bytes) { cursor.crc = crc32c_combine(cursor.crc, crc, size_bytes); }

}  // namespace

DirectIclog::DirectIclog(std::shared_ptr<const RingSegments> segments, const xfslike::LogGeometry& geometry,
                         const xfslike::LogKnockOut& knock_out)
    : segments_(std::move(segments)),
      geometry_(geometry),
      knock_out_(knock_out),
      stamped_(geometry.format == xfslike::LogFormat::kV2 && !knock_out.stamps),
      headers_(geometry.header_bytes),
      displaced_(geometry.format == xfslike::LogFormat::kV2 ? geometry.capacity_bytes / kBasicBlockBytes : 0) {}

void DirectIclog::begin(xfslike::Lsn lsn) {
  lsn_ = lsn;
  record_at_ = uint64_t{xfslike::lsn_block(lsn)} * kBasicBlockBytes;
  const MutexLock lock(mutex_);
  run_count_ = 0;
  unfenced_ = false;
}

void DirectIclog::put(IclogCursor& cursor, std::byte* to, const std::byte* from, uint32_t size_bytes) {
  if (stamped_ && cursor.at_bytes % kBasicBlockBytes == 0) {
    const uint32_t block = cursor.at_bytes / kBasicBlockBytes;
    const uint32_t stamp = xfslike::stamp_of(lsn_, geometry_.header_bytes / kBasicBlockBytes + block, geometry_);
    std::memcpy(&displaced_[block], from, sizeof(uint32_t));
    if (!knock_out_.crc) {
      const AccountScope scope(Phase::kCrc);
      add_sum(cursor, crc32c(from + sizeof stamp, size_bytes - sizeof stamp, crc32c(&stamp, sizeof stamp)), size_bytes);
    }
    if (!knock_out_.copy) pmem::stream_words(to, stamp, from, size_bytes);
  } else {
    if (!knock_out_.crc) {
      const AccountScope scope(Phase::kCrc);
      add_sum(cursor, crc32c(from, size_bytes), size_bytes);
    }
    if (!knock_out_.copy) pmem::stream_words(to, from, size_bytes);
  }
  cursor.at_bytes += size_bytes;
  count(Counter::log_copied_bytes, size_bytes);
}

// Order: payload goes to its place at once, in words that no fence orders. The first word of a basic block is the cycle's stamp in the
// very store that would have brought the payload's there, which is kept in DRAM: whoever looks for cycles after a crash finds the
// block as it was, or stamped, and never payload. A crash leaves any part of it below a header that is still the old one: this
// place's, of the cycle before, or no header at all; so it is no record.
//
// What was there before is gone from here on, and not only when the record is written: the ring gives out no block before what it
// held is durable in its place.
void DirectIclog::copy(IclogCursor& cursor, const std::byte* from, uint32_t size_bytes) {
  const NoAllocZone no_alloc;
  const uint64_t payload_at = record_at_ + geometry_.header_bytes;
  if (!cursor.placed) {
    cursor.segment = segments_->index_of(payload_at + cursor.at_bytes);
    cursor.placed = true;
  }
  uint32_t cuts = 0;
  while (size_bytes > 0) {
    const uint64_t at = payload_at + cursor.at_bytes;
    if (at == (*segments_)[cursor.segment].end) {
      ++cursor.segment;
      continue;
    }
    const RingSegments::Segment& segment = (*segments_)[cursor.segment];
    const uint64_t in_step = stamped_ ? kBasicBlockBytes - cursor.at_bytes % kBasicBlockBytes : kStepBytes;
    const auto here = static_cast<uint32_t>(std::min<uint64_t>({size_bytes, segment.end - at, in_step}));
    put(cursor, segment.address + (at - segment.begin), from, here);
    from += here;
    size_bytes -= here;
    if (size_bytes > 0 && at + here == segment.end) ++cuts;
  }
  if (cuts == 0) return;
  count(Counter::splits, cuts);
  count(Counter::straddling_regions);
}

void DirectIclog::add_run(const Run& run) {
  uint32_t at = 0;
  while (at < run_count_ && runs_[at].begin < run.begin) ++at;
  const bool joins_before = at > 0 && runs_[at - 1].end == run.begin;
  const bool joins_behind = at < run_count_ && run.end == runs_[at].begin;
  if (!joins_before && !joins_behind) {
    DAXLAB_CHECK(run_count_ < kRuns);
    std::copy_backward(runs_.begin() + at, runs_.begin() + run_count_, runs_.begin() + run_count_ + 1);
    runs_[at] = run;
    ++run_count_;
    return;
  }
  const auto join = [](const Run& first, const Run& second) {
    return Run{first.begin, second.end, crc32c_combine(first.crc, second.crc, second.end - second.begin)};
  };
  if (!joins_before) {
    runs_[at] = join(run, runs_[at]);
    return;
  }
  runs_[at - 1] = join(runs_[at - 1], run);
  if (!joins_behind) return;
  runs_[at - 1] = join(runs_[at - 1], runs_[at]);
  std::copy(runs_.begin() + at + 1, runs_.begin() + run_count_, runs_.begin() + at);
  --run_count_;
}

// Order: this writer's payload; its fence. Another thread may write the record from here on, and its fence would say nothing of what
// this one streamed. Who writes the record itself leaves it to the fence there.
void DirectIclog::settle(IclogCursor& cursor, bool writes_next) {
  const NoAllocZone no_alloc;
  if (cursor.at_bytes == cursor.begin_bytes) return;
  if (!writes_next && !knock_out_.fence) pmem::fence();
  const MutexLock lock(mutex_);
  add_run({cursor.begin_bytes, cursor.at_bytes, cursor.crc});
  unfenced_ |= writes_next;
}

void DirectIclog::pad(const RecordDraft& draft) {
  if (draft.padded_bytes == draft.payload_bytes) return;
  IclogCursor cursor;
  cursor.begin_bytes = cursor.at_bytes = draft.payload_bytes;
  while (cursor.at_bytes < draft.padded_bytes)
    copy(cursor, kZeroes, std::min<uint32_t>(draft.padded_bytes - cursor.at_bytes, sizeof kZeroes));
  const MutexLock lock(mutex_);
  add_run({cursor.begin_bytes, cursor.at_bytes, cursor.crc});
}

void DirectIclog::compose(const RecordDraft& draft, uint32_t payload_crc) {
  const AccountScope scope(Phase::kCrc);
  xfslike::compose_in_place(headers_.data(), draft, geometry_, stamped_ ? displaced_.data() : nullptr, !knock_out_.crc,
                            [&](uint32_t crc) { return crc32c_combine(crc, payload_crc, draft.padded_bytes); });
}

void DirectIclog::put_headers() {
  uint32_t segment = segments_->index_of(record_at_);
  for (uint64_t done = 0; done < geometry_.header_bytes; ++segment) {
    const RingSegments::Segment& place = (*segments_)[segment];
    const uint64_t here = std::min(geometry_.header_bytes - done, place.end - record_at_ - done);
    if (!knock_out_.copy) pmem::stream_words(place.address + (record_at_ + done - place.begin), headers_.data() + done, here);
    done += here;
  }
  count(Counter::log_copied_bytes, geometry_.header_bytes);
}

// Order: payload (by now durable, or streamed by this thread) and padding; fence, if any payload still needs one; headers with what the
// stamps displaced; fence. A crash before the headers leaves no record. One between them, or with a part of the padding, leaves a
// record whose checksum does not match, and nobody was told that it is durable.
void DirectIclog::write(const RecordDraft& draft) {
  const NoAllocZone no_alloc;
  DAXLAB_DCHECK(draft.lsn == lsn_);
  pad(draft);
  Run all{};
  bool unfenced = false;
  {
    const MutexLock lock(mutex_);
    DAXLAB_CHECK(run_count_ == 1 && runs_[0].begin == 0 && runs_[0].end == draft.padded_bytes);
    all = runs_[0];
    unfenced = unfenced_;
  }
  if (unfenced && !knock_out_.fence) pmem::fence();
  compose(draft, all.crc);
  put_headers();
  if (!knock_out_.fence) pmem::fence();
  const uint64_t end = record_at_ + geometry_.header_bytes + draft.padded_bytes;
  count(Counter::log_segments, segments_->index_of(end - 1) - segments_->index_of(record_at_) + 1);
}

}  // namespace daxlab::retrofit
