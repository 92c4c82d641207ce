// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0
//
// The client against servers that break rules, break off, or come and go.

#include <fmt/format.h>

#include <nghttp2/nghttp2.h>

#include "settee/http/client.h"
#include "settee/http/http2_test_peer.h"

namespace settee::http {
namespace {

using wire::big_endian;
using wire::eventually;
using wire::kEndHeaders;
using wire::kEndStream;
using namespace std::chrono_literals;

// One accepted connection, in the hands of a script.
class Wire {
 public:
  explicit Wire(int fd) : fd_(fd) {}
  ~Wire() { ::close(fd_); }
  Wire(const Wire&) = delete;
  Wire& operator=(const Wire&) = delete;

  bool send(std::string_view bytes) const {
    while (!bytes.empty()) {
      const ssize_t sent = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (sent <= 0) return false;
      bytes.remove_prefix(static_cast<std::size_t>(sent));
    }
    return true;
  }
  /// The head of the next request; empty at the end.
  std::string head() {
    std::size_t end = 0;
    while ((end = in_.find("\r\n\r\n")) == std::string::npos) {
      if (!more()) return {};
    }
    return take(end + 4);
  }
  /// Until the client closes.
  void drain() {
    while (more()) in_.clear();
  }
  /// Ends the connection with a reset, as one does that closes with unread bytes.
  void reset() const {
    sockaddr nowhere{};
    nowhere.sa_family = AF_UNSPEC;
    EXPECT_EQ(::connect(fd_, &nowhere, sizeof nowhere), 0);
  }
  bool greet() {
    while (in_.size() < 24) {
      if (!more()) return false;
    }
    take(24);
    return send(wire::Http2Peer::frame(NGHTTP2_SETTINGS, 0, 0, "") +
                wire::Http2Peer::frame(NGHTTP2_SETTINGS, NGHTTP2_FLAG_ACK, 0, ""));
  }
  /// The next frame of this type.
  wire::Frame frame(int type) {
    for (;;) {
      while (in_.size() < 9 || in_.size() < 9 + length()) {
        if (!more()) return {};
      }
      wire::Frame frame;
      frame.type = static_cast<unsigned char>(in_[3]);
      frame.stream = static_cast<unsigned char>(in_[8]);
      const std::size_t size = length();
      take(9);
      frame.payload = take(size);
      if (frame.type == type) return frame;
    }
  }
  void answer(std::uint32_t stream) const {
    send(wire::Http2Peer::frame(NGHTTP2_HEADERS, kEndStream | kEndHeaders, stream,
                                wire::literal(":status", "200")));
  }

 private:
  std::size_t length() const {
    const auto at = [&](int i) { return static_cast<unsigned char>(in_[static_cast<size_t>(i)]); };
    return static_cast<std::size_t>(at(0) << 16 | at(1) << 8 | at(2));
  }
  bool more() {
    char part[65536];
    const ssize_t got = ::recv(fd_, part, sizeof part, 0);
    if (got <= 0) return false;
    in_.append(part, static_cast<std::size_t>(got));
    return true;
  }
  std::string take(std::size_t size) {
    std::string out = in_.substr(0, size);
    in_.erase(0, size);
    return out;
  }
  int fd_;
  std::string in_;
};

// Runs its script for one connection after the other.
class BadServer {
 public:
  using Script = std::function<void(Wire&, int nth)>;
  explicit BadServer(Script script) : script_(std::move(script)) {
    fd_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    EXPECT_EQ(::bind(fd_, reinterpret_cast<const sockaddr*>(&address), size), 0);
    EXPECT_EQ(::listen(fd_, 16), 0);
    ::getsockname(fd_, reinterpret_cast<sockaddr*>(&address), &size);
    port_ = ntohs(address.sin_port);
    thread_ = std::thread([this] {
      for (;;) {
        const int accepted = ::accept(fd_, nullptr, nullptr);
        if (accepted < 0) return;
        Wire wire(accepted);
        {
          const std::lock_guard lock(mutex_);
          if (stopping_) return;
          current_ = accepted;
        }
        script_(wire, connections_++);
        const std::lock_guard lock(mutex_);
        current_ = -1;
      }
    });
  }
  ~BadServer() {
    {
      const std::lock_guard lock(mutex_);
      stopping_ = true;
      ::shutdown(fd_, SHUT_RDWR);
      if (current_ >= 0) ::shutdown(current_, SHUT_RDWR);
    }
    thread_.join();
    ::close(fd_);
  }
  int connections() const { return connections_; }
  std::string at(std::string_view scheme) const {
    return fmt::format("{}://127.0.0.1:{}/x", scheme, port_);
  }

