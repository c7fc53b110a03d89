// The two implementations behind crc32c(), for its test and its benchmark. Both take and give the inverted register.
#pragma once

#include <cstddef>
#include <cstdint>

namespace daxlab::crc32c_internal {

bool has_instruction();  ///< CPUID: SSE4.2.
uint32_t by_instruction(const unsigned char* data, size_t size_bytes, uint32_t crc);
uint32_t by_table(const unsigned char* data, size_t size_bytes, uint32_t crc);

}  // namespace daxlab::crc32c_internal
