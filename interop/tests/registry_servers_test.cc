// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0
//
// What holds for every registry that is a server, against the real ones.

#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <future>
#include <thread>

#include "interop/tests/etcd_server.h"
#include "interop/tests/registry_fixture.h"
#ifdef SETTEE_HAVE_ZOOKEEPER
#include "interop/tests/zookeeper_server.h"
#endif

namespace {

using namespace interop::registry_test;
using interop::Child;
using interop::RegistryServer;

Child publisher(const std::string& registry, const std::string& url, int session_ms) {
  Child child({interop::own_program("registry_publisher"), registry, "com.acme.Quotes", url,
               std::to_string(session_ms)});
  if (child.read_line(60s) != "READY") throw std::runtime_error(child.errors());
  return child;
}

// Which server is meant.
struct Kind {
  const char* name;
  std::unique_ptr<RegistryServer> (*make)(bool started);
};

template <class Server>
constexpr Kind kind(const char* name) {
  return {name, [](bool started) -> std::unique_ptr<RegistryServer> {
            return std::make_unique<Server>(started);
          }};
}

const auto kKinds = testing::Values(
#ifdef SETTEE_HAVE_ZOOKEEPER
    kind<interop::ZookeeperServer>("Zookeeper"),
#endif
    kind<interop::EtcdServer>("Etcd"));

const auto kNames = [](const testing::TestParamInfo<Kind>& info) {
  return std::string(info.param.name);
};

class RegistryServersAlone : public testing::TestWithParam<Kind> {
 protected:
  std::unique_ptr<RegistryServer> make(bool started = true) const {
    return GetParam().make(started);
  }
};
INSTANTIATE_TEST_SUITE_P(Of, RegistryServersAlone, kKinds, kNames);

class RegistryServers : public RegistryFixture, public testing::WithParamInterface<Kind> {
 protected:
  std::string url() const override { return server_->url(); }