 private:
  Script script_;
  int fd_;
  std::uint16_t port_ = 0;
  std::atomic<int> connections_{0};
  std::mutex mutex_;
  int current_ = -1;
  bool stopping_ = false;
  std::thread thread_;
};

class ClientBadServerTest : public wire::HttpTest {
 protected:
  ClientBadServerTest() { client_ = std::make_unique<Client>(*runtime_, client_options_); }
  void renew() { client_ = std::make_unique<Client>(*runtime_, client_options_); }
  Result<Response> ask(const std::string& url, std::string method = "GET") {
    Request request;
    request.method = std::move(method);
    return ask(url, std::move(request));
  }
  Result<Response> ask(const std::string& url, Request request) {
    try {
      return client_->send(url, std::move(request)).get();
    } catch (const Error& error) {
      return error;
    }
  }
  // What becomes of a call that is answered with these bytes, behind which the connection ends.
  Result<Response> answered(std::string_view bytes) {
    BadServer server([bytes](Wire& wire, int) {
      wire.head();
      wire.send(bytes);
    });
    Result<Response> result = ask(server.at("http"));
    renew();
    return result;
  }
  Code code(const Result<Response>& result) {
    if (result) ADD_FAILURE() << "status " << result->status << ", " << result->body.text();
    return result ? Code::kUnknown : result.error().code();
  }

