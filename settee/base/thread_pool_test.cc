// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0

#include "settee/base/thread_pool.h"

#include <gtest/gtest.h>

#include <condition_variable>
#include <future>
#include <mutex>
#include <set>
#include <thread>
#include <vector>

#include "settee/base/stats.h"

namespace settee {
namespace {

using namespace std::chrono_literals;

// Jobs wait in it until they are let go.
class Gate {
 public:
  void pass() {
    std::unique_lock lock(mutex_);
    ++inside_;
    changed_.notify_all();
    changed_.wait(lock, [&] { return open_; });
    --inside_;
  }
  void open() {
    const std::lock_guard lock(mutex_);
    open_ = true;
    changed_.notify_all();
  }
  bool wait_for(int inside) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, 20s, [&] { return inside_ == inside; });
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  int inside_ = 0;
  bool open_ = false;
};

template <class F>
bool eventually(F condition) {
  const auto until = std::chrono::steady_clock::now() + 20s;
  while (!condition()) {
    if (std::chrono::steady_clock::now() > until) return false;
    std::this_thread::sleep_for(100us);
  }
  return true;
}

ThreadPoolOptions sized(std::size_t core, std::size_t max, std::size_t queue,
                        std::chrono::milliseconds keep_alive = 60s) {
  ThreadPoolOptions options;
  options.core = core;
  options.max = max;
  options.queue = queue;
  options.keep_alive = keep_alive;
  return options;
}

// How many jobs a fresh pool takes, all submitted in one go while none of them ends.
int taken(const ThreadPoolOptions& options, int offered) {
  Gate gate;
  ThreadPool pool("p", options);
  int taken = 0;
  for (int i = 0; i < offered; ++i) taken += pool.submit([&] { gate.pass(); });
  EXPECT_EQ(pool.figures().refused, static_cast<std::uint64_t>(offered - taken));
  gate.open();
  pool.stop();
  EXPECT_EQ(pool.figures().done, static_cast<std::uint64_t>(taken));
  return taken;
}

TEST(ThreadPoolTest, TakesAsManyAsThreadsAndQueueHold) {
  EXPECT_EQ(taken(sized(1, 1, 0), 5), 1);
  EXPECT_EQ(taken(sized(1, 1, 1), 5), 2);
  EXPECT_EQ(taken(sized(1, 1, 3), 9), 4);
  EXPECT_EQ(taken(sized(2, 2, 0), 5), 2);
  EXPECT_EQ(taken(sized(2, 2, 2), 9), 4);
  EXPECT_EQ(taken(sized(1, 3, 0), 9), 3);
  EXPECT_EQ(taken(sized(1, 3, 2), 9), 5);
  EXPECT_EQ(taken(sized(0, 2, 0), 9), 2);
  EXPECT_EQ(taken(sized(0, 2, 3), 9), 5);
  EXPECT_EQ(taken(sized(20, 200, 0), 250), 200);
}

// java.util.concurrent's order: core threads, then the queue, then threads up to max.
TEST(ThreadPoolTest, QueuesBeforeItGrowsBeyondCore) {
  Gate gate;
  ThreadPool pool("p", sized(1, 2, 2));
  EXPECT_TRUE(pool.submit([&] { gate.pass(); }));
  ASSERT_TRUE(gate.wait_for(1));
  EXPECT_TRUE(pool.submit([&] { gate.pass(); }));
  EXPECT_TRUE(pool.submit([&] { gate.pass(); }));
  EXPECT_EQ(pool.figures().threads, 1u);
  EXPECT_EQ(pool.figures().queued, 2u);
  EXPECT_TRUE(pool.submit([&] { gate.pass(); }));
  EXPECT_EQ(pool.figures().threads, 2u);
  ASSERT_TRUE(gate.wait_for(2));
  EXPECT_FALSE(pool.submit([&] { gate.pass(); }));
  EXPECT_EQ(pool.describe(), "pool 'p': 2 of 2 threads busy, 2 of 2 jobs queued");
  gate.open();
  EXPECT_TRUE(eventually([&] { return pool.figures().done == 4; }));
}

TEST(ThreadPoolTest, IdleThreadsAreUsedBeforeNewOnes) {
  ThreadPool pool("p", sized(4, 4, 0));
  for (int i = 0; i < 200; ++i) {
    Gate gate;
    ASSERT_TRUE(pool.submit([&] { gate.pass(); }));
    ASSERT_TRUE(gate.wait_for(1));
    gate.open();
    ASSERT_TRUE(eventually([&] { return pool.figures().busy == 0; }));
  }
  EXPECT_EQ(pool.figures().threads, 1u);
}

// With no queue, a job is refused only if every thread really has one.
TEST(ThreadPoolTest, NothingIsRefusedWhileAThreadIsFree) {
  ThreadPool pool("p", sized(2, 2, 0));
  for (int i = 0; i < 1000; ++i) {
    Gate gate;
    ASSERT_TRUE(pool.submit([&] { gate.pass(); })) << i << ": " << pool.describe();
    ASSERT_TRUE(pool.submit([&] { gate.pass(); })) << i << ": " << pool.describe();
    ASSERT_TRUE(gate.wait_for(2)) << i;
    ASSERT_FALSE(pool.submit([] {})) << i;
    gate.open();
    ASSERT_TRUE(eventually([&] { return pool.figures().busy == 0; }));
  }
  EXPECT_TRUE(eventually([&] { return pool.figures().done == 2000; }));
}

TEST(ThreadPoolTest, ThreadsAboveCoreGoWhenIdle) {
  Gate gate;
  ThreadPool pool("p", sized(1, 4, 0, 20ms));
  for (int i = 0; i < 4; ++i) EXPECT_TRUE(pool.submit([&] { gate.pass(); }));
  ASSERT_TRUE(gate.wait_for(4));
  EXPECT_EQ(pool.figures().threads, 4u);
  gate.open();
  EXPECT_TRUE(eventually([&] { return pool.figures().threads == 1; }));
  std::this_thread::sleep_for(60ms);
  EXPECT_EQ(pool.figures().threads, 1u);  // the core stays
  // And grows again.
  Gate again;
  for (int i = 0; i < 4; ++i) EXPECT_TRUE(pool.submit([&] { again.pass(); }));
  EXPECT_TRUE(again.wait_for(4));
  again.open();
}

// Submitting just when idle threads give up: no job may fall between.
TEST(ThreadPoolTest, NoJobIsLostWhenThreadsGo) {
  ThreadPool pool("p", sized(0, 3, 2, 1ms));
  std::atomic<int> ran{0};
  int submitted = 0;
  for (int i = 0; i < 1500; ++i) {
    submitted += pool.submit([&] { ++ran; });
    if (i % 3 == 0) std::this_thread::sleep_for(std::chrono::microseconds(900 + i % 400));
  }
  EXPECT_GT(submitted, 500);
  EXPECT_TRUE(eventually([&] { return ran == submitted; }));
  EXPECT_TRUE(eventually([&] { return pool.figures().threads == 0; }));
}

TEST(ThreadPoolTest, StopRunsWhatWasTakenAndRefusesTheRest) {
  Gate gate;
  std::atomic<int> ran{0};
  ThreadPool pool("p", sized(1, 1, 1'000'000));
  EXPECT_TRUE(pool.submit([&] { gate.pass(); }));
  for (int i = 0; i < 10; ++i) {
    EXPECT_TRUE(pool.submit([&] {
      ++ran;
      EXPECT_FALSE(pool.submit([] {}));  // stop() has begun
    }));
  }
  ASSERT_TRUE(gate.wait_for(1));
  std::thread stopper([&] { pool.stop(); });
  while (pool.submit([] {})) std::this_thread::sleep_for(1ms);
  EXPECT_EQ(ran, 0);
  gate.open();
  stopper.join();
  EXPECT_EQ(ran, 10);
  EXPECT_EQ(pool.figures().threads, 0u);
  pool.stop();  // twice does no harm
  EXPECT_FALSE(pool.submit([] {}));
}

TEST(ThreadPoolTest, ManyThreadsSubmit) {
  ThreadPool pool("p", sized(2, 4, 1000));
  std::atomic<int> ran{0};
  std::atomic<int> accepted{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 5000; ++i) accepted += pool.submit([&] { ++ran; });
    });
  }
  for (std::thread& thread : threads) thread.join();
  pool.stop();
  EXPECT_EQ(ran, accepted);
  EXPECT_EQ(pool.figures().done + pool.figures().refused, 20000u);
}