  const std::unique_ptr<RegistryServer> server_ = GetParam().make(true);
};
INSTANTIATE_TEST_SUITE_P(Of, RegistryServers, kKinds, kNames);

TEST_P(RegistryServers, TwoClientsSeeEachOther) {
  const auto one = open();
  const auto two = open();
  Heard heard_one, heard_two;
  const auto w1 = one->watch(quotes_, {}, heard_one.listener());
  const auto w2 = two->watch(quotes_, {}, heard_two.listener());
  ASSERT_TRUE(heard_one.wait_for({}));  // nobody has ever published it
  ASSERT_TRUE(heard_two.wait_for({}));
  one->publish(quotes_, provider("bolt://10.0.0.1:1")).get();
  two->publish(quotes_, provider("bolt://10.0.0.2:1")).get();
  for (const Heard& heard : {heard_one, heard_two}) {
    EXPECT_TRUE(heard.wait_for({"10.0.0.1:1", "10.0.0.2:1"}));
  }
  two->withdraw(quotes_, provider("bolt://10.0.0.1:1")).get();  // not its own
  two->withdraw(quotes_, provider("bolt://10.0.0.2:1")).get();
  for (const Heard& heard : {heard_one, heard_two}) EXPECT_TRUE(heard.wait_for({"10.0.0.1:1"}));
  const auto client = server_->client();
  one->stop();
  EXPECT_TRUE(client->children(kProviders).empty()) << "stop() returned before all was withdrawn";
  EXPECT_TRUE(heard_two.wait_for({}));
}

TEST_P(RegistryServers, ServicesUniqueIdsVersionsAndProtocolsAreApart) {
  const auto registry = open();
  const auto client = server_->client();
  registry->publish(quotes_, provider("bolt://10.0.0.1:1")).get();
  registry->publish(service("com.acme.Quotes", "blue"), provider("bolt://10.0.0.2:1")).get();
  registry->publish(service("com.acme.Orders"), provider("bolt://10.0.0.3:1")).get();
  ServiceKey second = quotes_;
  second.version = "2.0";
  registry->publish(second, provider("bolt://10.0.0.4:1")).get();
  ServiceKey rest = quotes_;
  rest.protocol = "rest";
  registry->publish(rest, provider("rest://10.0.0.5:1")).get();
  EXPECT_EQ(client->children(kProviders).size(), 4u);

  const std::vector<std::pair<ServiceKey, std::string>> expected = {
      {quotes_, "10.0.0.1:1"},
      {service("com.acme.Quotes", "blue"), "10.0.0.2:1"},
      {service("com.acme.Orders"), "10.0.0.3:1"},
      {second, "10.0.0.4:1"},
      {rest, "10.0.0.5:1"}};
  std::vector<Registry::Watch> watches;
  for (const auto& [key, address] : expected) {
    Heard heard;
    watches.push_back(registry->watch(key, {}, heard.listener()));
    EXPECT_TRUE(heard.wait_for(key, {address})) << key.unique_name();
    // The others of the interface are handed on too, and say why they do not serve.
    EXPECT_EQ(heard.last().size(), key.interface_name == quotes_.interface_name ? 4u : 1u);
  }
  // The watches that are left do not mind those that end.
  watches.pop_back();
  watches.erase(watches.begin());
  Heard again;
  const auto watch = registry->watch(quotes_, {}, again.listener());
  EXPECT_TRUE(again.wait_for(quotes_, {"10.0.0.1:1"}));
}

TEST_P(RegistryServers, OneServerMayOfferAnInterfaceUnderSeveralNames) {
  const auto registry = open();
  registry->publish(quotes_, provider("bolt://10.0.0.1:1")).get();
  registry->publish(service("com.acme.Quotes", "blue"), provider("bolt://10.0.0.1:1")).get();
  Heard heard;
  const auto watch = registry->watch(quotes_, {}, heard.listener());
  EXPECT_TRUE(heard.wait_for({"10.0.0.1:1", "10.0.0.1:1"}));
  EXPECT_TRUE(heard.wait_for(quotes_, {"10.0.0.1:1"}));
}

TEST_P(RegistryServers, AConsumerOfAnotherUniqueIdIsToldWhyThereIsNoProvider) {
  const auto registry = open();
  registry->publish(service("com.acme.Quotes", "a"), provider("bolt://10.0.0.1:1")).get();
  settee::rpc::Client caller(runtime_);
  try {
    caller.refer_generic(server_->url() + "/com.acme.Quotes:1.0:b").call("latest", {}, {}).get();
    ADD_FAILURE() << "called";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), Code::kNoProvider) << error.what();
    EXPECT_NE(error.message().find("10.0.0.1:1 (uniqueId): it has uniqueId 'a', not 'b'"),
              std::string::npos)
        << error.message();
  }
}

TEST_P(RegistryServers, TheSameProviderReplacesItselfWithoutAGap) {
  const auto registry = open();
  const auto other = open();
  Heard heard;
  const auto watch = other->watch(quotes_, {}, heard.listener());
  registry->publish(quotes_, provider("bolt://10.0.0.1:1?weight=0")).get();
  ASSERT_TRUE(heard.wait_for({"10.0.0.1:1"}));
  for (int weight = 1; weight <= 20; ++weight) {
    registry->publish(quotes_, provider("bolt://10.0.0.1:1?weight=" + std::to_string(weight)))
        .get();
  }
  // And back to one that it was: nothing of this is mixed up.
  registry->publish(quotes_, provider("bolt://10.0.0.1:1?weight=3")).get();
  ASSERT_TRUE(
      heard.wait([](const Providers& all) { return all.size() == 1 && all[0].weight() == 3; }));
  const auto client = server_->client();
  EXPECT_TRUE(eventually([&] { return client->children(kProviders).size() == 1; }));
  bool begun = false;
  EXPECT_FALSE(heard.ever([&](const Providers& all) {
    begun = begun || !all.empty();
    return begun && all.size() != 1;
  })) << "consumers saw it vanish or twice";
}

