// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0
//
// Configuration files of servers and clients, of docs/guide.md.

#include <cstdlib>
#include <filesystem>

#include "examples/guide/fixture.h"

namespace shop {
namespace {

TEST(GuideConfiguredTest, AFile) {
  char folder[] = "/tmp/settee_guide_XXXXXX";
  const std::string place = mkdtemp(folder);
  ::setenv("SETTEE_RPC_REGISTRIES_MAIN_FILE", (place + "/services").c_str(), 1);
  ::setenv("SETTEE_RPC_SERVERS_BOLT_PORT", "0", 1);
  {
    const std::string file = std::string(SETTEE_SOURCE_DIR) + "/examples/guide/settee.yaml";
    // [configured]
    settee::Runtime runtime;
    const auto config = settee::rpc::RpcConfig::load_file(runtime, file);

    settee::rpc::Server server{runtime, config.server("bolt")};
    config.provide<Orders>(server, std::make_shared<MyOrders>());
    server.start();

    settee::rpc::Client client{runtime, config.client()};
    auto orders = config.refer<Orders>(client);
    // [/configured]
    EXPECT_EQ(orders->report(1999).get(), "report of 1999");
    EXPECT_EQ(config.provide("com.acme.shop.Orders").weight, 50);
    EXPECT_EQ(config.origins().of("servers.bolt.port"), "environment SETTEE_RPC_SERVERS_BOLT_PORT");
  }
  ::unsetenv("SETTEE_RPC_REGISTRIES_MAIN_FILE");
  ::unsetenv("SETTEE_RPC_SERVERS_BOLT_PORT");
  std::filesystem::remove_all(place);
}

TEST(GuideConfiguredTest, WhatChangesWhileItRuns) {
  const std::string url = "file://" + std::filesystem::absolute(SETTEE_SOURCE_DIR).string() +
                          "/examples/guide/dynamic.yaml";
  std::int32_t page_size = 10;
  settee::Runtime runtime;
  // [dynamic]
  const std::shared_ptr<settee::rpc::DynamicConfig> dynamic =
      settee::rpc::open_dynamic_config(runtime, url, "shop");  // or "zookeeper://127.0.0.1:2181"
  settee::rpc::ClientOptions options;
  options.dynamic_config = dynamic;  // its references follow their keys

  const settee::rpc::DynamicConfig::Watch watch =
      dynamic->watch<std::int32_t>("shop.page-size", [&](const std::optional<std::int32_t>& size) {
        page_size = size.value_or(10);  // on the thread of the source
      });
  // [/dynamic]
  EXPECT_EQ(page_size, 20);
  EXPECT_EQ(dynamic->values().size(), 3u);
}

}  // namespace
}  // namespace shop
