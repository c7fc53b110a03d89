// A transaction's reservation of log space.
#pragma once

#include <cstdint>
#include <utility>

#include "engines/xfslike/record_format.h"

namespace daxlab::xfslike {

class GrantHeads;

/// Records that `bytes` of operations may have to begin, wherever they start in an iclog; each cut adds an op header.
constexpr uint32_t headers_for(uint64_t bytes, uint32_t capacity_bytes) {
  uint64_t headers = div_up(bytes, capacity_bytes);
  while (headers == 0 || div_up(bytes + headers * kOpHeaderBytes, capacity_bytes) > headers) ++headers;
  return static_cast<uint32_t>(headers);
}
/// A checkpoint's own operations before its items: start, transaction header.
inline constexpr uint32_t kCheckpointOpBytes = 2 * kOpHeaderBytes + sizeof(TransactionHeaderDisk);

/// What a transaction of `unit_bytes` can come to, were it alone in its checkpoint: the checkpoint's own operations, a header for
/// every record that begins and an op header for every cut, a header for the record of the commit operation, and rounding for
/// both the data and the commit record (XFS: xlog_calc_unit_res()). The commit operation itself is less than what is rounded up.
constexpr uint64_t log_unit_bytes(uint64_t unit_bytes, const LogGeometry& geometry) {
  const uint64_t bytes = unit_bytes + kCheckpointOpBytes;
  const uint32_t headers = headers_for(bytes, geometry.capacity_bytes);
  return bytes + uint64_t{headers} * (geometry.header_bytes + kOpHeaderBytes) + geometry.header_bytes +
         2 * uint64_t{geometry.lsunit_bytes};
}

/// Belongs to one transaction, or to a chain of them that is rolled. Destruction gives back what is left.
class Ticket {
 public:
  Ticket() = default;
  Ticket(Ticket&& other) noexcept { *this = std::move(other); }
  Ticket& operator=(Ticket&& other) noexcept;
  ~Ticket() { release(); }

  bool valid() const { return heads_ != nullptr; }
  int64_t left_bytes() const { return left_; }   ///< Of the current transaction.
  uint32_t unit_bytes() const { return unit_; }  ///< One transaction, record and op headers and rounding included.
  uint32_t count() const { return count_; }      ///< Units that are still reserved, the current one included.
  /// Gives everything back: the transaction was cancelled, or is over.
  void release();

 private:
  friend class GrantHeads;
  friend class Cil;
  friend class IclogRing;
  friend class LogWriter;

  GrantHeads* heads_ = nullptr;
  int64_t left_ = 0;
  uint32_t unit_ = 0;
  uint32_t count_ = 0;
};

}  // namespace daxlab::xfslike
