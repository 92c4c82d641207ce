// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0
//
// Several addresses: who is called, and what becomes of a call when one of them fails.

#include <gtest/gtest.h>

#include "settee/rpc/cluster/shops_test.h"

namespace settee::rpc {
namespace {

using namespace std::chrono_literals;
using wire::eventually;
using wire::Received;
using wire::Wire;

TEST_F(ClusterTest, AllAddressesAreCalled) {
  const auto shop = client_->refer<Shop>(url());
  for (int i = 0; i < 300; ++i) shop->ask("x").get();
  for (const One& one : servers_) EXPECT_GT(one.shop->calls, 50) << one.address;
}

TEST_F(ClusterTest, RoundRobinTakesThemInTurn) {
  const auto shop = client_->refer<Shop>(url("?loadBalancer=roundRobin"));
  for (int i = 0; i < 30; ++i) shop->order("x").get();
  for (const One& one : servers_) EXPECT_EQ(one.shop->calls, 10) << one.address;
}

TEST_F(ClusterTest, ConsistentHashKeepsTheSameForTheSameArgument) {
  const auto shop = client_->refer<Shop>(url("?loadBalancer=consistentHash"));
  std::set<std::string> all;
  for (int i = 0; i < 40; ++i) {
    const std::string key = "customer " + std::to_string(i);
    const std::string first = shop->ask(key).get();
    EXPECT_EQ(shop->ask(key).get(), first);
    all.insert(first);
  }
  EXPECT_EQ(all.size(), 3u);
}

TEST_F(ClusterTest, NobodyNoticesAnAddressThatCannotBeReached) {
  const auto shop = client_->refer<Shop>("bolt://" + nobody() + "," + servers_[0].address + "," +
                                         servers_[1].address);
  for (int i = 0; i < 100; ++i) EXPECT_NO_THROW(shop->order("x").get());
  EXPECT_EQ(servers_[0].shop->calls + servers_[1].shop->calls, 100);
}

TEST_F(ClusterTest, AStoppedServersCallsGoElsewhereAndComeBack) {
  const auto shop = client_->refer<Shop>(url());
  for (int i = 0; i < 30; ++i) shop->order("x").get();
  servers_[1].server->stop();
  for (int i = 0; i < 100; ++i) EXPECT_NO_THROW(shop->order("x").get()) << i;
  start_again(servers_[1]);
  const int before = servers_[1].shop->calls;
  EXPECT_TRUE(eventually([&] {
    shop->order("x").get();
    return servers_[1].shop->calls > before + 5;
  }));
}

// As in a rolling restart: the next one leaves when this one is back.
TEST_F(ClusterTest, AServerThatIsReachedAgainIsCalledAtOnce) {
  const auto shop = client_->refer<Shop>(url("?loadBalancer=roundRobin"));
  servers_[1].server->stop();
  for (int i = 0; i < 10; ++i) EXPECT_NO_THROW(shop->order("x").get());
  start_again(servers_[1]);
  const auto again = client_->refer<Shop>("bolt://" + servers_[1].address);
  ASSERT_TRUE(eventually([&] { return !error_of(again->order("x")); }));
  const int before = servers_[1].shop->calls;
  for (int i = 0; i < 9; ++i) EXPECT_NO_THROW(shop->order("x").get());
  EXPECT_GT(servers_[1].shop->calls, before);
}

TEST_F(ClusterTest, WhatMayHaveRunIsTriedAgainOnlyIfThatIsSafe) {
  wire::FakeServer fake;
  const std::string list = "bolt://127.0.0.1:" + std::to_string(fake.port()) + "," +
                           servers_[0].address + "?loadBalancer=roundRobin";
  std::atomic<bool> enough{false};
  std::thread breaker([&] { break_calls(fake, enough); });
  const auto shop = client_->refer<Shop>(list);
  for (int i = 0; i < 6; ++i) EXPECT_EQ(shop->ask("x").get(), "a");
  EXPECT_GE(stat("settee.rpc.client.retries"), 1);
  int failed = 0;
  for (int i = 0; i < 6; ++i) {
    try {
      shop->order("x").get();
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), Code::kConnectionClosed) << error.what();
      ++failed;
    }
  }
  EXPECT_GE(failed, 1);
  const auto asked = client_->refer<Shop>(list + "&retries=1");
  for (int i = 0; i < 6; ++i) EXPECT_EQ(asked->order("x").get(), "a");
  enough = true;
  breaker.join();
}

