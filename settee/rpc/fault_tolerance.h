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
// Each decision is published as a ProviderRegulated, with its reason, and logged.

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

/// Event: the weight of an address has been changed, or would have been.
struct ProviderRegulated {
  std::string service;
  std::string address;
  int weight_before = 0;
  int weight = 0;
  bool effective = false;  ///< Else it was only told.
  std::string reason;
};

}  // namespace settee::inline v0::rpc
