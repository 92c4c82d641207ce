// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0
//
// What a reference's options and a call's own do to the way of a call.

#include <algorithm>
#include <mutex>
#include <set>

#include "settee/base/event_bus.h"
#include "settee/rpc/cluster/shops_test.h"
#include "settee/rpc/events.h"
#include "settee/rpc/memory_registry_test.h"
#include "settee/rpc/no_provider.h"
#include "settee/rpc/router.h"

namespace settee::rpc {
namespace {

using namespace std::chrono_literals;
using wire::eventually;

class RulesTest : public ClusterTest {
 protected:
  // Of the registry in memory, with an attribute for each server.
  Providers listed(const std::string& name, const std::vector<std::string>& values) {
    Providers all;
    for (std::size_t i = 0; i < servers_.size(); ++i) {
      Provider provider = *Provider::parse(servers_[i].address);
      if (i < values.size() && !values[i].empty()) provider.attributes[name] = values[i];
      all.push_back(std::move(provider));
    }
    return all;
  }
  template <class E>
  Subscription keep(std::vector<E>& into) {
    return runtime_->events().subscribe<E>([this, &into](const E& event) {
      const std::lock_guard lock(mutex_);
      into.push_back(event);
    });
  }

  static ClientOptions with_breaker(std::chrono::milliseconds open_time) {
    ClientOptions options;
    options.circuit_breaker.enabled = true;
    options.circuit_breaker.least_calls = 5;
    options.circuit_breaker.open_time = open_time;
    return options;
  }

