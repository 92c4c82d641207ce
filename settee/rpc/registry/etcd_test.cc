// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0
//
// The registry etcd:// against a gateway that says what it is told to say; the real one is in
// interop/tests/registry_servers_test.cc.

#include <gtest/gtest.h>

#include <set>

#include "settee/hessian/json.h"
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
    table_->remove("/v3/" + path);  // the latest is the one that counts
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
  std::shared_ptr<Registry> open(RegistryOptions options = {}, const std::string& others = "") {
    http::ServerOptions at;
    at.port = 0;
    server_ = std::make_unique<http::Server>(runtime_, table_, at);
    server_->start();
    return open_registry(runtime_, "etcd://" + server_->address() + others, options);
  }
  // They do not end either.
  void watches_say_nothing() {
    table_->add("POST", "/v3/watch", [](Request) -> Task<Response> {
      co_await sleep_for(1h);
      co_return Response();
    });
  }
  void grant_leases() {
    answer("lease/grant", [](auto) { return json(R"({"ID":"5","TTL":"9"})"); });
    answer("lease/revoke", [](auto) { return json("{}"); });
    answer("kv/txn", [](auto) { return json(R"({"succeeded":true})"); });
  }

  // What a transaction does, whatever it is on condition of.
  Response commit(const std::string& text) {
    const std::lock_guard lock(mutex_);
    const Result<hessian::Value> asked = json::parse_value(text);
    for (const hessian::Value& one : (*asked)["success"].items()) {
      if (const auto key = one["requestPut"]["key"].as_string()) {
        keys_.insert(*etcd::from_base64(*key));
      }
      if (const auto key = one["requestDeleteRange"]["key"].as_string()) {
        keys_.erase(*etcd::from_base64(*key));
      }
    }
    return json(R"({"succeeded":true})");
  }
  std::set<std::string> keys() const {
    const std::lock_guard lock(mutex_);
    return keys_;
  }

  Log log_;
  mutable std::mutex mutex_;
  std::set<std::string> keys_;
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

TEST_F(EtcdTest, WhatTheServerCannotDoNowIsAskedForAgain) {
  int asked = 0;  // the keeper asks one thing at a time
  grant_leases();
  answer("kv/txn", [&](const std::string& text) {
    switch (++asked % 4) {
      case 1: return Response(502, "text/html", "<html>a proxy</html>");
      case 2: return Response(429, "application/json", R"({"error":"too many","code":8})");
      case 3: return Response(504, "application/json", R"({"error":"timed out","code":4})");
      default: return commit(text);
    }
  });
  const auto registry = open();
  registry->publish(quotes_, provider("bolt://10.0.0.1:1")).get();
  EXPECT_EQ(keys().size(), 1u);
  EXPECT_EQ(registry->status(), "connected");
  registry->withdraw(quotes_, provider("bolt://10.0.0.1:1")).get();
  EXPECT_EQ(keys().size(), 0u);
  EXPECT_EQ(log_.count("too many"), 2) << log_.text();
}

TEST_F(EtcdTest, WhatWasRefusedIsAskedForAgainInANewLease) {
  std::atomic<int> leases{0};
  grant_leases();
  answer("lease/grant",
         [&](auto) { return json(R"({"ID":")" + std::to_string(++leases) + R"(","TTL":"1"})"); });
  answer("lease/keepalive", [](auto) { return json(R"({"result":{}})"); });  // there is none
  answer("kv/txn", [&](const std::string& text) {
    if (leases > 1) return commit(text);
    return Response(403, "application/json", R"({"error":"permission denied","code":7})");
  });
  const auto registry = open();
  EXPECT_THROW(registry->publish(quotes_, provider("bolt://10.0.0.1:1")).get(), Error);
  EXPECT_TRUE(eventually([&] { return keys().size() == 1; })) << registry->status();
}

TEST_F(EtcdTest, AnUrlThatReplacesOneIsAloneThoughBothWereDueAtOnce) {
  std::atomic<bool> busy{true};
  grant_leases();
  answer("lease/grant", [&](auto) {
    if (!busy) return json(R"({"ID":"5","TTL":"9"})");
    return Response(429, "application/json", R"({"error":"too many","code":8})");
  });
  answer("kv/txn", [&](const std::string& text) { return commit(text); });
  const auto registry = open();
  // The new one is the first of the two in the order of their keys, so it is there first.
  for (const char* url : {"bolt://10.0.0.1:1?b=1", "bolt://10.0.0.1:1?a=1"}) {
    EXPECT_THROW(runtime_.run(with_timeout(50ms, registry->publish(quotes_, provider(url)))),
                 Error);
  }
  busy = false;
  EXPECT_TRUE(eventually([&] {
    const std::set<std::string> there = keys();
    return there.size() == 1 && there.begin()->find("a%3D1") != std::string::npos;
  })) << testing::PrintToString(keys());
}

TEST_F(EtcdTest, NothingElseWaitsForALeaseThatIsRefused) {
  std::atomic<int> refused{0};
  answer("lease/grant", [&](auto) {
    ++refused;
    return Response(403, "application/json", R"({"error":"permission denied","code":7})");
  });
  answer("kv/range", [](auto) { return json("{}"); });
  watches_say_nothing();
  const auto registry = open();
  std::vector<Registry::Watch> watches;
  for (const char* name : {"A", "B", "C", "D", "E", "F", "G", "H"}) {
    Heard heard;
    watches.push_back(registry->watch(service(name), {}, heard.listener()));
    EXPECT_TRUE(heard.wait_for({})) << registry->status();
  }
  EXPECT_LT(refused, 8);  // whose pauses double: the eighth is due after 12 s
}

TEST_F(EtcdTest, AWatchThatLongSaysNothingIsMadeAnew) {
  std::atomic<int> lists{0};
  grant_leases();
  answer("kv/range", [&](auto) { return list("10.0.0." + std::to_string(++lists) + ":1", lists); });
  watches_say_nothing();
  RegistryOptions options;
  options.session_timeout = 1s;
  const auto registry = open(options);
  Heard heard;
  const auto watch = registry->watch(quotes_, {}, heard.listener());
  EXPECT_TRUE(heard.wait_for({"10.0.0.2:1"})) << log_.text();
}

TEST_F(EtcdTest, WatchesFollowTheCallsToAnotherServer) {
  std::atomic<bool> away{false};
  const auto unless_away = [&](const std::string& text) {
    return away ? Response(503, "application/json", R"({"error":"no leader","code":14})")
                : json(text);
  };
  grant_leases();
  answer("lease/grant", [](auto) { return json(R"({"ID":"5","TTL":"1"})"); });
  answer("lease/keepalive", [=](auto) { return unless_away(R"({"result":{"TTL":"1"}})"); });
  answer("kv/range", [](auto) { return list("10.0.0.1:1", 1); });
  watches_say_nothing();
  const auto here = std::exchange(table_, std::make_shared<http::Endpoints>());
  grant_leases();
  answer("lease/keepalive", [](auto) { return json(R"({"result":{"TTL":"1"}})"); });
  answer("kv/range", [](auto) { return list("10.0.0.2:1", 2); });
  watches_say_nothing();
  http::ServerOptions at;
  at.port = 0;
  http::Server other(runtime_, std::exchange(table_, here), at);
  other.start();
  const auto registry = open({}, "," + other.address());
  Heard heard;
  const auto watch = registry->watch(quotes_, {}, heard.listener());
  ASSERT_TRUE(heard.wait_for({"10.0.0.1:1"})) << registry->status();
  away = true;
  EXPECT_TRUE(heard.wait_for({"10.0.0.2:1"})) << registry->status();
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
