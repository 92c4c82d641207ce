// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0
//
// Hessian, JSON and protobuf by themselves, and configuration, of docs/guide.md.

#include <gtest/gtest.h>

#include <chrono>
#include <cstdio>
#include <stdexcept>

#include "examples/guide/shop.h"
#include "settee/base/config.h"
#include "settee/hessian/hessian.h"
#include "settee/hessian/json.h"

#if defined(SETTEE_EXAMPLES_PROTOBUF)
#include <google/protobuf/wrappers.pb.h>
#endif

// [config_struct]
namespace shop {

struct Settings {
  std::string host = "127.0.0.1";
  std::int32_t port = 12200;
  std::chrono::milliseconds timeout{3000};
  std::map<std::string, double> discounts;
};

}  // namespace shop

SETTEE_STRUCT(shop::Settings, "com.acme.shop.Settings", host, port, timeout, discounts)
SETTEE_LIMITS(shop::Settings, (port, 0, 65535), (timeout, 1ms, 1h))
// [/config_struct]

namespace shop {
namespace {

TEST(GuideCodecTest, Hessian) {
  Order order;
  order.id = "7";
  order.note = "by hand";
  // [hessian]
  settee::Result<settee::Bytes> bytes = settee::hessian::to_bytes(order);
  settee::Result<Order> again = settee::hessian::from_bytes<Order>(bytes->span());
  settee::Result<settee::hessian::Value> any =
      settee::hessian::from_bytes<settee::hessian::Value>(bytes->span());
  const std::string text = any->to_string();  // com.acme.shop.Order{items: [], note: "by hand", ...
  // [/hessian]
  ASSERT_TRUE(again);
  EXPECT_EQ(again->note, "by hand");
  EXPECT_TRUE(text.starts_with("com.acme.shop.Order{")) << text;
}

TEST(GuideCodecTest, Json) {
  Item item;
  item.sku = "lamp";
  // [json]
  settee::Result<std::string> text = settee::json::to_json(item);
  // {"sku":"lamp","quantity":0,"size":"SMALL"}
  settee::Result<Item> again = settee::json::from_json<Item>(*text);

  settee::Result<settee::hessian::Value> any = settee::json::parse_value(
      R"({"$class": "com.acme.shop.Item", "sku": "lamp", "quantity": 2})");
  const std::string pretty = settee::json::to_text(*any, settee::json::Layout::kPretty);
  // [/json]
  ASSERT_TRUE(text && again && any);
  EXPECT_EQ(*text, R"({"sku":"lamp","quantity":0,"size":"SMALL"})");
  EXPECT_EQ(again->sku, "lamp");
  EXPECT_NE(pretty.find("\"quantity\": 2"), std::string::npos) << pretty;
}

// [config_load]
settee::Result<Settings> load(const std::string& file) {
  settee::Result<settee::Config> config = settee::Config::load_file(file);
  if (!config) return config.error();
  config->use_environment();             // SETTEE_SHOP_PORT=12201
  config->set("shop.timeout", "750ms");  // from the command line, say
  settee::Result<Settings> settings = settee::bind<Settings>(*config, "shop");
  if (!settings) return settings.error();
  if (settee::Result<void> all = config->check_unused(); !all) return all.error();
  return settings;
}
// [/config_load]

TEST(GuideConfigTest, Layers) {
  settee::Result<Settings> settings =
      load(std::string(SETTEE_SOURCE_DIR) + "/examples/guide/shop.yaml");
  ASSERT_TRUE(settings) << settings.error().what();
  EXPECT_EQ(settings->host, "127.0.0.1");
  EXPECT_EQ(settings->port, 12300);
  EXPECT_EQ(settings->timeout, std::chrono::milliseconds(750));
  EXPECT_EQ(settings->discounts.at("members"), 0.1);
}

TEST(GuideConfigTest, Problems) {
  settee::Result<settee::Config> config =
      settee::Config::parse("shop:\n  prot: 1\n  port: 70000\n", "shop.yaml");
  ASSERT_TRUE(config);
  settee::Result<Settings> settings = settee::bind<Settings>(*config, "shop");
  ASSERT_FALSE(settings);
  std::printf("[  message ] %s\n", settings.error().what());
  EXPECT_NE(settings.error().message().find("shop.yaml:3"), std::string::npos)
      << settings.error().what();
}

}  // namespace
}  // namespace shop

#if defined(SETTEE_EXAMPLES_PROTOBUF)

// [protobuf]
namespace shop {

// Any message that protoc made will do; here one that comes with protobuf.
using Text = google::protobuf::StringValue;

struct Shouter {
  virtual ~Shouter() = default;
  virtual settee::Task<Text> shout(Text text) = 0;  // one message in, one out
};

}  // namespace shop

SETTEE_SERVICE(shop::Shouter, "com.acme.shop.Shouter", (shout, text))
// [/protobuf]

namespace shop {
namespace {

struct MyShouter final : Shouter {
  settee::Task<Text> shout(Text text) override {
    text.set_value(text.value() + "!");
    co_return text;
  }
};

TEST(GuideCodecTest, Protobuf) {
  settee::Runtime runtime{{.threads = 1}};
  settee::rpc::Server server{runtime, {.host = "127.0.0.1", .port = 0}};
  server.provide<Shouter>(std::make_shared<MyShouter>());
  server.start();
  settee::rpc::Client client{runtime};
  auto shouter = client.refer<Shouter>("bolt://" + server.address());
  Text text;
  text.set_value("hello");
  EXPECT_EQ(shouter->shout(text).get().value(), "hello!");
}

}  // namespace
}  // namespace shop

#endif
