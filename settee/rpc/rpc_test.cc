// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0
//
// A server and a client of ours in one process, over a real socket.

#include "settee/rpc/rpc.h"

#include <gtest/gtest.h>

#include <thread>

namespace acme {

struct Quote {
  std::string symbol;
  std::int64_t cents = 0;
  std::vector<std::string> tags;
};

struct SoldOut : settee::BusinessException<SoldOut> {
  std::string sku;
  std::int32_t left = 0;
};

struct Shop {
  virtual ~Shop() = default;
  virtual settee::Task<Quote> latest(std::string symbol) = 0;
  virtual settee::Task<std::int32_t> add(std::int32_t a, std::int64_t b) = 0;
  virtual settee::Task<std::string> echo(std::string text) = 0;
  virtual settee::Task<void> sell(std::string sku) = 0;
  virtual settee::Task<std::string> nap(std::int32_t ms) = 0;
  virtual settee::Task<std::string> block(std::int32_t ms) = 0;
  virtual settee::Task<std::string> baggage(std::string key) = 0;
  virtual settee::Task<void> note(std::string text) = 0;
  virtual settee::Task<std::string> whoCalls() = 0;
  virtual settee::Task<void> crash() = 0;
};

}  // namespace acme

SETTEE_STRUCT(acme::Quote, "com.acme.Quote", symbol, cents, tags)
SETTEE_EXCEPTION(acme::SoldOut, "com.acme.SoldOut", sku, left)
SETTEE_SERVICE(acme::Shop, "com.acme.Shop", (latest, symbol), (add, a, b), (echo, text), (sell, sku),
               (nap, ms), (block, ms).blocking(), (baggage, key), (note, text), (whoCalls), (crash))

namespace settee::rpc {
namespace {

using namespace std::chrono_literals;

struct MyShop final : acme::Shop {
  Task<acme::Quote> latest(std::string symbol) override {
    acme::Quote quote;
    quote.symbol = std::move(symbol);
    quote.cents = 4200;
    quote.tags = {"a", "b"};
    co_return quote;
  }
  Task<std::int32_t> add(std::int32_t a, std::int64_t b) override {
    co_return a + static_cast<std::int32_t>(b);
  }
  Task<std::string> echo(std::string text) override { co_return std::move(text); }
  Task<void> sell(std::string sku) override {
    acme::SoldOut sold_out;
    sold_out.message = "none left";
    sold_out.sku = std::move(sku);
    sold_out.left = 0;
    throw sold_out;
    co_return;
  }
  Task<std::string> nap(std::int32_t ms) override {
    co_await sleep_for(std::chrono::milliseconds(ms));
    co_return "rested";
  }
  Task<std::string> block(std::int32_t ms) override {
    std::this_thread::sleep_for(std::chrono::milliseconds(ms));
    ++blocked;
    co_return Loop::current() == nullptr ? "on a pool" : "on a loop";
  }
  Task<std::string> baggage(std::string key) override {
    const Context here = context();
    const Baggage* sent = here.get(kRequestBaggage);
    std::string value = sent != nullptr && sent->contains(key) ? sent->at(key) : "none";
    respond_baggage("reply", "got:" + value);
    co_return value;
  }
  Task<void> note(std::string text) override {
    if (text == "n") ++notes;
    co_return;
  }
  Task<std::string> whoCalls() override {
    const Call* call = current_call();
    co_return std::string(call->service()) + "#" + std::string(call->method());
  }
  Task<void> crash() override {
    throw std::runtime_error("out of cheese");
    co_return;
  }
  std::atomic<int> notes{0};
  std::atomic<int> blocked{0};
};

class RpcTest : public testing::Test {
 protected:
  RpcTest() : runtime_{{.threads = 2, .pool = {.core = 1, .max = 2, .queue = 0}}} {
    server_ = std::make_unique<Server>(runtime_, ServerOptions{.host = "127.0.0.1", .port = 0});
    shop_ = std::make_shared<MyShop>();
    server_->provide<acme::Shop>(shop_);
    server_->start();
    client_ = std::make_unique<Client>(runtime_);
  }
  std::string url() const { return "bolt://127.0.0.1:" + std::to_string(server_->port()); }
  Reference<acme::Shop> refer() { return client_->refer<acme::Shop>(url()); }

