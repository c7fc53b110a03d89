// Who takes what recovery finds in the log: the metadata objects.
//
// Calls, in this order, from Log::mount():
//   note()      pass 1, every item of every committed checkpoint in the order of their commit records: buffers that were freed
//               (cancelled) are remembered, so that pass 2 does not write an old life of a block over its new one
//   replay()    pass 2, the same items again, intents and dones left out
//   replayed()  everything that was replayed becomes durable; the log may forget it afterwards
//   intent()    each intent without a done; it stays in the log until its done is committed
// A mount that ends in between leaves the log as it was: recovery may run any number of times.
#pragma once

#include <cstddef>
#include <span>

#include "engines/base/result.h"
#include "engines/xfslike/log_item.h"
#include "engines/xfslike/lsn.h"

namespace daxlab::xfslike {

struct RecoveredItem {
  ItemType type;
  /// As format() wrote them, each rounded up to 4 bytes; at least one. Each lies at a multiple of 8. Valid during the call.
  std::span<const std::span<const std::byte>> regions;
};

class ReplaySink {
 public:
  virtual ~ReplaySink() = default;
  virtual Result<void> note(const RecoveredItem& item) = 0;
  /// `start` is the checkpoint's: what carries a newer LSN is left alone. An equal one is not newer: two checkpoints may begin in
  /// one record, and the second is replayed over the first.
  virtual Result<void> replay(const RecoveredItem& item, Lsn start) = 0;
  virtual Result<void> replayed() = 0;
  /// Returns what the AIL shall hold at `start` until the intent is done; nullptr for none.
  virtual Result<LogItem*> intent(const RecoveredItem& item, Lsn start) = 0;
};

}  // namespace daxlab::xfslike
