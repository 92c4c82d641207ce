// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0
//
// What publishing costs the publisher, by the number of those who listen.

#include "settee/base/event_bus.h"

#include <benchmark/benchmark.h>

#include <vector>

namespace settee {
namespace {

struct Tick {
  std::uint64_t n = 0;
};

void publish(benchmark::State& state) {
  static EventBus bus;
  static std::vector<Subscription> subscriptions;
  static std::atomic<std::uint64_t> sum = 0;
  if (state.thread_index() == 0) {
    subscriptions.clear();
    for (int i = 0; i < state.range(0); ++i) {
      subscriptions.push_back(bus.subscribe<Tick>([](const Tick& tick) {
        if (tick.n == UINT64_MAX) sum.fetch_add(1, std::memory_order_relaxed);
      }));
    }
  }
  const EventChannel<Tick> channel = bus.channel<Tick>();
  std::uint64_t n = 0;
  for (auto _ : state) {
    if (channel.active()) channel.publish({n++});
  }
}
BENCHMARK(publish)->Arg(0)->Arg(1)->Arg(2)->Threads(1)->Threads(2);

}  // namespace
}  // namespace settee