  Runtime runtime_;
  std::shared_ptr<MyShop> shop_;
  std::unique_ptr<Server> server_;
  std::unique_ptr<Client> client_;
};

template <class T>
Code code_of(Task<T> task) {
  try {
    std::move(task).get();
    return Code{};
  } catch (const Error& error) {
    return error.code();
  }
}

TEST_F(RpcTest, EveryWayOfCalling) {
  auto shop = refer();
  EXPECT_EQ(shop->latest("ACME").get().cents, 4200);
  EXPECT_EQ(as_future(shop->echo("f")).get(), "f");
  std::promise<std::string> called;
  shop->echo("c").then([&](Result<std::string> r) { called.set_value(r.value()); });
  EXPECT_EQ(called.get_future().get(), "c");
  auto body = [](Reference<acme::Shop> s) -> Task<std::string> {
    const acme::Quote quote = co_await s->latest("X");
    Result<std::int32_t> sum = co_await as_result(s->add(40, 2));
    co_return quote.symbol + std::to_string(*sum) + quote.tags[1];
  };
  EXPECT_EQ(runtime_.run(body(shop)), "X42b");
  EXPECT_EQ(shop.with(CallOptions().timeout(5s))->echo("o").get(), "o");
  EXPECT_TRUE(oneway(shop->note("n")));
  EXPECT_EQ(shop->echo("after").get(), "after");
  for (int i = 0; i < 100 && shop_->notes == 0; ++i) std::this_thread::sleep_for(10ms);
  EXPECT_EQ(shop_->notes, 1);
}

TEST_F(RpcTest, BusinessExceptionArrivesWithItsType) {
  auto shop = refer();
  try {
    shop->sell("A-1").get();
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), Code::kBusiness);
    EXPECT_EQ(error.message(), "none left");
    ASSERT_NE(error.exception(), nullptr);
    EXPECT_EQ(error.exception()->class_name(), "com.acme.SoldOut");
    ASSERT_TRUE(error.as<acme::SoldOut>());
    EXPECT_EQ(error.as<acme::SoldOut>()->sku, "A-1");
  }
}

TEST_F(RpcTest, OtherExceptionsNameTheirType) {
  try {
    refer()->crash().get();
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.exception()->class_name(), "java.lang.RuntimeException");
    EXPECT_EQ(error.message(), "std::runtime_error: out of cheese");
  }
}

TEST_F(RpcTest, UnknownServiceAndMethod) {
  auto elsewhere = client_->refer<acme::Shop>(url() + "?uniqueId=other");
  EXPECT_EQ(code_of(elsewhere->echo("x")), Code::kServiceNotFound);
  auto generic = client_->refer_generic(url() + "/com.acme.Shop");
  EXPECT_EQ(code_of(generic.call("nope", {}, {})), Code::kMethodNotFound);
}

TEST_F(RpcTest, GenericCall) {
  auto generic = client_->refer_generic(url() + "/com.acme.Shop:1.0");
  std::vector<hessian::Value> arguments{40, 2L};
  EXPECT_EQ(generic.call("add", {"int", "long"}, arguments).get().as_int().value(), 42);
  EXPECT_EQ(generic.call("add", {}, std::move(arguments)).get().as_int().value(), 42);
  std::vector<hessian::Value> symbol{"ACME"};
  const hessian::Value quote = generic.call("latest", {}, std::move(symbol)).get();
  EXPECT_EQ(quote.type_name(), "com.acme.Quote");
  EXPECT_EQ(quote["cents"].as_long().value(), 4200);
}

TEST_F(RpcTest, JavaGenericServiceMethods) {
  auto generic = client_->refer_generic(url() + "/com.acme.Shop");
  for (const char* method : {"$invoke", "$genericInvoke"}) {
    std::vector<hessian::Value> arguments{
        "add", hessian::Value::list("[string", {"int", "long"}),
        hessian::Value::list("[object", {1, 2L})};
    std::vector<std::string> types{"java.lang.String", "[Ljava.lang.String;",
                                   "[Ljava.lang.Object;"};
    EXPECT_EQ(generic.call(method, std::move(types), std::move(arguments)).get().as_int().value(), 3);
  }
}

TEST_F(RpcTest, TimeoutIsTheCallersAndTheServersDeadline) {
  auto shop = refer();
  const TimePoint begin = Clock::now();
  EXPECT_EQ(code_of(shop.with(CallOptions().timeout(50ms))->nap(2000)), Code::kTimeout);
  EXPECT_LT(Clock::now() - begin, 1s);
  // The Context's deadline counts as well.
  const ContextScope scope(context().with_timeout(50ms));
  EXPECT_EQ(code_of(shop->nap(2000)), Code::kTimeout);
}

TEST_F(RpcTest, CancellationEndsTheCall) {
  auto shop = refer();
  CancelSource cancel;
  std::future<std::string> future;
  {
    const ContextScope scope(cancel.context());
    future = as_future(shop->nap(5000));
  }
  std::this_thread::sleep_for(20ms);
  cancel.cancel();
  try {
    future.get();
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), Code::kCancelled);
  }
}

