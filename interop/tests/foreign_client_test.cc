// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0
//
// Java SOFARPC and sofa-rpc-node as clients of a C++ server. Each program checks its own answers; here
// every line that it prints becomes a check.

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <mutex>
#include <set>
#include <thread>

#include "interop/tests/peer_process.h"
#include "interop/tests/type_service.h"
#include "settee/base/stats.h"

namespace interop {
namespace {

using namespace std::chrono_literals;

/// A C++ server in this process.
class ForeignClient : public testing::Test {
 protected:
  void serve(settee::rpc::ServerOptions options = {}) {
    options.host = "127.0.0.1";
    options.port = 0;
    server_ = std::make_unique<settee::rpc::Server>(runtime_, options);
    provide_contract(*server_);
    server_->start();
  }

  ClientReport run(Peer peer, std::vector<std::string> options) {
    PeerClient client(peer, server_->port(), std::move(options));
    return client.finish();
  }

  std::int64_t counted(const char* name, settee::StatTags tags = {}) {
    const auto found = runtime_.stats().find(name, std::move(tags));
    return found ? found->value : 0;
  }

  settee::Runtime runtime_{{.threads = 2}};
  std::unique_ptr<settee::rpc::Server> server_;
};

/// All that `report` says is a check: at least `least` cases passed, none failed, and only those named
/// in `may_skip` were skipped.
void expect_passed(const ClientReport& report, std::size_t least,
                   const std::set<std::string>& may_skip = {}) {
  for (const auto& [name, reason] : report.failed) ADD_FAILURE() << name << ": " << reason;
  for (const auto& [name, reason] : report.skipped) {
    EXPECT_TRUE(may_skip.contains(name)) << name << " was skipped: " << reason;
  }
  EXPECT_GE(report.ok.size(), least);
  EXPECT_EQ(report.done, "ok=" + std::to_string(report.ok.size()) + " failed=0");
  EXPECT_EQ(report.status, 0);
  if (testing::Test::HasFailure()) ADD_FAILURE() << "its standard error:\n" << report.errors;
}

// ---- every case of the contract ----

TEST_F(ForeignClient, JavaCallsEveryMethod) {
  serve();
  expect_passed(run(Peer::kJava, {}), 66);
  EXPECT_EQ(counted("settee.rpc.server.bad_frames"), 0);
  EXPECT_EQ(counted("settee.rpc.server.in_flight"), 0);
}

class NodeClient : public ForeignClient {
 protected:
  void check(std::vector<std::string> options) {
    serve();
    // sofa-rpc-node has no such ways of calling.
    std::set<std::string> may_skip{"future", "callback", "json"};
    std::size_t least = 61;
#ifndef SETTEE_INTEROP_PROTOBUF
    options.insert(options.end(), {"--skip", "proto,proto_fail"});
    may_skip.insert({"proto", "proto_fail"});
    least -= 2;
#endif
    expect_passed(run(Peer::kNode, options), least, may_skip);
    EXPECT_EQ(counted("settee.rpc.server.bad_frames"), 0);
    EXPECT_EQ(counted("settee.rpc.server.in_flight"), 0);
  }
};

TEST_F(NodeClient, CallsEveryMethod) { check({}); }
TEST_F(NodeClient, CallsEveryMethodWithBolt2AndCrc) { check({"--bolt2"}); }
TEST_F(NodeClient, CallsEveryMethodWithHessian2) { check({"--hessian", "4.0"}); }
TEST_F(NodeClient, CallsEveryMethodWithBolt2AndHessian2) { check({"--bolt2", "--hessian", "4.0"}); }

// ---- a full pool ----

class ForeignClientOfAFullPool : public ForeignClient {
 protected:
  void check(Peer peer) {
    // One thread, and nothing may wait for it.
    auto pool = std::make_shared<settee::ThreadPool>(
        "busy", settee::ThreadPoolOptions{.core = 1, .max = 1, .queue = 0});
    settee::rpc::ServerOptions options;
    options.host = "127.0.0.1";
    options.port = 0;
    server_ = std::make_unique<settee::rpc::Server>(runtime_, options);
    settee::rpc::ProvideOptions provide;
    provide.pool = pool;
    server_->provide<BlockingTypeService>(make_blocking_type_service(), provide);
    server_->start();
    expect_passed(run(peer, {"--cases", "busy"}), 1);
    EXPECT_EQ(counted("settee.rpc.server.refused", {{"limit", "pool"}}), 1);
    server_.reset();
  }
};

TEST_F(ForeignClientOfAFullPool, JavaIsToldThatItIsBusy) { check(Peer::kJava); }
TEST_F(ForeignClientOfAFullPool, NodeIsToldThatItIsBusy) { check(Peer::kNode); }

// ---- who calls, and what he sends along ----

class ForeignCallersHeaders : public ForeignClient {
 protected:
  void check_refused(Peer peer, std::int64_t refusals) {
    settee::rpc::ServerOptions options;
    options.authenticate = [](const settee::rpc::Call& call) -> settee::Result<void> {
      if (call.header("token") == "open sesame") return {};
      return settee::Error(settee::Code::kInvalidArgument, "no token");
    };
    serve(options);
    expect_passed(run(peer, {"--cases", "refused_caller"}), 1);
    EXPECT_EQ(counted("settee.rpc.server.refused", {{"limit", "authentication"}}), refusals);
  }

