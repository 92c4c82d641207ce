// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0
//
// Several addresses, and registries, of docs/guide.md.

#include <cstdio>
#include <filesystem>

#include "examples/guide/fixture.h"

namespace shop {
namespace {

using namespace std::chrono_literals;

class GuideRegistryTest : public testing::Test {
 protected:
  GuideRegistryTest() {
    char folder[] = "/tmp/settee_guide_XXXXXX";
    folder_ = mkdtemp(folder);
  }
  ~GuideRegistryTest() override { std::filesystem::remove_all(folder_); }
  std::string folder_;
};

TEST_F(GuideRegistryTest, SeveralAddresses) {
  settee::Runtime runtime{{.threads = 1}};
  settee::rpc::Server one{runtime, {.host = "127.0.0.1", .port = 0}};
  settee::rpc::Server other{runtime, {.host = "127.0.0.1", .port = 0}};
  for (settee::rpc::Server* server : {&one, &other}) {
    server->provide<Orders>(std::make_shared<MyOrders>());
    server->start();
  }
  // [several]
  settee::rpc::Client client{runtime};
  settee::rpc::ReferOptions options;
  options.balancer = "leastActive";
  options.retries = 1;  // also calls that may have run, once more
  auto orders =
      client.refer<Orders>("bolt://" + one.address() + "," + other.address(), options);
  // [/several]
  EXPECT_EQ(orders->report(1999).get(), "report of 1999");
  one.stop();
  for (int i = 0; i < 10; ++i) EXPECT_EQ(orders->report(1999).get(), "report of 1999");
}

TEST_F(GuideRegistryTest, FileRegistry) {
  const std::string url = "file://" + folder_ + "/services";
  // [registry]
  settee::Runtime runtime;
  const std::shared_ptr<settee::rpc::Registry> registry =
      settee::rpc::open_registry(runtime, url);  // or "zookeeper://127.0.0.1:2181"

  settee::rpc::ServerOptions server_options;
  server_options.host = "127.0.0.1";
  server_options.port = 0;
  server_options.registries = {registry};
  settee::rpc::Server server{runtime, server_options};
  server.provide<Orders>(std::make_shared<MyOrders>());
  server.start();  // listens, then publishes

  settee::rpc::Client client{runtime};
  auto orders = client.refer<Orders>({registry});
  // [/registry]
  EXPECT_EQ(orders->report(1999).get(), "report of 1999");
  auto same = client.refer<Orders>(url);
  EXPECT_EQ(same->report(2000).get(), "report of 2000");
}

}  // namespace
}  // namespace shop
