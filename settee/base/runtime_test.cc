// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0

#include "settee/base/runtime.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <unistd.h>

#include <mutex>
#include <set>
#include <thread>

#include "settee/base/stats.h"

namespace settee {
namespace {

using namespace std::chrono_literals;

// Keeps what a Runtime logs.
class Lines {
 public:
  auto keep() {
    return [this](LogLevel level, std::string_view component, std::string_view message) {
      const std::lock_guard lock(mutex_);
      text_ += std::to_string(static_cast<int>(level)) + " " + std::string(component) + " " +
               std::string(message) + "\n";
    };
  }
  std::string text() const {
    const std::lock_guard lock(mutex_);
    return text_;
  }

 private:
  mutable std::mutex mutex_;
  std::string text_;
};

RuntimeOptions with_log(Lines& lines, std::size_t threads = 1) {
  RuntimeOptions options;
  options.threads = threads;
  options.log = lines.keep();
  return options;
}

template <class F>
bool eventually(F condition) {
  for (int i = 0; i < 2000; ++i) {
    if (condition()) return true;
    std::this_thread::sleep_for(5ms);
  }
  return condition();
}

template <class F>
Code code_of(F act) {
  try {
    act();
    return Code{};
  } catch (const Error& error) {
    return error.code();
  }
}

TEST(RuntimeTest, RunGivesTheTasksValueOrError) {
  Runtime runtime{{.threads = 2}};
  auto body = [&]() -> Task<int> {
    EXPECT_NE(Loop::current(), nullptr);
    EXPECT_EQ(&runtime.loop(), Loop::current());
    co_await sleep_for(1ms);
    co_return 42;
  };
  EXPECT_EQ(runtime.run(body()), 42);
  auto failing = []() -> Task<void> {
    throw Error(Code::kBusy, "b");
    co_return;
  };
  EXPECT_EQ(code_of([&] { runtime.run(failing()); }), Code::kBusy);
  auto moved = []() -> Task<std::unique_ptr<int>> { co_return std::make_unique<int>(1); };
  EXPECT_EQ(*runtime.run(moved()), 1);
}

TEST(RuntimeTest, RunOnALoopIsRefused) {
  Runtime runtime{{.threads = 1}};
  auto inner = []() -> Task<void> { co_return; };
  auto body = [&]() -> Task<Code> { co_return code_of([&] { runtime.run(inner()); }); };
  EXPECT_EQ(runtime.run(body()), Code::kMisuse);
}

TEST(RuntimeTest, MakesAsManyLoopsAsAskedWithNames) {
  Runtime runtime{{.threads = 3, .name = "a-long-name-indeed"}};
  EXPECT_EQ(runtime.loop_count(), 3u);
  std::mutex mutex;
  std::set<std::string> names;
  std::set<Loop*> loops;
  runtime.on_each_loop([&](Loop& loop) {
    EXPECT_EQ(Loop::current(), &loop);
    char name[32] = {};
    pthread_getname_np(pthread_self(), name, sizeof name);
    const std::lock_guard lock(mutex);
    names.insert(name);
    loops.insert(&loop);
  });
  EXPECT_EQ(loops.size(), 3u);
  EXPECT_EQ(names, (std::set<std::string>{"a-long-nam-0", "a-long-nam-1", "a-long-nam-2"}));
  EXPECT_EQ(code_of([&] { runtime.foreign_loop(); }), Code::kMisuse);
}

TEST(RuntimeTest, OnEachLoopFromALoopIsRefusedNotADeadlock) {
  Runtime runtime{{.threads = 2}};
  auto body = [&]() -> Task<Code> {
    co_return code_of([&] { runtime.on_each_loop([](Loop&) {}); });
  };
  EXPECT_EQ(runtime.run(body()), Code::kMisuse);
}

TEST(RuntimeTest, OnEachLoopPassesOnWhatTheWorkThrows) {
  Runtime runtime{{.threads = 2}};
  EXPECT_EQ(code_of([&] { runtime.on_each_loop([](Loop&) { throw Error(Code::kBusy, "b"); }); }),
            Code::kBusy);
  std::atomic<int> ran{0};
  runtime.on_each_loop([&](Loop&) { ++ran; });
  EXPECT_EQ(ran, 2);
}

TEST(RuntimeTest, SpawnedErrorsAreLogged) {
  Lines lines;
  Runtime runtime(with_log(lines));
  std::promise<void> ended;
  auto failing = [](std::promise<void>& end) -> Task<void> {
    co_await sleep_for(1ms);
    end.set_value();
    throw Error(Code::kBusy, "no room in the inn");
  };
  runtime.spawn(failing(ended));
  ended.get_future().get();
  EXPECT_TRUE(eventually([&] {
    return lines.text().find("no room in the inn") != std::string::npos;
  })) << lines.text();
  EXPECT_NE(lines.text().find("a spawned task ended"), std::string::npos);
}

TEST(RuntimeTest, LogLevelsBelowTheLowestAreNotMade) {
  Lines lines;
  RuntimeOptions options = with_log(lines);
  options.log_level = LogLevel::kWarning;
  const Runtime runtime(std::move(options));
  EXPECT_FALSE(runtime.logs(LogLevel::kInfo));
  runtime.log(LogLevel::kInfo, "a", "hidden");
  runtime.log(LogLevel::kError, "b", "shown");
  EXPECT_EQ(lines.text(), "3 b shown\n");
}

TEST(RuntimeTest, AHeldLoopIsSaidAtTheLevelOfAWarning) {
  Lines lines;
  RuntimeOptions options = with_log(lines);
  options.log_level = LogLevel::kError;
  options.stall = 20ms;
  Runtime runtime(std::move(options));
  const auto stalls = [&] { return runtime.stats().find("settee.loop.stalls").value().value; };
  std::atomic<bool> held{false};
  runtime.loop().post([&] {
    EXPECT_TRUE(eventually([&] { return stalls() >= 1; }));
    held = true;
  });
  EXPECT_TRUE(eventually([&] { return held.load(); }));
  EXPECT_EQ(lines.text(), "");
}

TEST(RuntimeTest, StopCancelsSleepersAndWaitsForThem) {
  Lines lines;
  std::atomic<int> cancelled{0};
  const TimePoint begin = Clock::now();
  {
    Runtime runtime(with_log(lines, 2));
    std::atomic<int> asleep{0};
    for (int i = 0; i < 20; ++i) {
      auto sleeper = [](std::atomic<int>& began, std::atomic<int>& ended) -> Task<void> {
        ++began;
        Result<void> slept = co_await as_result(sleep_for(1h));
        if (!slept && slept.error().code() == Code::kCancelled) ++ended;
        if (!slept) co_await fail(slept.error());
      };
      runtime.spawn(sleeper(asleep, cancelled));
    }
    ASSERT_TRUE(eventually([&] { return asleep == 20; }));
    runtime.stop();
    EXPECT_EQ(cancelled, 20);
    EXPECT_TRUE(runtime.stopped());
    auto late = []() -> Task<void> { co_return; };
    EXPECT_EQ(code_of([&] { runtime.spawn(late()); }), Code::kStopped);
    runtime.stop();  // twice does no harm
  }
  EXPECT_LT(Clock::now() - begin, 30s);
  EXPECT_EQ(lines.text(), "");  // an end by stop() is no error
}

// A task spawned under a cancellation of the caller's own is ended by either.
TEST(RuntimeTest, StopAlsoCancelsWhatWasSpawnedUnderACancellationOfItsOwn) {
  CancelSource callers{Context()};
  std::atomic<int> ended{0};
  auto sleeper = [](std::atomic<int>& asleep, std::atomic<int>& count) -> Task<void> {
    ++asleep;
    Result<void> slept = co_await as_result(sleep_for(1h));
    if (!slept && slept.error().code() == Code::kCancelled) ++count;
  };
  std::atomic<int> asleep{0};
  Runtime runtime{{.threads = 1}};
  {
    const ContextScope scope(callers.context());
    runtime.spawn(sleeper(asleep, ended));
    runtime.spawn(sleeper(asleep, ended));
  }
  CancelSource others{Context()};
  {
    const ContextScope scope(others.context());
    runtime.spawn(sleeper(asleep, ended));
  }
  ASSERT_TRUE(eventually([&] { return asleep == 3; }));
  callers.cancel();
  EXPECT_TRUE(eventually([&] { return ended == 2; }));
  runtime.stop();
  EXPECT_EQ(ended, 3);
}

TEST(RuntimeTest, TasksSpawnedByTasksAreWaitedForToo) {
  std::atomic<int> ended{0};
  {
    Runtime runtime{{.threads = 2}};
    struct Tree {
      static Task<void> grow(Runtime& runtime, std::atomic<int>& count, int depth) {
        if (depth > 0) {
          runtime.spawn(grow(runtime, count, depth - 1));
          runtime.spawn(grow(runtime, count, depth - 1));
        }
        co_await sleep_for(1ms);
        ++count;
      }
    };
    runtime.spawn(Tree::grow(runtime, ended, 5));
    EXPECT_TRUE(eventually([&] { return ended == 63; })) << ended;
  }
}

TEST(RuntimeTest, SpawnKeepsTheCallersDeadlineAndValues) {
  static constexpr ContextKey<int> kNumber{"number"};
  Runtime runtime{{.threads = 1}};
  std::promise<std::pair<int, bool>> seen;
  {
    const ContextScope scope(context().with(kNumber, 7).with_timeout(1h));
    auto body = [](std::promise<std::pair<int, bool>>& out) -> Task<void> {
      out.set_value({*context().get(kNumber), context().deadline() != kNoDeadline});
      co_return;
    };
    runtime.spawn(body(seen));
  }
  EXPECT_EQ(seen.get_future().get(), (std::pair{7, true}));
}

TEST(RuntimeTest, SleepEndsAtTheDeadlineOrCancellationFromAnotherThread) {
  Runtime runtime{{.threads = 1}};
  const TimePoint begin = Clock::now();
  {
    const ContextScope scope(context().with_timeout(20ms));
    auto body = []() -> Task<void> { co_await sleep_for(1h); };
    EXPECT_EQ(code_of([&] { runtime.run(body()); }), Code::kTimeout);
    EXPECT_GE(Clock::now() - begin, 20ms);
    // The same with a deadline that has passed.
    EXPECT_EQ(code_of([&] { runtime.run(body()); }), Code::kTimeout);
  }
  for (int i = 0; i < 200; ++i) {
    CancelSource cancel{Context()};
    std::future<void> slept;
    {
      const ContextScope scope(cancel.context());
      auto body = [](Runtime& r) -> Task<void> {
        co_await resume_on(r.loop(0));
        co_await sleep_for(1h);
      };
      slept = as_future(body(runtime));
    }
    if (i % 4 == 0) std::this_thread::sleep_for(200us);
    cancel.cancel();
    EXPECT_EQ(code_of([&] { slept.get(); }), Code::kCancelled);
  }
  EXPECT_LT(Clock::now() - begin, 30s);
}

// The end of the time and the cancellation race; the sleeper wakes once.
TEST(RuntimeTest, SleepThatEndsWhileItIsCancelled) {
  Runtime runtime{{.threads = 1}};
  int cancelled = 0;
  for (int i = 0; i < 500; ++i) {
    CancelSource cancel{Context()};
    std::future<void> slept;
    {
      const ContextScope scope(cancel.context());
      auto body = [](Runtime& r) -> Task<void> {
        co_await resume_on(r.loop(0));
        co_await sleep_for(1ms);
      };
      slept = as_future(body(runtime));
    }
    std::this_thread::sleep_for(std::chrono::microseconds(800 + i));
    cancel.cancel();
    const Code code = code_of([&] { slept.get(); });
    EXPECT_TRUE(code == Code{} || code == Code::kCancelled);
    cancelled += code == Code::kCancelled;
  }
  RecordProperty("cancelled", cancelled);
}

TEST(RuntimeTest, SleepOutsideOfALoopIsAnErrorThatSaysWhatToDo) {
  auto body = []() -> Task<void> { co_await sleep_for(1ms); };
  try {
    body().get();
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), Code::kMisuse);
    EXPECT_NE(std::string(error.what()).find("Runtime::run()"), std::string::npos) << error.what();
  }
}

