// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0
//
// Streams of Settee's client over grpc://, to servers of gRPC C++ and grpc-js.

#include <gtest/gtest.h>

#include "interop/tests/market_service.h"
#include "interop/tests/peer_process.h"
#include "settee/base/error_test.h"

namespace {

using namespace std::chrono_literals;
using interop::Line;
using interop::Market;
using settee::AsyncStream;
using settee::Code;
using settee::Error;
using settee::StreamSink;
using settee::Task;

Line line_of(std::string sku, std::int32_t count) {
  Line line;
  line.sku = std::move(sku);
  line.count = count;
  return line;
}

// Counted from 1.
AsyncStream<Line> lines_of(int count) {
  const auto produce = [count](StreamSink<Line>& sink) -> Task<void> {
    for (int i = 1; i <= count; ++i) {
      Task<bool> writing = sink.write(line_of("a", i));
      if (!co_await std::move(writing)) co_return;
    }
  };
  return settee::produce_stream<Line>(produce);
}

struct Seen {
  int lines = 0;
  bool in_order = true;
};

Task<void> read_all(AsyncStream<Line> stream, Seen& seen) {
  while (std::optional<Line> line = co_await stream.next()) {
    seen.in_order = seen.in_order && line->count == ++seen.lines;
  }
}

class GrpcStreamsClientTest : public testing::TestWithParam<const char*> {
 protected:
  GrpcStreamsClientTest() {
    const std::string server = GetParam();
    std::vector<std::string> command;
    if (server == "GrpcJs") {
      command = {"node", interop::built("node") + "/grpc_server.js"};
    } else {
      command = {interop::own_program("grpc_cpp_server")};
    }
    server_.emplace(command);
    const std::optional<std::string> port = server_->read_line(60s);
    if (!port) throw std::runtime_error(server_->name() + ": " + server_->errors());
    url_ = "grpc://127.0.0.1:" + *port;
    settee::rpc::ClientOptions options;
    options.timeout = 30s;
    client_.emplace(runtime_, options);
    market_.emplace(client_->refer<Market>(url_));
  }
  // A call that the server still has would keep it.
  ~GrpcStreamsClientTest() override {
    market_.reset();
    client_.reset();
    server_->end_input();
    EXPECT_EQ(server_->wait(60s), 0) << server_->errors();
  }

  settee::Runtime runtime_{{.threads = 1}};
  std::optional<interop::Child> server_;
  std::optional<settee::rpc::Client> client_;
  std::optional<settee::rpc::Reference<Market>> market_;
  std::string url_;
};

TEST_P(GrpcStreamsClientTest, WhatTheServerSendsComesInOrderToItsEnd) {
  Seen seen;
  runtime_.run(read_all((*market_)->watch("a", 5'000), seen));
  EXPECT_EQ(seen.lines, 5'000);
  EXPECT_TRUE(seen.in_order);
  Seen none;
  runtime_.run(read_all((*market_)->watch("a", 0), none));
  EXPECT_EQ(none.lines, 0);
}

// More than all windows together: who does not read is waited for, and gets all.
TEST_P(GrpcStreamsClientTest, LargeMessagesComeWhenTheyAreRead) {
  auto slowly = [](Market& market, Seen& seen) -> Task<void> {
    AsyncStream<Line> stream = market.watch(std::string(100'000, 'x'), 100);
    std::optional<Line> first = co_await stream.next();
    if (first) seen.lines = first->count;
    co_await settee::sleep_for(300ms);
    co_await read_all(std::move(stream), seen);
  };
  Seen seen;
  runtime_.run(slowly(**market_, seen));
  EXPECT_EQ(seen.lines, 100);
  EXPECT_TRUE(seen.in_order);
}

TEST_P(GrpcStreamsClientTest, WhatIsUploadedIsCounted) {
  EXPECT_EQ(runtime_.run((*market_)->upload(lines_of(5'000))), 12'502'500);
  EXPECT_EQ(runtime_.run((*market_)->upload(lines_of(0))), 0);
}

TEST_P(GrpcStreamsClientTest, TheServerMayAnswerBeforeTheCallersStreamEnds) {
  const auto endless = [](StreamSink<Line>& sink) -> Task<void> {
    for (bool wanted = true; wanted;) {
      Task<bool> writing = sink.write(line_of("z", -7));
      wanted = co_await std::move(writing);
    }
  };
  EXPECT_EQ(runtime_.run((*market_)->upload(settee::produce_stream<Line>(endless))), -7);
}

TEST_P(GrpcStreamsClientTest, BothSidesTakeTurnsAndAnErrorEndsThem) {
  auto talk = [](Market& market, int& heard) -> Task<void> {
    auto ends = settee::make_stream<Line>();
    AsyncStream<Line> answers = market.chat(std::move(ends.second));
    for (int i = 1; i <= 100; ++i) {
      Task<bool> writing = ends.first.write(line_of("a", i));
      co_await std::move(writing);
      std::optional<Line> answer = co_await answers.next();
      if (!answer || answer->count != i) co_return;
      ++heard;
    }
    ends.first.close();
    while (std::optional<Line> more = co_await answers.next()) ++heard;
  };
  int heard = 0;
  const Error error = error_of(runtime_, talk(**market_, heard));
  EXPECT_EQ(heard, 100);
  EXPECT_NE(error.message().find("closing"), std::string::npos) << error.message();
}

TEST_P(GrpcStreamsClientTest, WhoDropsTheStreamCancelsItAtTheServer) {
  auto peek = [](Market& market) -> Task<int> {
    AsyncStream<Line> stream = market.watch(std::string(1'000, 'x'), 2'000'000'000);
    std::optional<Line> first = co_await stream.next();
    co_return first ? first->count : -1;
  };
  EXPECT_EQ(runtime_.run(peek(**market_)), 1);
  EXPECT_EQ(server_->read_line(30s), "watch cancelled");
}

TEST_P(GrpcStreamsClientTest, ADeadlineEndsACallAtBothEnds) {
  runtime_.run((*market_)->header("connects"));
  auto ends = settee::make_stream<Line>();
  const Error error =
      error_of(runtime_, settee::with_timeout(1s, (*market_)->upload(std::move(ends.second))));
  EXPECT_EQ(error.code(), Code::kTimeout) << error.message();
  EXPECT_EQ(server_->read_line(30s), "upload cancelled");
}

TEST_P(GrpcStreamsClientTest, BaggageGoesAlong) {
  settee::rpc::Baggage baggage;
  baggage.emplace("tenant", "blue");
  const settee::Context context = settee::Context().with(settee::rpc::kRequestBaggage, baggage);
  EXPECT_EQ(runtime_.run(settee::with_context(context, (*market_)->header("any"))), "blue");
}

INSTANTIATE_TEST_SUITE_P(To, GrpcStreamsClientTest, testing::Values("GrpcCpp", "GrpcJs"),
                         [](const auto& info) { return std::string(info.param); });

}  // namespace
