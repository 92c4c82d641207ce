// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0
//
// The registry zookeeper:// against a real server.

#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <future>
#include <regex>
#include <set>
#include <thread>

#include "interop/tests/zookeeper_server.h"
#include "settee/rpc/client.h"
#include "settee/rpc/registry/registry_test_log.h"

namespace {

using namespace std::chrono_literals;
using interop::Child;
using interop::ZookeeperClient;
using interop::ZookeeperServer;
using settee::Code;
using settee::Error;
using settee::LogLevel;
using settee::Runtime;
using settee::rpc::Provider;
using settee::rpc::Providers;
using settee::rpc::Registry;
using settee::rpc::RegistryOptions;
using settee::rpc::ServiceKey;
using settee::rpc::registry_test::eventually;
using settee::rpc::registry_test::Heard;
using settee::rpc::registry_test::Log;
using settee::rpc::registry_test::provider;
using settee::rpc::registry_test::service;

constexpr char kProviders[] = "/sofa-rpc/com.acme.Quotes/providers";
constexpr char kConsumers[] = "/sofa-rpc/com.acme.Quotes/consumers";

Child publisher(const std::string& registry, const std::string& url, int session_ms) {
  const auto program =
      std::filesystem::read_symlink("/proc/self/exe").parent_path() / "registry_publisher";
  Child child({program, registry, "com.acme.Quotes", url, std::to_string(session_ms)});
  if (child.read_line(60s) != "READY") throw std::runtime_error(child.errors());
  return child;
}

class ZookeeperRegistry : public testing::Test {
 protected:
  std::shared_ptr<Registry> open(std::chrono::milliseconds session = 10s,
                                 const std::string& root = {}) {
    RegistryOptions options;
    options.session_timeout = session;
    return settee::rpc::open_registry(runtime_, server_.url() + root, options);
  }

