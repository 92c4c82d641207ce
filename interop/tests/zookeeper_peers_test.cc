// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0
//
// Java SOFARPC, sofa-rpc-node and Settee that find each other through a real ZooKeeper server. What
// Java writes there is looked at in zookeeper_registry_test.cc.

#include <gtest/gtest.h>

#include <atomic>
#include <set>
#include <thread>

#include "interop/tests/registry_fixture.h"
#include "interop/tests/type_service.h"
#include "interop/tests/zookeeper_server.h"

namespace {

using namespace interop::registry_test;
using interop::Peer;
using interop::PeerClient;
using interop::PeerServer;
using interop::TypeService;
using interop::ZookeeperServer;
using settee::rpc::Server;
using settee::rpc::ServerOptions;

class ZookeeperPeers : public testing::Test {
 protected:
  std::shared_ptr<Registry> open() { return settee::rpc::open_registry(runtime_, zoo_.url()); }
  /// Listens on a port of its own, and is published when this returns.
  std::unique_ptr<Server> serve() {
    ServerOptions options;
    options.host = "127.0.0.1";
    options.port = 0;
    options.app_name = "settee-cpp-peer";
    options.registries = {open()};
    auto server = std::make_unique<Server>(runtime_, options);
    interop::provide_contract(*server);
    server->start();
    return server;
  }
  static std::string error_of(const settee::rpc::Reference<TypeService>& types) {
    try {
      return "no error: " + types->whoami().get();
    } catch (const Error& error) {
      return error.message();
    }
  }

  Log log_;
  Runtime runtime_{log_.options()};
  ZookeeperServer zoo_;
};

TEST_F(ZookeeperPeers, NodeProvidersAreFoundCalledAndLost) {
  const auto registry = open();
  Heard heard;
  const auto watch = registry->watch(service(kTypeService), {}, heard.listener());
  ASSERT_TRUE(heard.wait_for({}));
  Client client(runtime_);
  const auto types = client.refer<TypeService>({registry});
  {
    PeerServer node(Peer::kNode, {"--registry", zoo_.address()});
    const std::string address = "127.0.0.1:" + std::to_string(node.port());
    ASSERT_TRUE(heard.wait_for(service(kTypeService), {address})) << log_.text();
    const Provider found = heard.last().at(0);
    EXPECT_EQ(found.attribute("language"), "nodejs");
    EXPECT_EQ(found.attribute("version"), "1.0");
    EXPECT_EQ(found.attribute("appName"), "settee-node-peer");
    EXPECT_EQ(types->whoami().get(), "node");
    // Who asks for another is told why this one does not serve.
    settee::rpc::ReferOptions blue;
    blue.unique_id = "blue";
    const std::string why = error_of(client.refer<TypeService>({registry}, blue));
    EXPECT_NE(why.find(address), std::string::npos) << why;
    EXPECT_NE(why.find("it has uniqueId '', not 'blue'"), std::string::npos) << why;
    settee::rpc::ReferOptions second;
    second.version = "2.0";
    const std::string older = error_of(client.refer<TypeService>({registry}, second));
    EXPECT_NE(older.find("it has version 1.0, not 2.0"), std::string::npos) << older;
    EXPECT_EQ(node.stop(), 0);
  }
  EXPECT_TRUE(heard.wait_for({}));
  // A uniqueId reaches the registry by the service's metadata only; and the Node server is ready
  // before that.
  PeerServer node(Peer::kNode, {"--registry", zoo_.address(), "--unique-id", "blue"});
  settee::rpc::ReferOptions blue;
  blue.unique_id = "blue";
  ASSERT_TRUE(
      heard.wait_for(service(kTypeService, "blue"), {"127.0.0.1:" + std::to_string(node.port())}));
  EXPECT_EQ(client.refer<TypeService>({registry}, blue)->whoami().get(), "node");
}

TEST_F(ZookeeperPeers, NodeConsumersFindAndCallWhatIsPublished) {
  const auto server = serve();
  PeerClient client(Peer::kNode, 0, {"--registry", zoo_.address(), "--cases", "string,user"});
  const interop::ClientReport report = client.finish();
  EXPECT_EQ(report.status, 0) << report.errors;
  EXPECT_TRUE(report.failed.empty())
      << report.failed.begin()->first << ": " << report.failed.begin()->second;
  EXPECT_EQ(report.ok.size(), 2u);
}

// All call each other by the registry while the providers that Settee runs are replaced, at other
// ports, and the registry itself is killed and comes back.
TEST_F(ZookeeperPeers, JavaAndNodeFindEachOtherAndSetteeThroughRestarts) {
  const auto registry = open();
  Heard heard;
  const auto watch = registry->watch(service(kTypeService), {}, heard.listener());
  auto first = serve();
  auto second = serve();
  std::vector<std::string> own = {first->address(), second->address()};
  ASSERT_TRUE(heard.wait_for(own));
  const std::vector<std::string> options = {"--registry", zoo_.address(), "--reconnect-seconds",
                                            "18"};
  PeerClient java_client(Peer::kJava, 0, options);
  PeerClient node_client(Peer::kNode, 0, options);
  for (PeerClient* one : {&java_client, &node_client}) one->wait_for("info reconnect running");

  first->stop();
  first = serve();
  ASSERT_TRUE(heard.wait_for({first->address(), second->address()})) << log_.text();
  zoo_.kill();
  ASSERT_TRUE(eventually([&] { return registry->status().starts_with("connection lost"); }))
      << registry->status();
  zoo_.start();
  // Published in a registry that has just come back; those who call hear of it.
  second->stop();
  second = serve();
  ASSERT_TRUE(heard.wait_for({first->address(), second->address()})) << log_.text();
  first->stop();
  for (PeerClient* one : {&java_client, &node_client}) {
    const interop::ClientReport report = one->finish();
    EXPECT_EQ(report.status, 0) << report.errors;
    for (const std::string& line : report.info) std::printf("%s\n", line.c_str());
    EXPECT_TRUE(report.failed.empty())
        << report.failed.begin()->first << ": " << report.failed.begin()->second;
  }

  // The other way round: both as providers, through another restart of the registry.
  PeerServer java(Peer::kJava, {"--registry", zoo_.address()});
  PeerServer node(Peer::kNode, {"--registry", zoo_.address()});
  second->stop();
  const std::vector<std::string> theirs = {"127.0.0.1:" + std::to_string(java.port()),
                                           "127.0.0.1:" + std::to_string(node.port())};
  ASSERT_TRUE(heard.wait_for(theirs)) << log_.text();
  zoo_.kill();
  Client client(runtime_);
  const auto types = client.refer<TypeService>({registry});
  const auto both_answer = [&] {
    std::set<std::string> who;
    for (int i = 0; i < 60; ++i) who.insert(types->whoami().get());
    return who == std::set<std::string>{"java", "node"};
  };
  EXPECT_TRUE(both_answer()) << "while the registry was away";
  zoo_.start();
  ASSERT_TRUE(eventually([&] { return registry->status() == "connected"; })) << registry->status();
  ASSERT_TRUE(heard.wait_for(theirs)) << log_.text();
  EXPECT_TRUE(both_answer());
}

}  // namespace
