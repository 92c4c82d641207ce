// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0
//
// What most examples of docs/guide.md stand on: a server with MyOrders, and a client of it.

#pragma once

#include <gtest/gtest.h>

#include "examples/guide/my_orders.h"

namespace shop {

class GuideTest : public testing::Test {
 protected:
  GuideTest() {
    server.provide<Orders>(my_orders);
    server.start();
    url = "bolt://" + server.address();
    orders.emplace(client.refer<Orders>(url));
    for (const char* id : {"7", "8"}) {
      Order order;
      order.id = id;
      order.total = settee::Decimal("12.50");
      (*orders)->place(std::move(order)).get();
    }
  }

  settee::Runtime runtime{{.threads = 2}};
  settee::rpc::Server server{runtime, {.host = "127.0.0.1", .port = 0}};
  settee::rpc::Client client{runtime};
  std::shared_ptr<MyOrders> my_orders = std::make_shared<MyOrders>();
  std::string url;
  std::optional<settee::rpc::Reference<Orders>> orders;
};

}  // namespace shop
