// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0
//
// Where calls go, and who is told of it, of docs/guide.md.

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iostream>

#include "examples/guide/fixture.h"
#include "settee/base/event_bus.h"

namespace shop {
namespace {

using namespace std::chrono_literals;

class GuideRulesTest : public testing::Test {
 protected:
  GuideRulesTest() {
    char folder[] = "/tmp/settee_guide_XXXXXX";
    folder_ = mkdtemp(folder);
    for (settee::rpc::Server* server : {&plain_, &gray_}) {
      server->provide<Orders>(std::make_shared<MyOrders>());
      server->start();
    }
    std::ofstream file(folder_ + "/services");
    file << "com.acme.shop.Orders:1.0@DEFAULT\tbolt://" << plain_.address() << "\tbolt://"
         << gray_.address() << "?tag=gray\n";
  }
  ~GuideRulesTest() override { std::filesystem::remove_all(folder_); }

  std::string folder_;
  settee::Runtime runtime_{{.threads = 1}};
  settee::rpc::Server plain_{runtime_, {.host = "127.0.0.1", .port = 0}};
  settee::rpc::Server gray_{runtime_, {.host = "127.0.0.1", .port = 0}};
};

TEST_F(GuideRulesTest, Routers) {
  settee::rpc::Client client{runtime_};
  const std::string url = "file://" + folder_ + "/services";
  // [routers]
  settee::rpc::RouteRule canary;
  canary.name = "one report in ten";
  canary.methods = {"report"};
  canary.to.resize(2);
  canary.to[0].attributes = {{"tag", "gray"}};
  canary.to[0].weight = 10;
  canary.to[1].attributes = {{"tag", ""}};
  canary.to[1].weight = 90;

  settee::rpc::ReferOptions options;
  options.routers = {settee::rpc::rule_router({canary})};  // or tag_router(), or your own
  auto orders = client.refer<Orders>(url, options);
  // [/routers]
  EXPECT_EQ(orders->report(1999).get(), "report of 1999");
}

TEST_F(GuideRulesTest, OneCall) {
  settee::rpc::Client client{runtime_};
  auto orders = client.refer<Orders>("bolt://" + plain_.address());
  const std::string there = gray_.address();
  // [one-call]
  using settee::rpc::CallOptions;
  orders.with(CallOptions().timeout(200ms).retries(1))->report(1999).get();
  orders.with(CallOptions().target(there))->report(1999).get();  // nowhere else
  // [/one-call]
}

TEST_F(GuideRulesTest, Faults) {
  settee::Runtime& runtime = runtime_;
  // [faults]
  settee::rpc::ClientOptions options;
  options.circuit_breaker.enabled = true;               // of a method at an address
  options.outlier_ejection.enabled = true;              // of an address
  options.fault_tolerance.regulation_effective = true;  // SOFARPC's: less weight
  options.fault_tolerance.degrade_effective = true;
  settee::rpc::Client client{runtime, options};
  // [/faults]
  EXPECT_EQ(client.refer<Orders>("bolt://" + gray_.address())->report(1999).get(),
            "report of 1999");
}

TEST_F(GuideRulesTest, Why) {
  settee::rpc::Client client{runtime_};
  const std::string url = "file://" + folder_ + "/services";
  settee::rpc::ReferOptions options;
  options.routers = {settee::rpc::tag_router("tag", true)};
  auto orders = client.refer<Orders>(url, options);
  std::string table;
  const settee::ContextScope scope(
      settee::context().with(settee::rpc::kRequestBaggage, {{"tag", "blue"}}));
  // [why]
  try {
    orders->report(1999).get();
  } catch (const settee::Error& error) {
    if (const auto* why = error.detail<settee::rpc::NoProvider>()) table = why->table();
  }
  // [/why]
  EXPECT_NE(table.find("router    tag: it has tag 'gray', the call 'blue'"), std::string::npos)
      << table;
}

TEST_F(GuideRulesTest, Events) {
  settee::Runtime& runtime = runtime_;
  std::vector<std::string> told;
  // [client-events]
  settee::Subscription slow = runtime.events().subscribe<settee::rpc::ClientCallEnded>(
      [&](const settee::rpc::ClientCallEnded& event) {
        if (event.error || event.took > 100ms || event.tries > 1) {
          told.push_back(std::string(event.call.method) + " at " + std::string(event.address));
        }
      });
  // [/client-events]
  settee::rpc::Client client{runtime};
  plain_.stop();
  auto orders = client.refer<Orders>("bolt://" + plain_.address());
  EXPECT_THROW(orders->report(1999).get(), settee::Error);
  slow.unsubscribe();
  ASSERT_EQ(told.size(), 1u);
  EXPECT_EQ(told[0], "report at " + plain_.address());
}

TEST_F(GuideRulesTest, NearAndMocked) {
  settee::Runtime& runtime = runtime_;
  // [near]
  settee::rpc::Client client{runtime};
  settee::rpc::ReferOptions options;
  options.in_process = true;  // a server of this Runtime comes first
  options.mock =
      settee::rpc::mock<Orders>(std::make_shared<MyOrders>(), settee::rpc::MockWhen::kNoAnswer);
  auto orders = client.refer<Orders>("bolt://127.0.0.1:1", options);
  // [/near]
  EXPECT_EQ(orders->report(1999).get(), "report of 1999");
  plain_.stop();
  gray_.stop();
  EXPECT_EQ(orders->report(2000).get(), "report of 2000");
}

}  // namespace
}  // namespace shop