TEST_P(RegistryServers, RootsAreApart) {
  const auto plain = open();
  const auto rooted = open(10s, "/shop/east");
  rooted->publish(quotes_, provider("bolt://10.0.0.1:1")).get();
  const auto client = server_->client();
  EXPECT_EQ(client->children("/shop/east/sofa-rpc/com.acme.Quotes/providers").size(), 1u);
  Heard heard;
  const auto watch = plain->watch(quotes_, {}, heard.listener());
  EXPECT_TRUE(heard.wait_for({}));
}

TEST_P(RegistryServers, WhatOthersWriteIsReadAndWhatCannotBeIsLogged) {
  const auto client = server_->client();
  const auto put = [&](const std::string& name, const std::string& data) {
    client->create(kProviders + ("/" + name), data);
  };
  put("bolt%3A%2F%2F10.0.0.1%3A1%3FuniqueId%3D", server_->online());
  // As sofa-rpc-node writes it: by encodeURIComponent, without data.
  put("bolt%3A%2F%2F10.0.0.2%3A1%3FappName%3Da%20b%26uniqueId%3D%26protocol%3D", "");
  put("bolt%3A%2F%2F10.0.0.3%3A1%3FuniqueId%3D", server_->offline());  // offline
  put("bolt%3A%2F%2F10.0.0.4%ZZ", server_->online());
  put("bolt%3A%2F%2F%3A%3A%3A", server_->online());
  const auto registry = open();
  Heard heard;
  const auto watch = registry->watch(quotes_, {}, heard.listener());
  ASSERT_TRUE(heard.wait_for({"10.0.0.1:1", "10.0.0.2:1"})) << log_.text();
  EXPECT_EQ(heard.last()[1].attribute("appName"), "a b");
  EXPECT_EQ(log_.count("bolt%3A%2F%2F10.0.0.4%ZZ is ignored", LogLevel::kWarning), 1)
      << log_.text();

  // An operator switches providers off and on.
  client->set(std::string(kProviders) + "/bolt%3A%2F%2F10.0.0.3%3A1%3FuniqueId%3D",
              server_->online());
  ASSERT_TRUE(heard.wait_for({"10.0.0.1:1", "10.0.0.2:1", "10.0.0.3:1"}));
  client->set(std::string(kProviders) + "/bolt%3A%2F%2F10.0.0.1%3A1%3FuniqueId%3D",
              server_->offline());
  ASSERT_TRUE(heard.wait_for({"10.0.0.2:1", "10.0.0.3:1"}));
  EXPECT_EQ(log_.count("%ZZ is ignored"), 1) << "logged once, not with each list";
}

TEST_P(RegistryServers, DynamicFalseIsPublishedAsOffline) {
  const auto registry = open();
  Heard heard;
  const auto watch = registry->watch(quotes_, {}, heard.listener());
  registry->publish(quotes_, provider("bolt://10.0.0.1:1?dynamic=false")).get();
  const auto client = server_->client();
  const std::string path = std::string(kProviders) + "/" + client->children(kProviders).at(0);
  EXPECT_EQ(client->get(path)->data, server_->offline());
  EXPECT_FALSE(heard.ever([](const Providers& all) { return !all.empty(); }));
  client->set(path, server_->online());
  EXPECT_TRUE(heard.wait_for({"10.0.0.1:1"}));
}

TEST_P(RegistryServers, AKilledPublisherThatComesBackIsNotLostWithItsOldSession) {
  constexpr int kSession = 3'000;
  const std::string url = "bolt://10.0.0.1:1?startTime=5&pid=6";  // the same name of the node again
  const auto registry = open();
  Heard heard;
  const auto watch = registry->watch(quotes_, {}, heard.listener());
  const auto client = server_->client();
  Child first = publisher(server_->url(), url, kSession);
  ASSERT_TRUE(heard.wait_for({"10.0.0.1:1"}));
  const std::string path = std::string(kProviders) + "/" + client->children(kProviders).at(0);
  const std::int64_t old_session = client->get(path)->owner;
  first.kill(SIGKILL);
  first.wait(10s);
  Child second = publisher(server_->url(), url, kSession);
  const auto node = client->get(path);
  ASSERT_TRUE(node);
  EXPECT_NE(node->owner, old_session);
  std::this_thread::sleep_for(std::chrono::milliseconds(2 * kSession));
  EXPECT_TRUE(client->get(path)) << "it went with the session of the killed process";
  bool begun = false;
  EXPECT_FALSE(heard.ever([&](const Providers& all) {
    begun = begun || !all.empty();
    return begun && all.empty();
  })) << "consumers saw it vanish";
  // A kill without a return is noticed when the session ends.
  second.kill(SIGKILL);
  second.wait(10s);
  EXPECT_TRUE(heard.wait_for({}));
}