TEST(ThreadPoolTest, JobsOfOneThreadRunInOrder) {
  ThreadPool pool("p", sized(1, 1, 1000));
  std::vector<int> order;
  for (int i = 0; i < 500; ++i) EXPECT_TRUE(pool.submit([&order, i] { order.push_back(i); }));
  pool.stop();
  for (int i = 0; i < 500; ++i) EXPECT_EQ(order[static_cast<std::size_t>(i)], i);
}

TEST(ThreadPoolTest, BadSizesAreRefused) {
  EXPECT_THROW(ThreadPool("p", sized(0, 0, 0)), Error);
  EXPECT_THROW(ThreadPool("p", sized(2, 1, 0)), Error);
}

TEST(ThreadPoolTest, ThreadsBearThePoolsName) {
  ThreadPool pool("a-pool-with-a-long-name", sized(1, 1, 0));
  std::string name;
  EXPECT_TRUE(pool.submit([&] {
    char text[32] = {};
    pthread_getname_np(pthread_self(), text, sizeof text);
    name = text;
  }));
  pool.stop();
  EXPECT_EQ(name, "a-pool-with-a-l");
}

TEST(ThreadPoolTest, ShowsItsFiguresWhileItLives) {
  Stats stats;
  const auto value = [&](std::string_view name) {
    const auto found = stats.find(name, {{"pool", "shown"}});
    return found ? found->value : -1;
  };
  std::promise<void> go;
  std::shared_future<void> gone(go.get_future());
  {
    ThreadPoolOptions options;
    options.core = 1;
    options.max = 1;
    options.queue = 1;
    ThreadPool pool("shown", options);
    std::promise<void> begun;
    ASSERT_TRUE(pool.submit([&] {
      begun.set_value();
      gone.wait();
    }));
    pool.show_in(stats);
    pool.show_in(stats);
    begun.get_future().wait();
    ASSERT_TRUE(pool.submit([] {}));
    EXPECT_FALSE(pool.submit([] {}));
    EXPECT_EQ(value("settee.pool.threads"), 1);
    EXPECT_EQ(value("settee.pool.busy"), 1);
    EXPECT_EQ(value("settee.pool.queued"), 1);
    EXPECT_EQ(value("settee.pool.refused"), 1);
    go.set_value();
    pool.stop();
    EXPECT_EQ(value("settee.pool.done"), 2);
    EXPECT_EQ(value("settee.pool.threads"), 0);
    EXPECT_EQ(value("settee.pool.busy"), 0);
  }
  EXPECT_EQ(value("settee.pool.done"), -1);
}

}  // namespace
}  // namespace settee
