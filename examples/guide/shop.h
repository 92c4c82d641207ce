// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0
//
// The types and services that docs/guide.md uses.

#pragma once

#include <optional>
#include <string>
#include <vector>

// [include]
#include "settee/rpc/rpc.h"
// [/include]

// [types]
namespace shop {

enum class Size { SMALL, LARGE };

struct Item {
  std::string sku;
  std::int32_t quantity = 0;
  Size size = Size::SMALL;
};

struct Entity {
  std::string id;
};

struct Order : Entity {
  std::vector<Item> items;
  std::optional<std::string> note;
  settee::Date placed;
  settee::Decimal total;
  std::string type_;  // "type" in Java
};

struct OutOfStock : settee::BusinessException<OutOfStock> {
  std::string sku;
};

}  // namespace shop

SETTEE_ENUM(shop::Size, "com.acme.shop.Size", SMALL, LARGE)
SETTEE_STRUCT(shop::Item, "com.acme.shop.Item", sku, quantity, size)
SETTEE_STRUCT(shop::Entity, "com.acme.shop.Entity", id)
SETTEE_DERIVED_STRUCT(shop::Order, shop::Entity, "com.acme.shop.Order", items, note, placed, total,
                      (type_, "type"))
SETTEE_EXCEPTION(shop::OutOfStock, "com.acme.shop.OutOfStock", sku)
// [/types]

// [service]
namespace shop {

struct Orders {
  virtual ~Orders() = default;
  virtual settee::Task<std::int64_t> place(Order order) = 0;
  virtual settee::Task<Order> find(std::string id) = 0;
  virtual settee::Task<std::vector<Order>> open_orders(std::int32_t limit) = 0;
  virtual settee::Task<void> note(std::string text) = 0;
  virtual settee::Task<std::string> report(std::int32_t year) = 0;
};

}  // namespace shop

SETTEE_SERVICE(shop::Orders, "com.acme.shop.Orders", (place, order), (find, id).idempotent(),
               (open_orders, limit).wire_name("openOrders"), (note, text),
               (report, year).blocking())
// [/service]

// [overloads]
namespace shop {

struct Prices {
  virtual ~Prices() = default;
  virtual settee::Task<double> price(std::string sku) = 0;
  virtual settee::Task<double> price(std::string sku, std::int32_t quantity) = 0;
};

}  // namespace shop

SETTEE_SERVICE(shop::Prices, "com.acme.shop.Prices",
               (price, sku).overload<settee::Task<double>(std::string)>(),
               (price, sku, quantity).overload<settee::Task<double>(std::string, std::int32_t)>())
// [/overloads]

namespace shop {

struct Greeter {
  virtual ~Greeter() = default;
  virtual settee::Task<std::string> greet(std::string name) = 0;
};

}  // namespace shop

SETTEE_SERVICE(shop::Greeter, "com.acme.shop.Greeter", (greet, name))
