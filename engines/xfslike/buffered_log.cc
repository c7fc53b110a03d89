#include "engines/xfslike/buffered_log.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <vector>

#include "engines/base/account.h"
#include "engines/base/check.h"
#include "engines/base/counters.h"
#include "engines/base/crc32c.h"
#include "engines/base/mutex.h"
#include "engines/pmem/persist.h"

namespace daxlab::xfslike {

namespace {

constexpr std::byte kZeroes[kBasicBlockBytes] = {};

struct Freed {
  void operator()(std::byte* memory) const { std::free(memory); }
};

class BufferedIclogV2 final : public IclogSpace {
 public:
  BufferedIclogV2(const LogSpace& space, const LogGeometry& geometry, const LogKnockOut& knock_out)
      : space_(space), geometry_(geometry), knock_out_(knock_out) {
    buffer_.reset(static_cast<std::byte*>(std::aligned_alloc(kBlockBytes, geometry.iclog_bytes)));
    DAXLAB_CHECK(buffer_ != nullptr);
    std::memset(buffer_.get(), 0, geometry.iclog_bytes);
  }

  void begin(Lsn lsn) override { static_cast<void>(lsn); }

  void copy(IclogCursor& cursor, const std::byte* from, uint32_t size_bytes) override {
    const AccountScope scope(Phase::kCopy);
    std::memcpy(payload() + cursor.at_bytes, from, size_bytes);
    cursor.at_bytes += size_bytes;
    count(Counter::staged_bytes, size_bytes);
  }

  void settle(IclogCursor&, bool) override {}

  // Order: headers and payload in one streaming copy; fence. No header is kept back until the payload is durable: a crash in
  // between leaves a record whose checksum, over all of it, does not match, and as every 512 bytes begin with the cycle in one
  // 8-byte word of the copy, no payload is ever taken for a cycle.
  void write(const RecordDraft& draft) override {
    std::memset(payload() + draft.payload_bytes, 0, draft.padded_bytes - draft.payload_bytes);
    compose_v2(buffer_.get(), draft, geometry_);
    if (!knock_out_.stamps) stamp_v2(buffer_.get(), payload(), draft.padded_bytes / kBasicBlockBytes, draft.lsn, geometry_);
    if (!knock_out_.crc) {
      const AccountScope scope(Phase::kCrc);
      auto* const header = reinterpret_cast<RecordHeaderDisk*>(buffer_.get());
      header->crc = crc32c(payload(), draft.padded_bytes, crc_of_headers_v2(buffer_.get(), geometry_.header_bytes));
    }
    if (!knock_out_.copy) {
      RingStream stream(space_, geometry_.ring_blocks, lsn_block(draft.lsn));
      stream.append(buffer_.get(), geometry_.header_bytes + draft.padded_bytes);
    }
    if (!knock_out_.fence) pmem::fence();
  }

 private:
  std::byte* payload() { return buffer_.get() + geometry_.header_bytes; }

  const LogSpace& space_;
  const LogGeometry geometry_;
  const LogKnockOut knock_out_;
  std::unique_ptr<std::byte, Freed> buffer_;
};

class BufferedIclogV3 final : public IclogSpace {
 public:
  BufferedIclogV3(const LogSpace& space, const LogGeometry& geometry, const LogKnockOut& knock_out)
      : space_(space), geometry_(geometry), knock_out_(knock_out) {
    sources_.reserve(geometry.capacity_bytes / 64);  // grows once where regions are smaller than that
  }

  void begin(Lsn lsn) override {
    static_cast<void>(lsn);
    const MutexLock lock(mutex_);
    sources_.clear();
  }

  void copy(IclogCursor& cursor, const std::byte* from, uint32_t size_bytes) override {
    const MutexLock lock(mutex_);
    sources_.push_back({cursor.at_bytes, size_bytes, from});
    cursor.at_bytes += size_bytes;
  }

  void settle(IclogCursor&, bool) override {}

  // Order: header and payload in one streaming copy; fence. A crash in between leaves a record whose checksum does not match.
  void write(const RecordDraft& draft) override {
    const MutexLock lock(mutex_);
    std::sort(sources_.begin(), sources_.end(), [](const Source& a, const Source& b) { return a.offset < b.offset; });
    RecordHeaderV3Disk header = compose_v3(draft, geometry_);
    if (!knock_out_.crc) {
      const AccountScope scope(Phase::kCrc);
      uint32_t crc = crc32c(&header, sizeof header);
      for_each_part(draft, [&crc](const std::byte* from, uint64_t size) { crc = crc32c(from, size, crc); });
      header.crc = crc;
    }
    if (!knock_out_.copy) {
      RingStream stream(space_, geometry_.ring_blocks, lsn_block(draft.lsn));
      stream.append(reinterpret_cast<const std::byte*>(&header), sizeof header);
      for_each_part(draft, [&stream](const std::byte* from, uint64_t size) { stream.append(from, size); });
    }
    if (!knock_out_.fence) pmem::fence();
  }