  std::mutex mutex_;
  std::shared_ptr<MemoryRegistry> registry_ = std::make_shared<MemoryRegistry>();
};

TEST_F(RulesTest, ATaggedCallGoesToATaggedProvider) {
  registry_->set("com.acme.Shop:1.0", listed("tag", {"", "gray", ""}));
  ReferOptions options;
  options.routers = {tag_router()};
  const auto shop = client_->refer<Shop>({registry_}, options);
  {
    const ContextScope gray(context().with(kRequestBaggage, {{"tag", "gray"}}));
    for (int i = 0; i < 20; ++i) EXPECT_EQ(shop->ask("x").get(), "b");
  }
  std::set<std::string> others;
  for (int i = 0; i < 50; ++i) others.insert(shop->ask("x").get());
  EXPECT_EQ(others, (std::set<std::string>{"a", "c"}));
}

TEST_F(RulesTest, RoutersHearOfNewAddresses) {
  registry_->set("com.acme.Shop:1.0", listed("tag", {"gray", "", ""}));
  ReferOptions options;
  options.routers = {tag_router()};
  const auto shop = client_->refer<Shop>({registry_}, options);
  const ContextScope gray(context().with(kRequestBaggage, {{"tag", "gray"}}));
  EXPECT_EQ(shop->ask("x").get(), "a");
  registry_->set("com.acme.Shop:1.0", listed("tag", {"", "", "gray"}));
  EXPECT_EQ(shop->ask("x").get(), "c");
}

TEST_F(RulesTest, WhomRoutersDropIsNamedWithTheReason) {
  registry_->set("com.acme.Shop:1.0", listed("tag", {"gray", "gray", "gray"}));
  ReferOptions options;
  options.routers = {tag_router()};
  const auto error = error_of(client_->refer<Shop>({registry_}, options)->ask("x"));
  ASSERT_TRUE(error);
  EXPECT_EQ(error->code(), Code::kNoProvider);
  const auto* why = error->detail<NoProvider>();
  ASSERT_NE(why, nullptr);
  ASSERT_EQ(why->dropped.size(), 3u);
  for (const Dropped& one : why->dropped) {
    EXPECT_EQ(one.step, RouteStep::kRouter);
    EXPECT_EQ(one.reason, "tag: it has tag 'gray', the call none");
  }
  EXPECT_NE(error->message().find(servers_[1].address + " (router): tag: it has"),
            std::string::npos)
      << error->message();
}

TEST_F(RulesTest, ARouterThatAnswersForTooFewIsLeftOut) {
  struct Lazy final : Router {
    std::string_view name() const noexcept override { return "lazy"; }
    std::vector<std::string> drop(std::string_view,
                                  std::span<const Provider* const>) const override {
      return {};
    }
  };
  ReferOptions options;
  options.routers = {std::make_shared<Lazy>()};
  EXPECT_FALSE(client_->refer<Shop>(url(), options)->ask("x").get().empty());
  EXPECT_NE(log_.wait_for({"router lazy gave 0 answers for 3 addresses"}), "");
}

TEST_F(RulesTest, ACallMayNameItsTarget) {
  const auto shop = client_->refer<Shop>(url());
  for (int i = 0; i < 10; ++i) {
    EXPECT_EQ(shop.with(CallOptions().target(servers_[2].address))->ask("x").get(), "c");
  }
  // Also one that the reference does not know, and with no other if that fails.
  const auto only = client_->refer<Shop>("bolt://" + servers_[0].address);
  EXPECT_EQ(only.with(CallOptions().target("bolt://" + servers_[1].address))->ask("x").get(), "b");
  const std::string gone = nobody();
  const auto error = error_of(shop.with(CallOptions().target(gone))->ask("x"));
  ASSERT_TRUE(error);
  EXPECT_EQ(error->code(), Code::kConnectFailed);
  EXPECT_NE(error->message().find(gone), std::string::npos) << error->message();
  EXPECT_THROW(static_cast<void>(shop.with(CallOptions().target("::"))), Error);
}

TEST_F(RulesTest, TimeoutsOfTheMethodTheReferenceTheProviderAndTheCall) {
  for (One& one : servers_) one.shop->pause = 300ms;
  const auto took = [&](const Reference<Shop>& shop) {
    const TimePoint began = Clock::now();
    const auto error = error_of(shop->order("x"));
    EXPECT_TRUE(error && error->code() == Code::kTimeout);
    return Clock::now() - began;
  };
  // Each is told apart by what it would be under the next: a 300 ms answer.
  ReferOptions options;
  options.timeout = 2s;
  options.methods["order"].timeout = 50ms;
  const auto by_method = client_->refer<Shop>(url(), options);
  EXPECT_LT(took(by_method), 250ms);
  EXPECT_EQ(error_of(by_method->ask("x")), std::nullopt);
  EXPECT_EQ(error_of(by_method.with(CallOptions().timeout(2s))->order("x")), std::nullopt);
  registry_->set("com.acme.Shop:1.0", listed("timeout", {"40", "40", "40"}));
  EXPECT_LT(took(client_->refer<Shop>({registry_})), 250ms);
  ReferOptions longer;
  longer.timeout = 2s;
  EXPECT_EQ(error_of(client_->refer<Shop>({registry_}, longer)->order("x")), std::nullopt);
}

TEST_F(RulesTest, ATryMayHaveATimeOfItsOwn) {
  servers_[0].shop->pause = 2s;
  ReferOptions options;
  options.try_timeout = 50ms;
  options.balancer = "roundRobin";
  const auto shop = client_->refer<Shop>(url(), options);
  const TimePoint began = Clock::now();
  for (int i = 0; i < 3; ++i) EXPECT_NE(shop->ask("x").get(), "a");  // idempotent: tried again
  EXPECT_LT(Clock::now() - began, 1s);
}

TEST_F(RulesTest, ACallMayAskForRetries) {
  servers_[0].shop->pause = 2s;
  ReferOptions options;
  options.try_timeout = 50ms;
  options.balancer = "roundRobin";
  const auto shop = client_->refer<Shop>(url(), options);
  // Without a try that may follow, a try has all the time of the call.
  int failed = 0;
  for (int i = 0; i < 3; ++i) {
    failed += error_of(shop.with(CallOptions().timeout(50ms))->order("x")) ? 1 : 0;
  }
  EXPECT_EQ(failed, 1);
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(error_of(shop.with(CallOptions().retries(1))->order("x")), std::nullopt);
  }
}

TEST_F(RulesTest, TheOptionsMaySayThatAMethodIsIdempotent) {
  servers_[0].shop->pause = 2s;
  ReferOptions options;
  options.try_timeout = 50ms;
  options.balancer = "roundRobin";
  options.methods["order"].idempotent = true;
  const auto shop = client_->refer<Shop>(url(), options);
  for (int i = 0; i < 3; ++i) EXPECT_EQ(error_of(shop->order("x")), std::nullopt);
}

TEST_F(RulesTest, AStickyReferenceStaysAsLongAsItsAddressCanBeCalled) {
  RuntimeOptions one_loop;
  one_loop.threads = 1;
  one_loop.log = log_.keep();
  Runtime runtime{one_loop};
  Client client{runtime};
  ReferOptions options;
  options.sticky = true;
  const auto shop = client.refer<Shop>(url(), options);
  const std::string first = shop->ask("x").get();
  for (int i = 0; i < 30; ++i) EXPECT_EQ(shop->ask("x").get(), first);
  servers_[static_cast<std::size_t>(first[0] - 'a')].server->stop();
  const std::string second = shop->ask("x").get();
  EXPECT_NE(second, first);
  for (int i = 0; i < 30; ++i) EXPECT_EQ(shop->ask("x").get(), second);
}

TEST_F(RulesTest, AStickyReferenceStaysWhenOthersComeAndGo) {
  RuntimeOptions one_loop;
  one_loop.threads = 1;
  Runtime runtime{one_loop};
  Client client{runtime};
  ReferOptions options;
  options.sticky = true;
  const Providers all = listed("tag", {});
  registry_->set("com.acme.Shop:1.0", {all[0]});
  const auto shop = client.refer<Shop>({registry_}, options);
  EXPECT_EQ(shop->ask("x").get(), "a");
  registry_->set("com.acme.Shop:1.0", all);
  for (int i = 0; i < 30; ++i) EXPECT_EQ(shop->ask("x").get(), "a");
  registry_->set("com.acme.Shop:1.0", {all[1], all[2]});
  EXPECT_NE(shop->ask("x").get(), "a");
}

TEST_F(RulesTest, ABroadcastCallsEveryAddress) {
  ReferOptions options;
  options.cluster = ClusterMode::kBroadcast;
  const auto shop = client_->refer<Shop>(url(), options);
  EXPECT_EQ(shop->ask("x").get(), "a");
  EXPECT_EQ(calls(), 3);
  servers_[1].server->stop();
  const auto error = error_of(shop->ask("x"));
  ASSERT_TRUE(error);
  EXPECT_NE(error->message().find("broadcast: 1 of 3 addresses failed"), std::string::npos)
      << error->message();
  EXPECT_NE(error->message().find(servers_[1].address), std::string::npos) << error->message();
  EXPECT_EQ(servers_[2].shop->calls, 2);
}

TEST_F(RulesTest, NoMoreCallsOnTheirWayThanAllowed) {
  for (One& one : servers_) one.shop->pause = 200ms;
  std::vector<CallRefused> refused;
  const Subscription listening = keep(refused);
  ReferOptions options;
  options.methods["ask"].concurrents = 2;
  const auto shop = client_->refer<Shop>(url(), options);
  std::vector<std::future<std::string>> on_their_way;
  for (int i = 0; i < 2; ++i) on_their_way.push_back(as_future(shop->ask("x")));
  ASSERT_TRUE(eventually([&] { return calls() == 2; }));
  const auto error = error_of(shop->ask("x"));
  ASSERT_TRUE(error);
  EXPECT_EQ(error->code(), Code::kOverflow);
  EXPECT_NE(error->message().find("as many as ReferMethod::concurrents allows"), std::string::npos)
      << error->message();
  EXPECT_EQ(error_of(shop->order("x")), std::nullopt);
  for (auto& one : on_their_way) one.get();
  EXPECT_EQ(error_of(shop->ask("x")), std::nullopt);
  ASSERT_EQ(refused.size(), 1u);
  EXPECT_EQ(refused[0].limit, "concurrents");
  EXPECT_EQ(refused[0].side, Side::kClient);
  EXPECT_EQ(stat("settee.rpc.client.refused"), 1);
}

TEST_F(RulesTest, CheckSaysAtOnceThatNobodyIsThere) {
  ClientOptions quick;
  quick.connect_timeout = 100ms;
  Client client{*runtime_, quick};
  ReferOptions options;
  options.check = true;
  EXPECT_EQ(error_of(client.refer<Shop>(url(), options)->ask("x")), std::nullopt);
  const std::string gone = nobody();
  try {
    static_cast<void>(client.refer<Shop>("bolt://" + gone, options));
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), Code::kNoProvider);
    EXPECT_NE(error.message().find("no address is connected after 100 ms"), std::string::npos)
        << error.message();
    EXPECT_NE(error.message().find(gone), std::string::npos) << error.message();
  }
}

