// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0
//
// What a limit refuses is counted; options that would let nothing pass are refused; filters see calls
// by name too; a handler that holds its loop is named.

#include <gtest/gtest.h>

#include "settee/base/stats.h"
#include "settee/rpc/rpc_test_peer.h"

namespace settee::rpc {
namespace {

using namespace std::chrono_literals;
using wire::eventually;
using wire::Wire;

class LimitsTest : public testing::Test {
 protected:
  LimitsTest() {
    RuntimeOptions options;
    options.threads = 1;
    options.stall = 100ms;
    options.log = log_.keep();
    runtime_ = std::make_unique<Runtime>(std::move(options));
    server_options_.host = "127.0.0.1";
    server_options_.port = 0;
  }
  void serve() {
    server_ = std::make_unique<Server>(*runtime_, server_options_);
    server_->provide<wire::Probe>(probe_);
    server_->start();
  }
  std::string url() const { return "bolt://" + server_->address(); }
  std::int64_t stat(std::string_view name, StatTags tags = {}) const {
    const std::optional<StatValue> found = runtime_->stats().find(name, std::move(tags));
    return found ? found->value : -1;
  }

  wire::LogLines log_;
  std::unique_ptr<Runtime> runtime_;
  ServerOptions server_options_;
  std::shared_ptr<wire::MyProbe> probe_ = std::make_shared<wire::MyProbe>();
  std::unique_ptr<Server> server_;
};

TEST_F(LimitsTest, ConnectionsHeldBackAndIdleOnesAreCounted) {
  server_options_.max_in_flight = 2;
  server_options_.idle_close = 200ms;
  serve();
  Wire silent = Wire::to_port(server_->port());
  Wire peer = Wire::to_port(server_->port());
  std::string calls;
  for (std::uint32_t id = 1; id <= 5; ++id) calls += wire::with_int(id, "nap", 20).bytes();
  ASSERT_TRUE(peer.send(calls));
  for (int i = 0; i < 5; ++i) EXPECT_TRUE(peer.receive());
  EXPECT_GE(stat("settee.rpc.server.held_back"), 2);
  EXPECT_TRUE(silent.closed());
  EXPECT_TRUE(peer.closed());
  EXPECT_EQ(stat("settee.rpc.server.idle_closed"), 2);
}

TEST_F(LimitsTest, APeerThatDoesNotReadIsCountedAsCongested) {
  server_options_.max_unsent = 64 * 1024;
  serve();
  Wire peer = Wire::to_port(server_->port());
  std::string calls;
  for (std::uint32_t id = 1; id <= 8; ++id) calls += wire::with_int(id, "bytes", 4 << 20).bytes();
  ASSERT_TRUE(peer.send(calls));
  const StatTags of_servers{{"role", "server"}};
  EXPECT_TRUE(eventually([&] { return stat("settee.net.congestions", of_servers) > 0; }));
}

TEST_F(LimitsTest, CallsCutOffByTheEndOfTheServerAreCounted) {
  server_options_.drain = 20ms;
  serve();
  Client client{*runtime_};
  auto nap = as_future(client.refer<wire::Probe>(url())->nap(400));
  ASSERT_TRUE(eventually([&] { return probe_->napping == 1; }));
  server_->stop();
  EXPECT_THROW(nap.get(), Error);
  EXPECT_EQ(stat("settee.rpc.server.cut_off"), 1);
  EXPECT_TRUE(eventually([&] { return probe_->napping == 0; }));
}

TEST_F(LimitsTest, AServerThatBreaksARuleOrFallsSilentIsCounted) {
  wire::FakeServer fake;
  ClientOptions options;
  options.heartbeat = 30ms;
  options.heartbeat_timeout = 30ms;
  options.heartbeat_misses = 2;
  options.timeout = 10s;
  Client client{*runtime_, options};
  auto probe = client.refer<wire::Probe>(fake.url());
  auto first = as_future(probe->echo("a"));
  Wire bad = fake.accept();
  ASSERT_TRUE(bad.receive());
  ASSERT_TRUE(bad.send("\x01 is no frame of Bolt's, however one reads it"));
  EXPECT_THROW(first.get(), Error);
  EXPECT_EQ(stat("settee.rpc.client.bad_frames"), 1);

  auto second = as_future(probe->echo("b"));
  Wire silent = fake.accept();
  ASSERT_TRUE(silent.open());
  EXPECT_THROW(second.get(), Error);
  EXPECT_EQ(stat("settee.rpc.client.heartbeats_missed"), 2);
}

TEST_F(LimitsTest, OptionsThatLetNothingPassAreRefusedByName) {
  const auto refused = [](auto make) {
    try {
      make();
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), Code::kInvalidArgument);
      return std::string(error.what());
    }
    return std::string("taken");
  };
  server_options_.max_in_flight = 0;
  EXPECT_NE(
      refused([&] { Server(*runtime_, server_options_); }).find("ServerOptions::max_in_flight"),
      std::string::npos);
  ClientOptions options;
  options.timeout = 0ms;
  EXPECT_NE(refused([&] { Client(*runtime_, options); }).find("ClientOptions::timeout"),
            std::string::npos);
}

TEST_F(LimitsTest, FiltersSeeCallsByName) {
  struct Twice final : Filter {
    std::vector<std::string> seen;
    Task<void> apply(Call& call, Next next) override {
      seen.push_back(std::string(call.service()) + "#" + std::string(call.method()));
      co_await next();
      co_await next();
    }
  };
  serve();
  auto twice = std::make_shared<Twice>();
  Client client{*runtime_};
  client.add_filter(twice);
  const GenericReference probe = client.refer_generic(url() + "/com.acme.Probe");
  std::vector<hessian::Value> arguments{hessian::Value("text")};
  const hessian::Value answer = probe.call("echo", {"java.lang.String"}, arguments).get();
  EXPECT_EQ(*answer.as_string(), "text");
  EXPECT_EQ(twice->seen, std::vector<std::string>{"com.acme.Probe:1.0#echo"});
  EXPECT_EQ(probe_->calls, 2);
  EXPECT_THROW(probe.call("crash", {}, {}).get(), Error);
}

// Sleeps on its loop, which nothing but a blocking() method may.
class Sleeper final : public wire::MyProbe {
 public:
  Task<std::string> echo(std::string text) override {
    std::this_thread::sleep_for(300ms);
    co_return text;
  }
};

TEST_F(LimitsTest, AHandlerThatHoldsItsLoopIsNamed) {
  server_ = std::make_unique<Server>(*runtime_, server_options_);
  server_->provide<wire::Probe>(std::make_shared<Sleeper>());
  server_->start();
  Client client{*runtime_};
  EXPECT_EQ(client.refer<wire::Probe>(url())->echo("x").get(), "x");
  EXPECT_NE(log_.wait_for({"loop settee-0 has been held", "com.acme.Probe:1.0#echo"}), "")
      << log_.all();
}

}  // namespace
}  // namespace settee::rpc
