// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0
//
// For tests: a service whose methods stream in every direction, and what they have done.

#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <string>

#include "settee/rpc/rpc.h"

namespace ticks_test {

struct Tick {
  std::string symbol;
  std::int64_t cents = 0;
};
struct Ticks {
  virtual ~Ticks() = default;
  virtual settee::AsyncStream<Tick> watch(std::string symbol, std::int32_t count) = 0;
  virtual settee::Task<std::int64_t> upload(settee::AsyncStream<Tick> ticks) = 0;
  virtual settee::Task<void> drop(settee::AsyncStream<Tick> ticks) = 0;
  virtual settee::AsyncStream<std::string> chat(settee::AsyncStream<std::string> lines) = 0;
  virtual settee::Task<std::string> name() = 0;
};

}  // namespace ticks_test

SETTEE_STRUCT(ticks_test::Tick, "com.acme.Tick", symbol, cents)
SETTEE_SERVICE(ticks_test::Ticks, "com.acme.Ticks", (watch, symbol, count), (upload, ticks),
               (drop, ticks), (chat, lines), (name))

namespace settee::rpc::ticks_test {

using ::ticks_test::Tick;
using ::ticks_test::Ticks;

inline Tick tick_of(std::string symbol, std::int64_t cents) {
  Tick tick;
  tick.symbol = std::move(symbol);
  tick.cents = cents;
  return tick;
}

struct MyTicks final : Ticks {
  struct Shared {
    std::atomic<int> begun{0};
    std::atomic<int> written{0};
    std::atomic<int> ended{0};
  };
  struct Ended {
    std::shared_ptr<Shared> shared;
    ~Ended() { ++shared->ended; }
  };

  AsyncStream<Tick> watch(std::string symbol, std::int32_t count) override {
    ++shared->begun;
    const auto produce = [shared = shared, symbol, count](StreamSink<Tick>& sink) -> Task<void> {
      const Ended at_end{shared};
      for (std::int32_t i = 0; i < count; ++i) {
        ++shared->written;
        Task<bool> writing = sink.write(tick_of(symbol, i));
        if (!co_await std::move(writing)) co_return;
      }
      if (symbol == "failing") co_await fail(Error(Code::kLimit, "the market is closed"));
      if (symbol == "silent") co_await sleep_for(std::chrono::hours(1));
    };
    return produce_stream<Tick>(produce);
  }
  Task<std::int64_t> upload(AsyncStream<Tick> ticks) override {
    ++shared->begun;
    const Ended at_end{shared};
    std::int64_t sum = 0;
    while (std::optional<Tick> tick = co_await ticks.next()) {
      if (tick->symbol == "last") break;
      if (tick->symbol == "bad") co_await fail(Error(Code::kLimit, "no such symbol"));
      sum += tick->cents;
    }
    if (const Baggage* baggage = context().get(kRequestBaggage)) {
      for (const auto& [key, value] : *baggage) respond_baggage(key, "got " + value);
    }
    respond_baggage("counted", "yes");
    co_return sum;
  }
  Task<void> drop(AsyncStream<Tick> ticks) override {
    while (std::optional<Tick> tick = co_await ticks.next()) ++shared->written;
  }
  AsyncStream<std::string> chat(AsyncStream<std::string> lines) override {
    ++shared->begun;
    auto in = std::make_shared<AsyncStream<std::string>>(std::move(lines));
    const auto produce = [in, shared = shared](StreamSink<std::string>& sink) -> Task<void> {
      const Ended at_end{shared};
      while (std::optional<std::string> line = co_await in->next()) {
        Task<bool> writing = sink.write("got " + *line);
        if (!co_await std::move(writing)) co_return;
      }
      Task<bool> last = sink.write("bye");
      co_await std::move(last);
    };
    return produce_stream<std::string>(produce);
  }
  Task<std::string> name() override { co_return "ticks"; }

  std::shared_ptr<Shared> shared = std::make_shared<Shared>();
};

}  // namespace settee::rpc::ticks_test