  Log log_;
  Runtime runtime_{log_.options()};
  ZookeeperServer server_;
  const ServiceKey quotes_ = service("com.acme.Quotes");
};

TEST_F(ZookeeperRegistry, WhatIsPublishedIsInJavasLayout) {
  const auto registry = open();
  const ZookeeperClient zookeeper(server_.address());
  registry->publish(quotes_, provider("bolt://10.0.0.1:12200?appName=shop&startTime=5&pid=6"))
      .get();
  EXPECT_EQ(zookeeper.children("/sofa-rpc"), std::vector<std::string>{"com.acme.Quotes"});
  const std::vector<std::string> names = zookeeper.children(kProviders);
  ASSERT_EQ(names.size(), 1u);
  EXPECT_EQ(names[0],
            "bolt%3A%2F%2F10.0.0.1%3A12200%3Fversion%3D1.0%26appName%3Dshop%26"
            "interface%3Dcom.acme.Quotes%26language%3Dcpp%26pid%3D6%26protocol%3Dbolt%26"
            "rpcVer%3D51403%26startTime%3D5%26uniqueId%3D%26weight%3D100");
  const auto node = zookeeper.get(kProviders + ("/" + names[0]));
  ASSERT_TRUE(node);
  EXPECT_EQ(node->data, "\1");
  EXPECT_NE(node->owner, 0) << "a provider's node is ephemeral";
  for (const char* parent : {"/sofa-rpc", "/sofa-rpc/com.acme.Quotes", kProviders}) {
    EXPECT_EQ(zookeeper.get(parent)->owner, 0);
  }

  Heard heard;
  settee::rpc::ConsumerInfo consumer;
  consumer.app_name = "desk";
  const auto watch = registry->watch(quotes_, consumer, heard.listener());
  ASSERT_TRUE(heard.wait_for({"10.0.0.1:12200"}));
  EXPECT_EQ(heard.last()[0].attribute("appName"), "shop");
  ASSERT_TRUE(eventually([&] { return zookeeper.children(kConsumers).size() == 1; }));
  const std::string consumer_name = zookeeper.children(kConsumers)[0];
  EXPECT_TRUE(consumer_name.starts_with("bolt%3A%2F%2F")) << consumer_name;
  EXPECT_NE(consumer_name.find("%3Fversion%3D1.0%26appName%3Ddesk%26"), std::string::npos);
  EXPECT_NE(zookeeper.get(kConsumers + ("/" + consumer_name))->owner, 0);
}

TEST_F(ZookeeperRegistry, TwoClientsSeeEachOther) {
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
  const ZookeeperClient zookeeper(server_.address());
  one->stop();
  EXPECT_TRUE(zookeeper.children(kProviders).empty()) << "stop() returned before all was withdrawn";
  EXPECT_TRUE(heard_two.wait_for({}));
}

TEST_F(ZookeeperRegistry, ServicesUniqueIdsVersionsAndProtocolsAreApart) {
  const auto registry = open();
  const ZookeeperClient zookeeper(server_.address());
  registry->publish(quotes_, provider("bolt://10.0.0.1:1")).get();
  registry->publish(service("com.acme.Quotes", "blue"), provider("bolt://10.0.0.2:1")).get();
  registry->publish(service("com.acme.Orders"), provider("bolt://10.0.0.3:1")).get();
  ServiceKey second = quotes_;
  second.version = "2.0";
  registry->publish(second, provider("bolt://10.0.0.4:1")).get();
  ServiceKey rest = quotes_;
  rest.protocol = "rest";
  registry->publish(rest, provider("rest://10.0.0.5:1")).get();
  EXPECT_EQ(zookeeper.children(kProviders).size(), 4u);

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

TEST_F(ZookeeperRegistry, OneServerMayOfferAnInterfaceUnderSeveralNames) {
  const auto registry = open();
  registry->publish(quotes_, provider("bolt://10.0.0.1:1")).get();
  registry->publish(service("com.acme.Quotes", "blue"), provider("bolt://10.0.0.1:1")).get();
  Heard heard;
  const auto watch = registry->watch(quotes_, {}, heard.listener());
  EXPECT_TRUE(heard.wait_for({"10.0.0.1:1", "10.0.0.1:1"}));
  EXPECT_TRUE(heard.wait_for(quotes_, {"10.0.0.1:1"}));
}

TEST_F(ZookeeperRegistry, AConsumerOfAnotherUniqueIdIsToldWhyThereIsNoProvider) {
  const auto registry = open();
  registry->publish(service("com.acme.Quotes", "a"), provider("bolt://10.0.0.1:1")).get();
  settee::rpc::Client client(runtime_);
  try {
    client.refer_generic(server_.url() + "/com.acme.Quotes:1.0:b").call("latest", {}, {}).get();
    ADD_FAILURE() << "called";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), Code::kNoProvider) << error.what();
    EXPECT_NE(error.message().find("10.0.0.1:1 (uniqueId): it has uniqueId 'a', not 'b'"),
              std::string::npos)
        << error.message();
  }
}

TEST_F(ZookeeperRegistry, TheSameProviderReplacesItselfWithoutAGap) {
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
  const ZookeeperClient zookeeper(server_.address());
  EXPECT_TRUE(eventually([&] { return zookeeper.children(kProviders).size() == 1; }));
  bool begun = false;
  EXPECT_FALSE(heard.ever([&](const Providers& all) {
    begun = begun || !all.empty();
    return begun && all.size() != 1;
  })) << "consumers saw it vanish or twice";
}

TEST_F(ZookeeperRegistry, RootsAreApart) {
  const auto plain = open();
  const auto rooted = open(10s, "/shop/east");
  rooted->publish(quotes_, provider("bolt://10.0.0.1:1")).get();
  const ZookeeperClient zookeeper(server_.address());
  EXPECT_EQ(zookeeper.children("/shop/east/sofa-rpc/com.acme.Quotes/providers").size(), 1u);
  Heard heard;
  const auto watch = plain->watch(quotes_, {}, heard.listener());
  EXPECT_TRUE(heard.wait_for({}));
}

