// Where the log ends and where replay must begin, found from the medium alone.
//
// format=v2 (XFS: xlog_find_head(), xlog_verify_head(), xlog_verify_tail(), xlog_clear_stale_blocks()). The cycle in every block
// falls by one where the head is: a binary search. Up to 8 iclogs may have been in flight, so blocks of the old cycle are looked
// for in the window before it, and the last 8 records must sum up: the first that does not is torn, and the log ends before it.
// Records behind the tail that were being overwritten are stepped over. What is of the head's cycle behind the head is set back
// to the cycle before, lest a later search take it for written.
//
// format=v3. The chain of records is followed from the anchor (recovery_anchor.h) to the first that is not whole or not the next
// in sequence. What was torn off cannot return: it has a lower epoch than whatever is written before it. A whole record further
// away than could be in flight means that the chain was damaged, not cut.
#pragma once

#include <cstdint>

#include "engines/xfslike/log.h"
#include "engines/xfslike/recovery_anchor.h"
#include "engines/xfslike/recovery_reader.h"

namespace daxlab::xfslike {

struct LogEnds {
  RecordInfo last;  ///< The last whole record.
  Lsn head = kNoLsn;
  Lsn tail = kNoLsn;
  bool clean = false;  ///< `last` is an unmount record.
  uint64_t torn_records = 0;
  Anchor anchor;       ///< v3.
  uint32_t epoch = 0;  ///< v3: the highest yet.
};

/// Stores nothing, but for v2 what stale blocks are set back to; that is durable when it returns, and a crash before leaves the
/// same ends to be found again.
Result<LogEnds> find_log_ends(LogPlacement& placement, const LogGeometry& geometry);

namespace detail {
Result<LogEnds> find_log_ends_v2(LogPlacement& placement, const LogGeometry& geometry);
Result<LogEnds> find_log_ends_v3(LogPlacement& placement, const LogGeometry& geometry);
bool is_unmount_record(const RecordInfo& info, std::span<const std::byte> payload);
Error log_damaged(const char* what, uint32_t block);
}  // namespace detail

}  // namespace daxlab::xfslike
