// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0

#include "settee/base/context.h"

#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "settee/base/runtime.h"
#include "settee/base/stream.h"
#include "settee/base/task.h"

namespace settee {
namespace {

using namespace std::chrono_literals;

constexpr ContextKey<int> kNumber{"number"};
constexpr ContextKey<std::string> kText{"text"};
constexpr ContextKey<std::shared_ptr<int>> kCounted{"counted"};

int number() {
  const Context here = context();
  const int* found = here.get(kNumber);
  return found == nullptr ? -1 : *found;
}

struct Span final : ContextItem {
  explicit Span(std::atomic<int>& l) : live(l) { ++live; }
  ~Span() override { --live; }
  std::atomic<int>& live;
};

TEST(ContextTest, TheEmptyOneHasNothing) {
  const Context empty;
  EXPECT_EQ(empty.deadline(), kNoDeadline);
  EXPECT_FALSE(empty.expired());
  EXPECT_FALSE(empty.cancelled());
  EXPECT_FALSE(empty.stop_token().stop_possible());
  EXPECT_EQ(empty.span(), nullptr);
  EXPECT_EQ(empty.get(kNumber), nullptr);
  EXPECT_TRUE(empty.check("work"));
  EXPECT_EQ(empty.with_deadline(kNoDeadline).node(), nullptr);
}

TEST(ContextTest, ValuesAreAddedAndHiddenNeverChanged) {
  const Context one = Context().with(kNumber, 1);
  const Context two = one.with(kText, std::string("a"));
  const Context three = two.with(kNumber, 3);
  EXPECT_EQ(*one.get(kNumber), 1);
  EXPECT_EQ(one.get(kText), nullptr);
  EXPECT_EQ(*two.get(kNumber), 1);
  EXPECT_EQ(*three.get(kNumber), 3);
  EXPECT_EQ(*three.get(kText), "a");
  EXPECT_EQ(*two.get(kNumber), 1);
}

TEST(ContextTest, ValuesLiveAsLongAsAContextThatHoldsThem) {
  auto counted = std::make_shared<int>(7);
  const std::weak_ptr<int> watched = counted;
  {
    Context outer;
    {
      const Context inner = Context().with(kCounted, std::move(counted)).with(kNumber, 1);
      outer = inner.with(kText, std::string("x"));
    }
    EXPECT_FALSE(watched.expired());
    Context copy = outer;
    outer = Context();
    EXPECT_EQ(**copy.get(kCounted), 7);
    const Context moved = std::move(copy);
    EXPECT_FALSE(watched.expired());
    EXPECT_EQ(copy.node(), nullptr);  // NOLINT: a moved-from Context is the empty one
  }
  EXPECT_TRUE(watched.expired());
}

TEST(ContextTest, TheEarlierDeadlineHolds) {
  const TimePoint now = Clock::now();
  const Context one = Context().with_deadline(now + 10s);
  EXPECT_EQ(one.deadline(), now + 10s);
  EXPECT_EQ(one.with_deadline(now + 20s).deadline(), now + 10s);
  EXPECT_EQ(one.with_deadline(now + 5s).deadline(), now + 5s);
  EXPECT_EQ(one.with(kNumber, 1).deadline(), now + 10s);
  EXPECT_FALSE(one.expired());
  EXPECT_TRUE(one.expired(now + 10s));
  EXPECT_TRUE(Context().with_timeout(-1s).expired());
  EXPECT_EQ(Context().with_timeout(-1s).check("load it").error().code(), Code::kTimeout);
  EXPECT_EQ(Context().with_timeout(-1s).check("load it").error().message().find("load it"), 0u);
}

TEST(ContextTest, CancellationGoesDownTheChainNotUp) {
  CancelSource top{Context()};
  CancelSource left(top.context().with(kNumber, 1));
  CancelSource right(top.context());
  CancelSource leaf(left.context().with_timeout(1h));
  EXPECT_EQ(*left.context().get(kNumber), 1);
  left.cancel();
  EXPECT_TRUE(left.context().cancelled());
  EXPECT_TRUE(leaf.context().cancelled());
  EXPECT_FALSE(top.context().cancelled());
  EXPECT_FALSE(right.context().cancelled());
  top.cancel();
  EXPECT_TRUE(right.context().cancelled());
  EXPECT_EQ(right.context().check("work").error().code(), Code::kCancelled);
}

TEST(ContextTest, ASourceMadeUnderACancelledContextIsCancelled) {
  CancelSource top{Context()};
  top.cancel();
  const CancelSource late(top.context());
  EXPECT_TRUE(late.context().cancelled());
}

TEST(ContextTest, ContextsOutliveTheirSources) {
  Context orphan;
  {
    CancelSource top{Context()};
    const CancelSource inner(top.context());
    orphan = inner.context().with(kNumber, 1);
  }
  EXPECT_FALSE(orphan.cancelled());
  EXPECT_EQ(*orphan.get(kNumber), 1);
}

// What is cancelled may well end the life of whoever cancels.
TEST(ContextTest, ASourceMayGoWhileItCancels) {
  auto source = std::make_unique<CancelSource>(Context());
  bool called = false;
  {
    const std::stop_callback end(source->context().stop_token(), [&] {
      called = true;
      source.reset();
    });
    source->cancel();
  }
  EXPECT_TRUE(called);
  EXPECT_EQ(source, nullptr);
}

TEST(ContextTest, SpansAreOwned) {
  std::atomic<int> live{0};
  {
    auto* span = new Span(live);
    const Context one = Context().with_span(span);
    EXPECT_EQ(one.span(), span);
    const Context two = one.with(kNumber, 1);
    EXPECT_EQ(two.span(), span);
    const Context three = two.with_span(new Span(live));
    EXPECT_NE(three.span(), span);
    EXPECT_EQ(live, 2);
    EXPECT_EQ(three.with_span(nullptr).span(), nullptr);
  }
  EXPECT_EQ(live, 0);
}

TEST(ContextTest, BeginMakesARootInOneStep) {
  std::atomic<int> live{0};
  const char key = 0;
  {
    auto* item = new Span(live);
    const Context context = Context::begin(kNoDeadline, &key, item);
    EXPECT_EQ(context.item(&key), item);
    EXPECT_EQ(context.item(&kNumber), nullptr);
    EXPECT_EQ(context.with(kNumber, 1).item(&key), item);
  }
  EXPECT_EQ(live, 0);
}

TEST(ContextTest, AChainOfAMillionGoesWithoutDeepRecursion) {
  Context chain;
  for (int i = 0; i < 1'000'000; ++i) chain = chain.with(kNumber, i);
  EXPECT_EQ(*chain.get(kNumber), 999'999);
}

TEST(ContextTest, SharedByManyThreads) {
  auto counted = std::make_shared<int>(1);
  const std::weak_ptr<int> watched = counted;
  {
    CancelSource source{Context()};
    const Context shared = source.context().with(kCounted, std::move(counted));
    std::vector<std::thread> threads;
    for (int t = 0; t < 4; ++t) {
      threads.emplace_back([shared, t] {
        for (int i = 0; i < 5000; ++i) {
          const Context own = shared.with(kNumber, t);
          const Context copy = own;
          EXPECT_EQ(*copy.get(kNumber), t);
          EXPECT_EQ(**copy.get(kCounted), 1);
          const CancelSource inner(copy);
          if (i % 100 == 0 && t == 0) std::this_thread::yield();
        }
      });
    }
    source.cancel();
    for (std::thread& thread : threads) thread.join();
  }
  EXPECT_TRUE(watched.expired());
}

TEST(ContextScopeTest, NestsAndBelongsToItsThread) {
  EXPECT_EQ(number(), -1);
  {
    const ContextScope outer(context().with(kNumber, 1));
    EXPECT_EQ(number(), 1);
    {
      const ContextScope inner(context().with(kNumber, 2));
      EXPECT_EQ(number(), 2);
      std::thread([] { EXPECT_EQ(number(), -1); }).join();
    }
    EXPECT_EQ(number(), 1);
  }
  EXPECT_EQ(number(), -1);
}

// Resumed by its bare handle from wherever, as another library's awaitable is.
struct Foreign {
  std::coroutine_handle<> waiter;
  std::atomic<bool> waiting{false};
  bool await_ready() const { return false; }
  void await_suspend(std::coroutine_handle<> handle) {
    waiter = handle;
    waiting.store(true, std::memory_order_release);
  }
  void await_resume() const {}
};

class SuspensionTest : public testing::Test {
 protected:
  SuspensionTest() : runtime_{{.threads = 2, .pool = {.core = 1, .max = 2, .queue = 10}}} {}

  // Runs `body` under number 5 on a loop whose thread has another context of its own in between.
  template <class F>
  void expect_five(F body) {
    const ContextScope scope(context().with(kNumber, 5));
    runtime_.run(body());
    EXPECT_EQ(number(), 5);
    // Nothing of it sticks to the loops' threads.
    std::atomic<int> left{0};
    runtime_.on_each_loop([&](Loop&) {
      if (number() == -1) ++left;
    });
    EXPECT_EQ(left, 2);
  }
  Runtime runtime_;
};

TEST_F(SuspensionTest, ChildTask) {
  expect_five([]() -> Task<void> {
    auto child = []() -> Task<int> {
      const ContextScope own(context().with(kNumber, 6));  // does not suspend
      co_return number();
    };
    EXPECT_EQ(co_await child(), 6);
    EXPECT_EQ(number(), 5);
    EXPECT_EQ(co_await with_context(context().with(kNumber, 7), child()), 6);
    EXPECT_EQ(number(), 5);
  });
}

TEST_F(SuspensionTest, ChildThatSuspendsUnderAnotherContext) {
  expect_five([]() -> Task<void> {
    auto child = []() -> Task<int> {
      EXPECT_EQ(number(), 8);
      co_await sleep_for(1ms);
      EXPECT_EQ(number(), 8);
      co_return number();
    };
    EXPECT_EQ(co_await with_context(context().with(kNumber, 8), child()), 8);
    EXPECT_EQ(number(), 5);
    Result<int> result = co_await as_result(with_context(context().with(kNumber, 8), child()));
    EXPECT_EQ(result.value(), 8);
    EXPECT_EQ(number(), 5);
  });
}

TEST_F(SuspensionTest, ChildThatFailsUnderAnotherContext) {
  expect_five([]() -> Task<void> {
    auto throws = []() -> Task<int> {
      co_await sleep_for(1ms);
      throw Error(Code::kBusy, "b");
    };
    auto fails = []() -> Task<void> { co_await fail(Error(Code::kBusy, "b")); };
    Result<int> thrown = co_await as_result(with_context(context().with(kNumber, 8), throws()));
    EXPECT_FALSE(thrown);
    EXPECT_EQ(number(), 5);
    Result<void> failed = co_await as_result(with_context(context().with(kNumber, 8), fails()));
    EXPECT_FALSE(failed);
    EXPECT_EQ(number(), 5);
  });
}

TEST_F(SuspensionTest, Sleep) {
  expect_five([]() -> Task<void> {
    co_await sleep_for(1ms);
    EXPECT_EQ(number(), 5);
    Result<void> late = co_await as_result(with_timeout(1ms, sleep_for(1h)));
    EXPECT_EQ(late.error().code(), Code::kTimeout);
    EXPECT_EQ(number(), 5);
  });
}

TEST_F(SuspensionTest, HopBetweenLoops) {
  expect_five([this]() -> Task<void> {
    for (int i = 0; i < 20; ++i) {
      co_await resume_on(runtime_.loop(static_cast<std::size_t>(i % 2)));
      EXPECT_EQ(Loop::current(), &runtime_.loop(static_cast<std::size_t>(i % 2)));
      EXPECT_EQ(number(), 5);
    }
  });
}

TEST_F(SuspensionTest, HopToThePoolAndBack) {
  expect_five([this]() -> Task<void> {
    Loop& home = *Loop::current();
    for (int i = 0; i < 20; ++i) {
      Result<void> hop = co_await resume_on(runtime_.pool());
      EXPECT_TRUE(hop);
      EXPECT_EQ(Loop::current(), nullptr);
      EXPECT_EQ(number(), 5);
      co_await resume_on(home);
      EXPECT_EQ(number(), 5);
    }
  });
}

TEST_F(SuspensionTest, PoolJob) {
  expect_five([this]() -> Task<void> {
    Loop& home = *Loop::current();
    Task<int> job = run_on(runtime_.pool(), [] { return number(); });
    EXPECT_EQ(co_await std::move(job), 5);
    EXPECT_EQ(number(), 5);
    EXPECT_EQ(Loop::current(), &home);
    Task<void> failing = run_on(runtime_.pool(), [] { throw Error(Code::kBusy, "b"); });
    Result<void> failed = co_await as_result(std::move(failing));
    EXPECT_EQ(failed.error().code(), Code::kBusy);
    EXPECT_EQ(number(), 5);
    EXPECT_EQ(Loop::current(), &home);
  });
}

TEST_F(SuspensionTest, ForeignAwaitable) {
  Foreign foreign;
  std::thread resumer([&] {
    while (!foreign.waiting.load(std::memory_order_acquire)) std::this_thread::yield();
    const ContextScope own(context().with(kNumber, 99));
    foreign.waiter.resume();
    EXPECT_EQ(number(), 99);
  });
  expect_five([&]() -> Task<void> {
    co_await foreign;
    EXPECT_EQ(number(), 5);
    co_await resume_on(runtime_.loop());
    EXPECT_EQ(number(), 5);
  });
  resumer.join();
}

TEST_F(SuspensionTest, WhenAll) {
  expect_five([]() -> Task<void> {
    std::vector<Task<int>> tasks;
    for (int i = 0; i < 10; ++i) {
      tasks.push_back([](int n) -> Task<int> {
        EXPECT_EQ(number(), 5);
        co_await with_context(context().with(kNumber, n), sleep_for(std::chrono::milliseconds(n)));
        EXPECT_EQ(number(), 5);
        co_return n;
      }(i));
    }
    std::vector<int> values = co_await when_all(std::move(tasks));
    EXPECT_EQ(values.size(), 10u);
    EXPECT_EQ(number(), 5);
  });
}

TEST_F(SuspensionTest, WhenAllOfPartsOnOtherThreads) {
  expect_five([this]() -> Task<void> {
    Loop& home = *Loop::current();
    std::vector<Task<void>> tasks;
    for (std::size_t i = 0; i < 6; ++i) {
      tasks.push_back([](Runtime& runtime, std::size_t n) -> Task<void> {
        if (n % 3 == 2) {
          Result<void> hop = co_await resume_on(runtime.pool());
          EXPECT_TRUE(hop);
        } else {
          co_await resume_on(runtime.loop(n % 3));
        }
        EXPECT_EQ(number(), 5);
      }(runtime_, i));
    }
    co_await when_all(std::move(tasks));
    EXPECT_EQ(number(), 5);
    co_await resume_on(home);
  });
}

TEST_F(SuspensionTest, Stream) {
  expect_five([this]() -> Task<void> {
    auto [sink, stream] = make_stream<int>(1);
    auto produce = [](StreamSink<int> out) -> Task<void> {
      for (int i = 0; i < 20; ++i) {
        co_await out.write(number());
        EXPECT_EQ(number(), 4);
      }
      out.close();
    };
    {
      const ContextScope other(context().with(kNumber, 4));
      runtime_.spawn(produce(std::move(sink)));
    }
    for (;;) {
      std::optional<int> value = co_await stream.next();
      EXPECT_EQ(number(), 5);
      if (!value) break;
      EXPECT_EQ(*value, 4);
    }
  });
}

// Two tasks of different contexts take turns on one loop.
TEST_F(SuspensionTest, TasksThatTakeTurns) {
  auto body = [](int n) -> Task<void> {
    for (int i = 0; i < 50; ++i) {
      EXPECT_EQ(number(), n);
      co_await sleep_for(0ms);
      EXPECT_EQ(number(), n);
      co_await resume_on(*Loop::current());
    }
    EXPECT_EQ(number(), n);
  };
  std::vector<std::future<void>> futures;
  for (int n = 0; n < 8; ++n) {
    const ContextScope scope(context().with(kNumber, n));
    auto on_loop = [](Runtime& runtime, Task<void> task) -> Task<void> {
      co_await resume_on(runtime.loop(0));
      co_await std::move(task);
    };
    futures.push_back(as_future(on_loop(runtime_, body(n))));
  }
  for (auto& future : futures) future.get();
}

TEST_F(SuspensionTest, CallbackRunsWhereTheTaskEndsWithTheStartersContext) {
  std::promise<int> seen;
  {
    const ContextScope scope(context().with(kNumber, 3));
    auto body = [](Runtime& runtime) -> Task<void> { co_await resume_on(runtime.loop(1)); };
    body(runtime_).then([&](Result<void>) { seen.set_value(number()); });
  }
  EXPECT_EQ(seen.get_future().get(), 3);
}

TEST(ContextTest, AServersContextIsCancelledByItsItem) {
  const auto cancelled_before_anybody_asks = [](bool before) {
    const char key = 0;
    auto* item = new CancelItem;
    item->retain();
    const Context root = Context::begin(kNoDeadline, &key, item);
    const Context child = root.with_timeout(std::chrono::hours(1));
    EXPECT_FALSE(child.cancelled());
    if (before) item->cancel();
    const std::stop_token token = child.stop_token();
    bool told = false;
    std::stop_callback callback(token, [&] { told = true; });
    CancelSource below(child);
    if (!before) item->cancel();
    EXPECT_TRUE(told);
    EXPECT_TRUE(root.cancelled());
    EXPECT_TRUE(child.cancelled());
    EXPECT_TRUE(below.context().cancelled());
    EXPECT_EQ(child.check("work").error().code(), Code::kCancelled);
    EXPECT_FALSE(child.with_stop_token({}).cancelled());
    item->cancel();
    item->release();
  };
  cancelled_before_anybody_asks(true);
  cancelled_before_anybody_asks(false);
}

}  // namespace
}  // namespace settee
