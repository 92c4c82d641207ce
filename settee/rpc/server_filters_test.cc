// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0
//
// What stands before a server's methods: filters, authentication, limits; and what is told of calls.

#include <gtest/gtest.h>

#include <algorithm>

#include "settee/base/event_bus.h"
#include "settee/base/stats.h"
#include "settee/rpc/events.h"
#include "settee/rpc/rpc_test_peer.h"

namespace settee::rpc {
namespace {

using namespace std::chrono_literals;
using wire::eventually;
using wire::Wire;

// A test's list of what happened, from any thread.
class Seen {
 public:
  void add(std::string what) {
    const std::lock_guard lock(mutex_);
    all_.push_back(std::move(what));
  }
  std::vector<std::string> take() {
    const std::lock_guard lock(mutex_);
    return std::exchange(all_, {});
  }
  std::size_t count() const {
    const std::lock_guard lock(mutex_);
    return all_.size();
  }

 private:
  mutable std::mutex mutex_;
  std::vector<std::string> all_;
};

using Texts = std::vector<std::string>;

class Named final : public Filter {
 public:
  Named(Seen& seen, std::string name, bool suspends = false)
      : seen_(seen), name_(std::move(name)), suspends_(suspends) {}
  Task<void> apply(Call& call, Next next) override {
    if (suspends_) co_await sleep_for(1ms);
    const std::string header(call.header("x-who"));
    seen_.add(header.empty() ? name_ : name_ + ":" + header);
    co_await next();
  }

 private:
  Seen& seen_;
  std::string name_;
  bool suspends_;
};

wire::RawFrame with_header(wire::RawFrame frame,
                           std::vector<std::pair<std::string, std::string>> pairs) {
  pairs.insert(pairs.begin(), {"service", wire::kService});
  frame.header = wire::header_block(pairs);
  return frame;
}

class ServerFiltersTest : public testing::Test {
 protected:
  ServerFiltersTest() {
    RuntimeOptions options;
    options.threads = 2;
    options.log = log_.keep();
    options.pool.core = options.pool.max = 1;
    options.pool.queue = 10;
    runtime_ = std::make_unique<Runtime>(std::move(options));
    server_options_.host = "127.0.0.1";
    server_options_.port = 0;
    server_options_.app_name = "shop";
  }
  void serve(ProvideOptions provide = {}) {
    server_ = std::make_unique<Server>(*runtime_, server_options_);
    server_->provide<wire::Probe>(probe_, std::move(provide));
    server_->start();
    client_ = std::make_unique<Client>(*runtime_);
    remote_.emplace(client_->refer<wire::Probe>("bolt://" + server_->address()));
  }
  std::int64_t refused(std::string limit) const { return stat("refused", "limit", limit); }
  std::int64_t stat(const std::string& name, std::string key = {}, std::string value = {}) const {
    StatTags tags;
    if (!key.empty()) tags.emplace_back(key, value);
    const auto found = runtime_->stats().find("settee.rpc.server." + name, tags);
    return found ? found->value : -1;
  }
  static Code code_of(Task<std::string> task) {
    try {
      std::move(task).get();
    } catch (const Error& error) {
      return error.code();
    }
    return Code{};
  }

