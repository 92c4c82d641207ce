// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0
//
// A C++ client and a server that is silent, busy, or dies and comes back.

#include <algorithm>
#include <atomic>
#include <thread>

#include "interop/tests/foreign_server.h"

namespace interop {
namespace {

using settee::Code;
using settee::Error;
using settee::Result;
using settee::rpc::CallOptions;
using settee::rpc::Client;
using settee::rpc::Reference;

// ---- silence ----

class SilentConnection : public ServerTest {};

TEST_P(SilentConnection, LivesByItsHeartbeats) {
  settee::rpc::ClientOptions with_heartbeats = client_options();
  with_heartbeats.heartbeat = 500ms;
  with_heartbeats.heartbeat_timeout = 500ms;
  Client alive(runtime_, with_heartbeats);
  const auto kept = alive.refer<TypeService>(url_);
  // Another that sends none: the server closes it, which proves that the wait is long enough.
  settee::Runtime other_runtime{{.threads = 1}};
  settee::rpc::ClientOptions without_heartbeats = client_options();
  without_heartbeats.heartbeat = 0ms;
  Client mute(other_runtime, without_heartbeats);
  const auto closed = mute.refer<TypeService>(url_);

  EXPECT_EQ(kept->echoString("before").get(), "before");
  EXPECT_EQ(closed->echoString("before").get(), "before");
  // Node looks once in an interval, so that it may take two of them.
  std::this_thread::sleep_for(2 * kIdleClose + 700ms);
  EXPECT_GE(counted("settee.rpc.client.heartbeats"), 8);
  EXPECT_EQ(counted("settee.rpc.client.connects"), 1);
  EXPECT_EQ(kept->echoString("after").get(), "after");
  EXPECT_EQ(counted("settee.rpc.client.connects"), 1);
  EXPECT_EQ(counted(other_runtime, "settee.rpc.client.heartbeats"), 0);
  // It has been closed, made again and perhaps closed again: a call may come between.
  std::string answer;
  for (int i = 0; i < 50 && answer.empty(); ++i) {
    try {
      answer = closed->echoString("after").get().value_or("null");
    } catch (const Error& error) {
      EXPECT_TRUE(error.code() == Code::kConnectionClosed || error.code() == Code::kConnectFailed)
          << error.what();
      std::this_thread::sleep_for(100ms);
    }
  }
  EXPECT_EQ(answer, "after");
  EXPECT_GE(counted(other_runtime, "settee.rpc.client.connects"), 2);
}

INTEROP_INSTANTIATE_HESSIAN3(SilentConnection);

// ---- a full pool ----

class BusyServer : public testing::TestWithParam<Server> {};

TEST_P(BusyServer, IsReportedAsBusy) {
  PeerServer server(peer_of(GetParam()), {"--busy"});
  settee::Runtime runtime{{.threads = 1}};
  Client client(runtime);
  const auto types = client.refer<TypeService>(server.url());
  // Java's pool is full as it stands, that of C++ is with this call.
  std::future<std::string> taken = settee::as_future(
      types.with(CallOptions().timeout(10s))->sleep(GetParam() == Server::kCpp ? 1000 : 1));
  if (GetParam() == Server::kCpp) std::this_thread::sleep_for(300ms);
  try {
    types->sleep(1).get();
    ADD_FAILURE() << "the server was not busy";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), Code::kBusy) << error.what();
  }
  if (GetParam() == Server::kCpp) {
    EXPECT_EQ(taken.get(), "slept 1000");
    // The answer leaves a moment before the thread is free again.
    std::string after;
    for (int i = 0; i < 200 && after.empty(); ++i) {
      try {
        after = types->sleep(1).get();
      } catch (const Error& error) {
        ASSERT_EQ(error.code(), Code::kBusy) << error.what();
        std::this_thread::sleep_for(10ms);
      }
    }
    EXPECT_EQ(after, "slept 1");
  } else {
    EXPECT_THROW(taken.get(), Error);
  }
  EXPECT_EQ(server.stop(), 0);
}

// sofa-rpc-node has no pool.
INSTANTIATE_TEST_SUITE_P(Java, BusyServer, testing::Values(Server::kJava), name_of);
INSTANTIATE_TEST_SUITE_P(Cpp, BusyServer, testing::Values(Server::kCpp), name_of);

