// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0

#pragma once

#include "settee/rpc/rpc.h"

struct Quote {
  std::string symbol;
  std::int64_t cents = 0;
};
SETTEE_STRUCT(Quote, "com.acme.Quote", symbol, cents)

struct Quotes {
  virtual ~Quotes() = default;
  virtual settee::Task<Quote> latest(std::string symbol) = 0;
};
SETTEE_SERVICE(Quotes, "com.acme.Quotes", (latest, symbol))
