// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0
//
// A client's filters and what comes behind them: whatever a filter does with next(), the tries that it
// begins have their time, are counted and told rightly, and end before what they use.

#include <gtest/gtest.h>

#include "settee/base/event_bus.h"
#include "settee/rpc/cluster/shops_test.h"
#include "settee/rpc/events.h"

namespace settee::rpc {
namespace {

using namespace std::chrono_literals;
using wire::eventually;

// A filter made of a function.
template <class F>
class Does final : public Filter {
 public:
  explicit Does(F work) : work_(std::move(work)) {}
  Task<void> apply(Call& call, Next next) override { return work_(call, next); }

 private:
  const F work_;
};
template <class F>
std::shared_ptr<Filter> does(F work) {
  return std::make_shared<Does<F>>(std::move(work));
}

class ClientFiltersTest : public ClusterTest {
 protected:
  Reference<Shop> filtered(std::vector<std::shared_ptr<Filter>> filters,
                           ReferOptions options = ReferOptions()) {
    for (auto& filter : filters) options.filters.emplace_back(std::move(filter), std::string());
    return client_->refer<Shop>(url(), options);
  }
  void pause(std::chrono::milliseconds time) {
    for (One& one : servers_) one.shop->pause = time;
  }
};

TEST_F(ClientFiltersTest, ATryBeginsWhenTheFilterLetsItGo) {
  ReferOptions options;
  options.try_timeout = 150ms;
  const auto shop = filtered({does([](Call&, Next next) -> Task<void> {
                               co_await sleep_for(200ms);
                               co_await next();
                             })},
                             options);
  std::vector<Duration> took;  // of tries, which end on the loop before the call does
  const Subscription listening = runtime_->events().subscribe<ClientTryEnded>(
      [&](const ClientTryEnded& event) { took.push_back(event.took); });
  EXPECT_EQ(error_of(shop->ask("x")), std::nullopt);
  ASSERT_EQ(took.size(), 1u);
  EXPECT_LT(took[0], 150ms);
}

TEST_F(ClientFiltersTest, NextOnceMoreHasWhatIsLeftOfTheCallsTime) {
  pause(10s);
  ReferOptions options;
  options.timeout = 150ms;
  const auto shop = filtered({does([](Call&, Next next) -> Task<void> {
                               Task<void> first = next();
                               const Result<void> done = co_await as_result(std::move(first));
                               if (!done) co_await next();
                             })},
                             options);
  const std::optional<Error> error = error_of(shop->order("x"));
  ASSERT_TRUE(error);
  EXPECT_EQ(error->code(), Code::kTimeout);
  EXPECT_NE(error->message().find("its time was over before"), std::string::npos)
      << error->message();
  EXPECT_EQ(calls(), 1);
}

TEST_F(ClientFiltersTest, ATimeoutAroundNextEndsTheTries) {
  pause(10s);
  const auto shop =
      filtered({does([](Call&, Next next) -> Task<void> { return with_timeout(100ms, next()); })});
  std::atomic<int> tries{0};
  const Subscription listening =
      runtime_->events().subscribe<ClientTryEnded>([&](const ClientTryEnded&) { ++tries; });
  const std::optional<Error> error = error_of(shop->ask("x"));  // idempotent
  ASSERT_TRUE(error);
  EXPECT_EQ(error->code(), Code::kTimeout);
  EXPECT_EQ(tries, 1);
  EXPECT_EQ(calls(), 1);
}

TEST_F(ClientFiltersTest, WhatNextGivesBeginsNothingUntilItIsAwaited) {
  std::atomic<int> begun{0};
  const Subscription listening =
      runtime_->events().subscribe<ClientTryStarted>([&](const ClientTryStarted&) { ++begun; });
  const auto shop = filtered({does([&](Call& call, Next next) -> Task<void> {
    Task<void> unused = next();
    if (call.method() == "order") co_return;
    co_await sleep_for(50ms);
    EXPECT_EQ(begun, 0);
    co_await std::move(unused);
  })});
  EXPECT_EQ(error_of(shop->ask("x")), std::nullopt);
  EXPECT_EQ(begun, 1);
  static_cast<void>(error_of(shop->order("x")));
  EXPECT_EQ(begun, 1);
  for (const AddressStatus& one : shop.addresses()) EXPECT_EQ(one.in_flight, 0);
}

// The outermost Task is one that has the others' as its parameter.
TEST_F(ClientFiltersTest, ACallIsThereUntilAllItsFiltersHaveEnded) {
  struct Looks {
    Call& call;
    std::string& seen;
    ~Looks() { seen = std::string(call.method()) + " " + std::string(call.service()); }
  };
  std::string seen;
  const auto shop =
      filtered({does([](Call&, Next next) -> Task<void> { return with_timeout(10s, next()); }),
                does([&](Call& call, Next) -> Task<void> {
                  const Looks looks{call, seen};
                  call.set_header("x", std::string(1'000, 'x'));
                  co_await fail(Error(Code::kInvalidArgument, "not today"));
                })});
  EXPECT_EQ(error_of(shop->ask("x"))->code(), Code::kInvalidArgument);
  EXPECT_EQ(seen, "ask com.acme.Shop:1.0");
}

TEST_F(ClientFiltersTest, CallsOfPlainThreadsAreSpreadOverAllLoops) {
  const auto shop = client_->refer<Shop>(url());
  for (int i = 0; i < 100; ++i) shop->ask("x").get();
  const auto connections = [&] {
    return runtime_->stats().find("settee.net.connections", {{"role", "client"}}).value().value;
  };
  EXPECT_TRUE(eventually([&] { return connections() == 6; })) << connections();
}

}  // namespace
}  // namespace settee::rpc
