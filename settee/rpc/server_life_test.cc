// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0
//
// A server's start and stop at bad moments, and what a registry hears of it.

#include <gtest/gtest.h>

#include "settee/base/event_bus.h"
#include "settee/base/stats.h"
#include "settee/rpc/events.h"
#include "settee/rpc/registry.h"
#include "settee/rpc/rpc_test_peer.h"

namespace settee::rpc {
namespace {

using namespace std::chrono_literals;
using wire::eventually;

// Keeps what it is told; publishing waits while it is closed.
class SlowRegistry final : public Registry {
 public:
  const std::string& address() const noexcept override { return address_; }
  std::string status() const override { return "slow"; }
  Task<void> publish(ServiceKey key, Provider provider) override {
    ++publishing;
    if (throws) throw std::runtime_error("no Error");
    co_await resume_on(runtime_.loop());
    while (closed) co_await sleep_for(1ms);
    const std::lock_guard lock(mutex_);
    if (refuses) co_await fail(Error(Code::kIo, "no room"));
    listed_[key.unique_name()] = std::move(provider);
  }
  Task<void> withdraw(ServiceKey key, Provider) override {
    if (context().cancelled()) co_await fail(Error(Code::kCancelled, "cancelled"));
    const std::lock_guard lock(mutex_);
    listed_.erase(key.unique_name());
    co_return;
  }
  Watch watch(ServiceKey, ConsumerInfo, Listener) override { return nullptr; }
  Task<std::vector<std::string>> interfaces() override { co_return std::vector<std::string>(); }
  void stop() override {}

  explicit SlowRegistry(Runtime& runtime) : runtime_(runtime) {}
  std::size_t listed() const {
    const std::lock_guard lock(mutex_);
    return listed_.size();
  }
  std::string attribute(const std::string& service, const char* name) const {
    const std::lock_guard lock(mutex_);
    const auto found = listed_.find(service);
    return found == listed_.end() ? "not listed" : std::string(found->second.attribute(name));
  }
  std::atomic<bool> closed{false};
  std::atomic<bool> refuses{false};
  std::atomic<bool> throws{false};
  std::atomic<int> publishing{0};

 private:
  Runtime& runtime_;
  const std::string address_ = "slow://here";
  mutable std::mutex mutex_;
  std::map<std::string, Provider> listed_;
};

class ServerLifeTest : public testing::Test {
 protected:
  ServerLifeTest() {
    RuntimeOptions options;
    options.threads = 2;
    options.log = log_.keep();
    runtime_ = std::make_unique<Runtime>(std::move(options));
    registry_ = std::make_shared<SlowRegistry>(*runtime_);
    options_.host = "127.0.0.1";
    options_.port = 0;
    options_.leave = 1ms;
    options_.registries = {registry_};
  }
  void make() {
    server_ = std::make_unique<Server>(*runtime_, options_);
    server_->provide<wire::Probe>(probe_);
  }
  static Code code_of(const std::function<void()>& work) {
    try {
      work();
    } catch (const Error& error) {
      return error.code();
    }
    return Code{};
  }