TEST(RuntimeTest, SleepOfNoTimeAndOfThePastEndsAtOnce) {
  Runtime runtime{{.threads = 1}};
  auto body = []() -> Task<void> {
    co_await sleep_for(0ms);
    co_await sleep_for(-1h);
    co_await sleep_until(TimePoint::min());
  };
  runtime.run(body());
}

TEST(RuntimeTest, ManySleepersWakeInOrder) {
  Runtime runtime{{.threads = 1}};
  std::vector<int> order;
  auto body = [&]() -> Task<void> {
    std::vector<Task<void>> tasks;
    // Late enough that all of them sleep before the first is due.
    const TimePoint begin = Clock::now() + 300ms;
    for (int i = 0; i < 200; ++i) {
      tasks.push_back([](std::vector<int>& out, TimePoint when, int n) -> Task<void> {
        co_await sleep_until(when);
        out.push_back(n);
      }(order, begin + std::chrono::milliseconds((i * 37) % 200), (i * 37) % 200));
    }
    co_await when_all(std::move(tasks));
  };
  runtime.run(body());
  EXPECT_TRUE(std::is_sorted(order.begin(), order.end()));
  EXPECT_EQ(order.size(), 200u);
}

TEST(RuntimeTest, AFullPoolIsAnErrorThatNamesIt) {
  Runtime runtime{{.threads = 1, .name = "tiny", .pool = {.core = 1, .max = 1, .queue = 0}}};
  std::promise<void> go;
  std::shared_future<void> gate = go.get_future().share();
  ASSERT_TRUE(runtime.pool().submit([gate] { gate.wait(); }));
  auto body = [&]() -> Task<std::string> {
    Task<int> job = run_on(runtime.pool(), [] { return 1; });
    Result<int> refused = co_await as_result(std::move(job));
    EXPECT_EQ(refused.error().code(), Code::kBusy);
    EXPECT_NE(Loop::current(), nullptr);
    co_return refused.error().message();
  };
  const std::string message = runtime.run(body());
  EXPECT_NE(message.find("pool 'tiny-pool': 1 of 1 threads busy"), std::string::npos) << message;
  go.set_value();
}

