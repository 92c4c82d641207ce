// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0
//
// The wheel against a model: a multimap from tick to timer.

#include "settee/base/internal/timer_wheel.h"

#include <gtest/gtest.h>

#include <functional>
#include <map>
#include <random>
#include <vector>

namespace settee {
namespace {

constexpr std::uint64_t kNever = UINT64_MAX;

struct Plain final : Timer {
  explicit Plain(int n) : id(n) {}
  int id;

 private:
  void on_timer() override {}
};

// Keeps a wheel and its model side by side and compares them at every step.
class Checked {
 public:
  explicit Checked(std::uint64_t start, int timers) {
    wheel_.advance(start, [](Timer&) { FAIL() << "an empty wheel fires nothing"; });
    for (int i = 0; i < timers; ++i) timers_.push_back(std::make_unique<Plain>(i));
    where_.resize(timers_.size());
    armed_.resize(timers_.size(), false);
  }
  ~Checked() {
    for (std::size_t i = 0; i < timers_.size(); ++i) {
      if (armed_[i]) remove(i);
    }
  }

  std::uint64_t now() const { return wheel_.tick(); }
  bool armed(std::size_t i) const { return armed_[i]; }

  void insert(std::size_t i, std::uint64_t tick) {
    if (armed_[i]) remove(i);
    // What is past is due with the next tick.
    where_[i] = model_.emplace(std::max(tick, wheel_.tick() + 1), i);
    wheel_.insert(*timers_[i], tick);
    armed_[i] = true;
  }
  void remove(std::size_t i) {
    wheel_.remove(*timers_[i]);
    model_.erase(where_[i]);
    armed_[i] = false;
  }

  // `on_fire` may insert and remove.
  int advance(std::uint64_t to, const std::function<void(std::size_t)>& on_fire = {}) {
    int fired = 0;
    std::uint64_t last = 0;
    wheel_.advance(to, [&](Timer& timer) {
      const auto i = static_cast<std::size_t>(static_cast<Plain&>(timer).id);
      ASSERT_TRUE(armed_[i]) << "fired a timer that is not armed";
      const std::uint64_t tick = where_[i]->first;
      EXPECT_LE(tick, to) << "fired early";
      EXPECT_EQ(tick, wheel_.tick()) << "fired at another tick than its own";
      EXPECT_GE(tick, last) << "fired out of order";
      last = tick;
      model_.erase(where_[i]);
      armed_[i] = false;
      ++fired;
      if (on_fire) on_fire(i);
    });
    EXPECT_EQ(wheel_.tick(), to);
    EXPECT_TRUE(model_.empty() || model_.begin()->first > to) << "a due timer did not fire";
    check_next();
    return fired;
  }
  void check_next() const {
    const std::uint64_t next = wheel_.next();
    if (model_.empty()) {
      EXPECT_EQ(next, kNever);
      return;
    }
    // It may be early (a slot that is to be spread out), never late, and always ahead.
    EXPECT_LE(next, model_.begin()->first);
    EXPECT_GT(next, wheel_.tick());
  }
  std::uint64_t earliest() const { return model_.empty() ? kNever : model_.begin()->first; }
  std::uint64_t next() const { return wheel_.next(); }
  std::size_t size() const { return model_.size(); }

