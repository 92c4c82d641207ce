// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0
//
// The client against our own server, in both versions of HTTP.

#include "settee/http/client.h"
#include "settee/base/error_test.h"

#include <zlib.h>

#include "settee/http/http_test_peer.h"

namespace settee::http {
namespace {

using wire::eventually;
using namespace std::chrono_literals;

class ClientTest : public wire::HttpTest, public testing::WithParamInterface<const char*> {
 protected:
  ~ClientTest() override {
    client_.reset();
    EXPECT_EQ(stat("settee.http.client.in_flight"), client_made_ ? 0 : -1);
    EXPECT_EQ(stat("settee.net.connections", {{"role", "http_client"}}), client_made_ ? 0 : -1);
  }
  void begin() {
    serve();
    connect();
  }
  void connect() {
    client_ = std::make_unique<Client>(*runtime_, client_options_);
    client_made_ = true;
  }
  std::string url(std::string_view path) const {
    return std::string(GetParam()) + "://" + server_->address() + std::string(path);
  }
  Task<Response> get(std::string_view path) { return client_->send(url(path), Request()); }
  static Request with(std::string method, Body body = {}) {
    Request request;
    request.method = std::move(method);
    request.body = std::move(body);
    return request;
  }
  static SendOptions streamed() {
    SendOptions options;
    options.streaming = true;
    return options;
  }
  bool http2() const { return std::string_view(GetParam()) == "h2c"; }