TEST_P(RegistryServers, ANewInstanceOutranksWhatAKilledOneLeftBehind) {
  const auto registry = open();
  Heard heard;
  const auto watch = registry->watch(quotes_, {}, heard.listener());
  Child first = publisher(server_->url(), "bolt://10.0.0.1:1?weight=1&startTime=9", 4'000);
  ASSERT_TRUE(heard.wait_for({"10.0.0.1:1"}));
  first.kill(SIGKILL);
  first.wait(10s);
  Child second = publisher(server_->url(), "bolt://10.0.0.1:1?weight=2&startTime=1", 4'000);
  ASSERT_TRUE(
      heard.wait([](const Providers& all) { return all.size() == 1 && all[0].weight() == 2; }));
  const auto client = server_->client();
  EXPECT_TRUE(eventually([&] { return client->children(kProviders).size() == 1; }));
  EXPECT_EQ(heard.last().at(0).weight(), 2);
  second.end_input();
  EXPECT_EQ(second.wait(30s), 0);
  EXPECT_TRUE(heard.wait_for({}));
}

TEST_P(RegistryServers, TheServerIsKilledAndComesBackWithItsData) {
  const auto publishing = open();
  const auto watching = open();
  Heard heard;
  const auto watch = watching->watch(quotes_, {}, heard.listener());
  publishing->publish(quotes_, provider("bolt://10.0.0.1:1")).get();
  ASSERT_TRUE(heard.wait_for({"10.0.0.1:1"}));
  server_->kill();
  // What is remembered holds, also for those who come now.
  Heard late;
  const auto second = watching->watch(quotes_, {}, late.listener());
  EXPECT_TRUE(late.wait_for({"10.0.0.1:1"}));
  // publish() waits until its deadline, says what is in the way, and the registry goes on trying.
  ASSERT_TRUE(eventually([&] { return log_.count("not connected", LogLevel::kWarning) >= 2; }));
  try {
    settee::with_timeout(300ms, publishing->publish(quotes_, provider("bolt://10.0.0.2:1"))).get();
    ADD_FAILURE() << "published without a server";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), Code::kTimeout);
    const std::string text = error.message();
    EXPECT_NE(text.find("publish com.acme.Quotes:1.0 at 10.0.0.2:1 in " + server_->url()),
              std::string::npos)
        << text;
    EXPECT_NE(text.find(server_->address()), std::string::npos) << text;
    EXPECT_NE(text.find("Connection refused"), std::string::npos) << text;
  }
  server_->start();
  EXPECT_TRUE(heard.wait_for({"10.0.0.1:1", "10.0.0.2:1"}));
  EXPECT_FALSE(heard.ever([&, begun = false](const Providers& all) mutable {
    begun = begun || !all.empty();
    return begun && all.empty();
  })) << "the consumer was told of no providers";
  // Watches are alive after it.
  publishing->withdraw(quotes_, provider("bolt://10.0.0.1:1")).get();
  EXPECT_TRUE(heard.wait_for({"10.0.0.2:1"}));
  EXPECT_TRUE(late.wait_for({"10.0.0.2:1"}));
}

