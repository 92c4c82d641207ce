// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0

#include "interop/tests/market_service.h"

namespace interop {

namespace {

using settee::AsyncStream;
using settee::StreamSink;
using settee::Task;

class MyMarket final : public Market {
 public:
  Task<Order> place(Order order) override { co_return order; }
  Task<std::int64_t> add(std::int32_t a, std::int64_t b) override { co_return a + b; }
  Task<void> sell(std::string sku) override {
    SoldOut sold_out;
    sold_out.message = "none left: \xc3\xa4";
    sold_out.sku = std::move(sku);
    throw sold_out;
    co_return;
  }
  Task<std::string> nap(std::int32_t ms) override {
    co_await settee::sleep_for(std::chrono::milliseconds(ms));
    co_return "rested";
  }
  Task<std::string> header(std::string name) override {
    const settee::rpc::Call& call = *settee::rpc::current_call();
    std::string value(call.header(name));
    if (name == "tls-peer" && call.tls() != nullptr && call.tls()->verified) {
      value = call.tls()->peer->subject;
    }
    settee::rpc::respond_baggage(name, value);
    co_return value;
  }
  AsyncStream<Line> watch(std::string sku, std::int32_t count) override {
    return settee::produce_stream<Line>([sku, count](StreamSink<Line>& sink) -> Task<void> {
      for (std::int32_t i = 0; i < count; ++i) {
        Line line{sku, i};
        const bool wanted = co_await sink.write(std::move(line));
        if (!wanted) co_return;
      }
    });
  }
  Task<std::int64_t> upload(AsyncStream<Line> lines) override {
    std::int64_t sum = 0;
    while (std::optional<Line> line = co_await lines.next()) sum += line->count;
    co_return sum;
  }
  AsyncStream<Line> chat(AsyncStream<Line> lines) override {
    auto in = std::make_shared<AsyncStream<Line>>(std::move(lines));
    return settee::produce_stream<Line>([in](StreamSink<Line>& sink) -> Task<void> {
      while (std::optional<Line> line = co_await in->next()) {
        line->count *= 2;
        const bool wanted = co_await sink.write(*std::move(line));
        if (!wanted) co_return;
      }
    });
  }
};

}  // namespace

std::shared_ptr<Market> make_market() { return std::make_shared<MyMarket>(); }

}  // namespace interop