TEST_F(RpcTest, BlockingMethodsRunOnThePoolAndAreRefusedWhenItIsFull) {
  auto shop = refer();
  EXPECT_EQ(shop->block(0).get(), "on a pool");
  // Its answer may come before its thread is free.
  for (int i = 0; i < 2000 && runtime_.pool().figures().busy > 0; ++i) {
    std::this_thread::sleep_for(1ms);
  }
  auto first = as_future(shop->block(300));
  auto second = as_future(shop->block(300));
  for (int i = 0; i < 200 && runtime_.pool().figures().busy < 2; ++i) {
    std::this_thread::sleep_for(1ms);
  }
  EXPECT_EQ(code_of(shop->block(0)), Code::kBusy);
  EXPECT_EQ(shop->echo("the loop is free").get(), "the loop is free");
  first.get();
  second.get();
}

TEST_F(RpcTest, BaggageBothWays) {
  auto shop = refer();
  auto reply = std::make_shared<Baggage>();
  const ContextScope scope(context()
                               .with(kRequestBaggage, Baggage{{"user", "ann"}})
                               .with(kResponseBaggage, reply));
  EXPECT_EQ(shop->baggage("user").get(), "ann");
  EXPECT_EQ((*reply)["reply"], "got:ann");
  EXPECT_EQ(shop->baggage("other").get(), "none");
}

TEST_F(RpcTest, HandlerKnowsItsCall) {
  EXPECT_EQ(refer()->whoCalls().get(), "com.acme.Shop:1.0#whoCalls");
  EXPECT_EQ(current_call(), nullptr);
  EXPECT_THROW(respond_baggage("a", "b"), Error);
}

TEST_F(RpcTest, ManyCallsAtOnceOnOneConnection) {
  auto shop = refer();
  auto body = [](Reference<acme::Shop> s) -> Task<int> {
    std::vector<Task<std::string>> calls;
    for (int i = 0; i < 1000; ++i) calls.push_back(s->echo(std::to_string(i)));
    const std::vector<std::string> answers = co_await when_all(std::move(calls));
    int right = 0;
    for (int i = 0; i < 1000; ++i) right += answers[static_cast<std::size_t>(i)] == std::to_string(i);
    co_return right;
  };
  EXPECT_EQ(runtime_.run(body(shop)), 1000);
}

TEST_F(RpcTest, LargePayload) {
  std::string large(8 * 1024 * 1024, 'x');
  EXPECT_EQ(refer()->echo(large).get(), large);
}

TEST_F(RpcTest, ProtocolErrorsCloseOnlyTheirConnection) {
  auto shop = refer();
  EXPECT_EQ(shop->echo("a").get(), "a");
  EXPECT_EQ(shop->echo("b").get(), "b");
}

TEST_F(RpcTest, ConnectFailureSaysWhereAndWhy) {
  auto nobody = client_->refer<acme::Shop>("bolt://127.0.0.1:1");
  try {
    nobody->echo("x").get();
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), Code::kConnectFailed);
    const std::string what = error.what();
    EXPECT_NE(what.find("com.acme.Shop:1.0#echo"), std::string::npos) << what;
    EXPECT_NE(what.find("127.0.0.1:1"), std::string::npos) << what;
    EXPECT_NE(what.find("Connection refused"), std::string::npos) << what;
  }
}

TEST_F(RpcTest, ReconnectsAfterTheServerCameBack) {
  auto shop = refer();
  EXPECT_EQ(shop->echo("a").get(), "a");
  const std::uint16_t port = server_->port();
  server_.reset();
  EXPECT_NE(code_of(shop->echo("b")), Code{});
  server_ = std::make_unique<Server>(runtime_, ServerOptions{.host = "127.0.0.1", .port = port});
  server_->provide<acme::Shop>(shop_);
  server_->start();
  Code last = Code::kUnknown;
  for (int i = 0; i < 100 && last != Code{}; ++i) {
    std::this_thread::sleep_for(20ms);
    last = code_of(shop->echo("c"));
  }
  EXPECT_EQ(last, Code{});
}

TEST_F(RpcTest, GetOnALoopIsRefusedWithTheCallsName) {
  auto shop = refer();
  auto body = [](Reference<acme::Shop> s) -> Task<std::string> {
    try {
      s->echo("x").get();
      co_return "it blocked";
    } catch (const Error& error) {
      co_return error.what();
    }
  };
  const std::string what = runtime_.run(body(shop));
  EXPECT_NE(what.find("echo"), std::string::npos) << what;
  EXPECT_NE(what.find("loop"), std::string::npos) << what;
}

TEST_F(RpcTest, WithdrawnServiceIsGone) {
  auto shop = refer();
  EXPECT_EQ(shop->echo("a").get(), "a");
  std::weak_ptr<MyShop> watched = shop_;
  shop_.reset();
  EXPECT_TRUE(server_->withdraw("com.acme.Shop:1.0"));
  EXPECT_TRUE(watched.expired());
  EXPECT_EQ(code_of(shop->echo("a")), Code::kServiceNotFound);
  EXPECT_FALSE(server_->withdraw("com.acme.Shop:1.0"));
}

