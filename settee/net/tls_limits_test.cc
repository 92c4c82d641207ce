// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0
//
// TLS with peers that do what TLS allows and few do, and with time that passes.

#include <gtest/gtest.h>
#include <openssl/ssl.h>
#include <sys/resource.h>

#include <filesystem>

#include "settee/net/internal/tls_core.h"
#include "settee/net/tls.h"
#include "settee/net/tls_test_sides.h"

namespace settee::net {
namespace {

// OpenSSL itself, over memory: what it says is the test's to hold back.
class Raw {
 public:
  explicit Raw(bool server)
      : server_(server),
        context_(SSL_CTX_new(server ? TLS_server_method() : TLS_client_method())) {}
  SSL_CTX* context() { return context_.get(); }
  SSL* ssl() { return ssl_.get(); }
  void start() {
    ssl_.reset(SSL_new(context_.get()));
    in_ = BIO_new(BIO_s_mem());
    out_ = BIO_new(BIO_s_mem());
    SSL_set_bio(ssl_.get(), in_, out_);
    server_ ? SSL_set_accept_state(ssl_.get()) : SSL_set_connect_state(ssl_.get());
  }
  void hear(int fd) {
    std::array<char, 65536> room;
    for (;;) {
      const ssize_t got = ::recv(fd, room.data(), room.size(), 0);
      if (got <= 0) return;
      BIO_write(in_, room.data(), static_cast<int>(got));
    }
  }
  /// True: done.
  bool handshake() { return SSL_do_handshake(ssl_.get()) == 1; }
  void write(std::string_view text) {
    ASSERT_EQ(SSL_write(ssl_.get(), text.data(), static_cast<int>(text.size())),
              static_cast<int>(text.size()));
  }
  void change_keys() {
    ASSERT_EQ(SSL_key_update(ssl_.get(), SSL_KEY_UPDATE_REQUESTED), 1);
    ASSERT_EQ(SSL_do_handshake(ssl_.get()), 1);
  }
  std::string read() {
    std::array<char, 4096> room;
    const int got = SSL_read(ssl_.get(), room.data(), static_cast<int>(room.size()));
    return {room.data(), static_cast<std::size_t>(std::max(got, 0))};
  }
  /// What it has said and not told before.
  std::string said() {
    std::string all(BIO_ctrl_pending(out_), '\0');
    if (!all.empty()) BIO_read(out_, all.data(), static_cast<int>(all.size()));
    return all;
  }