 private:
  TimerWheel wheel_;
  std::vector<std::unique_ptr<Plain>> timers_;
  std::multimap<std::uint64_t, std::size_t> model_;
  std::vector<std::multimap<std::uint64_t, std::size_t>::iterator> where_;
  std::vector<bool> armed_;
};

std::uint64_t some_delay(std::mt19937_64& random) {
  switch (random() % 8) {
    case 0: return 0;
    case 1: return random() % 3;
    case 2: return random() % 64;
    case 3: return random() % 5000;
    case 4: return random() % 1'000'000;
    case 5: return std::uint64_t{1} << (random() % 36);
    case 6: return (std::uint64_t{1} << (random() % 36)) - 1;
    default: return random() % (std::uint64_t{1} << 35);
  }
}

void random_operations(std::uint64_t seed, std::uint64_t start) {
  SCOPED_TRACE(testing::Message() << "seed " << seed << ", start " << start);
  std::mt19937_64 random(seed);
  Checked checked(start, 200);
  const auto pick = [&] { return static_cast<std::size_t>(random() % 200); };
  for (int step = 0; step < 3000 && !testing::Test::HasFailure(); ++step) {
    switch (random() % 6) {
      case 0:
      case 1:
      case 2: checked.insert(pick(), checked.now() + some_delay(random)); break;
      case 3: {
        const std::size_t i = pick();
        if (checked.armed(i)) checked.remove(i);
        break;
      }
      case 4: {
        // Far ones as well: then much fires at once, and what fires arms and disarms others.
        const std::uint64_t to = checked.now() + some_delay(random);
        int again = 50;
        checked.advance(to, [&](std::size_t i) {
          if (again-- <= 0) return;
          if (random() % 3 == 0) checked.insert(i, checked.now() + some_delay(random) % 2000);
          if (const std::size_t other = pick(); random() % 3 == 0 && checked.armed(other)) {
            checked.remove(other);
          }
          if (random() % 4 == 0) checked.insert(pick(), checked.now());
        });
        break;
      }
      default:
        // As a loop does it: to where the wheel says there is something to do.
        if (checked.next() != kNever) checked.advance(checked.next());
    }
    checked.check_next();
  }
}

TEST(TimerWheelTest, RandomOperationsAgreeWithAModel) {
  for (std::uint64_t seed = 1; seed <= 30; ++seed) random_operations(seed, seed * 977);
}

TEST(TimerWheelTest, RandomOperationsAcrossTheBordersOfItsLevels) {
  for (int bits = 6; bits <= 38; bits += 2) {
    random_operations(static_cast<std::uint64_t>(bits), (std::uint64_t{1} << bits) - 3);
  }
}

TEST(TimerWheelTest, RunsOnAfterTwoYears) {
  // 2^36 ms is 2.2 years: six levels of 64 slots. A process may well live that long.
  Checked checked((std::uint64_t{1} << 36) - 2, 4);
  checked.insert(0, (std::uint64_t{1} << 36) + 1000);
  checked.insert(1, (std::uint64_t{1} << 36) - 1);
  checked.insert(2, std::uint64_t{1} << 36);
  EXPECT_EQ(checked.advance((std::uint64_t{1} << 36) - 1), 1);
  EXPECT_EQ(checked.advance(std::uint64_t{1} << 36), 1);
  EXPECT_EQ(checked.advance((std::uint64_t{1} << 36) + 999), 0);
  EXPECT_EQ(checked.advance((std::uint64_t{1} << 36) + 1000), 1);
}

TEST(TimerWheelTest, EveryTickOfTheFirstLevelsFiresExactlyThen) {
  Checked checked(0, 200);
  for (std::uint64_t begin = 0; begin < 64 * 64 * 3; begin += 200) {
    for (std::size_t i = 0; i < 200; ++i) checked.insert(i, begin + 1 + i);
    for (std::uint64_t i = 0; i < 200; ++i) EXPECT_EQ(checked.advance(begin + 1 + i), 1);
  }
}

TEST(TimerWheelTest, ATimerMayRemoveAnotherOfItsOwnTick) {
  Checked checked(0, 3);
  for (std::size_t i = 0; i < 3; ++i) checked.insert(i, 100);
  const int fired = checked.advance(100, [&](std::size_t i) {
    for (std::size_t other = 0; other < 3; ++other) {
      if (other != i && checked.armed(other)) checked.remove(other);
    }
  });
  EXPECT_EQ(fired, 1);
}

TEST(TimerWheelTest, OneThatArmsItselfForThePastDoesNotHoldTheWheelUp) {
  Checked checked(0, 1);
  checked.insert(0, 5);
  int fired = 0;
  checked.advance(1000, [&](std::size_t i) {
    ++fired;
    checked.insert(i, 0);  // due with the next tick: once for each that has passed
  });
  EXPECT_EQ(fired, 996);
  EXPECT_EQ(checked.earliest(), 1001u);
}

}  // namespace
}  // namespace settee