TEST_F(ZookeeperRegistry, WhatOthersWriteIsReadAndWhatCannotBeIsLogged) {
  const ZookeeperClient zookeeper(server_.address());
  const auto put = [&](const std::string& name, const std::string& data) {
    zookeeper.create(kProviders + ("/" + name), data);
  };
  put("bolt%3A%2F%2F10.0.0.1%3A1%3FuniqueId%3D", "\1");
  // As sofa-rpc-node writes it: by encodeURIComponent, without data.
  put("bolt%3A%2F%2F10.0.0.2%3A1%3FappName%3Da%20b%26uniqueId%3D%26protocol%3D", "");
  put("bolt%3A%2F%2F10.0.0.3%3A1%3FuniqueId%3D", std::string(1, '\0'));  // offline
  put("bolt%3A%2F%2F10.0.0.4%ZZ", "\1");
  put("bolt%3A%2F%2F%3A%3A%3A", "\1");
  const auto registry = open();
  Heard heard;
  const auto watch = registry->watch(quotes_, {}, heard.listener());
  ASSERT_TRUE(heard.wait_for({"10.0.0.1:1", "10.0.0.2:1"})) << log_.text();
  EXPECT_EQ(heard.last()[1].attribute("appName"), "a b");
  EXPECT_EQ(log_.count("bolt%3A%2F%2F10.0.0.4%ZZ is ignored", LogLevel::kWarning), 1)
      << log_.text();

  // An operator switches providers off and on.
  zookeeper.set(std::string(kProviders) + "/bolt%3A%2F%2F10.0.0.3%3A1%3FuniqueId%3D", "\1");
  ASSERT_TRUE(heard.wait_for({"10.0.0.1:1", "10.0.0.2:1", "10.0.0.3:1"}));
  zookeeper.set(std::string(kProviders) + "/bolt%3A%2F%2F10.0.0.1%3A1%3FuniqueId%3D",
                std::string(1, '\0'));
  ASSERT_TRUE(heard.wait_for({"10.0.0.2:1", "10.0.0.3:1"}));
  EXPECT_EQ(log_.count("%ZZ is ignored"), 1) << "logged once, not with each list";
}

TEST_F(ZookeeperRegistry, DynamicFalseIsPublishedAsOffline) {
  const auto registry = open();
  Heard heard;
  const auto watch = registry->watch(quotes_, {}, heard.listener());
  registry->publish(quotes_, provider("bolt://10.0.0.1:1?dynamic=false")).get();
  const ZookeeperClient zookeeper(server_.address());
  const std::string path = std::string(kProviders) + "/" + zookeeper.children(kProviders).at(0);
  EXPECT_EQ(zookeeper.get(path)->data, std::string(1, '\0'));
  EXPECT_FALSE(heard.ever([](const Providers& all) { return !all.empty(); }));
  zookeeper.set(path, "\1");
  EXPECT_TRUE(heard.wait_for({"10.0.0.1:1"}));
}

