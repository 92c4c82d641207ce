// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0
//
// For tests: two Connections that speak TLS over a socket pair, on a loop that the test turns itself.

#pragma once

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>

#include "settee/base/runtime.h"
#include "settee/base/stats.h"
#include "settee/net/connection.h"
#include "settee/net/tls.h"
#include "settee/net/tls_test_certificates.h"

namespace settee::net {

using namespace std::chrono_literals;

// Keeps what comes; says `greeting` when it is secured.
struct Ear final : Protocol {
  std::function<void(Connection&)> secured = [](Connection&) {};
  std::function<void(Connection&)> heard = [](Connection&) {};
  std::size_t sip = SIZE_MAX;  // takes so much at once
  std::string received;
  bool is_secured = false;
  std::optional<Error> end;

  void on_secured(Connection& c) override {
    is_secured = true;
    secured(c);
  }
  Taken on_data(Connection& c, std::span<const std::uint8_t> data) override {
    const std::size_t taken = std::min(sip, data.size());
    received.append(reinterpret_cast<const char*>(data.data()), taken);
    heard(c);
    return {taken};
  }
  void on_close(Connection&, const Error& why) override { end = why; }
};

// The protocol goes with its connection, what it heard stays.
struct Side {
  std::shared_ptr<Connection> connection;
  Ear* ear = nullptr;
  std::string why() const { return ear->end ? ear->end->what() : "(open)"; }
};

inline Error error_of(const std::function<void()>& act) {
  try {
    act();
  } catch (const Error& error) {
    return error;
  }
  return Error(Code{}, "no error");
}

inline bool has(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

class TlsTest : public testing::Test {
 protected:
  TlsTest() : runtime_(quiet()) {
    certificates_.make("server");
    loop().enter();
  }
  ~TlsTest() override {
    for (Side* side : sides_) close(*side);
    if (raw_ >= 0) ::close(raw_);
    turn(2);
    client_ = {};
    server_ = {};
    loop().leave();
  }

  RuntimeOptions quiet() {
    RuntimeOptions options;
    options.foreign_loop = true;
    options.log = [this](LogLevel, std::string_view, std::string_view message) {
      const std::lock_guard lock(mutex_);
      log_ += std::string(message) + "\n";
    };
    return options;
  }
  std::string logged() {
    const std::lock_guard lock(mutex_);
    return log_;
  }
  Loop& loop() { return runtime_.foreign_loop(); }
  std::string file(const std::string& name) const { return certificates_.path(name); }

  TlsServerOptions server_options(const std::string& name = "server") const {
    TlsServerOptions options;
    options.certificate = file(name + ".crt");
    options.key = file(name + ".key");
    options.scan_period = 0ms;
    return options;
  }
  TlsClientOptions client_options() const {
    TlsClientOptions options;
    options.ca = file("ca.crt");
    options.scan_period = 0ms;
    return options;
  }

  static void close(Side& side) {
    if (side.connection && !side.connection->closed()) {
      side.connection->close(Error(Code::kStopped, "the test ends"));
    }
  }
  Side make(int fd, ConnectionOptions options, const char* role) {
    Side side;
    side.connection = std::make_shared<Connection>(loop(), fd, SocketAddress(), options,
                                                   ConnectionStats::of(runtime_.stats(), role));
    return side;
  }
  void begin(Side& side) {
    auto ear = std::make_unique<Ear>();
    side.ear = ear.get();
    side.connection->begin(std::move(ear));
  }
  std::array<int, 2> pair(bool small_buffers = false) {
    std::array<int, 2> fds{};
    EXPECT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds.data()), 0);
    const int size = 4096;
    for (const int fd : fds) {
      if (!small_buffers) continue;
      setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
      setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof size);
    }
    return fds;
  }
  void open_server(int fd, const TlsServerContext& context, ConnectionOptions options = {}) {
    server_ = make(fd, options, "server");
    server_.connection->accept_tls(context);
    begin(server_);
  }
  void open_client(int fd, const TlsClientContext& context, const std::string& host = "localhost",
                   ConnectionOptions options = {}) {
    client_ = make(fd, options, "client");
    client_.connection->start_tls(context, host);
    begin(client_);
  }
  /// Both, connected; false if they do not come together.
  bool connect(const TlsServerContext& server, const TlsClientContext& client,
               const std::string& host = "localhost", ConnectionOptions options = {},
               bool small_buffers = false) {
    close(client_);
    close(server_);
    turn(2);
    const std::array<int, 2> fds = pair(small_buffers);
    open_server(fds[1], server, options);
    open_client(fds[0], client, host, options);
    turn_until([&] {
      return client_.ear->end || server_.ear->end ||
             (client_.ear->is_secured && server_.ear->is_secured);
    });
    turn(5);  // what comes behind the handshake
    return !client_.ear->end && !server_.ear->end;
  }
  bool connect(const TlsServerOptions& server, const TlsClientOptions& client,
               const std::string& host = "localhost") {
    return connect(TlsServerContext(runtime_, server), TlsClientContext(runtime_, client), host);
  }
  /// A server alone; the test is its peer, byte by byte.
  void open_raw(const TlsServerContext& context) {
    const std::array<int, 2> fds = pair();
    raw_ = fds[0];
    open_server(fds[1], context);
  }
  void send_raw(std::string_view bytes) {
    ASSERT_EQ(::send(raw_, bytes.data(), bytes.size(), MSG_NOSIGNAL),
              static_cast<ssize_t>(bytes.size()));
  }

  void turn(int times = 1) {
    for (int i = 0; i < times; ++i) loop().turn(Duration::zero());
  }
  template <class F>
  bool turn_until(F condition) {
    const TimePoint until = Clock::now() + 30s;
    while (!condition()) {
      if (Clock::now() > until) return false;
      loop().turn(10ms);
    }
    return true;
  }
  static void say(Side& side, std::string_view text) {
    side.connection->out().append(text);
    side.connection->cork();
  }
  std::int64_t stat(const std::string& name, const char* role) {
    const auto found = runtime_.stats().find("settee.net.tls." + name, {{"role", role}});
    return found ? found->value : -1;
  }

  std::int64_t bytes_out(const char* role) {
    return runtime_.stats().find("settee.net.bytes_out", {{"role", role}}).value().value;
  }

  std::mutex mutex_;
  std::string log_;
  TestCertificates certificates_;
  Runtime runtime_;
  Side client_;
  Side server_;
  std::array<Side*, 2> sides_{&client_, &server_};
  int raw_ = -1;
};

}  // namespace settee::net