// ---- a server that dies under load and comes back ----

/// What a number of callers, who never stop by themselves, have seen.
struct Load {
  std::atomic<bool> stop{false};
  std::atomic<std::uint64_t> right{0};
  std::atomic<std::uint64_t> wrong{0};
  std::atomic<std::uint64_t> lost{0};         // kConnectionClosed
  std::atomic<std::uint64_t> unreachable{0};  // kConnectFailed
  std::atomic<std::uint64_t> other{0};
  std::atomic<std::int64_t> longest_ms{0};
  std::string last_other;  // written by one loop
};

Task<void> call_until_stopped(Reference<TypeService> types, settee::Loop& loop, Load& load,
                              int number) {
  co_await settee::resume_on(loop);
  for (int i = 0; !load.stop; ++i) {
    const std::string text = std::to_string(number) + " call " + std::to_string(i);
    const auto begin = settee::Clock::now();
    Result<Text> answer = co_await settee::as_result(types->echoString(text));
    const std::int64_t ms =
        std::chrono::duration_cast<std::chrono::milliseconds>(settee::Clock::now() - begin).count();
    load.longest_ms = std::max(load.longest_ms.load(), ms);
    if (answer) {
      ++(*answer == text ? load.right : load.wrong);
    } else if (answer.error().code() == Code::kConnectionClosed) {
      ++load.lost;
    } else if (answer.error().code() == Code::kConnectFailed) {
      ++load.unreachable;
    } else {
      load.last_other = answer.error().what();
      ++load.other;
    }
    co_await settee::sleep_for(1ms);
  }
}

class RestartingServer : public testing::TestWithParam<Server> {};

TEST_P(RestartingServer, CallsFailCleanlyAndSucceedAgain) {
  const auto until = [](auto condition, std::chrono::milliseconds within) {
    const auto end = settee::Clock::now() + within;
    while (!condition() && settee::Clock::now() < end) std::this_thread::sleep_for(5ms);
    return condition();
  };
  auto server = std::make_unique<PeerServer>(peer_of(GetParam()), std::vector<std::string>{});
  const int port = server->port();
  settee::Runtime runtime{{.threads = 1}};
  settee::rpc::ClientOptions options;
  options.timeout = 5s;
  options.reconnect_first = 50ms;
  options.reconnect_most = 400ms;
  Client client(runtime, options);
  const auto types = client.refer<TypeService>(server->url());
  Load load;
  std::vector<Task<void>> callers;
  for (int i = 0; i < 16; ++i) {
    callers.push_back(call_until_stopped(types, runtime.loop(0), load, i));
  }
  std::future<void> all = settee::as_future(settee::when_all(std::move(callers)));

  EXPECT_TRUE(until([&] { return load.right > 200; }, 30s));
  server->crash();
  EXPECT_TRUE(until([&] { return load.unreachable > 50; }, 10s));
  server = std::make_unique<PeerServer>(peer_of(GetParam()), std::vector<std::string>{}, port);
  const std::uint64_t before = load.right;
  EXPECT_TRUE(until([&] { return load.right > before; }, 3s));
  // From now on nothing fails any more.
  const std::uint64_t failed = load.lost + load.unreachable + load.other;
  EXPECT_TRUE(until([&] { return load.right > before + 500; }, 30s));
  EXPECT_EQ(load.lost + load.unreachable + load.other, failed);
  load.stop = true;
  all.get();

  EXPECT_EQ(load.wrong, 0U);
  EXPECT_EQ(load.other, 0U) << load.last_other;
  EXPECT_GE(load.lost + load.unreachable, 1U);
  // No call has waited for its timeout.
  EXPECT_LT(load.longest_ms, 4500);
  EXPECT_EQ(server->stop(), 0);
  std::printf(
      "right %llu, lost %llu, unreachable %llu, longest %lld ms\n",
      static_cast<unsigned long long>(load.right), static_cast<unsigned long long>(load.lost),
      static_cast<unsigned long long>(load.unreachable), static_cast<long long>(load.longest_ms));
}

INTEROP_INSTANTIATE_HESSIAN3(RestartingServer);

}  // namespace
}  // namespace interop
