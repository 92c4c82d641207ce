// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0
//
// com.settee.interop.Market: a described service that gRPC's clients call by its derived .proto, which
// interop/node/proto/market.proto is.

#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "settee/rpc/rpc.h"

namespace interop {

enum class Side { BUY, SELL };

struct Line {
  std::string sku;
  std::int32_t count = 0;
};

struct Order {
  std::string id;
  std::int64_t cents = 0;
  Side side = Side::BUY;
  std::vector<Line> lines;
  std::map<std::string, std::int32_t> counts;
  std::optional<std::string> note;
  settee::Bytes raw;
  double price = 0;
  std::vector<std::int64_t> history;
  settee::Date when{};
  settee::Decimal total;
  std::shared_ptr<Order> parent;
};

struct SoldOut : settee::BusinessException<SoldOut> {
  std::string sku;
};

struct Market {
  virtual ~Market() = default;
  /// Gives back what it gets.
  virtual settee::Task<Order> place(Order order) = 0;
  virtual settee::Task<std::int64_t> add(std::int32_t a, std::int64_t b) = 0;
  /// Throws a SoldOut.
  virtual settee::Task<void> sell(std::string sku) = 0;
  virtual settee::Task<std::string> nap(std::int32_t ms) = 0;
  /// The value of the metadata `name`; sends it back in the trailers too. "tls-peer": who calls, by its
  /// certificate.
  virtual settee::Task<std::string> header(std::string name) = 0;
  virtual settee::AsyncStream<Line> watch(std::string sku, std::int32_t count) = 0;
  virtual settee::Task<std::int64_t> upload(settee::AsyncStream<Line> lines) = 0;
  virtual settee::AsyncStream<Line> chat(settee::AsyncStream<Line> lines) = 0;
};

std::shared_ptr<Market> make_market();

}  // namespace interop

SETTEE_ENUM(interop::Side, "com.settee.interop.Side", BUY, SELL)
SETTEE_STRUCT(interop::Line, "com.settee.interop.Line", (sku, 5), (count, 2))
SETTEE_STRUCT(interop::Order, "com.settee.interop.Order", id, (cents, 20000), side, lines, counts,
              note, raw, price, history, when, total, (parent, 2))
SETTEE_EXCEPTION(interop::SoldOut, "com.settee.interop.SoldOut", sku)
SETTEE_SERVICE(interop::Market, "com.settee.interop.Market", (place, order), (add, a, b),
               (sell, sku), (nap, ms), (header, name), (watch, sku, count), (upload, lines),
               (chat, lines))