TEST_F(RulesTest, ABreakerKeepsCallsFromAnAddressThatFails) {
  ClientOptions options = with_breaker(300ms);
  options.circuit_breaker.trial_calls = 1;
  Client client{*runtime_, options};
  std::vector<BreakerChanged> changes;
  const Subscription listening = keep(changes);
  servers_[0].shop->pause = 200ms;
  const auto shop = client.refer<Shop>("bolt://" + servers_[0].address);
  const auto brief = shop.with(CallOptions().timeout(20ms));
  for (int i = 0; i < 5; ++i) EXPECT_EQ(error_of(brief->ask("x"))->code(), Code::kTimeout);
  const int before = servers_[0].shop->calls;
  const auto error = error_of(brief->ask("x"));
  EXPECT_EQ(error->code(), Code::kNoProvider);
  const auto* why = error->detail<NoProvider>();
  ASSERT_NE(why, nullptr);
  ASSERT_EQ(why->dropped.size(), 1u);
  EXPECT_EQ(why->dropped[0].step, RouteStep::kBreaker);
  EXPECT_NE(why->dropped[0].reason.find("5 of 5 calls failed"), std::string::npos)
      << why->dropped[0].reason;
  EXPECT_EQ(servers_[0].shop->calls, before);
  EXPECT_EQ(error_of(shop->order("x")), std::nullopt);  // another method
  servers_[0].shop->pause = 0ms;
  EXPECT_TRUE(eventually([&] { return !error_of(shop->ask("x")); }));
  const std::lock_guard lock(mutex_);
  ASSERT_EQ(changes.size(), 3u);
  EXPECT_EQ(changes[0].state, BreakerState::kOpen);
  EXPECT_EQ(changes[0].method, "ask");
  EXPECT_EQ(changes[1].state, BreakerState::kHalfOpen);
  EXPECT_EQ(changes[2].state, BreakerState::kClosed);
  EXPECT_EQ(stat("settee.rpc.client.breakers_opened"), 1);
}

