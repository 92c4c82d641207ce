// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0
//
// Ends at bad moments: of clients and servers with calls on their way, of connections under running
// handlers, of what a resumed coroutine closes from within.

#include <gtest/gtest.h>

#include "settee/base/stats.h"
#include "settee/rpc/rpc_test_peer.h"

namespace settee::rpc {
namespace {

using namespace std::chrono_literals;
using wire::eventually;
using wire::Wire;

Code code_of(std::future<std::int32_t>& future) {
  try {
    future.get();
    return Code{};
  } catch (const Error& error) {
    return error.code();
  }
}

struct World {
  explicit World(std::size_t threads, std::chrono::milliseconds drain = 10s) {
    RuntimeOptions options;
    options.threads = threads;
    options.log = log.keep();
    runtime = std::make_unique<Runtime>(std::move(options));
    ServerOptions server_options;
    server_options.host = "127.0.0.1";
    server_options.port = 0;
    server_options.drain = drain;
    server = std::make_unique<Server>(*runtime, server_options);
    probe = std::make_shared<wire::MyProbe>();
    server->provide<wire::Probe>(probe);
    server->start();
    url = "bolt://127.0.0.1:" + std::to_string(server->port());
  }
  wire::LogLines log;
  std::unique_ptr<Runtime> runtime;
  std::shared_ptr<wire::MyProbe> probe;
  std::unique_ptr<Server> server;
  std::string url;
};

TEST(LifetimeTest, ClientEndsWhileOtherThreadsCall) {
  World world(2);
  for (int round = 0; round < 30; ++round) {
    auto client = std::make_unique<Client>(*world.runtime);
    auto probe = client->refer<wire::Probe>(world.url);
    std::atomic<bool> stopped{false};
    std::vector<std::thread> callers;
    std::atomic<int> answered{0};
    for (int t = 0; t < 3; ++t) {
      callers.emplace_back([&] {
        for (;;) {
          try {
            EXPECT_EQ(probe->echo("x").get(), "x");
            ++answered;
          } catch (const Error& error) {
            EXPECT_TRUE(error.code() == Code::kStopped || error.code() == Code::kConnectionClosed)
                << error.what();
            if (stopped) return;
          }
        }
      });
    }
    eventually([&] { return answered > 20; });
    client.reset();
    stopped = true;
    for (std::thread& caller : callers) caller.join();
  }
}

TEST(LifetimeTest, ClientEndsWithCallsInFlight) {
  World world(2);
  auto client = std::make_unique<Client>(*world.runtime);
  auto probe = client->refer<wire::Probe>(world.url);
  std::vector<std::future<std::int32_t>> naps;
  for (int i = 0; i < 50; ++i) naps.push_back(as_future(probe->nap(300)));
  ASSERT_TRUE(eventually([&] { return world.probe->napping == 50; }));
  client.reset();
  for (auto& nap : naps) {
    ASSERT_EQ(nap.wait_for(10s), std::future_status::ready);
    EXPECT_EQ(code_of(nap), Code::kStopped);
  }
}

// References outlive the client, and the Runtime.
TEST(LifetimeTest, ReferencesMayOutliveAll) {
  std::optional<Reference<wire::Probe>> probe;
  {
    World world(1);
    Client client(*world.runtime);
    probe.emplace(client.refer<wire::Probe>(world.url));
    EXPECT_EQ((*probe)->echo("x").get(), "x");
    client.stop();
    EXPECT_THROW((*probe)->echo("x").get(), Error);
  }
  probe.reset();
}

TEST(LifetimeTest, ServerEndsWhileHandlersAreSuspended) {
  World world(2, 20ms);
  Client client(*world.runtime);
  auto probe = client.refer<wire::Probe>(world.url);
  std::vector<std::future<std::int32_t>> naps;
  for (int i = 0; i < 20; ++i) naps.push_back(as_future(probe->nap(400)));
  ASSERT_TRUE(eventually([&] { return world.probe->napping == 20; }));
  world.server.reset();
  EXPECT_NE(world.log.wait_for({"20 call(s) still running"}), "") << world.log.all();
  // They are cancelled, and have said so.
  for (auto& nap : naps) EXPECT_NE(code_of(nap), Code{});
  EXPECT_TRUE(eventually([&] { return world.probe->napping == 0; }));
  EXPECT_TRUE(eventually([&] {
    return world.runtime->stats().find("settee.rpc.server.in_flight").value().value == 0;
  }));
}

// A handler whose caller has gone still asks who that was.
TEST(LifetimeTest, TheCallOutlivesItsConnection) {
  struct Curious final : Filter {
    std::atomic<int> asked{0};
    std::string peer;
    Task<void> apply(Call& call, Next next) override {
      co_await next();
      peer = std::string(call.peer());
      ++asked;
    }
  };
  RuntimeOptions options;
  options.threads = 1;
  Runtime runtime(std::move(options));
  ServerOptions server_options;
  server_options.host = "127.0.0.1";
  server_options.port = 0;
  Server server(runtime, server_options);
  auto probe = std::make_shared<wire::MyProbe>();
  server.provide<wire::Probe>(probe);
  auto curious = std::make_shared<Curious>();
  server.add_filter(curious);
  server.start();
  Wire peer = Wire::to_port(server.port());
  const std::string name = peer.name();
  ASSERT_TRUE(peer.send(wire::with_int(1, "nap", 100)));
  ASSERT_TRUE(eventually([&] { return probe->napping == 1; }));
  peer.close();
  ASSERT_TRUE(eventually([&] { return curious->asked == 1; }));
  EXPECT_EQ(curious->peer, name);
}

TEST(LifetimeTest, ServicesAreWithdrawnUnderLoad) {
  World world(2);
  Client client(*world.runtime);
  auto probe = client.refer<wire::Probe>(world.url);
  std::atomic<bool> enough{false};
  std::atomic<int> answered{0};
  std::atomic<int> other{0};
  std::vector<std::thread> callers;
  for (int t = 0; t < 2; ++t) {
    callers.emplace_back([&] {
      while (!enough) {
        try {
          EXPECT_EQ(probe->later("x").get(), "x");
          ++answered;
        } catch (const Error& error) {
          EXPECT_EQ(error.code(), Code::kServiceNotFound) << error.what();
          ++other;
        }
      }
    });
  }
  for (int round = 0; round < 100; ++round) {
    const int before = answered;
    EXPECT_TRUE(eventually([&] { return answered > before; }));
    std::weak_ptr<wire::MyProbe> watched = world.probe;
    world.probe.reset();
    EXPECT_TRUE(world.server->withdraw(wire::kService));
    EXPECT_TRUE(watched.expired());
    world.probe = std::make_shared<wire::MyProbe>();
    world.server->provide<wire::Probe>(world.probe);
  }
  enough = true;
  for (std::thread& caller : callers) caller.join();
}

TEST(LifetimeTest, ServersComeAndGoUnderLoad) {
  RuntimeOptions options;
  options.threads = 2;
  options.log = [](LogLevel, std::string_view, std::string_view) {};
  Runtime runtime(std::move(options));
  ServerOptions server_options;
  server_options.host = "127.0.0.1";
  server_options.port = 0;
  server_options.drain = 50ms;
  auto first = std::make_unique<Server>(runtime, server_options);
  auto probe_object = std::make_shared<wire::MyProbe>();
  first->provide<wire::Probe>(probe_object);
  first->start();
  server_options.port = first->port();
  ClientOptions client_options;
  client_options.reconnect_first = 2ms;
  client_options.reconnect_most = 5ms;
  Client client(runtime, client_options);
  auto probe = client.refer<wire::Probe>("bolt://127.0.0.1:" + std::to_string(server_options.port));
  std::atomic<bool> enough{false};
  std::atomic<int> answered{0};
  std::vector<std::thread> callers;
  for (int t = 0; t < 2; ++t) {
    callers.emplace_back([&] {
      while (!enough) {
        try {
          probe->nap(1).get();
          ++answered;
        } catch (const Error&) {
          std::this_thread::sleep_for(1ms);
        }
      }
    });
  }
  for (int round = 0; round < 15; ++round) {
    const int before = answered;
    EXPECT_TRUE(eventually([&] { return answered > before + 5; })) << round;
    first.reset();
    first = std::make_unique<Server>(runtime, server_options);
    first->provide<wire::Probe>(probe_object);
    first->start();
  }
  enough = true;
  for (std::thread& caller : callers) caller.join();
}

// An answer resumes a coroutine that closes the whole connection it came over, with other answers of
// the same read behind it.
TEST(LifetimeTest, AnAnswerMayEndTheClientsConnection) {
  wire::LogLines log;
  RuntimeOptions options;
  options.threads = 1;
  options.log = log.keep();
  Runtime runtime(std::move(options));
  wire::FakeServer server;
  Client client(runtime);
  auto probe = client.refer<wire::Probe>(server.url());
  std::vector<std::future<std::string>> futures;
  std::atomic<int> resumed{0};
  auto body = [](Reference<wire::Probe> p, std::atomic<int>& count) -> Task<std::string> {
    std::string answer = co_await p->echo("x");
    ++count;
    // A new call at once, from within the resume.
    Result<std::string> again = co_await as_result(p->echo("again"));
    co_return again ? *again : answer + " then " + to_string(again.error().code());
  };
  for (int i = 0; i < 10; ++i) futures.push_back(as_future(body(probe, resumed)));
  Wire peer = server.accept();
  std::string answers;
  for (int i = 0; i < 10; ++i) {
    const auto asked = peer.receive();
    ASSERT_TRUE(asked);
    answers += wire::text_response(static_cast<std::uint32_t>(asked->frame.id), "one").bytes();
  }
  ASSERT_TRUE(peer.send(answers + "\x07garbage"));
  for (auto& future : futures) EXPECT_EQ(future.get(), "one then ConnectionClosed");
  EXPECT_EQ(resumed, 10);
}

TEST(LifetimeTest, StopsOnALoopAreRefused) {
  World world(1);
  Client client(*world.runtime);
  auto body = [](Client& c, Server& s) -> Task<int> {
    int refused = 0;
    try {
      c.stop();
    } catch (const Error& error) {
      refused += error.code() == Code::kMisuse;
    }
    try {
      s.stop();
    } catch (const Error& error) {
      refused += error.code() == Code::kMisuse;
    }
    co_return refused;
  };
  EXPECT_EQ(world.runtime->run(body(client, *world.server)), 2);
  // Both are as they were.
  EXPECT_EQ(client.refer<wire::Probe>(world.url)->echo("x").get(), "x");
  world.server->stop();
  EXPECT_FALSE(Wire::to_port(world.server->port()).open());
}

TEST(LifetimeTest, AWithdrawalTurnsAForeignLoopAndNothingElseOfALoop) {
  RuntimeOptions options;
  options.foreign_loop = true;
  options.log = [](LogLevel, std::string_view, std::string_view) {};
  Runtime runtime(std::move(options));
  ServerOptions server_options;
  server_options.host = "127.0.0.1";
  server_options.port = 0;
  Server server(runtime, server_options);
  auto object = std::make_shared<wire::MyProbe>();
  server.provide<wire::Probe>(object);
  server.start();
  Wire peer = Wire::to_port(server.port());
  ASSERT_TRUE(peer.send(wire::with_int(1, "nap", 50).bytes()));
  for (int i = 0; i < 2000 && object->napping == 0; ++i) runtime.foreign_loop().turn(10ms);
  Code code{};
  runtime.foreign_loop().post([&] {
    try {
      server.withdraw("com.acme.Probe:1.0");
    } catch (const Error& error) {
      code = error.code();
    }
  });
  EXPECT_TRUE(server.withdraw("com.acme.Probe:1.0"));  // waits for the nap, which needs the loop
  EXPECT_EQ(code, Code::kMisuse);
  EXPECT_EQ(object->napping, 0);
  EXPECT_EQ(object.use_count(), 1);
}

TEST(LifetimeTest, OnAForeignLoop) {
  RuntimeOptions options;
  options.foreign_loop = true;
  options.log = [](LogLevel, std::string_view, std::string_view) {};
  Runtime runtime(std::move(options));
  Loop& loop = runtime.foreign_loop();
  ServerOptions server_options;
  server_options.host = "127.0.0.1";
  server_options.port = 0;
  server_options.drain = 100ms;
  Server server(runtime, server_options);
  auto object = std::make_shared<wire::MyProbe>();
  server.provide<wire::Probe>(object);
  server.start();
  Client client(runtime);
  auto probe = client.refer<wire::Probe>("bolt://127.0.0.1:" + std::to_string(server.port()));
  int ended = 0;
  Code stopping{};
  for (int i = 0; i < 5; ++i) {
    probe->nap(20).then([&](Result<std::int32_t>) {
      ++ended;
      try {
        server.stop();  // in a turn: that would turn the loop within itself
      } catch (const Error& error) {
        stopping = error.code();
      }
    });
  }
  for (int i = 0; i < 2000 && ended < 5; ++i) loop.turn(10ms);
  EXPECT_EQ(ended, 5);
  EXPECT_EQ(stopping, Code::kMisuse);
  probe->nap(10).then([&](Result<std::int32_t>) { ++ended; });
  for (int i = 0; i < 2000 && object->napping == 0; ++i) loop.turn(10ms);
  server.stop();  // between turns it may, and drains
  client.stop();
  EXPECT_EQ(ended, 6);
}

// The baggage of an answer has to fit a header of 32767 bytes.
TEST(LifetimeTest, BaggageThatIsTooLargeCostsTheCallNotTheConnection) {
  struct Loading final : Filter {
    Task<void> apply(Call&, Next next) override {
      respond_baggage("load", std::string(40'000, 'x'));
      Result<void> done = co_await as_result(next());
      if (!done) co_await fail(done.error());
    }
  };
  Runtime runtime{RuntimeOptions{.threads = 1}};
  ServerOptions server_options;
  server_options.host = "127.0.0.1";
  server_options.port = 0;
  Server server(runtime, server_options);
  server.provide<wire::Probe>(std::make_shared<wire::MyProbe>());
  server.add_filter(std::make_shared<Loading>());
  server.start();
  Client client(runtime);
  auto probe = client.refer<wire::Probe>("bolt://127.0.0.1:" + std::to_string(server.port()));
  try {
    probe->echo("x").get();
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), Code::kPeerEncode) << error.what();
  }
  try {
    probe->fail("none").get();
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), Code::kBusiness) << error.what();
    EXPECT_EQ(error.message(), "no such item");
  }
  EXPECT_EQ(runtime.stats().find("settee.rpc.client.connects").value().value, 1);
}

}  // namespace
}  // namespace settee::rpc
