// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0
//
// Dynamic configuration from a real ZooKeeper server, in the layout of Java SOFARPC.

#include <gtest/gtest.h>

#include <atomic>
#include <future>
#include <mutex>
#include <thread>

#include "interop/tests/zookeeper_server.h"
#include "settee/base/event_bus.h"
#include "settee/rpc/dynamic_config.h"
#include "settee/rpc/registry.h"
#include "settee/rpc/registry/registry_test_log.h"
#include "settee/rpc/rpc.h"

namespace dynamic {

struct Door {
  virtual ~Door() = default;
  virtual settee::Task<bool> hold() = 0;
};

}  // namespace dynamic

SETTEE_SERVICE(dynamic::Door, "com.acme.Door", (hold))

namespace {

using namespace std::chrono_literals;
using interop::ZookeeperClient;
using interop::ZookeeperServer;
using settee::rpc::ConfigChanged;
using settee::rpc::DynamicConfig;

const std::string kRoot = "/sofa-rpc/config/shop/";
const std::string kTimeout = "sofa.consumer.service.com.acme.Quotes.timeout";
const std::string kRetries = "sofa.consumer.method.com.acme.Quotes.latest.retries";

template <class F>
bool eventually(F condition, std::chrono::milliseconds most = 30s) {
  const auto end = std::chrono::steady_clock::now() + most;
  while (!condition()) {
    if (std::chrono::steady_clock::now() > end) return false;
    std::this_thread::sleep_for(5ms);
  }
  return true;
}

class ZookeeperDynamic : public testing::Test {
 protected:
  std::shared_ptr<DynamicConfig> open(std::chrono::milliseconds session = 10s,
                                      const std::string& root = {}) {
    settee::rpc::DynamicConfigOptions options;
    options.session_timeout = session;
    return settee::rpc::open_dynamic_config(runtime_, server_.url() + root, "shop", options);
  }
  bool becomes(const DynamicConfig& config, const std::string& key,
               const std::optional<std::string>& value) {
    return eventually([&] { return config.value(key) == value; });
  }

