#include "engines/base/histogram.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "engines/base/random.h"

namespace daxlab {
namespace {

/// Values of all magnitudes.
std::vector<uint64_t> random_values(size_t count, uint64_t seed) {
  Random random(seed);
  std::vector<uint64_t> values;
  for (size_t i = 0; i < count; ++i) values.push_back(random.next() >> (25 + random.below(39)));
  return values;
}

Histogram of(const std::vector<uint64_t>& values) {
  Histogram histogram;
  for (const uint64_t value : values) histogram.record(value);
  return histogram;
}

TEST(Histogram, SmallValuesAreExact) {
  for (uint64_t value = 0; value < 2048; ++value) {
    EXPECT_EQ(Histogram::bin_of(value), value);
    EXPECT_EQ(Histogram::bin_floor(static_cast<uint32_t>(value)), value);
  }
}

TEST(Histogram, BinsAreInOrderWithoutGapsAndAtMostAThousandthWide) {
  uint32_t bin = 0;
  uint64_t floor = 0;
  while (floor < uint64_t{1} << 39) {
    const uint64_t next = Histogram::bin_floor(bin + 1);
    ASSERT_GT(next, floor);
    ASSERT_EQ(Histogram::bin_of(floor), bin);
    ASSERT_EQ(Histogram::bin_of(next - 1), bin);
    ASSERT_TRUE(next - floor == 1 || (next - floor) * 1000 <= floor) << floor;
    floor = next;
    ++bin;
  }
}

TEST(Histogram, ValuesAboveTheLimitFallIntoTheLastBin) {
  Histogram histogram;
  histogram.record(UINT64_MAX);
  histogram.record(uint64_t{1} << 41);
  EXPECT_EQ(histogram.count(), 2u);
  EXPECT_EQ(histogram.max(), UINT64_MAX);
  EXPECT_GE(histogram.quantile(1.0), (uint64_t{1} << 40) - (uint64_t{1} << 30));
}

TEST(Histogram, QuantilesAgreeWithASortedVectorToThreeDigits) {
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    std::vector<uint64_t> values = random_values(1 + 500 * seed, seed);
    const Histogram histogram = of(values);
    std::sort(values.begin(), values.end());
    for (const double fraction : {0.0, 0.001, 0.25, 0.5, 0.9, 0.99, 0.999, 1.0}) {
      const double wanted_rank = std::ceil(fraction * static_cast<double>(values.size()));
      const size_t rank = std::max<size_t>(1, static_cast<size_t>(wanted_rank));
      const auto exact = static_cast<double>(values[rank - 1]);
      const auto got = static_cast<double>(histogram.quantile(fraction));
      EXPECT_LE(got, exact);
      EXPECT_GE(got, exact * 0.999) << fraction << " of " << values.size();
    }
  }
}

TEST(Histogram, AnEmptyOneHasNoQuantiles) {
  const Histogram empty;
  EXPECT_EQ(empty.quantile(0.5), 0u);
  EXPECT_EQ(empty.mean(), 0.0);
  EXPECT_EQ(empty.encode(), "");
  EXPECT_EQ(Histogram::decode("").value().count(), 0u);
}

TEST(Histogram, MergingEqualsRecordingEverythingInOne) {
  const auto first = random_values(5000, 1);
  const auto second = random_values(3000, 2);
  Histogram merged = of(first);
  merged.merge(of(second));
  auto all = first;
  all.insert(all.end(), second.begin(), second.end());
  const Histogram whole = of(all);
  EXPECT_EQ(merged.encode(), whole.encode());
  EXPECT_EQ(merged.count(), whole.count());
  EXPECT_EQ(merged.max(), whole.max());
  EXPECT_DOUBLE_EQ(merged.mean(), whole.mean());
}

TEST(Histogram, MeanIsExact) {
  const auto values = random_values(1000, 4);
  double sum = 0;
  for (const uint64_t value : values) sum += static_cast<double>(value);
  EXPECT_NEAR(of(values).mean(), sum / 1000, sum / 1000 * 1e-9);
}

TEST(Histogram, DecodingGivesBackEveryBin) {
  const Histogram histogram = of(random_values(10000, 9));
  const Histogram decoded = Histogram::decode(histogram.encode()).value();
  EXPECT_EQ(decoded.encode(), histogram.encode());
  EXPECT_EQ(decoded.count(), histogram.count());
  for (const double fraction : {0.1, 0.5, 0.99}) EXPECT_EQ(decoded.quantile(fraction), histogram.quantile(fraction));
}

TEST(Histogram, MalformedTextIsRefused) {
  for (const char* text : {"1", "1:", ":1", "1:1,", ",1:1", "1:1;2:1", "2:1,1:1", "1:1,1:1", "1:0", "-1:1", "1:-1", "99999999:1",
                           "1:1 ", "a:b", "1:99999999999"}) {
    EXPECT_FALSE(Histogram::decode(text).ok()) << text;
  }
}

TEST(Histogram, ClearForgetsEverything) {
  Histogram histogram = of(random_values(100, 3));
  histogram.clear();
  EXPECT_EQ(histogram.count(), 0u);
  EXPECT_EQ(histogram.max(), 0u);
  EXPECT_EQ(histogram.encode(), "");
}

}  // namespace
}  // namespace daxlab
