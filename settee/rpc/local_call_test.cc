// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0
//
// Calls that stay in the process, beside the same calls over a connection.

#include <gtest/gtest.h>

#include "settee/base/event_bus.h"
#include "settee/base/stats.h"
#include "settee/rpc/events.h"
#include "settee/rpc/internal/local_call.h"
#include "settee/rpc/rpc_test_peer.h"

namespace local {

struct Node {
  std::string name;
  std::shared_ptr<Node> next;
};

struct Keeper {
  virtual ~Keeper() = default;
  virtual settee::Task<Node> keep(Node given) = 0;
  virtual settee::Task<std::string> seen(std::string header) = 0;
  virtual settee::Task<std::string> where() = 0;
};

// The same interface as another part of the program describes it.
struct OtherNode {
  std::string name;
  std::optional<std::int64_t> size;
};
struct OtherKeeper {
  virtual ~OtherKeeper() = default;
  virtual settee::Task<OtherNode> keep(OtherNode given) = 0;
  virtual settee::Task<std::string> unknown(std::string text) = 0;
};

}  // namespace local

SETTEE_STRUCT(local::Node, "com.acme.Node", name, next)
SETTEE_SERVICE(local::Keeper, "com.acme.Keeper", (keep, given), (seen, header), (where))
SETTEE_STRUCT(local::OtherNode, "com.acme.Node", name, size)
SETTEE_SERVICE(local::OtherKeeper, "com.acme.Keeper", (keep, given), (unknown, text))

namespace settee::rpc {
namespace {

using namespace std::chrono_literals;
using wire::eventually;

class MyKeeper : public local::Keeper {
 public:
  Task<local::Node> keep(local::Node given) override {
    kept = given;
    co_return given;
  }
  Task<std::string> seen(std::string) override {
    const Context here = context();
    const Baggage* baggage = here.get(kRequestBaggage);
    respond_baggage("reply", "yes");
    co_return baggage == nullptr ? "none" : baggage->begin()->second;
  }
  Task<std::string> where() override {
    loop = Loop::current();
    co_return std::string(current_call()->peer());
  }
  local::Node kept;
  Loop* loop = nullptr;
};

// What a reference does: in the process while that is provided there, else an Error.
class LocalInvoker final : public Invoker {
 public:
  LocalInvoker(Runtime& runtime, const ServiceInfo& service, std::string name,
               std::chrono::milliseconds timeout)
      : target_(runtime, &service, std::move(name)), timeout_(timeout) {}
  Task<void> invoke(const MethodInfo& method, void* const* arguments, void* result,
                    settee::detail::CallMode mode) override {
    Outgoing outgoing;
    outgoing.method = &method;
    outgoing.name = method.wire_name;
    outgoing.arguments = arguments;
    outgoing.result = result;
    outgoing.mode = mode;
    outgoing.deadline = outgoing.began + timeout_;
    if (!target_.there()) co_await fail(Error(Code::kNoProvider, "not there"));
    Task<bool> call = target_.call(outgoing);
    const bool called = co_await std::move(call);
    if (!called) co_await fail(Error(Code::kNoProvider, "gone"));
  }

 private:
  LocalTarget target_;
  const std::chrono::milliseconds timeout_;
};

template <class F>
std::optional<Error> error_of(F call) {
  try {
    call();
  } catch (const Error& error) {
    return error;
  }
  return std::nullopt;
}

class LocalCallTest : public ::testing::Test {
 protected:
  LocalCallTest() {
    RuntimeOptions options;
    options.threads = 2;
    options.pool.core = 1;
    options.pool.max = 1;
    options.pool.queue = 1;
    options.log = [](LogLevel, std::string_view, std::string_view) {};
    runtime_ = std::make_unique<Runtime>(std::move(options));
    ServerOptions server;
    server.host = "127.0.0.1";
    server.port = 0;
    server_ = std::make_unique<Server>(*runtime_, server);
    probe_ = std::make_shared<wire::MyProbe>();
    keeper_ = std::make_shared<MyKeeper>();
    server_->provide<wire::Probe>(probe_);
    server_->provide<local::Keeper>(keeper_);
    server_->start();
    client_ = std::make_unique<Client>(*runtime_);
  }

