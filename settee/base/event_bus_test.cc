// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0

#include "settee/base/event_bus.h"

#include <gtest/gtest.h>

#include <barrier>
#include <condition_variable>
#include <deque>
#include <latch>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "settee/base/stats.h"

namespace settee {

struct Started {
  int id = 0;
};
struct Ended {
  std::string name;
};

namespace {

struct Hidden {
  int id = 0;
};

using Job = std::function<void()>;

// Runs jobs one after the other on a thread of its own.
class Worker {
 public:
  Worker() : thread_([this] { run(); }) {}
  ~Worker() {
    post(nullptr);
    thread_.join();
  }
  void post(Job job) {
    const std::lock_guard lock(mutex_);
    jobs_.push_back(std::move(job));
    changed_.notify_one();
  }

 private:
  void run() {
    for (;;) {
      std::unique_lock lock(mutex_);
      changed_.wait(lock, [this] { return !jobs_.empty(); });
      Job job = std::move(jobs_.front());
      jobs_.pop_front();
      lock.unlock();
      if (!job) return;
      job();
    }
  }
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Job> jobs_;
  std::thread thread_;
};

TEST(EventBus, PublishesToThoseWhoListenInTheirOrder) {
  EventBus bus;
  const EventChannel<Started> started = bus.channel<Started>();
  EXPECT_FALSE(started.active());
  started.publish({1});  // nobody listens: nothing happens

  std::vector<std::string> seen;
  Subscription a = bus.subscribe<Started>(
      [&](const Started& event) { seen.push_back("a" + std::to_string(event.id)); });
  EXPECT_TRUE(started.active());
  Subscription b = bus.subscribe<Started>(
      [&](const Started& event) { seen.push_back("b" + std::to_string(event.id)); });
  Subscription c = bus.subscribe<Ended>([&](const Ended& event) { seen.push_back(event.name); });
  started.publish({2});
  a.unsubscribe();
  EXPECT_FALSE(a);
  a.unsubscribe();
  Subscription d = bus.subscribe<Started>(
      [&](const Started& event) { seen.push_back("d" + std::to_string(event.id)); });
  started.publish({3});
  bus.channel<Ended>().publish({"end"});
  EXPECT_EQ(seen, (std::vector<std::string>{"a2", "b2", "b3", "d3", "end"}));

  b.unsubscribe();
  d = Subscription();
  EXPECT_FALSE(started.active());
  EXPECT_TRUE(bus.channel<Ended>().active());
}

TEST(EventBus, ChannelsAreFoundByTypeName) {
  EventBus bus;
  EventBus other;
  int seen = 0;
  Subscription subscription = bus.subscribe<Hidden>([&](const Hidden& event) { seen = event.id; });
  EXPECT_FALSE(other.channel<Hidden>().active());
  EXPECT_FALSE(bus.channel<Started>().active());
  bus.channel<Hidden>().publish({5});
  EXPECT_EQ(seen, 5);
}

TEST(EventBus, WhatASubscriberThrowsHurtsNobody) {
  Stats stats;
  EventBus bus(&stats);
  int before = 0;
  int after = 0;
  Subscription a = bus.subscribe<Started>([&](const Started&) { ++before; });
  Subscription bad = bus.subscribe<Started>([&](const Started& event) {
    if (event.id == 1) throw std::runtime_error("no");
    throw 3;
  });
  Subscription b = bus.subscribe<Started>([&](const Started&) { ++after; });
  bus.channel<Started>().publish({1});
  bus.channel<Started>().publish({2});
  EXPECT_EQ(before, 2);
  EXPECT_EQ(after, 2);
  EXPECT_EQ(bad.failures(), 2u);
  EXPECT_EQ(a.failures(), 0u);
  EXPECT_EQ(bus.failures(), 2u);
  EXPECT_EQ(stats.find("settee.events.subscriber_failures").value().value, 2);
  bad.unsubscribe();
  EXPECT_EQ(bus.failures(), 2u);
}

TEST(EventBus, UnsubscribingDestroysTheFunction) {
  EventBus bus;
  auto owned = std::make_shared<int>(0);
  Subscription subscription = bus.subscribe<Started>([owned](const Started&) {});
  EXPECT_EQ(owned.use_count(), 2);
  subscription.unsubscribe();
  EXPECT_EQ(owned.use_count(), 1);
}

TEST(EventBus, UnsubscribeInsideTheCallback) {
  EventBus bus;
  auto owned = std::make_shared<int>(0);
  Subscription subscription;
  long uses_inside = 0;
  subscription = bus.subscribe<Started>([&, owned](const Started&) {
    ++*owned;
    subscription.unsubscribe();
    uses_inside = owned.use_count();  // still alive: we run in it
  });
  int later = 0;
  Subscription other = bus.subscribe<Started>([&](const Started&) { ++later; });
  bus.channel<Started>().publish({});
  EXPECT_EQ(uses_inside, 2);
  EXPECT_EQ(owned.use_count(), 1);
  bus.channel<Started>().publish({});
  EXPECT_EQ(*owned, 1);
  EXPECT_EQ(later, 2);
}

TEST(EventBus, UnsubscribeOthersAndSubscribeInsideTheCallback) {
  EventBus bus;
  std::vector<std::string> seen;
  Subscription second;
  Subscription third;
  Subscription first = bus.subscribe<Started>([&](const Started&) {
    seen.push_back("first");
    second.unsubscribe();
    if (!third) {
      third = bus.subscribe<Started>([&](const Started&) { seen.push_back("third"); });
    }
  });
  second = bus.subscribe<Started>([&](const Started&) { seen.push_back("second"); });
  bus.channel<Started>().publish({});
  EXPECT_EQ(seen, (std::vector<std::string>{"first"}));
  bus.channel<Started>().publish({});
  EXPECT_EQ(seen, (std::vector<std::string>{"first", "first", "third"}));
}

TEST(EventBus, PublishInsideTheCallback) {
  EventBus bus;
  const auto started = bus.channel<Started>();
  std::vector<int> seen;
  auto owned = std::make_shared<int>(0);
  std::optional<Subscription> subscription;
  subscription = bus.subscribe<Started>([&, owned](const Started& event) {
    seen.push_back(event.id);
    if (event.id < 3) {
      started.publish({event.id + 1});
    } else {
      subscription.reset();  // three calls of it are below us on the stack
      EXPECT_EQ(owned.use_count(), 2);
    }
  });
  started.publish({0});
  EXPECT_EQ(seen, (std::vector<int>{0, 1, 2, 3}));
  EXPECT_EQ(owned.use_count(), 1);
}

TEST(EventBus, ACallbackMayOwnItsSubscription) {
  EventBus bus;
  int calls = 0;
  auto holder = std::make_shared<Subscription>();
  *holder = bus.subscribe<Started>([holder, &calls](const Started&) {
    ++calls;
    holder->unsubscribe();
  });
  std::weak_ptr<Subscription> seen = holder;
  holder.reset();
  bus.channel<Started>().publish({});
  bus.channel<Started>().publish({});
  EXPECT_EQ(calls, 1);
  EXPECT_TRUE(seen.expired());
}

TEST(EventBus, ASubscriptionMayOutliveTheBus) {
  auto bus = std::make_unique<EventBus>();
  auto owned = std::make_shared<int>(0);
  Subscription subscription = bus->subscribe<Started>([owned](const Started&) {});
  bus.reset();
  EXPECT_EQ(subscription.failures(), 0u);
  subscription.unsubscribe();
  EXPECT_EQ(owned.use_count(), 1);
}

TEST(EventBus, UnsubscribeWaitsForACallOnAnotherThread) {
  EventBus bus;
  std::latch inside(1);
  std::atomic<bool> finished = false;
  Subscription subscription = bus.subscribe<Started>([&](const Started&) {
    inside.count_down();
    std::this_thread::sleep_for(std::chrono::milliseconds(30));
    finished = true;
  });
  std::thread publisher([&] { bus.channel<Started>().publish({}); });
  inside.wait();
  subscription.unsubscribe();
  EXPECT_TRUE(finished);
  publisher.join();
}

TEST(EventBus, UnsubscribeDoesNotWaitForOtherSubscribers) {
  EventBus bus;
  std::latch inside(1);
  std::latch release(1);
  Subscription slow = bus.subscribe<Started>([&](const Started&) {
    inside.count_down();
    release.wait();
  });
  Subscription quick = bus.subscribe<Started>([&](const Started&) {});
  std::thread publisher([&] { bus.channel<Started>().publish({}); });
  inside.wait();
  quick.unsubscribe();  // would never return if it waited for `slow`
  release.count_down();
  publisher.join();
}

// The promise that unloading a module rests on, with publishers on more threads than own a slot.
TEST(EventBus, AfterUnsubscribeNothingRunsAnyMore) {
  constexpr int kPublishers = 140;
  EventBus bus;
  const auto started = bus.channel<Started>();
  std::atomic<bool> stop = false;
  std::barrier all_alive(kPublishers + 1);
  std::vector<std::thread> publishers;
  for (int i = 0; i < kPublishers; ++i) {
    publishers.emplace_back([&] {
      if (started.active()) started.publish({});
      all_alive.arrive_and_wait();
      while (!stop) {
        started.publish({});
        std::this_thread::yield();
      }
    });
  }
  std::atomic<std::uint64_t> calls_of_other = 0;
  Subscription other = bus.subscribe<Started>([&](const Started&) { ++calls_of_other; });
  all_alive.arrive_and_wait();
  std::uint64_t calls = 0;
  for (int i = 0; i < 100; ++i) {
    auto gone = std::make_unique<std::atomic<int>>(0);
    Subscription subscription = bus.subscribe<Started>(
        [&counter = *gone](const Started&) { counter.fetch_add(1, std::memory_order_relaxed); });
    while (gone->load() == 0) std::this_thread::yield();
    subscription.unsubscribe();
    calls += static_cast<std::uint64_t>(gone->load());
    gone.reset();  // a late call would be a use after free
  }
  stop = true;
  for (auto& publisher : publishers) publisher.join();
  EXPECT_GE(calls, 100u);
  EXPECT_GT(calls_of_other.load(), 0u);
}

TEST(EventBus, CallbacksEndingThemselvesOnManyThreads) {
  EventBus bus;
  const auto started = bus.channel<Started>();
  std::vector<std::thread> threads;
  std::atomic<int> calls = 0;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 200; ++i) {
        const auto self = std::this_thread::get_id();
        Subscription subscription;
        bool done = false;
        subscription = bus.subscribe<Started>([&, self](const Started&) {
          if (std::this_thread::get_id() != self) return;
          ++calls;
          done = true;
          subscription.unsubscribe();
        });
        started.publish({});
        EXPECT_TRUE(done);
      }
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(calls.load(), 800);
  EXPECT_FALSE(started.active());
}

TEST(EventQueue, DeliversLaterInOrderAndDropsWhatDoesNotFit) {
  Stats stats;
  EventBus bus(&stats);
  std::deque<Job> jobs;
  std::vector<std::string> seen;
  Subscription subscription =
      bus.subscribe<Ended>([&](const Ended& event) { seen.push_back(event.name); },
                           EventQueue([&](Job job) { jobs.push_back(std::move(job)); }, 3));
  const auto ended = bus.channel<Ended>();
  for (int i = 0; i < 5; ++i) ended.publish({"e" + std::to_string(i)});
  EXPECT_TRUE(seen.empty());
  ASSERT_EQ(jobs.size(), 1u);  // one job for all that waits
  EXPECT_EQ(subscription.dropped(), 2u);
  EXPECT_EQ(bus.dropped(), 2u);
  EXPECT_EQ(stats.find("settee.events.dropped").value().value, 2);
  jobs.front()();
  jobs.pop_front();
  EXPECT_EQ(seen, (std::vector<std::string>{"e0", "e1", "e2"}));
  ended.publish({"again"});
  ASSERT_EQ(jobs.size(), 1u);
  jobs.front()();
  EXPECT_EQ(seen.back(), "again");
}

TEST(EventQueue, AJobIsBounded) {
  EventBus bus;
  std::deque<Job> jobs;
  int seen = 0;
  Subscription subscription =
      bus.subscribe<Started>([&](const Started&) { ++seen; },
                             EventQueue([&](Job job) { jobs.push_back(std::move(job)); }));
  for (int i = 0; i < 200; ++i) bus.channel<Started>().publish({i});
  int rounds = 0;
  while (!jobs.empty()) {
    const Job job = std::move(jobs.front());
    jobs.pop_front();
    const int before = seen;
    job();
    EXPECT_LE(seen - before, 64);
    ++rounds;
  }
  EXPECT_EQ(seen, 200);
  EXPECT_GE(rounds, 4);
}

TEST(EventQueue, AnExecutorThatRunsTheJobAtOnce) {
  EventBus bus;
  std::vector<int> seen;
  const auto started = bus.channel<Started>();
  Subscription subscription = bus.subscribe<Started>(
      [&](const Started& event) {
        seen.push_back(event.id);
        // More than one job's worth: they follow when this returns, without growing the stack.
        if (event.id == 0) {
          for (int i = 1; i <= 500; ++i) started.publish({i});
        }
      },
      EventQueue([](const Job& job) { job(); }));
  started.publish({0});
  ASSERT_EQ(seen.size(), 501u);
  for (int i = 0; i <= 500; ++i) EXPECT_EQ(seen[static_cast<std::size_t>(i)], i);
}

TEST(EventQueue, UnsubscribeInsideAnExecutorThatRunsTheJobAtOnce) {
  EventBus bus;
  auto owned = std::make_shared<int>(0);
  Subscription subscription;
  subscription = bus.subscribe<Started>(
      [&, owned](const Started&) {
        ++*owned;
        bus.channel<Started>().publish({});  // waits, and is dropped with the subscription
        subscription.unsubscribe();
        EXPECT_EQ(owned.use_count(), 2);
      },
      EventQueue([](const Job& job) { job(); }));
  bus.channel<Started>().publish({});
  EXPECT_EQ(*owned, 1);
  EXPECT_EQ(owned.use_count(), 1);
}

TEST(EventQueue, AnExecutorThatThrowsIsAskedAgain) {
  EventBus bus;
  bool refuse = true;
  std::vector<int> seen;
  Subscription subscription = bus.subscribe<Started>(
      [&](const Started& event) { seen.push_back(event.id); }, EventQueue([&](const Job& job) {
        if (refuse) throw std::runtime_error("stopped");
        job();
      }));
  bus.channel<Started>().publish({1});
  EXPECT_EQ(subscription.failures(), 1u);
  refuse = false;
  bus.channel<Started>().publish({2});
  EXPECT_EQ(seen, (std::vector<int>{1, 2}));
}

TEST(EventQueue, WhatACallbackThrowsIsCounted) {
  EventBus bus;
  int seen = 0;
  Subscription subscription = bus.subscribe<Started>(
      [&](const Started& event) {
        if (event.id == 0) throw std::runtime_error("no");
        ++seen;
      },
      EventQueue([](const Job& job) { job(); }));
  bus.channel<Started>().publish({0});
  bus.channel<Started>().publish({1});
  EXPECT_EQ(seen, 1);
  EXPECT_EQ(subscription.failures(), 1u);
}

TEST(EventQueue, UnsubscribingFreesWhatWaitsAndLeavesJobsHarmless) {
  EventBus bus;
  std::vector<Job> jobs;
  auto payload = std::make_shared<int>(7);
  struct Heavy {
    std::shared_ptr<int> payload;
  };
  int seen = 0;
  auto executor_state = std::make_shared<int>(0);
  Subscription subscription = bus.subscribe<Heavy>(
      [&](const Heavy&) { ++seen; },
      EventQueue([&jobs, executor_state](Job job) { jobs.push_back(std::move(job)); }));
  bus.channel<Heavy>().publish({payload});
  bus.channel<Heavy>().publish({payload});
  EXPECT_EQ(payload.use_count(), 3);
  subscription.unsubscribe();
  EXPECT_EQ(payload.use_count(), 1);
  EXPECT_EQ(executor_state.use_count(), 1);
  for (const Job& job : jobs) job();
  EXPECT_EQ(seen, 0);
}

TEST(EventQueue, ManyPublishersOneWorker) {
  constexpr int kPublishers = 4;
  constexpr int kEvents = 2000;
  EventBus bus;
  std::uint64_t seen = 0;  // not atomic: calls of a queued subscriber never overlap
  std::vector<int> last(kPublishers, -1);
  Worker one;
  Worker two;
  std::atomic<unsigned> next = 0;
  Subscription subscription = bus.subscribe<Started>(
      [&](const Started& event) {
        ++seen;
        int& newest = last[static_cast<std::size_t>(event.id / kEvents)];
        EXPECT_LT(newest, event.id % kEvents);
        newest = event.id % kEvents;
      },
      EventQueue([&](Job job) { (next++ % 2 == 0 ? one : two).post(std::move(job)); }, 500));
  std::vector<std::thread> publishers;
  for (int p = 0; p < kPublishers; ++p) {
    publishers.emplace_back([&, p] {
      for (int i = 0; i < kEvents; ++i) bus.channel<Started>().publish({p * kEvents + i});
    });
  }
  for (auto& publisher : publishers) publisher.join();
  // Both workers are empty once each has run a job that was posted after the last event.
  for (int round = 0; round < 200; ++round) {
    std::latch passed(2);
    one.post([&] { passed.count_down(); });
    two.post([&] { passed.count_down(); });
    passed.wait();
  }
  const std::uint64_t dropped = subscription.dropped();
  subscription.unsubscribe();
  EXPECT_EQ(seen + dropped, std::uint64_t{kPublishers} * kEvents);
}

TEST(EventQueue, UnsubscribeWhileAWorkerDelivers) {
  EventBus bus;
  Worker worker;
  for (int round = 0; round < 100; ++round) {
    auto counter = std::make_unique<std::atomic<int>>(0);
    Subscription subscription = bus.subscribe<Started>(
        [&calls = *counter](const Started&) { calls.fetch_add(1, std::memory_order_relaxed); },
        EventQueue([&](Job job) { worker.post(std::move(job)); }));
    for (int i = 0; i < 100; ++i) bus.channel<Started>().publish({i});
    subscription.unsubscribe();
    counter.reset();
  }
}

}  // namespace
}  // namespace settee
