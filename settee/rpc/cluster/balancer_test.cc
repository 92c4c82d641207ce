// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0

#include "settee/rpc/cluster/internal/balancer.h"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <ifaddrs.h>
#include <netinet/in.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <map>
#include <numeric>
#include <random>
#include <thread>

namespace settee::rpc::cluster {
namespace {

Members members_of(const std::vector<std::string>& urls) {
  const auto clock = std::make_shared<WeightClock>();
  Members members;
  for (const std::string& url : urls) {
    members.push_back(std::make_shared<Member>(Provider::parse(url).value(), clock));
  }
  return members;
}

Members weighing(const std::vector<int>& weights) {
  std::vector<std::string> urls;
  for (std::size_t i = 0; i < weights.size(); ++i) {
    urls.push_back(
        fmt::format("240.0.0.{}:{}?weight={}", i % 200 + 1, 12200 + i / 200, weights[i]));
  }
  return members_of(urls);
}

std::shared_ptr<const Balancer> made(
    std::string_view name, const Members& members,
    std::shared_ptr<RoundCounters> counters = make_round_counters()) {
  Result<std::shared_ptr<const Balancer>> balancer =
      make_balancer(name, members, std::move(counters));
  EXPECT_TRUE(balancer) << balancer.error().what();
  return balancer.value();
}

Choice keyed(std::string_view key, std::uint32_t attempt = 0) {
  Choice choice;
  choice.hash_key = key;
  choice.attempt = attempt;
  return choice;
}

Choice calling(std::string_view method) {
  Choice choice;
  choice.method = method;
  return choice;
}

// How often each of `size` members is chosen.
std::vector<std::uint64_t> chosen(const Balancer& balancer, std::size_t size, int calls,
                                  std::uint64_t seed = 1) {
  std::vector<std::uint64_t> counts(size);
  std::mt19937_64 random(seed);
  for (int i = 0; i < calls; ++i) {
    Choice choice = calling("call");
    choice.random = random();
    ++counts.at(balancer.choose(choice));
  }
  return counts;
}

// Whether the counts may come from these shares: Pearson's chi-square, as a number of standard
// deviations (Wilson and Hilferty). The seeds are fixed, so a test gives the same each time; 4
// would be exceeded by chance once in 30,000 seeds.
double deviation(const std::vector<std::uint64_t>& counts, const std::vector<double>& shares) {
  const double calls = static_cast<double>(std::accumulate(counts.begin(), counts.end(), 0ull));
  const double total = std::accumulate(shares.begin(), shares.end(), 0.0);
  double square = 0;
  double degrees = -1;
  for (std::size_t i = 0; i < counts.size(); ++i) {
    if (shares[i] == 0) {
      EXPECT_EQ(counts[i], 0u) << "of member " << i << ", which has no share";
      continue;
    }
    const double expected = calls * shares[i] / total;
    EXPECT_GE(expected, 5) << "too few calls for this test";
    square += (static_cast<double>(counts[i]) - expected) *
              (static_cast<double>(counts[i]) - expected) / expected;
    ++degrees;
  }
  if (degrees < 1) return 0;
  const double part = 2 / (9 * degrees);
  return (std::cbrt(square / degrees) - (1 - part)) / std::sqrt(part);
}
constexpr double kMostDeviation = 4;

void expect_by_weight(const Balancer& balancer, const Members& members, int calls) {
  std::vector<double> shares;
  for (const auto& member : members) shares.push_back(member->weight());
  if (std::all_of(shares.begin(), shares.end(), [](double share) { return share == 0; })) {
    std::fill(shares.begin(), shares.end(), 1);
  }
  const auto counts = chosen(balancer, members.size(), calls);
  EXPECT_LT(deviation(counts, shares), kMostDeviation) << testing::PrintToString(counts);
}

const std::vector<std::string> kNames{"auto",
                                      "random",
                                      "localPref",
                                      "roundRobin",
                                      "weightRoundRobin",
                                      "consistentHash",
                                      "weightConsistentHash",
                                      "leastActive",
                                      "p2c"};

TEST(BalancerTest, OtherNamesAreRefusedAndThoseThereAreListed) {
  const auto wrong = make_balancer("roundrobin", {}, make_round_counters());
  ASSERT_FALSE(wrong);
  EXPECT_EQ(wrong.error().code(), Code::kInvalidArgument);
  EXPECT_NE(wrong.error().message().find("'roundrobin'"), std::string::npos);
  for (const std::string& name : kNames) {
    EXPECT_NE(wrong.error().message().find(name), std::string::npos) << name;
  }
  EXPECT_FALSE(make_balancer("", {}, make_round_counters()));
}

TEST(BalancerTest, KnowsWhatItWantsAndWhatItCosts) {
  for (const std::string& name : kNames) {
    const bool hashes = name == "consistentHash" || name == "weightConsistentHash";
    EXPECT_EQ(is_dear(name), hashes) << name;
    EXPECT_EQ(made(name, {})->wants_key(), hashes) << name;
  }
  EXPECT_FALSE(is_dear("none"));
}

TEST(BalancerTest, OfNoneChoosesNoneAndOfOneThisWhateverItWeighs) {
  for (const std::string& name : kNames) {
    SCOPED_TRACE(name);
    EXPECT_EQ(made(name, {})->choose({}), Balancer::kNone);
    for (const int weight : {0, 1, 100}) {
      const Members one = weighing({weight});
      const auto balancer = made(name, one);
      EXPECT_EQ(chosen(*balancer, 1, 100), std::vector<std::uint64_t>{100});
      EXPECT_EQ(balancer->choose(keyed("key", 3)), 0u);
    }
  }
}

TEST(BalancerTest, LivesWithoutTheListItWasMadeOf) {
  for (const std::string& name : kNames) {
    Members members = weighing({1, 2, 3});
    const auto balancer = made(name, members);
    members.clear();
    EXPECT_LT(balancer->choose({}), 3u) << name;
  }
}

TEST(RandomBalancerTest, ChoosesByWeight) {
  std::vector<int> ramp(1000);
  std::iota(ramp.begin(), ramp.end(), 10);
  ramp[500] = 0;
  std::vector<int> one_heavy(50, 1);
  one_heavy[17] = 1000;
  const std::vector<std::vector<int>> lists{{100, 100, 100},
                                            {1, 2},
                                            {0, 1, 0, 3, 0},
                                            std::vector<int>(1000, 100),
                                            ramp,
                                            one_heavy,
                                            {0, 0, 0, 0},
                                            {7, 0, 0, 0},
                                            {1, 1, 2, 3, 5, 8, 13, 21, 34, 55},
                                            {2147483647, 2147483647, 1073741824}};
  for (const std::vector<int>& weights : lists) {
    SCOPED_TRACE(testing::PrintToString(weights));
    for (const char* name : {"random", "auto", "localPref", "leastActive"}) {
      SCOPED_TRACE(name);
      // One pass over all members for each call.
      const bool slow = std::string_view(name) == "leastActive";
      if (slow && weights.size() > 100) continue;
      const Members members = weighing(weights);
      expect_by_weight(*made(name, members), members, slow ? 100'000 : 300'000);
    }
  }
}

// A lookup in a table whose shares are rounded to 2^-32 must not lose one that weighs very little.
TEST(RandomBalancerTest, OneThatWeighsLittleIsStillChosen) {
  const Members members = weighing({100'000, 1});
  const auto counts = chosen(*made("random", members), 2, 2'000'000);
  EXPECT_GT(counts[1], 5u);
  EXPECT_LT(counts[1], 50u);
}

TEST(RandomBalancerTest, FollowsWeightsThatChange) {
  std::mt19937_64 random(7);
  const Members members = weighing(std::vector<int>(20, 100));
  const auto balancer = made("random", members);
  const auto local = made("localPref", members);
  for (int round = 0; round < 20; ++round) {
    for (int n = 0; n < 5; ++n) {
      members[random() % members.size()]->set_weight(static_cast<int>(random() % 120) - 10);
    }
    expect_by_weight(*balancer, members, 50'000);
    expect_by_weight(*local, members, 50'000);
  }
  for (const auto& member : members) member->set_weight(-1);
  EXPECT_EQ(members[0]->weight(), 0);
  expect_by_weight(*balancer, members, 50'000);
  members[3]->set_weight(1);
  EXPECT_EQ(chosen(*balancer, 20, 1000)[3], 1000u);
}

// Whoever reads while another computes gets a member, and afterwards the weights that are then.
TEST(RandomBalancerTest, ManyThreadsDrawWhileWeightsChange) {
  const Members members = weighing(std::vector<int>(64, 100));
  std::vector<std::shared_ptr<const Balancer>> balancers;
  for (const std::string& name : kNames) balancers.push_back(made(name, members));
  std::atomic<bool> stop{false};
  std::atomic<std::uint64_t> wrong{0};
  std::vector<std::thread> threads;
  for (std::uint64_t seed = 1; seed <= 3; ++seed) {
    threads.emplace_back([&, seed] {
      std::mt19937_64 random(seed);
      while (!stop.load()) {
        for (const auto& balancer : balancers) {
          Choice choice = keyed("key");
          choice.random = random();
          if (balancer->choose(choice) >= members.size()) wrong.fetch_add(1);
        }
      }
    });
  }
  std::mt19937_64 random(4);
  for (int i = 0; i < 3'000; ++i) {
    Member& member = *members[random() % members.size()];
    member.set_weight(static_cast<int>(random() % 4) * 25);
    member.in_flight.store(static_cast<std::int32_t>(random() % 8));
    member.latency_ns.store(static_cast<std::int64_t>(random() % 8));
    if (i % 16 == 0) std::this_thread::yield();
  }
  stop.store(true);
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(wrong.load(), 0u);
  expect_by_weight(*balancers[1], members, 100'000);
}

TEST(LocalFirstBalancerTest, PrefersWhatIsOnThisHost) {
  for (const char* local : {"127.0.0.1:1", "127.8.9.10:1", "[::1]:1", "[::ffff:127.0.0.1]:1",
                            "localhost:1", "unix:/run/app.sock"}) {
    SCOPED_TRACE(local);
    const Members members = members_of({"240.0.0.1:1", local, "[2001:db8::1]:1", "elsewhere:1"});
    EXPECT_EQ(chosen(*made("localPref", members), 4, 1000),
              (std::vector<std::uint64_t>{0, 1000, 0, 0}));
  }
}

TEST(LocalFirstBalancerTest, KnowsTheAddressesOfTheInterfaces) {
  ifaddrs* found = nullptr;
  ASSERT_EQ(getifaddrs(&found), 0);
  const std::unique_ptr<ifaddrs, decltype(&freeifaddrs)> keep(found, freeifaddrs);
  for (const ifaddrs* item = found; item != nullptr; item = item->ifa_next) {
    if (item->ifa_addr == nullptr || item->ifa_addr->sa_family != AF_INET) continue;
    const net::SocketAddress address(item->ifa_addr, sizeof(sockaddr_in));
    const std::string text = address.to_string();
    const std::string own = text.substr(0, text.find(':')) + ":1";
    EXPECT_EQ(chosen(*made("localPref", members_of({"240.0.0.1", own})), 2, 100)[1], 100u) << own;
  }
}

TEST(LocalFirstBalancerTest, ChoosesByWeightAmongThose) {
  const Members members = members_of({"240.0.0.1", "127.0.0.1:1?weight=10", "240.0.0.2",
                                      "127.0.0.1:2?weight=30", "127.0.0.1:3?weight=0"});
  const auto balancer = made("localPref", members);
  auto counts = chosen(*balancer, 5, 100'000);
  EXPECT_LT(deviation(counts, {0, 10, 0, 30, 0}), kMostDeviation);
  members[3]->set_weight(10);
  EXPECT_LT(deviation(chosen(*balancer, 5, 100'000), {0, 10, 0, 10, 0}), kMostDeviation);
  // Near, but about to be stopped.
  members[1]->set_weight(0);
  members[3]->set_weight(0);
  EXPECT_LT(deviation(chosen(*balancer, 5, 100'000), {1, 0, 1, 0, 0}), kMostDeviation);
  members[0]->set_weight(0);
  members[2]->set_weight(0);
  EXPECT_LT(deviation(chosen(*balancer, 5, 100'000), {0, 1, 0, 1, 1}), kMostDeviation);
}

TEST(RoundRobinBalancerTest, GoesRoundForEachMethodWhateverTheWeights) {
  const auto balancer = made("roundRobin", weighing({1, 0, 100}));
  for (std::size_t i = 0; i < 10; ++i) {
    EXPECT_EQ(balancer->choose(calling("one")), i % 3);
    if (i % 2 == 0) {
      EXPECT_EQ(balancer->choose(calling("other")), i / 2 % 3);
    }
  }
}

TEST(RoundRobinBalancerTest, GoesOnWhenTheListChanges) {
  for (const char* name : {"roundRobin", "weightRoundRobin"}) {
    SCOPED_TRACE(name);
    const auto counters = make_round_counters();
    const auto three = made(name, weighing({1, 1, 1}), counters);
    for (std::size_t i = 0; i < 4; ++i) EXPECT_EQ(three->choose(calling("call")), i % 3);
    const auto five = made(name, weighing({1, 1, 1, 1, 1}), counters);
    EXPECT_EQ(five->choose(calling("call")), 4u);
    EXPECT_EQ(five->choose(calling("call")), 0u);
    EXPECT_EQ(three->choose(calling("call")), 0u);  // 6 % 3
  }
}

TEST(RoundRobinBalancerTest, ThreadsShareTheRounds) {
  const auto balancer = made("roundRobin", weighing(std::vector<int>(7, 1)));
  std::vector<std::vector<std::uint64_t>> counts(4, std::vector<std::uint64_t>(7));
  std::vector<std::thread> threads;
  for (std::vector<std::uint64_t>& mine : counts) {
    threads.emplace_back([&] {
      // Each begins with new methods, so that they are in each other's way there too.
      for (int i = 0; i < 7'000; ++i) ++mine[balancer->choose(calling(std::to_string(i / 70)))];
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (std::size_t i = 0; i < 7; ++i) {
    std::uint64_t sum = 0;
    for (const auto& mine : counts) sum += mine[i];
    EXPECT_EQ(sum, 4'000u);
  }
}

TEST(RoundCountersTest, MethodsBeyondTheLimitShareACounter) {
  RoundCounters counters;
  const auto name = [](std::size_t i) { return fmt::format("method{}", i); };
  for (std::size_t i = 0; i < RoundCounters::kMaxMethods; ++i)
    EXPECT_EQ(counters.next(name(i)), 0u);
  for (std::size_t i = 0; i < 5; ++i) {
    EXPECT_EQ(counters.next(name(RoundCounters::kMaxMethods + i)), i);
  }
  for (std::size_t i = 0; i < RoundCounters::kMaxMethods; ++i)
    EXPECT_EQ(counters.next(name(i)), 1u);
}

// Java's WeightRoundRobinLoadBalancer in its own words.
std::size_t java_round_robin(const std::vector<int>& weights, std::uint64_t count) {
  const int highest = *std::max_element(weights.begin(), weights.end());
  const int lowest = *std::min_element(weights.begin(), weights.end());
  if (highest <= 0 || lowest >= highest) return count % weights.size();
  std::vector<int> left = weights;
  std::uint64_t mod = count % std::accumulate(weights.begin(), weights.end(), 0ull);
  for (int round = 0; round < highest; ++round) {
    for (std::size_t i = 0; i < left.size(); ++i) {
      if (mod == 0 && left[i] > 0) return i;
      if (left[i] > 0) {
        --left[i];
        --mod;
      }
    }
  }
  return Balancer::kNone;
}

TEST(WeightRoundRobinBalancerTest, GoesThroughTheRoundsOfJava) {
  std::mt19937_64 random(3);
  for (int list = 0; list < 100; ++list) {
    std::vector<int> weights(1 + random() % 12);
    for (int& weight : weights) weight = static_cast<int>(random() % (list % 2 == 0 ? 20 : 3));
    const Members members = weighing(weights);
    const auto balancer = made("weightRoundRobin", members);
    for (std::uint64_t call = 0; call < 300; ++call) {
      if (call == 150) {
        weights[0] = 7;
        members[0]->set_weight(7);
      }
      ASSERT_EQ(balancer->choose(calling("call")), java_round_robin(weights, call))
          << testing::PrintToString(weights) << " call " << call;
    }
  }
}

TEST(LeastActiveBalancerTest, ChoosesTheFewestAndAmongThoseByWeight) {
  const Members members = weighing({100, 100, 300, 100, 0});
  const auto balancer = made("leastActive", members);
  expect_by_weight(*balancer, members, 100'000);
  members[0]->in_flight = 1;
  EXPECT_LT(deviation(chosen(*balancer, 5, 100'000), {0, 100, 300, 100, 0}), kMostDeviation);
  members[2]->in_flight = 5;
  EXPECT_LT(deviation(chosen(*balancer, 5, 100'000), {0, 100, 0, 100, 0}), kMostDeviation);
  members[1]->in_flight = 3;
  members[3]->in_flight = 2;
  EXPECT_EQ(chosen(*balancer, 5, 100)[0], 100u);
  // Idle, and so it is to stay, as long as anybody else may be called.
  for (std::size_t i = 0; i < 4; ++i) members[i]->set_weight(0);
  EXPECT_EQ(chosen(*balancer, 5, 100)[4], 100u);
  members[2]->set_weight(1);
  EXPECT_EQ(chosen(*balancer, 5, 100)[2], 100u);
}

TEST(TwoChoicesBalancerTest, OfTwoTheOneThatAnswersSoonerIsCalled) {
  const Members members = weighing({100, 100, 100, 100});
  const auto balancer = made("p2c", members);
  for (std::size_t i = 0; i < 4; ++i) {
    members[i]->latency_ns = static_cast<std::int64_t>(i + 1) * 1000;
  }
  // Of the 6 pairs the first wins 3, the second 2, the third 1. One call in 64 goes to anybody.
  const double any = 1.0 / 64 / 4;
  const auto wins = [&](double pairs) { return any + 63.0 / 64 * pairs / 6; };
  EXPECT_LT(deviation(chosen(*balancer, 4, 100'000), {wins(3), wins(2), wins(1), wins(0)}),
            kMostDeviation);
  // Quick, but with a queue.
  members[0]->in_flight = 9;
  EXPECT_LT(deviation(chosen(*balancer, 4, 100'000), {wins(0), wins(3), wins(2), wins(1)}),
            kMostDeviation);
}

TEST(TwoChoicesBalancerTest, NewOnesAreTriedButNotFlooded) {
  const Members members = weighing(std::vector<int>(10, 100));
  const auto balancer = made("p2c", members);
  for (std::size_t i = 1; i < 10; ++i) members[i]->latency_ns = 1000;
  // It wins each pair it is in.
  const auto counts = chosen(*balancer, 10, 100'000);
  EXPECT_NEAR(static_cast<double>(counts[0]), 20'000, 500);
  // Its first call has not been answered, and others have nothing to do.
  members[0]->in_flight = 1;
  EXPECT_NEAR(static_cast<double>(chosen(*balancer, 10, 100'000)[0]), 156, 50);
}

TEST(TwoChoicesBalancerTest, WeighsBothDraws) {
  const Members members = weighing({100, 100, 1, 0});
  const auto balancer = made("p2c", members);
  const auto counts = chosen(*balancer, 4, 100'000);
  EXPECT_LT(counts[2], 2'000u);
  EXPECT_GT(counts[2], 100u);
  EXPECT_EQ(counts[3], 0u);
  for (const auto& member : members) member->set_weight(member == members[3] ? 1 : 0);
  EXPECT_EQ(chosen(*balancer, 4, 1000)[3], 1000u);
}

// A simulation: one call in each unit of time, answers after 3 units, the first provider's after 30
// at first and then after 3 too.
TEST(TwoChoicesBalancerTest, ASlowOneGetsFewerCallsUntilItIsQuickAgain) {
  for (const char* name : {"p2c", "leastActive"}) {
    SCOPED_TRACE(name);
    const Members members = weighing({100, 100, 100});
    const auto balancer = made(name, members);
    std::multimap<std::uint64_t, std::size_t> ends;
    std::mt19937_64 random(5);
    std::uint64_t now = 0;
    const auto calls_of_first = [&](std::uint64_t slow) {
      std::uint64_t count = 0;
      for (const std::uint64_t until = now + 100'000; now < until; ++now) {
        for (; !ends.empty() && ends.begin()->first <= now; ends.erase(ends.begin())) {
          Member& member = *members[ends.begin()->second];
          --member.in_flight;
          const std::int64_t took =
              (&member == members[0].get() ? static_cast<int>(slow) : 3) * 1000;
          member.latency_ns += (took - member.latency_ns) / 8;
        }
        Choice choice;
        choice.random = random();
        const std::size_t index = balancer->choose(choice);
        ++members[index]->in_flight;
        ends.emplace(now + (index == 0 ? slow : 3), index);
        if (index == 0) ++count;
      }
      return count;
    };
    EXPECT_LT(calls_of_first(30), 10'000u);
    EXPECT_GT(calls_of_first(3), 25'000u);
  }
}

Members hundred() { return weighing(std::vector<int>(100, 100)); }

TEST(ConsistentHashBalancerTest, RemovingOneOfAHundredMovesOnlyItsKeys) {
  for (const char* name : {"consistentHash", "weightConsistentHash"}) {
    SCOPED_TRACE(name);
    const Members all = hundred();
    Members fewer = all;
    fewer.erase(fewer.begin() + 42);
    const auto before = made(name, all);
    const auto after = made(name, fewer);
    int moved = 0;
    for (int i = 0; i < 20'000; ++i) {
      const std::string key = fmt::format("key{}", i);
      const std::size_t was = before->choose(keyed(key));
      const auto& is = fewer[after->choose(keyed(key))];
      if (is == all[was]) continue;
      ++moved;
      ASSERT_EQ(was, 42u) << "only keys of the one that is gone move";
      // To the one that it would have failed over to.
      ASSERT_EQ(is, all[before->choose(keyed(key, 1))]);
    }
    EXPECT_GT(moved, 100);
    EXPECT_LT(moved, 400);  // 200 is a hundredth
  }
}

TEST(ConsistentHashBalancerTest, FurtherAttemptsGoToOthers) {
  const auto balancer = made("consistentHash", hundred());
  for (int i = 0; i < 100; ++i) {
    std::vector<std::size_t> tried;
    for (std::uint32_t attempt = 0; attempt < 10; ++attempt) {
      const std::size_t index = balancer->choose(keyed(std::to_string(i), attempt));
      EXPECT_EQ(std::count(tried.begin(), tried.end(), index), 0);
      tried.push_back(index);
    }
  }
  const auto two = made("consistentHash", weighing({1, 1}));
  EXPECT_NE(two->choose(keyed("a", 0)), two->choose(keyed("a", 1)));
  for (std::uint32_t attempt = 2; attempt < 40; ++attempt) {
    EXPECT_LT(two->choose(keyed("a", attempt)), 2u);
  }
}

TEST(ConsistentHashBalancerTest, SharesAreEvenOrByWeight) {
  const Members members = weighing({100, 300, 0, 200});
  const auto count = [&](const char* name) {
    const auto balancer = made(name, members);
    std::vector<double> counts(4);
    for (int i = 0; i < 60'000; ++i) ++counts[balancer->choose(keyed(std::to_string(i)))];
    return counts;
  };
  // How even a ring is depends on its number of points.
  for (const double one : count("consistentHash")) EXPECT_NEAR(one, 15'000, 4'500);
  const std::vector<double> weighed = count("weightConsistentHash");
  EXPECT_NEAR(weighed[0], 10'000, 1'000);
  EXPECT_NEAR(weighed[1], 30'000, 2'000);
  EXPECT_EQ(weighed[2], 0);
  EXPECT_NEAR(weighed[3], 20'000, 1'500);
}

TEST(ConsistentHashBalancerTest, NobodyWithWeightIsAllAlike) {
  const auto balancer = made("weightConsistentHash", weighing({0, 0, 0}));
  const auto plain = made("consistentHash", weighing({0, 0, 0}));
  for (int i = 0; i < 100; ++i) {
    const std::string key = std::to_string(i);
    EXPECT_EQ(balancer->choose(keyed(key)), plain->choose(keyed(key)));
  }
}

// A registry cannot make us use all memory with weights as high as they can be.
TEST(ConsistentHashBalancerTest, HighestWeightsAreScaledDown) {
  const Members members = weighing({2147483647, 2147483647, 0, 1});
  const auto balancer = made("weightConsistentHash", members);
  std::vector<int> counts(4);
  for (int i = 0; i < 10'000; ++i) ++counts[balancer->choose(keyed(std::to_string(i)))];
  EXPECT_NEAR(counts[0], 5'000, 250);
  EXPECT_EQ(counts[2], 0);
}

// What Java's balancers choose for the same calls, see interop/golden/README.md.
TEST(GoldenBalancerTest, ChoosesWhatJavaChooses) {
  const std::filesystem::path file =
      std::filesystem::path(SETTEE_SOURCE_DIR) / "interop/golden/java-balancers.txt";
  if (!std::filesystem::exists(file)) GTEST_SKIP() << "no interop/golden";
  std::ifstream in(file);
  std::vector<std::string> urls;
  std::map<std::string, std::shared_ptr<const Balancer>> balancers;
  std::map<std::string, int> lines;
  for (std::string line; std::getline(in, line);) {
    const std::size_t first = line.find('\t');
    const std::size_t last = line.rfind('\t');
    ASSERT_NE(first, std::string::npos) << line;
    const std::string kind = line.substr(0, first);
    ++lines[kind];
    if (kind == "provider") {
      if (!balancers.empty()) {  // another list
        urls.clear();
        balancers.clear();
      }
      urls.push_back(line.substr(first + 1));
      continue;
    }
    auto& balancer = balancers[kind];
    if (!balancer) balancer = made(kind, members_of(urls));
    Choice choice = calling("call");
    const std::string key = line.substr(first + 1, last - first - 1);
    choice.hash_key = key;
    ASSERT_EQ(balancer->choose(choice), std::stoull(line.substr(last + 1))) << line;
  }
  EXPECT_EQ(lines, (std::map<std::string, int>{{"provider", 54},
                                               {"consistentHash", 400},
                                               {"weightConsistentHash", 400},
                                               {"roundRobin", 107},
                                               {"weightRoundRobin", 600}}));
}

}  // namespace
}  // namespace settee::rpc::cluster
