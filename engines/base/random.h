// One seeded generator per thread (xoshiro256**, Blackman and Vigna 2018, seeded by splitmix64). Not thread-safe.
#pragma once

#include <array>
#include <cstdint>

namespace daxlab {

class Random {
 public:
  explicit Random(uint64_t seed) {
    for (auto& word : state_) word = splitmix(seed);
  }

  uint64_t next() {
    const uint64_t result = rotate(state_[1] * 5, 7) * 9;
    const uint64_t t = state_[1] << 17;
    state_[2] ^= state_[0];
    state_[3] ^= state_[1];
    state_[1] ^= state_[2];
    state_[0] ^= state_[3];
    state_[2] ^= t;
    state_[3] = rotate(state_[3], 45);
    return result;
  }

  /// Uniform in [0, bound), bound > 0, by Lemire's multiplication (bias below 2^-32 for bounds below 2^32).
  uint64_t below(uint64_t bound) { return static_cast<uint64_t>((static_cast<Wide>(next()) * bound) >> 64); }

  /// Mixes a seed with a stream number, so that threads and repetitions draw unrelated sequences.
  static uint64_t mix(uint64_t seed, uint64_t stream) {
    uint64_t state = seed ^ (stream * 0x9e3779b97f4a7c15u);
    return splitmix(state);
  }

 private:
  __extension__ using Wide = unsigned __int128;
  static uint64_t rotate(uint64_t x, int k) { return (x << k) | (x >> (64 - k)); }
  static uint64_t splitmix(uint64_t& state) {
    uint64_t z = (state += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
  }
  std::array<uint64_t, 4> state_{};
};

}  // namespace daxlab
