// CRC-32C (Castagnoli, reflected polynomial 0x82f63b78, RFC 3720), by the SSE4.2 instruction where the CPU has it.
#pragma once

#include <cstddef>
#include <cstdint>

namespace daxlab {

/// `seed` is a previous result, so that a checksum may be taken in parts; 0 to begin. Thread-safe.
uint32_t crc32c(const void* data, size_t size_bytes, uint32_t seed = 0);

}  // namespace daxlab
