// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0
//
// Servers and clients with a registry: what is published when, and what becomes of calls as the list
// changes. The registry is one in memory; the real ones have tests of their own.

#include "settee/rpc/registry.h"

#include <gtest/gtest.h>

#include "settee/base/event_bus.h"
#include "settee/base/stats.h"
#include "settee/rpc/registry/internal/names.h"
#include "settee/rpc/rpc_test_peer.h"

namespace settee::rpc {
namespace {

using namespace std::chrono_literals;
using wire::eventually;

class MemoryRegistry final : public Registry {
 public:
  const std::string& address() const noexcept override { return address_; }
  std::string status() const override { return "connected"; }
  Task<void> publish(ServiceKey key, Provider provider) override {
    {
      const std::lock_guard lock(mutex_);
      if (refuses) co_await fail(Error(Code::kIo, "the registry is full"));
      log.push_back("publish " + key.unique_name());
      // As the interface asks of every registry.
      lists_[key.unique_name()].push_back(registry::announced(key, std::move(provider)).value());
    }
    push(key.unique_name());
    co_return;
  }
  Task<void> withdraw(ServiceKey key, Provider provider) override {
    {
      const std::lock_guard lock(mutex_);
      log.push_back("withdraw " + key.unique_name());
      std::erase_if(lists_[key.unique_name()],
                    [&](const Provider& one) { return registry::same_address(one, provider); });
    }
    push(key.unique_name());
    co_return;
  }
  Watch watch(ServiceKey key, ConsumerInfo, Listener listener) override {
    auto made = std::make_shared<Watching>(key.unique_name(), std::move(listener));
    {
      const std::lock_guard lock(mutex_);
      watching_.push_back(made);
    }
    if (!silent) push(key.unique_name());
    return made;
  }
  void stop() override {}

  void set(const std::string& name, Providers all) {
    {
      const std::lock_guard lock(mutex_);
      lists_[name] = std::move(all);
    }
    push(name);
  }
  Providers list(const std::string& name) {
    const std::lock_guard lock(mutex_);
    return lists_[name];
  }
  void push(const std::string& name) {
    const std::lock_guard one_at_a_time(pushing_);
    std::vector<std::shared_ptr<Watching>> told;
    Providers all;
    {
      const std::lock_guard lock(mutex_);
      all = lists_[name];
      for (const auto& weak : watching_) {
        if (auto one = weak.lock(); one && one->name == name) told.push_back(std::move(one));
      }
    }
    for (const auto& one : told) one->listener(all);
  }

  bool silent = false;  // says nothing until push()
  bool refuses = false;
  std::vector<std::string> log;

 private:
  struct Watching {
    Watching(std::string n, Listener l) : name(std::move(n)), listener(std::move(l)) {}
    std::string name;
    Listener listener;
  };
  const std::string address_ = "memory://here";
  std::mutex pushing_;
  std::mutex mutex_;
  std::map<std::string, Providers> lists_;
  std::vector<std::weak_ptr<Watching>> watching_;
};

// May be told to leave every second call without an answer in time.
class Named final : public wire::MyProbe {
 public:
  Task<std::string> echo(std::string text) override {
    const int number = ++calls;
    if (bad && number % 2 == 0) co_await sleep_for(200ms);
    co_return text;
  }
  std::atomic<bool> bad{false};
};

class RegistryTest : public testing::Test {
 protected:
  RegistryTest() {
    RuntimeOptions options;
    options.threads = 2;
    options.log = log_.keep();
    runtime_ = std::make_unique<Runtime>(std::move(options));
  }
  struct One {
    std::shared_ptr<Named> object = std::make_shared<Named>();
    std::unique_ptr<Server> server;
  };
  One serve(std::uint16_t port = 0, std::chrono::milliseconds leave = 20ms) {
    One one;
    ServerOptions options;
    options.host = "127.0.0.1";
    options.port = port;
    options.app_name = "shop";
    options.registries = {registry_};
    options.leave = leave;
    one.server = std::make_unique<Server>(*runtime_, options);
    one.server->provide<wire::Probe>(one.object);
    one.server->start();
    return one;
  }
  std::int64_t stat(std::string_view name) const {
    const std::optional<StatValue> found = runtime_->stats().find(name, {});
    return found ? found->value : -1;
  }

