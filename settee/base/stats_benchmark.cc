// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0
//
// What counting costs the thread that counts.

#include "settee/base/stats.h"

#include <benchmark/benchmark.h>

namespace settee {
namespace {

void counter_add(benchmark::State& state) {
  static Stats stats;
  Counter& counter = stats.counter("c", "1", "");
  for (auto _ : state) counter.add();
}
BENCHMARK(counter_add)->ThreadRange(1, 2);

void histogram_record(benchmark::State& state) {
  static Stats stats;
  Histogram& histogram = stats.histogram("h", "ns", "");
  std::uint64_t value = 1;
  for (auto _ : state) {
    histogram.record(value >> 44);
    value = value * 6364136223846793005u + 1442695040888963407u;
  }
}
BENCHMARK(histogram_record)->ThreadRange(1, 2);

void counter_value(benchmark::State& state) {
  Stats stats;
  Counter& counter = stats.counter("c", "1", "");
  counter.add();
  for (auto _ : state) benchmark::DoNotOptimize(counter.value());
}
BENCHMARK(counter_value);

void histogram_snapshot(benchmark::State& state) {
  Stats stats;
  Histogram& histogram = stats.histogram("h", "ns", "");
  for (std::uint64_t i = 0; i < 100000; ++i) histogram.record(i);
  for (auto _ : state) benchmark::DoNotOptimize(histogram.snapshot());
}
BENCHMARK(histogram_snapshot);

}  // namespace
}  // namespace settee
