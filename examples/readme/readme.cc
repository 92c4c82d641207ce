// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0
//
// The example of README.md: a service and a call of it, in one program.

#include <cstdio>

// [readme]
#include "settee/rpc/rpc.h"

struct Quote {
  std::string symbol;
  std::int64_t cents = 0;
};
SETTEE_STRUCT(Quote, "com.acme.Quote", symbol, cents)  // the Java class on the wire

struct Quotes {
  virtual ~Quotes() = default;
  virtual settee::Task<Quote> latest(std::string symbol) = 0;
};
SETTEE_SERVICE(Quotes, "com.acme.Quotes", (latest, symbol))  // the Java interface

struct MyQuotes : Quotes {
  settee::Task<Quote> latest(std::string symbol) override {
    co_return Quote{std::move(symbol), 10550};
  }
};

int main() {
  settee::Runtime runtime;
  settee::rpc::Server server{runtime, {.host = "127.0.0.1", .port = 0}};  // 0: any free port
  server.provide<Quotes>(std::make_shared<MyQuotes>());
  server.start();

  settee::rpc::Client client{runtime};
  auto quotes = client.refer<Quotes>("bolt://" + server.address());
  const Quote quote = quotes->latest("ACME").get();  // in a coroutine: co_await
  std::printf("%s %.2f\n", quote.symbol.c_str(), static_cast<double>(quote.cents) / 100);
}
// [/readme]
