// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0
//
// Services whose limits, times and weights dynamic configuration changes while they are offered.

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <future>

#include "settee/base/stats.h"
#include "settee/rpc/dynamic_config.h"
#include "settee/rpc/events.h"
#include "settee/rpc/registry/registry_test_log.h"
#include "settee/rpc/rpc_test_peer.h"

namespace tuned {

struct Door {
  virtual ~Door() = default;
  virtual settee::Task<bool> pass() = 0;
  virtual settee::Task<bool> hold() = 0;
  virtual settee::Task<std::int64_t> left() = 0;
};

}  // namespace tuned

SETTEE_SERVICE(tuned::Door, "com.acme.Door", (pass), (hold), (left))

namespace settee::rpc {
namespace {

using namespace std::chrono_literals;
using registry_test::Log;
using tuned::Door;
using wire::eventually;

struct MyDoor final : Door {
  Task<bool> pass() override { co_return true; }
  Task<bool> hold() override {
    ++held;
    while (!open) co_await sleep_for(1ms);
    --held;
    co_return true;
  }
  /// Milliseconds, in steps of a hundred seconds; -1: it may take any time.
  Task<std::int64_t> left() override {
    if (context().deadline() == kNoDeadline) co_return -1;
    const auto left =
        std::chrono::ceil<std::chrono::seconds>(context().deadline() - Clock::now()).count();
    co_return (left + 99) / 100 * 100'000;
  }
  std::atomic<int> held{0};
  std::atomic<bool> open{false};
};

class ProvideTuningTest : public testing::TestWithParam<bool> {
 protected:
  static constexpr const char* kService = "sofa.provider.service.com.acme.Door.";
  static constexpr const char* kMethod = "sofa.provider.method.com.acme.Door.";

  ProvideTuningTest() {
    char folder[] = "/tmp/settee_tuning_XXXXXX";
    folder_ = mkdtemp(folder);
    file_ = folder_ + "/dynamic.yaml";
    write({});
    DynamicConfigOptions options;
    options.scan_period = 20ms;
    config_ = open_dynamic_config(runtime_, "file://" + file_, "shop", options);
  }
  ~ProvideTuningTest() override {
    client_.reset();
    server_.reset();
    std::filesystem::remove_all(folder_);
  }

  using Values = std::map<std::string, std::string>;
  void write(const Values& values) {
    {
      std::ofstream out(file_ + ".new");
      out << "test.number: " << ++number_ << "\n";
      for (const auto& [key, value] : values) out << "\"" << key << "\": " << value << "\n";
    }
    std::filesystem::rename(file_ + ".new", file_);
  }
  /// Returns when all has been told.
  void set(const Values& values) {
    write(values);
    ASSERT_TRUE(
        eventually([&] { return config_->value("test.number") == std::to_string(number_); }));
    // A new watch begins when those that are there have been told.
    static_cast<void>(config_->watch<std::string>("test.told", [](const auto&) {}));
  }
  Reference<Door> serve(ProvideOptions provide = {},
                        std::vector<std::shared_ptr<Registry>> registries = {}) {
    ServerOptions options;
    options.host = "127.0.0.1";
    options.port = 0;
    options.leave = 0ms;
    options.dynamic_config = config_;
    options.registries = std::move(registries);
    server_ = std::make_unique<Server>(runtime_, options);
    server_->provide<Door>(door_, provide);
    server_->start();
    ClientOptions client;
    client.timeout = 60s;
    client.in_process = GetParam();
    client_ = std::make_unique<Client>(runtime_, client);
    return client_->refer<Door>("bolt://" + server_->address());
  }
  static bool let_in(std::future<bool> call) {
    try {
      return call.get();
    } catch (const Error&) {
      return false;
    }
  }
  static int passed(const Reference<Door>& door, int calls) {
    int passed = 0;
    for (int i = 0; i < calls; ++i) passed += let_in(as_future(door->pass())) ? 1 : 0;
    return passed;
  }
  bool holds(int number) {
    return eventually([&] { return door_->held == number; });
  }

