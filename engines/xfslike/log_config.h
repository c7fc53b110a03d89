// What a log is made of: the factors of the experiment that concern it.
#pragma once

#include <cstdint>

#include "engines/base/units.h"

namespace daxlab::xfslike {

enum class LogFormat : uint8_t {
  kV2,  ///< As XFS: a cycle number in every 512 bytes, the words it displaces in the record's header.
  kV3,  ///< "Version 3 log format" (D. Chinner, linux-xfs, 18 May 2020): no stamps, valid by checksum and sequence, of any size.
};

/// Leaves a part of the work out, to see what it costs. A log that was written so cannot be recovered: for tests and
/// benchmarks of the explanation, never for an engine's preset.
struct LogKnockOut {
  bool crc = false;
  bool stamps = false;
  bool copy = false;   ///< Nothing reaches the medium.
  bool flush = false;  ///< As copy, of what a placement stores and flushes instead of streaming.
  bool fence = false;
  bool ail = false;  ///< Completed items do not enter the AIL: nothing is written back and the tail follows the head.
};

struct LogConfig {
  static constexpr uint32_t kIclogsMin = 2, kIclogsMax = 8;
  static constexpr uint32_t kIclogBytesMin = 16 * kKiB, kIclogBytesMax = 256 * kKiB;  ///< v2; v3 has no upper bound of its own.
  static constexpr uint32_t kIclogBytesMaxV3 = 32 * kMiB;

  LogFormat format = LogFormat::kV2;
  uint32_t iclog_size_bytes = 32 * kKiB;  ///< A power of two.
  uint32_t iclogs = kIclogsMax;
  uint32_t lsunit_bytes = 512;  ///< Records are rounded up to it: 512, 4 KiB, 32 KiB.
  uint64_t uuid = 1;            ///< Of the file system: records of an earlier one are nobody's.

  bool background_threads = true;  ///< False: no thread at all; push, completion and AIL work run in the caller.
  bool push_worker = true;         ///< CIL pushes are handed to a worker; false: whoever wants one does it.
  bool completion_worker = true;   ///< What follows a record's write is handed to a worker; false: who wrote goes on with it.
  bool relog = true;               ///< False: an item logged again in a checkpoint is written again, not replaced (a control).
  LogKnockOut knock_out;

  bool push_by_worker() const { return background_threads && push_worker; }
  bool completion_by_worker() const { return background_threads && completion_worker; }
};

}  // namespace daxlab::xfslike