TEST(RuntimeTest, HopsBetweenLoopsAndPoolUnderStress) {
  Runtime runtime{{.threads = 2, .pool = {.core = 2, .max = 2, .queue = 1000}}};
  auto hopper = [](Runtime& r, int n) -> Task<int> {
    for (int i = 0; i < 200; ++i) {
      const int where = (i * 7 + n) % 3;
      if (where == 2) {
        Result<void> hop = co_await resume_on(r.pool());
        EXPECT_TRUE(hop);
        EXPECT_EQ(Loop::current(), nullptr);
      } else {
        co_await resume_on(r.loop(static_cast<std::size_t>(where)));
      }
    }
    co_await resume_on(r.loop(0));
    co_return n;
  };
  auto body = [&]() -> Task<int> {
    std::vector<Task<int>> tasks;
    for (int n = 0; n < 50; ++n) tasks.push_back(hopper(runtime, n));
    std::vector<int> all = co_await when_all(std::move(tasks));
    int sum = 0;
    for (const int n : all) sum += n;
    co_return sum;
  };
  EXPECT_EQ(runtime.run(body()), 49 * 50 / 2);
}

// A blocked thread and the loop that answers it pass the word by one store and one wake: a wake that
// is lost shows as a hang.
TEST(RuntimeTest, BlockingCallsFromManyThreads) {
  Runtime runtime{{.threads = 2}};
  std::vector<std::thread> threads;
  std::atomic<int> sum{0};
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      auto body = []() -> Task<int> { co_return 1; };
      for (int i = 0; i < 3000; ++i) sum += runtime.run(body());
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(sum, 12000);
}

