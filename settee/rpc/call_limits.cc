// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0

#include "settee/rpc/internal/call_limits.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace settee::inline v0::rpc {

namespace {

TimePoint::rep ticks(TimePoint time) noexcept { return time.time_since_epoch().count(); }

TimePoint::rep ticks(std::chrono::milliseconds time) noexcept {
  return std::chrono::duration_cast<Duration>(time).count();
}

constexpr Duration kLogPause = std::chrono::seconds(10);
constexpr std::int64_t kMostAtOnce = 1'000'000'000;
constexpr double kMostRoom = 1e18;  // ns: leaves room for the clock's own value

}  // namespace

std::string_view to_string(RefusedBy by) noexcept {
  switch (by) {
    case RefusedBy::kNobody: return "";
    case RefusedBy::kPool: return "pool";
    case RefusedBy::kConcurrents: return "concurrents";
    case RefusedBy::kRate: return "rate";
    case RefusedBy::kAdaptive: return "adaptive";
    case RefusedBy::kTimeout: return "timeout";
    case RefusedBy::kDrain: return "drain";
    case RefusedBy::kAuthentication: return "authentication";
  }
  return "";
}

std::string concurrents_problem(std::int64_t concurrents) {
  if (concurrents >= 0 && concurrents <= kMostAtOnce) return {};
  return fmt::format("expected 0 (any number) to {}", kMostAtOnce);
}

std::string rate_problem(double rate) {
  if (rate >= 0 && rate <= 1e9 && (rate == 0 || rate >= 1e-6)) return {};
  return "expected 0 (any) or 1e-6 to 1e9 calls per second";
}

std::string burst_problem(double burst) {
  return burst >= 0 && burst <= 1e9 ? std::string() : "expected 0 to 1e9";
}

void RateLimit::set(double rate, double burst, TimePoint now) noexcept {
  const double within = burst > 0 ? std::max(burst, 1.0) : std::max(rate / 10, 1.0);
  const std::int64_t interval = rate > 0 ? std::max<std::int64_t>(std::llround(1e9 / rate), 1) : 0;
  const std::int64_t room =
      std::llround(std::min(within * static_cast<double>(interval), kMostRoom));
  const std::int64_t before = interval_.load(std::memory_order_relaxed);
  const std::int64_t at = ticks(now);
  const std::int64_t ahead = full_at_.load(std::memory_order_relaxed) - at;
  if (before > 0 && ahead > 0) {
    // So many calls must still be made up for, at the new pace.
    const double calls = static_cast<double>(ahead) / static_cast<double>(before);
    const double left = std::min(calls * static_cast<double>(interval), static_cast<double>(room));
    full_at_.store(at + std::llround(left), std::memory_order_relaxed);
  }
  rate_.store(rate, std::memory_order_relaxed);
  burst_.store(within, std::memory_order_relaxed);
  room_.store(room, std::memory_order_relaxed);
  interval_.store(interval, std::memory_order_relaxed);
}

bool RateLimit::take(TimePoint now) noexcept {
  const std::int64_t interval = interval_.load(std::memory_order_relaxed);
  if (interval == 0) return true;
  const std::int64_t room = room_.load(std::memory_order_relaxed);
  const std::int64_t at = ticks(now);
  std::int64_t full_at = full_at_.load(std::memory_order_relaxed);
  for (;;) {
    const std::int64_t next = std::max(full_at, at) + interval;
    if (next - at > room) return false;
    if (full_at_.compare_exchange_weak(full_at, next, std::memory_order_relaxed)) return true;
  }
}

AdaptiveConcurrency::AdaptiveConcurrency(const AdaptiveLimit& options) noexcept
    : options_(options), limit_(within(static_cast<double>(kFirst))) {}

std::size_t AdaptiveConcurrency::within(double limit) const noexcept {
  const std::size_t most = std::max<std::size_t>(options_.max, 1);
  const std::size_t least = std::clamp<std::size_t>(options_.min, 1, most);
  return std::clamp(static_cast<std::size_t>(limit), least, most);
}

bool AdaptiveConcurrency::allows(std::size_t running) noexcept {
  const std::size_t limit = limit_.load(std::memory_order_relaxed);
  if ((running + 1) * 2 >= limit && !pressed_.load(std::memory_order_relaxed)) {
    pressed_.store(true, std::memory_order_relaxed);
  }
  return running < limit;
}

void AdaptiveConcurrency::ended(TimePoint now, Duration took) noexcept {
  if (ticks(now - took) < from_.load(std::memory_order_relaxed)) return;
  sum_.fetch_add(took.count(), std::memory_order_relaxed);
  count_.fetch_add(1, std::memory_order_relaxed);
  if (ticks(now) >= until_.load(std::memory_order_relaxed)) close_window(now);
}