  template <class Service>
  std::unique_ptr<Service> near(std::string name, std::chrono::milliseconds timeout = 20s) {
    return make_proxy<Service>(
        new LocalInvoker(*runtime_, service_of<Service>(), std::move(name), timeout));
  }
  std::unique_ptr<wire::Probe> near_probe(std::chrono::milliseconds timeout = 20s) {
    return near<wire::Probe>(wire::kService, timeout);
  }
  std::int64_t stat(const char* name) { return runtime_->stats().find(name).value().value; }

  std::unique_ptr<Runtime> runtime_;
  std::shared_ptr<wire::MyProbe> probe_;
  std::shared_ptr<MyKeeper> keeper_;
  std::unique_ptr<Server> server_;
  std::unique_ptr<Client> client_;
};

TEST_F(LocalCallTest, NoConnectionIsMade) {
  const auto probe = near_probe();
  EXPECT_EQ(probe->echo("x").get(), "x");
  EXPECT_EQ(probe->sum({1, 2, 3}).get(), 6);
  EXPECT_EQ(probe->later("y").get(), "y");
  EXPECT_EQ(probe_->calls, 3);
  EXPECT_EQ(stat("settee.rpc.server.calls"), 3);
  EXPECT_TRUE(eventually([&] { return stat("settee.rpc.server.in_flight") == 0; }));
  // Nothing that could make one has even begun.
  EXPECT_FALSE(runtime_->stats().find("settee.net.connections", {{"role", "client"}}));
}

TEST_F(LocalCallTest, NothingIsSharedBetweenCallerAndProvider) {
  local::Node node;
  node.name = "a";
  node.next = std::make_shared<local::Node>();
  node.next->name = "b";
  const local::Node result = near<local::Keeper>("com.acme.Keeper:1.0")->keep(node).get();
  ASSERT_TRUE(result.next && keeper_->kept.next);
  EXPECT_EQ(result.next->name, "b");
  EXPECT_EQ(keeper_->kept.next->name, "b");
  EXPECT_NE(keeper_->kept.next, node.next);
  EXPECT_NE(result.next, keeper_->kept.next);

  hessian::Value list = hessian::Value::list({hessian::Value(1)});
  const hessian::Value answer = near_probe()->value(list).get();
  EXPECT_EQ(answer[0].as_int().value_or(0), 1);
}

TEST_F(LocalCallTest, StaysOnTheCallersLoop) {
  const auto keeper = near<local::Keeper>("com.acme.Keeper:1.0");
  for (std::size_t i = 0; i < 2; ++i) {
    runtime_->run(
        [](Runtime& runtime, local::Keeper& to, MyKeeper& seen, std::size_t loop) -> Task<void> {
          co_await resume_on(runtime.loop(loop));
          Task<std::string> call = to.where();
          EXPECT_EQ(co_await std::move(call), "local");
          EXPECT_EQ(seen.loop, &runtime.loop(loop));
          EXPECT_TRUE(runtime.loop(loop).in_loop());
        }(*runtime_, *keeper, *keeper_, i));
  }
}

// With the address left out, an error is the same text and code as over a connection.
TEST_F(LocalCallTest, ErrorsAreThoseOfARemoteProvider) {
  const auto far = client_->refer<wire::Probe>("bolt://" + server_->address());
  const auto probe = near_probe();
  const auto same = [&](const auto& call) {
    const std::optional<Error> remote = error_of([&] { call(*far); });
    const std::optional<Error> here = error_of([&] { call(*probe); });
    ASSERT_TRUE(remote && here);
    std::string words = remote->what();
    if (const auto at = words.find(server_->address()); at != std::string::npos) {
      words.replace(at, server_->address().size(), "local");
    }
    EXPECT_EQ(here->code(), remote->code());
    EXPECT_EQ(std::string(here->what()), words);
  };
  same([](wire::Probe& to) { to.fail("cup").get(); });
  same([](wire::Probe& to) { to.crash().get(); });
  const std::optional<Error> business = error_of([&] { probe->fail("cup").get(); });
  ASSERT_TRUE(business && business->as<wire::NoSuchItem>());
  EXPECT_EQ(business->as<wire::NoSuchItem>()->name, "cup");
}

TEST_F(LocalCallTest, TheCallersDeadlineAndCancellationApply) {
  const TimePoint begun = Clock::now();
  std::optional<Error> error = error_of([&] { near_probe(30ms)->nap(10'000).get(); });
  ASSERT_TRUE(error);
  EXPECT_EQ(error->code(), Code::kTimeout);
  EXPECT_LT(Clock::now() - begun, 8s);
  EXPECT_TRUE(eventually([&] { return stat("settee.rpc.server.in_flight") == 0; }))
      << "the method heard of it too";

  const auto probe = near_probe();
  std::future<std::int32_t> nap;
  CancelSource source;
  {
    const ContextScope scope(source.context());
    nap = as_future(probe->nap(10'000));
  }
  ASSERT_TRUE(eventually([&] { return probe_->napping >= 1; }));
  source.cancel();
  error = error_of([&] { nap.get(); });
  ASSERT_TRUE(error);
  EXPECT_EQ(error->code(), Code::kCancelled);
  EXPECT_TRUE(eventually([&] { return stat("settee.rpc.server.in_flight") == 0; }));
}

TEST_F(LocalCallTest, BlockingMethodsRunOnThePool) {
  const auto probe = near_probe();
  EXPECT_EQ(probe->block(1).get(), 1);
  // One runs, one is queued, and the pool is full.
  auto runs = as_future(probe->block(500));
  ASSERT_TRUE(eventually([&] { return probe_->calls == 2; }));
  auto waits = as_future(probe->block(1));
  ASSERT_TRUE(eventually([&] { return runtime_->pool().figures().queued == 1; }));
  std::optional<Error> error = error_of([&] { probe->block(1).get(); });
  ASSERT_TRUE(error);
  EXPECT_EQ(error->code(), Code::kBusy) << error->what();
  EXPECT_EQ(runs.get(), 500);
  EXPECT_EQ(waits.get(), 1);
  // Who gives up leaves the method to itself.
  error = error_of([&] { near_probe(20ms)->block(200).get(); });
  ASSERT_TRUE(error);
  EXPECT_EQ(error->code(), Code::kTimeout);
  EXPECT_TRUE(eventually([&] { return stat("settee.rpc.server.in_flight") == 0; }));
}

TEST_F(LocalCallTest, OnewayCallsAreNotWaitedFor) {
  const auto probe = near_probe();
  EXPECT_TRUE(oneway(probe->note("x")));
  EXPECT_TRUE(eventually([&] { return probe_->notes == 1; }));
  EXPECT_TRUE(oneway(probe->nap(50)));
  EXPECT_TRUE(eventually([&] { return probe_->napping == 1; }));
  EXPECT_TRUE(eventually([&] { return probe_->napping == 0; })) << "no deadline ends it";
}

TEST_F(LocalCallTest, BaggageGoesBothWays) {
  const auto reply = std::make_shared<Baggage>();
  const ContextScope scope(
      context().with(kRequestBaggage, Baggage{{"who", "ann"}}).with(kResponseBaggage, reply));
  EXPECT_EQ(near<local::Keeper>("com.acme.Keeper:1.0")->seen("").get(), "ann");
  EXPECT_EQ((*reply)["reply"], "yes");
}

struct Looking final : Filter {
  std::string saw;
  bool sleeps = false;
  Task<void> apply(Call& call, Next next) override {
    saw = std::string(call.peer()) + " " + std::string(call.header("tenant")) + " " +
          std::string(call.method());
    if (sleeps) co_await sleep_for(20ms);
    Task<void> rest = next();
    co_await std::move(rest);
  }
};

TEST_F(LocalCallTest, TheServersFiltersRun) {
  const auto looking = std::make_shared<Looking>();
  server_->add_filter(FilterUse(looking, "looking"));
  {
    const ContextScope scope(context().with(kRequestHeaders, Baggage{{"tenant", "acme"}}));
    EXPECT_EQ(near_probe()->echo("x").get(), "x");
  }
  EXPECT_EQ(looking->saw, "local acme echo");
  looking->sleeps = true;
  EXPECT_EQ(near_probe()->echo("y").get(), "y");
  // A filter that takes longer than the caller has: the method is not begun.
  const int calls = probe_->calls;
  const std::optional<Error> error = error_of([&] { near_probe(5ms)->echo("z").get(); });
  ASSERT_TRUE(error);
  EXPECT_EQ(error->code(), Code::kTimeout);
  EXPECT_TRUE(eventually([&] { return stat("settee.rpc.server.in_flight") == 0; }));
  EXPECT_EQ(probe_->calls, calls);
  EXPECT_TRUE(oneway(near_probe()->note("its argument outlives the filter")));
  EXPECT_TRUE(eventually([&] { return probe_->notes == 1; }));
}

TEST_F(LocalCallTest, TheServersEventsTellOfIt) {
  std::vector<std::string> steps;  // all on the caller's loop
  std::vector<Subscription> listening;
  EventBus& bus = runtime_->events();
  listening.push_back(bus.subscribe<ServerCallReceived>([&](const ServerCallReceived& event) {
    steps.push_back("received " + std::string(event.call.invoke_type.view()) + " by " +
                    std::string(event.call.protocol.view()) + " " +
                    std::string(event.request->header("tenant")));
    *event.context = event.context->with(kRequestBaggage, Baggage{{"by", "a listener"}});
  }));
  listening.push_back(bus.subscribe<ServerCallStarted>(
      [&](const ServerCallStarted&) { steps.push_back("started"); }));
  listening.push_back(bus.subscribe<ServerCallEnded>([&](const ServerCallEnded& event) {
    steps.push_back("ended at " + std::string(event.peer.view()) +
                    (event.error ? ": " + std::string(to_string(event.error->code())) : ""));
    EXPECT_GE(event.took, event.handled);
  }));
  const ContextScope scope(context().with(kRequestHeaders, Baggage{{"tenant", "acme"}}));
  EXPECT_EQ(near<local::Keeper>("com.acme.Keeper:1.0")->seen("x").get(), "a listener");
  EXPECT_TRUE(error_of([&] { near_probe()->fail("cup").get(); }));
  EXPECT_EQ(steps, (std::vector<std::string>{"received sync by local acme", "started",
                                             "ended at local", "received sync by local acme",
                                             "started", "ended at local: Business"}));
}

TEST_F(LocalCallTest, AFilterLetsACallPassOnceOrFailsIt) {
  struct Odd final : Filter {
    Task<void> apply(Call& call, Next next) override {
      return inside(std::string(call.method()), next);
    }
    static Task<void> inside(std::string method, Next next) {
      if (method == "item") co_return;
      co_await next();
      if (method == "echo") co_await next();
    }
  };
  server_->add_filter(std::make_shared<Odd>());
  const auto failure_of = [&](auto call) -> std::string {
    const std::optional<Error> error = error_of([&] { call(); });
    return error ? error->what() : "none";
  };
  EXPECT_NE(failure_of([&] { near_probe()->echo("x").get(); }).find("next() twice"),
            std::string::npos);
  EXPECT_EQ(probe_->calls, 1);
  EXPECT_NE(failure_of([&] { near_probe()->item({}).get(); }).find("without an answer"),
            std::string::npos);
  EXPECT_EQ(probe_->calls, 1);
  EXPECT_EQ(near_probe()->sum({1, 2}).get(), 3);
  EXPECT_EQ(stat("settee.rpc.server.failures"), 2);
}

TEST_F(LocalCallTest, TheAdaptiveLimitHearsOfCallsThatTimeOut) {
  ProvideOptions provide;
  provide.unique_id = "limited";
  provide.adaptive.min = 1;
  provide.adaptive.max = 100;
  provide.adaptive.window = 1ms;
  server_->provide<wire::Probe>(probe_, provide);
  const auto probe = [&](std::chrono::milliseconds timeout = 20s) {
    return near<wire::Probe>(std::string(wire::kService) + ":limited", timeout);
  };
  for (int i = 0; i < 100; ++i) probe()->echo("x").get();
  const auto nap = [&] { return as_future(probe(30ms)->nap(60'000)); };
  for (int i = 0; i < 60; ++i) EXPECT_THROW(nap().get(), Error);
  std::vector<std::future<std::int32_t>> naps;
  for (int i = 0; i < 19; ++i) naps.push_back(nap());  // it began with 20
  int refused = 0;
  for (auto& one : naps) {
    const std::optional<Error> error = error_of([&] { one.get(); });
    refused += error && error->code() == Code::kBusy;
  }
  EXPECT_GT(refused, 0);
}

TEST_F(LocalCallTest, AnotherDescriptionOfTheInterfaceWillDo) {
  const auto keeper = near<local::OtherKeeper>("com.acme.Keeper:1.0");
  local::OtherNode node;
  node.name = "a";
  node.size = 3;
  EXPECT_EQ(keeper->keep(node).get().name, "a");
  EXPECT_EQ(keeper_->kept.name, "a");
  const std::optional<Error> error = error_of([&] { keeper->unknown("x").get(); });
  ASSERT_TRUE(error);
  EXPECT_EQ(error->code(), Code::kMethodNotFound);
}

TEST_F(LocalCallTest, CallsByName) {
  LocalTarget target(*runtime_, nullptr, "com.acme.Keeper:1.0");
  ASSERT_TRUE(target.there());
  hessian::Value result;
  const std::vector<std::string> types{"com.acme.Node"};
  const std::vector<hessian::Value> values{
      hessian::Value::map({{hessian::Value("name"), hessian::Value("n")}})};
  Outgoing outgoing;
  outgoing.name = "keep";
  outgoing.types = types;
  outgoing.values = values;
  outgoing.result = &result;
  outgoing.deadline = outgoing.began + 20s;
  EXPECT_TRUE(runtime_->run(target.call(outgoing)));
  EXPECT_EQ(result["name"].as_string().value_or(""), "n");
  EXPECT_EQ(keeper_->kept.name, "n");
}

TEST_F(LocalCallTest, WithdrawWaitsForCallsAndReleasesTheObject) {
  const auto probe = near_probe();
  auto nap = as_future(probe->nap(100));
  ASSERT_TRUE(eventually([&] { return probe_->napping == 1; }));
  const std::weak_ptr<wire::MyProbe> object = probe_;
  EXPECT_TRUE(server_->withdraw(wire::kService));
  EXPECT_EQ(probe_->napping, 0);
  probe_.reset();
  EXPECT_TRUE(object.expired());
  EXPECT_EQ(nap.get(), 100);
  const std::optional<Error> error = error_of([&] { probe->echo("x").get(); });
  ASSERT_TRUE(error);
  EXPECT_EQ(error->code(), Code::kNoProvider);
  // And back again.
  server_->provide<wire::Probe>(std::make_shared<wire::MyProbe>());
  EXPECT_EQ(probe->echo("x").get(), "x");
}

TEST_F(LocalCallTest, StopWaitsForCallsAndReleasesAllObjects) {
  const auto probe = near_probe();
  const auto keeper = near<local::Keeper>("com.acme.Keeper:1.0");
  EXPECT_EQ(keeper->where().get(), "local");
  auto nap = as_future(probe->nap(100));
  ASSERT_TRUE(eventually([&] { return probe_->napping == 1; }));
  const std::weak_ptr<MyKeeper> object = keeper_;
  keeper_.reset();
  server_->stop();
  EXPECT_EQ(probe_->napping, 0);
  EXPECT_EQ(nap.get(), 100);
  server_.reset();
  EXPECT_TRUE(object.expired()) << "references keep nothing of the server";
  EXPECT_EQ(error_of([&] { keeper->where().get(); })->code(), Code::kNoProvider);
}

// Threads call while the service comes and goes; each call is answered or told that it is not there.
TEST_F(LocalCallTest, ServicesComeAndGoUnderCalls) {
  const auto probe = near_probe();
  std::atomic<bool> done{false};
  std::atomic<int> answered{0};
  std::vector<std::thread> callers;
  for (int t = 0; t < 3; ++t) {
    callers.emplace_back([&] {
      while (!done) {
        const std::optional<Error> error =
            error_of([&] { EXPECT_EQ(probe->later("x").get(), "x"); });
        if (error) {
          EXPECT_EQ(error->code(), Code::kNoProvider) << error->what();
        } else {
          ++answered;
        }
      }
    });
  }
  for (int round = 0; round < 20; ++round) {
    const int before = answered;
    EXPECT_TRUE(eventually([&] { return answered > before + 5; }));
    EXPECT_TRUE(server_->withdraw(wire::kService));
    server_->provide<wire::Probe>(std::make_shared<wire::MyProbe>());
  }
  done = true;
  for (std::thread& caller : callers) caller.join();
}

}  // namespace
}  // namespace settee::rpc