TEST(RuntimeTest, WhenAllCancelsSleepersOfOtherLoopsOnTheFirstError) {
  Runtime runtime{{.threads = 2}};
  auto sleeper = [](Runtime& r, std::size_t n) -> Task<void> {
    co_await resume_on(r.loop(n % 2));
    co_await sleep_for(1h);
  };
  auto failing = [](Runtime& r) -> Task<void> {
    co_await resume_on(r.loop(1));
    co_await sleep_for(2ms);
    throw Error(Code::kBusy, "b");
  };
  for (int round = 0; round < 50; ++round) {
    auto body = [&]() -> Task<void> {
      std::vector<Task<void>> tasks;
      for (std::size_t n = 0; n < 6; ++n) tasks.push_back(sleeper(runtime, n));
      tasks.push_back(failing(runtime));
      co_await when_all(std::move(tasks));
    };
    EXPECT_EQ(code_of([&] { runtime.run(body()); }), Code::kBusy);
  }
}

// On one loop, the error wakes the sleepers from within the failing part.
TEST(RuntimeTest, WhenAllOnOneLoopEndsTogether) {
  Runtime runtime{{.threads = 1}};
  auto body = []() -> Task<void> {
    std::vector<Task<void>> tasks;
    for (int n = 0; n < 10; ++n) tasks.push_back(sleep_for(1h));
    tasks.push_back([]() -> Task<void> {
      co_await sleep_for(1ms);
      throw Error(Code::kBusy, "b");
    }());
    co_await when_all(std::move(tasks));
  };
  EXPECT_EQ(code_of([&] { runtime.run(body()); }), Code::kBusy);
}