  settee::rpc::registry_test::Log log_;
  settee::Runtime runtime_{log_.options()};
  ZookeeperServer server_;
};

TEST_F(ZookeeperDynamic, ValuesFollowTheNodes) {
  const auto config = open();
  EXPECT_TRUE(eventually([&] { return config->status() == "0 value(s) in force"; }));
  const ZookeeperClient zookeeper(server_.address());
  zookeeper.create(kRoot + kTimeout, "500");
  EXPECT_TRUE(becomes(*config, kTimeout, "500"));
  zookeeper.set(kRoot + kTimeout, "700");
  EXPECT_TRUE(becomes(*config, kTimeout, "700"));
  zookeeper.create(kRoot + kRetries, "2");
  EXPECT_TRUE(becomes(*config, kRetries, "2"));
  zookeeper.remove(kRoot + kTimeout);
  EXPECT_TRUE(becomes(*config, kTimeout, std::nullopt));
  EXPECT_EQ(config->value(kRetries), "2");

  const auto later = open();
  EXPECT_TRUE(becomes(*later, kRetries, "2"));
  zookeeper.create("/other/sofa-rpc/config/shop/shop.page", "5");
  const auto rooted = open(10s, "/other");
  EXPECT_TRUE(becomes(*rooted, "shop.page", "5"));
}

TEST_F(ZookeeperDynamic, AValueThatCannotBeLeavesWhatWasThere) {
  std::mutex mutex;
  std::optional<ConfigChanged> refused;
  const settee::Subscription heard =
      runtime_.events().subscribe<ConfigChanged>([&](const ConfigChanged& event) {
        const std::lock_guard lock(mutex);
        if (!event.applied) refused = event;
      });
  const ZookeeperClient zookeeper(server_.address());
  zookeeper.create(kRoot + kTimeout, "500");
  const auto config = open();
  ASSERT_TRUE(becomes(*config, kTimeout, "500"));
  zookeeper.set(kRoot + kTimeout, "soon");
  zookeeper.create(kRoot + kRetries, "1");
  ASSERT_TRUE(becomes(*config, kRetries, "1"));
  EXPECT_EQ(config->value(kTimeout), "500");
  const std::lock_guard lock(mutex);
  ASSERT_TRUE(refused);
  EXPECT_EQ(refused->key, kTimeout);
  EXPECT_EQ(refused->before, "500");
  EXPECT_EQ(refused->value, "soon");
  EXPECT_EQ(refused->source, kRoot + kTimeout);
  EXPECT_NE(refused->reason.find("expected a duration"), std::string::npos);
}

TEST_F(ZookeeperDynamic, AUserReadsWhatIsForThatUserAlone) {
  // The registry's nodes for a user are made by one; so is the folder of the configuration here.
  settee::rpc::RegistryOptions as_shop;
  as_shop.auth_scheme = "digest";
  as_shop.auth = "shop:hush";
  const auto registry = settee::rpc::open_registry(runtime_, server_.url() + "/shops", as_shop);
  settee::rpc::ServiceKey key;
  key.interface_name = "config";
  registry->publish(key, settee::rpc::Provider::parse("bolt://10.0.0.1:1").value()).get();
  const auto open_as = [&](const std::string& auth) {
    settee::rpc::DynamicConfigOptions options;
    options.auth_scheme = auth.empty() ? "" : "digest";
    options.auth = auth;
    return settee::rpc::open_dynamic_config(runtime_, server_.url() + "/shops", "providers",
                                            options);
  };
  const auto stranger = open_as("");
  EXPECT_TRUE(
      eventually([&] { return stranger->status().find("not permitted") != std::string::npos; }));
  const auto shop = open_as("shop:hush");
  EXPECT_TRUE(eventually([&] { return shop->values().size() == 1; })) << shop->status();
}

TEST_F(ZookeeperDynamic, AUserWhoIsRefusedIsSaidOnce) {
  settee::rpc::DynamicConfigOptions options;
  options.auth_scheme = "nobody";
  options.auth = "shop:hush";
  const auto config = settee::rpc::open_dynamic_config(runtime_, server_.url(), "shop", options);
  const std::string said = "refuses the user of the scheme 'nobody'";
  EXPECT_TRUE(eventually([&] { return log_.count(said) > 0; }));
  std::this_thread::sleep_for(1s);  // it has been tried several times by now
  EXPECT_EQ(log_.count(said), 1) << log_.text();
  EXPECT_NE(config->status().find(said), std::string::npos) << config->status();
}

TEST_F(ZookeeperDynamic, WithoutTheServerWhatWasInForceStaysSo) {
  {
    const ZookeeperClient zookeeper(server_.address());
    zookeeper.create(kRoot + kTimeout, "500");
  }
  const auto config = open(4s);
  ASSERT_TRUE(becomes(*config, kTimeout, "500"));
  server_.kill();
  ASSERT_TRUE(eventually([&] { return log_.count("what was in force stays so") > 0; }));
  EXPECT_NE(config->status().find(server_.address()), std::string::npos) << config->status();
  EXPECT_EQ(config->value(kTimeout), "500");
  server_.start();
  {
    const ZookeeperClient zookeeper(server_.address());
    zookeeper.set(kRoot + kTimeout, "900");
  }
  EXPECT_TRUE(becomes(*config, kTimeout, "900")) << log_.text();

  // The old session is unknown to a server without its data.
  server_.kill();
  server_.lose_data();
  server_.start();
  const ZookeeperClient zookeeper(server_.address());
  zookeeper.create(kRoot + kTimeout, "1000");
  EXPECT_TRUE(becomes(*config, kTimeout, "1000")) << log_.text();
}

TEST_F(ZookeeperDynamic, TheServerMayComeLaterAndStopDoesNotWait) {
  server_.kill();
  const auto config = open();
  const auto other = open();
  ASSERT_TRUE(eventually([&] { return log_.count("Connection refused") > 0; })) << log_.text();
  const auto began = std::chrono::steady_clock::now();
  other->stop();
  EXPECT_LT(std::chrono::steady_clock::now() - began, 10s);
  server_.start();
  const ZookeeperClient zookeeper(server_.address());
  zookeeper.create(kRoot + kTimeout, "500");
  EXPECT_TRUE(becomes(*config, kTimeout, "500"));
}

struct DoorService : dynamic::Door {
  settee::Task<bool> hold() override {
    ++held;
    while (!open) co_await settee::sleep_for(1ms);
    co_return true;
  }
  std::atomic<int> held{0};
  std::atomic<bool> open{false};
};

TEST_F(ZookeeperDynamic, AServiceFollowsItsNodes) {
  const std::string service = "sofa.provider.service.com.acme.Door.";
  settee::rpc::ServerOptions options;
  options.host = "127.0.0.1";
  options.port = 0;
  options.leave = 0ms;
  options.dynamic_config = open();
  options.registries = {settee::rpc::open_registry(runtime_, server_.url())};
  settee::rpc::Server server{runtime_, options};
  const auto door = std::make_shared<DoorService>();
  server.provide<dynamic::Door>(door);
  server.start();
  std::mutex mutex;
  std::string weights;  // of all that a consumer sees
  settee::rpc::ServiceKey key;
  key.interface_name = "com.acme.Door";
  const auto watch = options.registries[0]->watch(key, {}, [&](const settee::rpc::Providers& all) {
    const std::lock_guard lock(mutex);
    weights.clear();
    for (const auto& one : all) weights += std::string(one.attribute("weight")) + " ";
  });
  const auto sees = [&](const std::string& wanted) {
    return eventually([&] {
      const std::lock_guard lock(mutex);
      return weights == wanted;
    });
  };
  EXPECT_TRUE(sees("100 "));
  const ZookeeperClient zookeeper(server_.address());
  zookeeper.create(kRoot + service + "weight", "30");
  EXPECT_TRUE(sees("30 ")) << log_.text();
  zookeeper.set(kRoot + service + "weight", "-1");
  zookeeper.create(kRoot + service + "concurrents", "1");
  ASSERT_TRUE(becomes(*options.dynamic_config, service + "concurrents", "1"));
  EXPECT_TRUE(
      eventually([&] { return log_.count("weight: expected an integer of at least 0") == 1; }));

  settee::rpc::Client client{runtime_};
  const auto caller = client.refer<dynamic::Door>("bolt://" + server.address());
  auto first = settee::as_future(caller->hold());
  ASSERT_TRUE(eventually([&] { return door->held == 1; }));
  try {
    caller->hold().get();
    ADD_FAILURE() << "a second call was let in";
  } catch (const settee::Error& error) {
    EXPECT_EQ(error.code(), settee::Code::kBusy) << error.what();
  }
  EXPECT_TRUE(sees("30 ")) << "a weight that cannot be";
  zookeeper.remove(kRoot + service + "concurrents");
  zookeeper.remove(kRoot + service + "weight");
  EXPECT_TRUE(sees("100 "));
  auto second = settee::as_future(caller->hold());
  EXPECT_TRUE(eventually([&] { return door->held == 2; }));
  door->open = true;
  EXPECT_TRUE(first.get());
  EXPECT_TRUE(second.get());
  server.stop();
  EXPECT_TRUE(sees(""));
}

}  // namespace
