// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0

#include "settee/rpc/dynamic_config.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <set>

#include "settee/base/event_bus.h"
#include "settee/rpc/config.h"
#include "settee/rpc/events.h"
#include "settee/rpc/registry/registry_test_log.h"
#include "settee/rpc/rpc_test_peer.h"

namespace dynamic {

struct Where {
  virtual ~Where() = default;
  virtual settee::Task<std::string> place(std::string key) = 0;
  virtual settee::Task<std::string> never() = 0;
};

}  // namespace dynamic

SETTEE_SERVICE(dynamic::Where, "com.acme.Where", (place, key), (never))

namespace settee::rpc {
namespace {

using namespace std::chrono_literals;
using dynamic::Where;
using registry_test::Log;
using wire::eventually;

class MyWhere : public Where {
 public:
  explicit MyWhere(std::string place) : place_(std::move(place)) {}
  Task<std::string> place(std::string) override { co_return place_; }
  Task<std::string> never() override {
    co_await sleep_for(60s);
    co_return "";
  }

 private:
  const std::string place_;
};

class DynamicConfigTest : public testing::Test {
 protected:
  DynamicConfigTest() {
    char folder[] = "/tmp/settee_dynamic_XXXXXX";
    folder_ = mkdtemp(folder);
    file_ = folder_ + "/dynamic.yaml";
    heard_ = runtime_.events().subscribe<ConfigChanged>([this](const ConfigChanged& event) {
      const std::lock_guard lock(mutex_);
      events_.push_back(event);
    });
  }
  ~DynamicConfigTest() override { std::filesystem::remove_all(folder_); }

  // As deployers do: the new file takes the place of the old one.
  void write(const std::string& text) {
    std::ofstream(file_ + ".new") << text;
    std::filesystem::rename(file_ + ".new", file_);
  }
  std::shared_ptr<DynamicConfig> open() {
    DynamicConfigOptions options;
    options.scan_period = 20ms;
    return open_dynamic_config(runtime_, "file://" + file_, "shop", options);
  }
  std::vector<ConfigChanged> events() {
    const std::lock_guard lock(mutex_);
    return events_;
  }
  // The last event about `key`.
  std::optional<ConfigChanged> told(const std::string& key) {
    std::optional<ConfigChanged> last;
    for (ConfigChanged& event : events()) {
      if (event.key == key) last = std::move(event);
    }
    return last;
  }
  template <class F>
  static std::string error_of(F work) {
    try {
      work();
    } catch (const Error& error) {
      return error.message();
    }
    return "no error";
  }