  ClientOptions client_options_;
  std::unique_ptr<Client> client_;
  bool client_made_ = false;
};

INSTANTIATE_TEST_SUITE_P(Versions, ClientTest, testing::Values("http", "h2c"),
                         [](const auto& info) { return std::string(info.param); });

TEST_P(ClientTest, AnswersHaveStatusFieldsAndBody) {
  table_->add("POST", "/made", [](Request request) -> Task<Response> {
    Response response(201, "text/plain", std::string(request.headers.get("x-sent")));
    response.headers.add("x-host", request.headers.get("host"));
    response.headers.add("x-target", request.target);
    response.headers.add("x-length", request.headers.get("content-length"));
    co_return response;
  });
  begin();
  Request request = with("POST", "four");
  request.headers.add("X-Sent", "value");
  request.headers.add("connection", "close");       // the client's own affair
  request.headers.add("content-length", "100000");  // the same
  Response answer = client_->send(url("/made?q=1#part"), std::move(request)).get();
  EXPECT_EQ(answer.status, 201);
  EXPECT_EQ(answer.version, http2() ? Version::kHttp2 : Version::kHttp11);
  EXPECT_EQ(answer.body.text(), "value");
  EXPECT_EQ(answer.headers.get("X-Host"), server_->address());
  EXPECT_EQ(answer.headers.get("x-target"), "/made?q=1");
  EXPECT_EQ(answer.headers.get("x-length"), "4");
  EXPECT_EQ(get("/none").get().status, 404);
  EXPECT_EQ(client_->send(url("/hello"), with("HEAD")).get().body.text(), "");
  EXPECT_EQ(stat("settee.http.client.connects"), 1);
}

TEST_P(ClientTest, TheRequestsTargetIsTakenIfTheUrlHasNone) {
  begin();
  Request request;
  request.target = "/hello";
  EXPECT_EQ(client_->send(url(""), std::move(request)).get().body.text(), "hello");
}

TEST_P(ClientTest, ManyCallsAtOnceShareConnections) {
  client_options_.max_connections = 3;
  begin();
  std::vector<Task<Response>> calls;
  for (int i = 0; i < 40; ++i) calls.push_back(get("/nap?ms=1"));
  for (Response& answer : runtime_->run(when_all(std::move(calls)))) {
    EXPECT_EQ(answer.body.text(), "slept");
  }
  EXPECT_EQ(stat("settee.http.client.connects"), http2() ? 1 : 3);
}

TEST_P(ClientTest, StreamsOfAConnectionAreAsManyAsItsServerSays) {
  options_.max_streams = 2;
  begin();
  ASSERT_EQ(get("/hello").get().status, 200);  // its SETTINGS have come
  std::vector<Task<Response>> calls;
  for (int i = 0; i < 6; ++i) calls.push_back(get("/nap?ms=20"));
  runtime_->run(when_all(std::move(calls)));
  EXPECT_EQ(refused("max_streams"), 0);
  EXPECT_EQ(stat("settee.http.client.connects"), http2() ? 3 : 6);
}

TEST_P(ClientTest, ManyWaitingCallsAreRefused) {
  client_options_.max_connections = 1;
  client_options_.max_streams = 1;
  client_options_.max_waiting = 1;
  begin();
  ASSERT_EQ(get("/hello").get().status, 200);  // it is connected
  std::vector<std::future<Response>> calls;
  for (int i = 0; i < 2; ++i) calls.push_back(as_future(get("/nap?ms=300")));
  ASSERT_TRUE(eventually([&] { return stat("settee.http.client.in_flight") == 2; }));
  const Error error = error_of(get("/hello"));
  EXPECT_EQ(error.code(), Code::kOverflow);
  EXPECT_NE(error.message().find("max_waiting"), std::string::npos);
  for (auto& call : calls) EXPECT_EQ(call.get().status, 200);
}

TEST_P(ClientTest, LargeBodiesGoBothWays) {
  begin();
  std::string text(3'000'000, 'x');
  for (std::size_t i = 0; i < text.size(); i += 1000) text[i] = static_cast<char>('a' + i % 23);
  const Response answer = client_->send(url("/echo"), with("POST", text)).get();
  EXPECT_EQ(answer.body.text(), text);
}

TEST_P(ClientTest, BodiesAreSentPartByPartWithTrailers) {
  begin();
  Request request = with("POST", std::make_unique<wire::Parts>(200, std::string(10'000, 'x')));
  table_->add(
      "POST", "/trailers",
      [](Request in) -> Task<Response> {
        std::size_t bytes = 0;
        while (std::optional<Bytes> part = co_await in.body.next()) bytes += part->size();
        co_return Response(200, "text/plain",
                           std::to_string(bytes) + in.body.trailers().get("x-checked").data());
      },
      streaming());
  const Response answer = client_->send(url("/trailers"), std::move(request)).get();
  EXPECT_EQ(answer.body.text().substr(0, 10), "2000000yes");
}

// Says that it has more, or fewer, bytes than come.
class Liar final : public BodySource {
 public:
  Liar(std::uint64_t said, int parts) : said_(said), parts_(parts) {}
  Task<std::optional<Bytes>> next() override {
    if (parts_-- == 0) co_return std::optional<Bytes>();
    co_return std::optional<Bytes>(Bytes(std::string_view("part")));
  }
  std::optional<std::uint64_t> size() const override { return said_; }

 private:
  std::uint64_t said_;
  int parts_;
};

TEST_P(ClientTest, BodiesOfAnotherSizeThanTheyHaveSaidEndTheCall) {
  begin();
  for (const std::uint64_t said : {4u, 12u}) {
    const Error error =
        error_of(client_->send(url("/count"), with("POST", std::make_unique<Liar>(said, 2))));
    EXPECT_EQ(error.code(), Code::kInvalidArgument) << error.what();
  }
  EXPECT_EQ(client_->send(url("/count"), with("POST", std::make_unique<Liar>(8, 2)))
                .get()
                .body.text()
                .substr(0, 1),
            "8");
}

TEST_P(ClientTest, AStreamedAnswerIsReadAsItComesAndHasTrailers) {
  begin();
  Response answer = client_->send(url("/parts"), Request(), streamed()).get();
  EXPECT_EQ(answer.status, 200);
  EXPECT_FALSE(answer.body.whole());
  EXPECT_EQ(answer.body.read(1000).get().view(), "part part part part part ");
  EXPECT_EQ(answer.body.trailers().get("x-checked"), "yes");
  const Response whole = get("/parts").get();
  EXPECT_EQ(whole.body.trailers().get("x-checked"), "yes");
}

TEST_P(ClientTest, AServerIsReadNoFasterThanItsAnswer) {
  client_options_.window = 100'000;
  begin();
  const auto received = [&] { return stat("settee.net.bytes_in", {{"role", "http_client"}}); };
  {
    Response answer = client_->send(url("/flood"), Request(), streamed()).get();
    ASSERT_TRUE(eventually([&] { return received() > 90'000; }));
    // As long as it may take to fill what there is on the way, and then no more.
    std::int64_t before = -1;
    ASSERT_TRUE(eventually([&] {
      const std::int64_t now = received();
      std::this_thread::sleep_for(50ms);
      return std::exchange(before, now) == now;
    }));
    EXPECT_LT(received(), 1'000'000);
    for (int i = 0; i < 10; ++i) ASSERT_TRUE(answer.body.next().get());
    ASSERT_TRUE(eventually([&] { return received() > before; }));
  }
  // Who lets go of it has an end of it, and nobody else minds.
  EXPECT_TRUE(eventually([&] { return stat("settee.http.server.in_flight") == 0; }));
  EXPECT_EQ(get("/hello").get().body.text(), "hello");
}

TEST_P(ClientTest, ASlowServerHoldsTheBodyBack) {
  slow_reader_ = true;
  client_options_.max_unsent = 100'000;
  begin();
  struct Counted final : BodySource {
    explicit Counted(std::atomic<int>& n) : given(n) {}
    Task<std::optional<Bytes>> next() override {
      if (++given > 1000) co_return std::optional<Bytes>();
      co_return std::optional<Bytes>(Bytes(std::string(10'000, 'x')));
    }
    std::atomic<int>& given;
  };
  std::atomic<int> given{0};
  std::future<Response> call =
      as_future(client_->send(url("/count"), with("POST", std::make_unique<Counted>(given))));
  ASSERT_TRUE(eventually([&] { return counted_ > 0; }));
  EXPECT_LT(given, 1000) << "all of it was read before the server took any";
  slow_reader_ = false;
  EXPECT_EQ(call.get().body.text().substr(0, 8), "10000000");
}

TEST_P(ClientTest, BothSidesMayTalkAtOnce) {
  table_->add(
      "POST", "/mirror",
      [](Request in) -> Task<Response> {
        struct Mirror final : BodySource {
          explicit Mirror(Body b) : body(std::move(b)) {}
          Task<std::optional<Bytes>> next() override { return body.next(); }
          Body body;
        };
        co_return Response(200, "text/plain", std::make_unique<Mirror>(std::move(in.body)));
      },
      streaming());
  begin();
  auto [sink, stream] = make_stream<Bytes>();
  runtime_->run([](Client& client, std::string to, StreamSink<Bytes> out,
                   AsyncStream<Bytes> in) -> Task<void> {
    Request request = with("POST", Body(std::move(in)));
    Response answer = co_await client.send(to, std::move(request), streamed());
    for (int i = 0; i < 20; ++i) {
      const std::string said = "line " + std::to_string(i);
      Task<bool> write = out.write(Bytes(std::string_view(said)));
      EXPECT_TRUE(co_await std::move(write));
      const std::optional<Bytes> heard = co_await answer.body.next();
      EXPECT_TRUE(heard && heard->view() == said);
    }
    out.close();
    const std::optional<Bytes> end = co_await answer.body.next();
    EXPECT_FALSE(end);
  }(*client_, url("/mirror"), std::move(sink), std::move(stream)));
}

TEST_P(ClientTest, ACallEndsAtItsDeadlineAndTheServerHearsOfIt) {
  begin();
  const Error late = error_of(with_timeout(30ms, get("/nap?ms=60000")));
  EXPECT_EQ(late.code(), Code::kTimeout);
  EXPECT_NE(late.message().find("GET " + url("/nap") + ": waiting for the answer"),
            std::string::npos)
      << late.message();
  EXPECT_TRUE(eventually([&] { return cancelled_ == 1; }));
  EXPECT_EQ(error_of(with_timeout(0ms, get("/nap?ms=60000"))).code(), Code::kTimeout);
  EXPECT_EQ(napping_, 1) << "it was sent after its deadline";
  SendOptions own;
  own.timeout = 30ms;
  EXPECT_EQ(error_of(client_->send(url("/nap?ms=60000"), Request(), own)).code(), Code::kTimeout);
  CancelSource cancel;
  std::future<Response> call = as_future(with_context(cancel.context(), get("/nap?ms=60000")));
  ASSERT_TRUE(eventually([&] { return napping_ == 3; }));
  cancel.cancel();
  EXPECT_THROW(call.get(), Error);
  EXPECT_TRUE(eventually([&] { return cancelled_ == 3; }));
  EXPECT_EQ(get("/hello").get().status, 200);
}

TEST_P(ClientTest, StopEndsWhatRuns) {
  begin();
  std::future<Response> call = as_future(get("/nap?ms=60000"));
  ASSERT_TRUE(eventually([&] { return napping_ == 1; }));
  client_->stop();
  EXPECT_THROW(call.get(), Error);
  EXPECT_EQ(error_of(get("/hello")).code(), Code::kStopped);
}

TEST_P(ClientTest, BodiesBeyondTheirLimitEndTheCall) {
  client_options_.max_body = 10'000;
  table_->add("GET", "/long", [](Request) -> Task<Response> {
    co_return Response(200, "application/octet-stream", std::string(10'001, 'x'));
  });
  begin();
  for (const char* path : {"/long", "/flood"}) {
    const Error error = error_of(get(path));
    EXPECT_EQ(error.code(), Code::kLimit);
    EXPECT_NE(error.message().find("max_body"), std::string::npos) << error.message();
  }
  SendOptions more;
  more.max_body = 10'001;
  EXPECT_EQ(client_->send(url("/long"), Request(), more).get().body.text().size(), 10'001u);
}

TEST_P(ClientTest, PackedAnswersAreUnpackedUpToTheirLimit) {
  client_options_.max_body = 100'000;
  for (const int size : {100'000, 5'000'000}) {
    table_->add("GET", "/" + std::to_string(size), [size](Request) -> Task<Response> {
      co_return Response(200, "text/plain", std::string(static_cast<std::size_t>(size), 'x'));
    });
  }
  begin();
  const Response plain = get("/100000").get();
  EXPECT_EQ(plain.body.text(), std::string(100'000, 'x'));
  EXPECT_FALSE(plain.headers.find("content-encoding"));
  EXPECT_LT(stat("settee.net.bytes_in", {{"role", "http_client"}}), 10'000);
  EXPECT_EQ(error_of(get("/5000000")).code(), Code::kLimit);
  // Who asks for it himself gets what he has asked for.
  Request own;
  own.headers.add("accept-encoding", "gzip");
  EXPECT_EQ(client_->send(url("/100000"), std::move(own)).get().headers.get("content-encoding"),
            "gzip");
}

TEST_P(ClientTest, HeadersBeyondTheirLimitEndTheCall) {
  client_options_.max_header = 4096;
  table_->add("GET", "/fields", [](Request request) -> Task<Response> {
    Response response(200);
    response.headers.add("x-long", std::string(std::stoul(*request.parameter("n")), 'x'));
    co_return response;
  });
  begin();
  EXPECT_EQ(get("/fields?n=3000").get().status, 200);
  for (const char* path : {"/fields?n=6000", "/fields?n=20000"}) {
    const Error error = error_of(get(path));
    EXPECT_EQ(error.code(), Code::kLimit) << error.what();
    EXPECT_NE(error.message().find("max_header"), std::string::npos) << error.message();
  }
  EXPECT_EQ(get("/hello").get().status, 200);
}

TEST_P(ClientTest, RedirectsAreFollowedIfSo) {
  for (const char* method : {"GET", "POST"}) {
    table_->add(method, "/to", [](Request request) -> Task<Response> {
      Response response(std::stoi(*request.parameter("status")));
      response.headers.add("location", *request.parameter("at"));
      co_return response;
    });
    table_->add(method, "/seen", [](Request request) -> Task<Response> {
      co_return Response(200, "text/plain",
                         request.method + " " + std::string(request.headers.get("authorization")) +
                             " " + std::string(request.body.text()));
    });
  }
  table_->add("GET", "/circle", [](Request) -> Task<Response> {
    Response response(302);
    response.headers.add("location", "?again");
    co_return response;
  });
  begin();
  EXPECT_EQ(get("/to?status=302&at=/seen").get().status, 302);
  client_options_.max_redirects = 3;
  connect();
  const auto post = [&](std::string_view path) {
    Request request = with("POST", "body");
    request.headers.add("authorization", "secret");
    return client_->send(url(path), std::move(request)).get();
  };
  EXPECT_EQ(post("/to?status=302&at=/seen").body.text(), "GET secret ");
  EXPECT_EQ(post("/to?status=303&at=seen").body.text(), "GET secret ");
  EXPECT_EQ(post("/to?status=307&at=/seen").body.text(), "POST secret body");
  // Secrets are for whom they were meant for.
  const std::string elsewhere = "http://localhost:" + std::to_string(port()) + "/seen";
  EXPECT_EQ(post("/to?status=308&at=" + elsewhere).body.text(), "POST  body");
  EXPECT_EQ(error_of(get("/circle")).code(), Code::kLimit);
  EXPECT_EQ(error_of(get("/to?status=302&at=ftp://a/")).code(), Code::kInvalidArgument);
}

TEST_P(ClientTest, ARedirectNeverLosesTheBody) {
  for (const char* method : {"GET", "POST", "PUT"}) {
    table_->add(method, "/to", [](Request request) -> Task<Response> {
      Response response(std::stoi(*request.parameter("status")));
      response.headers.add("location", "/seen");
      co_return response;
    });
    table_->add(method, "/seen", [](Request request) -> Task<Response> {
      co_return Response(200, "text/plain", request.method + std::string(request.body.text()));
    });
  }
  client_options_.max_redirects = 3;
  begin();
  const auto ask = [&](std::string_view status, std::string method, Body body) {
    const std::string path = "/to?status=" + std::string(status);
    return client_->send(url(path), with(std::move(method), std::move(body))).get();
  };
  const auto streamed_body = [] { return Body(std::make_unique<wire::Parts>(2, "part")); };
  EXPECT_EQ(ask("301", "PUT", "body").body.text(), "PUTbody");
  for (const char* status : {"301", "302", "307", "308"}) {
    EXPECT_EQ(std::to_string(ask(status, "PUT", streamed_body()).status), status)
        << "what was streamed cannot be sent again";
  }
  EXPECT_EQ(stat("settee.http.client.redirects"), 1);
  // These go on without one.
  EXPECT_EQ(ask("302", "POST", streamed_body()).body.text(), "GET");
  EXPECT_EQ(ask("303", "PUT", streamed_body()).body.text(), "GET");
}

TEST_P(ClientTest, PackedAnswersKeepTheirTrailers) {
  table_->add("GET", "/long", [](Request) -> Task<Response> {
    Response response(200, "text/plain", std::string(10'000, 'x'));
    Headers trailers;
    trailers.add("x-checked", "yes");
    response.body.set_trailers(std::move(trailers));
    co_return response;
  });
  begin();
  const Response answer = get("/long").get();
  EXPECT_EQ(answer.body.text(), std::string(10'000, 'x'));
  EXPECT_LT(stat("settee.net.bytes_in", {{"role", "http_client"}}), 5'000) << "not packed";
  EXPECT_EQ(answer.body.trailers().get("x-checked"), "yes");
}

TEST_P(ClientTest, IdleConnectionsAreClosedAndOthersMade) {
  client_options_.idle_timeout = 20ms;
  begin();
  EXPECT_EQ(get("/hello").get().status, 200);
  EXPECT_TRUE(eventually([&] { return stat("settee.http.client.idle_closed") == 1; }));
  EXPECT_TRUE(eventually([&] {
    return stat("settee.net.connections", {{"role", "http_client"}}) == 0;
  }));
  EXPECT_EQ(get("/hello").get().status, 200);
  EXPECT_EQ(stat("settee.http.client.connects"), 2);
}

TEST_P(ClientTest, AServerThatComesBackIsConnectedToAgain) {
  begin();
  EXPECT_EQ(get("/hello").get().status, 200);
  options_.port = port();
  const std::string at = url("/hello");
  server_->stop();
  const Error error = error_of(client_->send(at, Request()));
  EXPECT_EQ(error.code(), Code::kConnectFailed);
  EXPECT_NE(error.message().find("GET " + at), std::string::npos) << error.message();
  EXPECT_NE(error.message().find("Connection refused"), std::string::npos) << error.message();
  serve();
  EXPECT_EQ(get("/hello").get().status, 200);
}

TEST_P(ClientTest, WhatCannotBeSentIsRefused) {
  begin();
  const auto refused_as = [&](Request request) {
    EXPECT_EQ(error_of(client_->send(url(""), std::move(request))).code(), Code::kInvalidArgument);
  };
  refused_as(with("GE T"));
  refused_as(with("CONNECT"));
  for (const char* target : {"", "x", "*", "/a b", "/a\r\nx: y", "http://a/"}) {
    Request request;
    request.target = target;
    refused_as(std::move(request));
  }
  Request host;
  host.headers.add("host", "a/b");
  refused_as(std::move(host));
  EXPECT_EQ(stat("settee.http.client.connects"), 0);
  for (const char* bad : {"ftp://a/", "http:/a", "http://", "http://a:x/", "http://u:p@a/",
                          "http://a b/", "http://a:70000/", "//a/", "http://a/ b"}) {
    EXPECT_FALSE(Url::parse(bad)) << bad;
  }
  EXPECT_THROW(Client(*runtime_,
                      [] {
                        ClientOptions options;
                        options.max_connections = 0;
                        return options;
                      }()),
               Error);
}

}  // namespace
}  // namespace settee::http
