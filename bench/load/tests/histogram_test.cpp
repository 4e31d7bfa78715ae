// Goal: a quantile is never below the true one and at most 1% above it, from nanoseconds to hours.
#include "histogram.hpp"

#include <algorithm>
#include <cmath>
#include <vector>

#include <gtest/gtest.h>

#include <sluice/base/rng.hpp>

namespace sluice::load {
namespace {

using namespace std::chrono_literals;
using std::chrono::nanoseconds;

TEST(LoadHistogram, EmptyIsAllZeros) {
  const Histogram histogram;
  EXPECT_EQ(histogram.count(), 0U);
  EXPECT_EQ(histogram.max(), 0ns);
  EXPECT_EQ(histogram.mean(), 0ns);
  EXPECT_EQ(histogram.quantile(0.99), 0ns);
}

TEST(LoadHistogram, ASingleValueIsEveryQuantile) {
  for (const nanoseconds value :
       {0ns, 1ns, 255ns, 256ns, 257ns, 123'456'789ns, nanoseconds::max()}) {
    Histogram histogram;
    histogram.record(value);
    for (const double share : {0.0, 0.5, 1.0}) {
      EXPECT_EQ(histogram.quantile(share), value) << share;
    }
    EXPECT_EQ(histogram.max(), value);
  }
}

TEST(LoadHistogram, ANegativeValueCountsAsZero) {
  Histogram histogram;
  histogram.record(-5ns);
  EXPECT_EQ(histogram.count(), 1U);
  EXPECT_EQ(histogram.max(), 0ns);
}

TEST(LoadHistogram, QuantilesAreWithinOnePercentOfTheSortedValues) {
  Rng rng(7);
  Histogram histogram;
  std::vector<std::int64_t> values;
  for (int i = 0; i < 50'000; ++i) {
    // Every magnitude is as likely as any other.
    const std::uint64_t value = rng() >> (20 + rng.below(43));
    values.push_back(static_cast<std::int64_t>(value));
    histogram.record(nanoseconds(values.back()));
  }
  std::ranges::sort(values);
  for (const double share : {0.001, 0.1, 0.5, 0.9, 0.99, 0.999, 0.9999, 1.0}) {
    const auto rank = static_cast<std::size_t>(std::ceil(share * 50'000.0));
    const auto truth = static_cast<double>(values[rank - 1]);
    const auto told = static_cast<double>(histogram.quantile(share).count());
    EXPECT_GE(told, truth) << share;
    EXPECT_LE(told, truth * 1.01) << share;
  }
  EXPECT_EQ(histogram.max().count(), values.back());
}

TEST(LoadHistogram, MergingIsRecordingIntoOne) {
  Rng rng(8);
  Histogram whole;
  Histogram parts[2];
  for (int i = 0; i < 10'000; ++i) {
    const nanoseconds value(static_cast<std::int64_t>(rng.below(1'000'000'000)));
    whole.record(value);
    parts[i % 2].record(value);
  }
  parts[0].merge(parts[1]);
  EXPECT_EQ(parts[0].count(), whole.count());
  EXPECT_EQ(parts[0].max(), whole.max());
  EXPECT_EQ(parts[0].mean(), whole.mean());
  for (const double share : {0.5, 0.99, 0.9999}) {
    EXPECT_EQ(parts[0].quantile(share), whole.quantile(share));
  }
}

}  // namespace
}  // namespace sluice::load
