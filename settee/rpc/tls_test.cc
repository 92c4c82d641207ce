// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0
//
// Calls over TLS: who may make them, what goes wrong and how it is told, and certificates that change
// while calls go on.

#include "settee/net/tls.h"

#include <gtest/gtest.h>

#include <fstream>

#include "settee/base/stats.h"
#include "settee/net/tls_test_certificates.h"
#include "settee/rpc/config.h"
#include "settee/rpc/rpc_test_peer.h"

namespace settee::rpc {
namespace {

using namespace std::chrono_literals;
using wire::eventually;

bool has(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}

// Says who calls.
class Host final : public wire::MyProbe {
 public:
  Task<std::string> echo(std::string text) override {
    const net::TlsInfo* const tls = current_call()->tls();
    if (text != "who am I?") co_return std::move(text);
    if (tls == nullptr) co_return "plain text";
    co_return tls->peer ? tls->peer->subject : "nobody, over " + tls->version;
  }
};

class RpcTlsTest : public testing::Test {
 protected:
  RpcTlsTest() {
    RuntimeOptions options;
    options.threads = 2;
    options.log = log_.keep();
    runtime_ = std::make_unique<Runtime>(std::move(options));
    server_options_.host = "127.0.0.1";
    server_options_.port = 0;
    client_options_.reconnect_first = 1ms;
    client_options_.reconnect_most = 5ms;
    client_options_.timeout = 20s;
    certificates_.make("server");
    net::WantedCertificate till;
    till.name = "till";
    certificates_.make("till", till);
    tls_server_.certificate = certificates_.path("server.crt");
    tls_server_.key = certificates_.path("server.key");
    tls_client_.ca = certificates_.path("ca.crt");
  }
  void serve(bool tls = true) {
    if (tls) {
      context_ = std::make_shared<net::TlsServerContext>(*runtime_, tls_server_);
      server_options_.tls = context_;
    }
    server_ = std::make_unique<Server>(*runtime_, server_options_);
    server_->provide<wire::Probe>(std::make_shared<Host>());
    server_->start();
  }
  std::unique_ptr<Client> client(bool tls = true) {
    ClientOptions options = client_options_;
    if (tls) options.tls = std::make_shared<net::TlsClientContext>(*runtime_, tls_client_);
    return std::make_unique<Client>(*runtime_, options);
  }
  std::string url() const { return "bolt://" + server_->address(); }
  std::string ask(Client& client, const std::string& text = "who am I?") {
    auto probe = client.refer<wire::Probe>(url());
    try {
      return probe->echo(text).get();
    } catch (const Error& error) {
      return error.what();
    }
  }
  void show_till() {
    tls_client_.certificate = certificates_.path("till.crt");
    tls_client_.key = certificates_.path("till.key");
  }
  std::int64_t stat(const std::string& name, const char* role) {
    const auto found = runtime_->stats().find("settee.net.tls." + name, {{"role", role}});
    return found ? found->value : -1;
  }

