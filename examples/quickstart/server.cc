// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0

#include <signal.h>

#include <cstdio>

#include "examples/quickstart/quotes.h"
#include "settee/base/signals.h"

struct MyQuotes final : Quotes {
  settee::Task<Quote> latest(std::string symbol) override {
    Quote quote;
    quote.cents = static_cast<std::int64_t>(symbol.size()) * 1000;
    quote.symbol = std::move(symbol);
    co_return quote;
  }
};

// [main]
int main() {
  settee::SignalWait signals{SIGINT, SIGTERM};
  settee::Runtime runtime;
  settee::rpc::Server server{runtime, {.host = "127.0.0.1", .port = 12200}};
  server.provide<Quotes>(std::make_shared<MyQuotes>());
  server.start();
  std::printf("serving com.acme.Quotes:1.0 on %s; Ctrl-C stops\n", server.address().c_str());
  std::fflush(stdout);
  signals.get();
}
// [/main]