TEST_P(RegistryServers, TheServerLosesAllDataAndSessions) {
  const auto publishing = open(2s);
  const auto watching = open(2s);
  Heard heard;
  const auto watch = watching->watch(quotes_, {}, heard.listener());
  publishing->publish(quotes_, provider("bolt://10.0.0.1:1")).get();
  publishing->publish(service("com.acme.Orders"), provider("bolt://10.0.0.1:1")).get();
  ASSERT_TRUE(heard.wait_for({"10.0.0.1:1"}));
  server_->kill();
  server_->lose_data();
  server_->start();
  const auto client = server_->client();
  EXPECT_TRUE(eventually([&] {
    return client->children(kProviders).size() == 1 && client->children(kConsumers).size() == 1 &&
           client->children("/sofa-rpc/com.acme.Orders/providers").size() == 1;
  })) << log_.text();
  EXPECT_TRUE(heard.wait_for({"10.0.0.1:1"}));
  // The server refuses clients that have seen more than it knows; nothing but a new session helps.
  EXPECT_GE(log_.count("again in a new one", LogLevel::kWarning), 2) << log_.text();
  settee::with_timeout(30s, publishing->publish(quotes_, provider("bolt://10.0.0.2:1"))).get();
  EXPECT_TRUE(heard.wait_for({"10.0.0.1:1", "10.0.0.2:1"}));
}

TEST_P(RegistryServers, AnExpiredSessionRegistersAndWatchesAgain) {
  const auto registry = open();
  Heard heard;
  const auto watch = registry->watch(quotes_, {}, heard.listener());
  Child process = publisher(server_->url(), "bolt://10.0.0.1:1", 1'000);
  ASSERT_TRUE(heard.wait_for({"10.0.0.1:1"}));
  process.kill(SIGSTOP);  // a machine that sleeps
  ASSERT_TRUE(heard.wait_for({}));
  process.kill(SIGCONT);
  EXPECT_TRUE(heard.wait_for({"10.0.0.1:1"}));
  process.end_input();
  EXPECT_EQ(process.wait(30s), 0);
  EXPECT_TRUE(heard.wait_for({}));
}

TEST_P(RegistryServers, AServerThatHangsIsNoticedAndStopDoesNotHang) {
  auto registry = open(2s);
  Heard heard;
  const auto watch = registry->watch(quotes_, {}, heard.listener());
  registry->publish(quotes_, provider("bolt://10.0.0.1:1")).get();
  ASSERT_TRUE(heard.wait_for({"10.0.0.1:1"}));
  server_->suspend();
  try {
    settee::with_timeout(200ms, registry->publish(quotes_, provider("bolt://10.0.0.2:1"))).get();
    ADD_FAILURE() << "published by a server that hangs";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), Code::kTimeout) << error.what();
  }
  auto other = open(2s);
  const auto begun = std::chrono::steady_clock::now();
  registry.reset();
  other.reset();
  EXPECT_LT(std::chrono::steady_clock::now() - begun, 10s);
  server_->resume();
  // What could not be withdrawn goes with the session.
  const auto client = server_->client();
  EXPECT_TRUE(eventually([&] { return client->children(kProviders).empty(); }));
}

TEST_P(RegistryServers, NodesThatSomebodyDeletesAreMadeAgain) {
  const auto registry = open();
  registry->publish(quotes_, provider("bolt://10.0.0.1:1")).get();
  const auto client = server_->client();
  const std::string path = std::string(kProviders) + "/" + client->children(kProviders).at(0);
  client->remove(path);
  EXPECT_TRUE(eventually([&] { return client->get(path).has_value(); }));
  EXPECT_EQ(log_.count("somebody has deleted " + path, LogLevel::kWarning), 1) << log_.text();
  // One that another has made in its place is left to it until it goes.
  client->remove(path);
  client->create(path, server_->online(), true);
  const std::int64_t theirs = client->get(path)->owner;
  std::this_thread::sleep_for(2s);
  EXPECT_EQ(client->get(path)->owner, theirs);
  registry->withdraw(quotes_, provider("bolt://10.0.0.1:1")).get();
  EXPECT_EQ(client->get(path)->owner, theirs) << "withdraw() deleted what was not its own";
}

