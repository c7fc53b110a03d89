// A transaction's reservation of log space.
#pragma once

#include <cstdint>
#include <utility>

#include "engines/xfslike/lsn.h"

namespace daxlab::xfslike {

class GrantHeads;

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
  friend class Checkpoint;
  friend class IclogRing;
  friend class Log;

  GrantHeads* heads_ = nullptr;
  int64_t left_ = 0;
  uint32_t unit_ = 0;
  uint32_t count_ = 0;
};

}  // namespace daxlab::xfslike