TEST(RuntimeTest, ForeignLoopIsTurnedByItsOwner) {
  Runtime runtime{{.foreign_loop = true}};
  EXPECT_EQ(runtime.loop_count(), 0u);
  EXPECT_EQ(&runtime.loop(), &runtime.foreign_loop());
  bool done = false;
  auto body = [](bool& out) -> Task<void> {
    co_await sleep_for(5ms);
    out = true;
  };
  runtime.spawn(body(done));
  EXPECT_FALSE(done);
  const TimePoint until = Clock::now() + 20s;
  while (!done && Clock::now() < until) runtime.foreign_loop().turn(10ms);
  EXPECT_TRUE(done);
}

TEST(RuntimeTest, StopTurnsTheForeignLoopUntilSpawnedTasksHaveEnded) {
  Lines lines;
  RuntimeOptions options;
  options.foreign_loop = true;
  options.log = lines.keep();
  Runtime runtime(std::move(options));
  bool ended = false;
  auto body = [](bool& out) -> Task<void> {
    Result<void> slept = co_await as_result(sleep_for(1h));
    out = !slept;
  };
  runtime.spawn(body(ended));
  runtime.stop();
  EXPECT_TRUE(ended);
}

TEST(RuntimeTest, StopOnALoopIsRefused) {
  Runtime runtime{{.threads = 1}};
  auto body = [&]() -> Task<Code> { co_return code_of([&] { runtime.stop(); }); };
  EXPECT_EQ(runtime.run(body()), Code::kMisuse);
  EXPECT_FALSE(runtime.stopped());
  auto still = []() -> Task<int> { co_return 1; };
  EXPECT_EQ(runtime.run(still()), 1);
}