TEST_P(RegistryServers, StopLeavesWhatAnotherHasMadeInItsPlace) {
  const auto registry = open();
  registry->publish(quotes_, provider("bolt://10.0.0.1:1")).get();
  const auto client = server_->client();
  const std::string path = std::string(kProviders) + "/" + client->children(kProviders).at(0);
  client->remove(path);
  ASSERT_TRUE(eventually([&] { return log_.count("somebody has deleted " + path) == 1; }));
  client->create(path, server_->online(), true);
  const std::int64_t theirs = client->get(path)->owner;
  registry->stop();
  ASSERT_TRUE(client->get(path)) << "it deleted what was not its own";
  EXPECT_EQ(client->get(path)->owner, theirs);
}

TEST_P(RegistryServers, AThousandProviders) {
  constexpr int kMany = 1'000;
  const auto publishing = open(30s);
  const auto watching = open(30s);
  Heard heard;
  const auto watch = watching->watch(quotes_, {}, heard.listener());
  ASSERT_TRUE(heard.wait_for({}));
  const auto begun = std::chrono::steady_clock::now();
  std::vector<std::future<void>> published;
  std::vector<Provider> providers;
  for (int i = 0; i < kMany; ++i) {
    providers.push_back(provider("bolt://10.1." + std::to_string(i / 250) + "." +
                                 std::to_string(i % 250) + ":12200"));
    published.push_back(settee::as_future(publishing->publish(quotes_, providers.back())));
  }
  for (std::future<void>& one : published) one.get();
  const auto done = std::chrono::steady_clock::now();
  ASSERT_TRUE(heard.wait([](const Providers& all) { return all.size() == kMany; }));
  const auto seen = std::chrono::steady_clock::now();
  Heard fresh;
  const auto second = open(30s);
  const auto again = second->watch(quotes_, {}, fresh.listener());
  ASSERT_TRUE(fresh.wait([](const Providers& all) { return all.size() == kMany; }));
  EXPECT_EQ(fresh.calls(), 1u);
  const auto listed = std::chrono::steady_clock::now();
  const auto ms = [](auto duration) {
    return std::to_string(std::chrono::duration_cast<std::chrono::milliseconds>(duration).count());
  };
  std::printf("published in %s ms, seen %s ms later, listed anew in %s ms\n",
              ms(done - begun).c_str(), ms(seen - done).c_str(), ms(listed - seen).c_str());
  publishing->withdraw(quotes_, providers[7]).get();
  EXPECT_TRUE(fresh.wait([](const Providers& all) { return all.size() == kMany - 1; }));
  publishing->stop();
  EXPECT_TRUE(fresh.wait([](const Providers& all) { return all.empty(); }));
}

TEST_P(RegistryServers, StopAtAnyMoment) {
  for (int round = 0; round < 25; ++round) {
    auto registry = open();
    Heard heard;
    auto watch = registry->watch(quotes_, {}, heard.listener());
    std::future<void> published =
        settee::as_future(registry->publish(quotes_, provider("bolt://10.0.0.1:1")));
    std::this_thread::sleep_for(std::chrono::milliseconds(round));
    if (round % 2 == 0) watch.reset();
    registry.reset();
    try {
      published.get();
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), Code::kStopped) << error.what();
    }
  }
  const auto client = server_->client();
  EXPECT_TRUE(eventually([&] { return client->children(kProviders).empty(); }));
  EXPECT_TRUE(eventually([&] { return client->children(kConsumers).empty(); }));
}