  wire::LogLines log_;
  std::unique_ptr<Runtime> runtime_;
  std::shared_ptr<MemoryRegistry> registry_ = std::make_shared<MemoryRegistry>();
};

TEST_F(RegistryTest, ServicesArePublishedWhenTheyCanBeCalledAndWithdrawnFirst) {
  One one = serve();
  Providers all = registry_->list(wire::kService);
  ASSERT_EQ(all.size(), 1u);
  EXPECT_EQ(all[0].endpoint.to_string(), one.server->address());
  EXPECT_EQ(all[0].attribute("interface"), "com.acme.Probe");
  EXPECT_EQ(all[0].attribute("appName"), "shop");
  EXPECT_EQ(all[0].attribute("serialization"), "hessian2");
  EXPECT_EQ(all[0].attribute("language"), "cpp");
  EXPECT_GT(all[0].number("rpcVer", 0), 51'000);
  EXPECT_GT(all[0].number("startTime", 0), 1'600'000'000'000);
  EXPECT_EQ(all[0].weight(), 100);

  // Later ones at once, each by its own name.
  ProvideOptions options;
  options.unique_id = "two";
  options.weight = 7;
  one.server->provide<wire::Probe>(one.object, options);
  all = registry_->list("com.acme.Probe:1.0:two");
  ASSERT_EQ(all.size(), 1u);
  EXPECT_EQ(all[0].attribute("uniqueId"), "two");
  EXPECT_EQ(all[0].weight(), 7);
  EXPECT_TRUE(one.server->withdraw("com.acme.Probe:1.0:two"));
  EXPECT_TRUE(registry_->list("com.acme.Probe:1.0:two").empty());

  one.server->stop();
  EXPECT_TRUE(registry_->list(wire::kService).empty());
}

TEST_F(RegistryTest, ARegistryThatRefusesEndsTheStartWithAnErrorThatNamesIt) {
  registry_->refuses = true;
  try {
    serve();
    FAIL();
  } catch (const Error& error) {
    const std::string what = error.what();
    EXPECT_NE(what.find("publishing com.acme.Probe:1.0 in memory://here"), std::string::npos)
        << what;
    EXPECT_NE(what.find("the registry is full"), std::string::npos) << what;
  }
}

TEST_F(RegistryTest, CallsFollowTheList) {
  One one = serve();
  Client client{*runtime_};
  const auto probe = client.refer<wire::Probe>({registry_});
  EXPECT_EQ(probe->echo("a").get(), "a");
  One other = serve();
  for (int i = 0; i < 100; ++i) probe->echo("b").get();
  EXPECT_GT(other.object->calls, 10);
  one.server->stop();
  const int before = one.object->calls;
  for (int i = 0; i < 50; ++i) probe->echo("c").get();
  EXPECT_EQ(one.object->calls, before);
}

TEST_F(RegistryTest, TheFirstCallWaitsForTheFirstList) {
  One one = serve();
  registry_->silent = true;
  Client client{*runtime_};
  const auto probe = client.refer<wire::Probe>({registry_});
  auto early = as_future(probe->echo("early"));
  EXPECT_EQ(early.wait_for(100ms), std::future_status::timeout);
  registry_->push(wire::kService);
  EXPECT_EQ(early.get(), "early");

  registry_->silent = true;
  const auto never = client.refer<wire::Probe>({registry_});
  try {
    never.with(CallOptions().timeout(50ms))->echo("x").get();
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), Code::kNoProvider) << error.what();
    EXPECT_NE(std::string(error.what()).find("memory://here"), std::string::npos) << error.what();
  }
}

TEST_F(RegistryTest, WhyThereIsNoProviderIsSaid) {
  Provider rest = *Provider::parse("rest://127.0.0.1:8341");
  Provider other = *Provider::parse("bolt://127.0.0.1:12200?uniqueId=blue");
  registry_->set(wire::kService, {rest, other});
  Client client{*runtime_};
  try {
    client.refer<wire::Probe>({registry_})->echo("x").get();
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), Code::kNoProvider);
    const std::string what = error.what();
    EXPECT_NE(what.find("memory://here (connected) lists 2 provider(s) of com.acme.Probe"),
              std::string::npos)
        << what;
    EXPECT_NE(what.find("127.0.0.1:8341 (protocol): it speaks rest, not bolt"), std::string::npos)
        << what;
    EXPECT_NE(what.find("127.0.0.1:12200 (uniqueId): it has uniqueId 'blue', not ''"),
              std::string::npos)
        << what;
  }
}

TEST_F(RegistryTest, AListThatIsSuddenlyEmptyIsNotBelieved) {
  One one = serve();
  One other = serve();
  Client client{*runtime_};
  const auto probe = client.refer<wire::Probe>({registry_});
  EXPECT_EQ(probe->echo("a").get(), "a");
  registry_->set(wire::kService, {});
  for (int i = 0; i < 20; ++i) EXPECT_EQ(probe->echo("b").get(), "b");
  EXPECT_EQ(stat("settee.rpc.client.providers_kept"), 2);
  EXPECT_NE(log_.wait_for({"memory://here now lists 0 of 2 providers", "kept"}), "") << log_.all();
}

