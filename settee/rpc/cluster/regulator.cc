// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0

#include "settee/rpc/cluster/internal/regulator.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace settee::inline v0::rpc::cluster {

namespace {

// Windows without a call after which a degraded address gets another chance: SOFARPC never gives one to
// an address whose weight is so small that nobody calls it.
constexpr int kIdleWindows = 7;

// Java divides to two decimals, half up.
double two_decimals(double value) { return std::floor(value * 100 + 0.5) / 100; }

bool degraded(const Measure& measure) { return measure.weight < measure.base_weight; }

// Calls without which nothing is said of an address; an address of less weight gets fewer.
std::int64_t least_calls(const FaultTolerance& options, const Measure& measure) {
  if (measure.base_weight == 0) return options.least_window_count;
  return std::max<std::int64_t>(1,
                                options.least_window_count * measure.weight / measure.base_weight);
}

}  // namespace

std::vector<Decision> regulate(const FaultTolerance& options, std::span<const Measure> measures) {
  std::vector<Decision> decisions;
  std::int64_t calls = 0;
  std::int64_t failures = 0;
  std::ptrdiff_t already = 0;
  for (const Measure& measure : measures) {
    if (degraded(measure) && !measure.warming_up) ++already;
    if (measure.calls == 0 || measure.calls < least_calls(options, measure)) continue;
    calls += measure.calls;
    failures += measure.failures;
  }
  const double average =
      calls == 0 ? 0 : two_decimals(static_cast<double>(failures) / static_cast<double>(calls));

  const auto recover = [&](std::size_t index, std::string reason) {
    const Measure& measure = measures[index];
    const double grown = std::ceil(measure.weight * options.weight_recover_rate);
    const int weight = static_cast<int>(std::min<double>(grown, measure.base_weight));
    decisions.push_back({index, std::max(weight, measure.weight), std::move(reason)});
  };
  for (std::size_t i = 0; i < measures.size(); ++i) {
    const Measure& measure = measures[i];
    if (measure.warming_up) continue;
    if (measure.calls == 0 || measure.calls < least_calls(options, measure)) {
      if (degraded(measure) && measure.calls == 0 && measure.idle_windows >= kIdleWindows) {
        recover(i,
                fmt::format("no call in {} windows: it gets another chance", measure.idle_windows));
      }
      continue;
    }
    const double rate =
        two_decimals(static_cast<double>(measure.failures) / static_cast<double>(measure.calls));
    const double multiple = average == 0 ? 0 : two_decimals(rate / average);
    if (multiple >= options.least_window_exception_rate_multiple) {
      if (!degraded(measure) && already >= options.degrade_max_ip_count) continue;
      const int weight = std::max(options.degrade_least_weight,
                                  static_cast<int>(measure.weight * options.weight_degrade_rate));
      if (weight >= measure.weight) continue;  // at the floor already
      if (!degraded(measure)) ++already;
      decisions.push_back({i, weight,
                           fmt::format("{} of {} calls failed, {} times the average of {}",
                                       measure.failures, measure.calls, multiple, average)});
    } else if (degraded(measure)) {
      recover(i, fmt::format("{} of {} calls failed, {} times the average of {}: not abnormal",
                             measure.failures, measure.calls, multiple, average));
    }
  }
  return decisions;
}

}  // namespace settee::inline v0::rpc::cluster