TEST_P(RegistryServers, ManyThreadsAtOnce) {
  const auto registry = open();
  std::vector<std::thread> threads;
  std::atomic<int> told = 0;
  for (int thread = 0; thread < 4; ++thread) {
    threads.emplace_back([&, thread] {
      for (int i = 0; i < 30; ++i) {
        const ServiceKey key = service("com.acme.S" + std::to_string(i % 3));
        const Provider own = provider("bolt://10.0.0." + std::to_string(thread) + ":1");
        const auto watch = registry->watch(key, {}, [&](const Providers&) { ++told; });
        registry->publish(key, own).get();
        registry->withdraw(key, own).get();
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  const auto client = server_->client();
  for (int i = 0; i < 3; ++i) {
    EXPECT_TRUE(eventually([&] {
      return client->children("/sofa-rpc/com.acme.S" + std::to_string(i) + "/providers").empty();
    }));
  }
  EXPECT_GT(told, 0);
}

TEST_P(RegistryServersAlone, TheServerIsAbsentAtStart) {
  Log log;
  Runtime runtime(log.options());
  const auto made = make(false);
  RegistryServer& server = *made;
  const auto registry = settee::rpc::open_registry(runtime, server.url());
  Heard heard;
  const auto watch = registry->watch(service("com.acme.Quotes"), {}, heard.listener());
  std::future<void> patient = settee::as_future(
      registry->publish(service("com.acme.Quotes"), provider("bolt://10.0.0.1:1")));
  try {
    settee::with_timeout(
        600ms, registry->publish(service("com.acme.Orders"), provider("bolt://10.0.0.1:1")))
        .get();
    ADD_FAILURE() << "published without a server";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), Code::kTimeout);
    EXPECT_NE(error.message().find("Connection refused"), std::string::npos) << error.message();
  }
  EXPECT_EQ(heard.calls(), 0u) << "nothing is known yet";
  server.start();
  patient.get();
  EXPECT_TRUE(heard.wait_for({"10.0.0.1:1"}));
  const auto client = server.client();
  EXPECT_TRUE(eventually([&] {
    return client->children("/sofa-rpc/com.acme.Orders/providers").size() == 1;
  })) << "what had timed out was given up";
}

TEST_P(RegistryServersAlone, AStartWithoutTheServerFindsWhatWasListedAndTheServerWinsAfterwards) {
  Log log;
  Runtime runtime(log.options());
  const auto made = make();
  RegistryServer& server = *made;
  const std::string folder = testing::TempDir() + "known." + std::to_string(getpid());
  RegistryOptions options;
  options.backup_directory = folder;
  const ServiceKey quotes = service("com.acme.Quotes");
  {
    const auto publishing = settee::rpc::open_registry(runtime, server.url());
    publishing->publish(quotes, provider("bolt://10.0.0.1:1")).get();
    publishing->publish(service("com.acme.Quotes", "blue"), provider("bolt://10.0.0.2:1")).get();
    Heard heard;
    const auto registry = settee::rpc::open_registry(runtime, server.url(), options);
    const auto watch = registry->watch(quotes, {}, heard.listener());
    ASSERT_TRUE(heard.wait_for({"10.0.0.1:1", "10.0.0.2:1"}));
    server.kill();
  }
  Heard heard;
  const auto registry = settee::rpc::open_registry(runtime, server.url(), options);
  const auto watch = registry->watch(quotes, {}, heard.listener());
  ASSERT_TRUE(heard.wait_for(quotes, {"10.0.0.1:1"})) << log.text();
  EXPECT_EQ(log.count(server.url() + " has not answered (connecting to " + server.address(),
                      LogLevel::kWarning),
            1)
      << log.text();
  EXPECT_EQ(log.count("its 2 provider(s) of com.acme.Quotes of "), 1) << log.text();
  server.lose_data();
  server.start();
  EXPECT_TRUE(heard.wait_for({})) << "the server lists nothing";
  registry->publish(quotes, provider("bolt://10.0.0.9:1")).get();
  EXPECT_TRUE(heard.wait_for({"10.0.0.9:1"}));
  std::filesystem::remove_all(folder);
}

TEST_P(RegistryServersAlone, TheSecondServerIsTakenWhenTheFirstIsNotThere) {
  Log log;
  Runtime runtime(log.options());
  const auto absent = make(false);
  const auto made = make();
  RegistryServer& server = *made;
  const auto registry = settee::rpc::open_registry(runtime, absent->url() + "," + server.address());
  registry->publish(service("com.acme.Quotes"), provider("bolt://10.0.0.1:1")).get();
  const auto client = server.client();
  EXPECT_EQ(client->children(kProviders).size(), 1u);
}

}  // namespace
