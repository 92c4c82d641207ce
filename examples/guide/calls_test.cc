// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0
//
// The ways of calling, options, errors and generic calls of docs/guide.md.

#include <chrono>
#include <cstdio>
#include <future>

#include "examples/guide/fixture.h"
#include "settee/hessian/exception.h"

namespace shop {
namespace {

using namespace std::chrono_literals;
using settee::rpc::CallOptions;
using settee::rpc::Reference;

// [coroutine]
settee::Task<std::string> describe(Reference<Orders> orders) {
  const Order order = co_await orders->find("7");                          // throws settee::Error
  settee::Result<Order> other = co_await as_result(orders->find("none"));  // does not throw
  if (!other) co_return order.id + ", and " + other.error().message();
  co_return order.id + " and " + other->id;
}
// [/coroutine]

// [when_all]
settee::Task<std::size_t> count_items(Reference<Orders> orders) {
  auto [first, second] = co_await when_all(orders->find("7"), orders->find("8"));
  co_return first.items.size() + second.items.size();
}
// [/when_all]

// [aggregate]
settee::Task<std::int64_t> place_safely(Reference<Orders> orders) {
  Order order;  // a named value,
  order.id = "9";
  co_return co_await orders->place(std::move(order));  // moved in
}

Order order_of(std::string id) {  // or the result of a function
  Order order;
  order.id = std::move(id);
  return order;
}

settee::Task<std::int64_t> place_another(Reference<Orders> orders) {
  co_return co_await orders->place(order_of("10"));
}
// [/aggregate]

TEST_F(GuideTest, CallsFromCoroutines) {
  EXPECT_NE(runtime.run(describe(*orders)).find("there is no order none"), std::string::npos);
  EXPECT_EQ(runtime.run(count_items(*orders)), 0u);
  EXPECT_EQ(runtime.run(place_safely(*orders)), 3);
  EXPECT_EQ(runtime.run(place_another(*orders)), 4);
}

TEST_F(GuideTest, CallsFromThreads) {
  const Reference<Orders>& orders = *this->orders;
  std::promise<std::string> told;
  const auto use = [&told](const std::string& text) { told.set_value(text); };
  // [thread]
  const Order order = orders->find("7").get();  // blocks this thread; throws settee::Error

  std::future<Order> later = as_future(orders->find("8"));

  orders->find("7").then([&](settee::Result<Order> found) {  // on a loop's thread: be brief
    use(found ? found->id : found.error().message());
  });

  settee::Result<void> sent = oneway(orders->note("no answer wanted"));
  // [/thread]
  EXPECT_EQ(order.total.text, "12.50");
  EXPECT_EQ(later.get().id, "8");
  EXPECT_EQ(told.get_future().get(), "7");
  EXPECT_TRUE(sent);
  for (int i = 0; i < 500 && my_orders->notes().empty(); ++i) std::this_thread::sleep_for(10ms);
  EXPECT_EQ(my_orders->notes().size(), 1u);
}

TEST_F(GuideTest, Options) {
  Order order;
  {
    // [refer]
    settee::rpc::ReferOptions options;
    options.version = "1.0";  // the default
    options.timeout = 500ms;  // of each call, in place of ClientOptions::timeout
    auto orders = client.refer<Orders>(url, options);
    auto same = client.refer<Orders>(url + "?timeout=500&version=1.0");
    // [/refer]
    order = same->find("7").get();
    EXPECT_EQ(orders->find("8").get().id, "8");
  }
  EXPECT_EQ(order.id, "7");
  const Reference<Orders>& orders = *this->orders;
  const settee::TimePoint begin = settee::Clock::now();
  try {
    // [call_options]
    order = orders.with(CallOptions().timeout(50ms))->find("slow").get();
    // [/call_options]
    FAIL();
  } catch (const settee::Error& error) {
    EXPECT_EQ(error.code(), settee::Code::kTimeout) << error.what();
  }
  EXPECT_LT(settee::Clock::now() - begin, 5s);
}

TEST_F(GuideTest, Errors) {
  Order order;
  order.items.resize(1);
  order.items[0].sku = "chair";
  order.items[0].quantity = 1000;
  std::string log;
  const auto tell = [&log](std::string_view text) { log += text; };
  // [errors]
  settee::Result<std::int64_t> placed = settee::Error(settee::Code::kUnknown, "not called yet");
  try {
    placed = (*orders)->place(order).get();
  } catch (const settee::Error& error) {
    if (auto out = error.as<OutOfStock>()) {  // the method threw this
      tell(out->sku + ": " + out->message);
    } else if (error.code() == settee::Code::kTimeout) {
      tell("too slow");  // a Code says what kind of failure it was,
    } else {
      tell(error.what());  // and what() which step failed, and why
    }
  }
  // [/errors]
  EXPECT_EQ(log, "chair: only 100 left");
  EXPECT_FALSE(placed);
}

template <class F>
settee::Error error_of(F call) {
  try {
    call();
  } catch (const settee::Error& error) {
    return error;
  }
  return settee::Error(settee::Code::kUnknown, "it did not fail");
}

// What the guide's section on trouble quotes.
TEST_F(GuideTest, MessagesOfErrors) {
  const auto expect = [](const settee::Error& error, settee::Code code, std::string_view words) {
    EXPECT_EQ(error.code(), code) << error.what();
    EXPECT_NE(std::string_view(error.what()).find(words), std::string_view::npos) << error.what();
    std::printf("[  message ] %s\n", error.what());
  };
  const auto find = [&](const std::string& address) {
    return error_of([&] { client.refer<Orders>(address)->find("7").get(); });
  };
  expect(find("bolt://127.0.0.1:1"), settee::Code::kConnectFailed, "Connection refused");
  expect(find(url + "?version=2.0"), settee::Code::kServiceNotFound, "cannot find service");
  expect(find("tri://127.0.0.1:1"), settee::Code::kInvalidArgument, "'tri' is not spoken");
  auto generic = client.refer_generic(url + "/com.acme.shop.Orders");
  expect(error_of([&] {
           generic.call("find", {}, {"7", "8"}).get();
         }),
         settee::Code::kMethodNotFound, "Cannot find invoke method: [find]");
  // A failure of a handler that is no exception of its own: SOFARPC's exception carries it.
  const settee::Error missing = error_of([&] { (*orders)->find("none").get(); });
  expect(missing, settee::Code::kBusiness, "there is no order none");
  EXPECT_EQ(missing.exception()->class_name(),
            "com.alipay.sofa.rpc.core.exception.SofaRpcException");
  auto slow = orders->with(CallOptions().timeout(20ms));
  expect(error_of([&] { slow->find("slow").get(); }), settee::Code::kTimeout,
         "no answer before the deadline");
  std::promise<settee::Error> blocked;
  runtime.loop(0).post(std::function<void()>(
      [&] { blocked.set_value(error_of([&] { (*orders)->find("7").get(); })); }));
  expect(blocked.get_future().get(), settee::Code::kMisuse, "on a loop's thread");
}

TEST_F(GuideTest, GenericCalls) {
  // [generic]
  using settee::hessian::Value;
  auto service = client.refer_generic(url + "/com.acme.shop.Orders:1.0");

  Value item = Value::object("com.acme.shop.Item").set("sku", "lamp").set("quantity", 2);
  Value order =
      Value::object("com.acme.shop.Order").set("id", "20").set("items", Value::list({item}));
  const Value count = service.call("place", {"com.acme.shop.Order"}, {order}).get();

  const Value found = service.call("find", {}, {"20"}).get();  // {}: types taken from the values
  const std::string_view sku = found["items"][0]["sku"].as_string().value();
  // [/generic]
  EXPECT_EQ(count.as_long().value(), 3);
  EXPECT_EQ(sku, "lamp");
}

TEST_F(GuideTest, JsonOnTheWire) {
  // [json_codec]
  auto orders = client.refer<Orders>(url + "?serialization=json");
  // [/json_codec]
  EXPECT_EQ(orders->find("7").get().total.text, "12.50");
}

class MyPrices final : public Prices {
  settee::Task<double> price(std::string) override { co_return 1.5; }
  settee::Task<double> price(std::string, std::int32_t quantity) override {
    co_return 1.5 * quantity;
  }
};

TEST_F(GuideTest, Overloads) {
  server.provide<Prices>(std::make_shared<MyPrices>());
  auto prices = client.refer<Prices>(url);
  EXPECT_EQ(prices->price("lamp").get(), 1.5);
  EXPECT_EQ(prices->price("lamp", 4).get(), 6);
}

}  // namespace
}  // namespace shop
