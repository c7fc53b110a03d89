// What a mount does with a log: finds its ends, goes through it twice, hands over intents (XFS: xlog_recover()).
//
// Pass 1 tells the sink every committed item, so that it knows the cancelled buffers; pass 2 replays. Recovery stores nothing in
// the log but what is said in recovery_head.h, so it may be cut and repeated anywhere.
#pragma once

#include <cstdint>
#include <map>
#include <utility>
#include <vector>

#include "engines/xfslike/iclog_ring.h"
#include "engines/xfslike/log.h"
#include "engines/xfslike/recovery_head.h"
#include "engines/xfslike/recovery_sink.h"

namespace daxlab::xfslike {

struct RecoveredLog {
  Log::Recovered summary;
  RingStart start;
  Lsn last_record = kNoLsn;  ///< Its LSN.
  Lsn tail = kNoLsn;         ///< Of what the log still holds: the last record, or the first intent.
  bool same_window = true;   ///< The last record was written with as many iclogs of the same size.
  uint64_t next_sequence = 1;
  Anchor anchor;
};

class Recovery {
 public:
  Recovery(LogPlacement& placement, const LogGeometry& geometry, ReplaySink& sink)
      : placement_(placement), geometry_(geometry), sink_(sink), reader_(placement, geometry) {}

  Result<void> run();
  const RecoveredLog& found() const { return found_; }
  /// What the AIL shall hold, and where.
  const std::vector<std::pair<LogItem*, Lsn>>& intents() const { return intents_; }

 private:
  enum class Pass : uint8_t { kNote, kReplay };
  Result<void> pass(const LogEnds& ends, Pass which);
  Result<void> take(std::span<const RecoveredItem> items, Lsn start, Pass which);
  Result<void> take_intent_or_done(const RecoveredItem& item, Lsn start);
  Result<void> hand_over_intents();

  /// An intent whose done has not been seen: a copy, as records go by.
  struct Pending {
    Lsn start;
    std::vector<std::vector<uint64_t>> regions;  // of 8-byte words, for their alignment
    std::vector<size_t> sizes_bytes;
  };

  LogPlacement& placement_;
  const LogGeometry geometry_;
  ReplaySink& sink_;
  RecordReader reader_;
  RecoveredLog found_;
  std::map<uint64_t, Pending> pending_;  // by number: in the order in which they were given out
  std::vector<std::pair<LogItem*, Lsn>> intents_;
};

}  // namespace daxlab::xfslike
