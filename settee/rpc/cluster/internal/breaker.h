// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0
//
// Breaker: whether calls of one method go to one address. See CircuitBreaker in
// settee/rpc/fault_tolerance.h.
//
// Threads: any.

#pragma once

#include <cstdint>
#include <mutex>
#include <optional>
#include <string>

#include "settee/base/context.h"
#include "settee/base/export.h"
#include "settee/rpc/events.h"
#include "settee/rpc/fault_tolerance.h"

namespace settee::inline v0::rpc::cluster {

class SETTEE_API Breaker {
 public:
  struct Change {
    BreakerState before{};
    BreakerState state{};
    std::string reason;
  };
  /// Of a call that was let through: which of the breaker's phases it belongs to. 0: it was not.
  using Ticket = std::uint32_t;
  enum class Outcome : std::uint8_t {
    kSuccess,
    kFailure,
    kNeither,  ///< It says nothing of the address, e.g. the caller cancelled it.
  };

  bool would_admit(const CircuitBreaker& options, TimePoint now) const;
  /// A call wants to go. What is let through has to be noted when it has ended.
  Ticket admit(const CircuitBreaker& options, TimePoint now, std::optional<Change>& change);
  void note(const CircuitBreaker& options, TimePoint now, Ticket ticket, Outcome outcome,
            std::optional<Change>& change);
  /// Why nothing is let through now, for a person.
  std::string describe(TimePoint now) const;

 private:
  void become(BreakerState state, std::string reason, std::optional<Change>& change);

  mutable std::mutex mutex_;
  BreakerState state_ = BreakerState::kClosed;
  Ticket phase_ = 1;  // changes with the state: what began in an older one does not count
  TimePoint window_began_{};
  int calls_ = 0;  // in the window; half open: trials that were let through
  int failures_ = 0;
  int successes_ = 0;  // of trials
  TimePoint open_until_{};
  std::string reason_;
};

}  // namespace settee::inline v0::rpc::cluster
