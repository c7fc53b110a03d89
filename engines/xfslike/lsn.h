// A log sequence number: where in the log a checkpoint begins. The cycle counts the times that the log has wrapped, the block is
// in basic blocks of 512 bytes, so that numbers compare as the log was written (XFS: fs/xfs/libxfs/xfs_log_format.h).
#pragma once

#include <cstdint>

namespace daxlab::xfslike {

using Lsn = uint64_t;

inline constexpr Lsn kNoLsn = 0;  ///< Before every log position: cycles count from 1.
inline constexpr uint32_t kBasicBlockBytes = 512;

constexpr Lsn make_lsn(uint32_t cycle, uint32_t block) { return uint64_t{cycle} << 32 | block; }
constexpr uint32_t lsn_cycle(Lsn lsn) { return static_cast<uint32_t>(lsn >> 32); }
constexpr uint32_t lsn_block(Lsn lsn) { return static_cast<uint32_t>(lsn); }

}  // namespace daxlab::xfslike