void AdaptiveConcurrency::close_window(TimePoint now) noexcept {
  if (closing_.exchange(true, std::memory_order_acquire)) return;
  const TimePoint::rep at = ticks(now);
  const bool first = probe_at_ == 0;
  if (first) probe_at_ = at + ticks(options_.probe);
  if (at >= until_.load(std::memory_order_relaxed)) {
    until_.store(at + ticks(options_.window), std::memory_order_relaxed);
    // A window that has seen too little goes on, but not at half of the limit: few calls may be all
    // that come.
    const std::uint64_t seen = count_.load(std::memory_order_relaxed);
    if (!first && (seen >= kEnough || (full_ != 0 && seen > 0))) {
      const auto count = static_cast<double>(count_.exchange(0, std::memory_order_relaxed));
      const double mean =
          std::max(static_cast<double>(sum_.exchange(0, std::memory_order_relaxed)) / count, 1.0);
      const bool pressed = pressed_.exchange(false, std::memory_order_relaxed);
      auto limit = static_cast<double>(limit_.load(std::memory_order_relaxed));
      if (full_ != 0) {
        // Few are enough to tell that calls take longer now; if they were wrong the next window says so.
        least_ = seen >= kEnough ? mean : std::max(least_, mean);
        limit = static_cast<double>(std::exchange(full_, 0));
        limit_.store(within(limit), std::memory_order_relaxed);
      } else {
        least_ = least_ == 0 ? mean : std::min(least_, mean);
        const double gradient = std::clamp(least_ * (1 + options_.buffer) / mean, 0.5, 1.0);
        const double next = limit * gradient + std::sqrt(limit);
        if (next < limit || pressed) limit = next;
        std::size_t now_allowed = within(limit);
        if (at >= probe_at_) {
          probe_at_ = at + ticks(options_.probe);
          from_.store(at, std::memory_order_relaxed);
          full_ = now_allowed;
          now_allowed = within(static_cast<double>(now_allowed) / 2);
        }
        limit_.store(now_allowed, std::memory_order_relaxed);
      }
    }
  }
  closing_.store(false, std::memory_order_release);
}

CallLimits::CallLimits(std::size_t concurrents, double rate, double burst,
                       const AdaptiveLimit& adaptive) noexcept
    : concurrents_(concurrents), rate_(rate, burst), adaptive_(adaptive) {}

void CallLimits::set(std::size_t concurrents, double rate, double burst, TimePoint now) noexcept {
  concurrents_.store(concurrents, std::memory_order_relaxed);
  rate_.set(rate, burst, now);
}

RefusedBy CallLimits::enter(TimePoint now) noexcept {
  const std::size_t concurrents = concurrents_.load(std::memory_order_relaxed);
  std::size_t running = running_.load(std::memory_order_relaxed);
  do {
    if (concurrents != 0 && running >= concurrents) return RefusedBy::kConcurrents;
    if (adaptive_.on() && !adaptive_.allows(running)) return RefusedBy::kAdaptive;
  } while (!running_.compare_exchange_weak(running, running + 1, std::memory_order_relaxed));
  // Last, as what it gives is hard to give back.
  if (rate_.take(now)) return RefusedBy::kNobody;
  running_.fetch_sub(1, std::memory_order_relaxed);
  return RefusedBy::kRate;
}

void CallLimits::cancel() noexcept {
  rate_.give_back();
  running_.fetch_sub(1, std::memory_order_relaxed);
}

void CallLimits::leave(TimePoint now, Duration took, bool tells_time) noexcept {
  running_.fetch_sub(1, std::memory_order_relaxed);
  if (adaptive_.on() && tells_time) adaptive_.ended(now, took);
}

std::string CallLimits::describe(RefusedBy by) const {
  switch (by) {
    case RefusedBy::kConcurrents: return fmt::format("concurrents is {}", concurrents_.load());
    case RefusedBy::kRate:
      return fmt::format("rate is {:g} per second, burst {:g}", rate_.rate(), rate_.burst());
    case RefusedBy::kAdaptive: return fmt::format("the adaptive limit is at {}", adaptive_limit());
    default: return std::string(to_string(by));
  }
}

std::uint64_t CallLimits::to_log(RefusedBy by, TimePoint now) noexcept {
  Unsaid& unsaid = unsaid_[static_cast<std::size_t>(by)];
  unsaid.count.fetch_add(1, std::memory_order_relaxed);
  TimePoint::rep said_at = unsaid.said_at.load(std::memory_order_relaxed);
  if (said_at != 0 && ticks(now) - said_at < kLogPause.count()) return 0;
  if (!unsaid.said_at.compare_exchange_strong(said_at, ticks(now), std::memory_order_relaxed)) {
    return 0;
  }
  return unsaid.count.exchange(0, std::memory_order_relaxed);
}

}  // namespace settee::inline v0::rpc
