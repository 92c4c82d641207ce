// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0
//
// Regulator: the decisions of fault tolerance at the end of a window. See
// settee/rpc/fault_tolerance.h.
//
// Threads: one at a time.

#pragma once

#include <span>
#include <string>
#include <vector>

#include "settee/base/export.h"
#include "settee/rpc/fault_tolerance.h"

namespace settee::inline v0::rpc::cluster {

/// What a window has shown of an address.
struct Measure {
  int base_weight = 100;  ///< As registered.
  int weight = 100;       ///< Now.
  bool warming_up = false;
  int idle_windows = 0;  ///< In a row, without a call.
  std::int64_t calls = 0;
  std::int64_t failures = 0;
};

struct Decision {
  std::size_t index;  ///< Of the measure.
  int weight;         ///< From now on.
  std::string reason;
};

/// The decisions, in the order of the measures.
SETTEE_API std::vector<Decision> regulate(const FaultTolerance& options,
                                          std::span<const Measure> measures);

}  // namespace settee::inline v0::rpc::cluster
