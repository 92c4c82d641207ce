// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0
//
// The service of docs/guide.md, implemented.

#pragma once

#include <chrono>
#include <map>
#include <mutex>
#include <thread>

#include "examples/guide/shop.h"

namespace shop {

// [implementation]
class MyOrders final : public Orders {
 public:
  settee::Task<std::int64_t> place(Order order) override {
    for (const Item& item : order.items) {
      if (item.quantity > 100) {
        OutOfStock exception;
        exception.message = "only 100 left";
        exception.sku = item.sku;
        throw exception;  // the caller gets it, as a com.acme.shop.OutOfStock
      }
    }
    const std::lock_guard lock(mutex_);
    orders_[order.id] = std::move(order);
    co_return static_cast<std::int64_t>(orders_.size());
  }

  settee::Task<Order> find(std::string id) override {
    if (id == "slow") co_await settee::sleep_for(std::chrono::seconds(10));
    const std::lock_guard lock(mutex_);
    const auto found = orders_.find(id);
    if (found == orders_.end()) {
      co_return settee::Error(settee::Code::kInvalidArgument, "there is no order " + id);
    }
    co_return found->second;
  }
  // [/implementation]

  settee::Task<std::vector<Order>> open_orders(std::int32_t limit) override {
    const std::lock_guard lock(mutex_);
    std::vector<Order> open;
    for (const auto& [id, order] : orders_) {
      if (static_cast<std::int32_t>(open.size()) == limit) break;
      open.push_back(order);
    }
    co_return open;
  }

  settee::Task<void> note(std::string text) override {
    const std::lock_guard lock(mutex_);
    notes_.push_back(std::move(text));
    co_return;
  }

  // [blocking]
  settee::Task<std::string> report(std::int32_t year) override {
    std::this_thread::sleep_for(std::chrono::milliseconds(20));  // a slow file, an old database
    co_return "report of " + std::to_string(year);
  }
  // [/blocking]

  std::vector<std::string> notes() const {
    const std::lock_guard lock(mutex_);
    return notes_;
  }

 private:
  // Methods run on every loop of the Runtime at once.
  mutable std::mutex mutex_;
  std::map<std::string, Order> orders_;
  std::vector<std::string> notes_;
};

}  // namespace shop