TEST_F(ZookeeperRegistry, AKilledPublisherThatComesBackIsNotLostWithItsOldSession) {
  constexpr int kSession = 3'000;
  const std::string url = "bolt://10.0.0.1:1?startTime=5&pid=6";  // the same name of the node again
  const auto registry = open();
  Heard heard;
  const auto watch = registry->watch(quotes_, {}, heard.listener());
  const ZookeeperClient zookeeper(server_.address());
  Child first = publisher(server_.url(), url, kSession);
  ASSERT_TRUE(heard.wait_for({"10.0.0.1:1"}));
  const std::string path = std::string(kProviders) + "/" + zookeeper.children(kProviders).at(0);
  const std::int64_t old_session = zookeeper.get(path)->owner;
  first.kill(SIGKILL);
  first.wait(10s);
  Child second = publisher(server_.url(), url, kSession);
  const auto node = zookeeper.get(path);
  ASSERT_TRUE(node);
  EXPECT_NE(node->owner, old_session);
  std::this_thread::sleep_for(std::chrono::milliseconds(2 * kSession));
  EXPECT_TRUE(zookeeper.get(path)) << "it went with the session of the killed process";
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

TEST_F(ZookeeperRegistry, ANewInstanceOutranksWhatAKilledOneLeftBehind) {
  const auto registry = open();
  Heard heard;
  const auto watch = registry->watch(quotes_, {}, heard.listener());
  Child first = publisher(server_.url(), "bolt://10.0.0.1:1?weight=1&startTime=9", 4'000);
  ASSERT_TRUE(heard.wait_for({"10.0.0.1:1"}));
  first.kill(SIGKILL);
  first.wait(10s);
  Child second = publisher(server_.url(), "bolt://10.0.0.1:1?weight=2&startTime=1", 4'000);
  ASSERT_TRUE(
      heard.wait([](const Providers& all) { return all.size() == 1 && all[0].weight() == 2; }));
  const ZookeeperClient zookeeper(server_.address());
  EXPECT_TRUE(eventually([&] { return zookeeper.children(kProviders).size() == 1; }));
  EXPECT_EQ(heard.last().at(0).weight(), 2);
  second.end_input();
  EXPECT_EQ(second.wait(30s), 0);
  EXPECT_TRUE(heard.wait_for({}));
}

TEST_F(ZookeeperRegistry, TheServerIsKilledAndComesBackWithItsData) {
  const auto publishing = open();
  const auto watching = open();
  Heard heard;
  const auto watch = watching->watch(quotes_, {}, heard.listener());
  publishing->publish(quotes_, provider("bolt://10.0.0.1:1")).get();
  ASSERT_TRUE(heard.wait_for({"10.0.0.1:1"}));
  server_.kill();
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
    EXPECT_NE(text.find("publish com.acme.Quotes:1.0 at 10.0.0.2:1 in " + server_.url()),
              std::string::npos)
        << text;
    EXPECT_NE(text.find(server_.address() + " Connection refused"), std::string::npos) << text;
  }
  server_.start();
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

TEST_F(ZookeeperRegistry, TheServerLosesAllDataAndSessions) {
  const auto publishing = open(2s);
  const auto watching = open(2s);
  Heard heard;
  const auto watch = watching->watch(quotes_, {}, heard.listener());
  publishing->publish(quotes_, provider("bolt://10.0.0.1:1")).get();
  publishing->publish(service("com.acme.Orders"), provider("bolt://10.0.0.1:1")).get();
  ASSERT_TRUE(heard.wait_for({"10.0.0.1:1"}));
  server_.kill();
  server_.lose_data();
  server_.start();
  const ZookeeperClient zookeeper(server_.address());
  EXPECT_TRUE(eventually([&] {
    return zookeeper.children(kProviders).size() == 1 &&
           zookeeper.children(kConsumers).size() == 1 &&
           zookeeper.children("/sofa-rpc/com.acme.Orders/providers").size() == 1;
  })) << log_.text();
  EXPECT_TRUE(heard.wait_for({"10.0.0.1:1"}));
  // The server refuses clients that have seen more than it knows; nothing but a new session helps.
  EXPECT_GE(log_.count("again in a new one", LogLevel::kWarning), 2) << log_.text();
  settee::with_timeout(30s, publishing->publish(quotes_, provider("bolt://10.0.0.2:1"))).get();
  EXPECT_TRUE(heard.wait_for({"10.0.0.1:1", "10.0.0.2:1"}));
}

TEST_F(ZookeeperRegistry, AnExpiredSessionRegistersAndWatchesAgain) {
  const auto registry = open();
  Heard heard;
  const auto watch = registry->watch(quotes_, {}, heard.listener());
  Child process = publisher(server_.url(), "bolt://10.0.0.1:1", 1'000);
  ASSERT_TRUE(heard.wait_for({"10.0.0.1:1"}));
  process.kill(SIGSTOP);  // a machine that sleeps
  ASSERT_TRUE(heard.wait_for({}));
  process.kill(SIGCONT);
  EXPECT_TRUE(heard.wait_for({"10.0.0.1:1"}));
  process.end_input();
  EXPECT_EQ(process.wait(30s), 0);
  EXPECT_TRUE(heard.wait_for({}));
}

TEST_F(ZookeeperRegistry, AServerThatHangsIsNoticedAndStopDoesNotHang) {
  auto registry = open(2s);
  Heard heard;
  const auto watch = registry->watch(quotes_, {}, heard.listener());
  registry->publish(quotes_, provider("bolt://10.0.0.1:1")).get();
  ASSERT_TRUE(heard.wait_for({"10.0.0.1:1"}));
  server_.suspend();
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
  server_.resume();
  // What could not be withdrawn goes with the session.
  const ZookeeperClient zookeeper(server_.address());
  EXPECT_TRUE(eventually([&] { return zookeeper.children(kProviders).empty(); }));
}

TEST_F(ZookeeperRegistry, NodesThatSomebodyDeletesAreMadeAgain) {
  const auto registry = open();
  registry->publish(quotes_, provider("bolt://10.0.0.1:1")).get();
  const ZookeeperClient zookeeper(server_.address());
  const std::string path = std::string(kProviders) + "/" + zookeeper.children(kProviders).at(0);
  zookeeper.remove(path);
  EXPECT_TRUE(eventually([&] { return zookeeper.get(path).has_value(); }));
  EXPECT_EQ(log_.count("somebody has deleted " + path, LogLevel::kWarning), 1) << log_.text();
  // One that another has made in its place is left to it until it goes.
  zookeeper.remove(path);
  zookeeper.create(path, "\1", true);
  const std::int64_t theirs = zookeeper.get(path)->owner;
  std::this_thread::sleep_for(2s);
  EXPECT_EQ(zookeeper.get(path)->owner, theirs);
  registry->withdraw(quotes_, provider("bolt://10.0.0.1:1")).get();
  EXPECT_EQ(zookeeper.get(path)->owner, theirs) << "withdraw() deleted what was not its own";
}

TEST_F(ZookeeperRegistry, StopLeavesWhatAnotherHasMadeInItsPlace) {
  const auto registry = open();
  registry->publish(quotes_, provider("bolt://10.0.0.1:1")).get();
  const ZookeeperClient zookeeper(server_.address());
  const std::string path = std::string(kProviders) + "/" + zookeeper.children(kProviders).at(0);
  zookeeper.remove(path);
  ASSERT_TRUE(eventually([&] { return log_.count("somebody has deleted " + path) == 1; }));
  zookeeper.create(path, "\1", true);
  const std::int64_t theirs = zookeeper.get(path)->owner;
  registry->stop();
  ASSERT_TRUE(zookeeper.get(path)) << "it deleted what was not its own";
  EXPECT_EQ(zookeeper.get(path)->owner, theirs);
}

TEST_F(ZookeeperRegistry, AUserWhoIsRefusedIsSaidOnceAndTriedEverLessOften) {
  RegistryOptions options;
  options.auth_scheme = "nobody";
  options.auth = "shop:secret";
  const auto registry = settee::rpc::open_registry(runtime_, server_.url(), options);
  Heard nothing;
  const auto watch = registry->watch(quotes_, {}, nothing.listener());
  EXPECT_TRUE(eventually([&] {
    return registry->status().find("authentication refused") != std::string::npos;
  })) << registry->status();
  // Without a growing pause there would be dozens of sessions by now.
  std::this_thread::sleep_for(3s);
  EXPECT_EQ(log_.count("refuses the user of the scheme 'nobody'", LogLevel::kWarning), 1)
      << log_.text();
  EXPECT_EQ(log_.count("", LogLevel::kInfo), 2) << "that, and the first connection\n"
                                                << log_.text();
  EXPECT_EQ(nothing.calls(), 0u);
}

TEST_F(ZookeeperRegistry, WhatTheServerRefusesIsSaid) {
  const ZookeeperClient zookeeper(server_.address());
  // A parent that cannot have children.
  zookeeper.create("/sofa-rpc/com.acme.Quotes", "", true);
  const auto registry = open();
  try {
    registry->publish(quotes_, provider("bolt://10.0.0.1:1")).get();
    ADD_FAILURE() << "published";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), Code::kPeerError) << error.what();
    EXPECT_NE(error.message().find("create /sofa-rpc/com.acme.Quotes/providers/bolt%3A"),
              std::string::npos)
        << error.message();
    EXPECT_NE(error.message().find("ephemeral"), std::string::npos) << error.message();
  }
  zookeeper.remove("/sofa-rpc/com.acme.Quotes");
  registry->publish(quotes_, provider("bolt://10.0.0.1:1")).get();
  EXPECT_EQ(zookeeper.children(kProviders).size(), 1u);
}

TEST_F(ZookeeperRegistry, WithAUserNodesAreForThatUserAlone) {
  const auto as = [&](const std::string& user) {
    RegistryOptions options;
    options.auth_scheme = "digest";
    options.auth = user;
    return settee::rpc::open_registry(runtime_, server_.url(), options);
  };
  const auto publishing = as("shop:secret");
  publishing->publish(quotes_, provider("bolt://10.0.0.1:1")).get();
  Heard heard, nothing;
  const auto reading = as("shop:secret");
  const auto watch = reading->watch(quotes_, {}, heard.listener());
  EXPECT_TRUE(heard.wait_for({"10.0.0.1:1"})) << log_.text();
  const ZookeeperClient zookeeper(server_.address());
  EXPECT_THROW(zookeeper.children(kProviders), std::runtime_error);
  for (const auto& other : {as("shop:wrong"), open()}) {
    const auto denied = other->watch(quotes_, {}, nothing.listener());
    const std::string said = "connected; listing " + std::string(kProviders) + ": not permitted";
    EXPECT_TRUE(eventually([&] { return other->status().starts_with(said); })) << other->status();
  }
  EXPECT_EQ(nothing.calls(), 0u);
  // What was published goes when the registry does, and nobody has written the password down.
  publishing->stop();
  EXPECT_TRUE(heard.wait_for({}));
  EXPECT_EQ(log_.count("secret"), 0) << log_.text();
}

TEST_F(ZookeeperRegistry, AThousandProviders) {
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

TEST_F(ZookeeperRegistry, StopAtAnyMoment) {
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
  const ZookeeperClient zookeeper(server_.address());
  EXPECT_TRUE(eventually([&] { return zookeeper.children(kProviders).empty(); }));
  EXPECT_TRUE(eventually([&] { return zookeeper.children(kConsumers).empty(); }));
}

TEST_F(ZookeeperRegistry, ManyThreadsAtOnce) {
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
  const ZookeeperClient zookeeper(server_.address());
  for (int i = 0; i < 3; ++i) {
    EXPECT_TRUE(eventually([&] {
      return zookeeper.children("/sofa-rpc/com.acme.S" + std::to_string(i) + "/providers").empty();
    }));
  }
  EXPECT_GT(told, 0);
}

TEST(ZookeeperRegistryAlone, TheServerIsAbsentAtStart) {
  Log log;
  Runtime runtime(log.options());
  ZookeeperServer server(false);
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
    EXPECT_NE(error.message().find(server.address() + " Connection refused"), std::string::npos)
        << error.message();
  }
  EXPECT_EQ(heard.calls(), 0u) << "nothing is known yet";
  server.start();
  patient.get();
  EXPECT_TRUE(heard.wait_for({"10.0.0.1:1"}));
  const ZookeeperClient zookeeper(server.address());
  EXPECT_TRUE(eventually([&] {
    return zookeeper.children("/sofa-rpc/com.acme.Orders/providers").size() == 1;
  })) << "what had timed out was given up";
}

TEST(ZookeeperRegistryAlone, ItsStatusSaysWhatIsTriedSinceWhenAndWhy) {
  Log log;
  Runtime runtime(log.options());
  ZookeeperServer server(false);
  RegistryOptions options;
  options.session_timeout = 2s;
  const auto registry = settee::rpc::open_registry(runtime, server.url(), options);
  const auto is = [&](const std::string& pattern) {
    return eventually([&] { return std::regex_match(registry->status(), std::regex(pattern)); });
  };
  const std::string connecting =
      "connecting to " + server.address() + " for [0-9]+ m?s: Connection refused";
  EXPECT_TRUE(is(connecting)) << registry->status();
  server.start();
  EXPECT_TRUE(is("connected")) << registry->status();
  server.kill();
  EXPECT_TRUE(is("connection lost [0-9]+ m?s ago, " + connecting)) << registry->status();
  EXPECT_TRUE(is("session given up [0-9]+ m?s ago, " + connecting)) << registry->status();
  server.start();
  EXPECT_TRUE(is("connected")) << registry->status();
}

TEST(ZookeeperRegistryAlone, AStartWithoutTheServerFindsWhatWasListedAndTheServerWinsAfterwards) {
  Log log;
  Runtime runtime(log.options());
  ZookeeperServer server;
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

TEST(ZookeeperRegistryAlone, NamesThatDoNotResolveAreSaidAndStopIsQuick) {
  Log log;
  Runtime runtime(log.options());
  auto registry = settee::rpc::open_registry(runtime, "zookeeper://no-such-host.invalid:2181");
  ASSERT_TRUE(eventually([&] { return log.count("cannot be resolved", LogLevel::kWarning) > 0; }));
  try {
    settee::with_timeout(
        100ms, registry->publish(service("com.acme.Quotes"), provider("bolt://10.0.0.1:1")))
        .get();
    ADD_FAILURE() << "published";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), Code::kTimeout);
    EXPECT_NE(error.message().find("no-such-host.invalid:2181 cannot be resolved"),
              std::string::npos)
        << error.message();
  }
  registry.reset();
}

TEST(ZookeeperRegistryAlone, TheSecondServerIsTakenWhenTheFirstIsNotThere) {
  Log log;
  Runtime runtime(log.options());
  ZookeeperServer absent(false);
  ZookeeperServer server;
  const auto registry = settee::rpc::open_registry(
      runtime, "zookeeper://" + absent.address() + "," + server.address());
  registry->publish(service("com.acme.Quotes"), provider("bolt://10.0.0.1:1")).get();
  const ZookeeperClient zookeeper(server.address());
  EXPECT_EQ(zookeeper.children(kProviders).size(), 1u);
}

// Java SOFARPC's own ZookeeperRegistry on the other side.

constexpr char kTypeService[] = "com.settee.interop.TypeService";

/// The encoded key=value pairs of a node's name, in their order.
std::vector<std::string> pairs_of(const std::string& name) {
  std::vector<std::string> pairs;
  std::size_t from = name.find("%3F");
  while (from != std::string::npos) {
    const std::size_t end = name.find("%26", from + 3);
    pairs.push_back(name.substr(from + 3, end == std::string::npos ? end : end - from - 3));
    from = end;
  }
  return pairs;
}
/// Without what differs from one run to the next.
std::set<std::string> lasting_pairs_of(const std::string& name) {
  std::set<std::string> lasting;
  for (const std::string& pair : pairs_of(name)) {
    if (!pair.starts_with("pid%3D") && !pair.starts_with("startTime%3D")) lasting.insert(pair);
  }
  return lasting;
}

TEST_F(ZookeeperRegistry, JavaProvidersAreFoundAndLost) {
  const auto registry = open();
  Heard heard;
  const auto watch = registry->watch(service(kTypeService), {}, heard.listener());
  ASSERT_TRUE(heard.wait_for({}));
  interop::PeerServer java(interop::Peer::kJava, {"--registry", server_.address()});
  const std::string address = "127.0.0.1:" + std::to_string(java.port());
  ASSERT_TRUE(heard.wait_for({address})) << log_.text();
  const Provider found = heard.last().at(0);
  EXPECT_EQ(found.attribute("language"), "java");
  EXPECT_EQ(found.attribute("appName"), "settee-java-peer");
  EXPECT_EQ(found.attribute("serialization"), "hessian2");
  EXPECT_EQ(found.weight(), 100);
  EXPECT_EQ(java.stop(), 0);
  EXPECT_TRUE(heard.wait_for({}));
}

TEST_F(ZookeeperRegistry, JavaConsumersFindAndCallWhatIsPublished) {
  // The server knows nothing of the registry: what leads Java to it is the published url alone.
  interop::PeerServer cpp(interop::Peer::kCpp, {});
  const auto registry = open();
  registry
      ->publish(service(kTypeService),
                provider(cpp.url() + "?serialization=hessian2&appName=settee-cpp&timeout=3000"))
      .get();
  interop::PeerClient client(interop::Peer::kJava, 0,
                             {"--registry", server_.address(), "--cases", "string,user"});
  const interop::ClientReport report = client.finish();
  EXPECT_EQ(report.status, 0) << report.errors;
  EXPECT_TRUE(report.failed.empty())
      << report.failed.begin()->first << ": " << report.failed.begin()->second;
  EXPECT_EQ(report.ok.size(), 2u);
}

TEST_F(ZookeeperRegistry, JavaWritesTheSameNames) {
  const std::string providers = "/sofa-rpc/" + std::string(kTypeService) + "/providers";
  const ZookeeperClient zookeeper(server_.address());
  interop::PeerServer java(interop::Peer::kJava, {"--registry", server_.address()});
  ASSERT_EQ(zookeeper.children(providers).size(), 1u);
  const std::string theirs = zookeeper.children(providers)[0];
  const auto their_node = zookeeper.get(providers + "/" + theirs);
  ASSERT_TRUE(their_node);

  // Published with what a Java provider says of itself, ours differs in nothing.
  const auto reading = open();
  Heard heard;
  const auto watch = reading->watch(service(kTypeService), {}, heard.listener());
  ASSERT_TRUE(heard.wait([](const Providers& all) { return all.size() == 1; }));
  const auto registry = open();
  Provider same = heard.last().at(0);
  for (const char* added : {"interface", "version", "protocol", "uniqueId", "pid", "startTime"}) {
    same.attributes.erase(added);
  }
  same.endpoint.host = "10.9.9.9";
  registry->publish(service(kTypeService), same).get();
  const std::vector<std::string> names = zookeeper.children(providers);
  ASSERT_EQ(names.size(), 2u);
  const std::string ours = names[0] == theirs ? names[1] : names[0];
  std::printf("theirs %s\nours   %s\n", theirs.c_str(), ours.c_str());
  EXPECT_EQ(lasting_pairs_of(ours), lasting_pairs_of(theirs));
  EXPECT_EQ(pairs_of(ours).size(), pairs_of(theirs).size());
  EXPECT_EQ(pairs_of(ours).front(), "version%3D1.0");
  EXPECT_EQ(pairs_of(theirs).front(), "version%3D1.0");
  EXPECT_TRUE(
      theirs.starts_with("bolt%3A%2F%2F127.0.0.1%3A" + std::to_string(java.port()) + "%3F"));
  EXPECT_TRUE(ours.starts_with("bolt%3A%2F%2F10.9.9.9%3A" + std::to_string(java.port()) + "%3F"));
  const auto our_node = zookeeper.get(providers + "/" + ours);
  ASSERT_TRUE(our_node);
  EXPECT_EQ(our_node->data, their_node->data);
  EXPECT_NE(their_node->owner, 0);
}

}  // namespace
