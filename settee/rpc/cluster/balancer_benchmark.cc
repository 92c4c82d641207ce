// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0
//
// What choosing one of many providers costs a call, and making a list's balancer whoever changes
// it.

#include <benchmark/benchmark.h>
#include <fmt/format.h>

#include "settee/rpc/cluster/internal/balancer.h"

namespace settee::rpc::cluster {
namespace {

Members members_of(std::size_t count, bool equal) {
  const auto clock = std::make_shared<WeightClock>();
  Members members;
  for (std::size_t i = 0; i < count; ++i) {
    const std::string url = fmt::format("bolt://10.{}.{}.{}:12200?weight={}", i >> 16, i >> 8 & 255,
                                        i & 255, equal ? 100 : 1 + i * 37 % 200);
    members.push_back(std::make_shared<Member>(Provider::parse(url).value(), clock));
    members.back()->latency_ns = 50'000 + static_cast<std::int64_t>(i) * 31 % 1000;
  }
  return members;
}

std::uint64_t next(std::uint64_t& random) {
  random = random * 6364136223846793005u + 1442695040888963407u;
  return random ^ random >> 29;
}

void choose(benchmark::State& state, const char* name, bool equal) {
  static std::shared_ptr<const Balancer> balancer;
  if (state.thread_index() == 0) {
    balancer = make_balancer(name, members_of(static_cast<std::size_t>(state.range(0)), equal),
                             make_round_counters())
                   .value();
  }
  std::uint64_t random = static_cast<std::uint64_t>(state.thread_index()) + 1;
  std::string key = "customer-0000000";  // 16 bytes
  for (auto _ : state) {
    const std::uint64_t bits = next(random);
    key[15] = static_cast<char>('0' + bits % 10);
    key[14] = static_cast<char>('a' + bits / 16 % 16);
    key[13] = static_cast<char>('a' + bits / 256 % 16);
    Choice choice;
    choice.method = "latest";
    choice.random = bits;
    choice.hash_key = key;
    benchmark::DoNotOptimize(balancer->choose(choice));
  }
}
#define SETTEE_CHOOSE(label, name, equal) \
  BENCHMARK_CAPTURE(choose, label, name, equal)->Arg(10)->Arg(1'000)->Arg(10'000)->ThreadRange(1, 2)
SETTEE_CHOOSE(random_equal, "random", true);
SETTEE_CHOOSE(random_weighted, "random", false);
SETTEE_CHOOSE(local_first, "localPref", false);
SETTEE_CHOOSE(round_robin, "roundRobin", true);
SETTEE_CHOOSE(weight_round_robin, "weightRoundRobin", false);
SETTEE_CHOOSE(consistent_hash, "consistentHash", true);
SETTEE_CHOOSE(least_active, "leastActive", true);
SETTEE_CHOOSE(p2c_equal, "p2c", true);
SETTEE_CHOOSE(p2c_weighted, "p2c", false);
#undef SETTEE_CHOOSE

// A weight changes once in so many calls. A thousand providers that all warm up anew within a
// second, at 100,000 calls each second, are one change in 100 calls.
void choose_while_weights_change(benchmark::State& state) {
  const Members members = members_of(1'000, false);
  const auto balancer = make_balancer("random", members, make_round_counters()).value();
  const auto calls = static_cast<std::uint64_t>(state.range(0));
  std::uint64_t random = 1;
  std::uint64_t count = 0;
  for (auto _ : state) {
    if (++count % calls == 0) members[count % 1'000]->set_weight(static_cast<int>(count & 127));
    Choice choice;
    choice.random = next(random);
    benchmark::DoNotOptimize(balancer->choose(choice));
  }
}
BENCHMARK(choose_while_weights_change)->Arg(1)->Arg(100)->Arg(1'000)->Arg(10'000);

void make(benchmark::State& state, const char* name) {
  const Members members = members_of(static_cast<std::size_t>(state.range(0)), true);
  for (auto _ : state) {
    benchmark::DoNotOptimize(make_balancer(name, members, make_round_counters()).value());
  }
}
BENCHMARK_CAPTURE(make, random, "random")->Arg(1'000)->Arg(10'000)->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(make, consistent_hash, "consistentHash")
    ->Arg(1'000)
    ->Arg(10'000)
    ->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(make, weight_consistent_hash, "weightConsistentHash")
    ->Arg(1'000)
    ->Arg(10'000)
    ->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace settee::rpc::cluster