TEST_F(RegistryTest, ARollingRestartLosesNoCall) {
  std::vector<One> servers;
  for (int i = 0; i < 2; ++i) servers.push_back(serve(0, 100ms));
  Client client{*runtime_};
  const auto probe = client.refer<wire::Probe>({registry_});
  std::atomic<bool> enough{false};
  std::atomic<int> answered{0};
  std::atomic<int> failed{0};
  std::string first_error;
  std::mutex mutex;
  std::vector<std::thread> callers;
  for (int t = 0; t < 4; ++t) {
    callers.emplace_back([&] {
      while (!enough) {
        try {
          probe->nap(1).get();
          ++answered;
        } catch (const Error& error) {
          ++failed;
          const std::lock_guard lock(mutex);
          if (first_error.empty()) first_error = error.what();
        }
      }
    });
  }
  for (int round = 0; round < 3; ++round) {
    for (One& one : servers) {
      const int before = answered;
      EXPECT_TRUE(eventually([&] { return answered > before + 100; }));
      const std::uint16_t port = one.server->port();
      one.server->stop();
      one = serve(port, 100ms);
    }
  }
  enough = true;
  for (std::thread& caller : callers) caller.join();
  EXPECT_EQ(failed, 0) << first_error;
  EXPECT_GT(answered, 600);
}

TEST_F(RegistryTest, WhoFailsMuchMoreThanTheOthersIsCalledLess) {
  std::vector<One> servers;
  for (int i = 0; i < 4; ++i) servers.push_back(serve());
  std::vector<ProviderRegulated> decisions;
  std::mutex mutex;
  const Subscription listening =
      runtime_->events().subscribe<ProviderRegulated>([&](const ProviderRegulated& event) {
        const std::lock_guard lock(mutex);
        decisions.push_back(event);
      });
  ClientOptions options;
  options.fault_tolerance.regulation_effective = true;
  options.fault_tolerance.degrade_effective = true;
  options.fault_tolerance.time_window = 1s;
  options.fault_tolerance.least_window_exception_rate_multiple = 3;
  Client client{*runtime_, options};
  const auto probe = client.refer<wire::Probe>({registry_});
  servers[2].object->bad = true;
  const auto call_for = [&](std::chrono::milliseconds time) {
    std::vector<int> before;
    for (const One& one : servers) before.push_back(one.object->calls);
    const TimePoint until = Clock::now() + time;
    int all = 0;
    while (Clock::now() < until) {
      try {
        probe.with(CallOptions().timeout(50ms))->echo("x").get();
      } catch (const Error&) {
      }
      ++all;
    }
    return static_cast<double>(servers[2].object->calls - before[2]) / all;
  };
  const auto decided = [&] {
    const std::lock_guard lock(mutex);
    return decisions.size();
  };
  for (int i = 0; i < 100 && decided() == 0; ++i) call_for(50ms);
  ASSERT_GE(decided(), 1u);
  EXPECT_LT(call_for(500ms), 0.06);  // weight 5 of 305, or less
  {
    const std::lock_guard lock(mutex);
    EXPECT_EQ(decisions[0].address, servers[2].server->address());
    EXPECT_EQ(decisions[0].weight_before, 100);
    EXPECT_EQ(decisions[0].weight, 5);
    EXPECT_NE(decisions[0].reason.find("calls failed"), std::string::npos) << decisions[0].reason;
  }
  servers[2].object->bad = false;
  const TimePoint until = Clock::now() + 20s;
  double share = 0;
  while (share < 0.15 && Clock::now() < until) share = call_for(300ms);
  EXPECT_GE(share, 0.15);
}

TEST_F(RegistryTest, AProviderWarmsUp) {
  One cold = serve();
  One warm = serve();
  Providers all = registry_->list(wire::kService);
  ASSERT_EQ(all.size(), 2u);
  const auto now = std::chrono::duration_cast<std::chrono::milliseconds>(
                       std::chrono::system_clock::now().time_since_epoch())
                       .count();
  all[0].attributes["startTime"] = std::to_string(now);
  all[0].attributes["warmupTime"] = "2500";
  all[0].attributes["warmupWeight"] = "0";
  registry_->set(wire::kService, all);
  Client client{*runtime_};
  const auto probe = client.refer<wire::Probe>({registry_});
  for (int i = 0; i < 50; ++i) probe->echo("x").get();
  EXPECT_EQ(cold.object->calls, 0);
  EXPECT_TRUE(eventually([&] {
    probe->echo("x").get();
    return cold.object->calls > 5;
  }));
}

}  // namespace
}  // namespace settee::rpc