  std::string folder_;
  std::string file_;
  int number_ = 0;
  Log log_;
  Runtime runtime_{log_.options()};
  std::shared_ptr<DynamicConfig> config_;
  const std::shared_ptr<MyDoor> door_ = std::make_shared<MyDoor>();
  std::unique_ptr<Server> server_;
  std::unique_ptr<Client> client_;
};

TEST_P(ProvideTuningTest, LimitsComeAndGoWhileCallsRun) {
  const auto door = serve();
  std::vector<std::future<bool>> held;
  const auto hold = [&] { held.push_back(as_future(door->hold())); };
  for (int i = 0; i < 3; ++i) hold();
  ASSERT_TRUE(holds(3));
  const std::string service = std::string(kService) + "concurrents";
  set({{service, "2"}});
  EXPECT_EQ(passed(door, 5), 0) << "those that began without a limit count";
  set({{service, "4"}});
  EXPECT_EQ(passed(door, 5), 5);
  hold();
  ASSERT_TRUE(holds(4));
  EXPECT_EQ(passed(door, 1), 0);
  set({{service, "9"}, {std::string(kMethod) + "hold.concurrents", "4"}});
  EXPECT_EQ(passed(door, 1), 1) << "a method's limit is its own";
  EXPECT_FALSE(let_in(as_future(door->hold())));
  set({{service, "1"}, {"sofa.provider.service.com.acme.Door:1.0.concurrents", "9"}});
  EXPECT_EQ(passed(door, 1), 1) << "a unique name counts for more";
  set({});
  hold();
  ASSERT_TRUE(holds(5));
  door_->open = true;
  for (auto& call : held) EXPECT_TRUE(call.get());
  set({{service, "1"}});
  EXPECT_EQ(passed(door, 5), 5) << "nobody was counted out twice";
  EXPECT_EQ(
      runtime_.stats().find("settee.rpc.server.refused", {{"limit", "concurrents"}}).value().value,
      7);
}

TEST_P(ProvideTuningTest, ARateComesAndGoes) {
  ProvideOptions provide;
  provide.methods["pass"].rate = 1e-3;
  provide.methods["pass"].burst = 3;
  const auto door = serve(provide);
  EXPECT_EQ(passed(door, 5), 3) << "as the code says";
  const std::string rate = std::string(kMethod) + "pass.rate";
  const std::string burst = std::string(kMethod) + "pass.burst";
  set({{rate, "0"}});
  EXPECT_EQ(passed(door, 100), 100);
  set({{rate, "0.001"}, {burst, "20"}});
  EXPECT_EQ(passed(door, 50), 20);
  set({});
  EXPECT_EQ(passed(door, 5), 0) << "the code's burst has been used up";
  set({{rate, "0"},
       {std::string(kService) + "rate", "0.001"},
       {std::string(kService) + "burst", "7"}});
  EXPECT_EQ(passed(door, 20), 7);
}

TEST_P(ProvideTuningTest, TimesComeFromTheirKeysInTheirOrder) {
  ProvideOptions provide;
  provide.timeout = 200s;
  provide.methods["hold"].timeout = 900s;
  const auto door = serve(provide).with(CallOptions().timeout(10'000s));
  const std::string service = std::string(kService) + "timeout";
  const std::string method = std::string(kMethod) + "left.timeout";
  EXPECT_EQ(door->left().get(), 200'000);
  set({{service, "300s"}});
  EXPECT_EQ(door->left().get(), 300'000);
  set({{service, "300s"}, {method, "400000"}});
  EXPECT_EQ(door->left().get(), 400'000);
  set({{service, "300s"}, {method, "0"}});
  EXPECT_EQ(door->left().get(), 10'000'000) << "0: as the caller says";
  set({{method, "later"}, {service, "-5"}});
  EXPECT_EQ(door->left().get(), 10'000'000) << "what cannot be leaves what was there";
  set({{service, "-5"}});
  EXPECT_EQ(door->left().get(), 300'000);
  EXPECT_EQ(log_.count("left.timeout: expected a duration", LogLevel::kWarning), 1) << log_.text();

  provide.version = "2.0";
  provide.methods["left"].timeout = 500s;
  server_->provide<Door>(door_, provide);
  set({{service, "300s"}});
  ReferOptions other;
  other.version = "2.0";
  const auto second = client_->refer<Door>("bolt://" + server_->address(), other);
  EXPECT_EQ(second.with(CallOptions().timeout(10'000s))->left().get(), 500'000)
      << "what the code says of the method goes before the service's";
}

INSTANTIATE_TEST_SUITE_P(OverAConnectionAndInTheProcess, ProvideTuningTest, testing::Bool());

class ProvideWeightTest : public ProvideTuningTest {
 protected:
  ProvideWeightTest() {
    RegistryOptions options;
    options.scan_period = 20ms;
    registry_ = open_registry(runtime_, "file://" + folder_ + "/services", options);
    ServiceKey key;
    key.interface_name = "com.acme.Door";
    watch_ = registry_->watch(key, {}, [this](const Providers& all) {
      const std::lock_guard lock(mutex_);
      seen_ = all;
    });
  }
  ~ProvideWeightTest() override {
    watch_.reset();
    client_.reset();
    server_.reset();
  }
  /// "weight/timeout" of each provider that the consumer sees.
  std::string seen() {
    const std::lock_guard lock(mutex_);
    std::string all;
    for (const Provider& one : seen_) {
      all +=
          std::string(one.attribute("weight")) + "/" + std::string(one.attribute("timeout")) + " ";
    }
    return all;
  }
  bool sees(const std::string& all) {
    return eventually([&] { return seen() == all; });
  }

  std::mutex mutex_;
  Providers seen_;
  std::shared_ptr<Registry> registry_;
  Registry::Watch watch_;
};

TEST_P(ProvideWeightTest, ConsumersHearOfAnotherWeightAndTimeout) {
  const std::string weight = std::string(kService) + "weight";
  set({{weight, "70"}});
  ProvideOptions provide;
  provide.timeout = 3s;
  const auto door = serve(provide, {registry_});
  EXPECT_TRUE(sees("70/3000 ")) << "what is in force at the start: " << seen();
  set({{weight, "20"}});
  EXPECT_TRUE(sees("20/3000 ")) << seen();
  set({{weight, "0"}, {std::string(kService) + "timeout", "5s"}});
  EXPECT_TRUE(sees("0/5000 ")) << seen();
  set({{weight, "heavy"}});
  EXPECT_TRUE(sees("0/3000 ")) << "a weight that cannot be leaves the one before: " << seen();
  set({});
  EXPECT_TRUE(sees("100/3000 ")) << seen();
  EXPECT_EQ(passed(door, 1), 1);
  server_->stop();
  EXPECT_TRUE(sees("")) << seen();
}

TEST_P(ProvideWeightTest, AServiceThatIsWithdrawnMeanwhileIsGone) {
  serve({}, {registry_});
  ASSERT_TRUE(sees("100/0 "));
  for (int i = 1; i <= 10; ++i) {
    write({{std::string(kService) + "weight", std::to_string(i)}});
    if (i % 2 == 0) set({{std::string(kService) + "weight", std::to_string(i)}});
    EXPECT_TRUE(server_->withdraw("com.acme.Door:1.0"));
    ASSERT_TRUE(sees("")) << seen();
    server_->provide<Door>(door_);
    set({{std::string(kService) + "weight", std::to_string(i)}});
    ASSERT_TRUE(sees(std::to_string(i) + "/0 ")) << seen();
  }
  write({});
  server_->stop();
  EXPECT_TRUE(sees("")) << seen();
}

INSTANTIATE_TEST_SUITE_P(Registered, ProvideWeightTest, testing::Values(false));

}  // namespace
}  // namespace settee::rpc
