// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0

#include "settee/rpc/cluster/internal/breaker.h"

#include <gtest/gtest.h>

namespace settee::rpc::cluster {
namespace {

using namespace std::chrono_literals;
using Outcome = Breaker::Outcome;

class BreakerTest : public ::testing::Test {
 protected:
  BreakerTest() {
    options_.enabled = true;
    options_.least_calls = 4;
    options_.trial_calls = 2;
  }
  // One call; whether it was let through.
  bool call(Outcome outcome) {
    const Breaker::Ticket ticket = admit();
    if (ticket != 0) note(ticket, outcome);
    return ticket != 0;
  }
  Breaker::Ticket admit() { return breaker_.admit(options_, now_, change_); }
  void note(Breaker::Ticket ticket, Outcome outcome) {
    breaker_.note(options_, now_, ticket, outcome, change_);
  }
  void open() {
    for (int i = 0; i < 4; ++i) EXPECT_TRUE(call(Outcome::kFailure));
  }

  CircuitBreaker options_;
  Breaker breaker_;
  TimePoint now_ = Clock::now();
  std::optional<Breaker::Change> change_;
};

TEST_F(BreakerTest, OpensAtTheRateOfFailures) {
  EXPECT_TRUE(call(Outcome::kSuccess));
  EXPECT_TRUE(call(Outcome::kSuccess));
  EXPECT_TRUE(call(Outcome::kFailure));
  EXPECT_FALSE(change_);
  EXPECT_TRUE(call(Outcome::kFailure));
  ASSERT_TRUE(change_);
  EXPECT_EQ(change_->state, BreakerState::kOpen);
  EXPECT_EQ(change_->reason, "2 of 4 calls failed within 0 ms");
  EXPECT_FALSE(breaker_.would_admit(options_, now_));
  EXPECT_FALSE(call(Outcome::kSuccess));
  EXPECT_EQ(breaker_.describe(now_ + 1s), "open for 4000 ms more: 2 of 4 calls failed within 0 ms");
}

TEST_F(BreakerTest, FewCallsDecideNothing) {
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(call(Outcome::kFailure));
  EXPECT_FALSE(change_);
}

TEST_F(BreakerTest, AWindowBeginsAnew) {
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(call(Outcome::kFailure));
  now_ += options_.window;
  EXPECT_TRUE(call(Outcome::kFailure));
  EXPECT_FALSE(change_);
}

TEST_F(BreakerTest, ClosesWhenTheTrialsSucceed) {
  open();
  now_ += options_.open_time;
  const Breaker::Ticket first = admit();
  const Breaker::Ticket second = admit();
  ASSERT_NE(first, 0U);
  ASSERT_NE(second, 0U);
  EXPECT_EQ(admit(), 0U);
  note(first, Outcome::kSuccess);
  EXPECT_EQ(change_->state, BreakerState::kHalfOpen);
  note(second, Outcome::kSuccess);
  EXPECT_EQ(change_->state, BreakerState::kClosed);
  EXPECT_TRUE(call(Outcome::kSuccess));
  EXPECT_EQ(breaker_.describe(now_), "");
}

TEST_F(BreakerTest, OpensAgainWhenATrialFails) {
  open();
  now_ += options_.open_time;
  EXPECT_TRUE(call(Outcome::kFailure));
  EXPECT_EQ(change_->before, BreakerState::kHalfOpen);
  EXPECT_EQ(change_->state, BreakerState::kOpen);
  EXPECT_FALSE(call(Outcome::kSuccess));
}

TEST_F(BreakerTest, WhatBeganBeforeItOpenedSaysNothing) {
  const Breaker::Ticket old = admit();
  open();
  now_ += options_.open_time;
  ASSERT_NE(admit(), 0U);
  note(old, Outcome::kFailure);
  EXPECT_EQ(change_->state, BreakerState::kHalfOpen);
}

TEST_F(BreakerTest, ACancelledTrialLeavesItsPlaceToAnother) {
  open();
  now_ += options_.open_time;
  const Breaker::Ticket first = admit();
  ASSERT_NE(admit(), 0U);
  EXPECT_EQ(admit(), 0U);
  note(first, Outcome::kNeither);
  EXPECT_NE(admit(), 0U);
}

}  // namespace
}  // namespace settee::rpc::cluster
