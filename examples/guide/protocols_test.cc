// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0
//
// One port in several protocols, of docs/guide.md.

#include "examples/guide/fixture.h"
#include "settee/http/client.h"

// [describe]
namespace shop {
struct Prices {
  virtual ~Prices() = default;
  virtual settee::Task<std::int64_t> cents(std::string symbol) = 0;
};
}  // namespace shop
SETTEE_SERVICE(shop::Prices, "com.acme.Prices", (cents, symbol).route("GET", "/prices/{symbol}"))
// [/describe]

namespace shop {
namespace {

struct MyPrices final : Prices {
  settee::Task<std::int64_t> cents(std::string symbol) override {
    co_return static_cast<std::int64_t>(symbol.size());
  }
};

TEST_F(GuideTest, OnePortSpeaksAllProtocols) {
  server.provide<Prices>(std::make_shared<MyPrices>());
  const std::string address = server.address();
  // [refer]
  auto by_bolt = client.refer<Prices>("bolt://" + address);
  auto by_http = client.refer<Prices>("http://" + address);  // or https, h2c, h2
  auto by_grpc = client.refer<Prices>("grpc://" + address);  // or grpcs
  // [/refer]
  EXPECT_EQ(by_bolt->cents("ACME").get(), 4);
  EXPECT_EQ(by_http->cents("ACME").get(), 4);
  EXPECT_EQ(by_grpc->cents("ACME").get(), 4);

  settee::http::Client http(runtime);
  const auto ask = [&](const std::string& path) {
    const settee::http::Response answer =
        http.send("http://" + address + path, settee::http::Request()).get();
    const settee::Bytes& body = answer.body.bytes();
    return std::string(reinterpret_cast<const char*>(body.data()), body.size());
  };
  EXPECT_EQ(ask("/prices/ACME"), "4");
  EXPECT_EQ(ask("/com.acme.Prices/cents?symbol=AB"), "2");
  EXPECT_NE(ask("/com.acme.Prices.proto").find("rpc cents"), std::string::npos);
  EXPECT_NE(ask("/openapi.json").find("\"/prices/{symbol}\""), std::string::npos);
}

}  // namespace
}  // namespace shop
