#include "engines/xfslike/log_vector.h"

#include <cstdlib>
#include <cstring>
#include <new>

#include "engines/base/account.h"
#include "engines/base/check.h"
#include "engines/base/counters.h"
#include "engines/base/units.h"

namespace daxlab::xfslike {

namespace {

/// Op header, its alignment so that the region behind it lies at a multiple of 8, and the region's rounding.
constexpr uint32_t kPerRegion = 24;

constexpr uint32_t capacity_for(LogItem::Size size) { return size.bytes + size.regions * kPerRegion; }

class VectorWriter final : public RegionWriter {
 public:
  explicit VectorWriter(LogVector& vector) : vector_(vector) {}

  std::byte* add(uint32_t size_bytes) override {
    const auto rounded = static_cast<uint32_t>(align_up(size_bytes, 4));
    const auto data_at = static_cast<uint32_t>(align_up(vector_.used_bytes + kOpHeaderBytes, 8));
    DAXLAB_CHECK(vector_.piece_count < vector_.pieces_max && data_at + rounded <= vector_.capacity_bytes);
    std::byte* const header = vector_.buffer + data_at - kOpHeaderBytes;
    const OpHeaderDisk op{.checkpoint = 0, .size_bytes = rounded, .client = kOpClient, .flags = 0, .zero = 0};
    std::memcpy(header, &op, sizeof op);
    if (rounded > 0) std::memset(vector_.buffer + data_at + rounded - 4, 0, 4);
    vector_.pieces[vector_.piece_count++] = {header, kOpHeaderBytes + rounded};
    vector_.used_bytes = data_at + rounded;
    vector_.log_bytes += kOpHeaderBytes + rounded;
    return vector_.buffer + data_at;
  }

 private:
  LogVector& vector_;
};

}  // namespace

void LogVectorDeleter::operator()(LogVector* vector) const {
  static_assert(std::is_trivially_destructible_v<LogVector>);
  std::free(vector);
}

LogVectorPtr LogVector::make(LogItem::Size size) {
  static_assert(sizeof(LogVector) % 8 == 0 && sizeof(LogPiece) % 8 == 0);
  const auto capacity = static_cast<uint32_t>(align_up(capacity_for(size), 64));
  const size_t pieces_bytes = size.regions * sizeof(LogPiece);
  void* const memory = std::malloc(sizeof(LogVector) + pieces_bytes + capacity);
  DAXLAB_CHECK(memory != nullptr);
  LogVectorPtr vector(new (memory) LogVector);
  std::byte* const behind = static_cast<std::byte*>(memory) + sizeof(LogVector);
  vector->pieces = reinterpret_cast<LogPiece*>(behind);
  vector->pieces_max = size.regions;
  vector->buffer = behind + pieces_bytes;
  vector->capacity_bytes = capacity;
  return vector;
}

bool LogVector::holds(LogItem::Size size) const { return size.regions <= pieces_max && capacity_for(size) <= capacity_bytes; }

void LogVector::format(const LogItem& from) {
  const AccountScope scope(Phase::kLogFormat);
  piece_count = 0;
  used_bytes = 0;
  log_bytes = 0;
  VectorWriter writer(*this);
  from.format(writer);
  DAXLAB_CHECK(piece_count > 0 && pieces[0].size_bytes >= kOpHeaderBytes + sizeof(ItemHeaderDisk));
  const ItemHeaderDisk header{static_cast<uint16_t>(from.type()), static_cast<uint16_t>(piece_count)};
  std::memcpy(pieces[0].header + kOpHeaderBytes, &header, sizeof header);
  count(Counter::regions, piece_count);
}

}  // namespace daxlab::xfslike