 private:
  struct Source {
    uint32_t offset;
    uint32_t size;
    const std::byte* from;
  };

  template <typename Use>
  void for_each_part(const RecordDraft& draft, Use use) const DAXLAB_REQUIRES(mutex_) {
    uint32_t at = 0;
    for (const Source& source : sources_) {
      DAXLAB_CHECK(source.offset == at);
      use(source.from, source.size);
      at += source.size;
    }
    DAXLAB_CHECK(at == draft.payload_bytes);
    for (uint32_t left = draft.padded_bytes - at; left > 0;) {
      const uint32_t some = std::min<uint32_t>(left, sizeof kZeroes);
      use(kZeroes, some);
      left -= some;
    }
  }

  const LogSpace& space_;
  const LogGeometry geometry_;
  const LogKnockOut knock_out_;
  Mutex mutex_;
  std::vector<Source> sources_ DAXLAB_GUARDED_BY(mutex_);
};

}  // namespace

Result<std::unique_ptr<IclogSpace>> BufferedLog::make_iclog(const LogConfig& config) {
  DAXLAB_ASSIGN(const LogGeometry geometry, log_geometry(config, blocks()));
  if (config.format == LogFormat::kV3)
    return std::unique_ptr<IclogSpace>(std::make_unique<BufferedIclogV3>(space_, geometry, config.knock_out));
  dram_bytes_ += geometry.iclog_bytes;
  return std::unique_ptr<IclogSpace>(std::make_unique<BufferedIclogV2>(space_, geometry, config.knock_out));
}

void BufferedLog::read(uint32_t block, uint32_t count, std::byte* to) const {
  space_.for_each(uint64_t{block} * kBasicBlockBytes, uint64_t{count} * kBasicBlockBytes,
                  [&to](const std::byte* from, uint64_t size_bytes) {
                    pmem::load_bytes(to, from, size_bytes);
                    to += size_bytes;
                  });
}

void BufferedLog::write(uint32_t block, uint32_t count, const std::byte* from) {
  space_.for_each(uint64_t{block} * kBasicBlockBytes, uint64_t{count} * kBasicBlockBytes,
                  [&from](std::byte* to, uint64_t size_bytes) {
                    pmem::stream(to, from, size_bytes);
                    from += size_bytes;
                  });
}

void BufferedLog::sync() { pmem::fence(); }

RingStream::RingStream(const LogSpace& space, uint32_t ring_blocks, uint32_t block)
    : space_(space), ring_bytes_(uint64_t{ring_blocks} * kBasicBlockBytes), at_bytes_(uint64_t{block} * kBasicBlockBytes) {}

RingStream::~RingStream() { DAXLAB_CHECK(line_used_ == 0); }

void RingStream::put(const std::byte* lines, uint64_t size_bytes) {
  while (size_bytes > 0) {
    const uint64_t here = std::min(size_bytes, ring_bytes_ - at_bytes_);
    const uint32_t parts = space_.for_each(at_bytes_, here, [&lines](std::byte* to, uint64_t size) {
      pmem::stream(to, lines, size);
      lines += size;
    });
    if (parts > 1) count(Counter::splits, parts - 1);
    at_bytes_ = at_bytes_ + here == ring_bytes_ ? 0 : at_bytes_ + here;
    size_bytes -= here;
  }
}

void RingStream::append(const std::byte* from, uint64_t size_bytes) {
  while (size_bytes > 0) {
    if (line_used_ == 0 && size_bytes >= kCacheLineBytes) {
      const uint64_t whole = align_down(size_bytes, kCacheLineBytes);
      put(from, whole);
      from += whole;
      size_bytes -= whole;
      continue;
    }
    const uint64_t some = std::min<uint64_t>(size_bytes, kCacheLineBytes - line_used_);
    std::memcpy(line_ + line_used_, from, some);
    count(Counter::staged_bytes, some);
    line_used_ += static_cast<uint32_t>(some);
    from += some;
    size_bytes -= some;
    if (line_used_ < kCacheLineBytes) continue;
    put(line_, kCacheLineBytes);
    line_used_ = 0;
  }
}

}  // namespace daxlab::xfslike
