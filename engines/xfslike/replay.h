// What recovery does with the metadata that it finds in the log. (XFS: fs/xfs/xfs_*_item_recover.c.)
//
// An object that carries a newer LSN than the checkpoint's is left alone: it was written back whole before that LSN was stored. Others get
// the record's bytes and a new crc. Replay must not make a valid object of a damaged one: where the LSN is the checkpoint's or newer,
// the crc must be right, unless a later record of the object shows that a newer write-back may have been torn. (Later by order: two
// checkpoints may have one LSN.)
//
// Threads: one, while nothing else uses the volume, whose groups are not loaded yet.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <span>
#include <vector>

#include "engines/base/result.h"
#include "engines/xfslike/extent_free.h"
#include "engines/xfslike/item_format.h"
#include "engines/xfslike/recovery_sink.h"

namespace daxlab::xfslike {

struct Volume;

class Replay final : public ReplaySink {
 public:
  explicit Replay(Volume& volume) : volume_(volume) {}
  ~Replay() override;

  Result<void> note(const RecoveredItem& item) override;
  Result<void> replay(const RecoveredItem& item, Lsn start) override;
  Result<void> replayed() override;
  Result<LogItem*> intent(const RecoveredItem& item, Lsn start) override;

  /// Frees what the intents name. After load_groups(), with the volume's log set. Durable with the log's next force.
  Result<void> finish_intents();

  struct Counts {
    uint64_t applied = 0;
    uint64_t newer = 0;      ///< Left alone: the medium had them.
    uint64_t cancelled = 0;  ///< Left out: freed later in the log.
    uint64_t intents = 0;    ///< Finished.
  };
  const Counts& counts() const { return counts_; }

 private:
  Result<void> replay_buffer(const RecoveredItem& item, Lsn start);
  Result<void> apply_buffer(const struct BufferRecord& record, const RecoveredItem& item, Lsn start);
  Result<void> replay_inode(const RecoveredItem& item, Lsn start);
  Result<void> replay_dquot(const RecoveredItem& item, Lsn start);
  /// What to do with an object whose place on the medium names it: false, it is new enough.
  bool wanted(uint64_t place, Lsn stamped, bool crc_right, Lsn start);

  Volume& volume_;
  std::map<uint64_t, uint32_t> cancels_;  // by first block: cancel records not reached yet
  std::set<uint64_t> suspects_;           // by place in bytes: written back at its LSN, with a wrong crc
  std::vector<ExtentFreeIntentItem*> intents_;
  Counts counts_;
};

}  // namespace daxlab::xfslike
