// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0
//
// The registry etcd:// against a gateway that says what it is told to say; the real one is in
// interop/tests/registry_servers_test.cc.

#include <gtest/gtest.h>

#include "settee/http/http.h"
#include "settee/rpc/registry/internal/etcd_gateway.h"
#include "settee/rpc/registry/registry_test_log.h"

namespace settee::rpc::registry {
namespace {

using http::Request;
using http::Response;
using registry_test::eventually;
using registry_test::Heard;
using registry_test::Log;
using registry_test::provider;
using registry_test::service;
using namespace std::chrono_literals;

TEST(EtcdGateway, Base64IsThatOfJson) {
  for (const auto& [plain, text] : std::vector<std::pair<std::string, std::string>>{
           {"", ""}, {"a", "YQ=="}, {"ab", "YWI="}, {"abc", "YWJj"}, {"\xff\xfe", "//4="}}) {
    EXPECT_EQ(etcd::base64(plain), text);
    EXPECT_EQ(etcd::from_base64(text), plain);
  }
  EXPECT_EQ(etcd::from_base64("YQ="), std::nullopt);
  EXPECT_EQ(etcd::from_base64("Y*=="), std::nullopt);
  EXPECT_EQ(etcd::number(hessian::Value("7587878793480123456")), 7587878793480123456);
  EXPECT_EQ(etcd::number(hessian::Value(7)), 7);
  EXPECT_EQ(etcd::number(hessian::Value()), 0);
}

// Grants leases, and else does what the test says.
class EtcdTest : public testing::Test {
 protected:
  using Answer = std::function<Response(const std::string& json)>;

  void answer(const std::string& path, Answer with) {
    table_->add("POST", "/v3/" + path, [with](Request request) -> Task<Response> {
      co_return with(std::string(request.body.text()));
    });
  }
  static Response json(std::string_view text) { return Response(200, "application/json", text); }
  // A list of one provider, and the revision that it is of.
  static Response list(const std::string& address, int revision) {
    const std::string key = "/sofa-rpc/com.acme.Quotes/providers/" +
                            url_encode("bolt://" + address + "?uniqueId=&version=1.0");
    return json(R"({"header":{"revision":")" + std::to_string(revision) + R"("},"kvs":[{"key":")" +
                etcd::base64(key) + R"(","mod_revision":"3","value":"MQ=="}]})");
  }
  std::shared_ptr<Registry> open(RegistryOptions options = {}) {
    http::ServerOptions at;
    at.port = 0;
    server_ = std::make_unique<http::Server>(runtime_, table_, at);
    server_->start();
    return open_registry(runtime_, "etcd://" + server_->address(), options);
  }
  void grant_leases() {
    answer("lease/grant", [](auto) { return json(R"({"ID":"5","TTL":"9"})"); });
    answer("lease/revoke", [](auto) { return json("{}"); });
    answer("kv/txn", [](auto) { return json(R"({"succeeded":true})"); });
  }

  Log log_;
  Runtime runtime_{log_.options()};
  std::shared_ptr<http::Endpoints> table_ = std::make_shared<http::Endpoints>();
  std::unique_ptr<http::Server> server_;
  const ServiceKey quotes_ = service("com.acme.Quotes");
};

TEST_F(EtcdTest, AWatchThatACompactionEndsBeginsWithTheListAgain) {
  std::atomic<int> lists{0};
  std::mutex mutex;
  std::string watched;
  grant_leases();
  answer("kv/range", [&](auto) {
    ++lists;
    return list("10.0.0." + std::to_string(lists) + ":1", 10 * lists);
  });
  answer("watch", [&](const std::string& asked) {
    const std::lock_guard lock(mutex);
    watched += asked;
    return json(
        "{\"result\":{\"created\":true}}\n"
        "{\"result\":{\"canceled\":true,\"compact_revision\":\"12\"}}\n");
  });
  const auto registry = open();
  Heard heard;
  const auto watch = registry->watch(quotes_, {}, heard.listener());
  EXPECT_TRUE(heard.wait_for({"10.0.0.3:1"})) << log_.text();
  const std::lock_guard lock(mutex);
  EXPECT_NE(watched.find(R"("start_revision":"11")"), std::string::npos) << watched;
  EXPECT_NE(watched.find(R"("start_revision":"21")"), std::string::npos) << watched;
}

TEST_F(EtcdTest, AnswersThatAreNotOfEtcdAreSaid) {
  grant_leases();
  answer("kv/range", [](auto) { return Response(200, "text/html", "<html>a proxy</html>"); });
  const auto registry = open();
  Heard heard;
  const auto watch = registry->watch(quotes_, {}, heard.listener());
  EXPECT_TRUE(eventually([&] {
    return registry->status().find("no JSON of etcd's gateway") != std::string::npos;
  })) << registry->status();
  EXPECT_EQ(heard.calls(), 0u);
}

TEST_F(EtcdTest, WhatTheServerRefusesIsSaid) {
  answer("lease/grant", [](auto) { return json(R"({"ID":"5","TTL":"9"})"); });
  answer("lease/revoke", [](auto) { return json("{}"); });
  answer("kv/txn", [](auto) {
    return Response(403, "application/json",
                    R"({"error":"etcdserver: permission denied","code":7})");
  });
  const auto registry = open();
  try {
    registry->publish(quotes_, provider("bolt://10.0.0.1:1")).get();
    ADD_FAILURE() << "published";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), Code::kPeerError);
    EXPECT_NE(error.message().find("put /sofa-rpc/com.acme.Quotes/providers/bolt%3A"),
              std::string::npos)
        << error.message();
    EXPECT_NE(error.message().find("permission denied"), std::string::npos) << error.message();
  }
}

TEST_F(EtcdTest, AUserIsAuthenticatedAgainWhenHisTokenHasEnded) {
  std::atomic<int> tokens{0};
  std::atomic<int> refused{0};
  answer("auth/authenticate", [&](const std::string& asked) {
    EXPECT_EQ(asked, R"({"name":"shop","password":"se:\"cret"})");
    return json(R"({"token":"t)" + std::to_string(++tokens) + R"("})");
  });
  grant_leases();
  table_->add("POST", "/v3/kv/range", [&](Request request) -> Task<Response> {
    if (request.headers.get("authorization") == "t1") {
      ++refused;
      co_return Response(401, "application/json",
                         R"({"error":"etcdserver: invalid auth token","code":16})");
    }
    co_return list("10.0.0.1:1", 1);
  });
  answer("watch", [&](auto) { return json("{\"result\":{\"created\":true}}\n"); });
  RegistryOptions options;
  options.auth_scheme = "password";
  options.auth = "shop:se:\"cret";
  const auto registry = open(options);
  Heard heard;
  const auto watch = registry->watch(quotes_, {}, heard.listener());
  EXPECT_TRUE(heard.wait_for({"10.0.0.1:1"})) << registry->status();
  EXPECT_EQ(refused, 1);
  EXPECT_EQ(tokens, 2);
  EXPECT_EQ(log_.count("cret"), 0) << log_.text();
}

TEST_F(EtcdTest, AddressesThatAreWrongAreSaid) {
  for (const char* wrong : {"etcd://", "etcd://a:x", "etcd://u@a:1", "etcd://a:1,", "etcd://a?x"}) {
    EXPECT_THROW(open_registry(runtime_, wrong), Error) << wrong;
  }
}

}  // namespace
}  // namespace settee::rpc::registry
