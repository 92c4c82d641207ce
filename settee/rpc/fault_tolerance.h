// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0
//
// Fault tolerance: an address that fails much more often than the others of its service gets fewer calls,
// down to a floor, until it does better. SOFARPC's single-machine fault elimination, with its names and
// defaults; off unless enabled.
//
//   ClientOptions options;
//   options.fault_tolerance.regulation_effective = true;
//   options.fault_tolerance.degrade_effective = true;
//
// At the end of each time window, of each service: the failures (no answer in time, connection lost,
// busy, the provider's own trouble; not business exceptions) divided by the calls, for each address that
// had enough calls. Whose rate is `least_window_exception_rate_multiple` times the average of all is
// abnormal: its weight is multiplied by `weight_degrade_rate`. A degraded address that is not abnormal
// gets its weight multiplied by `weight_recover_rate`, up to what it was.
//
// With n addresses no rate is more than n times the average: with fewer than six, the default multiple
// of 6 never finds one. Set it to less than the number of addresses.
//
// Each decision is published as a ProviderRegulated (settee/rpc/events.h), with its reason, and logged.

#pragma once

#include <chrono>
#include <cstdint>
#include <string>

namespace settee::inline v0::rpc {

struct FaultTolerance {
  bool regulation_effective = false;  ///< Measure at all.
  bool degrade_effective = false;     ///< Change weights; else decisions are only told.
  std::chrono::seconds time_window{10};
  std::int64_t least_window_count = 10;  ///< Calls in a window, of an address of full weight.
  double least_window_exception_rate_multiple = 6.0;
  double weight_degrade_rate = 0.05;
  int degrade_least_weight = 1;
  double weight_recover_rate = 2.0;
  int degrade_max_ip_count = 2;  ///< No more addresses of a service are degraded at a time.
};

/// Takes an address out that fails again and again, for a while. It is called all the same when there
/// is no other. Each decision is a ProviderEjected. Off unless enabled.
struct OutlierEjection {
  bool enabled = false;
  int consecutive_failures = 5;  ///< As fault tolerance counts failures.
  std::chrono::milliseconds base_time{
      30'000};  ///< The first time; then twice, three times as long,
  std::chrono::milliseconds most_time{300'000};  ///< up to this.
  int most_percent = 50;                         ///< No more of the addresses are out at a time.
};

/// Lets no call of a method through to an address that fails too many of them, so that its callers
/// do not wait and it can recover: open for `open_time`, then half open for `trial_calls`; if they
/// succeed it is closed, else open again. With no address left the call ends at once (kNoProvider).
/// Each change is a BreakerChanged. Off unless enabled.
struct CircuitBreaker {
  bool enabled = false;
  std::chrono::milliseconds window{10'000};
  int least_calls = 20;       ///< In the window, of a method at an address; fewer decide nothing.
  double failure_rate = 0.5;  ///< As fault tolerance counts failures.
  std::chrono::milliseconds slow_call{0};  ///< A call that takes longer is a failure. 0: none is.
  std::chrono::milliseconds open_time{5'000};
  int trial_calls = 3;
};

}  // namespace settee::inline v0::rpc