  wire::LogLines log_;
  std::unique_ptr<Runtime> runtime_;
  std::shared_ptr<SlowRegistry> registry_;
  ServerOptions options_;
  std::shared_ptr<wire::MyProbe> probe_ = std::make_shared<wire::MyProbe>();
  std::unique_ptr<Server> server_;
};

TEST_F(ServerLifeTest, StopDuringStartEndsBoth) {
  make();
  registry_->closed = true;
  Code code{};
  std::thread starter([&] { code = code_of([&] { server_->start(); }); });
  ASSERT_TRUE(eventually([&] { return registry_->publishing == 1; }));
  server_->stop();
  starter.join();
  EXPECT_EQ(code, Code::kStopped);
  EXPECT_EQ(registry_->listed(), 0u);
  EXPECT_FALSE(wire::Wire::to_port(server_->port()).open());
  EXPECT_EQ(code_of([&] { server_->start(); }), Code::kMisuse);
}

TEST_F(ServerLifeTest, WhatAStopCutsShortIsWithdrawn) {
  const auto second = std::make_shared<SlowRegistry>(*runtime_);
  options_.registries.push_back(second);
  make();
  second->closed = true;
  std::thread starting([&] { EXPECT_EQ(code_of([&] { server_->start(); }), Code::kStopped); });
  EXPECT_TRUE(eventually([&] { return second->publishing > 0; }));
  server_->stop();
  starting.join();
  EXPECT_EQ(registry_->listed(), 0u);  // also though the start's Context has been cancelled
}

TEST_F(ServerLifeTest, EachRegistryHasItsTimeAndMayThrowAnything) {
  const auto second = std::make_shared<SlowRegistry>(*runtime_);
  options_.registries.push_back(second);
  options_.register_timeout = 1500ms;
  make();
  registry_->closed = second->closed = true;
  std::thread opening([&] {
    std::this_thread::sleep_for(900ms);
    registry_->closed = false;
    std::this_thread::sleep_for(900ms);
    second->closed = false;
  });
  server_->start();
  opening.join();
  EXPECT_EQ(second->listed(), 1u);
  second->throws = true;
  ProvideOptions provide;
  provide.version = "2.0";
  EXPECT_EQ(code_of([&] { server_->provide<wire::Probe>(probe_, provide); }), Code::kUnknown);
  EXPECT_EQ(registry_->listed(), 1u);
}

TEST_F(ServerLifeTest, StopsMayComeTwiceAndAtOnce) {
  make();
  server_->start();
  Client client{*runtime_};
  auto nap = as_future(client.refer<wire::Probe>("bolt://" + server_->address())->nap(100));
  ASSERT_TRUE(eventually([&] { return probe_->napping == 1; }));
  std::atomic<int> returned{0};
  std::vector<std::thread> stoppers;
  for (int i = 0; i < 3; ++i) {
    stoppers.emplace_back([&] {
      server_->stop();
      // None returns before the server has stopped.
      EXPECT_EQ(probe_->napping, 0);
      ++returned;
    });
  }
  for (std::thread& stopper : stoppers) stopper.join();
  EXPECT_EQ(returned, 3);
  EXPECT_EQ(nap.get(), 100);
  server_->stop();
}

TEST_F(ServerLifeTest, WhatIsStoppedBeforeItStartsDoesNotStart) {
  make();
  server_->stop();
  EXPECT_EQ(code_of([&] { server_->start(); }), Code::kMisuse);
  EXPECT_EQ(code_of([&] { server_->provide<wire::Probe>(probe_); }), Code::kStopped);
}

TEST_F(ServerLifeTest, ServicesThatComeAndGoDuringTheStopAreLeftNowhere) {
  for (int round = 0; round < 20; ++round) {
    make();
    server_->start();
    std::thread other([&] {
      for (int i = 0;; ++i) {
        ProvideOptions provide;
        provide.version = std::to_string(i + 2) + ".0";
        const Code code = code_of([&] { server_->provide<wire::Probe>(probe_, provide); });
        if (code == Code::kStopped) return;
        EXPECT_EQ(code, Code{});
        if (i % 2 == 0) server_->withdraw("com.acme.Probe:" + provide.version);
      }
    });
    server_->stop();
    other.join();
    EXPECT_EQ(registry_->listed(), 0u);
    server_.reset();
  }
}

TEST_F(ServerLifeTest, AServiceThatARegistryRefusesIsNotOffered) {
  make();
  server_->start();
  registry_->refuses = true;
  ProvideOptions provide;
  provide.version = "2.0";
  EXPECT_EQ(code_of([&] { server_->provide<wire::Probe>(probe_, provide); }), Code::kIo);
  registry_->refuses = false;
  server_->provide<wire::Probe>(probe_, provide);
  EXPECT_EQ(registry_->listed(), 2u);
}

TEST_F(ServerLifeTest, WhatConsumersAreTold) {
  std::vector<std::string> told;
  const Subscription published = runtime_->events().subscribe<ProviderPublished>(
      [&](const ProviderPublished& event) { told.push_back("+" + event.service); });
  const Subscription withdrawn = runtime_->events().subscribe<ProviderWithdrawn>(
      [&](const ProviderWithdrawn& event) { told.push_back("-" + event.service); });
  make();
  ProvideOptions provide;
  provide.version = "2.0";
  provide.timeout = 750ms;
  provide.dynamic = false;
  provide.warmup_time = 60s;
  provide.warmup_weight = 10;
  server_->provide<wire::Probe>(probe_, provide);
  provide.version = "3.0";
  provide.register_it = false;
  server_->provide<wire::Probe>(probe_, provide);
  server_->start();
  const std::string second = "com.acme.Probe:2.0";
  EXPECT_EQ(registry_->attribute(second, "timeout"), "750");
  EXPECT_EQ(registry_->attribute(second, "dynamic"), "false");
  EXPECT_EQ(registry_->attribute(second, "warmupTime"), "60000");
  EXPECT_EQ(registry_->attribute(second, "warmupWeight"), "10");
  EXPECT_NE(registry_->attribute(second, "startTime"), "");
  EXPECT_EQ(registry_->attribute("com.acme.Probe:1.0", "timeout"), "0");
  EXPECT_EQ(registry_->attribute("com.acme.Probe:1.0", "warmupTime"), "");
  EXPECT_EQ(registry_->attribute("com.acme.Probe:3.0", "timeout"), "not listed");
  server_->withdraw(second);
  std::sort(told.begin(), told.end());
  EXPECT_EQ(told, (std::vector<std::string>{"+com.acme.Probe:1.0", "+com.acme.Probe:2.0",
                                            "-com.acme.Probe:2.0"}));
}

TEST_F(ServerLifeTest, CallsThatOutlastTheDrainAreCancelledAndAnswered) {
  options_.drain = 20ms;
  make();
  server_->start();
  Client client{*runtime_};
  auto remote = client.refer<wire::Probe>("bolt://" + server_->address());
  std::vector<std::future<std::int32_t>> naps;
  for (int i = 0; i < 10; ++i) naps.push_back(as_future(remote->nap(60'000)));
  // And one whose caller has gone.
  wire::Wire gone = wire::Wire::to_port(server_->port());
  ASSERT_TRUE(gone.send(wire::with_int(1, "nap", 60'000)));
  ASSERT_TRUE(eventually([&] { return probe_->napping == 11; }));
  gone.close();
  server_->stop();
  EXPECT_EQ(probe_->napping, 0);
  EXPECT_EQ(runtime_->stats().find("settee.rpc.server.cut_off").value().value, 11);
  for (auto& nap : naps) {
    try {
      nap.get();
      FAIL();
    } catch (const Error& error) {
      EXPECT_NE(std::string(error.what()).find("the server is being stopped"), std::string::npos)
          << error.what();
    }
  }
}

TEST_F(ServerLifeTest, CallsThatComeDuringTheDrainAreCountedAndToldOf) {
  make();
  server_->start();
  wire::Wire peer = wire::Wire::to_port(server_->port());
  ASSERT_TRUE(peer.send(wire::with_int(1, "nap", 300)));
  ASSERT_TRUE(eventually([&] { return probe_->napping == 1; }));
  std::atomic<int> told{0};
  const Subscription listening = runtime_->events().subscribe<CallRefused>(
      [&](const CallRefused& event) { told += event.limit == "drain"; });
  std::thread stopper([&] { server_->stop(); });
  int refused = 0;
  for (std::uint32_t id = 2; refused == 0; ++id) {
    ASSERT_TRUE(peer.send(wire::echo(id, "x")));
    const auto answer = peer.receive();
    ASSERT_TRUE(answer);
    refused += answer->frame.status == bolt::Status::kBusy;
  }
  stopper.join();
  EXPECT_EQ(told, 1);
  EXPECT_EQ(runtime_->stats().find("settee.rpc.server.refused", {{"limit", "drain"}}).value().value,
            1);
}

}  // namespace
}  // namespace settee::rpc
