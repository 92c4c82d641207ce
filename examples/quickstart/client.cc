// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0

#include <cstdio>

#include "examples/quickstart/quotes.h"

settee::Task<void> show(settee::rpc::Reference<Quotes> quotes) {
  const Quote quote = co_await quotes->latest("ACME");
  std::printf("%s %lld cents\n", quote.symbol.c_str(), static_cast<long long>(quote.cents));
}

int main() {
  settee::Runtime runtime;
  settee::rpc::Client client{runtime};
  runtime.run(show(client.refer<Quotes>("bolt://127.0.0.1:12200")));
}
