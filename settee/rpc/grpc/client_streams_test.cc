// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0
//
// Streaming calls of Settee's client over gRPC, in plain text and over TLS, and within one process.

#include <gtest/gtest.h>

#include "settee/base/error_test.h"
#include "settee/net/tls.h"
#include "settee/net/tls_test_certificates.h"
#include "settee/rpc/grpc/ticks_test.h"
#include "settee/rpc/rpc_test_peer.h"

namespace settee::rpc {
namespace {

using namespace std::chrono_literals;
using ticks_test::MyTicks;
using ticks_test::Tick;
using ticks_test::tick_of;
using ticks_test::Ticks;
using wire::eventually;

AsyncStream<Tick> ticks_of(int count, std::string symbol = "ACME") {
  const auto produce = [count, symbol](StreamSink<Tick>& sink) -> Task<void> {
    for (int i = 1; i <= count; ++i) {
      Task<bool> writing = sink.write(tick_of(symbol, i));
      if (!co_await std::move(writing)) co_return;
    }
  };
  return produce_stream<Tick>(produce);
}

template <class T>
Task<std::vector<T>> all_of(AsyncStream<T> stream) {
  std::vector<T> all;
  while (std::optional<T> next = co_await stream.next()) all.push_back(*std::move(next));
  co_return all;
}

class ClientStreamsTest : public testing::TestWithParam<const char*> {
 protected:
  ClientStreamsTest() {
    certificates_.make("server");
    net::TlsServerOptions tls_server;
    tls_server.certificate = certificates_.path("server.crt");
    tls_server.key = certificates_.path("server.key");
    tls_server.plain_text_too = true;
    ServerOptions options;
    options.host = "127.0.0.1";
    options.port = 0;
    options.leave = 0ms;
    options.drain = 100ms;
    options.tls = std::make_shared<net::TlsServerContext>(runtime_, tls_server);
    server_ = std::make_unique<Server>(runtime_, options);
    server_->provide<Ticks>(mine_);
    server_->start();
    net::TlsClientOptions tls_client;
    tls_client.ca = certificates_.path("ca.crt");
    ClientOptions client;
    client.tls = std::make_shared<net::TlsClientContext>(runtime_, tls_client);
    client.timeout = 20s;
    client_ = std::make_unique<Client>(runtime_, client);
    ticks_ = refer();
  }
  bool local() const { return std::string_view(GetParam()) == "local"; }
  // Bolt carries no streams: what works with it is the process's own.
  std::string scheme() const { return local() ? "bolt://" : std::string(GetParam()) + "://"; }
  Reference<Ticks> refer(ReferOptions options = {}) {
    options.in_process = local();
    return client_->refer<Ticks>(scheme() + server_->address(), options);
  }

