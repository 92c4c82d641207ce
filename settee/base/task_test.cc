// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0

#include "settee/base/task.h"

#include <gtest/gtest.h>

#include <deque>
#include <stdexcept>
#include <thread>

#include "settee/base/reflect.h"

namespace acme {
struct SoldOut : settee::BusinessException<SoldOut> {
  std::string sku;
};
}  // namespace acme
SETTEE_EXCEPTION(acme::SoldOut, "com.acme.SoldOut", sku)

namespace settee {
namespace {

constexpr ContextKey<int> kNumber{"number"};

int number() {
  const Context here = context();
  const int* found = here.get(kNumber);
  return found == nullptr ? -1 : *found;
}

Task<int> give(int x) { co_return x; }
Task<int> add_one(int x) { co_return co_await give(x) + 1; }
Task<void> nothing() { co_return; }

Task<int> deep(int n) {
  if (n == 0) co_return 0;
  co_return co_await deep(n - 1) + 1;
}

// Suspends until somebody resumes it, as a foreign library would: by the bare handle.
struct ForeignEvent {
  std::coroutine_handle<> waiter;
  bool await_ready() const { return false; }
  void await_suspend(std::coroutine_handle<> handle) { waiter = handle; }
  int await_resume() const { return 7; }
};

Task<int> deep_waiting(int n, ForeignEvent& event) {
  if (n == 0) co_return co_await event;
  co_return co_await deep_waiting(n - 1, event) + 1;
}

TEST(TaskTest, GivesItsValue) {
  EXPECT_EQ(add_one(41).get(), 42);
  nothing().get();
}

TEST(TaskTest, IsLazy) {
  bool ran = false;
  auto body = [&]() -> Task<void> {
    ran = true;
    co_return;
  };
  { Task<void> never_started = body(); }
  EXPECT_FALSE(ran);
  body().get();
  EXPECT_TRUE(ran);
}

TEST(TaskTest, ChainOfTenThousand) { EXPECT_EQ(deep(10000).get(), 10000); }

TEST(TaskTest, ChainOfTenThousandThatWaits) {
  ForeignEvent event;
  int result = 0;
  deep_waiting(10000, event).then([&](Result<int> r) { result = r.value(); });
  EXPECT_EQ(result, 0);
  event.waiter.resume();
  EXPECT_EQ(result, 10007);
}

TEST(TaskTest, ChainThatWaitsCanBeDropped) {
  ForeignEvent event;
  {
    Task<int> task = deep_waiting(1000, event);
    // Started by hand and never resumed: destroying the outermost destroys all.
    detail::resume_now(*task.promise());
    EXPECT_TRUE(event.waiter);
  }
  event.waiter.destroy();  // the foreign side gives its handle back
}

TEST(TaskTest, MillionAwaitsThatCompleteAtOnce) {
  auto body = []() -> Task<long> {
    long sum = 0;
    for (int i = 0; i < 1000000; ++i) sum += co_await give(1);
    co_return sum;
  };
  EXPECT_EQ(body().get(), 1000000);
}

TEST(TaskTest, ErrorIsThrownToTheAwaiter) {
  auto failing = []() -> Task<int> { throw Error(Code::kBusy, "no room"); co_return 1; };
  auto body = [&]() -> Task<int> {
    try {
      co_return co_await failing();
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), Code::kBusy);
      co_return -1;
    }
  };
  EXPECT_EQ(body().get(), -1);
  EXPECT_THROW(failing().get(), Error);
}

TEST(TaskTest, FailEndsWithoutAThrow) {
  static int destroyed;
  destroyed = 0;
  struct Local {
    ~Local() { ++destroyed; }
  };
  auto failing = []() -> Task<void> {
    const Local local;
    co_await fail(Error(Code::kTimeout, "late"));
  };
  auto body = [&]() -> Task<Code> {
    Result<void> result = co_await as_result(failing());
    co_return result ? Code::kUnknown : result.error().code();
  };
  EXPECT_EQ(body().get(), Code::kTimeout);
  EXPECT_EQ(destroyed, 1);
}

TEST(TaskTest, ReturnsErrorOrResult) {
  auto by_error = []() -> Task<int> { co_return Error(Code::kLimit, "x"); };
  auto by_result = [](Result<int> r) -> Task<int> { co_return std::move(r); };
  EXPECT_THROW(by_error().get(), Error);
  EXPECT_EQ(by_result(5).get(), 5);
  EXPECT_THROW(by_result(Error(Code::kLimit, "y")).get(), Error);
}

