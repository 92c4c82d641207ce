// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0
//
// Requests that end in another way than by their answer: peers that are ahead, slow or gone, and
// handlers that fail at an awkward time.

#include <nghttp2/nghttp2.h>

#include "settee/http/http2_test_peer.h"
#include "settee/http/http_test_peer.h"
#include "settee/net/listener.h"

namespace settee::http {
namespace {

using wire::Answer;
using wire::eventually;
using wire::get;
using wire::Peer;
using wire::post;
using namespace std::chrono_literals;

using ExchangeTest = wire::HttpTest;

TEST_F(ExchangeTest, RequestsBehindAStreamingOneAreAnsweredInOrder) {
  table_->add(
      "POST", "/nap",
      [this](Request request) -> Task<Response> {
        const Bytes body = co_await request.body.read(100);
        ++napping_;
        while (cancelled_ == 0) co_await sleep_for(1ms);
        co_return Response(200, "text/plain", Body(body));
      },
      wire::HttpTest::streaming());
  serve();
  const std::string one = get("/hello");
  const std::size_t count = 160 * 1024 / one.size();
  std::string behind;
  for (std::size_t i = 0; i < count; ++i) behind += one;
  Peer peer(port());
  ASSERT_TRUE(peer.send(post("/nap", "first") + behind.substr(0, 80 * 1024)));
  ASSERT_TRUE(eventually([&] { return napping_ == 1; }));
  std::thread rest([&] { EXPECT_TRUE(peer.send(behind.substr(80 * 1024))); });
  // More than the server takes before it has answered.
  EXPECT_TRUE(eventually([&] {
    return stat("settee.net.bytes_in", {{"role", "http"}}) > 70 * 1024;
  }));
  ++cancelled_;
  EXPECT_EQ(peer.answer().body, "first");
  for (std::size_t i = 0; i < count; ++i) ASSERT_EQ(peer.answer().body, "hello") << i;
  rest.join();
}

TEST_F(ExchangeTest, APeerThatHasGoneWhenALargeHeadIsWritten) {
  std::atomic<bool> gone{false};
  table_->add("GET", "/big", [&](Request) -> Task<Response> {
    ++napping_;
    // Not awaited: the loop must not hear of it before it writes.
    while (!gone) std::this_thread::yield();
    Response response(200, "text/plain", "body");
    response.headers.add("x-big", std::string(300 * 1024, 'x'));
    co_return response;
  });
  serve();
  auto peer = std::make_unique<Peer>(port());
  ASSERT_TRUE(peer->send(get("/big")));
  ASSERT_TRUE(eventually([&] { return napping_ == 1; }));
  peer->reset();
  gone = true;
  Peer other(port());
  ASSERT_TRUE(other.send(get("/hello")));
  EXPECT_EQ(other.answer().body, "hello");
}

TEST_F(ExchangeTest, ALastAnswerIsTakenAsSlowlyAsItsPeerLikes) {
  const std::string all(6 * 1024 * 1024, 'x');
  table_->add("GET", "/all", [&](Request) -> Task<Response> {
    co_return Response(200, "application/octet-stream", Body(all));
  });
  serve();
  Peer peer(port(), 4096);
  ASSERT_TRUE(peer.send(get("/all", "connection: close\r\n")));
  ASSERT_TRUE(peer.more());
  // Longer than a connection that is done with used to get.
  std::this_thread::sleep_for(1500ms);
  EXPECT_EQ(peer.answer().body.size(), all.size());
  EXPECT_TRUE(peer.closed());
}

TEST_F(ExchangeTest, TheSameOverHttp2) {
  options_.max_unsent = 64 * 1024 * 1024;
  const std::string all(6 * 1024 * 1024, 'x');
  table_->add("GET", "/all", [&](Request) -> Task<Response> {
    co_return Response(200, "application/octet-stream", Body(all));
  });
  serve();
  wire::Http2Peer peer(port(), true, 4096);
  ASSERT_TRUE(peer.set(NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, 16 * 1024 * 1024));
  ASSERT_TRUE(peer.open_window(0, 16 * 1024 * 1024));
  ASSERT_TRUE(peer.ask(1, "/all"));
  ASSERT_TRUE(peer.send(NGHTTP2_GOAWAY, 0, 0, std::string(8, '\0')));
  std::this_thread::sleep_for(1500ms);
  EXPECT_EQ(peer.answer(1).body.size(), all.size());
  EXPECT_TRUE(peer.closed());
}

TEST_F(ExchangeTest, ALastAnswerThatNobodyTakesIsGivenUp) {
  options_.write_timeout = 100ms;
  table_->add("GET", "/all", [&](Request) -> Task<Response> {
    co_return Response(200, "application/octet-stream", Body(std::string(12 * 1024 * 1024, 'x')));
  });
  serve();
  Peer peer(port(), 4096);
  ASSERT_TRUE(peer.send(get("/all", "connection: close\r\n")));
  EXPECT_TRUE(eventually([&] { return refused("write_timeout") == 1; }));
  EXPECT_TRUE(eventually([&] { return stat("settee.net.connections", {{"role", "http"}}) == 0; }));
}

TEST_F(ExchangeTest, ABadRequestBehindAChunkedAnswerHasAnAnswerOfItsOwn) {
  serve();
  Peer peer(port());
  ASSERT_TRUE(peer.send(get("/parts")));
  ASSERT_TRUE(peer.answer());
  ASSERT_TRUE(peer.send("G(T / HTTP/1.1\r\n\r\n"));
  const Answer answer = peer.answer();
  EXPECT_EQ(answer.status, 400);
  EXPECT_TRUE(answer.body.starts_with('{') && answer.body.ends_with('}')) << answer.body;
  EXPECT_TRUE(peer.closed());
  EXPECT_EQ(peer.in(), "");
}

TEST_F(ExchangeTest, AHeadThatIsRefusedGetsNoBody) {
  serve();
  Peer peer(port());
  ASSERT_TRUE(peer.send("HEAD /hello HTTP/1.1\r\nhost: a\r\nexpect: wonders\r\n\r\n"));
  EXPECT_EQ(peer.answer(true).status, 417);
  EXPECT_TRUE(peer.closed());
  EXPECT_EQ(peer.in(), "");
}

TEST_F(ExchangeTest, RemovingAnEndpointWaitsForWhatItsAnswersHold) {
  struct Slow final : BodySource {
    explicit Slow(std::atomic<bool>& flag) : gone(flag) {}
    ~Slow() override {
      std::this_thread::sleep_for(50ms);
      gone = true;
    }
    Task<std::optional<Bytes>> next() override { co_return std::optional<Bytes>(); }
    std::atomic<bool>& gone;
  };
  std::atomic<bool> gone{false};
  table_->add("GET", "/held", [&](Request) -> Task<Response> {
    Response response(200);
    response.body = Body(std::make_unique<Slow>(gone));
    ++napping_;
    (void)co_await as_result(sleep_for(60s));  // until its peer has gone
    co_return response;
  });
  serve();
  Peer peer(port());
  ASSERT_TRUE(peer.send(get("/held")));
  ASSERT_TRUE(eventually([&] { return napping_ == 1; }));
  peer.close();
  EXPECT_TRUE(table_->remove("/held"));
  EXPECT_TRUE(gone);
}

TEST_F(ExchangeTest, ABodyThatStopsHalfWayIsGivenUp) {
  options_.body_timeout = 100ms;
  serve();
  Peer streamed(port());
  ASSERT_TRUE(streamed.send("POST /count HTTP/1.1\r\nhost: a\r\ncontent-length: 100\r\n\r\nfirst"));
  EXPECT_TRUE(streamed.closed());
  EXPECT_EQ(refused("body_timeout"), 1);
  // What came fast at first is no credit.
  Peer whole(port());
  ASSERT_TRUE(whole.send("POST /echo HTTP/1.1\r\nhost: a\r\ncontent-length: 1000000\r\n\r\n" +
                         std::string(500'000, 'x')));
  EXPECT_EQ(whole.answer().status, 408);
  EXPECT_EQ(refused("body_timeout"), 2);
}

TEST_F(ExchangeTest, WhoIsNotWaitedForIsNotLate) {
  options_.body_timeout = 100ms;
  HandlerOptions patient = streaming();
  patient.body_timeout = 60s;
  const auto read_late = [](Request request) -> Task<Response> {
    co_await sleep_for(400ms);
    const Bytes body = co_await request.body.read(100);
    co_return Response(200, "text/plain", Body(body));
  };
  const auto read = [this](Request request) -> Task<Response> {
    ++napping_;
    const Bytes body = co_await request.body.read(100);
    co_return Response(200, "text/plain", Body(body));
  };
  table_->add("POST", "/late", read_late, streaming());
  table_->add("POST", "/patient", read, patient);
  serve();
  Peer late(port());
  ASSERT_TRUE(late.send(post("/late", "body")));
  EXPECT_EQ(late.answer().body, "body");
  Peer quiet(port());
  ASSERT_TRUE(quiet.send("POST /patient HTTP/1.1\r\nhost: a\r\ncontent-length: 4\r\n\r\nbo"));
  ASSERT_TRUE(eventually([&] { return napping_ == 1; }));
  std::this_thread::sleep_for(400ms);
  ASSERT_TRUE(quiet.send("dy"));
  EXPECT_EQ(quiet.answer().body, "body");
  EXPECT_EQ(refused("body_timeout"), 0);
}

TEST_F(ExchangeTest, SmallChunksAreReadTogether) {
  table_->add(
      "POST", "/parts",
      [](Request request) -> Task<Response> {
        co_await sleep_for(50ms);
        int parts = 0;
        std::string all;
        while (std::optional<Bytes> part = co_await request.body.next()) {
          ++parts;
          all += part->view();
        }
        EXPECT_LT(parts, 100);
        co_return Response(200, "text/plain", Body(all));
      },
      streaming());
  serve();
  std::string sent;
  std::string body;
  for (int i = 0; i < 3000; ++i) {
    // Now and then one that is large enough to be kept as it is.
    const std::string part(i % 1000 == 500 ? 5000 : 1, static_cast<char>('a' + i % 26));
    sent += (part.size() == 1 ? "1\r\n" : "1388\r\n") + part + "\r\n";
    body += part;
  }
  Peer peer(port());
  ASSERT_TRUE(peer.send("POST /parts HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n" +
                        sent + "0\r\n\r\n"));
  EXPECT_EQ(peer.answer().body, body);
}

TEST_F(ExchangeTest, ABodyThatOutlivesItsHandlerEndsWithAnError) {
  std::optional<Body> kept;
  table_->add(
      "POST", "/keep",
      [&](Request request) -> Task<Response> {
        kept = std::move(request.body);
        co_return Response(200);
      },
      streaming());
  table_->add("GET", "/rest", [&](Request) -> Task<Response> {
    const Result<Bytes> rest = co_await as_result(kept->read(1000));
    co_return Response(200, "text/plain", rest ? "all of it" : rest.error().message());
  });
  serve();
  Peer whole(port());
  ASSERT_TRUE(whole.send(post("/keep", "body")));
  EXPECT_EQ(whole.answer().status, 200);
  ASSERT_TRUE(whole.send(get("/rest")));
  EXPECT_NE(whole.answer().body.find("its handler has ended"), std::string::npos);
  Peer part(port());
  ASSERT_TRUE(part.send("POST /keep HTTP/1.1\r\nhost: a\r\ncontent-length: 100\r\n\r\nfirst"));
  EXPECT_EQ(part.answer().status, 200);
  Peer other(port());
  ASSERT_TRUE(other.send(get("/rest")));
  EXPECT_NE(other.answer().body.find("its handler has ended"), std::string::npos);
}

TEST_F(ExchangeTest, WhatHandlersAndRoutersThrowIsAnswered) {
  struct Odd final : BodySource {
    Task<std::optional<Bytes>> next() override { co_return std::optional<Bytes>(); }
    std::optional<std::uint64_t> size() const override { throw std::runtime_error("no size"); }
  };
  struct Throwing final : Router {
    std::shared_ptr<const Handler> find(const Request& head, Response& otherwise) override {
      if (head.target == "/throw") throw std::runtime_error("no table");
      otherwise.body = Body(std::make_unique<Odd>());
      return nullptr;
    }
  };
  table_->add("GET", "/odd", [](Request) -> Task<Response> {
    Response response(200);
    response.body = Body(std::make_unique<Odd>());
    co_return response;
  });
  serve();
  Peer peer(port());
  ASSERT_TRUE(peer.send(get("/odd") + get("/hello")));
  EXPECT_EQ(peer.answer().status, 500);
  EXPECT_EQ(peer.answer().body, "hello");
  Server second(*runtime_, std::make_shared<Throwing>(), options_);
  second.start();
  Peer other(second.port());
  ASSERT_TRUE(other.send(get("/throw") + get("/odd") + get("/throw")));
  for (int i = 0; i < 3; ++i) EXPECT_EQ(other.answer().status, 500);
  EXPECT_NE(log().find("no table"), std::string::npos);
}

TEST_F(ExchangeTest, TextsThatNoHeaderCanHaveAreRefusedAtTheStart) {
  options_.cors.headers = {"x-a\r\nx-b: c"};
  EXPECT_THROW(Server(*runtime_, table_, options_), Error);
  options_.cors.headers = {"*"};
  options_.cors.methods = {"GET", "P\nT"};
  EXPECT_THROW(Server(*runtime_, table_, options_), Error);
}

TEST_F(ExchangeTest, WhatBeginsLikeAPrefaceMayBeShorter) {
  options_.head_timeout = 200ms;
  serve();
  const auto received = [&](std::int64_t bytes) {
    return eventually([&] { return stat("settee.net.bytes_in", {{"role", "http"}}) == bytes; });
  };
  Peer post_to(port());
  ASSERT_TRUE(post_to.send("P"));
  ASSERT_TRUE(received(1));
  ASSERT_TRUE(post_to.send("OST / HTTP/1.0\r\n\r\n"));
  EXPECT_EQ(post_to.answer().status, 404);
  Peer silent(port());
  ASSERT_TRUE(silent.send("PRI"));
  EXPECT_EQ(silent.answer().status, 408);
}

TEST_F(ExchangeTest, AStoppedServerTakesNoConnectionOver) {
  serve();
  struct Late final : net::Protocol {
    explicit Late(Server& s) : server(s) {}
    Taken on_data(net::Connection& connection, std::span<const std::uint8_t>) override {
      connection.switch_protocol(server.protocol(connection, [](net::Connection&) {}));
      return {0};
    }
    void on_close(net::Connection&, const Error&) override {}
    Server& server;
  };
  server_->stop();
  std::vector<std::shared_ptr<net::Connection>> connections;
  net::ListenerOptions listen;
  listen.endpoint.host = "127.0.0.1";
  const net::ConnectionStats stats = net::ConnectionStats::of(runtime_->stats(), "test");
  net::Listener listener(*runtime_, listen, [&](Loop& loop, net::Socket socket) {
    const net::SocketAddress peer = socket.peer();
    connections.push_back(std::make_shared<net::Connection>(loop, socket.release(), peer,
                                                            net::ConnectionOptions(), stats));
    connections.back()->begin(std::make_unique<Late>(*server_));
  });
  Peer peer(listener.address().port());
  ASSERT_TRUE(peer.send(get("/hello")));
  EXPECT_TRUE(peer.closed());
  EXPECT_EQ(peer.in(), "");
  listener.stop();
  runtime_->on_each_loop([&](Loop&) { connections.clear(); });
}

TEST(Headers, FieldsMadeOfTheSameHeaders) {
  Headers headers;
  headers.add("x-name", "a value that is long enough to be on the heap");
  for (int i = 0; i < 100; ++i) {
    const Headers::Field last = headers.at(headers.size() - 1);
    headers.add(last.name, last.value);
  }
  for (const Headers::Field field : headers) {
    EXPECT_EQ(field.name, "x-name");
    EXPECT_EQ(field.value, "a value that is long enough to be on the heap");
  }
}

}  // namespace
}  // namespace settee::http
