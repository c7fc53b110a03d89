// A mergeable log-linear histogram of non-negative integers with three significant digits (as HdrHistogram).
//
// Values below 2048 are exact; above, each power of two has 1024 equal bins, so a bin is at most 0.1 % wide. record() is a shift,
// an add and no allocation. One owner; merge after the owners are done.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "engines/base/result.h"

namespace daxlab {

class Histogram {
 public:
  Histogram();

  void record(uint64_t value) {
    const uint32_t bin = bin_of(value);
    ++bins_[bin];
    ++count_;
    sum_ += value;
    if (value > max_) max_ = value;
  }
  void merge(const Histogram& other);
  void clear();

  uint64_t count() const { return count_; }
  uint64_t max() const { return max_; }
  double mean() const;
  /// The smallest recorded value v such that at least `fraction` of all values are <= v, to bin precision; 0 when empty.
  uint64_t quantile(double fraction) const;

  /// "bin:count,bin:count,..." in ascending order, the form of `latency_ns.histogram` in records; decode() is its inverse.
  std::string encode() const;
  static Result<Histogram> decode(std::string_view text);

  static uint32_t bin_of(uint64_t value) {
    if (value < kLinear) return static_cast<uint32_t>(value);
    if (value >= kLimit) value = kLimit - 1;
    const uint32_t exponent = 63u - static_cast<uint32_t>(__builtin_clzll(value));
    return ((exponent - kSubBits) << kSubBits) + static_cast<uint32_t>(value >> (exponent - kSubBits));
  }
  /// The smallest value that falls into `bin`.
  static uint64_t bin_floor(uint32_t bin);

 private:
  static constexpr uint32_t kSubBits = 10;
  static constexpr uint64_t kLinear = uint64_t{2} << kSubBits;
  static constexpr uint64_t kLimit = uint64_t{1} << 40;  // 18 minutes in ns; larger values count as this
  std::vector<uint32_t> bins_;
  uint64_t count_ = 0;
  uint64_t sum_ = 0;
  uint64_t max_ = 0;
};

}  // namespace daxlab
