// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0
//
// One port in several protocols, of docs/guide.md.

#include "examples/guide/fixture.h"
#include "settee/http/client.h"

// [describe]
namespace shop {
struct Rates {
  virtual ~Rates() = default;
  virtual settee::Task<std::int64_t> cents(std::string symbol) = 0;
};
}  // namespace shop
SETTEE_SERVICE(shop::Rates, "com.acme.Rates", (cents, symbol).route("GET", "/rates/{symbol}"))
// [/describe]

namespace shop {
namespace {

struct MyRates final : Rates {
  settee::Task<std::int64_t> cents(std::string symbol) override {
    co_return static_cast<std::int64_t>(symbol.size());
  }
};

TEST_F(GuideTest, OnePortSpeaksAllProtocols) {
  server.provide<Rates>(std::make_shared<MyRates>());
  const std::string address = server.address();
  // [refer]
  auto by_bolt = client.refer<Rates>("bolt://" + address);
  auto by_http = client.refer<Rates>("http://" + address);  // or https, h2c, h2
  auto by_grpc = client.refer<Rates>("grpc://" + address);  // or grpcs
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
  EXPECT_EQ(ask("/rates/ACME"), "4");
  EXPECT_EQ(ask("/com.acme.Rates/cents?symbol=AB"), "2");
  EXPECT_NE(ask("/com.acme.Rates.proto").find("rpc cents"), std::string::npos);
  EXPECT_NE(ask("/openapi.json").find("\"/rates/{symbol}\""), std::string::npos);
}

}  // namespace
}  // namespace shop
