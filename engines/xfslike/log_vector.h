// A private copy of an item's changes, as the log will hold them: regions, each behind its op header (XFS: xfs_log_vec).
//
// Allocated by the committing transaction before it enters the CIL, where nobody may wait for memory; filled by the item's
// format(); owned by the item as its shadow, or by the checkpoint that it is part of.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

#include "engines/xfslike/log_item.h"
#include "engines/xfslike/record_format.h"

namespace daxlab::xfslike {

using LogVectorPtr = std::unique_ptr<LogVector, LogVectorDeleter>;

/// One op: its header and its bytes, contiguous.
struct LogPiece {
  std::byte* header;
  uint32_t size_bytes;  ///< The header included; a multiple of 4.
};

struct LogVector {
  LogItem* item = nullptr;
  LogVector* before = nullptr;  // in its checkpoint, by the order of the last commit of each item
  LogVector* behind = nullptr;
  LogPiece* pieces = nullptr;
  std::byte* buffer = nullptr;
  uint32_t pieces_max = 0;
  uint32_t piece_count = 0;
  uint32_t capacity_bytes = 0;
  uint32_t used_bytes = 0;
  uint32_t log_bytes = 0;  ///< Sum of the pieces.

  /// One allocation that holds `size`.
  static LogVectorPtr make(LogItem::Size size);
  bool holds(LogItem::Size size) const;
  std::span<const LogPiece> all() const { return {pieces, piece_count}; }

  /// Forgets what it holds and lets `from` format itself into it.
  void format(const LogItem& from);
};

}  // namespace daxlab::xfslike
