// Dquots as they lie on the medium: sealing, checking, storing, and a block of unused ones.
#pragma once

#include <cstddef>
#include <cstdint>

#include "engines/base/result.h"
#include "engines/xfslike/format.h"

namespace daxlab::xfslike {

constexpr uint32_t dquot_offset(uint32_t id) { return id % kDquotsPerBlock * static_cast<uint32_t>(sizeof(DquotDisk)); }
/// crc32c of the dquot with its crc field 0.
uint32_t dquot_crc(DquotDisk dquot);
Result<void> verify_dquot(const DquotDisk& dquot, uint32_t kind, uint32_t id, const Uuid& uuid);
/// Stores a sealed dquot: all but its first 16 bytes, flushed; fence; magic and crc, then the LSN, flushed; fence.
void store_dquot(std::byte* to, const DquotDisk& dquot);
/// Stores a block of dquots without usage for ids from `first`; the caller fences.
void write_dquot_block(std::byte* address, uint32_t kind, uint64_t first, const Uuid& uuid);

}  // namespace daxlab::xfslike