 private:
  const bool server_;
  SslContextPtr context_;
  SslPtr ssl_;
  BIO* in_ = nullptr;  // ssl_'s
  BIO* out_ = nullptr;
};

class TlsLimitsTest : public TlsTest {
 protected:
  /// `peer`, a client, and a server that it is connected to; false: they do not come together.
  bool meet(Raw& peer, const TlsServerContext& context) {
    close(server_);
    if (raw_ >= 0) ::close(std::exchange(raw_, -1));
    turn(2);
    open_raw(context);
    return turn_until([&] {
             const bool done = peer.handshake();
             pass(peer);
             return server_.ear->end || (done && server_.ear->is_secured);
           }) &&
           !server_.ear->end;
  }
  /// What either has to say.
  void pass(Raw& peer) {
    const std::string said = peer.said();
    (void)::send(raw_, said.data(), said.size(), MSG_NOSIGNAL);
    turn(2);
    peer.hear(raw_);
  }
  TlsClientOptions till() {
    TlsClientOptions options = client_options();
    options.certificate = file("till.crt");
    options.key = file("till.key");
    return options;
  }
  void sip(Side& side) {
    side.ear->sip = 1;
    side.ear->heard = [](Connection& c) { c.pause_reading(); };
  }
  /// To a server that sips.
  bool send_three_and_a_broken_record(const TlsServerContext& server) {
    Raw client(false);
    client.start();
    if (!meet(client, server)) return false;
    sip(server_);
    client.write("three");
    send_raw(client.said() + std::string("\x17\x03\x03\x00\x20", 5) + std::string(32, 'x'));
    return true;
  }
  /// The server takes `text` byte by byte, each after a pause, and hears of the end behind it.
  void expect_sips(std::string_view text) {
    for (std::size_t size = 1; size <= text.size(); ++size) {
      ASSERT_TRUE(turn_until([&] { return server_.ear->received.size() == size; }));
      turn(3);
      ASSERT_FALSE(server_.ear->end) << size << server_.why();
      server_.connection->resume_reading();
    }
    EXPECT_EQ(server_.ear->received, text);
    ASSERT_TRUE(turn_until([&] { return server_.ear->end.has_value(); }));
  }
};

TEST_F(TlsLimitsTest, AFloodOfKeyChangesEndsTheConnection) {
  const TlsServerContext server(runtime_, server_options());
  for (const bool with_data : {false, true}) {
    Raw client(false);
    client.start();
    ASSERT_TRUE(meet(client, server)) << server_.why();
    const std::int64_t before = bytes_out("server");
    for (int i = 0; i < 1000; ++i) {
      client.change_keys();
      if (with_data && i % 10 == 0) client.write("x");
    }
    pass(client);
    ASSERT_TRUE(turn_until([&] { return server_.ear->end.has_value(); }));
    EXPECT_EQ(server_.ear->end->code(), Code::kProtocol);
    EXPECT_TRUE(has(server_.why(), "handshake messages")) << server_.why();
    EXPECT_LT(bytes_out("server") - before, 4096);  // they were not all answered
  }
}

TEST_F(TlsLimitsTest, KeysMayChangeNowAndThen) {
  const TlsServerContext server(runtime_, server_options());
  Raw client(false);
  client.start();
  ASSERT_TRUE(meet(client, server)) << server_.why();
  std::string all;
  for (int i = 0; i < 100; ++i) {
    client.change_keys();
    client.write("x");
    pass(client);
    (void)client.read();  // the answer
    all += "x";
    ASSERT_TRUE(turn_until([&] { return server_.ear->received == all; })) << server_.why();
  }
}

TEST_F(TlsLimitsTest, AWriteWaitsForTheRestOfAMessage) {
  certificates_.make("till");
  const TlsClientContext context(runtime_, till());
  for (const bool paused : {false, true}) {
    // Tickets that hold the client's certificate do not fit into such records.
    Raw server(true);
    SSL_CTX_use_certificate_file(server.context(), file("server.crt").c_str(), SSL_FILETYPE_PEM);
    SSL_CTX_use_PrivateKey_file(server.context(), file("server.key").c_str(), SSL_FILETYPE_PEM);
    SSL_CTX_load_verify_file(server.context(), file("ca.crt").c_str());
    SSL_CTX_set_verify(server.context(), SSL_VERIFY_PEER, nullptr);
    SSL_CTX_set_session_id_context(server.context(), reinterpret_cast<const unsigned char*>("x"),
                                   1);
    SSL_CTX_set_max_send_fragment(server.context(), 512);
    server.start();
    const std::array<int, 2> fds = pair();
    raw_ = fds[1];
    open_client(fds[0], context);
    ASSERT_TRUE(turn_until([&] {
      pass(server);
      return server.handshake() || client_.ear->end;
    })) << client_.why();
    const std::string tickets = server.said();
    std::vector<std::string> records;
    for (std::size_t at = 0; at + 5 <= tickets.size();) {
      const std::size_t size = 5 + static_cast<unsigned char>(tickets[at + 3]) * 256 +
                               static_cast<unsigned char>(tickets[at + 4]);
      records.push_back(tickets.substr(at, size));
      at += size;
    }
    ASSERT_GE(records.size(), 4u);  // two tickets, each in two
    send_raw(records[0]);
    turn(2);
    if (paused) client_.connection->pause_reading();
    say(client_, "hello");
    turn(3);
    ASSERT_FALSE(client_.ear->end) << client_.why();
    send_raw(tickets.substr(records[0].size()));
    std::string heard;
    EXPECT_TRUE(turn_until([&] {
      pass(server);
      heard += server.read();
      return heard == "hello" || client_.ear->end;
    }));
    EXPECT_EQ(heard, "hello") << client_.why();
    close(client_);
    ::close(std::exchange(raw_, -1));
    turn(2);
  }
}

TEST_F(TlsLimitsTest, AFarewellInAPauseLosesNothing) {
  ASSERT_TRUE(connect(server_options(), client_options()));
  sip(server_);
  say(client_, "three");
  client_.connection->close_when_sent(Error(Code::kStopped, "done"), loop().now() + 20s);
  expect_sips("three");
  EXPECT_TRUE(has(server_.why(), "the peer closed it")) << server_.why();
}

TEST_F(TlsLimitsTest, ABrokenRecordInAPauseLosesNothing) {
  const TlsServerContext server(runtime_, server_options());
  ASSERT_TRUE(send_three_and_a_broken_record(server));
  expect_sips("three");
  EXPECT_TRUE(has(server_.why(), "a record was changed")) << server_.why();
}

TEST_F(TlsLimitsTest, NothingBrokenWaitsForWhatCannotBeSent) {
  const TlsServerContext server(runtime_, server_options());
  ASSERT_TRUE(send_three_and_a_broken_record(server));
  ASSERT_TRUE(turn_until([&] { return server_.ear->received == "t"; }));
  say(server_, std::string(5'000'000, 'x'));  // an answer that makes it congested
  ASSERT_TRUE(server_.connection->congested());
  server_.connection->resume_reading();
  ASSERT_TRUE(turn_until([&] { return server_.ear->end.has_value(); }));
  EXPECT_TRUE(has(server_.why(), "a record was changed")) << server_.why();
}

TEST_F(TlsLimitsTest, LittleOfALargePieceIsEncryptedBeforeItCanBeSent) {
  const TlsServerContext server(runtime_, server_options());
  const TlsClientContext client(runtime_, client_options());
  ASSERT_TRUE(connect(server, client, "localhost", {}, true));
  constexpr std::int64_t kSize = 8 * 1024 * 1024;
  const std::int64_t before = bytes_out("client");
  client_.connection->out().append(Bytes(std::string(kSize, 'x')));
  client_.connection->cork();
  loop().turn(Duration::zero());
  const auto unsent = static_cast<std::int64_t>(client_.connection->unsent());
  const std::int64_t heads = bytes_out("client") - before + unsent - kSize;
  EXPECT_GT(heads, 0);
  EXPECT_LE(heads, 48 * 22);  // records'; of all there would be 512
  ASSERT_TRUE(turn_until([&] { return server_.ear->received.size() == kSize; }));
}

TEST_F(TlsLimitsTest, SessionsDoNotOutliveCertificates) {
  struct Case {
    const char* what;
    std::string server;
    bool mutual;
    int version;  // of a raw client; 0: ours
    std::unique_ptr<TlsServerContext> context;
    std::unique_ptr<TlsClientContext> client;
    std::unique_ptr<Raw> raw;
    SessionPtr session;
  };
  std::array<Case, 3> cases;
  const auto meets = [&](Case& one) {
    if (one.client) return connect(*one.context, *one.client);
    one.raw->start();
    if (one.session) SSL_set_session(one.raw->ssl(), one.session.get());
    if (!meet(*one.raw, *one.context)) return false;
    one.session.reset(SSL_get1_session(one.raw->ssl()));
    SSL_set_shutdown(one.raw->ssl(), SSL_SENT_SHUTDOWN);  // or it may not be used again
    return true;
  };
  const auto twice = [&](Case& one) {
    return meets(one) && meets(one) && server_.connection->tls()->resumed;
  };
  bool ready = false;
  // A slow machine needs certificates that live for longer.
  for (int seconds = 2; !ready && seconds <= 64; seconds *= 2) {
    cases = {Case{"client", "server", true, 0, {}, {}, {}, {}},
             Case{"server", "brief", false, 0, {}, {}, {}, {}},
             Case{"client, TLS 1.2", "server", true, TLS1_2_VERSION, {}, {}, {}, {}}};
    WantedCertificate brief;
    brief.to_day = 0;
    brief.to_second = seconds;
    certificates_.make("brief", brief);
    for (Case& one : cases) {
      TlsServerOptions options = server_options(one.server);
      if (one.mutual) options.client_ca = file("ca.crt");
      one.context = std::make_unique<TlsServerContext>(runtime_, options);
      if (one.version == 0) {
        TlsClientOptions client = client_options();
        if (one.mutual) {
          client.certificate = file("brief.crt");
          client.key = file("brief.key");
        }
        one.client = std::make_unique<TlsClientContext>(runtime_, client);
        continue;
      }
      one.raw = std::make_unique<Raw>(false);
      SSL_CTX_set_max_proto_version(one.raw->context(), one.version);
      SSL_CTX_use_certificate_file(one.raw->context(), file("brief.crt").c_str(), SSL_FILETYPE_PEM);
      SSL_CTX_use_PrivateKey_file(one.raw->context(), file("brief.key").c_str(), SSL_FILETYPE_PEM);
    }
    ready = std::all_of(cases.begin(), cases.end(), twice);
    if (!ready) continue;
    const std::time_t over = std::time(nullptr) + seconds + 1;
    ASSERT_TRUE(turn_until([&] { return std::time(nullptr) > over; }));
  }
  ASSERT_TRUE(ready) << client_.why() << server_.why();
  for (Case& one : cases) {
    EXPECT_FALSE(meets(one)) << one.what;
    Side& judge = one.mutual ? server_ : client_;
    ASSERT_TRUE(turn_until([&] { return judge.ear->end.has_value(); })) << one.what;
    EXPECT_TRUE(has(judge.why(), "has expired")) << one.what << judge.why();
  }
}

TEST_F(TlsLimitsTest, AnExpiredCertificateDoesNotKeepTheOthersFromBeingRenewed) {
  WantedCertificate old;
  old.from_day = -9;
  old.to_day = -1;
  certificates_.make("forgotten", old);
  TlsServerOptions options = server_options();
  options.more_certificates = {{file("forgotten.crt"), file("forgotten.key")}};
  TlsServerContext server(runtime_, options);
  WantedCertificate renewed;
  renewed.name = "renewed";
  certificates_.make("server", renewed);
  EXPECT_TRUE(server.reload());
  EXPECT_TRUE(has(logged(), file("forgotten.crt"))) << logged();
  const TlsClientContext client(runtime_, client_options());
  ASSERT_TRUE(connect(server, client)) << client_.why();
  EXPECT_EQ(client_.connection->tls()->peer->subject, "CN=renewed");
  // But a good one does not give way to an expired one.
  certificates_.make("server", old);
  EXPECT_TRUE(has(server.reload().error().what(), "server.crt': the certificate expired on"));
}

TEST_F(TlsLimitsTest, FilesThatBecomeReadableAreSeen) {
  TlsServerOptions options = server_options();
  options.scan_period = 5ms;
  const TlsServerContext server(runtime_, options);
  std::filesystem::permissions(file("server.key"), std::filesystem::perms::owner_read);
  EXPECT_TRUE(turn_until([&] { return stat("reloads", "server") == 1; }));
}

TEST_F(TlsLimitsTest, WhatFailedIsTriedAgainThoughTheFilesStayAsTheyAre) {
#if defined(SETTEE_SANITIZE_UNDEFINED)
  GTEST_SKIP() << "this sanitizer needs a pipe for each type that it checks";
#endif
  TlsServerOptions options = server_options();
  options.scan_period = 5ms;
  const TlsServerContext server(runtime_, options);
  rlimit limit{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &limit), 0);
  const rlimit none{0, limit.rlim_max};
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &none), 0);
  std::filesystem::permissions(file("server.key"), std::filesystem::perms::owner_read);
  const bool failed = turn_until([&] { return stat("reload_failures", "server") >= 1; });
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &limit), 0);
  ASSERT_TRUE(failed);
  EXPECT_TRUE(has(logged(), "Too many open files")) << logged();
  EXPECT_TRUE(turn_until([&] { return stat("reloads", "server") == 1; })) << logged();
}

