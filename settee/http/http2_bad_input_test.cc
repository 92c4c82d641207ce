// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0
//
// What an HTTP/2 peer may do wrong, and the attacks that HTTP/2 is known for: each has a limit that
// holds, and a counter.

#include <nghttp2/nghttp2.h>

#include "settee/http/http2_test_peer.h"

namespace settee::http {
namespace {

using wire::Answer;
using wire::big_endian;
using wire::eventually;
using wire::Http2Peer;
using wire::kEndHeaders;
using wire::kEndStream;
using wire::literal;
using namespace std::chrono_literals;

class Http2BadInputTest : public wire::HttpTest {
 protected:
  // Sends until the server has had enough; it must say so, and go.
  void flood(const char* limit, const std::function<std::string(int)>& frames) {
    Http2Peer peer(port());
    for (int i = 0; i < 20'000; ++i) {
      if (!peer.send_raw(frames(i))) break;
      if (i % 500 == 0 && refused(limit) > 0) break;
    }
    EXPECT_TRUE(eventually([&] { return refused(limit) == 1; })) << log();
    // Others are served.
    Http2Peer other(port());
    ASSERT_TRUE(other.ask(1, "/hello"));
    EXPECT_EQ(other.answer(1).status, 200);
  }
};

TEST_F(Http2BadInputTest, PingsHaveALimit) {
  serve();
  flood("max_idle_frames", [](int) { return Http2Peer::frame(NGHTTP2_PING, 0, 0, "12345678"); });
}

TEST_F(Http2BadInputTest, SettingsHaveALimit) {
  serve();
  flood("max_idle_frames", [](int i) {
    return Http2Peer::frame(NGHTTP2_SETTINGS, 0, 0,
                            big_endian(NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, 2) +
                                big_endian(65535 + static_cast<unsigned>(i % 2), 4));
  });
}

TEST_F(Http2BadInputTest, PrioritiesHaveALimit) {
  serve();
  flood("max_idle_frames", [](int i) {
    return Http2Peer::frame(NGHTTP2_PRIORITY, 0, 1 + 2 * static_cast<unsigned>(i % 100),
                            big_endian(0, 4) + "x");
  });
}

TEST_F(Http2BadInputTest, EmptyDataHasALimit) {
  serve();
  flood("max_idle_frames", [](int i) {
    const std::string head =
        Http2Peer::frame(NGHTTP2_HEADERS, kEndHeaders, 1, wire::request_head("POST", "/echo"));
    return (i == 0 ? head : "") + Http2Peer::frame(NGHTTP2_DATA, 0, 1, "");
  });
}

TEST_F(Http2BadInputTest, WindowUpdatesBeyondWhatWasSentHaveALimit) {
  serve();
  flood("max_idle_frames",
        [](int) { return Http2Peer::frame(NGHTTP2_WINDOW_UPDATE, 0, 0, big_endian(1, 4)); });
}

// CVE-2023-44487
TEST_F(Http2BadInputTest, ResetsByThePeerHaveALimit) {
  serve();
  flood("max_resets", [](int i) {
    const auto id = static_cast<std::uint32_t>(2 * i + 1);
    return Http2Peer::frame(NGHTTP2_HEADERS, kEndHeaders | kEndStream, id,
                            wire::request_head("GET", "/hello")) +
           Http2Peer::frame(NGHTTP2_RST_STREAM, 0, id, big_endian(NGHTTP2_CANCEL, 4));
  });
}

// CVE-2025-8671: streams that the server itself has to reset.
TEST_F(Http2BadInputTest, ResetsThatThePeerBringsAboutHaveALimit) {
  serve();
  flood("max_resets", [](int i) {
    const auto id = static_cast<std::uint32_t>(2 * i + 1);
    return Http2Peer::frame(NGHTTP2_HEADERS, kEndHeaders, id, wire::request_head("POST", "/echo")) +
           Http2Peer::frame(NGHTTP2_WINDOW_UPDATE, 0, id, big_endian(0x7fffffff, 4));
  });
}

TEST_F(Http2BadInputTest, ResetsForBodiesThatAreLongerThanTheySayHaveALimit) {
  serve();
  flood("max_resets", [](int i) {
    const auto id = static_cast<std::uint32_t>(2 * i + 1);
    return Http2Peer::frame(NGHTTP2_HEADERS, kEndHeaders, id,
                            wire::request_head("POST", "/count") + literal("content-length", "1")) +
           Http2Peer::frame(NGHTTP2_DATA, 0, id, "two");
  });
}

TEST_F(Http2BadInputTest, ResetsForFieldsThatAreNotAllowedHaveALimit) {
  serve();
  flood("max_resets", [](int i) {
    return Http2Peer::frame(NGHTTP2_HEADERS, kEndHeaders | kEndStream,
                            static_cast<std::uint32_t>(2 * i + 1),
                            wire::request_head("GET", "/hello") + literal("connection", "close"));
  });
}

// Who resets its streams does not get more handlers than who does not.
TEST_F(Http2BadInputTest, HandlersThatRunHaveALimit) {
  options_.max_streams = 4;
  std::atomic<int> begun{0};
  std::atomic<bool> go{false};
  table_->add("GET", "/stubborn", [&](Request) -> Task<Response> {
    ++begun;
    while (!go) {
      // Does not listen to its cancellation.
      const Result<void> slept = co_await as_result(with_context(Context(), sleep_for(1ms)));
      EXPECT_TRUE(slept);
    }
    co_return Response(200);
  });
  serve();
  Http2Peer peer(port());
  for (std::uint32_t id = 1; id < 40; id += 2) {
    ASSERT_TRUE(peer.ask(id, "/stubborn"));
    ASSERT_TRUE(peer.send(NGHTTP2_RST_STREAM, 0, id, big_endian(NGHTTP2_CANCEL, 4)));
  }
  ASSERT_TRUE(peer.ask(41, "/hello"));
  EXPECT_EQ(peer.answer(41).status, -NGHTTP2_REFUSED_STREAM);
  EXPECT_EQ(begun, 4);
  EXPECT_EQ(refused("max_streams"), 17);
  go = true;
  EXPECT_TRUE(eventually([&] { return stat("settee.http.server.in_flight") == 0; }));
  std::uint32_t id = 43;
  EXPECT_TRUE(eventually([&] {
    EXPECT_TRUE(peer.ask(id, "/hello"));
    return peer.answer(std::exchange(id, id + 2)).status == 200;
  }));
}

// CVE-2024-28182
TEST_F(Http2BadInputTest, ContinuationsHaveALimit) {
  serve();
  Http2Peer peer(port());
  ASSERT_TRUE(peer.send(NGHTTP2_HEADERS, kEndStream, 1, wire::request_head("GET", "/hello")));
  for (int i = 0; i < 100 && peer.send(NGHTTP2_CONTINUATION, 0, 1, literal("x", "y")); ++i) {
  }
  EXPECT_TRUE(peer.closed());
  EXPECT_EQ(refused("bad_request"), 1) << log();
}

TEST_F(Http2BadInputTest, HeadersHaveASizeAndANumber) {
  options_.max_header = 1000;
  options_.max_fields = 12;
  options_.max_target = 100;
  serve();
  Http2Peer peer(port());
  const auto with = [&](std::uint32_t id, std::string_view path, const std::string& fields) {
    EXPECT_TRUE(peer.send(NGHTTP2_HEADERS, kEndHeaders | kEndStream, id,
                          wire::request_head("GET", path) + fields));
    return peer.answer(id).status;
  };
  EXPECT_EQ(with(1, "/hello", literal("x", std::string(700, 'x'))), 200);
  EXPECT_EQ(with(3, "/hello", literal("x", std::string(1000, 'x'))), 431);
  std::string fields;
  for (int i = 0; i < 9; ++i) fields += literal("x", "y");
  EXPECT_EQ(with(5, "/hello", fields), 431);
  EXPECT_EQ(with(7, "/hello?" + std::string(100, 'q'), ""), 414);
  EXPECT_EQ(refused("max_header"), 2);
  EXPECT_EQ(refused("max_target"), 1);
}

// A field of 4000 bytes in the table, then a byte for each time that it is meant.
TEST_F(Http2BadInputTest, ASmallBlockThatUnpacksToALargeOneEndsTheConnection) {
  serve();
  Http2Peer peer(port());
  std::string block = wire::request_head("GET", "/hello");
  block += "\x40\x01x\x7f\xa1\x1e" + std::string(4000, 'x');  // 127 + 33 + 30 * 128 = 4000
  block += std::string(10'000, '\xbe');                       // index 62
  ASSERT_TRUE(peer.send(NGHTTP2_HEADERS, kEndHeaders | kEndStream, 1, block));
  EXPECT_EQ(peer.goaway(), NGHTTP2_ENHANCE_YOUR_CALM);
  EXPECT_TRUE(peer.closed());
  EXPECT_EQ(refused("max_header"), 1) << log();
}

TEST_F(Http2BadInputTest, ABlockThatDoesNotUnpackEndsTheConnection) {
  serve();
  std::int64_t count = 0;
  for (const std::string& bad : {
           std::string(1, '\xff') + std::string(20, '\xff') + "\x01",  // an index beyond 2^32
           std::string("\xbe"),                                        // one that nobody has made
           std::string("\x3f\xe2\x1f"),  // a table of 4097 bytes: 31 + 98 + 31 * 128
           std::string("\x00\x7f\xff\xff\xff\x07x", 7),  // a name that is longer than all
           std::string("\x00\x82\xff\xff\x01y", 6),      // a code of more than the padding
       }) {
    Http2Peer peer(port());
    ASSERT_TRUE(peer.send(NGHTTP2_HEADERS, kEndHeaders | kEndStream, 1,
                          wire::request_head("GET", "/hello") + bad));
    EXPECT_EQ(peer.goaway(), NGHTTP2_COMPRESSION_ERROR);
    EXPECT_TRUE(peer.closed());
    EXPECT_EQ(refused("bad_request"), ++count) << log();
  }
}

TEST_F(Http2BadInputTest, BodiesHaveASize) {
  options_.max_body = 100;
  serve();
  Http2Peer peer(port());
  ASSERT_TRUE(peer.begin(1, "/echo", literal("content-length", "101")));
  EXPECT_EQ(peer.answer(1).status, 413);
  ASSERT_TRUE(peer.begin(3, "/echo"));
  ASSERT_TRUE(peer.send(NGHTTP2_DATA, 0, 3, std::string(60, 'b')));
  ASSERT_TRUE(peer.send(NGHTTP2_DATA, 0, 3, std::string(60, 'b')));
  EXPECT_EQ(peer.answer(3).status, 413);
  ASSERT_TRUE(peer.begin(5, "/echo"));
  ASSERT_TRUE(peer.send(NGHTTP2_DATA, kEndStream, 5, std::string(100, 'b')));
  EXPECT_EQ(peer.answer(5).body.size(), 100u);
  // Many streams do not take together what none may take alone.
  for (std::uint32_t id = 7; id < 17; id += 2) {
    ASSERT_TRUE(peer.begin(id, "/echo"));
    ASSERT_TRUE(peer.send(NGHTTP2_DATA, 0, id, std::string(60, 'b')));
  }
  EXPECT_EQ(peer.answer(13).status, 503);
  EXPECT_GE(refused("max_body"), 3);
}

TEST_F(Http2BadInputTest, HostAndAuthorityMustAgree) {
  serve();
  Http2Peer peer(port());
  const std::string head = wire::request_head("GET", "/hello");
  ASSERT_TRUE(peer.send(NGHTTP2_HEADERS, kEndHeaders | kEndStream, 1, head + literal("host", "b")));
  EXPECT_EQ(peer.answer(1).status, 400);
  ASSERT_TRUE(peer.send(NGHTTP2_HEADERS, kEndHeaders | kEndStream, 3, head + literal("host", "a")));
  EXPECT_EQ(peer.answer(3).status, 200);
}

TEST_F(Http2BadInputTest, FieldsOfHttp1AndControlCharactersAreRefused) {
  serve();
  Http2Peer peer(port());
  std::uint32_t id = 1;
  for (const std::string& bad :
       {literal("connection", "close"), literal("transfer-encoding", "chunked"),
        literal("X-Upper", "y"), literal("x", "a\r\nb: c"), literal("x", std::string("a\0b", 3)),
        literal("te", "gzip"), literal(":status", "200"), literal("a b", "c")}) {
    ASSERT_TRUE(peer.send(NGHTTP2_HEADERS, kEndHeaders | kEndStream, id,
                          wire::request_head("GET", "/hello") + bad));
    EXPECT_LT(peer.answer(id).status, 0) << bad;
    id += 2;
  }
}

TEST_F(Http2BadInputTest, WhoTakesTooLongIsSentAway) {
  options_.head_timeout = 150ms;
  options_.body_timeout = 150ms;
  options_.idle_timeout = 400ms;
  serve();
  Http2Peer silent(port(), false);
  ASSERT_TRUE(silent.send_raw("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"));
  Http2Peer head(port());
  ASSERT_TRUE(head.send(NGHTTP2_HEADERS, 0, 1, wire::request_head("GET", "/hello")));
  Http2Peer body(port());
  ASSERT_TRUE(body.begin(1, "/echo"));
  ASSERT_TRUE(body.send(NGHTTP2_DATA, 0, 1, "first"));
  Http2Peer idle(port());
  EXPECT_EQ(silent.goaway(), NGHTTP2_ENHANCE_YOUR_CALM);
  EXPECT_TRUE(silent.closed());
  EXPECT_EQ(head.goaway(), NGHTTP2_ENHANCE_YOUR_CALM);
  EXPECT_TRUE(head.closed());
  EXPECT_EQ(body.answer(1).status, 408);
  EXPECT_EQ(idle.goaway(), NGHTTP2_NO_ERROR);
  EXPECT_TRUE(idle.closed());
  EXPECT_EQ(refused("head_timeout"), 2);
  EXPECT_EQ(refused("body_timeout"), 1);
}

TEST_F(Http2BadInputTest, AWindowThatStaysClosedEndsItsStream) {
  options_.write_timeout = 150ms;
  serve();
  Http2Peer peer(port());
  ASSERT_TRUE(peer.set(NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, 0));
  ASSERT_TRUE(peer.ask(1, "/hello"));
  ASSERT_TRUE(peer.ask(3, "/flood"));
  EXPECT_EQ(peer.answer(1).status, -NGHTTP2_CANCEL);
  EXPECT_EQ(peer.answer(3).status, -NGHTTP2_CANCEL);
  EXPECT_EQ(refused("write_timeout"), 2);
  EXPECT_TRUE(eventually([&] { return stat("settee.http.server.in_flight") == 0; }));
}

TEST_F(Http2BadInputTest, WhoTakesNothingIsSentAway) {
  options_.write_timeout = 200ms;
  options_.max_unsent = 64 * 1024;
  serve();
  Http2Peer peer(port(), true, 4096);
  ASSERT_TRUE(peer.set(NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, 0x7fffffff));
  ASSERT_TRUE(peer.open_window(0, 0x7fff0000));
  ASSERT_TRUE(peer.ask(1, "/flood"));
  EXPECT_TRUE(eventually([&] { return refused("write_timeout") >= 1; }));
  EXPECT_TRUE(eventually([&] { return stat("settee.net.connections", {{"role", "http"}}) == 0; }));
}

// Requests that never get as far as their handler keep nobody else from one.
TEST_F(Http2BadInputTest, RequestsThatEndBeforeTheirHandlerLeaveRoomForOthers) {
  options_.max_streams = 4;
  options_.max_body = 100;
  serve();
  Http2Peer peer(port());
  std::uint32_t id = 1;
  for (int i = 0; i < 20; ++i, id += 6) {
    ASSERT_TRUE(peer.begin(id, "/echo"));
    ASSERT_TRUE(peer.send(NGHTTP2_DATA, 0, id, std::string(101, 'b')));
    EXPECT_EQ(peer.answer(id).status, 413);
    ASSERT_TRUE(peer.begin(id + 2, "/echo", literal("content-encoding", "gzip")));
    ASSERT_TRUE(peer.send(NGHTTP2_DATA, kEndStream, id + 2, "no gzip"));
    EXPECT_EQ(peer.answer(id + 2).status, 400);
    ASSERT_TRUE(peer.begin(id + 4, "/echo"));
    ASSERT_TRUE(peer.send(NGHTTP2_RST_STREAM, 0, id + 4, big_endian(NGHTTP2_CANCEL, 4)));
  }
  ASSERT_TRUE(peer.ask(id, "/hello"));
  EXPECT_EQ(peer.answer(id).status, 200);
  EXPECT_EQ(refused("max_streams"), 0);
}

TEST_F(Http2BadInputTest, TheFirstBytesOfAHeadMustBeFollowedByTheRest) {
  options_.head_timeout = 150ms;
  serve();
  Http2Peer peer(port());
  ASSERT_TRUE(peer.send_raw(std::string("\0\0\x1a\1\4\0\0\0\1", 9)));
  EXPECT_EQ(peer.goaway(), NGHTTP2_ENHANCE_YOUR_CALM);
  EXPECT_TRUE(peer.closed());
  EXPECT_EQ(refused("head_timeout"), 1);
}

// Trailers of a request that has been answered are passed over, and nothing is awaited behind them.
TEST_F(Http2BadInputTest, AHeadThatIsPassedOverHasNoTimeout) {
  options_.head_timeout = 150ms;
  serve();
  Http2Peer peer(port());
  ASSERT_TRUE(peer.begin(1, "/none"));
  EXPECT_EQ(peer.answer(1).status, 404);
  ASSERT_NE(peer.next(NGHTTP2_RST_STREAM).type, -1);
  ASSERT_TRUE(peer.ask(3, "/nap?ms=600"));
  ASSERT_TRUE(peer.send(NGHTTP2_HEADERS, kEndHeaders | kEndStream, 1, literal("x", "y")));
  EXPECT_EQ(peer.answer(3).body, "slept");
}

TEST_F(Http2BadInputTest, AnAnswerEndsARequestWhoseBodyStillComes) {
  options_.idle_timeout = 300ms;
  serve();
  Http2Peer peer(port());
  ASSERT_TRUE(peer.begin(1, "/none"));
  EXPECT_EQ(peer.answer(1).status, 404);
  EXPECT_EQ(peer.next(NGHTTP2_RST_STREAM).payload, big_endian(NGHTTP2_NO_ERROR, 4));
  // What is on its way is forgotten, and the connection is one without requests.
  ASSERT_TRUE(peer.send(NGHTTP2_DATA, 0, 1, "on its way"));
  EXPECT_EQ(peer.goaway(), NGHTTP2_NO_ERROR);
  EXPECT_TRUE(peer.closed());
}

TEST_F(Http2BadInputTest, ABodyThatStopsIsTimedOut) {
  options_.body_timeout = 150ms;
  serve();
  Http2Peer peer(port());
  // Much at the beginning is no allowance for hours.
  ASSERT_TRUE(peer.begin(1, "/echo"));
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(peer.send(NGHTTP2_DATA, 0, 1, std::string(16384, 'b')));
  EXPECT_EQ(peer.answer(1).status, 408);
  EXPECT_EQ(refused("body_timeout"), 1);
  ASSERT_TRUE(peer.begin(3, "/count"));
  ASSERT_TRUE(peer.send(NGHTTP2_DATA, 0, 3, "first"));
  EXPECT_LT(peer.answer(3).status, 0);
  EXPECT_EQ(refused("body_timeout"), 2);
}

TEST_F(Http2BadInputTest, ABodyThatNobodyReadsIsNotTimedOut) {
  options_.body_timeout = 100ms;
  std::atomic<bool> go{false};
  table_->add(
      "POST", "/later",
      [&](Request request) -> Task<Response> {
        while (!go) co_await sleep_for(1ms);
        co_return Response(200, "text/plain", co_await request.body.read(100));
      },
      streaming());
  serve();
  Http2Peer peer(port());
  ASSERT_TRUE(peer.begin(1, "/later"));
  ASSERT_TRUE(peer.ask(3, "/nap?ms=500"));
  EXPECT_EQ(peer.answer(3).body, "slept");
  ASSERT_TRUE(peer.send(NGHTTP2_DATA, kEndStream, 1, "late"));
  go = true;
  EXPECT_EQ(peer.answer(1).body, "late");
}

TEST_F(Http2BadInputTest, TrailersHaveASizeAndANumber) {
  options_.max_fields = 12;
  serve();
  Http2Peer peer(port());
  std::string fields;
  for (int i = 0; i < 13; ++i) fields += literal("x", "y");
  ASSERT_TRUE(peer.begin(1, "/echo"));
  ASSERT_TRUE(peer.send(NGHTTP2_HEADERS, kEndHeaders | kEndStream, 1, fields));
  EXPECT_EQ(peer.answer(1).status, 431);
  ASSERT_TRUE(peer.begin(3, "/count"));
  ASSERT_TRUE(peer.send(NGHTTP2_HEADERS, kEndHeaders | kEndStream, 3, fields));
  EXPECT_LT(peer.answer(3).status, 0);
  EXPECT_EQ(refused("max_header"), 2);
}

TEST_F(Http2BadInputTest, PathAndHostMustBeSome) {
  serve();
  Http2Peer peer(port());
  std::uint32_t id = 1;
  const auto answer = [&](std::string_view scheme, std::string_view path, std::string_view host) {
    const std::uint32_t stream = std::exchange(id, id + 2);
    EXPECT_TRUE(peer.send(NGHTTP2_HEADERS, kEndHeaders | kEndStream, stream,
                          literal(":method", "GET") + literal(":scheme", scheme) +
                              literal(":path", path) + literal(":authority", host)));
    return peer.answer(stream).status;
  };
  EXPECT_EQ(answer("foo", "/hello", "a:80"), 200);
  EXPECT_EQ(answer("foo", "hello", "a"), 400);
  EXPECT_EQ(answer("foo", "*", "a"), 400);
  EXPECT_EQ(answer("http", "/hello", "good@evil"), 400);
  EXPECT_EQ(answer("http", "/hello", "good,evil"), 400);
}

// Java SOFARPC's client names no host.
TEST_F(Http2BadInputTest, AnAuthorityNeedNotBeThere) {
  table_->add("GET", "/host", [](Request request) -> Task<Response> {
    co_return Response(200, "text/plain", request.headers.find("host") ? "some" : "none");
  });
  serve();
  Http2Peer peer(port());
  const std::string head = literal(":method", "GET") + literal(":scheme", "http");
  ASSERT_TRUE(
      peer.send(NGHTTP2_HEADERS, kEndHeaders | kEndStream, 1, head + literal(":path", "/host")));
  EXPECT_EQ(peer.answer(1).body, "none");
  ASSERT_TRUE(peer.send(NGHTTP2_HEADERS, kEndHeaders | kEndStream, 3, head));
  EXPECT_EQ(peer.answer(3).status, -NGHTTP2_PROTOCOL_ERROR);
}

TEST_F(Http2BadInputTest, BodiesAndTrailersThatBreakTheRulesResetTheirStream) {
  serve();
  Http2Peer peer(port());
  const auto answer = [&](std::uint32_t id, std::string_view length, int type, int flags,
                          std::string_view payload) {
    const std::string told = length.empty() ? "" : literal("content-length", length);
    EXPECT_TRUE(peer.begin(id, "/echo", told));
    EXPECT_TRUE(peer.send(type, flags, id, payload));
    return peer.answer(id).status;
  };
  const int kAll = kEndHeaders | kEndStream;
  EXPECT_EQ(answer(1, "2", NGHTTP2_DATA, kEndStream, "b"), -NGHTTP2_PROTOCOL_ERROR);
  EXPECT_EQ(answer(3, "2", NGHTTP2_DATA, 0, "bbb"), -NGHTTP2_PROTOCOL_ERROR);
  EXPECT_EQ(answer(5, "2", NGHTTP2_HEADERS, kAll, literal("x", "y")), -NGHTTP2_PROTOCOL_ERROR);
  EXPECT_EQ(answer(7, "", NGHTTP2_HEADERS, kEndHeaders, literal("x", "y")),
            -NGHTTP2_PROTOCOL_ERROR);
  EXPECT_EQ(answer(9, "", NGHTTP2_HEADERS, kAll, literal(":path", "/")), -NGHTTP2_PROTOCOL_ERROR);
  ASSERT_TRUE(peer.send(NGHTTP2_HEADERS, kAll, 11,
                        wire::request_head("POST", "/echo") + literal("content-length", "1")));
  EXPECT_EQ(peer.answer(11).status, -NGHTTP2_PROTOCOL_ERROR);
  EXPECT_EQ(answer(13, "2", NGHTTP2_DATA, kEndStream, "bb"), 200);
}

TEST_F(Http2BadInputTest, WhatIsNoFrameEndsTheConnection) {
  serve();
  for (const std::string& bad :
       {std::string("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\nGET / HTTP/1.1\r\nhost: a\r\n\r\n"),
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + std::string(100, '\xff'),
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + Http2Peer::frame(NGHTTP2_SETTINGS, 0, 0, "") +
            Http2Peer::frame(NGHTTP2_HEADERS, kEndHeaders, 1, "\x80")}) {
    wire::Peer peer(port());
    ASSERT_TRUE(peer.send(bad));
    EXPECT_TRUE(peer.closed());
  }
}

}  // namespace
}  // namespace settee::http
