// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0
//
// Streaming methods of docs/guide.md.

#include <gtest/gtest.h>

#include <chrono>

#include "settee/base/runtime.h"
#include "settee/base/service.h"

// [service]
namespace shop {

struct Price {
  std::string sku;
  std::int64_t cents = 0;
};

struct PriceFeed {
  virtual ~PriceFeed() = default;
  virtual settee::AsyncStream<Price> watch(std::string sku) = 0;
  virtual settee::Task<std::int64_t> upload(settee::AsyncStream<Price> prices) = 0;
  virtual settee::AsyncStream<Price> ask(settee::AsyncStream<std::string> skus) = 0;
};

}  // namespace shop

SETTEE_STRUCT(shop::Price, "com.acme.shop.Price", sku, cents)
SETTEE_SERVICE(shop::PriceFeed, "com.acme.shop.PriceFeed", (watch, sku), (upload, prices),
               (ask, skus))
// [/service]

namespace shop {
namespace {

using namespace std::chrono_literals;

// [implementation]
class MyPriceFeed final : public PriceFeed {
 public:
  settee::AsyncStream<Price> watch(std::string sku) override {
    return settee::produce_stream<Price>(
        [sku](settee::StreamSink<Price>& sink) -> settee::Task<void> {
          for (std::int64_t cents = 1250;; ++cents) {
            Price price;
            price.sku = sku;
            price.cents = cents;
            const bool wanted = co_await sink.write(std::move(price));  // waits for a slow reader
            if (!wanted) co_return;                                     // the caller has gone
            co_await settee::sleep_for(1ms);
          }
        });
  }

  settee::Task<std::int64_t> upload(settee::AsyncStream<Price> prices) override {
    std::int64_t count = 0;
    while (std::optional<Price> price = co_await prices.next()) ++count;
    co_return count;
  }

  settee::AsyncStream<Price> ask(settee::AsyncStream<std::string> skus) override {
    auto questions = std::make_shared<settee::AsyncStream<std::string>>(std::move(skus));
    return settee::produce_stream<Price>(
        [questions](settee::StreamSink<Price>& sink) -> settee::Task<void> {
          while (std::optional<std::string> sku = co_await questions->next()) {
            Price price;
            price.sku = *std::move(sku);
            price.cents = 990;
            const bool wanted = co_await sink.write(std::move(price));
            if (!wanted) co_return;
          }
        });
  }
};
// [/implementation]

// [caller]
settee::Task<std::int64_t> first_above(PriceFeed& feed, std::int64_t cents) {
  settee::AsyncStream<Price> prices = feed.watch("A-1");  // the call begins
  while (std::optional<Price> price = co_await prices.next()) {
    if (price->cents > cents) co_return price->cents;  // `prices` goes, and the call is cancelled
  }
  co_return 0;
}

settee::Task<std::int64_t> send_all(PriceFeed& feed, std::vector<Price> prices) {
  settee::AsyncStream<Price> stream = settee::produce_stream<Price>(
      [prices](settee::StreamSink<Price>& sink) -> settee::Task<void> {
        for (const Price& price : prices) co_await sink.write(price);
      });
  co_return co_await feed.upload(std::move(stream));
}

settee::Task<std::int64_t> price_of(PriceFeed& feed, std::string sku) {
  auto [questions, skus] = settee::make_stream<std::string>();
  settee::AsyncStream<Price> answers = feed.ask(std::move(skus));
  co_await questions.write(std::move(sku));
  std::optional<Price> answer = co_await answers.next();
  questions.close();  // no more of them; the server ends its stream in turn
  co_return answer ? answer->cents : 0;
}
// [/caller]

TEST(GuideStreamsTest, AnObjectAnswersAsItsProxyWould) {
  settee::Runtime runtime{{.threads = 2}};
  MyPriceFeed feed;
  EXPECT_EQ(runtime.run(first_above(feed, 1255)), 1256);
  EXPECT_EQ(runtime.run(send_all(feed, std::vector<Price>(7))), 7);
  EXPECT_EQ(runtime.run(price_of(feed, "A-1")), 990);
}

}  // namespace
}  // namespace shop