TEST_F(TlsLimitsTest, Tls12HasOnlyCiphersThatForgetTheirKeys) {
  const TlsServerContext server(runtime_, server_options());
  const auto meets = [&](const char* ciphers) {
    Raw client(false);
    SSL_CTX_set_max_proto_version(client.context(), TLS1_2_VERSION);
    EXPECT_EQ(SSL_CTX_set_cipher_list(client.context(), ciphers), 1);
    client.start();
    return meet(client, server);
  };
  EXPECT_TRUE(meets("ECDHE+AESGCM")) << server_.why();
  EXPECT_TRUE(meets("ECDHE+CHACHA20")) << server_.why();
  EXPECT_FALSE(meets("ECDHE+AES:!AESGCM:!AESCCM"));
  EXPECT_TRUE(has(server_.why(), "no cipher that both sides allow")) << server_.why();
  // What is made of RSA keys without Diffie-Hellman is gone, whatever the key.
  EXPECT_FALSE(meets("kRSA"));
}

TEST_F(TlsLimitsTest, WhoFindsNoRoomIsToldSo) {
  TlsServerOptions options = server_options();
  options.max_handshakes = 1;
  const TlsServerContext server(runtime_, options);
  const TlsClientContext client(runtime_, client_options());
  open_raw(server);
  send_raw("\x16");
  turn(2);
  Side first = server_;
  const std::array<int, 2> fds = pair();
  open_server(fds[1], server);
  open_client(fds[0], client);
  ASSERT_TRUE(turn_until([&] { return client_.ear->end.has_value(); }));
  EXPECT_TRUE(has(client_.why(), "(max_handshakes)")) << client_.why();
  close(first);
}