TEST_F(RpcTest, StopAnswersWhatRuns) {
  auto shop = refer();
  auto running = as_future(shop->nap(200));
  std::this_thread::sleep_for(50ms);
  server_->stop();
  EXPECT_EQ(running.get(), "rested");
  server_->stop();  // twice does no harm
}

TEST(RpcFilterTest, FiltersSeeEveryCallOnBothSides) {
  struct Counting final : Filter {
    std::atomic<int> seen{0};
    std::string last;
    Task<void> apply(Call& call, Next next) override {
      ++seen;
      last = std::string(call.method());
      co_await sleep_for(1ms);  // a filter may suspend
      if (call.method() == "crash") co_await fail(Error(Code::kCancelled, "not today"));
      co_await next();
    }
  };
  Runtime runtime{{.threads = 1}};
  Server server{runtime, {.host = "127.0.0.1", .port = 0}};
  server.provide<acme::Shop>(std::make_shared<MyShop>());
  auto on_server = std::make_shared<Counting>();
  server.add_filter(on_server);
  server.start();
  Client client{runtime};
  auto shop = client.refer<acme::Shop>("bolt://127.0.0.1:" + std::to_string(server.port()));
  EXPECT_EQ(runtime.run(shop->echo("text")), "text");
  EXPECT_EQ(on_server->seen, 1);
  EXPECT_EQ(on_server->last, "echo");
  auto on_client = std::make_shared<Counting>();
  Client filtered{runtime};
  filtered.add_filter(on_client);
  auto shop2 = filtered.refer<acme::Shop>("bolt://127.0.0.1:" + std::to_string(server.port()));
  EXPECT_EQ(runtime.run(shop2->echo("text")), "text");
  EXPECT_THROW(runtime.run(shop2->crash()), Error);
  EXPECT_EQ(on_client->seen, 2);
  EXPECT_EQ(on_server->seen, 2);
}

TEST(RpcFullTest, AwaitingCallsWaitForRoomAndOthersFailAtOnce) {
  Runtime runtime{{.threads = 1}};
  Server server{runtime, {.host = "127.0.0.1", .port = 0}};
  server.provide<acme::Shop>(std::make_shared<MyShop>());
  server.start();
  Client client{runtime, {.max_in_flight = 2}};
  auto shop = client.refer<acme::Shop>("bolt://127.0.0.1:" + std::to_string(server.port()));
  auto body = [](Reference<acme::Shop> s) -> Task<Code> {
    std::vector<Task<std::string>> calls;
    for (int i = 0; i < 8; ++i) calls.push_back(s->nap(20));
    Task<std::vector<std::string>> all = when_all(std::move(calls));
    co_await sleep_for(0ms);
    Code overflow{};
    std::vector<std::string> done = co_await std::move(all);
    EXPECT_EQ(done.size(), 8u);
    co_return overflow;
  };
  runtime.run(body(shop));
  auto naps = std::vector<std::future<std::string>>();
  int refused = 0;
  for (int i = 0; i < 8; ++i) naps.push_back(as_future(shop->nap(100)));
  for (auto& nap : naps) {
    try {
      nap.get();
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), Code::kOverflow);
      EXPECT_NE(std::string(error.what()).find("limit 2"), std::string::npos) << error.what();
      ++refused;
    }
  }
  EXPECT_EQ(refused, 6);
}

TEST(RpcUnixSocketTest, Works) {
  Runtime runtime{{.threads = 1}};
  const std::string path = testing::TempDir() + "settee_rpc_test.sock";
  Server server{runtime, {.host = "unix:" + path}};
  server.provide<acme::Shop>(std::make_shared<MyShop>());
  server.start();
  Client client{runtime};
  auto shop = client.refer<acme::Shop>("bolt://unix:" + path);
  EXPECT_EQ(shop->echo("x").get(), "x");
}

TEST(RpcForeignLoopTest, ServesOnALoopThatItsOwnerTurns) {
  Runtime runtime{{.foreign_loop = true}};
  Loop& loop = runtime.foreign_loop();
  Server server{runtime, {.host = "127.0.0.1", .port = 0}};
  server.provide<acme::Shop>(std::make_shared<MyShop>());
  server.start();
  Client client{runtime};
  auto shop = client.refer<acme::Shop>("bolt://127.0.0.1:" + std::to_string(server.port()));
  std::optional<std::string> answer;
  loop.enter();
  shop->echo("x").then([&](Result<std::string> r) { answer = r.value(); });
  loop.leave();
  loop.flush();
  for (int i = 0; i < 1000 && !answer; ++i) loop.turn(10ms);
  EXPECT_EQ(answer, "x");
}

}  // namespace
}  // namespace settee::rpc
