// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0

#include "apps/settee/latency_histogram.h"

#include <gtest/gtest.h>

#include <memory>
#include <random>
#include <vector>

namespace settee::cli {
namespace {

TEST(LatencyHistogramTest, IsEmptyAtFirst) {
  const auto histogram = std::make_unique<LatencyHistogram>();
  EXPECT_EQ(histogram->count(), 0u);
  EXPECT_EQ(histogram->max(), 0u);
  EXPECT_EQ(histogram->percentile(50), 0);
}

TEST(LatencyHistogramTest, SmallValuesAreExact) {
  const auto histogram = std::make_unique<LatencyHistogram>();
  for (std::uint64_t ns = 1; ns <= 100; ++ns) histogram->record(ns);
  EXPECT_EQ(histogram->percentile(50), 50);
  EXPECT_EQ(histogram->percentile(99), 99);
  EXPECT_EQ(histogram->percentile(0), 1);
  EXPECT_EQ(histogram->percentile(100), 100);
  EXPECT_EQ(histogram->max(), 100u);
}

TEST(LatencyHistogramTest, EveryMagnitudeIsWithinItsError) {
  for (std::uint64_t ns = 1; ns != 0 && ns < (std::uint64_t{1} << 62); ns = ns * 3 + 1) {
    const auto histogram = std::make_unique<LatencyHistogram>();
    histogram->record(ns);
    histogram->record(UINT64_MAX);  // so that max() does not cut the answer
    EXPECT_NEAR(histogram->percentile(50), static_cast<double>(ns), static_cast<double>(ns) * 0.004)
        << ns;
  }
}

TEST(LatencyHistogramTest, TheLargestValueHasARoom) {
  const auto histogram = std::make_unique<LatencyHistogram>();
  histogram->record(UINT64_MAX);
  histogram->record(0);
  EXPECT_EQ(histogram->max(), UINT64_MAX);
  EXPECT_EQ(histogram->percentile(50), 0);
  EXPECT_NEAR(histogram->percentile(100), 0x1p64, 0x1p57);
}

TEST(LatencyHistogramTest, AgreesWithSorting) {
  const auto histogram = std::make_unique<LatencyHistogram>();
  std::mt19937_64 random(7);  // the same every time
  std::lognormal_distribution<double> latencies(11, 1.5);
  std::vector<std::uint64_t> all(100'000);
  for (std::uint64_t& ns : all)
    histogram->record(ns = static_cast<std::uint64_t>(latencies(random)));
  std::sort(all.begin(), all.end());
  for (const double percent : {1.0, 50.0, 90.0, 99.0, 99.9, 99.99}) {
    const auto rank = static_cast<std::size_t>(static_cast<double>(all.size()) * percent / 100);
    const auto exact = static_cast<double>(all[rank - 1]);
    EXPECT_NEAR(histogram->percentile(percent), exact, exact * 0.004 + 1) << percent;
  }
}

}  // namespace
}  // namespace settee::cli