TEST(TaskTest, OtherExceptionsBecomeErrorsWithTheirType) {
  auto failing = []() -> Task<int> { throw std::out_of_range("index 9"); co_return 1; };
  try {
    failing().get();
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), Code::kUnknown);
    EXPECT_EQ(error.message(), "std::out_of_range: index 9");
  }
}

TEST(TaskTest, BusinessExceptionKeepsItsValue) {
  auto failing = []() -> Task<int> {
    acme::SoldOut sold_out;
    sold_out.message = "none left";
    sold_out.sku = "A-1";
    throw sold_out;
    co_return 1;
  };
  try {
    failing().get();
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), Code::kBusiness);
    ASSERT_TRUE(error.as<acme::SoldOut>());
    EXPECT_EQ(error.as<acme::SoldOut>()->sku, "A-1");
    EXPECT_EQ(error.message(), "none left");
  }
}

TEST(TaskTest, FutureAndCallbackAndOneway) {
  EXPECT_EQ(as_future(add_one(1)).get(), 2);
  int seen = 0;
  add_one(2).then([&](Result<int> r) { seen = *r; });
  EXPECT_EQ(seen, 3);
  EXPECT_TRUE(oneway(add_one(1)).ok());
  auto failing = []() -> Task<int> { co_return Error(Code::kOverflow, "full"); };
  const Result<void> sent = oneway(failing());
  ASSERT_FALSE(sent.ok());
  EXPECT_EQ(sent.error().code(), Code::kOverflow);
}

TEST(TaskTest, ContextFollowsTheTask) {
  const ContextScope scope(context().with(kNumber, 1));
  auto inner = []() -> Task<int> { co_return number(); };
  ForeignEvent event;
  std::vector<int> seen;
  auto body = [&]() -> Task<void> {
    seen.push_back(number());
    seen.push_back(co_await inner());
    seen.push_back(co_await with_context(context().with(kNumber, 2), inner()));
    seen.push_back(number());
    co_await event;
    seen.push_back(number());
    seen.push_back(co_await inner());
  };
  body().then([](Result<void> r) { r.value(); });
  std::thread([&] {
    const ContextScope other(context().with(kNumber, 99));
    event.waiter.resume();
    EXPECT_EQ(number(), 99);  // and the resumer's own context is back
  }).join();
  EXPECT_EQ(seen, (std::vector<int>{1, 1, 2, 1, 1, 1}));
}

TEST(TaskTest, WhenAllGivesAllValues) {
  std::vector<Task<int>> tasks;
  for (int i = 0; i < 5; ++i) tasks.push_back(give(i));
  EXPECT_EQ(when_all(std::move(tasks)).get(), (std::vector<int>{0, 1, 2, 3, 4}));
  auto text = []() -> Task<std::string> { co_return "a"; };
  const auto [number, word] = when_all(give(3), text()).get();
  EXPECT_EQ(number, 3);
  EXPECT_EQ(word, "a");
}

TEST(TaskTest, WhenAllCancelsTheRestOnError) {
  bool cancelled = false;
  auto failing = []() -> Task<void> { co_return co_await fail(Error(Code::kBusy, "b")); };
  auto watching = [&]() -> Task<void> {
    cancelled = context().cancelled();
    co_return;
  };
  std::vector<Task<void>> tasks;
  tasks.push_back(failing());
  tasks.push_back(watching());
  EXPECT_THROW(when_all(std::move(tasks)).get(), Error);
  EXPECT_TRUE(cancelled);
}

TEST(TaskTest, DeadlineAndCancellationReachTheTask) {
  auto deadline = []() -> Task<TimePoint> { co_return context().deadline(); };
  EXPECT_EQ(deadline().get(), kNoDeadline);
  EXPECT_LT(with_timeout(std::chrono::seconds(1), deadline()).get(), kNoDeadline);
  CancelSource outer;
  CancelSource inner(outer.context());
  outer.cancel();
  EXPECT_TRUE(inner.context().cancelled());
  EXPECT_EQ(inner.context().check("work").error().code(), Code::kCancelled);
}

}  // namespace
}  // namespace settee
