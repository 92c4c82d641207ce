// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0
//
// TLS, of docs/guide.md. The certificates are made when it runs.

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <iostream>

#include "examples/guide/my_orders.h"
#include "settee/net/tls_test_certificates.h"

namespace shop {
namespace {

class GuideTlsTest : public testing::Test {
 protected:
  GuideTlsTest() : before_(std::filesystem::current_path()) {
    for (const char* name : {"shop", "till"}) {
      settee::net::WantedCertificate wanted;
      wanted.name = name;
      wanted.names = std::string("DNS:") + name + ".acme.com";
      certificates_.make(name, wanted);
    }
  }
  ~GuideTlsTest() override { std::filesystem::current_path(before_); }
  void go_there() { std::filesystem::current_path(certificates_.path("")); }

  settee::net::TestCertificates certificates_;
  std::filesystem::path before_;
};

TEST_F(GuideTlsTest, OnlyTheTillMayCall) {
  go_there();
  // [server]
  settee::Runtime runtime;
  settee::net::TlsServerOptions tls;
  tls.certificate = "shop.crt";  // PEM: the server's own, then those up to its CA
  tls.key = "shop.key";
  tls.client_ca = "ca.crt";  // clients must show a certificate that leads to it

  settee::rpc::ServerOptions options;
  options.host = "127.0.0.1";
  options.port = 0;
  options.tls = std::make_shared<settee::net::TlsServerContext>(runtime, tls);
  options.authenticate = [](const settee::rpc::Call& call) -> settee::Result<void> {
    const settee::net::TlsInfo* const caller = call.tls();
    if (caller != nullptr && caller->peer && caller->peer->subject == "CN=till") return {};
    return settee::Error(settee::Code::kPeerError, "only tills may place orders");
  };
  settee::rpc::Server server{runtime, options};
  // [/server]
  server.provide<Orders>(std::make_shared<MyOrders>());
  server.start();
  // [client]
  settee::net::TlsClientOptions trust;
  trust.ca = "ca.crt";                  // empty: whom the system trusts
  trust.server_name = "shop.acme.com";  // empty: the host of the url
  trust.certificate = "till.crt";       // for servers that ask
  trust.key = "till.key";
  settee::rpc::ClientOptions client_options;
  client_options.tls = std::make_shared<settee::net::TlsClientContext>(runtime, trust);
  settee::rpc::Client client{runtime, client_options};
  // [/client]
  auto orders = client.refer<Orders>("bolt://" + server.address());
  EXPECT_EQ(orders->report(1999).get(), "report of 1999");
  // [reload]
  const settee::Result<void> read = options.tls->reload();
  if (!read) std::cerr << read.error().what();  // and the old certificate stays in use
  // [/reload]
  EXPECT_TRUE(read);
}

TEST_F(GuideTlsTest, AFileSaysTheSame) {
  const std::string file =
      std::filesystem::absolute(SETTEE_SOURCE_DIR).string() + "/examples/guide/tls.yaml";
  go_there();
  ::setenv("SETTEE_RPC_SERVERS_BOLT_PORT", "0", 1);
  settee::Runtime runtime;
  const auto config = settee::rpc::RpcConfig::load_file(runtime, file);
  settee::rpc::Server server{runtime, config.server("bolt")};
  ::unsetenv("SETTEE_RPC_SERVERS_BOLT_PORT");
  server.provide<Orders>(std::make_shared<MyOrders>());
  server.start();
  settee::rpc::Client client{runtime, config.client()};
  auto orders = client.refer<Orders>("bolt://" + server.address());
  EXPECT_EQ(orders->report(1999).get(), "report of 1999");
}

}  // namespace
}  // namespace shop