  ClientOptions client_options_;
  std::unique_ptr<Client> client_;
};

TEST_F(ClientBadServerTest, AnswersThatBreakRulesAreRefused) {
  for (const char* bad : {
           "HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 1\r\n\r\nx",
           "HTTP/1.1 200 OK\r\ncontent-length: 1, 1\r\n\r\nx",
           "HTTP/1.1 200 OK\r\ncontent-length: 1\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
           "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n\r\n",
           "HTTP/1.1 200 OK\r\ntransfer-encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
           "HTTP/1.0 200 OK\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
           "HTTP/1.1 200 OK\r\ncontent-length: -1\r\n\r\n",
           "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n",
           "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabcde\r\n0\r\n\r\n",
           "HTTP/1.1 200 OK\r\nx: a\r\n b\r\ncontent-length: 0\r\n\r\n",
           "HTTP/1.1 200 OK\r\nx y: a\r\ncontent-length: 0\r\n\r\n",
           "HTTP/1.1 200 OK\r\nx : a\r\ncontent-length: 0\r\n\r\n",
           "HTTP/1.1 099 No\r\ncontent-length: 0\r\n\r\n",
           "HTTP/1.1 600 No\r\ncontent-length: 0\r\n\r\n",
           "HTTP/1.1 2x0 No\r\ncontent-length: 0\r\n\r\n",
           "HTTP/2.0 200 OK\r\ncontent-length: 0\r\n\r\n",
           "SSH-2.0-OpenSSH\r\n\r\n",
           "HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\n\r\n",
       }) {
    const Result<Response> result = answered(bad);
    EXPECT_EQ(code(result), Code::kProtocol) << bad;
    if (result) continue;
    EXPECT_NE(result.error().message().find("GET http://127"), std::string::npos);
  }
  EXPECT_EQ(stat("settee.http.client.refused", {{"limit", "bad_answer"}}), 18);
}

TEST_F(ClientBadServerTest, HalfAnswersAreNone) {
  for (const char* half : {
           "",
           "HTTP/1.1 200",
           "HTTP/1.1 200 OK\r\ncontent-length: 3\r\n",
           "HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nab",
           "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nab",
           "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n",
           "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n",
           "HTTP/1.1 100 Continue\r\n\r\n",
       }) {
    EXPECT_EQ(code(answered(half)), Code::kConnectionClosed) << half;
  }
  EXPECT_EQ(stat("settee.http.client.retries"), 0) << "the server may have begun them";
}

TEST_F(ClientBadServerTest, UnusualAnswersAreFine) {
  const auto text = [&](std::string_view bytes) {
    const Result<Response> result = answered(bytes);
    return result ? std::string(result->body.text()) : result.error().what();
  };
  EXPECT_EQ(text("HTTP/1.1 200 OK\r\n\r\nuntil its end"), "until its end");
  EXPECT_EQ(text("HTTP/1.0 200 OK\r\ncontent-length: 2\r\n\r\nok"), "ok");
  EXPECT_EQ(text("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n"
                 "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"),
            "ok");
  EXPECT_EQ(text("HTTP/1.1 204 \r\n\r\n"), "");
  EXPECT_EQ(text("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2;x=y\r\nok\r\n"
                 "0\r\nx-t: v\r\n\r\n"),
            "ok");
}

TEST_F(ClientBadServerTest, HeadersWithoutEndAreCutOff) {
  for (const bool one_line : {false, true}) {
    BadServer server([one_line](Wire& wire, int) {
      wire.head();
      wire.send("HTTP/1.1 200 OK\r\n");
      while (wire.send(one_line ? std::string(1000, 'x') : "x: y\r\n")) {
      }
    });
    EXPECT_EQ(code(ask(server.at("http"))), Code::kLimit);
    renew();
  }
  BadServer interim([](Wire& wire, int) {
    wire.head();
    while (wire.send("HTTP/1.1 102 Processing\r\n\r\n")) {
    }
  });
  EXPECT_EQ(code(ask(interim.at("http"))), Code::kProtocol);
}

TEST_F(ClientBadServerTest, SilentServersAreWaitedForUntilTheTimeout) {
  client_options_.timeout = 50ms;
  renew();
  for (const char* begun : {"", "HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nab"}) {
    BadServer server([begun](Wire& wire, int) {
      wire.head();
      wire.send(begun);
      wire.drain();
    });
    const Result<Response> result = ask(server.at("http"));
    EXPECT_EQ(code(result), Code::kTimeout);
    EXPECT_NE(result.error().message().find(*begun == 0 ? "waiting for the answer"
                                                        : "reading the answer's body (2 bytes"),
              std::string::npos)
        << result.error().message();
  }
  EXPECT_EQ(stat("settee.http.client.timeouts"), 2);
}

TEST_F(ClientBadServerTest, AnAnswerBeforeTheBodyWasSentEndsTheSending) {
  BadServer server([](Wire& wire, int) {
    wire.head();
    wire.send("HTTP/1.1 413 Content Too Large\r\ncontent-length: 0\r\n\r\n");
    wire.drain();
  });
  Request request;
  request.method = "POST";
  request.body = std::make_unique<wire::Parts>(1'000'000, std::string(65536, 'x'));
  EXPECT_EQ(client_->send(server.at("http"), std::move(request)).get().status, 413);
}

// Its second part is there when the server has answered and gone.
class LateParts final : public BodySource {
 public:
  explicit LateParts(const std::atomic<bool>& gone) : gone_(gone) {}
  Task<std::optional<Bytes>> next() override {
    if (given_++ > 0) {
      co_await settee::sleep_for(1ms);  // what was given before is on its way
      gone_.wait(false);                // and the loop cannot look at what comes
    }
    co_return std::optional<Bytes>(Bytes(std::string_view("part")));
  }