TEST(RuntimeTest, StopFromTwoThreadsAtOnce) {
  for (int i = 0; i < 20; ++i) {
    Runtime runtime{{.threads = 2}};
    auto sleeper = []() -> Task<void> { co_await sleep_for(1h); };
    runtime.spawn(sleeper());
    std::thread other([&] { runtime.stop(); });
    runtime.stop();
    other.join();
    EXPECT_TRUE(runtime.stopped());
  }
}

TEST(RuntimeTest, ManyRuntimesComeAndGo) {
  for (int i = 0; i < 50; ++i) {
    Runtime runtime{{.threads = 2}};
    auto body = []() -> Task<int> { co_return 1; };
    if (i % 2 == 0) {
      EXPECT_EQ(runtime.run(body()), 1);
    }
    if (i % 3 == 0) {
      auto job = [](Runtime& r) -> Task<void> { co_await run_on(r.pool(), [] {}); };
      runtime.spawn(job(runtime));
    }
  }
}

TEST(RuntimeTest, PoolWorkIsFinishedBeforeTheLoopsEnd) {
  std::atomic<int> finished{0};
  {
    Runtime runtime{{.threads = 1, .pool = {.core = 2, .max = 2, .queue = 100}}};
    for (int i = 0; i < 20; ++i) {
      auto body = [](Runtime& r, std::atomic<int>& out) -> Task<void> {
        Task<void> job = run_on(r.pool(), [] { std::this_thread::sleep_for(2ms); });
        co_await std::move(job);
        ++out;
      };
      runtime.spawn(body(runtime, finished));
    }
  }
  EXPECT_EQ(finished, 20);
}

TEST(RuntimeTest, WhatHoldsALoopIsNamedOnceAndItsEndToo) {
  Lines lines;
  RuntimeOptions options;
  options.threads = 2;
  options.stall = 150ms;
  options.log = lines.keep();
  Runtime runtime(std::move(options));
  const auto hold = [&](const char* what) {
    Loop& loop = runtime.loop(1);
    std::atomic<bool> held{false};
    loop.post([&] {
      loop.working_on(what);
      std::this_thread::sleep_for(600ms);
      loop.working_on(nullptr);
      held = true;
    });
    EXPECT_TRUE(eventually([&] { return held.load(); }));
  };
  hold(runtime.intern("com.acme.Slow:1.0#think"));
  EXPECT_TRUE(eventually([&] { return lines.text().find("goes on") != std::string::npos; }));
  const std::string text = lines.text();
  const std::size_t at = text.find("loop settee-1 has been held for");
  ASSERT_NE(at, std::string::npos) << text;
  EXPECT_NE(text.find("by com.acme.Slow:1.0#think", at), std::string::npos) << text;
  EXPECT_EQ(text.find("has been held", at + 20), std::string::npos) << text;
  hold(nullptr);
  EXPECT_TRUE(eventually([&] {
    return lines.text().find("by a callback or by work that was resumed") != std::string::npos;
  })) << lines.text();
  EXPECT_GE(runtime.stats().find("settee.loop.stalls").value().value, 2);
  EXPECT_EQ(runtime.intern("a"), runtime.intern(std::string("a")));
}

TEST(RuntimeTest, NoDescriptorsLeftIsAnErrorNotTheEndOfTheProcess) {
#if defined(SETTEE_SANITIZE_UNDEFINED)
  GTEST_SKIP() << "this sanitizer needs a pipe for each type that it checks";
#endif
  rlimit old{};
  ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &old), 0);
  const int lowest = open("/dev/null", O_RDONLY | O_CLOEXEC);
  close(lowest);
  rlimit low = old;
  low.rlim_cur = static_cast<rlim_t>(lowest) + 3;  // enough for one loop, not for two
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &low), 0);
  Code code{};
  try {
    const Runtime runtime{{.threads = 4}};
  } catch (const Error& error) {
    code = error.code();
  }
  setrlimit(RLIMIT_NOFILE, &old);
  EXPECT_EQ(code, Code::kIo);
}

}  // namespace
}  // namespace settee
