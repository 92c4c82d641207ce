// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0
//
// On a clock of the test's own.

#include "settee/rpc/internal/call_limits.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <deque>
#include <random>
#include <thread>
#include <vector>

namespace settee::rpc {
namespace {

using namespace std::chrono_literals;

TimePoint at(Duration since) { return TimePoint(std::chrono::hours(1)) + since; }

TEST(CallLimitsTest, TheRateOfAnyWindowIsKept) {
  std::mt19937_64 random(7);
  for (const double rate : {3.0, 100.0, 12'345.0, 2'000'000.0}) {
    RateLimit limit(rate, 3);
    const Duration window = std::chrono::nanoseconds(static_cast<std::int64_t>(2e12 / rate));
    std::uint64_t taken = 0;
    // Asked ten times as often, at random times.
    std::uniform_real_distribution<double> gap(0, 2e8 / rate);
    double now = 0;
    while (now < static_cast<double>(window.count())) {
      now += gap(random);
      taken += limit.take(at(std::chrono::nanoseconds(static_cast<std::int64_t>(now))));
    }
    EXPECT_NEAR(static_cast<double>(taken), 2000, 100) << rate;
  }
}

TEST(CallLimitsTest, ABurstIsSavedUpAndNoMore) {
  RateLimit limit(10, 5);
  const auto take = [&](Duration when) {
    int taken = 0;
    while (limit.take(at(when))) ++taken;
    return taken;
  };
  EXPECT_EQ(take(0s), 5);
  EXPECT_EQ(take(100ms), 1);
  EXPECT_EQ(take(1h), 5);
  EXPECT_EQ(RateLimit(500, 0).burst(), 50);
  EXPECT_EQ(RateLimit(3, 0).burst(), 1);
}

TEST(CallLimitsTest, AnotherRateKeepsWhatWasTaken) {
  const auto take = [](RateLimit& limit, Duration when) {
    int taken = 0;
    while (taken < 1000 && limit.take(at(when))) ++taken;
    return taken;
  };
  RateLimit limit(1e-3, 5);
  EXPECT_EQ(take(limit, 0s), 5);
  limit.set(10, 5, at(0s));
  EXPECT_EQ(take(limit, 0s), 0);
  EXPECT_EQ(take(limit, 200ms), 2) << "at the new pace, not after the old one's hours";
  limit.set(10, 8, at(200ms));
  EXPECT_EQ(take(limit, 200ms), 3);
  limit.set(0, 0, at(200ms));
  EXPECT_EQ(take(limit, 200ms), 1000);
  limit.set(1e-6, 1e9, at(1s));
  EXPECT_EQ(take(limit, 1s), 1000) << "room for the most that can be said";
}

TEST(CallLimitsTest, WhoIsInCountsUnderALimitThatComesLater) {
  CallLimits limits(0, 0, 0, {});
  for (int i = 0; i < 3; ++i) EXPECT_EQ(limits.enter(at(0s)), RefusedBy::kNobody);
  limits.set(3, 0, 0, at(0s));
  EXPECT_EQ(limits.enter(at(0s)), RefusedBy::kConcurrents);
  EXPECT_EQ(limits.describe(RefusedBy::kConcurrents), "concurrents is 3");
  limits.leave({}, {}, true);
  EXPECT_EQ(limits.enter(at(0s)), RefusedBy::kNobody);
  limits.set(1, 0, 0, at(0s));
  for (int i = 0; i < 3; ++i) limits.leave({}, {}, true);
  EXPECT_EQ(limits.running(), 0u);
  EXPECT_EQ(limits.enter(at(0s)), RefusedBy::kNobody);
  EXPECT_EQ(limits.enter(at(0s)), RefusedBy::kConcurrents);
}

TEST(CallLimitsTest, LimitsMayChangeWhileCallsRun) {
  CallLimits limits(0, 0, 0, {});
  std::atomic<bool> enough{false};
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      while (!enough) {
        if (limits.enter(Clock::now()) == RefusedBy::kNobody) limits.leave({}, {}, true);
      }
    });
  }
  for (int i = 0; i < 200; ++i) {
    limits.set(static_cast<std::size_t>(i % 4), i % 3 == 0 ? 1e6 : 0, 0, Clock::now());
    std::this_thread::yield();
  }
  enough = true;
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(limits.running(), 0u);
}

