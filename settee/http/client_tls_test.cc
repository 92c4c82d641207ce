// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0
//
// The client over TLS: which version of HTTP is spoken, and whom it trusts.

#include "settee/http/client.h"
#include "settee/http/http_test_peer.h"
#include "settee/net/listener.h"
#include "settee/net/tls_test_certificates.h"

namespace settee::http {
namespace {

class ClientTlsTest : public wire::HttpTest {
 protected:
  ClientTlsTest() { certificates_.make("server"); }
  ~ClientTlsTest() override {
    client_.reset();
    if (server_) server_->stop();
    runtime_->on_each_loop([&](Loop&) { connections_.clear(); });
    if (listener_) listener_->stop();
  }
  // `alpn`: what the server speaks.
  void serve_tls(std::vector<std::string> alpn) {
    server_ = std::make_unique<Server>(*runtime_, table_, options_);
    server_made_ = true;
    net::TlsServerOptions tls;
    tls.certificate = certificates_.path("server.crt");
    tls.key = certificates_.path("server.key");
    tls.alpn = std::move(alpn);
    context_ = std::make_unique<net::TlsServerContext>(*runtime_, tls);
    net::ListenerOptions listen;
    listen.endpoint.host = "127.0.0.1";
    listener_ =
        std::make_unique<net::Listener>(*runtime_, listen, [this](Loop& loop, net::Socket socket) {
          const net::SocketAddress peer = socket.peer();
          const auto made = std::make_shared<net::Connection>(
              loop, socket.release(), peer, net::ConnectionOptions(),
              net::ConnectionStats::of(runtime_->stats(), "test"));
          made->accept_tls(*context_);
          connections_.push_back(made);
          made->begin(server_->protocol(*made, [](net::Connection&) {}));
        });
  }
  Result<Response> ask(std::string_view scheme, std::string_view host = "127.0.0.1") {
    const std::string url = std::string(scheme) + "://" + std::string(host) + ":" +
                            std::to_string(listener_->address().port()) + "/hello";
    try {
      return client_->send(url, Request()).get();
    } catch (const Error& error) {
      return error;
    }
  }
  void trust(const std::string& ca) {
    ClientOptions options;
    options.tls.emplace().ca = certificates_.path(ca + ".crt");
    client_ = std::make_unique<Client>(*runtime_, options);
  }

  net::TestCertificates certificates_;
  std::unique_ptr<net::TlsServerContext> context_;
  std::unique_ptr<net::Listener> listener_;
  std::vector<std::shared_ptr<net::Connection>> connections_;
  std::unique_ptr<Client> client_;
};

TEST_F(ClientTlsTest, TheServerChoosesTheVersion) {
  trust("ca");
  serve_tls({"h2", "http/1.1"});
  const Result<Response> second = ask("https");
  ASSERT_TRUE(second) << second.error().what();
  EXPECT_EQ(second->body.text(), "hello");
  EXPECT_EQ(second->version, Version::kHttp2);
  EXPECT_EQ(ask("h2").value().version, Version::kHttp2);
  EXPECT_EQ(stat("settee.http.client.connects"), 2) << "h2 and https are two origins";
}

TEST_F(ClientTlsTest, WithoutHttp2ItIsHttp1) {
  trust("ca");
  serve_tls({"http/1.1"});
  const Result<Response> first = ask("https");
  ASSERT_TRUE(first) << first.error().what();
  EXPECT_EQ(first->version, Version::kHttp11);
  const Result<Response> none = ask("h2");
  ASSERT_FALSE(none);
  EXPECT_EQ(none.error().code(), Code::kConnectFailed);
  EXPECT_NE(none.error().message().find("does not speak HTTP/2"), std::string::npos)
      << none.error().what();
}

TEST_F(ClientTlsTest, NobodyIsTrustedWhoIsNotKnownOrIsAnother) {
  serve_tls({"h2", "http/1.1"});
  certificates_.make_ca("other");
  trust("other");
  const Result<Response> unknown = ask("https");
  ASSERT_FALSE(unknown);
  EXPECT_EQ(unknown.error().code(), Code::kConnectFailed) << unknown.error().what();
  net::WantedCertificate wanted;
  wanted.names = "DNS:elsewhere.test";
  certificates_.make("server", wanted);
  ASSERT_TRUE(context_->reload());
  trust("ca");
  const Result<Response> another = ask("https");
  ASSERT_FALSE(another);
  EXPECT_EQ(another.error().code(), Code::kConnectFailed) << another.error().what();
  EXPECT_EQ(stat("settee.http.client.connect_failures"), 2);
}

TEST_F(ClientTlsTest, AServersOwnPortSpeaksTlsAndKnowsItsPeers) {
  certificates_.make("client");
  net::TlsServerOptions tls;
  tls.certificate = certificates_.path("server.crt");
  tls.key = certificates_.path("server.key");
  tls.client_ca = certificates_.path("ca.crt");
  options_.tls = std::make_shared<net::TlsServerContext>(*runtime_, tls);
  table_->add("GET", "/who", [](Request request) -> Task<Response> {
    const bool known = request.peer->tls && request.peer->tls->verified;
    co_return Response(200, "text/plain", known ? request.peer->tls->peer->subject : "nobody");
  });
  serve();
  const std::string address = server_->address() + "/who";
  const auto who = [&](const std::string& scheme, const std::string& certificate) -> std::string {
    ClientOptions options;
    options.tls.emplace().ca = certificates_.path("ca.crt");
    if (!certificate.empty()) {
      options.tls->certificate = certificates_.path(certificate + ".crt");
      options.tls->key = certificates_.path(certificate + ".key");
    }
    Client client(*runtime_, options);
    try {
      return std::string(client.send(scheme + "://" + address, Request()).get().body.text());
    } catch (const Error&) {
      return "refused";
    }
  };
  EXPECT_EQ(who("https", "client"), "CN=shop");
  EXPECT_EQ(who("h2", "client"), "CN=shop");
  EXPECT_EQ(who("https", ""), "refused");
  EXPECT_EQ(who("http", ""), "refused");
  EXPECT_EQ(stat("settee.net.tls.plain_refused", {{"role", "server"}}), 1);
  // Whoever is in the midst of a handshake does not keep it.
  wire::Peer silent(port());
  ASSERT_TRUE(wire::eventually([&] {
    return stat("settee.net.connections", {{"role", "http"}}) == 1;
  }));
  server_->stop();
  EXPECT_TRUE(silent.closed());
}

TEST_F(ClientTlsTest, FilesThatCannotBeReadAreSaidAtOnce) {
  ClientOptions options;
  options.tls.emplace().ca = "/nowhere/ca.pem";
  try {
    Client client(*runtime_, options);
    ADD_FAILURE();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), Code::kConfig);
    EXPECT_NE(error.message().find("/nowhere/ca.pem"), std::string::npos);
  }
}

}  // namespace
}  // namespace settee::http