TEST_F(TlsLimitsTest, AClientIsToldThatTheHandshakeWasGivenUp) {
  const TlsClientContext client(runtime_, client_options());
  const std::array<int, 2> fds = pair();
  raw_ = fds[1];
  open_client(fds[0], client);
  turn(2);
  send_raw(std::string_view("\x15\x03\x03\x00\x02\x01\x00", 7));
  ASSERT_TRUE(turn_until([&] { return client_.ear->end.has_value(); }));
  EXPECT_TRUE(has(client_.why(), "gave up the handshake (close_notify)")) << client_.why();
}

TEST_F(TlsLimitsTest, NamesOfARefusedCertificateAreFewAndReadable) {
  WantedCertificate wanted;
  wanted.names = "DNS:a\x1b[2J\x7f";
  for (int i = 1; i < 12; ++i) wanted.names += ",DNS:n" + std::to_string(i);
  certificates_.make("odd", wanted);
  ASSERT_FALSE(connect(server_options("odd"), client_options()));
  EXPECT_TRUE(has(client_.why(), "is for a\\x1b[2J\\x7f, n1, ")) << client_.why();
  EXPECT_TRUE(has(client_.why(), "n7 and 4 more, not for")) << client_.why();
}

TEST_F(TlsLimitsTest, ACertificatesSubjectIsNoNameOfAServer) {
  WantedCertificate wanted;
  wanted.name = "localhost";
  wanted.names = "";
  certificates_.make("nameless", wanted);
  ASSERT_FALSE(connect(server_options("nameless"), client_options()));
  EXPECT_TRUE(has(client_.why(), "is for no name, not for 'localhost'")) << client_.why();
}

TEST_F(TlsLimitsTest, ANameThatCannotBeVerifiedIsRefused) {
  const TlsClientContext client(runtime_, client_options());
  const std::array<int, 2> fds = pair();
  raw_ = fds[1];
  const Error error = error_of([&] { open_client(fds[0], client, std::string(300, 'n')); });
  EXPECT_EQ(error.code(), Code::kInvalidArgument);
  EXPECT_TRUE(has(error.what(), "does not take the name")) << error.what();
}

}  // namespace
}  // namespace settee::net
