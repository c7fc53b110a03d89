// Puts checkpoints together again from the operations of one record after another (XFS: xlog_recover_process_data()).
//
// Several checkpoints may be open at once. One whose start was not seen began before the tail, so that everything in it is
// written back; one without a commit did not happen: both are passed over.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <span>
#include <vector>

#include "engines/xfslike/record_format.h"
#include "engines/xfslike/recovery_sink.h"

namespace daxlab::xfslike {

class CheckpointAssembler {
 public:
  /// A committed checkpoint's items, in order of commit, buffers before all others: what an item lies in is replayed before it.
  using Take = std::function<Result<void>(std::span<const RecoveredItem> items, Lsn start)>;
  explicit CheckpointAssembler(Take take) : take_(std::move(take)) {}

  /// kCorrupt when the operations are not what a log writes, though they sum up.
  Result<void> record(std::span<const std::byte> payload, uint32_t ops, Lsn lsn);
  uint32_t highest_checkpoint() const { return highest_; }

 private:
  struct Open {
    Lsn start = kNoLsn;
    std::vector<std::byte> bytes;
    struct Region {
      size_t at;
      uint32_t size_bytes;
    };
    std::vector<Region> regions;
  };
  Result<void> op(const OpHeaderDisk& op, std::span<const std::byte> data, Lsn lsn);
  Result<void> commit(uint32_t checkpoint, const Open& open) const;

  const Take take_;
  std::map<uint32_t, Open> open_;
  uint32_t highest_ = 0;
};

}  // namespace daxlab::xfslike