  void check_header(Peer peer) {
    struct Tenants final : settee::rpc::Filter {
      Task<void> apply(settee::rpc::Call& call, settee::rpc::Next next) override {
        if (call.method() == "baggage") {
          const std::lock_guard lock(mutex);
          seen.emplace_back(call.header("tenant"));
        }
        return next();
      }
      std::mutex mutex;
      std::vector<std::string> seen;
    };
    serve();
    const auto tenants = std::make_shared<Tenants>();
    server_->add_filter(tenants);
    expect_passed(run(peer, {"--cases", "custom_header"}), 1);
    const std::lock_guard lock(tenants->mutex);
    EXPECT_EQ(tenants->seen,
              (std::vector<std::string>{"acme \u5931\u8d25 \U0001f600", std::string()}));
  }
};

TEST_F(ForeignCallersHeaders, JavaIsToldWhyItIsRefused) { check_refused(Peer::kJava, 2); }
TEST_F(ForeignCallersHeaders, NodeIsToldWhyItIsRefused) { check_refused(Peer::kNode, 1); }
TEST_F(ForeignCallersHeaders, AFilterReadsWhatJavaSendsBesideBaggage) { check_header(Peer::kJava); }
TEST_F(ForeignCallersHeaders, AFilterReadsWhatNodeSendsBesideBaggage) { check_header(Peer::kNode); }

// ---- silence ----

class IdleForeignClient : public ForeignClient {
 protected:
  void check(Peer peer) {
    settee::rpc::ServerOptions options;
    options.idle_close = 1500ms;
    serve(options);
    const ClientReport report = run(peer, {"--idle-seconds", "4", "--heartbeat-ms", "500"});
    expect_passed(report, 1);
    const auto heartbeats = std::find_if(
        report.info.begin(), report.info.end(),
        [](const std::string& line) { return line.starts_with("idle heartbeats sent="); });
    ASSERT_NE(heartbeats, report.info.end());
    const auto sent = std::atoi(heartbeats->c_str() + heartbeats->find('=') + 1);
    EXPECT_GE(sent, 3) << *heartbeats;
  }
};

TEST_F(IdleForeignClient, JavasHeartbeatsAreAnswered) { check(Peer::kJava); }
TEST_F(IdleForeignClient, NodesHeartbeatsAreAnswered) { check(Peer::kNode); }

// ---- a server that dies and comes back ----

void check_restart(Peer peer, const char* seconds) {
  auto server = std::make_unique<PeerServer>(Peer::kCpp, std::vector<std::string>{});
  const int port = server->port();
  PeerClient client(peer, port, {"--reconnect-seconds", seconds});
  client.wait_for("info reconnect running");
  std::this_thread::sleep_for(1s);
  server->crash();
  std::this_thread::sleep_for(500ms);
  server = std::make_unique<PeerServer>(Peer::kCpp, std::vector<std::string>{}, port);
  const ClientReport report = client.finish();
  expect_passed(report, 1);
  EXPECT_EQ(server->stop(), 0);
  for (const std::string& line : report.info) {
    std::printf("%s client: %s\n", to_string(peer), line.c_str());
  }
}

TEST(RestartedServer, JavaClientConnectsAgain) { check_restart(Peer::kJava, "8"); }
TEST(RestartedServer, NodeClientConnectsAgain) { check_restart(Peer::kNode, "6"); }

}  // namespace
}  // namespace interop
