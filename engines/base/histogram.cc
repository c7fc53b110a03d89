#include "engines/base/histogram.h"

#include <algorithm>
#include <charconv>
#include <cmath>

namespace daxlab {

Histogram::Histogram() : bins_(bin_of(kLimit - 1) + 1) {}

void Histogram::merge(const Histogram& other) {
  for (size_t i = 0; i < bins_.size(); ++i) bins_[i] += other.bins_[i];
  count_ += other.count_;
  sum_ += other.sum_;
  max_ = std::max(max_, other.max_);
}

void Histogram::clear() {
  std::fill(bins_.begin(), bins_.end(), 0u);
  count_ = 0;
  sum_ = 0;
  max_ = 0;
}

double Histogram::mean() const { return count_ == 0 ? 0.0 : static_cast<double>(sum_) / static_cast<double>(count_); }

uint64_t Histogram::bin_floor(uint32_t bin) {
  if (bin < kLinear) return bin;
  const uint32_t shift = (bin >> kSubBits) - 1;
  return ((bin & ((1u << kSubBits) - 1)) + (uint64_t{1} << kSubBits)) << shift;
}

uint64_t Histogram::quantile(double fraction) const {
  if (count_ == 0) return 0;
  const double wanted = std::ceil(std::clamp(fraction, 0.0, 1.0) * static_cast<double>(count_));
  const uint64_t rank = std::max<uint64_t>(1, static_cast<uint64_t>(wanted));
  uint64_t seen = 0;
  for (uint32_t bin = 0; bin < bins_.size(); ++bin) {
    seen += bins_[bin];
    if (seen >= rank) return std::min(bin_floor(bin), max_);
  }
  return max_;
}

std::string Histogram::encode() const {
  std::string text;
  for (size_t bin = 0; bin < bins_.size(); ++bin) {
    if (bins_[bin] == 0) continue;
    if (!text.empty()) text += ',';
    text += std::to_string(bin) + ':' + std::to_string(bins_[bin]);
  }
  return text;
}

namespace {

/// Takes a number off the front of `text`; false when there is none.
template <typename T>
bool take_number(std::string_view& text, T& number) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{}) return false;
  text.remove_prefix(static_cast<size_t>(end - text.data()));
  return true;
}

bool take_char(std::string_view& text, char wanted) {
  if (text.empty() || text.front() != wanted) return false;
  text.remove_prefix(1);
  return true;
}

}  // namespace

Result<Histogram> Histogram::decode(std::string_view text) {
  Histogram histogram;
  const Error malformed(Errc::kInvalid, "not a histogram: ascending bin:count pairs, split by commas, are wanted");
  uint64_t next_bin = 0;
  while (!text.empty()) {
    uint32_t bin = 0;
    uint32_t bin_count = 0;
    if (histogram.count_ != 0 && !take_char(text, ',')) return malformed;
    if (!take_number(text, bin) || !take_char(text, ':') || !take_number(text, bin_count)) return malformed;
    if (bin < next_bin || bin >= histogram.bins_.size() || bin_count == 0) return malformed;
    next_bin = uint64_t{bin} + 1;
    histogram.bins_[bin] = bin_count;
    histogram.count_ += bin_count;
    histogram.sum_ += bin_floor(bin) * bin_count;
    histogram.max_ = bin_floor(bin);
  }
  return histogram;
}

}  // namespace daxlab
