#include "engines/base/crc32c.h"

#include <array>
#include <cstring>

#include "engines/base/crc32c_internal.h"

#if defined(__x86_64__)
#include <nmmintrin.h>
#endif

namespace daxlab {

namespace crc32c_internal {

namespace {

constexpr uint32_t kPolynomial = 0x82f63b78;  // reflected

/// Eight tables: a word of eight bytes per step ("slicing by 8", Kounavis and Berry, ISCC 2005).
using Tables = std::array<std::array<uint32_t, 256>, 8>;

constexpr Tables make_tables() {
  Tables tables{};
  for (uint32_t byte = 0; byte < 256; ++byte) {
    uint32_t crc = byte;
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ ((crc & 1) != 0 ? kPolynomial : 0);
    tables[0][byte] = crc;
  }
  for (size_t slice = 1; slice < 8; ++slice) {
    for (size_t byte = 0; byte < 256; ++byte) {
      const uint32_t crc = tables[slice - 1][byte];
      tables[slice][byte] = (crc >> 8) ^ tables[0][crc & 0xff];
    }
  }
  return tables;
}

constexpr Tables kTables = make_tables();

uint64_t load_word(const unsigned char* from) {
  uint64_t word;
  std::memcpy(&word, from, sizeof word);
  return word;
}

}  // namespace

uint32_t by_table(const unsigned char* data, size_t size_bytes, uint32_t crc) {
  for (; size_bytes >= 8; data += 8, size_bytes -= 8) {
    const uint64_t word = load_word(data) ^ crc;
    crc = 0;
    for (size_t i = 0; i < 8; ++i) crc ^= kTables[7 - i][(word >> (8 * i)) & 0xff];
  }
  for (; size_bytes > 0; ++data, --size_bytes) crc = (crc >> 8) ^ kTables[0][(crc ^ *data) & 0xff];
  return crc;
}

#if defined(__x86_64__)

namespace {

/// Bytes of each of the three streams that run side by side: the instruction has a latency of three cycles and a throughput of
/// one.
constexpr size_t kStreamBytes = 256;

/// What `zeros` zero bytes do to a CRC, as four tables of one byte each: the operator is linear over GF(2).
using ZeroOperator = std::array<std::array<uint32_t, 256>, 4>;

constexpr uint32_t append_zero_byte(uint32_t crc) {
  for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ ((crc & 1) != 0 ? kPolynomial : 0);
  return crc;
}

ZeroOperator make_zero_operator(size_t zeros) {
  std::array<uint32_t, 32> of_bit{};
  for (size_t bit = 0; bit < 32; ++bit) {
    uint32_t crc = 1u << bit;
    for (size_t i = 0; i < zeros; ++i) crc = append_zero_byte(crc);
    of_bit[bit] = crc;
  }
  ZeroOperator tables{};
  for (size_t byte = 0; byte < 4; ++byte) {
    for (size_t value = 0; value < 256; ++value) {
      for (size_t bit = 0; bit < 8; ++bit) {
        if ((value >> bit & 1) != 0) tables[byte][value] ^= of_bit[8 * byte + bit];
      }
    }
  }
  return tables;
}

uint32_t apply(const ZeroOperator& tables, uint32_t crc) {
  return tables[0][crc & 0xff] ^ tables[1][(crc >> 8) & 0xff] ^ tables[2][(crc >> 16) & 0xff] ^ tables[3][crc >> 24];
}

}  // namespace

__attribute__((target("sse4.2"))) uint32_t by_instruction(const unsigned char* data, size_t size_bytes, uint32_t crc) {
  uint64_t a = crc;
  if (size_bytes >= 3 * kStreamBytes) {
    static const ZeroOperator kShift1 = make_zero_operator(kStreamBytes);
    static const ZeroOperator kShift2 = make_zero_operator(2 * kStreamBytes);
    for (; size_bytes >= 3 * kStreamBytes; data += 3 * kStreamBytes, size_bytes -= 3 * kStreamBytes) {
      uint64_t b = 0;
      uint64_t c = 0;
      for (size_t i = 0; i < kStreamBytes; i += 8) {
        a = _mm_crc32_u64(a, load_word(data + i));
        b = _mm_crc32_u64(b, load_word(data + kStreamBytes + i));
        c = _mm_crc32_u64(c, load_word(data + 2 * kStreamBytes + i));
      }
      a = apply(kShift2, static_cast<uint32_t>(a)) ^ apply(kShift1, static_cast<uint32_t>(b)) ^ static_cast<uint32_t>(c);
    }
  }
  for (; size_bytes >= 8; data += 8, size_bytes -= 8) a = _mm_crc32_u64(a, load_word(data));
  auto result = static_cast<uint32_t>(a);
  for (; size_bytes > 0; ++data, --size_bytes) result = _mm_crc32_u8(result, *data);
  return result;
}

bool has_instruction() { return __builtin_cpu_supports("sse4.2") != 0; }

#else

uint32_t by_instruction(const unsigned char* data, size_t size_bytes, uint32_t crc) { return by_table(data, size_bytes, crc); }
bool has_instruction() { return false; }

#endif

}  // namespace crc32c_internal

uint32_t crc32c(const void* data, size_t size_bytes, uint32_t seed) {
  static const bool by_cpu = crc32c_internal::has_instruction();
  const auto* bytes = static_cast<const unsigned char*>(data);
  const uint32_t crc =
      by_cpu ? crc32c_internal::by_instruction(bytes, size_bytes, ~seed) : crc32c_internal::by_table(bytes, size_bytes, ~seed);
  return ~crc;
}

}  // namespace daxlab
