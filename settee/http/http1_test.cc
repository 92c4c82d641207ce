// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0
//
// HTTP/1.1 as it should be; what should not be is in http1_bad_input_test.cc.

#include "settee/http/http_test_peer.h"

namespace settee::http {
namespace {

using wire::Answer;
using wire::eventually;
using wire::get;
using wire::Peer;
using wire::post;
using namespace std::chrono_literals;

using Http1Test = wire::HttpTest;

TEST_F(Http1Test, AnswersAndKeepsTheConnection) {
  serve();
  Peer peer(port());
  for (int i = 0; i < 3; ++i) {
    ASSERT_TRUE(peer.send(get("/hello")));
    const Answer answer = peer.answer();
    ASSERT_TRUE(answer);
    EXPECT_EQ(answer.status, 200);
    EXPECT_EQ(answer.body, "hello");
    EXPECT_TRUE(answer.has("HTTP/1.1 200 OK\r\n"));
    EXPECT_TRUE(answer.has("content-type: text/plain\r\n"));
    EXPECT_TRUE(answer.has(" GMT\r\n"));
    EXPECT_FALSE(answer.has("connection:"));
  }
  ASSERT_TRUE(peer.send(get("/hello", "connection: close\r\n")));
  EXPECT_TRUE(peer.answer().has("connection: close\r\n"));
  EXPECT_TRUE(peer.closed());
}

TEST_F(Http1Test, AnOldClientGetsWhatItAsksFor) {
  serve();
  Peer peer(port());
  ASSERT_TRUE(peer.send("GET /hello HTTP/1.0\r\nconnection: keep-alive\r\n\r\n"));
  EXPECT_TRUE(peer.answer().has("connection: keep-alive\r\n"));
  ASSERT_TRUE(peer.send("GET /parts HTTP/1.0\r\nconnection: keep-alive\r\n\r\n"));
  const Answer parts = peer.answer();  // to the connection's end: it knows no chunks
  EXPECT_FALSE(parts.has("transfer-encoding"));
  EXPECT_EQ(parts.body, "part part part part part ");
}

TEST_F(Http1Test, PipelinedRequestsAreAnsweredInOrder) {
  serve();
  Peer peer(port());
  std::string all = get("/nap?ms=30") + post("/echo", "one") + get("/nap?ms=1") + get("/none") +
                    post("/echo", "two");
  ASSERT_TRUE(peer.send(all));
  EXPECT_EQ(peer.answer().body, "slept");
  EXPECT_EQ(peer.answer().body, "one");
  EXPECT_EQ(peer.answer().body, "slept");
  EXPECT_EQ(peer.answer().status, 404);
  EXPECT_EQ(peer.answer().body, "two");
}

TEST_F(Http1Test, AThousandPipelinedBehindASlowOneAreHeldBackAndAnswered) {
  serve();
  Peer peer(port());
  const std::string body(1000, 'b');
  std::thread sender([&] {
    std::string all = get("/nap?ms=50");
    for (int i = 0; i < 1000; ++i) all += post("/echo", std::to_string(i) + body);
    EXPECT_TRUE(peer.send(all));
  });
  EXPECT_EQ(peer.answer().body, "slept");
  for (int i = 0; i < 1000; ++i) ASSERT_EQ(peer.answer().body, std::to_string(i) + body);
  sender.join();
}

TEST_F(Http1Test, ARequestMayComeByteByByte) {
  serve();
  Peer peer(port());
  const std::string request =
      "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
      "4;ext=\"v\"\r\nbody\r\n0\r\nx-sum: 1\r\n\r\n";
  for (const char byte : request) ASSERT_TRUE(peer.send({&byte, 1}));
  EXPECT_EQ(peer.answer().body, "body");
  ASSERT_TRUE(peer.send("\r\n" + get("/hello")));  // an old client's stray line end
  EXPECT_EQ(peer.answer().body, "hello");
}

TEST_F(Http1Test, ChunksComeAndGoWithTrailers) {
  serve();
  Peer peer(port());
  ASSERT_TRUE(
      peer.send("POST /count HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n"
                "3\r\nabc\r\nA\r\n0123456789\r\n0\r\nX-Sum: 13\r\n\r\n"));
  EXPECT_EQ(peer.answer().body, "13 13");
  ASSERT_TRUE(peer.send(get("/parts")));
  const Answer parts = peer.answer();
  EXPECT_EQ(parts.body, "part part part part part ");
  EXPECT_EQ(parts.trailers, "x-checked: yes\n");
  ASSERT_TRUE(peer.send(get("/hello")));
  EXPECT_EQ(peer.answer().body, "hello");
}

TEST_F(Http1Test, HeadHasTheHeadOfGetAndNoBody) {
  serve();
  Peer peer(port());
  ASSERT_TRUE(peer.send("HEAD /hello HTTP/1.1\r\nhost: a\r\n\r\n"));
  const Answer answer = peer.answer(true);
  EXPECT_TRUE(answer.has("content-length: 5\r\n"));
  ASSERT_TRUE(peer.send("HEAD /parts HTTP/1.1\r\nhost: a\r\n\r\n"));
  EXPECT_EQ(peer.answer(true).status, 200);
  ASSERT_TRUE(peer.send(get("/hello")));
  EXPECT_EQ(peer.answer().body, "hello");
}

TEST_F(Http1Test, WhoWaitsForContinueGetsItOnlyIfTheBodyIsWanted) {
  options_.max_body = 10;
  serve();
  Peer peer(port());
  const std::string expect = "expect: 100-continue\r\n";
  ASSERT_TRUE(
      peer.send("POST /echo HTTP/1.1\r\nhost: a\r\ncontent-length: 2\r\n" + expect + "\r\n"));
  EXPECT_EQ(peer.answer().status, 100);
  ASSERT_TRUE(peer.send("ok"));
  EXPECT_EQ(peer.answer().body, "ok");
  Peer large(port());
  ASSERT_TRUE(
      large.send("POST /echo HTTP/1.1\r\nhost: a\r\ncontent-length: 11\r\n" + expect + "\r\n"));
  const Answer refusal = large.answer();
  EXPECT_EQ(refusal.status, 413);
  EXPECT_TRUE(refusal.has("connection: close\r\n"));
  EXPECT_TRUE(large.closed());
  Peer odd(port());
  ASSERT_TRUE(odd.send(get("/hello", "expect: a-miracle\r\n")));
  EXPECT_EQ(odd.answer().status, 417);
}

TEST_F(Http1Test, AStreamingHandlerThatAnswersFirstWantsTheBodyAllTheSame) {
  struct Echo final : BodySource {
    explicit Echo(Body b) : body(std::move(b)) {}
    Task<std::optional<Bytes>> next() override { return body.next(); }
    Body body;
  };
  table_->add(
      "POST", "/back",
      [](Request request) -> Task<Response> {
        co_return Response(200, "text/plain", std::make_unique<Echo>(std::move(request.body)));
      },
      streaming());
  serve();
  Peer peer(port());
  ASSERT_TRUE(
      peer.send("POST /back HTTP/1.1\r\nhost: a\r\nexpect: 100-continue\r\n"
                "transfer-encoding: chunked\r\n\r\n"));
  EXPECT_EQ(peer.answer().status, 100);
  ASSERT_TRUE(peer.send("4\r\nback\r\n0\r\n\r\n" + get("/hello")));
  EXPECT_EQ(peer.answer().body, "back");
  EXPECT_EQ(peer.answer().body, "hello");
}

TEST_F(Http1Test, TheRestOfASmallRequestThatIsAnsweredEarlyIsSkipped) {
  serve();
  Peer peer(port());
  ASSERT_TRUE(peer.send(post("/none", "a body that nobody wants") + get("/hello")));
  EXPECT_EQ(peer.answer().status, 404);
  EXPECT_EQ(peer.answer().body, "hello");
}

TEST_F(Http1Test, AWholeUrlNamesItsHost) {
  std::string host;
  table_->add("GET", "/", [&](Request request) -> Task<Response> {
    host = request.headers.get("host");
    co_return Response(204);
  });
  serve();
  Peer peer(port());
  ASSERT_TRUE(peer.send("GET http://real.example?x=1 HTTP/1.1\r\nhost: other\r\n\r\n"));
  EXPECT_EQ(peer.answer().status, 204);
  EXPECT_EQ(host, "real.example");
}

TEST_F(Http1Test, MethodsOfAPathAreTold) {
  serve();
  Peer peer(port());
  ASSERT_TRUE(peer.send("DELETE /hello HTTP/1.1\r\nhost: a\r\n\r\n"));
  const Answer wrong = peer.answer();
  EXPECT_EQ(wrong.status, 405);
  EXPECT_TRUE(wrong.has("allow: GET, HEAD, OPTIONS\r\n"));
  ASSERT_TRUE(peer.send("OPTIONS /hello HTTP/1.1\r\nhost: a\r\n\r\n"));
  EXPECT_EQ(peer.answer().status, 204);
}

TEST_F(Http1Test, AHandlersErrorsBecomeProblems) {
  table_->add("GET", "/busy",
              [](Request) -> Task<Response> { co_return Error(Code::kBusy, "come back later"); });
  table_->add("GET", "/crash", [](Request) -> Task<Response> {
    throw std::runtime_error("a secret");
    co_return Response(200);
  });
  table_->add("GET", "/at_once", [](Request) -> Task<Response> { throw std::logic_error("s"); });
  table_->add("GET", "/forged", [](Request request) -> Task<Response> {
    Response response(200);
    response.headers.add("location", *request.parameter("to"));
    co_return response;
  });
  serve();
  Peer peer(port());
  ASSERT_TRUE(peer.send(get("/busy")));
  const Answer busy = peer.answer();
  EXPECT_EQ(busy.status, 503);
  EXPECT_NE(busy.body.find("come back later"), std::string::npos);
  for (const char* target : {"/crash", "/at_once"}) {
    ASSERT_TRUE(peer.send(get(target)));
    const Answer crash = peer.answer();
    EXPECT_EQ(crash.status, 500);
    EXPECT_EQ(crash.body.find("secret"), std::string::npos);
  }
  EXPECT_NE(log().find("a secret"), std::string::npos);
  ASSERT_TRUE(peer.send(get("/forged?to=x%0d%0aset-cookie:%20y")));
  const Answer forged = peer.answer();
  EXPECT_EQ(forged.status, 400);
  EXPECT_EQ(forged.head.find("set-cookie"), std::string::npos);
  EXPECT_EQ(stat("settee.http.server.failures"), 3);
}

TEST_F(Http1Test, AHandlerIsCancelledWhenItsPeerGoes) {
  serve();
  {
    Peer peer(port());
    ASSERT_TRUE(peer.send(get("/nap?ms=60000")));
    ASSERT_TRUE(eventually([&] { return napping_ == 1; }));
  }
  EXPECT_TRUE(eventually([&] { return cancelled_ == 1; }));
}

TEST_F(Http1Test, AHandlersTimeIsLimited) {
  options_.timeout = 20ms;
  serve();
  Peer peer(port());
  ASSERT_TRUE(peer.send(get("/nap?ms=60000")));
  EXPECT_EQ(peer.answer().status, 504);
}

TEST_F(Http1Test, AStreamingHandlerSlowsItsPeer) {
  options_.window = 16 * 1024;
  slow_reader_ = true;
  serve();
  Peer peer(port());
  const std::string body(3'000'000, 'b');
  std::thread sender([&] { EXPECT_TRUE(peer.send(post("/count", body))); });
  ASSERT_TRUE(eventually([&] { return counted_ > 0; }));
  EXPECT_LT(counted_, body.size());
  slow_reader_ = false;
  EXPECT_EQ(peer.answer().body, "3000000 ");
  sender.join();
}

TEST_F(Http1Test, APeerThatReadsSlowlyIsNotSentMoreThanItTakes) {
  options_.max_unsent = 256 * 1024;
  serve();
  Peer peer(port(), 4096);
  ASSERT_TRUE(peer.send(get("/flood")));
  ASSERT_TRUE(peer.more());
  ASSERT_TRUE(eventually([&] { return stat("settee.net.congestions", {{"role", "http"}}) > 0; }));
  std::size_t read = 0;
  while (read < 20'000'000 && peer.more()) read += std::exchange(peer.in(), {}).size();
  EXPECT_GE(read, 20'000'000u);  // and it goes on
}

TEST_F(Http1Test, BlockingWorkMayBeDoneOnAPool) {
  table_->add("GET", "/pool", [this](Request) -> Task<Response> {
    const Result<void> hop = co_await resume_on(runtime_->pool());
    EXPECT_TRUE(hop);
    co_return Response(200, "text/plain", "from a pool");
  });
  table_->add(
      "POST", "/pool",
      [this](Request request) -> Task<Response> {
        const Result<void> hop = co_await resume_on(runtime_->pool());
        EXPECT_TRUE(hop);
        const Bytes body = co_await request.body.read(1'000'000);
        co_return Response(200, "text/plain", body);
      },
      streaming());
  serve();
  Peer peer(port());
  for (int i = 0; i < 20; ++i) {
    ASSERT_TRUE(peer.send(get("/pool") + post("/pool", "body")));
    EXPECT_EQ(peer.answer().body, "from a pool");
    EXPECT_EQ(peer.answer().body, "body");
  }
}

TEST_F(Http1Test, TellsWhatItAnswered) {
  std::mutex mutex;
  std::vector<RequestEnded> seen;
  const Subscription listening =
      runtime_->events().subscribe<RequestEnded>([&](const RequestEnded& event) {
        const std::lock_guard lock(mutex);
        seen.push_back(event);
      });
  serve();
  Peer peer(port());
  ASSERT_TRUE(peer.send(post("/echo?q=1", "four")));
  ASSERT_TRUE(peer.answer());
  ASSERT_TRUE(peer.send(get("/none")));
  ASSERT_TRUE(peer.answer());
  peer.send(get("/nap?ms=60000"));
  ASSERT_TRUE(eventually([&] { return napping_ == 1; }));
  peer.close();
  ASSERT_TRUE(eventually([&] {
    const std::lock_guard lock(mutex);
    return seen.size() == 3;
  }));
  EXPECT_EQ(seen[0].method, "POST");
  EXPECT_EQ(seen[0].target, "/echo?q=1");
  EXPECT_EQ(seen[0].status, 200);
  EXPECT_EQ(seen[0].bytes_in, 4u);
  EXPECT_EQ(seen[0].bytes_out, 4u);
  EXPECT_EQ(seen[0].peer.view().substr(0, 10), "127.0.0.1:");
  EXPECT_EQ(seen[1].status, 404);
  EXPECT_EQ(seen[2].status, 0);
}

}  // namespace
}  // namespace settee::http
