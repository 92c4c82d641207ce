// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0
//
// The client's grpcs:// against gRPC C++'s own TLS, which wants to know who calls.

#include <gtest/gtest.h>

#include <filesystem>

#include "interop/tests/market_service.h"
#include "interop/tests/peer_process.h"
#include "settee/base/error_test.h"
#include "settee/net/tls_test_certificates.h"

namespace {

using namespace std::chrono_literals;
using interop::Market;
using settee::Code;
using settee::Error;

class GrpcTlsClientTest : public testing::Test {
 protected:
  GrpcTlsClientTest() {
    certificates_.make("server");
    settee::net::WantedCertificate till;
    till.name = "till";
    till.names = "";
    certificates_.make("till", till);
    certificates_.make_ca("stranger");
    const std::string ca = certificates_.path("ca.crt");
    server_.emplace(std::vector<std::string>{interop::own_program("grpc_cpp_server"),
                                             std::filesystem::path(ca).parent_path()});
    const std::optional<std::string> port = server_->read_line(30s);
    if (!port) throw std::runtime_error("grpc_cpp_server: " + server_->errors());
    url_ = "grpcs://127.0.0.1:" + *port;
    tls_.ca = ca;
    tls_.certificate = certificates_.path("till.crt");
    tls_.key = certificates_.path("till.key");
  }
  ~GrpcTlsClientTest() override {
    client_.reset();
    server_->end_input();
    EXPECT_EQ(server_->wait(60s), 0) << server_->errors();
  }
  settee::rpc::Reference<Market> market() {
    settee::rpc::ClientOptions options;
    options.timeout = 30s;
    options.tls = std::make_shared<settee::net::TlsClientContext>(runtime_, tls_);
    client_.emplace(runtime_, options);
    return client_->refer<Market>(url_);
  }
  // What a call ends with whose peers do not trust each other.
  Error refusal() { return settee::error_of(market()->header("tls-peer")); }

  settee::net::TestCertificates certificates_;
  settee::Runtime runtime_;
  settee::net::TlsClientOptions tls_;
  std::optional<interop::Child> server_;
  std::optional<settee::rpc::Client> client_;
  std::string url_;
};

TEST_F(GrpcTlsClientTest, CallsAndTheServerKnowsWhoCalls) {
  const auto reference = market();
  EXPECT_EQ(reference->header("tls-peer").get(), "till");
  interop::Order order;
  order.id = "seven";
  order.cents = -9'007'199'254'740'993;
  order.lines.push_back({"a", -1});
  order.raw = settee::Bytes(std::string(1'000'000, 'r'));
  const interop::Order same = reference->place(order).get();
  EXPECT_EQ(same.id, order.id);
  EXPECT_EQ(same.cents, order.cents);
  EXPECT_EQ(same.lines.size(), 1u);
  EXPECT_EQ(same.raw.size(), order.raw.size());
}

TEST_F(GrpcTlsClientTest, ErrorsAndDeadlinesHold) {
  const auto reference = market();
  try {
    reference->sell("s1").get();
    FAIL() << "it was sold";
  } catch (const Error& error) {
    EXPECT_NE(error.message().find("none left: \xc3\xa4"), std::string::npos) << error.message();
  }
  try {
    reference.with(settee::rpc::CallOptions().timeout(50ms))->nap(60'000).get();
    FAIL() << "it slept";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), Code::kTimeout) << error.message();
  }
}

TEST_F(GrpcTlsClientTest, AServerThatIsNotTheOneIsNotCalled) {
  tls_.server_name = "other.acme.com";
  const Error other = refusal();
  EXPECT_EQ(other.code(), Code::kConnectFailed);
  EXPECT_NE(other.message().find("other.acme.com"), std::string::npos) << other.message();
  tls_.server_name = "";
  tls_.ca = certificates_.path("stranger.crt");
  EXPECT_EQ(refusal().code(), Code::kConnectFailed);
}

TEST_F(GrpcTlsClientTest, WithoutACertificateItIsNotServed) {
  tls_.certificate = tls_.key = "";
  const Error error = refusal();
  EXPECT_NE(error.code(), Code::kUnknown) << error.message();
  EXPECT_NE(error.code(), Code::kTimeout) << error.message();
}

}  // namespace
