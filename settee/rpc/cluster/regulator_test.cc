// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0

#include "settee/rpc/cluster/internal/regulator.h"

#include <gtest/gtest.h>

namespace settee::rpc::cluster {
namespace {

FaultTolerance options() {
  FaultTolerance made;
  made.regulation_effective = true;
  made.degrade_effective = true;
  made.least_window_exception_rate_multiple = 3;
  return made;
}

Measure measure(std::int64_t calls, std::int64_t failures, int weight = 100) {
  Measure made;
  made.calls = calls;
  made.failures = failures;
  made.weight = weight;
  return made;
}

TEST(RegulatorTest, WhoFailsMuchMoreThanTheOthersIsDegraded) {
  const std::vector<Measure> all{measure(100, 0), measure(100, 50), measure(100, 1),
                                 measure(90, 0)};
  const std::vector<Decision> decisions = regulate(options(), all);
  ASSERT_EQ(decisions.size(), 1u);
  EXPECT_EQ(decisions[0].index, 1u);
  EXPECT_EQ(decisions[0].weight, 5);
  EXPECT_EQ(decisions[0].reason.substr(0, 24), "50 of 100 calls failed, ") << decisions[0].reason;
}

TEST(RegulatorTest, TheDefaultMultipleFindsNoneAmongFour) {
  FaultTolerance defaults;
  defaults.regulation_effective = true;
  const std::vector<Measure> all{measure(100, 0), measure(100, 100), measure(100, 0),
                                 measure(100, 0)};
  EXPECT_TRUE(regulate(defaults, all).empty());
}

TEST(RegulatorTest, TheFloorIsKept) {
  const std::vector<Measure> all{measure(100, 0), measure(100, 0), measure(100, 0),
                                 measure(10, 10, 5)};
  const std::vector<Decision> decisions = regulate(options(), all);
  ASSERT_EQ(decisions.size(), 1u);
  EXPECT_EQ(decisions[0].weight, 1);
  const std::vector<Measure> floor{measure(100, 0), measure(100, 0), measure(100, 0),
                                   measure(5, 5, 1)};
  EXPECT_TRUE(regulate(options(), floor).empty());
}

TEST(RegulatorTest, TooFewCallsSayNothing) {
  const std::vector<Measure> all{measure(100, 0), measure(9, 9), measure(100, 1)};
  EXPECT_TRUE(regulate(options(), all).empty());
  // An address of little weight gets few calls, and is judged by them.
  const std::vector<Measure> light{measure(100, 0), measure(2, 0, 5), measure(100, 0)};
  const std::vector<Decision> decisions = regulate(options(), light);
  ASSERT_EQ(decisions.size(), 1u);
  EXPECT_EQ(decisions[0].weight, 10);
}

TEST(RegulatorTest, RecoveryDoublesUpToTheRegisteredWeight) {
  std::vector<Measure> all{measure(100, 0), measure(10, 0, 1), measure(100, 0)};
  std::vector<int> steps;
  while (all[1].weight < 100) {
    const std::vector<Decision> decisions = regulate(options(), all);
    ASSERT_EQ(decisions.size(), 1u);
    all[1].weight = decisions[0].weight;
    steps.push_back(all[1].weight);
  }
  EXPECT_EQ(steps, (std::vector<int>{2, 4, 8, 16, 32, 64, 100}));
  EXPECT_TRUE(regulate(options(), all).empty());
}

TEST(RegulatorTest, NoMoreThanSoManyAreDegradedAtATime) {
  std::vector<Measure> all(20, measure(100, 0));
  for (const std::size_t bad : {3, 4, 5}) all[bad].failures = 100;
  const std::vector<Decision> decisions = regulate(options(), all);
  ASSERT_EQ(decisions.size(), 2u);
  EXPECT_EQ(decisions[0].index, 3u);
  EXPECT_EQ(decisions[1].index, 4u);
}

TEST(RegulatorTest, WarmingUpIsNoFault) {
  std::vector<Measure> all(8, measure(100, 0));
  all[2].failures = 100;
  all[2].warming_up = true;
  EXPECT_TRUE(regulate(options(), all).empty());
}

TEST(RegulatorTest, WhoIsNeverCalledGetsAnotherChance) {
  std::vector<Measure> all{measure(100, 0), measure(0, 0, 1), measure(100, 0)};
  EXPECT_TRUE(regulate(options(), all).empty());
  all[1].idle_windows = 7;
  const std::vector<Decision> decisions = regulate(options(), all);
  ASSERT_EQ(decisions.size(), 1u);
  EXPECT_EQ(decisions[0].weight, 2);
}

TEST(RegulatorTest, NobodyCalledNothingDecided) {
  EXPECT_TRUE(regulate(options(), {}).empty());
  const std::vector<Measure> all(4, measure(0, 0));
  EXPECT_TRUE(regulate(options(), all).empty());
}

}  // namespace
}  // namespace settee::rpc::cluster