  wire::LogLines log_;
  Seen seen_;
  std::unique_ptr<Runtime> runtime_;
  ServerOptions server_options_;
  std::shared_ptr<wire::MyProbe> probe_ = std::make_shared<wire::MyProbe>();
  std::unique_ptr<Server> server_;
  std::unique_ptr<Client> client_;
  std::optional<Reference<wire::Probe>> remote_;
};

TEST_F(ServerFiltersTest, RunInTheirOrderAndForTheirMethods) {
  ProvideOptions provide;
  provide.filters.emplace_back(std::make_shared<Named>(seen_, "own"), "own", 5);
  serve(provide);
  EXPECT_EQ((*remote_)->echo("x").get(), "x");
  EXPECT_EQ(seen_.take(), Texts{"own"});
  server_->add_filter({std::make_shared<Named>(seen_, "inner"), "inner", 10});
  server_->add_filter({std::make_shared<Named>(seen_, "outer"), "outer", -10});
  server_->add_filter({std::make_shared<Named>(seen_, "naps"), "naps", 0, {"nap"}});
  server_->add_filter(std::make_shared<Named>(seen_, "nameless"));
  EXPECT_EQ((*remote_)->echo("x").get(), "x");
  EXPECT_EQ(seen_.take(), (Texts{"outer", "nameless", "own", "inner"}));
  (*remote_)->nap(1).get();
  EXPECT_EQ(seen_.take(), (Texts{"outer", "naps", "nameless", "own", "inner"}));
  EXPECT_TRUE(server_->remove_filter("outer"));
  EXPECT_FALSE(server_->remove_filter("outer"));
  EXPECT_EQ((*remote_)->echo("x").get(), "x");
  EXPECT_EQ(seen_.take(), (Texts{"nameless", "own", "inner"}));
  EXPECT_THROW(server_->add_filter({std::make_shared<Named>(seen_, "inner"), "inner"}), Error);
}

TEST_F(ServerFiltersTest, AServiceGoesWithoutThoseItNames) {
  serve();
  server_->add_filter({std::make_shared<Named>(seen_, "a"), "a"});
  server_->add_filter({std::make_shared<Named>(seen_, "b"), "b"});
  const auto with = [&](Texts without) {
    ProvideOptions provide;
    provide.version = "2.0";
    provide.without_filters = std::move(without);
    server_->provide<wire::Probe>(probe_, provide);
    ReferOptions refer;
    refer.version = "2.0";
    client_->refer<wire::Probe>("bolt://" + server_->address(), refer)->echo("x").get();
    server_->withdraw("com.acme.Probe:2.0");
    return seen_.take();
  };
  EXPECT_EQ(with({"a"}), Texts{"b"});
  EXPECT_EQ(with({"*"}), Texts{});
  EXPECT_EQ(with({"c"}), (Texts{"a", "b"}));
}

TEST_F(ServerFiltersTest, SeeTheHeadersOfARequestAlsoWhenTheySuspend) {
  serve();
  server_->add_filter({std::make_shared<Named>(seen_, "one"), "one"});
  server_->add_filter({std::make_shared<Named>(seen_, "two", true), "two", 1});
  server_->add_filter({std::make_shared<Named>(seen_, "three"), "three", 2});
  Wire peer = Wire::to_port(server_->port());
  ASSERT_TRUE(peer.send(with_header(wire::echo(1, "x"), {{"x-who", "ann"}}).bytes() +
                        with_header(wire::echo(2, "yy"), {{"x-who", "bob"}}).bytes()));
  ASSERT_TRUE(peer.receive());
  ASSERT_TRUE(peer.receive());
  Texts seen = seen_.take();
  std::sort(seen.begin(), seen.end());
  EXPECT_EQ(seen, (Texts{"one:ann", "one:bob", "three:ann", "three:bob", "two:ann", "two:bob"}));
}

TEST_F(ServerFiltersTest, ComeAndGoUnderLoad) {
  serve();
  std::atomic<bool> enough{false};
  std::atomic<int> answered{0};
  std::vector<std::thread> callers;
  for (int t = 0; t < 2; ++t) {
    callers.emplace_back([&] {
      while (!enough) {
        EXPECT_EQ((*remote_)->later("x").get(), "x");
        ++answered;
      }
    });
  }
  for (int round = 0; round < 50; ++round) {
    auto filter = std::make_shared<Named>(seen_, "it", round % 2 == 0);
    const std::weak_ptr<Named> watched = filter;
    server_->add_filter({std::move(filter), "it"});
    EXPECT_TRUE(eventually([&] { return seen_.count() > 0; }));
    EXPECT_TRUE(server_->remove_filter("it"));
    // Nothing but calls on their way holds it.
    EXPECT_TRUE(eventually([&] { return watched.expired(); }));
    seen_.take();
  }
  const int before = answered;
  EXPECT_TRUE(eventually([&] { return answered > before + 5; }));
  EXPECT_EQ(seen_.count(), 0u);
  enough = true;
  for (std::thread& caller : callers) caller.join();
}

TEST_F(ServerFiltersTest, AnIdleLoopHoldsNoFilterThatIsGone) {
  serve();
  auto filter = std::make_shared<Named>(seen_, "it");
  const std::weak_ptr<Named> watched = filter;
  server_->add_filter({std::move(filter), "it"});
  EXPECT_EQ((*remote_)->echo("x").get(), "x");
  EXPECT_TRUE(eventually([&] { return stat("in_flight") == 0; }));
  EXPECT_TRUE(server_->remove_filter("it"));
  EXPECT_TRUE(watched.expired());
}

TEST_F(ServerFiltersTest, ASecondNextIsAnError) {
  struct Twice final : Filter {
    Task<void> apply(Call&, Next next) override {
      co_await next();
      co_await next();
    }
  };
  serve();
  server_->add_filter({std::make_shared<Twice>(), "twice"});
  // In place of the first one's answer, not behind it: the call has one.
  Wire peer = Wire::to_port(server_->port());
  ASSERT_TRUE(peer.send(wire::echo(1, "x").bytes()));
  EXPECT_NE(peer.receive()->content.find("next() twice"), std::string::npos);
  server_->remove_filter("twice");
  ASSERT_TRUE(peer.send(wire::echo(2, "y").bytes()));
  EXPECT_EQ(peer.receive()->frame.id, 2);
  EXPECT_EQ(probe_->calls, 2);
}

TEST_F(ServerFiltersTest, WhateverAFilterDoesItsCallerIsAnswered) {
  struct Odd final : Filter {
    Task<void> apply(Call& call, Next next) override {
      if (call.header("x-who") == "plain") throw std::runtime_error("no coroutine");
      return inside(std::string(call.header("x-who")), next);
    }
    static Task<void> inside(std::string who, Next next) {
      if (who == "mute") co_return;
      co_await next();
      if (who == "late") co_await fail(Error(Code::kBusiness, "after all"));
    }
  };
  serve();
  server_->add_filter(std::make_shared<Odd>());
  server_->add_filter(std::make_shared<Odd>());  // behind one as ahead of the method
  Wire peer = Wire::to_port(server_->port());
  std::int32_t id = 0;
  const auto answer_to = [&](const std::string& who) {
    EXPECT_TRUE(peer.send(with_header(wire::echo(++id, "x"), {{"x-who", who}}).bytes()));
    const auto answer = peer.receive();
    EXPECT_TRUE(answer && answer->frame.id == id) << who;
    return answer ? answer->content : std::string();
  };
  EXPECT_NE(answer_to("plain").find("no coroutine"), std::string::npos);
  EXPECT_NE(answer_to("mute").find("without an answer"), std::string::npos);
  EXPECT_NE(answer_to("late").find("after all"), std::string::npos);
  EXPECT_EQ(answer_to("ann").find("exception"), std::string::npos);
  EXPECT_EQ(stat("failures"), 3);
}

TEST_F(ServerFiltersTest, AuthenticationSeesPeerHeadersAndBaggage) {
  server_options_.authenticate = [this](const Call& call) -> Result<void> {
    const Baggage* baggage = context().get(kRequestBaggage);
    seen_.add(std::string(call.method()) + " " + std::string(call.header("x-who")) + " " +
              (baggage == nullptr || baggage->count("token") == 0 ? "" : baggage->at("token")));
    if (call.header("x-who") == "mallory") throw std::runtime_error("no such user");
    if (call.header("x-who") == "eve") return Error(Code::kInvalidArgument, "wrong password");
    return {};
  };
  serve();
  Seen events;
  const Subscription listening =
      runtime_->events().subscribe<CallRefused>([&](const CallRefused& event) {
        events.add(std::string(event.limit.view()) + " " + std::string(event.method.view()) + " " +
                   std::string(event.reason.view()));
      });
  Wire peer = Wire::to_port(server_->port());
  const auto answer_to = [&](const std::string& who) {
    peer.send(with_header(wire::echo(1, "x"), {{"x-who", who}}));
    return *peer.receive();
  };
  EXPECT_EQ(answer_to("ann").field("appResponse"), "x");
  EXPECT_EQ(answer_to("eve").field("errorMsg"),
            "com.acme.Probe:1.0#echo: authentication: wrong password");
  EXPECT_NE(answer_to("mallory").field("errorMsg").find("no such user"), std::string::npos);
  EXPECT_EQ(probe_->calls, 1);
  EXPECT_EQ(refused("authentication"), 2);
  EXPECT_EQ(events.take().front(), "authentication echo wrong password");
  EXPECT_NE(log_.wait_for({peer.name(), "authentication: wrong password"}), "") << log_.all();
  seen_.take();
  // From one of our own clients: an Error that is not tried elsewhere.
  const Context with_token = Context().with(kRequestBaggage, {{"token", "t1"}});
  const ContextScope scope(with_token);
  EXPECT_EQ((*remote_)->echo("y").get(), "y");
  EXPECT_EQ(seen_.take(), Texts{"echo  t1"});
}

TEST_F(ServerFiltersTest, ConcurrentsOfAServiceAndOfAMethod) {
  ProvideOptions provide;
  provide.concurrents = 3;
  provide.methods["nap"].concurrents = 2;
  serve(provide);
  Seen events;
  const Subscription listening =
      runtime_->events().subscribe<CallRefused>([&](const CallRefused& event) {
        events.add(std::string(event.limit.view()) + ": " + std::string(event.reason.view()));
      });
  Wire peer = Wire::to_port(server_->port());
  ASSERT_TRUE(peer.send(wire::with_int(1, "nap", 400).bytes() +
                        wire::with_int(2, "nap", 400).bytes() +
                        wire::with_int(3, "nap", 400).bytes()));
  const auto third = peer.receive();
  ASSERT_TRUE(third);
  EXPECT_EQ(third->frame.id, 3);
  EXPECT_EQ(third->frame.status, bolt::Status::kBusy);
  EXPECT_EQ(events.take(), Texts{"concurrents: concurrents is 2"});
  EXPECT_EQ((*remote_)->echo("x").get(), "x");  // the service has room for one more
  EXPECT_EQ(refused("concurrents"), 1);
  EXPECT_NE(log_.wait_for({"com.acme.Probe:1.0#nap: 1 call(s) refused as busy: concurrents is 2"}),
            "");
  ASSERT_TRUE(peer.receive());
  ASSERT_TRUE(peer.receive());
  EXPECT_EQ((*remote_)->nap(1).get(), 1);  // all have left
  EXPECT_EQ(probe_->most_napping, 2);
}

TEST_F(ServerFiltersTest, RateOfAMethod) {
  ProvideOptions provide;
  provide.methods["echo"].rate = 0.01;
  provide.methods["echo"].burst = 3;
  serve(provide);
  for (int i = 0; i < 3; ++i) EXPECT_EQ((*remote_)->echo("x").get(), "x");
  EXPECT_EQ(code_of((*remote_)->echo("x")), Code::kBusy);
  EXPECT_EQ((*remote_)->later("x").get(), "x");
  EXPECT_EQ(refused("rate"), 1);
}

TEST_F(ServerFiltersTest, TheAdaptiveLimitRefusesWhatWaits) {
  ProvideOptions provide;
  provide.adaptive.min = 1;
  provide.adaptive.max = 2;
  serve(provide);
  std::vector<std::future<std::int32_t>> naps;
  naps.push_back(as_future((*remote_)->nap(300)));
  naps.push_back(as_future((*remote_)->nap(300)));
  ASSERT_TRUE(eventually([&] { return probe_->napping == 2; }));
  EXPECT_EQ(code_of((*remote_)->echo("x")), Code::kBusy);
  EXPECT_EQ(refused("adaptive"), 1);
  for (auto& nap : naps) EXPECT_EQ(nap.get(), 300);
}

TEST_F(ServerFiltersTest, TheAdaptiveLimitHearsOfCallsThatTimeOut) {
  ProvideOptions provide;
  provide.adaptive.min = 1;
  provide.adaptive.max = 100;
  provide.adaptive.window = 1ms;
  provide.methods["nap"].timeout = 30ms;
  serve(provide);
  for (int i = 0; i < 100; ++i) (*remote_)->echo("x").get();
  const auto nap = [&] { return as_future((*remote_)->nap(60'000)); };
  for (int i = 0; i < 60; ++i) EXPECT_THROW(nap().get(), Error);
  std::vector<std::future<std::int32_t>> naps;
  for (int i = 0; i < 19; ++i) naps.push_back(nap());  // it began with 20
  for (auto& one : naps) EXPECT_THROW(one.get(), Error);
  EXPECT_GT(refused("adaptive"), 0);
}

TEST_F(ServerFiltersTest, OptionsThatCannotBeMeantAreRefused) {
  serve();
  const auto words = [&](auto change) {
    ProvideOptions provide;
    provide.version = "3.0";
    change(provide);
    try {
      server_->provide<wire::Probe>(probe_, provide);
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), Code::kInvalidArgument);
      return std::string(error.what());
    }
    server_->withdraw("com.acme.Probe:3.0");
    return std::string();
  };
  const auto has = [](const std::string& text, const char* part) {
    return text.find(part) != std::string::npos;
  };
  EXPECT_TRUE(has(words([](auto& o) { o.methods["ehco"].rate = 1; }), "none named 'ehco'"));
  EXPECT_TRUE(has(words([](auto& o) { o.rate = -1; }), "rate is -1"));
  EXPECT_TRUE(has(words([](auto& o) { o.burst = 5; }), "burst without a rate"));
  EXPECT_TRUE(has(words([](auto& o) { o.adaptive.max = 2; }), "min is 4 and max 2"));
  EXPECT_TRUE(has(words([](auto& o) { o.timeout = -1ms; }), "timeout"));
  EXPECT_TRUE(has(words([](auto& o) { o.timeout = std::chrono::milliseconds::max(); }), "timeout"));
  EXPECT_TRUE(has(words([](auto& o) { o.rate = 1e-6, o.burst = 1e9; }), "burst is 1000000000"));
  EXPECT_EQ(words([](auto&) {}), "");
}

TEST_F(ServerFiltersTest, TheServicesOwnTimeEndsAMethodsWaiting) {
  ProvideOptions provide;
  provide.methods["nap"].timeout = 150ms;
  provide.methods["block"].timeout = 400ms;
  serve(provide);
  const TimePoint before = Clock::now();
  try {
    (*remote_)->nap(60'000).get();
    FAIL();
  } catch (const Error& error) {
    EXPECT_NE(error.code(), Code::kBusy) << error.what();
  }
  EXPECT_LT(Clock::now() - before, 2500ms);  // the client's own would be 3 s
  // What waits for the pool's only thread for longer is not begun; its caller may go elsewhere.
  const int before_it = probe_->calls;
  auto first = as_future((*remote_)->block(1200));
  ASSERT_TRUE(eventually([&] { return probe_->calls == before_it + 1; }));
  auto second = as_future((*remote_)->block(1));
  EXPECT_EQ(first.get(), 1200);
  try {
    second.get();
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), Code::kBusy) << error.what();
  }
  EXPECT_EQ(refused("timeout"), 1);
  EXPECT_EQ(probe_->calls, before_it + 1);
}

TEST_F(ServerFiltersTest, WhatCameTooLateIsNotDecoded) {
  server_options_.max_in_flight = 1;
  serve();
  Seen events;
  const Subscription listening =
      runtime_->events().subscribe<CallRefused>([&](const CallRefused& event) {
        events.add(std::string(event.limit.view()) + " " + std::string(event.service.view()));
      });
  Wire peer = Wire::to_port(server_->port());
  wire::RawFrame hasty = wire::echo(2, "x");
  hasty.timeout = 50;
  hasty.content = "not to be read";
  ASSERT_TRUE(peer.send(wire::with_int(1, "nap", 300).bytes() + hasty.bytes() +
                        wire::echo(3, "z").bytes()));
  EXPECT_EQ(peer.receive()->frame.id, 1);
  EXPECT_EQ(peer.receive()->frame.id, 3);
  EXPECT_EQ(stat("expired", "stage", "arrival"), 1);
  EXPECT_EQ(stat("failures"), 0);
  EXPECT_EQ(events.take(), Texts{"deadline com.acme.Probe:1.0"});
}

TEST_F(ServerFiltersTest, WhatWaitedTooLongForThePoolIsNotBegun) {
  serve();
  Wire peer = Wire::to_port(server_->port());
  wire::RawFrame hasty = wire::with_int(2, "block", 1);
  hasty.timeout = 50;
  ASSERT_TRUE(peer.send(wire::with_int(1, "block", 300).bytes() + hasty.bytes()));
  EXPECT_EQ(peer.receive()->frame.id, 1);
  EXPECT_TRUE(eventually([&] { return stat("expired", "stage", "queue") == 1; }));
  EXPECT_EQ(probe_->calls, 1);
}

TEST_F(ServerFiltersTest, AMethodMayHaveItsOwnPool) {
  ThreadPoolOptions few;
  few.core = few.max = 1;
  ProvideOptions provide;
  provide.pool = std::make_shared<ThreadPool>("wide", few);
  provide.methods["block"].pool = std::make_shared<ThreadPool>("narrow", few);
  serve(provide);
  EXPECT_EQ((*remote_)->block(1).get(), 1);
  const auto done = [&](const char* pool) {
    const auto found = runtime_->stats().find("settee.pool.done", {{"pool", pool}});
    return found ? found->value : -1;
  };
  EXPECT_TRUE(eventually([&] { return done("narrow") == 1; }));
  EXPECT_EQ(done("wide"), 0);
}

const ContextKey<std::string> kTenant{"tenant"};

TEST_F(ServerFiltersTest, EventsTellACallFromItsArrivalToItsEnd) {
  struct Tenant final : wire::MyProbe {
    Task<std::string> echo(std::string) override {
      const std::string* tenant = context().get(kTenant);
      co_return tenant == nullptr ? std::string("nobody") : *tenant;
    }
  };
  probe_ = std::make_shared<Tenant>();
  serve();
  Seen steps;
  std::vector<Subscription> listening;
  EventBus& bus = runtime_->events();
  std::mutex mutex;
  std::vector<ServerCallEnded> ends;
  std::vector<std::uint64_t> numbers;
  listening.push_back(bus.subscribe<ServerCallReceived>([&](const ServerCallReceived& event) {
    steps.add("received " + std::string(event.call.method.view()) + " from " +
              std::string(event.call.peer_app.view()) + " " +
              std::string(event.request->header("x-who")));
    *event.context = event.context->with(kTenant, "acme");
  }));
  listening.push_back(bus.subscribe<ServerCallStarted>([&](const ServerCallStarted& event) {
    steps.add("started " + std::string(event.call.invoke_type.view()));
  }));
  listening.push_back(bus.subscribe<ServerCallSent>([&](const ServerCallSent& event) {
    steps.add(event.response_bytes > 30 ? "sent" : "sent too little");
  }));
  // Queued: copied, and shown when the call has long gone.
  Seen queue;
  std::vector<std::function<void()>> jobs;
  listening.push_back(bus.subscribe<ServerCallEnded>(
      [&](const ServerCallEnded& event) {
        const std::lock_guard lock(mutex);
        ends.push_back(event);
      },
      EventQueue([&](std::function<void()> job) {
        const std::lock_guard lock(mutex);
        jobs.push_back(std::move(job));
      })));
  Wire peer = Wire::to_port(server_->port());
  const wire::RawFrame call =
      with_header(wire::echo(1, "x"), {{"x-who", "ann"}, {"app", "till"}, {"type", "future"}});
  ASSERT_TRUE(peer.send(call));
  EXPECT_EQ(peer.receive()->field("appResponse"), "acme");
  EXPECT_EQ(steps.take(), (Texts{"received echo from till ann", "started callback", "sent"}));
  ASSERT_TRUE(peer.send(wire::request(2, "fail", {"java.lang.String"},
                                      [](hessian::Writer& w) { w.write_string("n"); })));
  ASSERT_TRUE(peer.receive());
  const std::string name = peer.name();
  peer.close();
  EXPECT_TRUE(eventually([&] { return stat("in_flight") == 0; }));
  for (;;) {
    std::function<void()> job;
    {
      const std::lock_guard lock(mutex);
      if (jobs.empty()) break;
      job = std::move(jobs.back());
      jobs.pop_back();
    }
    job();
  }
  const std::lock_guard lock(mutex);
  ASSERT_EQ(ends.size(), 2u);
  EXPECT_EQ(ends[0].call.service, "com.acme.Probe:1.0");
  EXPECT_EQ(ends[0].call.app, "shop");
  EXPECT_EQ(ends[0].call.peer_app, "till");
  EXPECT_EQ(ends[0].call.protocol, "bolt");
  EXPECT_EQ(ends[0].peer, name);
  EXPECT_FALSE(ends[0].error);
  EXPECT_EQ(ends[0].measures.request_bytes, call.bytes().size());
  EXPECT_GT(ends[0].measures.response_bytes, 30u);
  EXPECT_GT(ends[0].handled.count(), 0);
  EXPECT_GE(ends[0].took, ends[0].handled);
  EXPECT_EQ(ends[1].error->code(), Code::kBusiness);
  EXPECT_EQ(ends[1].call.number, ends[0].call.number + 1);
}

TEST_F(ServerFiltersTest, EventsTellOfTheServersOwnLife) {
  Seen events;
  const Subscription started = runtime_->events().subscribe<ServerStarted>(
      [&](const ServerStarted& event) { events.add("started " + event.address); });
  const Subscription stopped =
      runtime_->events().subscribe<ServerStopped>([&](const ServerStopped& event) {
        events.add("stopped " + event.address + " " + std::to_string(event.cut_off));
      });
  serve();
  const std::string address = server_->address();
  EXPECT_EQ(events.take(), Texts{"started " + address});
  server_->stop();
  EXPECT_EQ(events.take(), Texts{"stopped " + address + " 0"});
}

}  // namespace
}  // namespace settee::rpc
