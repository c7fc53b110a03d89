#include "engines/base/crc32c_combine.h"

#include <array>
#include <cstddef>

#include "engines/base/crc32c_internal.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace daxlab {

namespace crc32c_internal {

namespace {

constexpr uint32_t kPolynomial = 0x82f63b78;  // reflected
constexpr uint32_t kOne = 0x80000000;         // x to the 0th, reflected

constexpr uint32_t product(uint32_t a, uint32_t b) {
  uint32_t sum = 0;
  for (uint32_t bit = kOne; bit != 0; bit >>= 1) {
    if ((a & bit) != 0) sum ^= b;
    b = (b >> 1) ^ ((b & 1) != 0 ? kPolynomial : 0);
  }
  return sum;
}

}  // namespace

uint32_t multiply_by_shifts(uint32_t a, uint32_t b) { return product(a, b); }

#if defined(__x86_64__)
// The product of 63 bits, moved up by one as reflected operands want it, is reduced by the CRC instruction: its low half goes
// through 32 more zero bits, which is what crc32 of it from 0 does (as folly's gf_multiply_crc32c_hw()).
__attribute__((target("sse4.2,pclmul"))) uint32_t multiply_by_instruction(uint32_t a, uint32_t b) {
  const __m128i wide = _mm_clmulepi64_si128(_mm_cvtsi64_si128(a), _mm_cvtsi64_si128(b), 0);
  const auto moved = static_cast<uint64_t>(_mm_cvtsi128_si64(wide)) << 1;
  return _mm_crc32_u32(0, static_cast<uint32_t>(moved)) ^ static_cast<uint32_t>(moved >> 32);
}
#else
uint32_t multiply_by_instruction(uint32_t a, uint32_t b) { return product(a, b); }
#endif

namespace {

/// x to the 8 * v * 256^d, for each digit d of a number of bytes in base 256.
struct Powers {
  std::array<std::array<uint32_t, 256>, 4> of{};
  bool by_cpu = false;

  Powers() {
#if defined(__x86_64__)
    by_cpu = has_instruction() && __builtin_cpu_supports("pclmul") != 0;
#endif
    uint32_t step = kOne >> 8;  // one byte
    for (auto& digit : of) {
      digit[0] = kOne;
      for (size_t v = 1; v < digit.size(); ++v) digit[v] = product(digit[v - 1], step);
      step = product(digit[255], step);
    }
  }
  uint32_t multiply(uint32_t a, uint32_t b) const { return by_cpu ? multiply_by_instruction(a, b) : product(a, b); }
  /// `crc` as it is behind that many bytes.
  uint32_t shift(uint32_t crc, uint32_t size_bytes) const {
    for (size_t d = 0; size_bytes != 0; ++d, size_bytes >>= 8) {
      if ((size_bytes & 0xff) != 0) crc = multiply(of[d][size_bytes & 0xff], crc);
    }
    return crc;
  }
};

const Powers& powers() {
  static const Powers kPowers;
  return kPowers;
}

}  // namespace

}  // namespace crc32c_internal

uint32_t crc32c_combine(uint32_t first, uint32_t second, uint32_t second_bytes) {
  return crc32c_internal::powers().shift(first, second_bytes) ^ second;
}

uint32_t crc32c_patch(uint32_t was, uint32_t now, uint32_t behind_bytes) {
  // A word is the register before its own four bytes have gone through.
  return crc32c_internal::powers().shift(was ^ now, behind_bytes + 4);
}

}  // namespace daxlab