  std::string folder_;
  std::string file_;
  Log log_;
  Runtime runtime_{log_.options()};
  std::mutex mutex_;
  std::vector<ConfigChanged> events_;
  Subscription heard_;
};

TEST_F(DynamicConfigTest, ValuesFollowTheFile) {
  write("shop.page: 10\n");
  const auto config = open();
  EXPECT_EQ(config->value("shop.page"), "10");
  EXPECT_EQ(config->status(), "1 value(s) in force");
  write("shop.page: 20\nshop.other: x\n");
  ASSERT_TRUE(eventually([&] { return config->value("shop.page") == "20"; }));
  // Of the values of one file each is told by itself.
  ASSERT_TRUE(eventually([&] {
    const auto event = told("shop.page");
    return event && event->value == "20";
  }));
  const ConfigChanged event = *told("shop.page");
  EXPECT_EQ(event.before, "10");
  EXPECT_EQ(event.value, "20");
  EXPECT_EQ(event.source, file_ + ":1:12");
  EXPECT_TRUE(event.applied);
  std::ofstream(file_) << "shop.page: 30\n";  // in place
  ASSERT_TRUE(eventually([&] { return config->values().size() == 1; }));
  EXPECT_EQ(config->value("shop.page"), "30");
  ASSERT_TRUE(eventually([&] {
    const auto gone = told("shop.other");
    return gone && gone->before == "x";
  }));
  EXPECT_FALSE(told("shop.other")->value);
}

TEST_F(DynamicConfigTest, AFileThatCannotBeReadDoesNotApply) {
  write("shop.page: 10\n");
  const auto config = open();
  write("shop.page: 20\nshop.other: [1, 2\n");
  ASSERT_TRUE(eventually([&] { return told("").has_value(); }));
  EXPECT_EQ(config->value("shop.page"), "10");
  EXPECT_EQ(log_.count(file_ + ":3:1: not readable as YAML", LogLevel::kWarning), 1) << log_.text();
  EXPECT_NE(config->status().find("what was in force stays so"), std::string::npos);
  EXPECT_FALSE(told("")->applied);
  EXPECT_NE(told("")->reason.find("not readable as YAML"), std::string::npos);

  write("");
  ASSERT_TRUE(eventually([&] { return log_.count("it is empty") == 1; })) << log_.text();
  write("shop: {page: 1}\n");
  ASSERT_TRUE(eventually([&] {
    return log_.count(file_ + ":1:7: shop: expected a text, got a section") == 1;
  })) << log_.text();
  std::filesystem::remove(file_);
  ASSERT_TRUE(eventually([&] { return log_.count("No such file") == 1; }));
  EXPECT_EQ(config->value("shop.page"), "10");

  write("shop.page: 30\n");
  ASSERT_TRUE(eventually([&] { return config->value("shop.page") == "30"; }));
  EXPECT_TRUE(eventually([&] { return config->status() == "1 value(s) in force"; }));
  write("{}");
  EXPECT_TRUE(eventually([&] { return config->values().empty(); }));
}

TEST_F(DynamicConfigTest, AValueThatCannotBeLeavesWhatWasThere) {
  const std::string timeout = "sofa.consumer.service.com.acme.Where.timeout";
  write(timeout + ": 500\n");
  const auto config = open();
  write(timeout + ": soon\nshop.page: 1\n");
  ASSERT_TRUE(eventually([&] { return config->value("shop.page") == "1"; }));
  ASSERT_TRUE(eventually([&] { return told(timeout).has_value() && !told(timeout)->applied; }));
  EXPECT_EQ(config->value(timeout), "500");
  EXPECT_EQ(told(timeout)->before, "500");
  EXPECT_EQ(told(timeout)->value, "soon");
  const std::string message = file_ + ":1:47: " + timeout +
                              ": expected a duration such as 50ms, 3s or 2m, got \"soon\"; \"500\" "
                              "stays in force";
  EXPECT_EQ(log_.count(message, LogLevel::kWarning), 1) << log_.text();
  write(timeout + ": soon\nshop.page: 2\n");
  ASSERT_TRUE(eventually([&] { return config->value("shop.page") == "2"; }));
  EXPECT_EQ(log_.count(message), 1) << "the same refusal is told once";
}

TEST_F(DynamicConfigTest, KeysOfSofarpcThatNothingFollowsAreRefused) {
  write(
      "sofa.consumer.service.com.acme.Where.retries: -1\n"
      "sofa.consumer.service.com.acme.Where.loadBalancer: best\n"
      "sofa.consumer.service.com.acme.Where.timeot: 5\n"
      "sofa.consumer.method.com.acme.Where.place.loadBalancer: random\n"
      "sofa.consumer.method.com.acme.Where.place.timeout: 0\n"
      "sofa.provider.service.com.acme.Where.accepts: 5\n"
      "sofa.provider.service.com.acme.Where.weight: -1\n"
      "sofa.provider.service.com.acme.Where.timeout: -1\n"
      "sofa.provider.method.com.acme.Where.place.weight: 5\n"
      "sofa.provider.method.com.acme.Where.place.rate: 1e-9\n"
      "sofa.provider.method.com.acme.Where.place.concurrents: many\n"
      "sofa.server.port: 5\n"
      "sofa.consumer.service.com.acme.Other.timeout: RPC_DEFAULT_DYNAMIC_VALUE\n");
  const auto config = open();
  EXPECT_TRUE(config->values().empty());
  EXPECT_EQ(events().size(), 12u);
  for (const char* reason :
       {"retries: expected an integer of at least 0", "there is no load balancer 'best'",
        "timeot: has no effect; the settings of a service are", "the settings of a method are",
        "place.timeout: expected a duration above 0", "those that have one begin with",
        "accepts: has no effect; the settings of a provider's service are",
        "Where.weight: expected an integer of at least 0",
        "Where.timeout: expected a duration of 0",
        "place.weight: has no effect; the settings of a provider's method are",
        "place.rate: expected 0 (any) or 1e-6", "concurrents: expected an integer"}) {
    EXPECT_EQ(log_.count(reason, LogLevel::kWarning), 1) << reason << "\n" << log_.text();
  }
}

TEST_F(DynamicConfigTest, AWatchIsOfAType) {
  write("shop.page: 10\nshop.pause: 3s\n");
  const auto config = open();
  std::mutex mutex;
  std::vector<std::optional<std::int32_t>> pages;
  DynamicConfig::Watch watch =
      config->watch<std::int32_t>("shop.page", [&](const std::optional<std::int32_t>& page) {
        const std::lock_guard lock(mutex);
        pages.push_back(page);
      });
  const auto seen = [&] {
    const std::lock_guard lock(mutex);
    return pages;
  };
  EXPECT_EQ(seen(), (std::vector<std::optional<std::int32_t>>{10}));
  std::optional<std::chrono::milliseconds> pause;
  const auto other = config->watch<std::chrono::milliseconds>(
      "shop.pause", [&](const std::optional<std::chrono::milliseconds>& value) { pause = value; });
  EXPECT_EQ(pause, 3s);

  write("shop.page: ten\n");
  ASSERT_TRUE(eventually([&] { return told("shop.page") && !told("shop.page")->applied; }));
  EXPECT_EQ(config->value("shop.page"), "10");
  EXPECT_EQ(told("shop.page")->reason, "expected an integer, got \"ten\"");
  write("{}");
  ASSERT_TRUE(eventually([&] { return seen().size() == 2; }));
  EXPECT_EQ(seen().back(), std::nullopt);
  watch.reset();
  write("shop.page: 11\n");
  ASSERT_TRUE(eventually([&] { return config->value("shop.page") == "11"; }));
  EXPECT_EQ(seen().size(), 2u) << "an ended watch is told nothing";
}

TEST_F(DynamicConfigTest, ACheckThatThrowsRefusesTheValue) {
  write("shop.page: 10\n");
  const auto config = open();
  const auto watch = config->watch_text(
      "shop.page",
      [](const std::string& value) { return std::stoi(value) > 0 ? "" : "not above 0"; },
      [](const std::optional<std::string>&) {});
  write("shop.page: ten\n");
  ASSERT_TRUE(eventually([&] { return told("shop.page") && !told("shop.page")->applied; }));
  EXPECT_NE(std::string(told("shop.page")->reason).find("its check threw"), std::string::npos);
  EXPECT_EQ(config->value("shop.page"), "10");
  write("shop.page: 11\n");
  EXPECT_TRUE(eventually([&] { return config->value("shop.page") == "11"; }));
}

TEST_F(DynamicConfigTest, AListenerMayEndItsWatchAndWatchAnother) {
  write("shop.a: 1\nshop.b: 2\n");
  const auto config = open();
  DynamicConfig::Watch first;
  DynamicConfig::Watch second;
  std::atomic<int> b{0};
  first = config->watch<std::int32_t>("shop.a", [&](const std::optional<std::int32_t>& value) {
    if (value != 5) return;
    first.reset();
    second = config->watch<std::int32_t>(
        "shop.b", [&](const std::optional<std::int32_t>& value) { b = value.value_or(-1); });
  });
  write("shop.a: 5\nshop.b: 2\n");
  EXPECT_TRUE(eventually([&] { return b == 2; }));
  write("shop.a: 6\nshop.b: 3\n");
  EXPECT_TRUE(eventually([&] { return b == 3; }));
  config->stop();
}

TEST_F(DynamicConfigTest, WhatCannotBeOpenedSaysWhy) {
  EXPECT_EQ(error_of([&] { open(); }), "read " + file_ + ": No such file or directory");
  write("- a\n");
  EXPECT_EQ(error_of([&] { open(); }), file_ + ":1:1: expected a map, got a list");
  EXPECT_NE(error_of([&] {
              open_dynamic_config(runtime_, "nacos://h:1", "shop");
            }).find("expected zookeeper://host:port"),
            std::string::npos);
  EXPECT_NE(error_of([&] {
              open_dynamic_config(runtime_, "file://x/", "shop");
            }).find("expected file:///path"),
            std::string::npos);
}

class TunedReference : public DynamicConfigTest {
 protected:
  TunedReference() {
    for (const char* name : {"one", "other"}) {
      servers_.push_back(std::make_unique<Server>(
          runtime_, ServerOptions{.host = "127.0.0.1", .port = 0, .drain = 0ms}));
      servers_.back()->provide<Where>(std::make_shared<MyWhere>(name));
      servers_.back()->start();
    }
    write("{}");
    config_ = open();
    ClientOptions options;
    options.dynamic_config = config_;
    options.timeout = 30s;
    client_ = std::make_unique<Client>(runtime_, options);
    ended_ = runtime_.events().subscribe<ClientCallEnded>(
        [this](const ClientCallEnded& event) { tries_ = event.tries; });
  }
  std::string both() const {
    return "bolt://" + servers_[0]->address() + "," + servers_[1]->address();
  }
  void set(const std::string& text, const std::string& key, const std::string& value) {
    write(text);
    ASSERT_TRUE(eventually([&] { return config_->value(key) == value; })) << log_.text();
    // A new watch begins when those that are there have been told.
    static_cast<void>(config_->watch<std::string>("test.told", [](const auto&) {}));
  }
  // How long a call that nobody answers takes, in rough steps.
  std::chrono::milliseconds taken(const Reference<Where>& where) {
    const auto began = std::chrono::steady_clock::now();
    EXPECT_NE(error_of([&] { where->never().get(); }), "no error");
    return std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now() -
                                                                 began);
  }

