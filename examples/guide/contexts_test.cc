// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0
//
// Deadlines, cancellation, baggage and streams of docs/guide.md.

#include <chrono>

#include "examples/guide/fixture.h"
#include "settee/base/stream.h"

namespace shop {
namespace {

using namespace std::chrono_literals;
using settee::rpc::Baggage;
using settee::rpc::Reference;

// [deadline]
settee::Task<Order> in_time(Reference<Orders> orders, std::string id) {
  // The call, and all calls that its handler makes in turn, end within 100 ms.
  co_return co_await with_timeout(100ms, orders->find(std::move(id)));
}
// [/deadline]

TEST_F(GuideTest, Deadlines) {
  EXPECT_EQ(runtime.run(in_time(*orders, "7")).id, "7");
  const settee::TimePoint begin = settee::Clock::now();
  EXPECT_THROW(runtime.run(in_time(*orders, "slow")), settee::Error);
  EXPECT_LT(settee::Clock::now() - begin, 5s);
}

TEST_F(GuideTest, Cancellation) {
  const Reference<Orders> orders = this->orders->with(settee::rpc::CallOptions().timeout(1s));
  settee::Code code = settee::Code::kUnknown;
  // [cancel]
  settee::CancelSource source;
  auto answer = as_future(with_context(source.context(), orders->find("slow")));
  source.cancel();  // from any thread
  try {
    answer.get();
  } catch (const settee::Error& error) {
    code = error.code();  // kCancelled
  }
  // [/cancel]
  EXPECT_EQ(code, settee::Code::kCancelled);
}

// [context_key]
inline constexpr settee::ContextKey<std::string> kTenant{"tenant"};

settee::Task<std::string> tenant() {
  const std::string* name = settee::context().get(kTenant);
  co_return name == nullptr ? "nobody" : *name;
}
// [/context_key]

TEST_F(GuideTest, Values) {
  EXPECT_EQ(runtime.run(tenant()), "nobody");
  // [context_scope]
  const settee::ContextScope scope(settee::context().with(kTenant, std::string("acme")));
  const std::string name = runtime.run(tenant());  // "acme"
  // [/context_scope]
  EXPECT_EQ(name, "acme");
}

// [baggage_server]
struct MyGreeter final : Greeter {
  settee::Task<std::string> greet(std::string name) override {
    const Baggage* baggage = settee::context().get(settee::rpc::kRequestBaggage);
    const bool formal = baggage != nullptr && baggage->contains("formal");
    settee::rpc::respond_baggage("greeter", "number one");
    co_return (formal ? "Good morning, " : "Hi ") + name;
  }
};
// [/baggage_server]

TEST_F(GuideTest, BaggageTravels) {
  server.provide<Greeter>(std::make_shared<MyGreeter>());
  auto greeter = client.refer<Greeter>(url);
  // [baggage_client]
  const Baggage request{{"formal", "yes"}};
  const auto response = std::make_shared<Baggage>();
  const settee::Context work = settee::context()
                                   .with(settee::rpc::kRequestBaggage, request)
                                   .with(settee::rpc::kResponseBaggage, response);
  const std::string greeting = with_context(work, greeter->greet("Ann")).get();
  // response->at("greeter") == "number one"
  // [/baggage_client]
  EXPECT_EQ(greeting, "Good morning, Ann");
  EXPECT_EQ(response->at("greeter"), "number one");
}

// [stream]
settee::Task<void> produce(settee::StreamSink<int> sink) {
  for (int i = 1; i <= 100; ++i) {
    const bool wanted = co_await sink.write(i);  // waits while 16 values are unread
    if (!wanted) co_return;                      // the reader has gone
  }
  sink.close();
}

settee::Task<int> sum(settee::AsyncStream<int> stream) {
  int total = 0;
  while (std::optional<int> next = co_await stream.next()) total += *next;
  co_return total;
}

int run_both(settee::Runtime& runtime) {
  auto [sink, stream] = settee::make_stream<int>(16);
  runtime.spawn(produce(std::move(sink)));
  return runtime.run(sum(std::move(stream)));
}
// [/stream]

TEST_F(GuideTest, Streams) { EXPECT_EQ(run_both(runtime), 5050); }

}  // namespace
}  // namespace shop
