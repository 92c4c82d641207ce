// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0
//
// What an HTTP/1.1 peer may do wrong, on purpose or not: each is refused, counted, and costs it the
// connection at most.

#include "settee/http/http_test_peer.h"

namespace settee::http {
namespace {

using wire::Answer;
using wire::eventually;
using wire::get;
using wire::Peer;
using wire::post;
using namespace std::chrono_literals;

using Http1BadInputTest = wire::HttpTest;

struct Bad {
  const char* what;
  std::string_view bytes;
  int status;
};

constexpr std::string_view operator""_b(const char* text, std::size_t size) { return {text, size}; }

// RFC 9112, 11.2 and what was found in servers since. Each is followed by a request that must not be
// answered: whoever forwards these could take it for part of another.
const Bad kSmuggling[] = {
    {"both lengths",
     "POST /echo HTTP/1.1\r\nhost: a\r\ncontent-length: 4\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n"_b,
     400},
    {"both lengths, the other way",
     "POST /echo HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\ncontent-length: 4\r\n\r\n0\r\n\r\n"_b,
     400},
    {"two lengths",
     "POST /echo HTTP/1.1\r\nhost: a\r\ncontent-length: 4\r\ncontent-length: 5\r\n\r\nbody"_b, 400},
    {"the same length twice",
     "POST /echo HTTP/1.1\r\nhost: a\r\ncontent-length: 4\r\ncontent-length: 4\r\n\r\nbody"_b, 400},
    {"a list of lengths", "POST /echo HTTP/1.1\r\nhost: a\r\ncontent-length: 4, 4\r\n\r\nbody"_b,
     400},
    {"a length with a sign", "POST /echo HTTP/1.1\r\nhost: a\r\ncontent-length: +4\r\n\r\nbody"_b,
     400},
    {"a negative length", "POST /echo HTTP/1.1\r\nhost: a\r\ncontent-length: -4\r\n\r\nbody"_b,
     400},
    {"a hexadecimal length", "POST /echo HTTP/1.1\r\nhost: a\r\ncontent-length: 0x4\r\n\r\nbody"_b,
     400},
    {"a length of 2^64",
     "POST /echo HTTP/1.1\r\nhost: a\r\ncontent-length: 18446744073709551616\r\n\r\n"_b, 400},
    {"an empty length", "POST /echo HTTP/1.1\r\nhost: a\r\ncontent-length:\r\n\r\n"_b, 400},
    {"identity", "POST /echo HTTP/1.1\r\nhost: a\r\ntransfer-encoding: identity\r\n\r\n"_b, 501},
    {"chunked before another",
     "POST /echo HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked, gzip\r\n\r\n0\r\n\r\n"_b, 501},
    {"another before chunked",
     "POST /echo HTTP/1.1\r\nhost: a\r\ntransfer-encoding: gzip, chunked\r\n\r\n0\r\n\r\n"_b, 501},
    {"chunked twice",
     "POST /echo HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n"_b,
     400},
    {"chunked with something",
     "POST /echo HTTP/1.1\r\nhost: a\r\ntransfer-encoding: xchunked\r\n\r\n0\r\n\r\n"_b, 501},
    {"chunked in HTTP/1.0",
     "POST /echo HTTP/1.0\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n"_b, 400},
    {"a blank before the colon",
     "POST /echo HTTP/1.1\r\nhost: a\r\ntransfer-encoding : chunked\r\n\r\n0\r\n\r\n"_b, 400},
    {"a tab before the colon", "GET /hello HTTP/1.1\r\nhost\t: a\r\n\r\n"_b, 400},
    {"a blank before the name", "GET /hello HTTP/1.1\r\n host: a\r\n\r\n"_b, 400},
    {"a folded line", "GET /hello HTTP/1.1\r\nhost: a\r\nx: a\r\n b\r\n\r\n"_b, 400},
    {"a folded line with a tab", "GET /hello HTTP/1.1\r\nhost: a\r\nx: a\r\n\tb\r\n\r\n"_b, 400},
    {"a folded coding",
     "POST /echo HTTP/1.1\r\nhost: a\r\ntransfer-encoding:\r\n chunked\r\n\r\n0\r\n\r\n"_b, 400},
    {"an empty value that is folded", "GET /hello HTTP/1.1\r\nhost: a\r\nx:\r\n \r\n\r\n"_b, 400},
    {"line feeds alone", "GET /hello HTTP/1.1\nhost: a\n\n"_b, 505},
    {"a line feed alone in the header", "GET /hello HTTP/1.1\r\nhost: a\nx: b\r\n\r\n"_b, 400},
    {"a carriage return alone", "GET /hello HTTP/1.1\r\nhost: a\rx: b\r\n\r\n"_b, 400},
    {"NUL in a value", "GET /hello HTTP/1.1\r\nhost: a\r\nx: a\0b\r\n\r\n"_b, 400},
    {"NUL in a name", "GET /hello HTTP/1.1\r\nhost: a\r\nx\0y: ab\r\n\r\n"_b, 400},
    {"NUL in the target", "GET /hel\0lo HTTP/1.1\r\nhost: a\r\n\r\n"_b, 400},
    {"a name with an accent", "GET /hello HTTP/1.1\r\nhost: a\r\n\xc3\xa9: a\r\n\r\n"_b, 400},
    {"no name", "GET /hello HTTP/1.1\r\nhost: a\r\n: a\r\n\r\n"_b, 400},
    {"no colon", "GET /hello HTTP/1.1\r\nhost: a\r\nx\r\n\r\n"_b, 400},
    {"no host", "GET /hello HTTP/1.1\r\nx: a\r\n\r\n"_b, 400},
    {"two hosts", "GET /hello HTTP/1.1\r\nhost: a\r\nhost: a\r\n\r\n"_b, 400},
    {"a list of hosts", "GET /hello HTTP/1.1\r\nhost: a, b\r\n\r\n"_b, 400},
    {"a host with a user", "GET /hello HTTP/1.1\r\nhost: a@b\r\n\r\n"_b, 400},
    {"a target without a slash", "GET hello HTTP/1.1\r\nhost: a\r\n\r\n"_b, 400},
    {"a star for GET", "GET * HTTP/1.1\r\nhost: a\r\n\r\n"_b, 400},
    {"another scheme", "GET ftp://a/hello HTTP/1.1\r\nhost: a\r\n\r\n"_b, 400},
    {"two blanks", "GET  /hello HTTP/1.1\r\nhost: a\r\n\r\n"_b, 400},
    {"a blank in the target", "GET /hel lo HTTP/1.1\r\nhost: a\r\n\r\n"_b, 505},
    {"a version of one digit", "GET /hello HTTP/1\r\nhost: a\r\n\r\n"_b, 505},
    {"version 2.0 without its preface", "GET /hello HTTP/2.0\r\nhost: a\r\n\r\n"_b, 505},
    {"no version", "GET /hello\r\nhost: a\r\n\r\n"_b, 400},
    {"a method with a bracket", "G(T /hello HTTP/1.1\r\nhost: a\r\n\r\n"_b, 400},
    {"a proxy's request", "CONNECT b:1 HTTP/1.1\r\nhost: b:1\r\n\r\n"_b, 501},
    {"a chunk without size",
     "POST /echo HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n\r\nx\r\n0\r\n\r\n"_b,
     400},
    {"a chunk size with a sign",
     "POST /echo HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n+1\r\nx\r\n0\r\n\r\n"_b,
     400},
    {"a chunk size with 0x",
     "POST /echo HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n0x1\r\nx\r\n0\r\n\r\n"_b,
     400},
    {"a chunk size beyond 2^64",
     "POST /echo HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n10000000000000001\r\nx\r\n0\r\n\r\n"_b,
     400},
    {"a blank behind a chunk size",
     "POST /echo HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n1 x\r\nx\r\n0\r\n\r\n"_b,
     400},
    {"a chunk that is longer than it says",
     "POST /echo HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n1\r\nxy\r\n0\r\n\r\n"_b,
     400},
    {"a line feed behind a chunk size",
     "POST /echo HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n1\nx\r\n0\r\n\r\n"_b,
     400},
    {"a line feed in an extension",
     "POST /echo HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n1;a\nb\r\nx\r\n0\r\n\r\n"_b,
     400},
    {"a folded trailer",
     "POST /echo HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n0\r\nx: a\r\n b\r\n\r\n"_b,
     400},
    {"NUL in a trailer",
     "POST /echo HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n0\r\nx: a\0\r\n\r\n"_b,
     400},
    {"an unprintable first byte", "\x01\x02\x03\x04"_b, 400},
    {"two stray line ends", "\r\n\r\nGET /hello HTTP/1.1\r\nhost: a\r\n\r\n"_b, 400},
};

TEST_F(Http1BadInputTest, WhatTwoReadersCouldReadDifferentlyIsRefused) {
  serve();
  // The server waits a little for each to go before it closes: all at once.
  std::vector<std::unique_ptr<Peer>> peers;
  for (const Bad& bad : kSmuggling) {
    SCOPED_TRACE(bad.what);
    Peer& peer = *peers.emplace_back(std::make_unique<Peer>(port()));
    ASSERT_TRUE(peer.send(std::string(bad.bytes) + get("/hello")));
    const Answer answer = peer.answer();
    ASSERT_TRUE(answer);
    EXPECT_EQ(answer.status, bad.status) << answer.head << answer.body;
    EXPECT_TRUE(answer.has("connection: close\r\n"));
    EXPECT_EQ(refused("bad_request"), static_cast<std::int64_t>(peers.size()));
  }
  for (std::size_t i = 0; i < peers.size(); ++i) {
    EXPECT_TRUE(peers[i]->closed());
    EXPECT_EQ(peers[i]->in(), "") << "the request behind was answered: " << kSmuggling[i].what;
  }
}

TEST_F(Http1BadInputTest, TheSameByteByByte) {
  serve();
  for (const Bad& bad : kSmuggling) {
    SCOPED_TRACE(bad.what);
    Peer peer(port());
    for (const char byte : bad.bytes) {
      if (!peer.send({&byte, 1})) break;
    }
    peer.send(get("/hello"));
    const Answer answer = peer.answer();
    ASSERT_TRUE(answer);
    EXPECT_EQ(answer.status, bad.status) << answer.head << answer.body;
    peer.in().clear();
  }
}

TEST_F(Http1BadInputTest, HeadersHaveASizeAndANumber) {
  options_.max_header = 1000;
  options_.max_fields = 10;
  options_.max_target = 100;
  serve();
  const auto status_of = [&](const std::string& request) {
    Peer peer(port());
    EXPECT_TRUE(peer.send(request));
    const Answer answer = peer.answer();
    return answer ? answer.status : 0;
  };
  EXPECT_EQ(status_of(get("/hello?" + std::string(80, 'q'))), 200);
  EXPECT_EQ(status_of(get("/hello?" + std::string(100, 'q'))), 414);
  EXPECT_EQ(status_of(get("/hello", "x: " + std::string(900, 'x') + "\r\n")), 200);
  EXPECT_EQ(status_of(get("/hello", "x: " + std::string(1000, 'x') + "\r\n")), 431);
  std::string fields;
  for (int i = 0; i < 9; ++i) fields += "x: y\r\n";
  EXPECT_EQ(status_of(get("/hello", fields)), 200);
  EXPECT_EQ(status_of(get("/hello", fields + "x: y\r\n")), 431);
  EXPECT_EQ(refused("max_header"), 2);
  EXPECT_EQ(refused("max_target"), 1);
  // What never ends is not kept until it does.
  for (const std::string& endless : {std::string(5000, 'G'), "GET /" + std::string(5000, 'x'),
                                     get("/hello").substr(0, 30) + std::string(5000, 'x')}) {
    Peer peer(port());
    ASSERT_TRUE(peer.send(endless));
    EXPECT_GE(peer.answer().status, 400);
  }
  // Field by field, and no end: a number is looked at when the head is whole, the size as it comes.
  Peer slow(port());
  ASSERT_TRUE(slow.send("GET /hello HTTP/1.1\r\nhost: a\r\n"));
  for (int i = 0; i < 400 && slow.send("x: y\r\n"); ++i) {
  }
  EXPECT_EQ(slow.answer().status, 431);
}

TEST_F(Http1BadInputTest, BodiesHaveASize) {
  options_.max_body = 100;
  serve();
  Peer told(port());
  ASSERT_TRUE(told.send(post("/echo", std::string(101, 'b'))));
  EXPECT_EQ(told.answer().status, 413);
  Peer chunked(port());
  ASSERT_TRUE(
      chunked.send("POST /echo HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n"
                   "40\r\n" +
                   std::string(64, 'b') + "\r\n40\r\n" + std::string(64, 'b') + "\r\n0\r\n\r\n"));
  EXPECT_EQ(chunked.answer().status, 413);
  Peer fits(port());
  ASSERT_TRUE(fits.send(post("/echo", std::string(100, 'b'))));
  EXPECT_EQ(fits.answer().status, 200);
  EXPECT_EQ(refused("max_body"), 2);
  // A streaming handler has a limit of its own.
  ASSERT_TRUE(fits.send(post("/count", std::string(1000, 'b'))));
  EXPECT_EQ(fits.answer().body, "1000 ");
}

TEST_F(Http1BadInputTest, ABadChunkEndsAStreamingHandlersBody) {
  table_->add(
      "POST", "/strict",
      [this](Request request) -> Task<Response> {
        const Result<Bytes> body = co_await as_result(request.body.read(1000));
        if (!body) ++cancelled_;
        co_return Response(200);
      },
      streaming());
  serve();
  Peer peer(port());
  ASSERT_TRUE(
      peer.send("POST /strict HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n"
                "1\r\nx\r\nzz\r\n"));
  EXPECT_TRUE(peer.closed());
  EXPECT_TRUE(eventually([&] { return cancelled_ == 1; }));
}

TEST_F(Http1BadInputTest, WhoTakesTooLongIsSentAway) {
  options_.head_timeout = 150ms;
  options_.body_timeout = 150ms;
  options_.idle_timeout = 300ms;
  serve();
  Peer head(port());
  ASSERT_TRUE(head.send("GET /hello HTTP/1.1\r\nhos"));
  Peer body(port());
  ASSERT_TRUE(body.send("POST /echo HTTP/1.1\r\nhost: a\r\ncontent-length: 100\r\n\r\nfirst"));
  Peer idle(port());
  ASSERT_TRUE(idle.send(get("/hello")));
  Peer silent(port());
  EXPECT_EQ(head.answer().status, 408);
  EXPECT_TRUE(head.closed());
  EXPECT_EQ(body.answer().status, 408);
  EXPECT_TRUE(body.closed());
  EXPECT_EQ(idle.answer().status, 200);
  EXPECT_TRUE(idle.closed());
  EXPECT_EQ(idle.in(), "");
  EXPECT_TRUE(silent.closed());
  EXPECT_EQ(refused("head_timeout"), 1);
  EXPECT_EQ(refused("body_timeout"), 1);
  EXPECT_EQ(stat("settee.http.server.idle_closed"), 2);
}

// A byte now and then keeps no connection: slowloris, and the same with a body.
TEST_F(Http1BadInputTest, WhoDripsIsSentAway) {
  options_.head_timeout = 200ms;
  options_.body_timeout = 200ms;
  serve();
  const auto drip = [&](std::string_view begin) {
    Peer peer(port());
    EXPECT_TRUE(peer.send(begin));
    // As long as it is not answered, and much longer than it may take.
    for (int i = 0; i < 1000 && !peer.more(20ms); ++i) {
      if (!peer.send("x")) break;
    }
    return peer.answer().status;
  };
  EXPECT_EQ(drip("GET /hello HTTP/1.1\r\nhost: a\r\nx: "), 408);
  EXPECT_EQ(drip("POST /echo HTTP/1.1\r\nhost: a\r\ncontent-length: 5000\r\n\r\n"), 408);
  EXPECT_EQ(refused("head_timeout"), 1);
  EXPECT_EQ(refused("body_timeout"), 1);
}

TEST_F(Http1BadInputTest, WhoTakesNothingIsSentAway) {
  options_.write_timeout = 200ms;
  serve();
  Peer peer(port(), 4096);
  ASSERT_TRUE(peer.send(get("/flood")));
  EXPECT_TRUE(eventually([&] { return refused("write_timeout") == 1; }));
}

TEST_F(Http1BadInputTest, ConnectionsHaveANumber) {
  options_.max_connections = 2;
  serve();
  Peer first(port());
  Peer second(port());
  ASSERT_TRUE(first.send(get("/hello")));
  ASSERT_TRUE(first.answer());
  ASSERT_TRUE(second.send(get("/hello")));
  ASSERT_TRUE(second.answer());
  Peer third(port());
  EXPECT_TRUE(third.closed());
  EXPECT_EQ(refused("max_connections"), 1);
  first.close();
  EXPECT_TRUE(eventually([&] {
    Peer again(port());
    return again.send(get("/hello")) && again.answer();
  }));
}

TEST_F(Http1BadInputTest, ConnectionsOfAnAddressHaveANumber) {
  options_.max_connections_per_peer = 1;
  serve();
  Peer first(port());
  ASSERT_TRUE(first.send(get("/hello")));
  ASSERT_TRUE(first.answer());
  Peer second(port());
  EXPECT_TRUE(second.closed());
  EXPECT_EQ(refused("max_connections_per_peer"), 1);
  EXPECT_NE(log().find("max_connections_per_peer is 1"), std::string::npos);
  first.close();
  EXPECT_TRUE(eventually([&] {
    Peer again(port());
    return again.send(get("/hello")) && again.answer();
  }));
}

}  // namespace
}  // namespace settee::http