TEST(CallLimitsTest, NeverMoreThanConcurrentsAtOnce) {
  CallLimits limits(5, 0, 0, {});
  std::atomic<int> running{0};
  std::atomic<int> most{0};
  std::atomic<int> refused{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 8; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 5000; ++i) {
        const RefusedBy by = limits.enter(Clock::now());
        if (by != RefusedBy::kNobody) {
          EXPECT_EQ(by, RefusedBy::kConcurrents);
          ++refused;
          continue;
        }
        const int now = ++running;
        for (int seen = most; now > seen && !most.compare_exchange_weak(seen, now);) {
        }
        std::this_thread::yield();
        --running;
        limits.leave({}, {}, true);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_LE(most, 5);
  EXPECT_EQ(limits.running(), 0u);
  // None is lost: five get in again.
  for (int i = 0; i < 5; ++i) EXPECT_EQ(limits.enter({}), RefusedBy::kNobody);
  EXPECT_EQ(limits.enter({}), RefusedBy::kConcurrents);
}

TEST(CallLimitsTest, WhatIsTakenBackCountsForNothing) {
  CallLimits limits(2, 1, 2, {});
  for (int i = 0; i < 100; ++i) {
    ASSERT_EQ(limits.enter(at(0s)), RefusedBy::kNobody);
    limits.cancel();
  }
  EXPECT_EQ(limits.enter(at(0s)), RefusedBy::kNobody);
  EXPECT_EQ(limits.enter(at(0s)), RefusedBy::kNobody);
  limits.leave({}, {}, true);
  EXPECT_EQ(limits.enter(at(0s)), RefusedBy::kRate);
  EXPECT_EQ(limits.running(), 1u);
}

TEST(CallLimitsTest, RefusalsAreLoggedTogether) {
  CallLimits limits(1, 0, 0, {});
  EXPECT_EQ(limits.to_log(RefusedBy::kConcurrents, at(0s)), 1u);
  for (int i = 0; i < 9; ++i) EXPECT_EQ(limits.to_log(RefusedBy::kConcurrents, at(1s)), 0u);
  EXPECT_EQ(limits.to_log(RefusedBy::kConcurrents, at(11s)), 10u);
}

// A service of which `slots` calls run at once, each for `time`; the others wait for a slot. Calls
// arrive evenly, `rate` per second.
struct Simulated {
  std::size_t slots;
  Duration time;
  double rate;

  struct Outcome {
    double limit;       // the mean of the second half
    double per_second;  // answered, the same
    Duration slowest;
  };
  Outcome run(CallLimits& limits, Duration length) const {
    std::deque<std::pair<Duration, Duration>> ends;  // when, and after how long; in order
    std::vector<Duration> free(slots, Duration(0));
    Outcome outcome{};
    double limit_sum = 0;
    int samples = 0;
    const Duration gap(static_cast<Duration::rep>(1e9 / rate));
    for (Duration now(0); now < length; now += gap) {
      while (!ends.empty() && ends.front().first <= now) {
        limits.leave(at(ends.front().first), ends.front().second, true);
        if (now > length / 2) {
          ++outcome.per_second;
          outcome.slowest = std::max(outcome.slowest, ends.front().second);
        }
        ends.pop_front();
      }
      if (now > length / 2) {
        limit_sum += static_cast<double>(limits.adaptive_limit());
        ++samples;
      }
      if (limits.enter(at(now)) != RefusedBy::kNobody) continue;
      const auto slot = std::min_element(free.begin(), free.end());
      *slot = std::max(*slot, now) + time;
      ends.emplace_back(*slot, *slot - now);
    }
    outcome.limit = limit_sum / samples;
    outcome.per_second /= std::chrono::duration<double>(length / 2).count();
    return outcome;
  }
};

TEST(CallLimitsTest, TheAdaptiveLimitFindsWhatCanRunAtOnce) {
  for (const std::size_t slots : {8u, 16u, 50u, 200u}) {
    AdaptiveLimit options;
    options.max = 1000;
    CallLimits limits(0, 0, 0, options);
    // Three times what it can do.
    const double can = static_cast<double>(slots) / 0.010;
    const Simulated service{slots, 10ms, 3 * can};
    const Simulated::Outcome outcome = service.run(limits, 60s);
    EXPECT_GE(outcome.limit, static_cast<double>(slots)) << slots;
    EXPECT_LE(outcome.limit, 2.5 * static_cast<double>(slots)) << slots;
    EXPECT_GE(outcome.per_second, 0.9 * can) << slots;
    EXPECT_LE(outcome.slowest, 30ms) << slots;
  }
}

TEST(CallLimitsTest, TheAdaptiveLimitLetsPassWhatIsNoOverload) {
  AdaptiveLimit options;
  options.max = 100;
  CallLimits limits(0, 0, 0, options);
  const Simulated service{50, 10ms, 1000};
  EXPECT_GE(service.run(limits, 20s).per_second, 995);
  EXPECT_GE(limits.adaptive_limit(), 10u);
}

TEST(CallLimitsTest, AProbeThatSeesFewCallsEndsAllTheSame) {
  AdaptiveLimit options;
  options.max = 100;
  options.probe = 1s;
  CallLimits limits(0, 0, 0, options);
  Duration now(0);
  const auto call = [&](Duration took) {
    now += took;
    ASSERT_EQ(limits.enter(at(now - took)), RefusedBy::kNobody);
    limits.leave(at(now), took, true);
  };
  std::size_t before = 0;
  do {
    before = limits.adaptive_limit();
    call(1ms);
  } while (limits.adaptive_limit() >= before && now < 10s);
  EXPECT_EQ(limits.adaptive_limit(), before / 2);
  call(99ms);
  EXPECT_EQ(limits.adaptive_limit(), before / 2);
  call(99ms);
  EXPECT_EQ(limits.adaptive_limit(), before);
}

TEST(CallLimitsTest, TheAdaptiveLimitStaysWithinItsBounds) {
  AdaptiveLimit options;
  options.min = 6;
  options.max = 30;
  CallLimits limits(0, 0, 0, options);
  std::mt19937_64 random(3);
  Duration now(0);
  for (int i = 0; i < 100'000; ++i) {
    now += 1ms;
    ASSERT_EQ(limits.enter(at(now)), RefusedBy::kNobody);
    // Anything from a microsecond to a second.
    limits.leave(at(now), std::chrono::microseconds(1u << (random() % 20)), random() % 2 == 0);
    ASSERT_GE(limits.adaptive_limit(), 6u);
    ASSERT_LE(limits.adaptive_limit(), 30u);
  }
}

}  // namespace
}  // namespace settee::rpc