TEST_F(RulesTest, ABreakerStaysOpenWhenTheAddressIsListedAnew) {
  Client client{*runtime_, with_breaker(60s)};
  servers_[0].shop->pause = 200ms;
  servers_.resize(1);
  registry_->set("com.acme.Shop:1.0", listed("weight", {"100"}));
  const auto shop = client.refer<Shop>({registry_});
  const auto brief = shop.with(CallOptions().timeout(20ms));
  for (int i = 0; i < 5; ++i) EXPECT_EQ(error_of(brief->ask("x"))->code(), Code::kTimeout);
  registry_->set("com.acme.Shop:1.0", listed("weight", {"50"}));
  EXPECT_EQ(error_of(brief->ask("x"))->code(), Code::kNoProvider);
  // Another process in its place has done nothing wrong.
  registry_->set("com.acme.Shop:1.0", listed("startTime", {"1700000000000"}));
  servers_[0].shop->pause = 0ms;
  EXPECT_EQ(error_of(shop->ask("x")), std::nullopt);
}

TEST_F(RulesTest, AnAddressThatFailsAgainAndAgainIsEjectedForAWhile) {
  ClientOptions ejecting;
  ejecting.outlier_ejection.enabled = true;
  ejecting.outlier_ejection.consecutive_failures = 3;
  ejecting.outlier_ejection.base_time = 1500ms;
  Client client{*runtime_, ejecting};
  std::vector<ProviderEjected> decisions;
  const Subscription listening = keep(decisions);
  servers_[0].shop->pause = 100ms;
  ReferOptions options;
  options.balancer = "roundRobin";
  const auto shop = client.refer<Shop>(url(), options);
  const auto brief = shop.with(CallOptions().timeout(50ms));
  for (int i = 0; i < 9; ++i) error_of(brief->order("x"));
  {
    const std::lock_guard lock(mutex_);
    ASSERT_EQ(decisions.size(), 1u);
    EXPECT_EQ(decisions[0].address, servers_[0].address);
    EXPECT_EQ(decisions[0].time, 1500ms);
    EXPECT_EQ(decisions[0].reason, "3 failures in a row");
  }
  const auto statuses = shop.addresses();
  ASSERT_EQ(statuses.size(), 3u);
  EXPECT_EQ(statuses[0].dropped, "ejected: failures in a row");
  EXPECT_EQ(statuses[1].dropped, "");
  const int before = servers_[0].shop->calls;
  for (int i = 0; i < 20; ++i) EXPECT_EQ(error_of(brief->order("x")), std::nullopt);
  EXPECT_EQ(servers_[0].shop->calls, before);
  servers_[0].shop->pause = 0ms;
  EXPECT_TRUE(eventually([&] {
    error_of(brief->order("x"));
    return servers_[0].shop->calls > before;
  }));
  EXPECT_TRUE(eventually([&] {
    const std::lock_guard lock(mutex_);
    return decisions.size() == 2;
  }));
}

