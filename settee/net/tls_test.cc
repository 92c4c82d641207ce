// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0
//
// TLS between two Connections: what they agree on, verify, keep and refuse.

#include "settee/net/tls.h"

#include <gtest/gtest.h>

#include <filesystem>

#include "settee/net/tls_test_sides.h"

namespace settee::net {
namespace {

TEST_F(TlsTest, BothSidesSeePlainBytesAndKnowEachOther) {
  ASSERT_TRUE(connect(server_options(), client_options())) << client_.why() << server_.why();
  say(client_, "hello");
  ASSERT_TRUE(turn_until([&] { return server_.ear->received == "hello"; }));
  say(server_, "good ");
  say(server_, "day");
  ASSERT_TRUE(turn_until([&] { return client_.ear->received == "good day"; }));
  const std::shared_ptr<const TlsInfo> seen = client_.connection->tls();
  ASSERT_TRUE(seen && seen->peer);
  EXPECT_EQ(seen->version, "TLSv1.3");
  EXPECT_TRUE(has(seen->cipher, "TLS_"));
  EXPECT_TRUE(seen->verified);
  EXPECT_FALSE(seen->resumed);
  EXPECT_EQ(seen->peer->subject, "CN=shop");
  EXPECT_EQ(seen->peer->issuer, "CN=ca");
  EXPECT_EQ(seen->peer->dns_names, std::vector<std::string>{"localhost"});
  EXPECT_EQ(seen->peer->ip_addresses, std::vector<std::string>{"127.0.0.1"});
  EXPECT_EQ(seen->peer->sha256.size(), 64u);
  EXPECT_GT(seen->peer->not_after, std::chrono::system_clock::now() + 24h * 29);
  const std::shared_ptr<const TlsInfo> asked = server_.connection->tls();
  ASSERT_TRUE(asked);
  EXPECT_EQ(asked->server_name, "localhost");
  EXPECT_FALSE(asked->peer);
  EXPECT_EQ(stat("handshakes", "server"), 1);
  EXPECT_EQ(stat("handshakes", "client"), 1);
  EXPECT_EQ(stat("failures", "client"), 0);
}

TEST_F(TlsTest, WhatIsSaidInOneTurnIsOneRecord) {
  ASSERT_TRUE(connect(server_options(), client_options()));
  const std::int64_t before = bytes_out("client");
  for (int i = 0; i < 100; ++i) say(client_, "a call");
  ASSERT_TRUE(turn_until([&] { return server_.ear->received.size() == 600; }));
  // Head, type and tag of one record of TLS 1.3.
  EXPECT_EQ(bytes_out("client") - before, 600 + 5 + 1 + 16);
}

TEST_F(TlsTest, WhatIsSentBeforeTheHandshakeWaitsForIt) {
  const TlsServerContext server(runtime_, server_options());
  const TlsClientContext client(runtime_, client_options());
  const std::array<int, 2> fds = pair();
  open_client(fds[0], client);
  say(client_, "early");
  turn(3);
  EXPECT_EQ(client_.connection->unsent(), 5u);
  EXPECT_FALSE(client_.ear->is_secured);
  open_server(fds[1], server);
  EXPECT_TRUE(turn_until([&] { return server_.ear->received == "early"; })) << server_.why();
}

TEST_F(TlsTest, AClientRefusesACertificateThatIsNotForWhomItAskedFor) {
  ASSERT_TRUE(connect(server_options(), client_options(), "127.0.0.1")) << client_.why();
  for (const std::string host : {"shop.acme.com", "127.0.0.2", "::1"}) {
    ASSERT_FALSE(connect(server_options(), client_options(), host));
    EXPECT_EQ(client_.ear->end->code(), Code::kConnectFailed);
    EXPECT_TRUE(has(client_.why(), "is for localhost, 127.0.0.1, not for '" + host + "'"))
        << client_.why();
    EXPECT_FALSE(client_.ear->is_secured);
  }
  TlsClientOptions named = client_options();
  named.server_name = "localhost";
  EXPECT_TRUE(connect(server_options(), named, "10.0.0.7")) << client_.why();
}

TEST_F(TlsTest, AClientRefusesUnknownExpiredAndFutureCertificates) {
  certificates_.make_ca("other");
  WantedCertificate wanted;
  wanted.ca = "other";
  certificates_.make("stranger", wanted);
  wanted.ca = "ca";
  wanted.from_day = -10;
  wanted.to_day = -1;
  certificates_.make("expired", wanted);
  wanted.from_day = 2;
  wanted.to_day = 10;
  certificates_.make("future", wanted);
  ASSERT_FALSE(connect(server_options("stranger"), client_options()));
  EXPECT_TRUE(has(client_.why(), "unknown CA")) << client_.why();
  EXPECT_TRUE(has(client_.why(), "'CN=other'")) << client_.why();
  EXPECT_TRUE(has(client_.why(), file("ca.crt"))) << client_.why();
  EXPECT_TRUE(has(server_.why(), "does not know the CA of our certificate")) << server_.why();
  ASSERT_FALSE(connect(server_options("expired"), client_options()));
  EXPECT_TRUE(has(client_.why(), "has expired")) << client_.why();
  EXPECT_TRUE(has(server_.why(), "our certificate has expired")) << server_.why();
  EXPECT_TRUE(has(logged(), file("expired.crt"))) << logged();
  ASSERT_FALSE(connect(server_options("future"), client_options()));
  EXPECT_TRUE(has(client_.why(), "is good only from")) << client_.why();
  EXPECT_EQ(stat("failures", "client"), 3);
  EXPECT_EQ(stat("failures", "server"), 3);
  EXPECT_EQ(stat("handshakes", "client"), 0);

  TlsClientOptions blind = client_options();
  blind.ca = "";
  blind.insecure_trust_anybody = true;
  ASSERT_TRUE(connect(server_options("stranger"), blind, "whoever"));
  EXPECT_FALSE(client_.connection->tls()->verified);
  EXPECT_TRUE(has(logged(), "insecure_trust_anybody"));
}

TEST_F(TlsTest, NobodyOfTheSystemsCAsHasSignedATest) {
  TlsClientOptions system = client_options();
  system.ca = "";
  ASSERT_FALSE(connect(server_options(), system));
  EXPECT_TRUE(has(client_.why(), "those that the system trusts")) << client_.why();
}

TEST_F(TlsTest, AFolderOfCAs) {
  certificates_.make_ca("other");
  std::filesystem::create_directory(file("cas"));
  EXPECT_TRUE(has(error_of([&] {
                    TlsClientOptions empty = client_options();
                    empty.ca = file("cas");
                    TlsClientContext(runtime_, empty);
                  }).what(),
                  "no file that ends in"));
  certificates_.write_text("cas/one.pem", certificates_.text("other.crt"));
  certificates_.write_text("cas/two.crt", certificates_.text("ca.crt"));
  certificates_.write_text("cas/readme", "not a certificate");
  TlsClientOptions options = client_options();
  options.ca = file("cas");
  EXPECT_TRUE(connect(server_options(), options)) << client_.why();
}

TEST_F(TlsTest, ClientsShowWhoTheyAre) {
  certificates_.make_ca("other");
  WantedCertificate wanted;
  wanted.name = "till";
  wanted.names = "URI:spiffe://acme.com/till";
  certificates_.make("till", wanted);
  wanted.ca = "other";
  certificates_.make("stranger", wanted);
  TlsServerOptions mutual = server_options();
  mutual.client_ca = file("ca.crt");
  TlsClientOptions till = client_options();
  till.certificate = file("till.crt");
  till.key = file("till.key");
  ASSERT_TRUE(connect(mutual, till)) << client_.why() << server_.why();
  ASSERT_TRUE(server_.connection->tls()->peer);
  EXPECT_EQ(server_.connection->tls()->peer->subject, "CN=till");
  EXPECT_EQ(server_.connection->tls()->peer->uris,
            std::vector<std::string>{"spiffe://acme.com/till"});
  EXPECT_TRUE(server_.connection->tls()->verified);

  ASSERT_FALSE(connect(mutual, client_options()));
  EXPECT_TRUE(has(server_.why(), "the peer sent no certificate")) << server_.why();
  EXPECT_TRUE(turn_until([&] { return client_.ear->end.has_value(); }));
  EXPECT_TRUE(has(client_.why(), "wants a certificate of ours")) << client_.why();

  TlsClientOptions stranger = client_options();
  stranger.certificate = file("stranger.crt");
  stranger.key = file("stranger.key");
  ASSERT_FALSE(connect(mutual, stranger));
  EXPECT_TRUE(has(server_.why(), "unknown CA")) << server_.why();
  EXPECT_TRUE(turn_until([&] { return client_.ear->end.has_value(); }));
  EXPECT_TRUE(has(client_.why(), "does not know the CA of our certificate")) << client_.why();

  mutual.client_certificate_optional = true;
  ASSERT_TRUE(connect(mutual, client_options())) << server_.why();
  EXPECT_FALSE(server_.connection->tls()->peer);
  ASSERT_TRUE(connect(mutual, till));
  EXPECT_TRUE(server_.connection->tls()->peer);
}

TEST_F(TlsTest, TheNameThatIsAskedForChoosesTheCertificate) {
  WantedCertificate wanted;
  wanted.name = "books";
  wanted.names = "DNS:books.acme.com,DNS:*.books.acme.com";
  certificates_.make("books", wanted);
  wanted.name = "toys";
  wanted.names = "DNS:toys.acme.com";
  certificates_.make("toys", wanted);
  TlsServerOptions options = server_options();
  options.more_certificates = {{file("books.crt"), file("books.key")},
                               {file("toys.crt"), file("toys.key")}};
  const TlsServerContext server(runtime_, options);
  const TlsClientContext client(runtime_, client_options());
  const auto shown = [&](const std::string& host) {
    return connect(server, client, host) ? client_.connection->tls()->peer->subject : client_.why();
  };
  EXPECT_EQ(shown("books.acme.com"), "CN=books");
  EXPECT_EQ(shown("old.books.acme.com"), "CN=books");
  EXPECT_EQ(shown("toys.acme.com"), "CN=toys");
  EXPECT_EQ(shown("localhost"), "CN=shop");
  EXPECT_TRUE(has(shown("cars.acme.com"), "not for 'cars.acme.com'"));
}

TEST_F(TlsTest, AProtocolIsAgreedOn) {
  TlsServerOptions server = server_options();
  server.alpn = {"h2", "http/1.1"};
  TlsClientOptions client = client_options();
  client.alpn = {"http/1.1", "h2"};
  ASSERT_TRUE(connect(server, client));
  EXPECT_EQ(client_.connection->tls()->alpn, "h2");  // the server's wish
  EXPECT_EQ(server_.connection->tls()->alpn, "h2");
  client.alpn = {};
  ASSERT_TRUE(connect(server, client));
  EXPECT_EQ(server_.connection->tls()->alpn, "");
  client.alpn = {"smtp"};
  ASSERT_FALSE(connect(server, client));
  EXPECT_TRUE(has(client_.why(), "(ALPN)")) << client_.why();
  EXPECT_TRUE(has(server_.why(), "(ALPN)")) << server_.why();
}

TEST_F(TlsTest, PlainTextIsRefusedUnlessItIsAllowed) {
  TlsServerOptions options = server_options();
  {
    const TlsServerContext only(runtime_, options);
    open_raw(only);
    send_raw("GET / HTTP/1.0\r\n\r\n");
    ASSERT_TRUE(turn_until([&] { return server_.ear->end.has_value(); }));
    EXPECT_EQ(server_.ear->end->code(), Code::kProtocol);
    EXPECT_TRUE(has(server_.why(), "sent plain text (first byte 0x47)")) << server_.why();
    EXPECT_EQ(stat("plain_refused", "server"), 1);
    char alert[16];
    EXPECT_EQ(::recv(raw_, alert, sizeof alert, 0), 7);  // who knows TLS can tell
    EXPECT_EQ(alert[0], 0x15);
    ::close(std::exchange(raw_, -1));
  }
  options.plain_text_too = true;
  const TlsServerContext both(runtime_, options);
  open_raw(both);
  send_raw("GET / HTTP/1.0\r\n\r\n");
  EXPECT_TRUE(turn_until([&] { return server_.ear->received == "GET / HTTP/1.0\r\n\r\n"; }));
  EXPECT_FALSE(server_.connection->tls());
  EXPECT_FALSE(server_.ear->is_secured);
  say(server_, "no");
  turn();
  char answer[16];
  EXPECT_EQ(::recv(raw_, answer, sizeof answer, 0), 2);
  close(server_);
  EXPECT_TRUE(connect(both, TlsClientContext(runtime_, client_options())));
}

TEST_F(TlsTest, AClientTellsAPlainServerFromATlsOne) {
  const TlsClientContext client(runtime_, client_options());
  for (const std::string_view answer : {"HTTP/1.1 400 Bad Request\r\n\r\n", ""}) {
    const std::array<int, 2> fds = pair();
    open_client(fds[0], client);
    turn(2);
    (void)::send(fds[1], answer.data(), answer.size(), MSG_NOSIGNAL);
    ::close(fds[1]);
    ASSERT_TRUE(turn_until([&] { return client_.ear->end.has_value(); }));
    EXPECT_EQ(client_.ear->end->code(), Code::kConnectFailed);
    EXPECT_TRUE(has(client_.why(), "plain text")) << client_.why();
  }
  EXPECT_EQ(stat("failures", "client"), 2);
}

TEST_F(TlsTest, SessionsGoOnUntilTheFilesAreReadAnew) {
  TlsServerContext server(runtime_, server_options());
  TlsClientContext client(runtime_, client_options());
  ASSERT_TRUE(connect(server, client));
  EXPECT_FALSE(client_.connection->tls()->resumed);
  ASSERT_TRUE(connect(server, client));
  EXPECT_TRUE(client_.connection->tls()->resumed);
  EXPECT_TRUE(server_.connection->tls()->resumed);
  EXPECT_EQ(client_.connection->tls()->peer->subject, "CN=shop");  // as it was verified
  EXPECT_EQ(stat("resumed", "server"), 1);
  ASSERT_TRUE(server.reload());
  ASSERT_TRUE(connect(server, client));
  EXPECT_FALSE(server_.connection->tls()->resumed);
  ASSERT_TRUE(client.reload());
  ASSERT_TRUE(connect(server, client));
  EXPECT_FALSE(client_.connection->tls()->resumed);
  // Nor does a session verify what it was not made for.
  EXPECT_FALSE(connect(server, client, "shop.acme.com"));
}

TEST_F(TlsTest, ResumedClientsKeepTheirIdentity) {
  WantedCertificate wanted;
  wanted.name = "till";
  certificates_.make("till", wanted);
  TlsServerOptions options = server_options();
  options.client_ca = file("ca.crt");
  TlsClientOptions till = client_options();
  till.certificate = file("till.crt");
  till.key = file("till.key");
  const TlsServerContext server(runtime_, options);
  const TlsClientContext client(runtime_, till);
  for (const bool resumed : {false, true}) {
    ASSERT_TRUE(connect(server, client)) << server_.why();
    EXPECT_EQ(server_.connection->tls()->resumed, resumed);
    ASSERT_TRUE(server_.connection->tls()->peer);
    EXPECT_EQ(server_.connection->tls()->peer->subject, "CN=till");
    EXPECT_TRUE(server_.connection->tls()->verified);
  }
}

TEST_F(TlsTest, MuchGoesBothWaysWhileNobodyKeepsMoreThanItsMarks) {
  ConnectionOptions options;
  options.high_mark = 512 * 1024;
  options.low_mark = 128 * 1024;
  options.read_when_congested = true;  // or two full ends would wait for each other
  const TlsServerContext server(runtime_, server_options());
  const TlsClientContext client(runtime_, client_options());
  ASSERT_TRUE(connect(server, client, "localhost", options, true));
  constexpr std::size_t kTotal = 6 * 1024 * 1024;
  std::string text(kTotal, '\0');
  for (std::size_t i = 0; i < kTotal; ++i) text[i] = static_cast<char>(i * 7 + i / 251);
  std::array<std::size_t, 2> said{};
  std::size_t most = 0;
  const auto all_there = [&] {
    for (std::size_t i = 0; i < 2; ++i) {
      Side& side = *sides_[i];
      while (!side.connection->congested() && said[i] < kTotal) {
        const std::size_t size = std::min<std::size_t>(1 + said[i] % 70'000, kTotal - said[i]);
        say(side, std::string_view(text).substr(said[i], size));
        said[i] += size;
      }
      most = std::max(most, side.connection->unsent());
    }
    return client_.ear->received.size() == kTotal && server_.ear->received.size() == kTotal;
  };
  ASSERT_TRUE(turn_until(all_there)) << client_.why() << server_.why();
  EXPECT_TRUE(client_.ear->received == text);
  EXPECT_TRUE(server_.ear->received == text);
  EXPECT_LT(most, 700 * 1024u);
  EXPECT_GT(most, 512 * 1024u);
}

TEST_F(TlsTest, APausedConnectionKeepsWhatHasComeUntilItGoesOn) {
  const TlsServerContext server(runtime_, server_options());
  const TlsClientContext client(runtime_, client_options());
  ASSERT_TRUE(connect(server, client));
  server_.connection->pause_reading();
  say(client_, std::string(3'000'000, 'x'));
  turn(20);
  EXPECT_EQ(server_.ear->received.size(), 0u);
  EXPECT_GT(client_.connection->unsent(), 1'000'000u);
  server_.connection->resume_reading();
  EXPECT_TRUE(turn_until([&] { return server_.ear->received.size() == 3'000'000; }));
}

TEST_F(TlsTest, AFarewellIsToldFromACutConnection) {
  const TlsServerContext server(runtime_, server_options());
  const TlsClientContext client(runtime_, client_options());
  ASSERT_TRUE(connect(server, client));
  say(server_, "the end");
  server_.connection->close_when_sent(Error(Code::kStopped, "done"), loop().now() + 5s);
  ASSERT_TRUE(turn_until([&] { return client_.ear->end.has_value(); }));
  EXPECT_EQ(client_.ear->received, "the end");
  EXPECT_TRUE(has(client_.why(), "the peer closed it")) << client_.why();

  ASSERT_TRUE(connect(server, client));
  say(server_, "the end, almost");
  server_.connection->close(Error(Code::kStopped, "cut"));  // not all has been sent
  ASSERT_TRUE(turn_until([&] { return client_.ear->end.has_value(); }));
  EXPECT_TRUE(has(client_.why(), "may be missing")) << client_.why();
}

TEST_F(TlsTest, WhatIsToBeSentAtTheEndIsSentEvenIfTheHandshakeIsNotDone) {
  const TlsServerContext server(runtime_, server_options());
  const TlsClientContext client(runtime_, client_options());
  const std::array<int, 2> fds = pair();
  open_client(fds[0], client);
  say(client_, "last words");
  client_.connection->close_when_sent(Error(Code::kStopped, "done"), loop().now() + 20s);
  open_server(fds[1], server);
  ASSERT_TRUE(turn_until([&] { return server_.ear->end.has_value(); }));
  EXPECT_EQ(server_.ear->received, "last words");
  EXPECT_TRUE(has(server_.why(), "the peer closed it")) << server_.why();
}

TEST_F(TlsTest, AHandshakeThatTakesTooLongEnds) {
  TlsServerOptions options = server_options();
  options.handshake_timeout = 30ms;
  const TlsServerContext server(runtime_, options);
  for (const std::string_view said : {"", "\x16\x03\x01"}) {
    open_raw(server);
    send_raw(said);
    ASSERT_TRUE(turn_until([&] { return server_.ear->end.has_value(); }));
    EXPECT_EQ(server_.ear->end->code(), Code::kTimeout);
    EXPECT_TRUE(has(server_.why(), "handshake_timeout")) << server_.why();
    ::close(std::exchange(raw_, -1));
  }
  TlsClientOptions impatient = client_options();
  impatient.handshake_timeout = 30ms;
  const TlsClientContext client(runtime_, impatient);
  const std::array<int, 2> fds = pair();
  open_client(fds[0], client);
  ASSERT_TRUE(turn_until([&] { return client_.ear->end.has_value(); }));
  EXPECT_EQ(client_.ear->end->code(), Code::kConnectFailed);
  EXPECT_TRUE(has(client_.why(), "does it speak TLS?")) << client_.why();
  ::close(fds[1]);
  EXPECT_EQ(stat("failures", "server"), 2);
}

TEST_F(TlsTest, AHandshakeHasOnlySoManyBytes) {
  TlsServerOptions options = server_options();
  options.max_handshake_bytes = 1024;
  const TlsServerContext server(runtime_, options);
  open_raw(server);
  // A hello of 16000 bytes that comes in parts, and never ends.
  std::string hello("\x16\x03\x01\x3e\x84\x01\x00\x3e\x80\x03\x03", 11);
  hello.append(1'500, 'x');
  send_raw(hello);
  ASSERT_TRUE(turn_until([&] { return server_.ear->end.has_value(); }));
  EXPECT_EQ(server_.ear->end->code(), Code::kLimit);
  EXPECT_TRUE(has(server_.why(), "max_handshake_bytes")) << server_.why();
}

TEST_F(TlsTest, OnlySoManyHandshakesAreUnderWay) {
  TlsServerOptions options = server_options();
  options.max_handshakes = 2;
  const TlsServerContext server(runtime_, options);
  std::vector<Side> sides;
  std::vector<int> peers;
  for (int i = 0; i < 3; ++i) {
    open_raw(server);
    sides.push_back(server_);
    peers.push_back(std::exchange(raw_, -1));
    ASSERT_EQ(::send(peers.back(), "\x16\x03", 2, 0), 2);
    turn(2);
  }
  EXPECT_FALSE(sides[0].ear->end);
  EXPECT_FALSE(sides[1].ear->end);
  ASSERT_TRUE(sides[2].ear->end);
  EXPECT_EQ(sides[2].ear->end->code(), Code::kLimit);
  EXPECT_EQ(stat("handshakes_refused", "server"), 1);
  close(sides[0]);  // makes room
  EXPECT_TRUE(connect(server, TlsClientContext(runtime_, client_options())));
  for (Side& side : sides) close(side);
  for (const int peer : peers) ::close(peer);
  turn(2);
}

TEST_F(TlsTest, ATurnMakesAFewHandshakesOnly) {
  const TlsServerContext server(runtime_, server_options());
  const TlsClientContext client(runtime_, client_options());
  constexpr int kMany = 24;
  std::vector<Side> sides;
  for (int i = 0; i < kMany; ++i) {
    const std::array<int, 2> fds = pair();
    open_server(fds[1], server);
    sides.push_back(server_);
    open_client(fds[0], client);
    sides.push_back(client_);
  }
  const auto secured = [&] {
    return std::count_if(sides.begin(), sides.end(),
                         [](const Side& s) { return s.ear->is_secured; });
  };
  std::ptrdiff_t before = 0;
  ASSERT_TRUE(turn_until([&] {
    const std::ptrdiff_t now = secured();
    EXPECT_LE(now - before, 4);
    before = now;
    return now == 2 * kMany;
  }));
  for (Side& side : sides) close(side);
  turn(2);
}

TEST_F(TlsTest, FilesThatCannotBeUsedAreNamedWithTheReason) {
  certificates_.make("other");
  certificates_.make("locked");
  certificates_.lock_key("locked", "secret");
  certificates_.write_text("empty.crt", "");
  certificates_.write_text("half.crt", certificates_.text("server.crt").substr(0, 300));
  const auto said = [&](const std::string& certificate, const std::string& key) {
    TlsServerOptions options = server_options();
    options.certificate = file(certificate);
    options.key = file(key);
    const Error error = error_of([&] { TlsServerContext(runtime_, options); });
    EXPECT_EQ(error.code(), Code::kConfig) << error.what();
    return std::string(error.what());
  };
  EXPECT_TRUE(has(said("none.crt", "server.key"), "none.crt': No such file"));
  EXPECT_TRUE(has(said("empty.crt", "server.key"), "empty.crt': has no certificate"));
  EXPECT_TRUE(has(said("half.crt", "server.key"), "half.crt': certificate 1 cannot be read"));
  EXPECT_TRUE(has(said("server.crt", "server.crt"), "server.crt': has no private key"));
  EXPECT_TRUE(has(said("locked.crt", "locked.key"), "locked.key': the key has a password"));
  EXPECT_TRUE(has(said("server.crt", "other.key"), "other.key': is not the key of"));
  EXPECT_TRUE(has(said("", "server.key"), "Is a directory"));
}

TEST_F(TlsTest, ABadNewPairKeepsTheOld) {
  TlsServerContext server(runtime_, server_options());
  const TlsClientContext client(runtime_, client_options());
  ASSERT_TRUE(connect(server, client));
  const std::string key = certificates_.text("server.key");
  certificates_.write_text("server.key", "garbage");
  const Result<void> failed = server.reload();
  ASSERT_FALSE(failed);
  EXPECT_TRUE(has(failed.error().what(), "server.key")) << failed.error().what();
  EXPECT_TRUE(has(logged(), "what was read before stays in use")) << logged();
  EXPECT_EQ(stat("reload_failures", "server"), 1);
  say(client_, "still here");
  EXPECT_TRUE(turn_until([&] { return server_.ear->received == "still here"; }));
  EXPECT_TRUE(connect(server, client)) << client_.why();

  WantedCertificate wanted;
  wanted.from_day = -5;
  wanted.to_day = -1;
  certificates_.make("server", wanted);
  EXPECT_TRUE(has(server.reload().error().what(), "expired on"));
  EXPECT_TRUE(connect(server, client)) << client_.why();

  wanted.name = "renewed";
  wanted.to_day = 5;
  certificates_.make("server", wanted);
  ASSERT_TRUE(server.reload());
  ASSERT_TRUE(connect(server, client));
  EXPECT_EQ(client_.connection->tls()->peer->subject, "CN=renewed");
  EXPECT_EQ(stat("reloads", "server"), 1);
  EXPECT_FALSE(has(logged(), key.substr(40, 20)));  // keys are nobody's to read
}

TEST_F(TlsTest, ChangedFilesAreReadByThemselves) {
  TlsServerOptions options = server_options();
  options.scan_period = 5ms;
  const TlsServerContext server(runtime_, options);
  const TlsClientContext client(runtime_, client_options());
  ASSERT_TRUE(connect(server, client));
  WantedCertificate wanted;
  wanted.name = "renewed";
  certificates_.make("server", wanted);
  EXPECT_TRUE(turn_until([&] { return stat("reloads", "server") == 1; }));
  ASSERT_TRUE(connect(server, client));
  EXPECT_EQ(client_.connection->tls()->peer->subject, "CN=renewed");
  certificates_.write_text("server.crt", "garbage");
  EXPECT_TRUE(turn_until([&] { return stat("reload_failures", "server") >= 1; }));
  certificates_.make("server", wanted);
  EXPECT_TRUE(turn_until([&] { return stat("reloads", "server") == 2; }));
}

// Carries bytes between two connections, and may change them.
class TlsInTheMiddle : public TlsTest {
 protected:
  void open_both(const TlsServerContext& server, const TlsClientContext& client) {
    const std::array<int, 2> a = pair();
    const std::array<int, 2> b = pair();
    open_client(a[0], client);
    open_server(b[0], server);
    ends_ = {a[1], b[1]};
  }
  ~TlsInTheMiddle() override { hang_up(); }
  void hang_up() {
    for (int& end : ends_) {
      if (end >= 0) ::close(std::exchange(end, -1));
    }
  }
  /// What `from` has said is given to the other, as `change` makes it.
  void carry(std::size_t from, const std::function<void(std::string&)>& change = {}) {
    std::array<char, 65536> room;
    const ssize_t got = ::recv(ends_[from], room.data(), room.size(), 0);
    if (got <= 0) return;
    std::string bytes(room.data(), static_cast<std::size_t>(got));
    if (change) change(bytes);
    (void)::send(ends_[1 - from], bytes.data(), bytes.size(), MSG_NOSIGNAL);
  }
  bool carry_until_secured() {
    return turn_until([&] {
      carry(0);
      carry(1);
      return (client_.ear->is_secured && server_.ear->is_secured) || client_.ear->end ||
             server_.ear->end;
    });
  }
  std::array<int, 2> ends_{-1, -1};
};

TEST_F(TlsInTheMiddle, AChangedByteNeverReachesTheProtocol) {
  const TlsServerContext server(runtime_, server_options());
  const TlsClientContext client(runtime_, client_options());
  const std::string text = "transfer 100 to Alice";
  std::size_t size = 1;
  for (std::size_t at = 0; at < size; ++at) {
    open_both(server, client);
    ASSERT_TRUE(carry_until_secured());
    turn(3);
    carry(0);
    carry(1);
    turn(3);
    say(client_, text);
    turn();
    carry(0, [&](std::string& bytes) {
      size = bytes.size();
      bytes[at] = static_cast<char>(bytes[at] ^ (1 << (at % 8)));
    });
    turn(3);
    hang_up();
    ASSERT_TRUE(turn_until([&] { return server_.ear->end.has_value(); })) << at;
    EXPECT_EQ(server_.ear->received, "") << at;
    EXPECT_FALSE(has(server_.why(), "the peer closed it")) << at << server_.why();
    close(client_);
    turn(2);
  }
  EXPECT_GT(size, text.size());
}

TEST_F(TlsInTheMiddle, AHandshakeThatWasChangedOrCutOffEndsWithAnError) {
  const TlsServerContext server(runtime_, server_options());
  const TlsClientContext client(runtime_, client_options());
  std::size_t size = 1;
  for (std::size_t at = 0; at < size; at += 3) {
    for (const std::size_t who : {0u, 1u}) {  // whose first message
      for (const bool cut : {false, true}) {
        open_both(server, client);
        turn(2);
        bool changed = false;
        const auto change = [&](std::string& bytes) {
          size = std::max(size, bytes.size());
          if (at >= bytes.size()) return;
          changed = true;
          if (cut) {
            bytes.resize(at);
          } else {
            bytes[at] = static_cast<char>(bytes[at] ^ 0x41);
          }
        };
        if (who == 1) carry(0);
        turn(2);
        carry(who, change);
        for (int i = 0; i < 4; ++i) {
          turn(2);
          carry(0);
          carry(1);
        }
        EXPECT_FALSE(changed && client_.ear->is_secured && server_.ear->is_secured) << at;
        for (const Side* side : {&client_, &server_}) {
          if (!changed || !side->ear->end) continue;  // perhaps it waits for a longer message
          const Code code = side->ear->end->code();
          EXPECT_TRUE(code == (side == &client_ ? Code::kConnectFailed : Code::kProtocol) ||
                      code == Code::kConnectionClosed)
              << at << side->why();
        }
        hang_up();
        ASSERT_TRUE(turn_until([&] { return client_.ear->end && server_.ear->end; }));
        EXPECT_EQ(server_.ear->received, "");
        EXPECT_EQ(client_.ear->received, "");
      }
    }
  }
  EXPECT_GT(size, 200u);
}

TEST_F(TlsTest, GarbageEndsWithAnErrorAndNothingElse) {
  const TlsServerContext server(runtime_, server_options());
  std::uint32_t random = 12345;
  for (int round = 0; round < 300; ++round) {
    open_raw(server);
    std::string bytes = "\x16";
    const std::size_t size = 1 + round * 7;
    while (bytes.size() < size) {
      random = random * 1664525 + 1013904223;
      bytes += static_cast<char>(random >> 24);
    }
    if (round % 2 == 1 && size > 3) {
      bytes[1] = 3;  // looks like TLS for longer
      bytes[2] = 1;
      bytes[3] = 0;
    }
    send_raw(bytes);
    turn(2);
    // A whole record's head tells that this is not TLS.
    if (size >= 16 && bytes[1] != 3) {
      ASSERT_TRUE(server_.ear->end) << round;
      EXPECT_EQ(server_.ear->end->code(), Code::kProtocol) << server_.why();
      EXPECT_TRUE(has(server_.why(), "what the peer sent is not TLS")) << server_.why();
    }
    ::close(std::exchange(raw_, -1));
    ASSERT_TRUE(turn_until([&] { return server_.ear->end.has_value(); })) << round;
    const Code code = server_.ear->end->code();
    EXPECT_TRUE(code == Code::kProtocol || code == Code::kConnectionClosed) << server_.why();
    EXPECT_FALSE(server_.ear->is_secured);
  }
  EXPECT_EQ(stat("failures", "server"), 300);
  EXPECT_EQ(stat("handshakes", "server"), 0);
  EXPECT_TRUE(connect(server, TlsClientContext(runtime_, client_options())));
}

TEST_F(TlsTest, OptionsThatDoNotFitAreRefused) {
  TlsServerOptions server = server_options();
  server.client_certificate_optional = true;
  EXPECT_TRUE(has(error_of([&] { TlsServerContext(runtime_, server); }).what(), "client_ca"));
  server = server_options();
  server.client_ca = file("ca.crt");
  server.plain_text_too = true;
  EXPECT_TRUE(
      has(error_of([&] { TlsServerContext(runtime_, server); }).what(), "keeps nobody out"));
  server.client_certificate_optional = true;
  EXPECT_NO_THROW(TlsServerContext(runtime_, server));
  TlsClientOptions client = client_options();
  client.certificate = file("server.crt");
  EXPECT_TRUE(has(error_of([&] { TlsClientContext(runtime_, client); }).what(), "go together"));
  client = client_options();
  client.insecure_trust_anybody = true;
  EXPECT_TRUE(has(error_of([&] { TlsClientContext(runtime_, client); }).what(), "useless"));
}

}  // namespace
}  // namespace settee::net
