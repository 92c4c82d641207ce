// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0
//
// Streaming gRPC calls to a server of ours, from frames made by hand.

#include <gtest/gtest.h>
#include <nghttp2/nghttp2.h>

#include "settee/http/server.h"
#include "settee/rpc/grpc/grpc_test_peer.h"
#include "settee/rpc/grpc/internal/wire.h"
#include "settee/rpc/grpc/proto.h"
#include "settee/rpc/grpc/ticks_test.h"
#include "settee/rpc/rpc.h"

namespace settee::rpc {
namespace {

using namespace std::chrono_literals;
using grpc::Output;
using grpc_test::framed;
using grpc_test::GrpcPeer;
using grpc_test::Outcome;
using grpc_test::value_of;
using ticks_test::MyTicks;
using ticks_test::Ticks;

std::string text_message(std::string_view text) {
  Output out;
  grpc::put_text(out, 1, text);
  return std::string(out.take().view());
}
std::string message(std::string_view text, std::uint64_t number) {
  Output out;
  grpc::put_text(out, 1, text);
  if (number != 0) grpc::put_number(out, 2, number);
  return std::string(out.take().view());
}

class GrpcStreamingTest : public testing::Test {
 protected:
  GrpcStreamingTest() {
    server_.provide<Ticks>(ticks_);
    server_.start();
    peer_ = std::make_unique<GrpcPeer>(server_.port());
  }
  std::uint32_t begin(std::string_view method, const grpc_test::Fields& more = {}) {
    return peer_->begin("/com.acme.Ticks/" + std::string(method), more);
  }
  /// Waits for so many messages of a stream that has not ended.
  std::vector<std::string> some(std::uint32_t stream, std::size_t count) {
    for (;;) {
      std::vector<std::string> messages = grpc_test::unframed(peer_->http().so_far(stream).body);
      if (messages.size() >= count) return messages;
      if (peer_->http().next(NGHTTP2_DATA).type == -1) return messages;
    }
  }

