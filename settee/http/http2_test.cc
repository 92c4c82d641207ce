// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0
//
// HTTP/2 as it should be; what should not be is in http2_bad_input_test.cc.

#include <nghttp2/nghttp2.h>

#include "settee/http/http2_test_peer.h"

namespace settee::http {
namespace {

using wire::Answer;
using wire::eventually;
using wire::Frame;
using wire::Http2Peer;
using wire::kEndHeaders;
using wire::kEndStream;
using wire::literal;
using namespace std::chrono_literals;

using Http2Test = wire::HttpTest;

TEST_F(Http2Test, AnswersOnStreamsInAnyOrder) {
  serve();
  Http2Peer peer(port());
  ASSERT_TRUE(peer.ask(1, "/nap?ms=50"));
  ASSERT_TRUE(peer.ask(3, "/hello"));
  ASSERT_TRUE(peer.ask(5, "/none"));
  const Answer hello = peer.answer(3);
  EXPECT_EQ(hello.status, 200);
  EXPECT_EQ(hello.body, "hello");
  EXPECT_TRUE(hello.has("content-type: text/plain\r\n"));
  EXPECT_TRUE(hello.has("content-length: 5\r\n"));
  EXPECT_TRUE(hello.has(" GMT\r\n"));
  EXPECT_EQ(peer.answer(5).status, 404);
  EXPECT_EQ(peer.answer(1).body, "slept");
}

TEST_F(Http2Test, BodiesAndTrailersGoBothWays) {
  serve();
  Http2Peer peer(port());
  ASSERT_TRUE(peer.begin(1, "/echo"));
  ASSERT_TRUE(peer.send(NGHTTP2_DATA, 0, 1, "to be "));
  ASSERT_TRUE(peer.send(NGHTTP2_DATA, kEndStream, 1, "continued"));
  EXPECT_EQ(peer.answer(1).body, "to be continued");
  ASSERT_TRUE(peer.begin(3, "/count"));
  ASSERT_TRUE(peer.send(NGHTTP2_DATA, 0, 3, "12345"));
  ASSERT_TRUE(peer.send(NGHTTP2_HEADERS, kEndHeaders | kEndStream, 3, literal("x-sum", "five")));
  EXPECT_EQ(peer.answer(3).body, "5 five");
  ASSERT_TRUE(peer.ask(5, "/parts"));
  const Answer parts = peer.answer(5);
  EXPECT_EQ(parts.body, "part part part part part ");
  EXPECT_EQ(parts.trailers, "x-checked: yes\r\n");
  ASSERT_TRUE(peer.send(NGHTTP2_HEADERS, kEndHeaders | kEndStream, 7,
                        wire::request_head("HEAD", "/hello")));
  const Answer head = peer.answer(7);
  EXPECT_TRUE(head.has("content-length: 5\r\n"));
  EXPECT_EQ(head.body, "");
}

TEST_F(Http2Test, HeadersArriveAsOneList) {
  std::string seen;
  table_->add("GET", "/list", [&](Request request) -> Task<Response> {
    for (const Headers::Field field : request.headers) {
      seen += std::string(field.name) + "=" + std::string(field.value) + "|";
    }
    Response response(204);
    response.headers.add("X-Upper", "Kept");
    co_return response;
  });
  serve();
  Http2Peer peer(port());
  ASSERT_TRUE(peer.send(NGHTTP2_HEADERS, kEndHeaders | kEndStream, 1,
                        wire::request_head("GET", "/list") + literal("cookie", "a=1") +
                            literal("x", "y") + literal("cookie", "b=2")));
  EXPECT_TRUE(peer.answer(1).has("x-upper: Kept\r\n"));
  EXPECT_EQ(seen, "host=a|x=y|cookie=a=1; b=2|");
}

TEST_F(Http2Test, AnAnswerWaitsForItsWindow) {
  serve();
  Http2Peer peer(port());
  ASSERT_TRUE(peer.set(NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, 10));
  ASSERT_TRUE(peer.ask(1, "/parts"));
  while (peer.so_far(1).body.size() < 10) ASSERT_NE(peer.next(NGHTTP2_DATA).type, -1);
  ASSERT_TRUE(peer.ask(3, "/hello"));  // others go on meanwhile
  EXPECT_EQ(peer.answer(3).body, "hello");
  EXPECT_EQ(peer.so_far(1).body, "part part ");
  ASSERT_TRUE(peer.open_window(1, 1000));
  EXPECT_EQ(peer.answer(1).body, "part part part part part ");
}

TEST_F(Http2Test, AnAnswerWithoutEndIsMadeAsItsPeerTakesIt) {
  serve();
  Http2Peer peer(port());
  ASSERT_TRUE(peer.ask(1, "/flood"));
  std::size_t taken = 0;
  while (taken < 3'000'000) {
    const Frame frame = peer.next(NGHTTP2_DATA);
    ASSERT_EQ(frame.type, NGHTTP2_DATA);
    const auto size = static_cast<std::uint32_t>(frame.payload.size());
    taken += size;
    ASSERT_TRUE(peer.open_window(0, size));
    ASSERT_TRUE(peer.open_window(1, size));
  }
  ASSERT_TRUE(peer.send(NGHTTP2_RST_STREAM, 0, 1, wire::big_endian(NGHTTP2_CANCEL, 4)));
  EXPECT_TRUE(eventually([&] { return stat("settee.http.server.in_flight") == 0; }));
  ASSERT_TRUE(peer.ask(3, "/nap?ms=1"));
  EXPECT_TRUE(peer.open_window(0, 1000));
  EXPECT_EQ(peer.answer(3).body, "slept");
}

TEST_F(Http2Test, AStreamingHandlerSlowsItsStreamOnly) {
  options_.window = 64 * 1024;
  slow_reader_ = true;
  serve();
  Http2Peer peer(port());
  ASSERT_NE(peer.next(NGHTTP2_SETTINGS).type, -1);
  ASSERT_TRUE(peer.send(NGHTTP2_SETTINGS, 1, 0, ""));  // now the window is what it asked for
  ASSERT_TRUE(peer.begin(1, "/count"));
  // All that the window has room for, then nothing is given until the handler has read.
  const std::string part(16 * 1024, 'b');
  for (int i = 0; i < 4; ++i) ASSERT_TRUE(peer.send(NGHTTP2_DATA, 0, 1, part));
  ASSERT_TRUE(peer.begin(3, "/echo"));
  ASSERT_TRUE(peer.send(NGHTTP2_DATA, kEndStream, 3, "quick"));
  EXPECT_EQ(peer.answer(3).body, "quick");
  ASSERT_TRUE(peer.window_opens(1));
  EXPECT_GT(counted_, 0u);
  ASSERT_TRUE(peer.send(NGHTTP2_DATA, kEndStream, 1, part));
  EXPECT_EQ(peer.answer(1).body, std::to_string(5 * part.size()) + " ");
}

// A reader that waits takes a part before the frame's callback is over.
TEST_F(Http2Test, AStreamingHandlerTakesMoreThanItsWindow) {
  options_.window = 1000;
  serve();
  Http2Peer peer(port());
  ASSERT_NE(peer.next(NGHTTP2_SETTINGS).type, -1);
  ASSERT_TRUE(peer.send(NGHTTP2_SETTINGS, 1, 0, ""));
  ASSERT_TRUE(peer.begin(1, "/count"));
  ASSERT_TRUE(peer.send(NGHTTP2_DATA, 0, 1, std::string(1000, 'b')));
  ASSERT_TRUE(peer.window_opens(1));
  ASSERT_TRUE(peer.send(NGHTTP2_DATA, kEndStream, 1, std::string(1000, 'b')));
  EXPECT_EQ(peer.answer(1).body, "2000 ");
}

TEST_F(Http2Test, LargeAnswersOfManyStreamsComeWhole) {
  const std::string large(1'000'000, 'x');
  table_->add("GET", "/large",
              [&](Request) -> Task<Response> { co_return Response(200, "a/b", large); });
  serve();
  Http2Peer peer(port());
  ASSERT_TRUE(peer.set(NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, 0x7fffffff));
  ASSERT_TRUE(peer.open_window(0, 0x7fff0000));
  for (std::uint32_t id = 1; id < 17; id += 2) ASSERT_TRUE(peer.ask(id, "/large"));
  for (std::uint32_t id = 1; id < 17; id += 2) EXPECT_EQ(peer.answer(id).body, large);
}

TEST_F(Http2Test, AResetCancelsTheHandler) {
  serve();
  Http2Peer peer(port());
  ASSERT_TRUE(peer.ask(1, "/nap?ms=60000"));
  ASSERT_TRUE(eventually([&] { return napping_ == 1; }));
  ASSERT_TRUE(peer.send(NGHTTP2_RST_STREAM, 0, 1, wire::big_endian(NGHTTP2_CANCEL, 4)));
  EXPECT_TRUE(eventually([&] { return cancelled_ == 1; }));
}

TEST_F(Http2Test, StopAnswersWhatItHasBegunAndSaysGoodbye) {
  serve();
  Http2Peer idle(port());
  ASSERT_TRUE(idle.ask(1, "/hello"));
  ASSERT_EQ(idle.answer(1).status, 200);
  Http2Peer busy(port());
  ASSERT_TRUE(busy.ask(1, "/nap?ms=200"));
  ASSERT_TRUE(eventually([&] { return napping_ == 1; }));
  std::thread stopping([&] { server_->stop(); });
  EXPECT_EQ(idle.goaway(), NGHTTP2_NO_ERROR);
  EXPECT_TRUE(idle.closed());
  EXPECT_EQ(busy.goaway(), NGHTTP2_NO_ERROR);
  EXPECT_EQ(busy.last_stream, 0x7fffffffu);  // more may be on its way: it is served
  ASSERT_TRUE(busy.ask(3, "/hello"));
  const Frame ping = busy.next(NGHTTP2_PING);
  ASSERT_TRUE(busy.send(NGHTTP2_PING, 1, 0, ping.payload));
  EXPECT_EQ(busy.answer(3).body, "hello");
  EXPECT_EQ(busy.answer(1).body, "slept");
  EXPECT_TRUE(busy.closed());
  stopping.join();
}

TEST_F(Http2Test, ARequestOfHttp1MayAskForIt) {
  table_->add("GET", "/peer", [](settee::http::Request request) -> Task<settee::http::Response> {
    co_return settee::http::Response(200, "text/plain", request.peer ? "known" : "unknown");
  });
  serve();
  Http2Peer peer(port(), false);
  ASSERT_TRUE(
      peer.send_raw("GET /peer HTTP/1.1\r\nhost: a\r\nconnection: upgrade, http2-settings\r\n"
                    "upgrade: h2c\r\nhttp2-settings: AAQAAP__\r\n\r\n"));
  const Answer switching = peer.peer().answer();
  EXPECT_EQ(switching.status, 101);
  EXPECT_TRUE(switching.has("upgrade: h2c\r\n"));
  ASSERT_TRUE(peer.send_raw("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" +
                            Http2Peer::frame(NGHTTP2_SETTINGS, 0, 0, "")));
  EXPECT_EQ(peer.answer(1).body, "known");
  ASSERT_TRUE(peer.ask(3, "/nap?ms=1"));
  EXPECT_EQ(peer.answer(3).body, "slept");
}

TEST_F(Http2Test, WhatCannotBeUpgradedIsAnsweredAsItCame) {
  serve();
  for (const char* fields :
       {"connection: upgrade\r\nupgrade: h2c\r\nhttp2-settings: AAQAAP__\r\n",
        "connection: upgrade, http2-settings\r\nupgrade: h2c\r\n",
        "connection: upgrade, http2-settings\r\nupgrade: h2c\r\nhttp2-settings: A!\r\n",
        "connection: upgrade, http2-settings\r\nupgrade: h2\r\nhttp2-settings: AAQAAP__\r\n"}) {
    wire::Peer peer(port());
    ASSERT_TRUE(peer.send(wire::get("/hello", fields)));
    EXPECT_EQ(peer.answer().status, 200) << fields;
  }
}

}  // namespace
}  // namespace settee::http
