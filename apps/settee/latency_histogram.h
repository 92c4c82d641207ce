// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0
//
// LatencyHistogram: counts nanoseconds in log-linear buckets, as HDR histograms do: 128 steps to
// each power of two, so that a percentile is within 0.4 % of what was recorded. All its memory (58
// KiB) is part of it.
//
// Threads: belongs to one.

#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>

namespace settee::cli {

class LatencyHistogram {
 public:
  void record(std::uint64_t ns) noexcept {
    ++counts_[bucket_of(ns)];
    ++count_;
    if (ns > max_) max_ = ns;
  }

  std::uint64_t count() const noexcept { return count_; }
  /// Exact. 0 if nothing was recorded.
  std::uint64_t max() const noexcept { return max_; }

  /// The value that `percent` of all recorded ones do not exceed: the middle of its bucket, never
  /// more than max(). 0 if nothing was recorded.
  double percentile(double percent) const noexcept {
    if (count_ == 0) return 0;
    const auto rank = static_cast<std::uint64_t>(
        std::ceil(static_cast<double>(count_) * std::clamp(percent, 0.0, 100.0) / 100));
    const std::uint64_t wanted = std::clamp<std::uint64_t>(rank, 1, count_);
    std::uint64_t seen = 0;
    std::size_t bucket = 0;
    for (; bucket + 1 < counts_.size(); ++bucket) {
      seen += counts_[bucket];
      if (seen >= wanted) break;
    }
    return std::min(middle_of(bucket), static_cast<double>(max_));
  }

 private:
  static constexpr int kStepBits = 7;
  static constexpr std::size_t kSteps = std::size_t{1} << kStepBits;

  // Values below 2 * kSteps have a bucket each; from there on every power of two has kSteps of
  // them.
  static int shift_of(std::uint64_t ns) noexcept {
    return std::max(0, static_cast<int>(std::bit_width(ns)) - kStepBits - 1);
  }
  static std::size_t bucket_of(std::uint64_t ns) noexcept {
    const int shift = shift_of(ns);
    return static_cast<std::size_t>(shift) * kSteps + static_cast<std::size_t>(ns >> shift);
  }
  static double middle_of(std::size_t bucket) noexcept {
    if (bucket < 2 * kSteps) return static_cast<double>(bucket);
    const auto shift = static_cast<int>(bucket / kSteps) - 1;
    const double width = std::ldexp(1.0, shift);
    return static_cast<double>(bucket - static_cast<std::size_t>(shift) * kSteps) * width +
           width / 2;
  }

  std::array<std::uint64_t, (64 - kStepBits + 1) * kSteps> counts_{};
  std::uint64_t count_ = 0;
  std::uint64_t max_ = 0;
};

}  // namespace settee::cli
