#include "engines/vmap/mapped_iclog.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "engines/base/account.h"
#include "engines/base/check.h"
#include "engines/base/counters.h"
#include "engines/base/crc32c.h"
#include "engines/base/no_alloc_zone.h"
#include "engines/pmem/persist.h"

namespace daxlab::vmap {

using xfslike::IclogCursor;
using xfslike::kBasicBlockBytes;
using xfslike::RecordDraft;

namespace {

constexpr std::byte kZeroes[kBasicBlockBytes] = {};

}  // namespace

MappedIclog::MappedIclog(std::unique_ptr<RecordWindows> windows, const xfslike::LogGeometry& geometry,
                         const xfslike::LogKnockOut& knock_out)
    : windows_(std::move(windows)),
      geometry_(geometry),
      knock_out_(knock_out),
      stamped_(geometry.format == xfslike::LogFormat::kV2 && !knock_out.stamps),
      headers_(geometry.header_bytes),
      displaced_(stamped_ ? geometry.capacity_bytes / kBasicBlockBytes + 1 : 0) {}

template <typename Use>
void MappedIclog::for_each(uint64_t offset_bytes, uint64_t size_bytes, Use use) const {
  if (offset_bytes < window_.first_bytes) {
    const uint64_t here = std::min(size_bytes, window_.first_bytes - offset_bytes);
    use(window_.first + offset_bytes, here);
    offset_bytes += here;
    size_bytes -= here;
  }
  if (size_bytes > 0) use(window_.second + (offset_bytes - window_.first_bytes), size_bytes);
}

void MappedIclog::put(uint64_t record_offset_bytes, const std::byte* from, uint64_t size_bytes) {
  if (knock_out_.copy) return;
  for_each(record_offset_bytes, size_bytes, [&from](std::byte* to, uint64_t size) {
    pmem::store_bytes(to, from, size);
    from += size;
  });
}

void MappedIclog::begin(xfslike::Lsn lsn) {
  lsn_ = lsn;
  window_ = windows_->open(xfslike::lsn_block(lsn), geometry_.iclog_bytes);
}

// Order: payload goes to its place, in lines that may become durable at any time from now on. Whoever looks for cycles after a
// crash finds a basic block as it was, or stamped with this record's cycle, and never payload. A crash leaves any part of it
// below a header that is still the old one, so it is no record. What was there before is gone from here on: the ring gives out no
// block before what it held is durable in its place.
void MappedIclog::copy(IclogCursor& cursor, const std::byte* from, uint32_t size_bytes) {
  const NoAllocZone no_alloc;
  const AccountScope scope(Phase::kCopy);
  while (size_bytes > 0) {
    const uint64_t at = geometry_.header_bytes + cursor.at_bytes;
    const uint32_t in_block = cursor.at_bytes % kBasicBlockBytes;
    if (stamped_ && in_block == 0) {
      const uint32_t block = cursor.at_bytes / kBasicBlockBytes;
      const uint32_t stamp = xfslike::stamp_of(lsn_, geometry_.header_bytes / kBasicBlockBytes + block, geometry_);
      std::memcpy(&displaced_[block], from, sizeof stamp);
      put(at, reinterpret_cast<const std::byte*>(&stamp), sizeof stamp);
      from += sizeof stamp;
      size_bytes -= static_cast<uint32_t>(sizeof stamp);
      cursor.at_bytes += static_cast<uint32_t>(sizeof stamp);
      continue;
    }
    const uint32_t here = stamped_ ? std::min(size_bytes, kBasicBlockBytes - in_block) : size_bytes;
    put(at, from, here);
    from += here;
    size_bytes -= here;
    cursor.at_bytes += here;
  }
}

/// Nothing: a line is written back by whoever asks for it, and write() asks for all of them.
void MappedIclog::settle(IclogCursor& cursor, bool writes_next) {
  static_cast<void>(cursor);
  static_cast<void>(writes_next);
}

uint32_t MappedIclog::sum(uint32_t crc, uint32_t payload_bytes) const {
  for_each(geometry_.header_bytes, payload_bytes, [&crc](const std::byte* from, uint64_t size) {
    pmem::touch(from, size);
    crc = crc32c(from, size, crc);
  });
  return crc;
}

void MappedIclog::compose(const RecordDraft& draft) {
  const AccountScope scope(Phase::kCrc);
  xfslike::compose_in_place(headers_.data(), draft, geometry_, stamped_ ? displaced_.data() : nullptr, !knock_out_.crc,
                            [&](uint32_t crc) { return sum(crc, draft.padded_bytes); });
}

// Order: payload and padding are stored; headers, with what the stamps displaced; all lines flushed; fence. Any part may be
// durable before the fence, so a crash leaves the old header over new blocks, or a record whose checksum does not match: nobody
// was told of it.
void MappedIclog::write(const RecordDraft& draft) {
  DAXLAB_DCHECK(draft.lsn == lsn_);
  {
    const NoAllocZone no_alloc;
    IclogCursor cursor;
    cursor.begin_bytes = cursor.at_bytes = draft.payload_bytes;
    while (cursor.at_bytes < draft.padded_bytes)
      copy(cursor, kZeroes, std::min<uint32_t>(draft.padded_bytes - cursor.at_bytes, sizeof kZeroes));
    compose(draft);
    put(0, headers_.data(), geometry_.header_bytes);
    if (!knock_out_.flush)
      for_each(0, geometry_.header_bytes + draft.padded_bytes,
               [](const std::byte* from, uint64_t size) { pmem::flush(from, size); });
    if (!knock_out_.fence) pmem::fence();
  }
  windows_->close();
}

}  // namespace daxlab::vmap
