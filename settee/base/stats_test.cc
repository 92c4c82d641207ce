// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0

#include "settee/base/stats.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <barrier>
#include <cmath>
#include <random>
#include <thread>

#include "settee/base/error.h"

namespace settee {
namespace {

Code code_of(const std::function<void()>& call) {
  try {
    call();
  } catch (const Error& error) {
    return error.code();
  }
  return Code::kUnknown;
}

TEST(Stats, CountsAndReads) {
  Stats stats;
  Counter& calls = stats.counter("calls", "1", "Calls begun");
  UpDownCounter& open = stats.up_down_counter("open", "1", "Open connections");
  EXPECT_EQ(calls.value(), 0u);
  calls.add();
  calls.add(41);
  open.add(2);
  open.subtract(5);
  EXPECT_EQ(calls.value(), 42u);
  EXPECT_EQ(open.value(), -3);

  const auto found = stats.find("calls");
  ASSERT_TRUE(found);
  EXPECT_EQ(found->value, 42);
  EXPECT_EQ(found->info->unit, "1");
  EXPECT_EQ(found->info->description, "Calls begun");
  EXPECT_EQ(found->info->kind, StatKind::kCounter);
  EXPECT_FALSE(stats.find("nothing"));
}

TEST(Stats, SameNameAndTagsIsTheSameCell) {
  Stats stats;
  Counter& a = stats.counter("calls", "1", "", {{"service", "A"}, {"method", "m"}});
  Counter& same = stats.counter("calls", "1", "", {{"method", "m"}, {"service", "A"}});
  Counter& other = stats.counter("calls", "1", "", {{"service", "B"}, {"method", "m"}});
  Counter& bare = stats.counter("calls", "1", "");
  EXPECT_EQ(&a, &same);
  EXPECT_NE(&a, &other);
  EXPECT_NE(&a, &bare);
  a.add(3);
  EXPECT_EQ(stats.find("calls", {{"service", "A"}, {"method", "m"}}).value().value, 3);
  EXPECT_EQ(stats.find("calls", {{"service", "B"}, {"method", "m"}}).value().value, 0);
  EXPECT_EQ(stats.size(), 3u);
}

TEST(Stats, TagsThatWouldReadAlikeWhenJoinedAreDifferentCells) {
  Stats stats;
  Counter& one = stats.counter("c", "1", "", {{"a", std::string("1\0b\1", 4) + "2"}});
  Counter& two = stats.counter("c", "1", "", {{"a", "1"}, {"b", "2"}});
  EXPECT_NE(&one, &two);
}

TEST(Stats, RegistrationErrors) {
  Stats stats(2);
  stats.counter("a", "1", "");
  EXPECT_EQ(code_of([&] { stats.histogram("a", "1", ""); }), Code::kMisuse);
  EXPECT_EQ(code_of([&] { stats.up_down_counter("a", "1", ""); }), Code::kMisuse);
  EXPECT_EQ(code_of([&] { stats.counter("a", "By", ""); }), Code::kMisuse);
  EXPECT_EQ(code_of([&] { stats.counter("", "1", ""); }), Code::kInvalidArgument);
  EXPECT_EQ(code_of([&] { stats.counter("a b", "1", ""); }), Code::kInvalidArgument);
  EXPECT_EQ(code_of([&] { stats.counter("b", "1", "", {{"", "x"}}); }), Code::kInvalidArgument);
  EXPECT_EQ(code_of([&] {
              stats.counter("b", "1", "", {{"k", "x"}, {"k", "y"}});
            }),
            Code::kInvalidArgument);
  stats.counter("b", "1", "");
  EXPECT_EQ(code_of([&] { stats.counter("c", "1", ""); }), Code::kLimit);
  stats.counter("a", "1", "");  // those that are there may still be asked for
  try {
    stats.histogram("a", "ns", "");
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(
        error.message(),
        "register a as a histogram in 'ns': it is already a counter in '1'; use another name");
  }
}

TEST(Stats, VisitShowsAllCellsInOrder) {
  Stats stats;
  stats.counter("b", "1", "").add(2);
  stats.histogram("c", "ns", "").record(7);
  stats.up_down_counter("a", "1", "").add(-1);
  stats.counter("b", "1", "", {{"k", "v"}}).add(3);
  std::vector<std::pair<std::string, std::int64_t>> seen;
  stats.visit([&](const StatValue& cell) {
    seen.emplace_back(cell.info->name, cell.value);
    stats.counter("b", "1", "");  // no lock is held here
  });
  const std::vector<std::pair<std::string, std::int64_t>> expected{
      {"a", -1}, {"b", 2}, {"b", 3}, {"c", 1}};
  EXPECT_EQ(seen, expected);
  EXPECT_EQ(stats.snapshot().size(), 4u);
}

TEST(Stats, ManyCellsEachKeepTheirOwnValue) {
  Stats stats;
  std::vector<Counter*> cells;
  for (int i = 0; i < 300; ++i) {
    cells.push_back(&stats.counter("c" + std::to_string(i), "1", ""));
  }
  for (std::size_t i = 0; i < cells.size(); ++i) cells[i]->add(i);
  for (std::size_t i = 0; i < cells.size(); ++i) EXPECT_EQ(cells[i]->value(), i);
}

// More threads than there are slots of their own, all alive at once, and several generations of
// them: nothing may be lost when slots are shared or change hands.
TEST(Stats, NothingIsLostAcrossThreads) {
  constexpr int kThreads = 150;
  constexpr int kGenerations = 3;
  constexpr int kAdds = 500;
  Stats stats;
  Counter& counter = stats.counter("c", "1", "");
  UpDownCounter& level = stats.up_down_counter("l", "1", "");
  Histogram& histogram = stats.histogram("h", "1", "");
  for (int generation = 0; generation < kGenerations; ++generation) {
    std::barrier all_alive(kThreads);
    std::vector<std::thread> threads;
    for (int t = 0; t < kThreads; ++t) {
      threads.emplace_back([&, t] {
        counter.add(0);
        all_alive.arrive_and_wait();
        for (int i = 0; i < kAdds; ++i) {
          counter.add();
          level.add(2);
          level.subtract(1);
          histogram.record(static_cast<std::uint64_t>(t * kAdds + i));
        }
        all_alive.arrive_and_wait();
      });
    }
    for (auto& thread : threads) thread.join();
  }
  constexpr std::uint64_t kAll = kThreads * kAdds;
  EXPECT_EQ(counter.value(), kAll * kGenerations);
  EXPECT_EQ(level.value(), static_cast<std::int64_t>(kAll * kGenerations));
  const HistogramSnapshot snapshot = histogram.snapshot();
  EXPECT_EQ(snapshot.count(), kAll * kGenerations);
  EXPECT_EQ(snapshot.sum(), kGenerations * (kAll * (kAll - 1) / 2));
  EXPECT_EQ(snapshot.min(), 0u);
  EXPECT_EQ(snapshot.max(), kAll - 1);
}

TEST(Stats, ReadingWhileOthersCountNeverGoesBack) {
  Stats stats;
  Counter& counter = stats.counter("c", "1", "");
  Histogram& histogram = stats.histogram("h", "1", "");
  std::atomic<bool> stop = false;
  std::vector<std::thread> threads;
  for (int t = 0; t < 3; ++t) {
    threads.emplace_back([&] {
      for (std::uint64_t i = 0; !stop.load(std::memory_order_relaxed); ++i) {
        counter.add();
        histogram.record(i);
      }
    });
  }
  std::uint64_t last = 0;
  std::uint64_t last_count = 0;
  for (int i = 0; i < 200; ++i) {
    const std::uint64_t now = counter.value();
    EXPECT_GE(now, last);
    last = now;
    const HistogramSnapshot snapshot = histogram.snapshot();
    EXPECT_GE(snapshot.count(), last_count);
    EXPECT_LE(snapshot.min(), snapshot.max());
    EXPECT_LE(snapshot.percentile(0.5), snapshot.max());
    last_count = snapshot.count();
  }
  stop = true;
  for (auto& thread : threads) thread.join();
}

TEST(StatOwner, CellsEndWithTheirOwner) {
  Stats stats;
  stats.counter("stays", "1", "");
  {
    StatOwner module(stats);
    module.counter("leaves", "1", "").add(5);
    module.histogram("leaves.too", "ns", "").record(1);
    module.up_down_counter("and.this", "1", "").add(1);
    EXPECT_EQ(stats.size(), 4u);
  }
  EXPECT_EQ(stats.size(), 1u);
  // The place of a cell that left is used again and starts at zero.
  EXPECT_EQ(stats.counter("new", "1", "").value(), 0u);
  EXPECT_EQ(stats.up_down_counter("new2", "1", "").value(), 0);
  EXPECT_EQ(stats.counter("leaves", "1", "").value(), 0u);
}

TEST(StatOwner, ASharedCellStaysForItsLastOwner) {
  Stats stats;
  auto first = std::make_unique<StatOwner>(stats);
  auto second = std::make_unique<StatOwner>(stats);
  Counter& counter = first->counter("c", "1", "");
  EXPECT_EQ(&counter, &first->counter("c", "1", ""));
  EXPECT_EQ(&counter, &second->counter("c", "1", ""));
  counter.add(1);
  first.reset();
  counter.add(1);
  EXPECT_EQ(stats.find("c").value().value, 2);
  second.reset();
  EXPECT_FALSE(stats.find("c"));

  StatOwner third(stats);
  Counter& kept = third.counter("k", "1", "");
  EXPECT_EQ(&kept, &stats.counter("k", "1", ""));
}

TEST(StatOwner, ACellKeptByTheStatsOutlivesItsOwners) {
  Stats stats;
  Counter& counter = stats.counter("c", "1", "");
  { StatOwner(stats).counter("c", "1", "").add(4); }
  counter.add();
  EXPECT_EQ(stats.find("c").value().value, 5);
}

TEST(StatOwner, MayOutliveTheStats) {
  auto stats = std::make_unique<Stats>();
  StatOwner owner(*stats);
  Counter& counter = owner.counter("c", "1", "");
  Histogram& histogram = owner.histogram("h", "1", "");
  stats.reset();
  counter.add(2);
  histogram.record(9);
  EXPECT_EQ(counter.value(), 2u);
  EXPECT_EQ(histogram.snapshot().count(), 1u);
}

TEST(StatOwner, OwnersComeAndGoOnManyThreads) {
  Stats stats;
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 300; ++i) {
        StatOwner owner(stats);
        owner.counter("shared", "1", "").add();
        owner.histogram("h", "1", "").record(1);
        stats.visit([](const StatValue&) {});
      }
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(stats.size(), 0u);
}

TEST(Histogram, EmptyAndSingle) {
  Stats stats;
  Histogram& histogram = stats.histogram("h", "ns", "");
  HistogramSnapshot empty = histogram.snapshot();
  EXPECT_EQ(empty.count(), 0u);
  EXPECT_EQ(empty.min(), 0u);
  EXPECT_EQ(empty.max(), 0u);
  EXPECT_EQ(empty.mean(), 0);
  EXPECT_EQ(empty.percentile(0.5), 0u);
  EXPECT_TRUE(empty.buckets().empty());

  histogram.record(123456789);
  const HistogramSnapshot one = histogram.snapshot();
  for (const double q : {0.0, 0.5, 0.99, 1.0, -1.0, 2.0, std::nan("")}) {
    EXPECT_EQ(one.percentile(q), 123456789u) << q;  // min and max cut the bucket
  }
}

TEST(Histogram, BucketsCoverEveryValueWithinTheirError) {
  std::vector<std::uint64_t> values{0, 1, 31, 32, 63, 64, 65, 127, 128, UINT64_MAX};
  for (int bit = 6; bit < 64; ++bit) {
    const std::uint64_t power = std::uint64_t{1} << bit;
    for (const std::uint64_t value : {power - 1, power, power + 1, power + power / 3}) {
      values.push_back(value);
    }
  }
  Stats stats;
  for (std::size_t i = 0; i < values.size(); ++i) {
    Histogram& histogram = stats.histogram("h" + std::to_string(i), "1", "");
    histogram.record(values[i]);
    const HistogramSnapshot snapshot = histogram.snapshot();
    ASSERT_EQ(snapshot.buckets().size(), 1u);
    const HistogramSnapshot::Bucket& bucket = snapshot.buckets()[0];
    EXPECT_LE(bucket.lower, values[i]);
    EXPECT_GE(bucket.upper, values[i]);
    const double middle =
        static_cast<double>(bucket.lower) + static_cast<double>(bucket.upper - bucket.lower) / 2;
    const double half = static_cast<double>(bucket.upper - bucket.lower) / 2;
    EXPECT_LE(half, 0.016 * middle) << values[i];
  }
}

TEST(Histogram, PercentilesOfRandomValuesAreWithinTheirError) {
  std::mt19937_64 random(7);
  std::lognormal_distribution<double> distribution(12, 2);
  Stats stats;
  Histogram& histogram = stats.histogram("h", "ns", "");
  std::vector<std::uint64_t> values;
  std::uint64_t sum = 0;
  for (int i = 0; i < 20000; ++i) {
    values.push_back(static_cast<std::uint64_t>(distribution(random)));
    sum += values.back();
    histogram.record(values.back());
  }
  std::sort(values.begin(), values.end());
  const HistogramSnapshot snapshot = histogram.snapshot();
  EXPECT_EQ(snapshot.count(), values.size());
  EXPECT_EQ(snapshot.sum(), sum);
  EXPECT_EQ(snapshot.min(), values.front());
  EXPECT_EQ(snapshot.max(), values.back());
  for (const double q : {0.001, 0.1, 0.5, 0.9, 0.99, 0.999, 0.9999}) {
    const auto rank =
        static_cast<std::size_t>(std::ceil(q * static_cast<double>(values.size()))) - 1;
    const auto exact = static_cast<double>(values[rank]);
    EXPECT_NEAR(static_cast<double>(snapshot.percentile(q)), exact, exact * 0.016) << q;
  }
}

TEST(Histogram, SinceShowsWhatCameLater) {
  Stats stats;
  Histogram& histogram = stats.histogram("h", "ns", "");
  for (int i = 0; i < 10; ++i) histogram.record(5);
  histogram.record(1000000);
  const HistogramSnapshot earlier = histogram.snapshot();
  EXPECT_EQ(histogram.snapshot().since(earlier).count(), 0u);
  EXPECT_EQ(histogram.snapshot().since(earlier).max(), 0u);
  histogram.record(5);
  histogram.record(70);
  const HistogramSnapshot later = histogram.snapshot().since(earlier);
  EXPECT_EQ(later.count(), 2u);
  EXPECT_EQ(later.sum(), 75u);
  EXPECT_EQ(later.min(), 5u);
  EXPECT_NEAR(static_cast<double>(later.max()), 70, 70 * 0.016);
}

}  // namespace
}  // namespace settee