TEST_F(ClusterTest, RetriesGoToTheOnlyAddressToo) {
  wire::FakeServer fake;
  std::thread peer([&] {
    Wire first = fake.accept();
    first.send(wire::heartbeat(1));
    std::optional<Received> got;
    do {
      got = first.receive();
    } while (got && got->frame.command != rpc::bolt::Command::kRequest);
    first.reset();
    Wire second = fake.accept();
    if (!second.open()) return;
    got = second.receive();
    if (got) second.send(wire::text_response(static_cast<std::uint32_t>(got->frame.id), "again"));
    second.closed();
  });
  {
    Client client{*runtime_};
    const auto shop =
        client.refer<Shop>("bolt://127.0.0.1:" + std::to_string(fake.port()) + "?retries=1");
    std::future<std::string> answer = as_future(shop->order("x"));
    EXPECT_NO_THROW(EXPECT_EQ(answer.get(), "again"));
  }
  peer.join();
}

TEST_F(ClusterTest, AnAnswerIsAnAnswer) {
  const auto shop = client_->refer<Shop>(url("?retries=5"));
  try {
    shop->refuse().get();
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), Code::kBusiness);
  }
  EXPECT_EQ(servers_[0].shop->calls + servers_[1].shop->calls + servers_[2].shop->calls, 1);
}

TEST_F(ClusterTest, TheErrorNamesEveryAddressThatWasTried) {
  const std::string one = nobody();
  const std::string other = nobody();
  const auto shop = client_->refer<Shop>("bolt://" + one + "," + other);
  try {
    shop->ask("x").get();
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), Code::kNoProvider);
    const std::string what = error.what();
    EXPECT_NE(what.find("com.acme.Shop:1.0#ask: 2 addresses were tried"), std::string::npos)
        << what;
    EXPECT_NE(what.find(one), std::string::npos) << what;
    EXPECT_NE(what.find(other), std::string::npos) << what;
    EXPECT_NE(what.find("refused"), std::string::npos) << what;
  }
  EXPECT_EQ(stat("settee.rpc.client.no_provider"), 1);
}

TEST_F(ClusterTest, FailfastTriesOnce) {
  ReferOptions options;
  options.cluster = ClusterMode::kFailfast;
  options.balancer = "roundRobin";
  const auto shop = client_->refer<Shop>("bolt://" + nobody() + "," + servers_[0].address, options);
  int failed = 0;
  for (int i = 0; i < 2; ++i) {
    try {
      shop->ask("x").get();
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), Code::kConnectFailed);
      ++failed;
    }
  }
  EXPECT_EQ(failed, 1);
}

TEST_F(ClusterTest, RetriesHaveABudget) {
  // Everybody fails all that reaches them: retries must not multiply that without end.
  wire::FakeServer one;
  wire::FakeServer other;
  std::atomic<bool> enough{false};
  std::thread first([&] { break_calls(one, enough); });
  std::thread second([&] { break_calls(other, enough); });
  const auto shop = client_->refer<Shop>("bolt://127.0.0.1:" + std::to_string(one.port()) +
                                         ",127.0.0.1:" + std::to_string(other.port()));
  int calls = 0;
  for (; calls < 100; ++calls) EXPECT_THROW(shop->ask("x").get(), Error);
  enough = true;
  first.join();
  second.join();
  EXPECT_GT(stat("settee.rpc.client.retries_refused"), 10);
  EXPECT_LE(stat("settee.rpc.client.retries"), 20 + calls / 5 + 1);
}

TEST_F(ClusterTest, CallsByNameHaveSeveralAddressesToo) {
  const GenericReference shop = client_->refer_generic(
      "bolt://" + nobody() + "," + servers_[2].address + "/com.acme.Shop?loadBalancer=roundRobin");
  for (int i = 0; i < 4; ++i) {
    std::vector<hessian::Value> arguments{hessian::Value("x")};
    const hessian::Value answer = shop.call("ask", {}, std::move(arguments)).get();
    EXPECT_EQ(*answer.as_string(), "c");
  }
}

TEST_F(ClusterTest, ReferencesThatComeAndGoShareTheConnection) {
  for (int i = 0; i < 20; ++i) {
    client_->refer<Shop>("bolt://" + servers_[0].address)->ask("x").get();
    client_->refer<Shop>("bolt://" + servers_[0].address + "," + servers_[1].address)
        ->ask("x")
        .get();
  }
  // One for each loop and address.
  EXPECT_LE(stat("settee.rpc.client.connects"), 4);
}

TEST_F(ClusterTest, BadUrlsSayWhatIsWrong) {
  const auto wrong = [&](const std::string& bad) {
    try {
      client_->refer<Shop>(bad);
    } catch (const Error& error) {
      return std::string(error.what());
    }
    return std::string("taken");
  };
  EXPECT_NE(wrong("bolt://127.0.0.1:1,?x=1").find("127.0.0.1:1,"), std::string::npos);
  EXPECT_NE(wrong(url("?loadBalancer=best")).find("roundRobin"), std::string::npos);
  EXPECT_NE(wrong(url("?retries=some")).find("'some'"), std::string::npos);
}

}  // namespace
}  // namespace settee::rpc