TEST_F(RulesTest, OptionsThatNoCallCouldBeMadeWithAreRefusedByName) {
  const auto refused = [&](auto change) -> std::string {
    ReferOptions options;
    change(options);
    try {
      static_cast<void>(client_->refer<Shop>(url(), options));
    } catch (const Error& error) {
      return error.message();
    }
    return "nothing was refused";
  };
  EXPECT_EQ(refused([](ReferOptions& o) { o.connections = 0; }),
            "refer com.acme.Shop: ReferOptions::connections is below 1: no call could be made");
  EXPECT_EQ(refused([](ReferOptions& o) { o.timeout = 0ms; }),
            "refer com.acme.Shop: ReferOptions::timeout is not above 0");
  EXPECT_EQ(refused([](ReferOptions& o) { o.methods["buy"].retries = 1; }),
            "refer com.acme.Shop: ReferOptions::methods: the service has no method 'buy'");
  EXPECT_EQ(refused([](ReferOptions& o) { o.routers.push_back(nullptr); }),
            "refer com.acme.Shop: ReferOptions::routers has a null router");
}

class Noting final : public Filter {
 public:
  Noting(std::string name, std::vector<std::string>& notes)
      : name_(std::move(name)), notes_(notes) {}
  Task<void> apply(Call&, Next next) override {
    notes_.push_back(name_);
    co_await next();
  }

 private:
  const std::string name_;
  std::vector<std::string>& notes_;
};

TEST_F(RulesTest, FiltersHaveAnOrderNamesAndMethods) {
  std::vector<std::string> notes;
  const auto note = [&](std::string name) { return std::make_shared<Noting>(name, notes); };
  client_->add_filter({note("last"), "last", 10});
  client_->add_filter({note("plain"), "plain"});
  ReferOptions options;
  options.filters.emplace_back(note("first"), "first", -10);
  options.filters.emplace_back(note("order only"), "", 0, std::vector<std::string>{"order"});
  const auto shop = client_->refer<Shop>(url(), options);
  shop->ask("x").get();
  EXPECT_EQ(notes, (std::vector<std::string>{"first", "plain", "last"}));
  notes.clear();
  shop->order("x").get();
  EXPECT_EQ(notes, (std::vector<std::string>{"first", "plain", "order only", "last"}));
  notes.clear();
  EXPECT_TRUE(client_->remove_filter("plain"));
  EXPECT_FALSE(client_->remove_filter("plain"));
  shop->ask("x").get();
  EXPECT_EQ(notes, (std::vector<std::string>{"first", "last"}));
  notes.clear();
  options.without_filters = {"last"};
  client_->refer<Shop>(url(), options)->ask("x").get();
  EXPECT_EQ(notes, (std::vector<std::string>{"first"}));
  EXPECT_THROW(client_->add_filter({note("again"), "last"}), Error);
  EXPECT_THROW(client_->add_filter(std::shared_ptr<Filter>()), Error);
}

