// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0

#include "settee/rpc/cluster/internal/breaker.h"

#include <fmt/format.h>

namespace settee::inline v0::rpc::cluster {

bool Breaker::would_admit(const CircuitBreaker& options, TimePoint now) const {
  const std::lock_guard lock(mutex_);
  switch (state_) {
    case BreakerState::kClosed: return true;
    case BreakerState::kOpen: return now >= open_until_;
    case BreakerState::kHalfOpen: return calls_ < options.trial_calls;
  }
  return true;
}

Breaker::Ticket Breaker::admit(const CircuitBreaker& options, TimePoint now,
                               std::optional<Change>& change) {
  const std::lock_guard lock(mutex_);
  if (state_ == BreakerState::kClosed) return phase_;
  if (state_ == BreakerState::kOpen) {
    if (now < open_until_) return 0;
    become(
        BreakerState::kHalfOpen,
        fmt::format("{} trial call(s) after {} ms", options.trial_calls, options.open_time.count()),
        change);
  }
  if (calls_ >= options.trial_calls) return 0;
  ++calls_;
  return phase_;
}

void Breaker::note(const CircuitBreaker& options, TimePoint now, Ticket ticket, Outcome outcome,
                   std::optional<Change>& change) {
  const std::lock_guard lock(mutex_);
  if (ticket != phase_) return;
  if (state_ == BreakerState::kHalfOpen) {
    if (outcome == Outcome::kNeither) {
      --calls_;  // somebody else tries in its place
    } else if (outcome == Outcome::kFailure) {
      open_until_ = now + options.open_time;
      become(BreakerState::kOpen, "a trial call failed", change);
    } else if (++successes_ >= options.trial_calls) {
      window_began_ = now;
      become(BreakerState::kClosed, fmt::format("{} trial call(s) succeeded", successes_), change);
    }
    return;
  }
  if (outcome == Outcome::kNeither) return;
  if (now - window_began_ >= options.window) {
    window_began_ = now;
    calls_ = 0;
    failures_ = 0;
  }
  ++calls_;
  if (outcome == Outcome::kFailure) ++failures_;
  if (calls_ < options.least_calls || failures_ < options.failure_rate * calls_ || failures_ == 0) {
    return;
  }
  open_until_ = now + options.open_time;
  become(BreakerState::kOpen,
         fmt::format("{} of {} calls failed within {} ms", failures_, calls_,
                     std::chrono::ceil<std::chrono::milliseconds>(now - window_began_).count()),
         change);
}

void Breaker::become(BreakerState state, std::string reason, std::optional<Change>& change) {
  change.emplace();
  change->before = state_;
  change->state = state;
  change->reason = reason;
  state_ = state;
  reason_ = std::move(reason);
  if (++phase_ == 0) ++phase_;
  calls_ = 0;
  failures_ = 0;
  successes_ = 0;
}

std::string Breaker::describe(TimePoint now) const {
  const std::lock_guard lock(mutex_);
  switch (state_) {
    case BreakerState::kClosed: return {};
    case BreakerState::kHalfOpen: return fmt::format("half open, all trial calls are on their way");
    case BreakerState::kOpen: break;
  }
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(open_until_ - now);
  return fmt::format("open for {} ms more: {}", std::max<std::int64_t>(left.count(), 0), reason_);
}

}  // namespace settee::inline v0::rpc::cluster