  net::TestCertificates certificates_;
  Runtime runtime_{{.threads = 2}};
  std::shared_ptr<MyTicks> mine_ = std::make_shared<MyTicks>();
  std::unique_ptr<Server> server_;
  std::unique_ptr<Client> client_;
  std::optional<Reference<Ticks>> ticks_;
};

using RemoteStreamsTest = ClientStreamsTest;

TEST_P(ClientStreamsTest, AServersStreamComesInOrderToItsEnd) {
  const std::vector<Tick> all = runtime_.run(all_of((*ticks_)->watch("ACME", 500)));
  ASSERT_EQ(all.size(), 500U);
  EXPECT_EQ(all[0].symbol, "ACME");
  EXPECT_EQ(all[499].cents, 499);
  EXPECT_TRUE(runtime_.run(all_of((*ticks_)->watch("NONE", 0))).empty());
}

TEST_P(ClientStreamsTest, WhatIsUploadedComesToItsEnd) {
  EXPECT_EQ(runtime_.run((*ticks_)->upload(ticks_of(1'000))), 500'500);
  EXPECT_EQ(runtime_.run((*ticks_)->upload(ticks_of(0))), 0);
  runtime_.run((*ticks_)->drop(ticks_of(7)));
  EXPECT_EQ(mine_->shared->written, 7);
}

TEST_P(ClientStreamsTest, BothSidesTakeTurns) {
  auto talk = [](Ticks& ticks) -> Task<std::string> {
    auto ends = make_stream<std::string>();
    AsyncStream<std::string> answers = ticks.chat(std::move(ends.second));
    std::string heard;
    for (const char* line : {"a", "b", "c"}) {
      Task<bool> writing = ends.first.write(line);
      co_await std::move(writing);
      std::optional<std::string> answer = co_await answers.next();
      heard += answer.value_or("nothing") + ";";
    }
    ends.first.close();
    while (std::optional<std::string> rest = co_await answers.next()) heard += *rest + ";";
    co_return heard;
  };
  EXPECT_EQ(runtime_.run(talk(**ticks_)), "got a;got b;got c;bye;");
}

TEST_P(ClientStreamsTest, WhatCameBeforeAnErrorIsThere) {
  auto count = [](AsyncStream<Tick> ticks, int& seen) -> Task<void> {
    while (std::optional<Tick> tick = co_await ticks.next()) ++seen;
  };
  int seen = 0;
  const Error error = error_of(runtime_, count((*ticks_)->watch("failing", 3), seen));
  EXPECT_EQ(seen, 3);
  EXPECT_EQ(error.code(), Code::kLimit) << error.what();
  EXPECT_NE(std::string(error.what()).find("the market is closed"), std::string::npos)
      << error.what();
  const std::string where = local() ? "at local" : server_->address();
  EXPECT_NE(std::string(error.what()).find(where), std::string::npos) << error.what();
}

TEST_P(ClientStreamsTest, TheMethodMayEndBeforeTheCallersStream) {
  auto some = ticks_of(1'000'000'000, "last");
  EXPECT_EQ(runtime_.run((*ticks_)->upload(std::move(some))), 0);
  const Error error = error_of(runtime_, (*ticks_)->upload(ticks_of(1'000'000'000, "bad")));
  EXPECT_EQ(error.code(), Code::kLimit) << error.what();
  EXPECT_EQ(runtime_.run((*ticks_)->name()), "ticks");
}

TEST_P(ClientStreamsTest, ACallerThatFailsCancelsTheMethod) {
  const auto produce = [](StreamSink<Tick>& sink) -> Task<void> {
    Task<bool> writing = sink.write(tick_of("ACME", 1));
    co_await std::move(writing);
    co_await fail(Error(Code::kIo, "the file has ended too early"));
  };
  const Error error = error_of(runtime_, (*ticks_)->upload(produce_stream<Tick>(produce)));
  EXPECT_EQ(error.code(), Code::kIo) << error.what();
  EXPECT_NE(std::string(error.what()).find("ended too early"), std::string::npos) << error.what();
  EXPECT_TRUE(eventually([&] { return mine_->shared->ended == mine_->shared->begun; }));
}

TEST_P(ClientStreamsTest, WhoDropsTheStreamCancelsTheMethod) {
  auto peek = [](Ticks& ticks) -> Task<std::int64_t> {
    AsyncStream<Tick> stream = ticks.watch("silent", 2);
    std::optional<Tick> first = co_await stream.next();
    co_return first ? first->cents : -1;
  };
  EXPECT_EQ(runtime_.run(peek(**ticks_)), 0);
  EXPECT_TRUE(eventually([&] { return mine_->shared->ended == 1; }));
}

TEST_P(ClientStreamsTest, ASlowReaderHoldsTheMethodBack) {
  auto read_slowly = [](Ticks& ticks, MyTicks::Shared& shared) -> Task<int> {
    AsyncStream<Tick> stream = ticks.watch(std::string(20'000, 'x'), 10'000);
    co_await stream.next();
    int before = -1;
    while (before != shared.written) {
      before = shared.written;
      co_await sleep_for(50ms);
    }
    co_return before;
  };
  const int written = runtime_.run(read_slowly(**ticks_, *mine_->shared));
  EXPECT_GE(written, 1);
  EXPECT_LT(written, 1'000);
}

TEST_P(ClientStreamsTest, TimesOfUnaryCallsDoNotHoldForStreams) {
  ReferOptions options;
  options.timeout = 50ms;
  const auto brief = refer(options);
  auto wait = [](Ticks& ticks) -> Task<std::string> {
    auto ends = make_stream<std::string>();
    AsyncStream<std::string> answers = ticks.chat(std::move(ends.second));
    co_await sleep_for(200ms);
    Task<bool> writing = ends.first.write("late");
    co_await std::move(writing);
    std::optional<std::string> answer = co_await answers.next();
    co_return answer.value_or("nothing");
  };
  EXPECT_EQ(runtime_.run(wait(*brief)), "got late");
}

TEST_P(ClientStreamsTest, WhatTheCallSaysOfItsTimeHolds) {
  CallOptions options;
  options.timeout(50ms);
  const auto brief = ticks_->with(options);
  const Error error = error_of(runtime_, all_of(brief->watch("silent", 2)));
  EXPECT_EQ(error.code(), Code::kTimeout) << error.what();
  EXPECT_TRUE(eventually([&] { return mine_->shared->ended == 1; }));
  auto waiting = make_stream<Tick>();
  EXPECT_EQ(error_of(runtime_, brief->upload(std::move(waiting.second))).code(), Code::kTimeout);
}

TEST_P(ClientStreamsTest, BaggageGoesBothWays) {
  const auto answered = std::make_shared<Baggage>();
  const Baggage sent{{"tenant", "acme"}};
  const Context with = Context().with(kRequestBaggage, sent).with(kResponseBaggage, answered);
  EXPECT_EQ(runtime_.run(with_context(with, (*ticks_)->upload(ticks_of(3)))), 6);
  EXPECT_EQ((*answered)["tenant"], "got acme");
}

TEST_P(RemoteStreamsTest, AnotherAddressIsTriedBeforeAnyMessageIsTaken) {
  std::string nobody;
  {
    ServerOptions options;
    options.host = "127.0.0.1";
    options.port = 0;
    Server gone(runtime_, options);
    gone.start();
    nobody = gone.address();
  }
  const auto both = client_->refer<Ticks>(scheme() + nobody + "," + server_->address());
  for (int i = 0; i < 8; ++i) EXPECT_EQ(runtime_.run(both->upload(ticks_of(3))), 6);
  const auto none = client_->refer<Ticks>(scheme() + nobody);
  EXPECT_EQ(error_of(runtime_, none->upload(ticks_of(3))).code(), Code::kConnectFailed);
}

TEST_P(ClientStreamsTest, AServerThatStopsCutsStreamsOff) {
  auto ends = make_stream<std::string>();
  AsyncStream<std::string> answers = [&] {
    auto begin =
        [](Ticks& ticks,
           AsyncStream<std::string> lines) -> Task<std::shared_ptr<AsyncStream<std::string>>> {
      co_return std::make_shared<AsyncStream<std::string>>(ticks.chat(std::move(lines)));
    };
    return std::move(*runtime_.run(begin(**ticks_, std::move(ends.second))));
  }();
  ASSERT_TRUE(eventually([&] { return mine_->shared->begun == 1; }));
  server_->stop();
  auto next = [](AsyncStream<std::string>& from) -> Task<void> { co_await from.next(); };
  const Error error = error_of(runtime_, next(answers));
  EXPECT_NE(error.code(), Code::kUnknown) << error.what();
  EXPECT_NE(std::string(error.what()).find("chat"), std::string::npos) << error.what();
}

TEST_P(ClientStreamsTest, ManyAtOnceShareConnections) {
  auto many = [](Ticks& ticks) -> Task<std::int64_t> {
    std::vector<Task<std::int64_t>> calls;
    for (int i = 0; i < 200; ++i) calls.push_back(ticks.upload(ticks_of(20)));
    const std::vector<std::int64_t> sums = co_await when_all(std::move(calls));
    std::int64_t all = 0;
    for (const std::int64_t sum : sums) all += sum;
    co_return all;
  };
  EXPECT_EQ(runtime_.run(many(**ticks_)), 200 * 210);
}

TEST_P(ClientStreamsTest, BroadcastIsRefused) {
  ReferOptions options;
  options.cluster = ClusterMode::kBroadcast;
  const auto everybody =
      client_->refer<Ticks>(scheme() + server_->address() + ",127.0.0.1:1", options);
  EXPECT_EQ(error_of(runtime_, everybody->upload(ticks_of(1))).code(), Code::kMisuse);
  EXPECT_EQ(mine_->shared->begun, 0);
}

INSTANTIATE_TEST_SUITE_P(Protocols, RemoteStreamsTest, testing::Values("grpc", "grpcs"),
                         [](const auto& info) { return std::string(info.param); });
INSTANTIATE_TEST_SUITE_P(Protocols, ClientStreamsTest, testing::Values("grpc", "grpcs", "local"),
                         [](const auto& info) { return std::string(info.param); });

}  // namespace
}  // namespace settee::rpc