TEST_F(RulesTest, EveryStepOfACallIsTold) {
  static constexpr ContextKey<std::string> kSpan{"test.span"};
  struct {
    std::vector<ClientCallStarted> started;
    std::vector<ClientTryStarted> tries;
    std::vector<ClientTryEnded> answers;
    std::vector<ClientCallEnded> ended;
    std::vector<std::string> spans;
  } seen;
  std::vector<Subscription> listening;
  EventBus& events = runtime_->events();
  listening.push_back(events.subscribe<ClientCallStarted>([&](const ClientCallStarted& event) {
    *event.context = event.context->with(kSpan, "the span");
  }));
  listening.push_back(events.subscribe<ClientTryStarted>([&](const ClientTryStarted& event) {
    if (const std::string* span = context().get(kSpan)) seen.spans.push_back(*span);
    event.headers->emplace("span", "1");
  }));
  listening.push_back(keep(seen.started));
  listening.push_back(keep(seen.tries));
  listening.push_back(keep(seen.answers));
  listening.push_back(keep(seen.ended));
  ClientOptions named;
  named.app_name = "till";
  Client client{*runtime_, named};
  const std::string gone = nobody();
  ReferOptions options;
  options.balancer = "roundRobin";
  options.target_app = "shop";
  const auto shop = client.refer<Shop>("bolt://" + gone + "," + servers_[0].address, options);
  EXPECT_EQ(shop->ask("x").get(), "a");
  ASSERT_TRUE(eventually([&] {
    const std::lock_guard lock(mutex_);
    return seen.ended.size() == 1;
  }));
  ASSERT_EQ(seen.started.size(), 1u);
  EXPECT_EQ(seen.started[0].call.service, "com.acme.Shop:1.0");
  EXPECT_EQ(seen.started[0].call.method, "ask");
  EXPECT_EQ(seen.started[0].call.protocol, "bolt");
  EXPECT_EQ(seen.started[0].call.invoke_type, "sync");
  EXPECT_EQ(seen.started[0].call.app, "till");
  EXPECT_EQ(seen.started[0].call.peer_app, "shop");
  EXPECT_FALSE(seen.started[0].context);  // a copy
  ASSERT_EQ(seen.tries.size(), 2u);
  EXPECT_EQ(seen.tries[0].address, gone);
  EXPECT_EQ(seen.tries[1].address, servers_[0].address);
  EXPECT_EQ(seen.tries[1].number, 2);
  EXPECT_EQ(seen.tries[1].call.number, seen.started[0].call.number);
  ASSERT_EQ(seen.answers.size(), 2u);
  EXPECT_EQ(seen.answers[0].error->code(), Code::kConnectFailed);
  EXPECT_FALSE(seen.answers[1].error);
  EXPECT_GT(seen.answers[1].took.count(), 0);
  EXPECT_FALSE(seen.ended[0].error);
  EXPECT_EQ(seen.ended[0].tries, 2);
  EXPECT_EQ(seen.ended[0].address, servers_[0].address);
  EXPECT_EQ(seen.ended[0].route, "DIRECT");
  EXPECT_EQ(seen.spans, (std::vector<std::string>{"the span", "the span"}));
  EXPECT_EQ(context().get(kSpan), nullptr);
}

TEST_F(RulesTest, ReferencesAndTheirAddressesAreTold) {
  std::vector<ReferenceMade> made;
  std::vector<AddressesChanged> changes;
  const Subscription first = keep(made);
  const Subscription second = keep(changes);
  Providers all = listed("tag", {});
  registry_->set("com.acme.Shop:1.0", all);
  const auto shop = client_->refer<Shop>({registry_});
  shop->ask("x").get();
  all.pop_back();
  registry_->set("com.acme.Shop:1.0", all);
  ASSERT_EQ(made.size(), 1u);
  EXPECT_EQ(made[0].service, "com.acme.Shop:1.0");
  EXPECT_EQ(made[0].source, "memory://here");
  ASSERT_EQ(changes.size(), 2u);
  EXPECT_EQ(changes[0].known, 3u);
  EXPECT_EQ(changes[0].added, 3u);
  EXPECT_EQ(changes[1].known, 2u);
  EXPECT_EQ(changes[1].removed, 1u);
}

}  // namespace
}  // namespace settee::rpc
