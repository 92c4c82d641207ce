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

#include "interop/tests/registry_fixture.h"
#include "interop/tests/zookeeper_server.h"

namespace {

using namespace interop::registry_test;
using interop::ZookeeperClient;
using interop::ZookeeperServer;

class ZookeeperRegistry : public RegistryFixture {
 protected:
  std::string url() const override { return server_.url(); }

  ZookeeperServer server_;
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
  // The refusal may come before the connection has been said.
  EXPECT_LE(log_.count("", LogLevel::kInfo), 2) << "that, and the first connection\n"
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

// Java SOFARPC's own ZookeeperRegistry on the other side.

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