 private:
  const std::atomic<bool>& gone_;
  int given_ = 0;
};

TEST_F(ClientBadServerTest, AnAnswerIsReadThoughTheServerTakesNoMoreOfTheRequest) {
  constexpr std::string_view kHead = "HTTP/1.1 413 Content Too Large\r\n";
  const auto upload = [&](std::string_view bytes) {
    std::atomic<bool> gone{false};
    BadServer server([&](Wire& wire, int) {
      wire.head();
      wire.send(bytes);
      wire.reset();
      gone = true;
      gone.notify_all();
    });
    Request request;
    request.method = "POST";
    request.body = std::make_unique<LateParts>(gone);
    return ask(server.at("http"), std::move(request));
  };
  for (int i = 0; i < 2; ++i) {
    const Result<Response> whole = upload(fmt::format("{}content-length: 5\r\n\r\nlarge", kHead));
    ASSERT_TRUE(whole) << whole.error().what();
    EXPECT_EQ(whole->status, 413);
    EXPECT_EQ(whole->body.text(), "large");
  }
  EXPECT_EQ(stat("settee.http.client.connects"), 2) << "the first is of no use any more";
  // It may have been cut anywhere.
  const Result<Response> endless = upload(fmt::format("{}\r\nlar", kHead));
  EXPECT_EQ(code(endless), Code::kConnectionClosed);
}

TEST_F(ClientBadServerTest, AResetBehindACompleteAnswerOfHttp2TakesNothingFromIt) {
  BadServer server([](Wire& wire, int) {
    if (!wire.greet()) return;
    for (std::uint32_t stream = 1; stream < 7; stream += 2) {
      wire.frame(NGHTTP2_HEADERS);
      wire.send(wire::Http2Peer::frame(NGHTTP2_HEADERS, kEndStream | kEndHeaders, stream,
                                       wire::literal(":status", "413")) +
                wire::Http2Peer::frame(NGHTTP2_RST_STREAM, 0, stream, big_endian(0, 4)));
    }
    wire.drain();
  });
  for (int i = 0; i < 3; ++i) {
    Request request;
    request.method = "POST";
    request.body = std::make_unique<wire::Parts>(1'000'000, std::string(65536, 'x'));
    EXPECT_EQ(client_->send(server.at("h2c"), std::move(request)).get().status, 413);
  }
  EXPECT_EQ(server.connections(), 1);
}

TEST_F(ClientBadServerTest, WhatNobodyHasAskedForEndsTheConnection) {
  BadServer server([](Wire& wire, int) {
    wire.head();
    wire.send(
        "HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\n1"
        "HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\n2");
    wire.drain();
  });
  for (int i = 0; i < 2; ++i) EXPECT_EQ(ask(server.at("http"))->body.text(), "1");
  EXPECT_EQ(server.connections(), 1 + 1);
}

TEST_F(ClientBadServerTest, WhatStandsBehindAnAnswerIsNoAnswerToTheNextCall) {
  client_options_.max_connections = 1;
  renew();
  // The first answer ends with the first byte of a read, the rest of which nobody has asked for.
  constexpr std::string_view kHalf = "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r";
  const std::size_t large = 300'000;  // is not kept until the end of the loop's turn
  BadServer server([&](Wire& wire, int nth) {
    wire.head();
    if (nth % 2 == 1) {
      wire.send("HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\ngood");
    } else {
      const auto bytes_in = [&] { return stat("settee.net.bytes_in", {{"role", "http_client"}}); };
      const std::int64_t before = bytes_in();
      wire.send(kHalf);
      EXPECT_TRUE(eventually(
          [&] { return bytes_in() == before + static_cast<std::int64_t>(kHalf.size()); }));
      wire.send("\nHTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nevil");
    }
    wire.drain();
  });
  const auto post = [&](std::size_t size) {
    Request request;
    request.method = "POST";
    request.body = std::string(size, 'x');
    return client_->send(server.at("http"), std::move(request));
  };
  for (const std::size_t size : {std::size_t{0}, large}) {
    // One call waits for the connection, and another is made as the first one ends.
    std::vector<Task<Response>> calls;
    for (int i = 0; i < 2; ++i) calls.push_back(post(i == 0 ? 0 : size));
    const std::vector<Response> answers = runtime_->run(when_all(std::move(calls)));
    EXPECT_EQ(answers[0].body.text(), "");
    EXPECT_EQ(answers[1].body.text(), "good");
    renew();
    const auto twice = [](Task<Response> first, Task<Response> then) -> Task<std::string> {
      const Response answer = co_await std::move(first);
      EXPECT_EQ(answer.body.text(), "");
      const Response next = co_await std::move(then);
      co_return std::string(next.body.text());
    };
    EXPECT_EQ(runtime_->run(twice(post(0), post(size))), "good");
    renew();
  }
}

TEST_F(ClientBadServerTest, OnlyIdempotentCallsGoAgainWhenAKeptConnectionEnds) {
  constexpr char kOk[] = "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";
  // Each connection answers once, takes another request, and is closed.
  const auto once = [&](Wire& wire, int) {
    wire.head();
    wire.send(kOk);
    wire.head();
  };
  BadServer server(once);
  EXPECT_TRUE(ask(server.at("http")));
  EXPECT_TRUE(ask(server.at("http"))) << "GET";
  EXPECT_EQ(stat("settee.http.client.retries"), 1);
  EXPECT_EQ(code(ask(server.at("http"), "POST")), Code::kConnectionClosed);
  EXPECT_EQ(stat("settee.http.client.retries"), 1);
}

TEST_F(ClientBadServerTest, Http2CallsThatAreLeftOutGoAgainWhateverTheyAre) {
  // The first connection takes one of two calls and leaves; the second takes all.
  BadServer server([](Wire& wire, int nth) {
    wire.greet();
    const std::uint32_t first = wire.frame(NGHTTP2_HEADERS).stream;
    if (nth == 0) {
      wire.frame(NGHTTP2_HEADERS);
      wire.send(
          wire::Http2Peer::frame(NGHTTP2_GOAWAY, 0, 0, big_endian(first, 4) + big_endian(0, 4)));
    }
    wire.answer(first);
    wire.drain();
  });
  std::vector<Task<Response>> calls;
  for (int i = 0; i < 2; ++i) {
    Request request;
    request.method = "POST";
    calls.push_back(client_->send(server.at("h2c"), std::move(request)));
  }
  for (const Response& answer : runtime_->run(when_all(std::move(calls)))) {
    EXPECT_EQ(answer.status, 200);
  }
  EXPECT_EQ(server.connections(), 2);
  EXPECT_EQ(stat("settee.http.client.retries"), 1);
}

TEST_F(ClientBadServerTest, Http2CallsThatAreRefusedGoAgainButNotForEver) {
  std::atomic<int> asked{0};
  BadServer server([&](Wire& wire, int) {
    wire.greet();
    for (;;) {
      const wire::Frame frame = wire.frame(NGHTTP2_HEADERS);
      if (frame.type == -1) return;
      ++asked;
      wire.send(wire::Http2Peer::frame(NGHTTP2_RST_STREAM, 0, frame.stream, big_endian(7, 4)));
    }
  });
  const Result<Response> result = ask(server.at("h2c"), "POST");
  ASSERT_EQ(code(result), Code::kPeerError);
  EXPECT_EQ(asked, 3);
  EXPECT_NE(result.error().message().find("tried 3 times"), std::string::npos)
      << result.error().what();
  ASSERT_NE(result.error().detail<StreamReset>(), nullptr);
  EXPECT_EQ(result.error().detail<StreamReset>()->code, 7u);
}

TEST_F(ClientBadServerTest, Http2ConnectionsThatHaveGoneSilentTakeNoMoreCalls) {
  BadServer server([](Wire& wire, int) {
    wire.greet();
    wire.answer(wire.frame(NGHTTP2_HEADERS).stream);
    wire.drain();
  });
  EXPECT_TRUE(ask(server.at("h2c")));
  SendOptions shortly;
  shortly.timeout = 50ms;
  EXPECT_THROW(client_->send(server.at("h2c"), Request(), shortly).get(), Error);
  EXPECT_TRUE(ask(server.at("h2c")));
  EXPECT_EQ(server.connections(), 2);
}

TEST_F(ClientBadServerTest, Http2ServersThatAreSilentAreAskedAndThenLeft) {
  client_options_.ping_after = 20ms;
  client_options_.ping_timeout = 20ms;
  client_options_.timeout = 0ms;
  renew();
  BadServer server([](Wire& wire, int) {
    wire.greet();
    wire.drain();
  });
  const Result<Response> result = ask(server.at("h2c"), "POST");
  ASSERT_EQ(code(result), Code::kConnectionClosed);
  EXPECT_NE(result.error().message().find("nor answered a PING within 20 ms"), std::string::npos)
      << result.error().what();
  EXPECT_EQ(stat("settee.http.client.refused", {{"limit", "ping_timeout"}}), 1);
  EXPECT_EQ(server.connections(), 1);
}

TEST_F(ClientBadServerTest, Http2ServersThatAnswerAPingAreWaitedFor) {
  client_options_.ping_after = 10ms;
  client_options_.timeout = 0ms;
  renew();
  BadServer server([](Wire& wire, int) {
    wire.greet();
    const std::uint32_t stream = wire.frame(NGHTTP2_HEADERS).stream;
    for (int i = 0; i < 5; ++i) {
      const wire::Frame ping = wire.frame(NGHTTP2_PING);
      wire.send(wire::Http2Peer::frame(NGHTTP2_PING, NGHTTP2_FLAG_ACK, 0, ping.payload));
    }
    wire.answer(stream);
    wire.drain();
  });
  EXPECT_TRUE(ask(server.at("h2c")));
  EXPECT_EQ(server.connections(), 1);
}

TEST_F(ClientBadServerTest, Http2ServersThatBreakRulesEndTheCall) {
  using wire::Http2Peer;
  using wire::literal;
  const std::string ok = literal(":status", "200");
  struct Case {
    const char* what;
    Code code;
    std::string frames;
    bool for_ever = false;
  };
  const std::vector<Case> cases = {
      {"a reset", Code::kPeerError, Http2Peer::frame(NGHTTP2_RST_STREAM, 0, 1, big_endian(2, 4))},
      {"no HTTP/2", Code::kProtocol, "HTTP/1.1 400 Bad Request\r\n\r\n"},
      {"no status", Code::kProtocol,
       Http2Peer::frame(NGHTTP2_HEADERS, kEndStream | kEndHeaders, 1, literal("x", "y"))},
      {"upper case", Code::kProtocol,
       Http2Peer::frame(NGHTTP2_HEADERS, kEndStream | kEndHeaders, 1, ok + literal("X", "y"))},
      {"another length", Code::kProtocol,
       Http2Peer::frame(NGHTTP2_HEADERS, kEndHeaders, 1, ok + literal("content-length", "5")) +
           Http2Peer::frame(NGHTTP2_DATA, kEndStream, 1, "abc")},
      {"a body first", Code::kProtocol, Http2Peer::frame(NGHTTP2_DATA, kEndStream, 1, "abc")},
      {"a push", Code::kProtocol,
       Http2Peer::frame(NGHTTP2_PUSH_PROMISE, kEndHeaders, 1,
                        big_endian(2, 4) + wire::request_head("GET", "/"))},
      {"half an answer", Code::kConnectionClosed,
       Http2Peer::frame(NGHTTP2_HEADERS, kEndHeaders, 1, ok)},
      {"a large header", Code::kLimit,
       Http2Peer::frame(NGHTTP2_HEADERS, 0, 1, ok + literal("x", std::string(16'000, 'x'))) +
           Http2Peer::frame(NGHTTP2_CONTINUATION, kEndHeaders, 1,
                            literal("y", std::string(16'000, 'x')))},
      {"pings", Code::kLimit, Http2Peer::frame(NGHTTP2_PING, 0, 0, "12345678"), true},
      {"empty data", Code::kLimit,
       Http2Peer::frame(NGHTTP2_HEADERS, kEndHeaders, 1, ok) +
           Http2Peer::frame(NGHTTP2_DATA, 0, 1, ""),
       true},
  };
  client_options_.max_header = 20'000;
  for (const Case& one : cases) {
    renew();
    BadServer server([&one](Wire& wire, int) {
      wire.greet();
      wire.frame(NGHTTP2_HEADERS);
      wire.send(one.frames);
      const std::string again =
          one.frames.substr(one.frames.size() > 17 ? one.frames.size() - 9 : 0);
      while (one.for_ever && wire.send(again)) {
      }
      if (one.code != Code::kConnectionClosed) wire.drain();
    });
    const Result<Response> result = ask(server.at("h2c"));
    EXPECT_EQ(code(result), one.code)
        << one.what << ": " << (result ? "" : result.error().message());
  }
}

}  // namespace
}  // namespace settee::http