  wire::LogLines log_;
  net::TestCertificates certificates_;
  std::unique_ptr<Runtime> runtime_;
  ServerOptions server_options_;
  ClientOptions client_options_;
  net::TlsServerOptions tls_server_;
  net::TlsClientOptions tls_client_;
  std::shared_ptr<net::TlsServerContext> context_;
  std::unique_ptr<Server> server_;
};

TEST_F(RpcTlsTest, CallsOfAllSizesGoBothWays) {
  serve();
  auto caller = client();
  EXPECT_EQ(ask(*caller), "nobody, over TLSv1.3");
  auto probe = caller->refer<wire::Probe>(url());
  for (const int size : {0, 1, 16'384, 5'000'000}) {
    const std::string text(static_cast<std::size_t>(size), 'x');
    EXPECT_TRUE(probe->echo(text).get() == text) << size;
  }
  EXPECT_EQ(probe->bytes(9'000'000).get().size(), 9'000'000u);
  EXPECT_EQ(probe->sum({1, 2, 3}).get(), 6);
  EXPECT_EQ(stat("failures", "server"), 0);
}

TEST_F(RpcTlsTest, WhoeverCallsIsKnownByItsCertificate) {
  tls_server_.client_ca = certificates_.path("ca.crt");
  server_options_.authenticate = [](const Call& call) -> Result<void> {
    if (call.tls() != nullptr && call.tls()->peer && call.tls()->verified &&
        call.tls()->peer->subject == "CN=till") {
      return {};
    }
    return Error(Code::kPeerError, "only the till may call");
  };
  serve();
  show_till();
  auto till = client();
  EXPECT_EQ(ask(*till), "CN=till");
  tls_client_.certificate = certificates_.path("server.crt");
  tls_client_.key = certificates_.path("server.key");
  auto other = client();
  EXPECT_TRUE(has(ask(*other), "only the till may call"));
}

TEST_F(RpcTlsTest, ThePeerIsKnownToACallThatOutlivesItsConnection) {
  struct Late final : wire::MyProbe {
    std::atomic<int> known{0};
    Task<std::int32_t> nap(std::int32_t ms) override {
      const Call* const call = current_call();
      const net::TlsInfo* const tls = call->tls();
      ++napping;
      while (!gone) co_await sleep_for(1ms);
      if (call->tls() == tls && tls->peer->subject == "CN=till") ++known;
      co_return ms;
    }
    std::atomic<bool> gone{false};
  };
  tls_server_.client_ca = certificates_.path("ca.crt");
  show_till();
  context_ = std::make_shared<net::TlsServerContext>(*runtime_, tls_server_);
  server_options_.tls = context_;
  server_ = std::make_unique<Server>(*runtime_, server_options_);
  auto late = std::make_shared<Late>();
  server_->provide<wire::Probe>(late);
  server_->start();
  auto caller = client();
  auto probe = caller->refer<wire::Probe>(url());
  auto call = as_future(probe->nap(1));
  ASSERT_TRUE(eventually([&] { return late->napping == 1; }));
  caller->stop();
  ASSERT_TRUE(eventually([&] {
    const auto open = runtime_->stats().find("settee.net.connections", {{"role", "server"}});
    return open.value().value == 0;
  }));
  late->gone = true;
  EXPECT_TRUE(eventually([&] { return late->known == 1; }));
  EXPECT_THROW(call.get(), Error);
}

TEST_F(RpcTlsTest, TlsAndPlainTextShareAPortIfTheyMay) {
  tls_server_.plain_text_too = true;
  serve();
  auto tls = client();
  auto plain = client(false);
  EXPECT_EQ(ask(*tls), "nobody, over TLSv1.3");
  EXPECT_EQ(ask(*plain), "plain text");
}

TEST_F(RpcTlsTest, PlainTextWhereTlsIsSpokenIsToldOnBothSides) {
  serve();
  auto plain = client(false);
  const std::string error = ask(*plain);
  EXPECT_TRUE(has(error, "speaks TLS, and was sent plain text: set ClientOptions::tls")) << error;
  EXPECT_TRUE(has(error, server_->address())) << error;
  EXPECT_NE(log_.wait_for({"sent plain text", "127.0.0.1:"}), "");
  EXPECT_GE(stat("plain_refused", "server"), 1);
}

TEST_F(RpcTlsTest, TlsWherePlainTextIsSpokenIsToldOnBothSides) {
  serve(false);
  auto caller = client();
  const std::string error = ask(*caller);
  EXPECT_TRUE(has(error, "during the handshake, as one does that speaks only plain text")) << error;
  EXPECT_TRUE(has(error, "connect to " + server_->address())) << error;
  EXPECT_NE(log_.wait_for({"first byte 0x16", "it is TLS, which needs ServerOptions::tls"}), "");
}

TEST_F(RpcTlsTest, WhatIsWrongWithACertificateIsInTheCallsError) {
  net::WantedCertificate wanted;
  wanted.names = "DNS:shop.acme.com";
  certificates_.make("named", wanted);
  wanted = {};
  wanted.from_day = -9;
  wanted.to_day = -1;
  certificates_.make("expired", wanted);
  certificates_.make_ca("other");
  wanted = {};
  wanted.ca = "other";
  certificates_.make("stranger", wanted);
  struct Case {
    std::string file;
    std::string text;
  };
  for (const Case& one :
       {Case{"named", "is for shop.acme.com, not for '127.0.0.1'"}, Case{"expired", "has expired"},
        Case{"stranger", "unknown CA: 'CN=other' is not among those in"}}) {
    tls_server_.certificate = certificates_.path(one.file + ".crt");
    tls_server_.key = certificates_.path(one.file + ".key");
    serve();
    auto caller = client();
    const std::string error = ask(*caller);
    EXPECT_TRUE(has(error, one.text)) << error;
    EXPECT_TRUE(has(error, "ConnectFailed")) << error;
    EXPECT_TRUE(has(error, server_->address())) << error;
    server_.reset();
  }
}

TEST_F(RpcTlsTest, AServerThatWantsACertificateSaysSo) {
  tls_server_.client_ca = certificates_.path("ca.crt");
  serve();
  auto caller = client();
  const std::string error = ask(*caller);
  EXPECT_TRUE(has(error, "wants a certificate of ours: set TlsClientOptions::certificate"))
      << error;
  EXPECT_NE(log_.wait_for({"the peer sent no certificate"}), "");
}

TEST_F(RpcTlsTest, ReloadsUnderTrafficLoseNoCall) {
  tls_server_.client_ca = certificates_.path("ca.crt");
  show_till();
  serve();
  std::atomic<bool> enough{false};
  std::atomic<int> answered{0};
  std::atomic<int> connections{0};
  std::vector<std::string> failures;
  std::mutex mutex;
  const auto call = [&](Client& caller) {
    const std::string answer = ask(caller);
    if (answer == "CN=till") {
      ++answered;
      return;
    }
    const std::lock_guard lock(mutex);
    failures.push_back(answer);
  };
  std::thread stays([&] {
    auto caller = client();
    while (!enough) call(*caller);
  });
  std::thread comes_and_goes([&] {
    while (!enough) {
      auto caller = client();
      for (int i = 0; i < 3; ++i) call(*caller);
      ++connections;
    }
  });
  for (int i = 1; i <= 10; ++i) {
    net::WantedCertificate renewed;
    renewed.name = "renewed " + std::to_string(i);
    certificates_.make("server", renewed);
    EXPECT_TRUE(context_->reload());
    certificates_.write_text("server.key", "half written");
    EXPECT_FALSE(context_->reload());
    const int before = connections;
    EXPECT_TRUE(eventually([&] { return connections > before; }));
  }
  enough = true;
  stays.join();
  comes_and_goes.join();
  EXPECT_EQ(failures, std::vector<std::string>());
  EXPECT_GT(answered, 30);
  EXPECT_EQ(stat("reloads", "server"), 10);
  EXPECT_EQ(stat("reload_failures", "server"), 10);
}

TEST_F(RpcTlsTest, AClientThatComesBackGoesOnWithItsSession) {
  serve();
  auto caller = client();
  EXPECT_EQ(ask(*caller), "nobody, over TLSv1.3");
  const std::int64_t before = stat("handshakes", "server");
  const std::uint16_t port = server_->port();
  server_->stop();
  server_options_.port = port;
  server_ = std::make_unique<Server>(*runtime_, server_options_);  // of the same context
  server_->provide<wire::Probe>(std::make_shared<Host>());
  server_->start();
  ASSERT_TRUE(eventually([&] { return ask(*caller) == "nobody, over TLSv1.3"; }));
  EXPECT_GT(stat("handshakes", "server"), before);
  EXPECT_GE(stat("resumed", "client"), 1);
}

TEST_F(RpcTlsTest, AClientStopsWhileAServerKeepsItWaitingInTheHandshake) {
  // Takes connections, and says nothing.
  const int silent = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  ASSERT_EQ(::bind(silent, reinterpret_cast<sockaddr*>(&address), size), 0);
  ASSERT_EQ(::listen(silent, 8), 0);
  ::getsockname(silent, reinterpret_cast<sockaddr*>(&address), &size);
  auto caller = client();
  auto probe =
      caller->refer<wire::Probe>("bolt://127.0.0.1:" + std::to_string(ntohs(address.sin_port)));
  auto call = as_future(probe->echo("hello"));
  const int taken = ::accept4(silent, nullptr, nullptr, SOCK_CLOEXEC);
  char hello[5];
  EXPECT_EQ(::recv(taken, hello, sizeof hello, MSG_WAITALL), 5);
  caller->stop();
  EXPECT_THROW(call.get(), Error);
  ::close(taken);
  ::close(silent);
}

TEST_F(RpcTlsTest, AConfigurationFileSaysIt) {
  certificates_.write_text("settee.yaml",
                           "servers:\n"
                           "  bolt:\n"
                           "    host: 127.0.0.1\n"
                           "    port: 0\n"
                           "    tls:\n"
                           "      certificate: " +
                               certificates_.path("server.crt") +
                               "\n"
                               "      key: " +
                               certificates_.path("server.key") +
                               "\n"
                               "      clientCa: " +
                               certificates_.path("ca.crt") +
                               "\n"
                               "      minVersion: 1.3\n"
                               "client:\n"
                               "  tls:\n"
                               "    ca: " +
                               certificates_.path("ca.crt") +
                               "\n"
                               "    certificate: " +
                               certificates_.path("till.crt") +
                               "\n"
                               "    key: " +
                               certificates_.path("till.key") +
                               "\n"
                               "    serverName: localhost\n");
  const RpcConfig config = RpcConfig::load_file(*runtime_, certificates_.path("settee.yaml"));
  server_ = std::make_unique<Server>(*runtime_, config.server("bolt"));
  server_->provide<wire::Probe>(std::make_shared<Host>());
  server_->start();
  Client caller(*runtime_, config.client());
  EXPECT_EQ(ask(caller), "CN=till");
  EXPECT_EQ(config.client().tls->options().server_name, "localhost");
  EXPECT_EQ(config.server("bolt").tls->options().min_version, net::TlsVersion::k1_3);
}

TEST_F(RpcTlsTest, AConfigurationThatCannotBeUsedNamesItsPlace) {
  const auto said = [&](const std::string& yaml, bool load_only = false) {
    certificates_.write_text("settee.yaml", yaml);
    try {
      const RpcConfig config = RpcConfig::load_file(*runtime_, certificates_.path("settee.yaml"));
      if (!load_only) config.server("bolt");
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), Code::kConfig);
      return std::string(error.what());
    }
    return std::string("nothing");
  };
  const std::string none = said("servers: {bolt: {tls: {certificate: /no/such.crt, key: /no/k}}}");
  EXPECT_TRUE(has(none, "servers.bolt.tls")) << none;
  EXPECT_TRUE(has(none, "/no/such.crt': No such file")) << none;
  const std::string old =
      said("servers: {bolt: {tls: {certificate: /a, key: /b, minVersion: \"1.1\"}}}", true);
  EXPECT_TRUE(has(old, "settee.yaml:1:")) << old;
  EXPECT_TRUE(has(old, "servers.bolt.tls.minVersion: expected 1.2 or 1.3, got \"1.1\"")) << old;
}

TEST_F(RpcTlsTest, TlsInAConfigurationIsOnWhenItsSectionIsThere) {
  certificates_.write_text("settee.yaml", "client: {tls: {}}");
  EXPECT_TRUE(RpcConfig::load_file(*runtime_, certificates_.path("settee.yaml")).client().tls !=
              nullptr);
  certificates_.write_text("settee.yaml", "client: {}");
  EXPECT_FALSE(RpcConfig::load_file(*runtime_, certificates_.path("settee.yaml")).client().tls);
}

}  // namespace
}  // namespace settee::rpc
