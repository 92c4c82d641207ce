// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0
//
// CallLimits: how many calls of a service or a method are let in, at once and per second.
//
//   if (const RefusedBy by = limits.enter(now); by != RefusedBy::kNobody) refuse(by);
//   ...
//   limits.leave(Clock::now(), took, true);
//
// Threads: any; nothing here locks.

#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <string>
#include <string_view>

#include "settee/base/context.h"
#include "settee/rpc/server.h"

namespace settee::inline v0::rpc {

/// What did not let a call in.
enum class RefusedBy : std::uint8_t {
  kNobody,
  kPool,  ///< Its pool had neither a thread nor a place in the queue for it.
  kConcurrents,
  kRate,
  kAdaptive,
  kTimeout,  ///< The service's own time for it had passed before it could begin.
  kDrain,    ///< The server is about to stop.
  kAuthentication,
};
inline constexpr std::size_t kRefusers = 8;
/// The option's name: "pool", "concurrents", ...
std::string_view to_string(RefusedBy by) noexcept;

/// Why a limit of that much cannot be; empty: it can.
std::string concurrents_problem(std::int64_t concurrents);
std::string rate_problem(double rate);
std::string burst_problem(double burst);

/// So many per second and so many at once, as the generic cell rate algorithm: it keeps the time at
/// which the bucket would be full again.
class SETTEE_API RateLimit {
 public:
  /// rate 0: no limit. burst 0: a tenth of rate, at least 1.
  RateLimit(double rate, double burst) noexcept { set(rate, burst, {}); }
  /// From now on; calls that have been taken count as before. One at a time.
  void set(double rate, double burst, TimePoint now) noexcept;
  bool take(TimePoint now) noexcept;
  /// What was taken; after a change of the rate since then, one call's worth of the new one.
  void give_back() noexcept {
    full_at_.fetch_sub(interval_.load(std::memory_order_relaxed), std::memory_order_relaxed);
  }
  double rate() const noexcept { return rate_.load(std::memory_order_relaxed); }
  double burst() const noexcept { return burst_.load(std::memory_order_relaxed); }

 private:
  std::atomic<double> rate_{0};
  std::atomic<double> burst_{0};
  std::atomic<std::int64_t> interval_{0};  // ns per call; 0: no limit
  std::atomic<std::int64_t> room_{0};      // ns
  std::atomic<std::int64_t> full_at_{0};
};

/// AdaptiveLimit at work: a gradient, as Envoy's adaptive concurrency filter and Netflix' limiters have
/// it. (Chosen over additive increase and multiplicative decrease because that needs to be told what
/// latency is too much; over a gradient against a long mean because that follows an overload that
/// lasts.) With L the limit, `least` the mean time of a call in the last window at half of L or the
/// least since, and `now` that of the window:
///
///   L' = L * clamp(least * (1 + buffer) / now, 1/2, 1) + sqrt(L), within min and max
///
/// and L does not grow while less than half of it is used. With K that can really run at once it rests
/// between 1.25 and 2 times K, for any K from `min` on.
class AdaptiveConcurrency {
 public:
  explicit AdaptiveConcurrency(const AdaptiveLimit& options) noexcept;
  bool on() const noexcept { return options_.max > 0; }
  std::size_t limit() const noexcept { return limit_.load(std::memory_order_relaxed); }
  /// Whether one more may run beside `running`.
  bool allows(std::size_t running) noexcept;
  /// A call that tells how long they take has ended after `took`.
  void ended(TimePoint now, Duration took) noexcept;

 private:
  static constexpr std::uint64_t kEnough = 10;  // calls that make a window
  static constexpr std::size_t kFirst = 20;
  void close_window(TimePoint now) noexcept;
  std::size_t within(double limit) const noexcept;

  const AdaptiveLimit options_;
  std::atomic<std::size_t> limit_;
  std::atomic<bool> pressed_{false};  // at least half of it has been used in this window
  std::atomic<std::int64_t> sum_{0};  // ns
  std::atomic<std::uint64_t> count_{0};
  std::atomic<TimePoint::rep> from_{0};  // calls that began before do not count
  std::atomic<TimePoint::rep> until_{0};
  std::atomic<bool> closing_{false};
  // Of whoever closes a window.
  double least_ = 0;
  std::size_t full_ = 0;  // while half of it holds; else 0
  TimePoint::rep probe_at_ = 0;
};

class SETTEE_API CallLimits {
 public:
  CallLimits(std::size_t concurrents, double rate, double burst,
             const AdaptiveLimit& adaptive) noexcept;

  /// From now on; who is in stays in, and counts. One at a time.
  void set(std::size_t concurrents, double rate, double burst, TimePoint now) noexcept;

  /// kNobody: the call is in, and leave() or cancel() is owed.
  RefusedBy enter(TimePoint now) noexcept;
  /// It has not begun after all.
  void cancel() noexcept;
  /// It has ended. `tells_time`: it has succeeded, or taken longer than anybody had; what failed
  /// otherwise does not tell how long calls take.
  void leave(TimePoint now, Duration took, bool tells_time) noexcept;

  /// Whether a call that has ended so has taken longer than somebody had for it: an adaptive limit that
  /// did not hear of those would know only of the quick ones.
  static bool slow(const Result<void>& ended, TimePoint now, TimePoint deadline) noexcept {
    return now >= deadline || (!ended && ended.error().code() == Code::kTimeout);
  }

  std::size_t running() const noexcept { return running_.load(std::memory_order_relaxed); }
  std::size_t adaptive_limit() const noexcept { return adaptive_.limit(); }
  /// Whether calls' times are to be measured.
  bool measures() const noexcept { return adaptive_.on(); }
  /// "concurrents is 10"
  std::string describe(RefusedBy by) const;
  /// How many refusals a log line about `by` should speak of now; 0: none is due.
  std::uint64_t to_log(RefusedBy by, TimePoint now) noexcept;

 private:
  struct Unsaid {
    std::atomic<std::uint64_t> count{0};
    std::atomic<TimePoint::rep> said_at{0};
  };
  std::atomic<std::size_t> concurrents_;
  std::atomic<std::size_t> running_{0};
  RateLimit rate_;
  AdaptiveConcurrency adaptive_;
  std::array<Unsaid, kRefusers> unsaid_;
};

}  // namespace settee::inline v0::rpc
