// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0
//
// The server's side of docs/guide.md: pools, filters, statistics, events, stopping.

#include <atomic>
#include <chrono>
#include <mutex>
#include <thread>

#include "examples/guide/fixture.h"
#include "settee/base/event_bus.h"
#include "settee/base/stats.h"
#include "settee/rpc/events.h"

namespace shop {
namespace {

using namespace std::chrono_literals;
using settee::rpc::Call;
using settee::rpc::Next;
using settee::rpc::Reference;

TEST(GuideServerTest, Options) {
  // [server]
  settee::RuntimeOptions runtime_options;
  runtime_options.threads = 2;    // two loops, each with a thread; 0: one for each CPU
  runtime_options.pool.max = 50;  // threads for methods described as blocking()
  runtime_options.pool.queue = 100;
  settee::Runtime runtime{runtime_options};

  settee::rpc::ServerOptions options;
  options.host = "127.0.0.1";  // the default is all IPv4 addresses
  options.port = 0;            // 0: a free one; the default is 12200
  options.app_name = "shop";
  settee::rpc::Server server{runtime, options};
  server.provide<Orders>(std::make_shared<MyOrders>());  // com.acme.shop.Orders:1.0
  server.start();  // throws an Error that says why it cannot listen
  // [/server]
  EXPECT_NE(server.port(), 0);

  // [pool]
  settee::ThreadPoolOptions few;
  few.core = 2;
  few.max = 2;
  few.queue = 10;
  settee::rpc::ProvideOptions provide;
  provide.version = "2.0";
  provide.pool = std::make_shared<settee::ThreadPool>("reports", few);
  server.provide<Orders>(std::make_shared<MyOrders>(), provide);
  // [/pool]
  settee::rpc::Client client{runtime};
  auto orders = client.refer<Orders>("bolt://" + server.address() + "?version=2.0");
  EXPECT_EQ(orders->report(1999).get(), "report of 1999");
  // The answer is on its way before its thread has counted the job.
  for (int i = 0; i < 1000 && provide.pool->figures().done == 0; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  EXPECT_EQ(provide.pool->figures().done, 1u);
}

// [run_on]
std::string read_slowly();  // blocks

settee::Task<std::size_t> size_of_file(settee::Runtime& runtime) {
  const std::string text = co_await run_on(runtime.pool(), [] { return read_slowly(); });
  co_return text.size();  // on the loop again
}
// [/run_on]

std::string read_slowly() {
  std::this_thread::sleep_for(5ms);
  return "four";
}

TEST_F(GuideTest, BlockingWork) {
  EXPECT_EQ(runtime.run(size_of_file(runtime)), 4u);
  EXPECT_EQ((*orders)->report(1999).get(), "report of 1999");
}

// [filter]
class Timing final : public settee::rpc::Filter {
 public:
  explicit Timing(settee::Stats& stats) : stats_(stats) {}

  settee::Task<void> apply(Call& call, Next next) override {
    const settee::TimePoint begin = settee::Clock::now();
    const settee::Result<void> done = co_await as_result(next());
    const auto elapsed = std::chrono::nanoseconds(settee::Clock::now() - begin);
    const std::string method(call.method());
    stats_.histogram("shop.call_time", "ns", "Time of calls", {{"method", method}})
        .record(static_cast<std::uint64_t>(elapsed.count()));
    if (!done) co_await fail(done.error());
  }

 private:
  settee::Stats& stats_;
};
// [/filter]

TEST(GuideServerTest, Filters) {
  settee::Runtime runtime{{.threads = 1}};
  settee::rpc::Server server{runtime, {.host = "127.0.0.1", .port = 0}};
  server.provide<Orders>(std::make_shared<MyOrders>());
  settee::rpc::Client client{runtime};
  // [add_filter]
  server.add_filter(std::make_shared<Timing>(runtime.stats()));
  client.add_filter(std::make_shared<Timing>(runtime.stats()));
  // [/add_filter]
  server.start();
  client.refer<Orders>("bolt://" + server.address())->note("x").get();
  const auto cell = runtime.stats().find("shop.call_time", {{"method", "note"}});
  ASSERT_TRUE(cell);
  EXPECT_EQ(cell->value, 2);
}

TEST(GuideServerTest, FiltersByName) {
  settee::Runtime runtime{{.threads = 1}};
  settee::rpc::Server server{runtime, {.host = "127.0.0.1", .port = 0}};
  server.provide<Orders>(std::make_shared<MyOrders>());
  server.start();
  settee::rpc::Client client{runtime};
  const auto orders = client.refer<Orders>("bolt://" + server.address());
  // [filter_use]
  settee::rpc::FilterUse use{std::make_shared<Timing>(runtime.stats())};
  use.name = "timing";
  use.order = -10;           // outside of those with higher numbers
  use.methods = {"report"};  // by the names on the wire; empty: all
  server.add_filter(use);
  // ... calls ...
  server.remove_filter("timing");
  // [/filter_use]
  orders->report(1999).get();
  EXPECT_FALSE(runtime.stats().find("shop.call_time", {{"method", "report"}}));
}

TEST(GuideServerTest, Limits) {
  settee::Runtime runtime{{.threads = 1}};
  // [authenticate]
  settee::rpc::ServerOptions options;
  options.authenticate = [](const Call& call) -> settee::Result<void> {
    if (call.header("x-token") == "secret") return {};
    return settee::Error(settee::Code::kInvalidArgument, "no or a wrong x-token");
  };
  // [/authenticate]
  options.host = "127.0.0.1";
  options.port = 0;
  settee::rpc::Server server{runtime, options};
  // [limits]
  settee::rpc::ProvideOptions provide;
  provide.concurrents = 200;
  provide.timeout = 2s;
  provide.methods["report"].rate = 10;  // per second
  provide.methods["report"].burst = 20;
  provide.adaptive.max = 500;  // 0, the default: no adaptive limit
  server.provide<Orders>(std::make_shared<MyOrders>(), provide);
  // [/limits]
  server.start();
  settee::rpc::Client client{runtime};
  const auto orders = client.refer<Orders>("bolt://" + server.address());
  try {
    orders->note("x").get();
    FAIL();
  } catch (const settee::Error& error) {
    EXPECT_NE(std::string(error.what()).find("no or a wrong x-token"), std::string::npos);
  }
}

TEST_F(GuideTest, ServerEvents) {
  std::atomic<int> slow{0};
  // [server_events]
  const settee::Subscription ended =
      runtime.events().subscribe<settee::rpc::ServerCallEnded>([&](const auto& event) {
        if (event.took > 100ms || event.error) ++slow;  // event.call.method, event.peer ...
      });
  // [/server_events]
  EXPECT_THROW((*orders)->find("none").get(), settee::Error);
  for (int i = 0; i < 5000 && slow == 0; ++i) std::this_thread::sleep_for(1ms);
  EXPECT_EQ(slow, 1);
}

TEST_F(GuideTest, Statistics) {
  std::string page;
  // [stats]
  settee::Counter& sold = runtime.stats().counter("shop.sold", "1", "Things sold");
  sold.add(3);

  runtime.stats().visit([&](const settee::StatValue& cell) {
    page += cell.info->name + " " + std::to_string(cell.value) + "\n";
  });
  // [/stats]
  EXPECT_NE(page.find("shop.sold 3\n"), std::string::npos) << page;
  EXPECT_NE(page.find("settee.rpc.server.calls 2\n"), std::string::npos) << page;
}

// [events]
struct OrderPlaced {
  std::string id;
};

void announce(settee::Runtime& runtime, const std::string& id) {
  const auto placed = runtime.events().channel<OrderPlaced>();
  if (placed.active()) placed.publish({id});
}
// [/events]

TEST_F(GuideTest, Events) {
  std::string last;
  {
    // [subscribe]
    settee::Subscription listening = runtime.events().subscribe<OrderPlaced>(
        [&](const OrderPlaced& event) { last = event.id; });  // on the publisher's thread
    // [/subscribe]
    announce(runtime, "7");
  }
  announce(runtime, "8");
  EXPECT_EQ(last, "7");
}

TEST(GuideServerTest, Stopping) {
  // [stop]
  settee::Runtime runtime;  // first, so that it ends last
  settee::rpc::Server server{runtime, {.host = "127.0.0.1", .port = 0, .drain = 5s}};
  settee::rpc::Client client{runtime};
  server.provide<Orders>(std::make_shared<MyOrders>());
  server.start();
  // ...
  server.stop();   // calls that run are answered, for at most `drain`; new ones are refused
  client.stop();   // calls on their way end with an Error of kStopped
  runtime.stop();  // spawned tasks are cancelled and waited for, then pools and loops end
  // [/stop]
  EXPECT_TRUE(runtime.stopped());
}

}  // namespace
}  // namespace shop