  Runtime runtime_{{.threads = 2}};
  std::shared_ptr<MyTicks> ticks_ = std::make_shared<MyTicks>();
  Server server_{runtime_, ServerOptions{.host = "127.0.0.1", .port = 0}};
  std::unique_ptr<GrpcPeer> peer_;
};

TEST_F(GrpcStreamingTest, AServersStreamComesInOrderAndEndsWithItsStatus) {
  const std::uint32_t stream = begin("watch");
  peer_->send(stream, framed(message("ACME", 500)), true);
  const Outcome outcome = peer_->finish(stream);
  EXPECT_EQ(value_of(outcome.answer.trailers, "grpc-status"), "0");
  ASSERT_EQ(outcome.messages.size(), 500U);
  EXPECT_EQ(outcome.messages[0], message("ACME", 0));
  EXPECT_EQ(outcome.messages[499], message("ACME", 499));
}

TEST_F(GrpcStreamingTest, AStreamThatFailsGivesWhatItHadAndItsError) {
  const std::uint32_t stream = begin("watch");
  peer_->send(stream, framed(message("failing", 3)), true);
  const Outcome outcome = peer_->finish(stream);
  EXPECT_EQ(outcome.messages.size(), 3U);
  EXPECT_EQ(outcome.status, "8");
  EXPECT_EQ(outcome.message, "the market is closed");
}

TEST_F(GrpcStreamingTest, AClientsStreamHasOneAnswer) {
  const std::uint32_t stream = begin("upload");
  for (int i = 1; i <= 100; ++i) {
    peer_->send(stream, framed(message("ACME", static_cast<std::uint64_t>(i))), i == 100);
  }
  const Outcome outcome = peer_->finish(stream);
  EXPECT_EQ(outcome.status, "0") << outcome.message;
  EXPECT_EQ(outcome.messages, std::vector<std::string>{"\x08\xba\x27"});
  EXPECT_EQ(value_of(outcome.answer.trailers, "rpc_resp_baggage.counted"), "yes");
}

TEST_F(GrpcStreamingTest, AMethodMayAnswerBeforeTheClientsStreamEnds) {
  const std::uint32_t stream = begin("upload");
  peer_->send(stream, framed(message("ACME", 7)) + framed(message("last", 1)), false);
  const Outcome outcome = peer_->finish(stream);
  EXPECT_EQ(outcome.status, "0");
  EXPECT_EQ(outcome.messages, std::vector<std::string>{"\x08\x07"});
}

TEST_F(GrpcStreamingTest, BothSidesSpeakInTurn) {
  const std::uint32_t stream = begin("chat");
  for (std::size_t i = 1; i <= 20; ++i) {
    peer_->send(stream, framed(text_message(std::to_string(i))), false);
    ASSERT_EQ(some(stream, i).size(), i);
    EXPECT_EQ(some(stream, i).back(), text_message("got " + std::to_string(i)));
  }
  peer_->send(stream, "", true);
  const Outcome outcome = peer_->finish(stream);
  EXPECT_EQ(outcome.status, "0");
  EXPECT_EQ(outcome.messages.back(), text_message("bye"));
}

TEST_F(GrpcStreamingTest, WhatIsNoMessageEndsTheCallWithItsPlace) {
  const std::uint32_t stream = begin("upload");
  peer_->send(stream, framed(message("ACME", 7)) + framed("\x10"), false);
  const Outcome outcome = peer_->finish(stream);
  EXPECT_EQ(outcome.status, "3");
  EXPECT_NE(outcome.message.find("cannot read the message: a number is cut off"), std::string::npos)
      << outcome.message;
}

TEST_F(GrpcStreamingTest, AUnaryRequestOfAStreamHasOneMessage) {
  const std::uint32_t none = begin("watch");
  peer_->send(none, "", true);
  EXPECT_EQ(peer_->finish(none).status, "3");
  const std::uint32_t two = begin("watch");
  peer_->send(two, framed(message("a", 1)) + framed(message("b", 1)), true);
  EXPECT_NE(peer_->finish(two).message.find("several messages"), std::string::npos);
}

TEST_F(GrpcStreamingTest, APeerThatLeavesEndsTheMethod) {
  const std::uint32_t stream = begin("watch");
  peer_->send(stream, framed(message("silent", 1)), true);
  ASSERT_EQ(some(stream, 1).size(), 1U);
  EXPECT_TRUE(peer_->http().send(NGHTTP2_RST_STREAM, 0, stream, wire::big_endian(8, 4)));
  EXPECT_TRUE(wire::eventually([&] { return ticks_->shared->ended == 1; }));
}

TEST_F(GrpcStreamingTest, AReaderThatTakesNothingHoldsTheMethodUp) {
  // Without new windows 64 KiB leave; messages of a thousand bytes, so far fewer than there are.
  const std::uint32_t stream = begin("watch");
  peer_->send(stream, framed(message(std::string(1000, 'x'), 100'000)), true);
  ASSERT_GE(some(stream, 60).size(), 60U);
  const auto quiet = [&] {
    const int before = ticks_->shared->written;
    std::this_thread::sleep_for(300ms);
    return ticks_->shared->written == before;
  };
  EXPECT_TRUE(wire::eventually(quiet));
  EXPECT_LT(ticks_->shared->written, 5000);
}

TEST_F(GrpcStreamingTest, TheDeadlineEndsAStream) {
  const std::uint32_t stream = begin("watch", {{"grpc-timeout", "100m"}});
  peer_->send(stream, framed(message("silent", 2)), true);
  const Outcome outcome = peer_->finish(stream);
  EXPECT_EQ(outcome.status, "4") << outcome.message;
  EXPECT_TRUE(wire::eventually([&] { return ticks_->shared->ended == 1; }));
}

TEST_F(GrpcStreamingTest, ARequestThatDoesNotComeEndsWithTheCallersTime) {
  const std::uint32_t stream = begin("watch", {{"grpc-timeout", "100m"}});
  EXPECT_EQ(peer_->finish(stream).status, "4");
}

TEST_F(GrpcStreamingTest, ARequestThatDoesNotComeEndsWithTheTimeOfBodies) {
  auto http = std::make_shared<http::ServerOptions>();
  http->body_timeout = 200ms;
  Server server(runtime_, ServerOptions{.host = "127.0.0.1", .port = 0, .http = http});
  server.provide<Ticks>(ticks_);
  server.start();
  GrpcPeer peer(server.port());
  const std::uint32_t stream = peer.begin("/com.acme.Ticks/watch");
  peer.send(stream, framed(message("ACME", 2)), false);  // and no end
  EXPECT_EQ(peer.finish(stream).status, "4");
  EXPECT_EQ(ticks_->shared->written, 0);
}

TEST_F(GrpcStreamingTest, TheProtoSaysWhatStreams) {
  const std::string text = grpc::proto_text(service_of<Ticks>());
  EXPECT_NE(text.find("rpc watch(TicksWatchRequest) returns (stream Tick);"), std::string::npos);
  EXPECT_NE(text.find("rpc upload(stream Tick) returns (TicksUploadResponse);"), std::string::npos);
  EXPECT_NE(text.find("rpc chat(stream TicksChatRequest) returns (stream TicksChatResponse);"),
            std::string::npos)
      << text;
}

}  // namespace
}  // namespace settee::rpc