  std::vector<std::unique_ptr<Server>> servers_;
  std::shared_ptr<DynamicConfig> config_;
  std::unique_ptr<Client> client_;
  std::atomic<int> tries_{0};
  Subscription ended_;
};

TEST_F(TunedReference, TimeoutsComeFromTheirKeysInTheirOrder) {
  const std::string service = "sofa.consumer.service.com.acme.Where.timeout";
  const std::string method = "sofa.consumer.method.com.acme.Where.never.timeout";
  const std::string unique = "sofa.consumer.service.com.acme.Where:1.0.timeout";
  const auto where = client_->refer<Where>(both());
  set(service + ": 100ms\n", service, "100ms");
  EXPECT_LT(taken(where), 15s) << "the service's, in place of the client's";
  set(service + ": 60s\n" + unique + ": 100\n", unique, "100");
  EXPECT_LT(taken(where), 15s) << "a unique name's counts for more";
  set(service + ": 60s\n", service, "60s");
  EXPECT_LT(taken(where.with(CallOptions().timeout(100ms))), 15s) << "a call's own goes before";
  set(method + ": 100\n", method, "100");
  EXPECT_LT(taken(where.with(CallOptions().timeout(60s))), 15s) << "a method's goes before all";

  ReferOptions options;
  options.timeout = 60s;
  options.methods["never"].timeout = 100ms;
  const auto other = client_->refer<Where>(both(), options);
  set(service + ": 60s\n", service, "60s");
  EXPECT_LT(taken(other), 15s) << "what the reference says of the method goes before the service's";
  options.methods.clear();
  const auto third = client_->refer<Where>(both(), options);
  set(service + ": 100ms\n", service, "100ms");
  EXPECT_LT(taken(third), 15s) << "what it says of all methods does not";
}

TEST_F(TunedReference, GenericCallsFollowTheSameKeys) {
  const std::string method = "sofa.consumer.method.com.acme.Where.never.timeout";
  const auto generic = client_->refer_generic(both() + "/com.acme.Where");
  set(method + ": 100\n", method, "100");
  const auto began = std::chrono::steady_clock::now();
  EXPECT_NE(error_of([&] { generic.call("never", {}, {}).get(); }), "no error");
  EXPECT_LT(std::chrono::steady_clock::now() - began, 15s);
}

TEST_F(TunedReference, RetriesComeFromTheirKeys) {
  const std::string service = "sofa.consumer.service.com.acme.Where.retries";
  const std::string method = "sofa.consumer.method.com.acme.Where.never.retries";
  ReferOptions options;
  options.try_timeout = 50ms;
  for (const std::string& url : {both(), "bolt://" + servers_[0]->address()}) {
    write("{}");
    ASSERT_TRUE(eventually([&] { return config_->values().empty(); }));
    const auto where = client_->refer<Where>(url, options).with(CallOptions().timeout(60s));
    set(service + ": 2\n", service, "2");
    taken(where);
    EXPECT_EQ(tries_, 3) << url;
    set(service + ": 2\n" + method + ": 1\n", method, "1");
    taken(where);
    EXPECT_EQ(tries_, 2) << url;
  }
}

TEST_F(TunedReference, TheLoadBalancerComesFromItsKey) {
  const std::string key = "sofa.consumer.service.com.acme.Where.loadBalancer";
  const auto places = [](const Reference<Where>& where) {
    std::string places;
    for (int i = 0; i < 12; ++i) places += where->place("ACME").get()[1] == 'n' ? '1' : '2';
    return places;
  };
  const auto where = client_->refer<Where>(both());
  set(key + ": roundRobin\n", key, "roundRobin");
  const std::string round = places(where);
  EXPECT_TRUE(round == "121212121212" || round == "212121212121") << round;
  set(key + ": consistentHash\n", key, "consistentHash");
  const std::string hashed = places(where);
  EXPECT_EQ(std::set<char>(hashed.begin(), hashed.end()).size(), 1u) << hashed;
  const auto later = client_->refer<Where>(both());
  EXPECT_EQ(places(later), hashed) << "a reference begins with what is in force";
  ReferOptions options;
  options.balancer = "roundRobin";
  const auto configured = client_->refer<Where>(both(), options);
  EXPECT_EQ(places(configured), hashed);
  write("{}");
  ASSERT_TRUE(eventually([&] { return config_->values().empty(); }));
  const std::string back = places(configured);
  EXPECT_TRUE(back == "121212121212" || back == "212121212121") << back;
}

TEST_F(TunedReference, TheConfigCenterOfAFileIsTheClientsAndTheServers) {
  RpcSettings settings;
  settings.servers["bolt"];
  settings.config_center.address = "file://" + file_;
  settings.config_center.scan_period = 20ms;
  const RpcConfig config(runtime_, settings);
  ASSERT_NE(config.dynamic_config(), nullptr);
  EXPECT_EQ(config.client().dynamic_config, config.dynamic_config());
  EXPECT_EQ(config.server("bolt").dynamic_config, config.dynamic_config());
  write("shop.page: 5\n");
  EXPECT_TRUE(eventually([&] { return config.dynamic_config()->value("shop.page") == "5"; }));
}

}  // namespace
}  // namespace settee::rpc
