// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0

#include "settee/rpc/registry/internal/names.h"

#include <gtest/gtest.h>

namespace settee::rpc::registry {
namespace {

Provider parsed(std::string_view url) { return Provider::parse(url).value(); }

TEST(RegistryNames, EncodesAsJavaDoes) {
  // What java.net.URLEncoder.encode(text, "UTF-8") gives.
  EXPECT_EQ(url_encode("bolt://10.0.0.1:12200?version=1.0&a=b"),
            "bolt%3A%2F%2F10.0.0.1%3A12200%3Fversion%3D1.0%26a%3Db");
  EXPECT_EQ(url_encode("aZ09.-*_"), "aZ09.-*_");
  EXPECT_EQ(url_encode(" +~!'()%/"), "+%2B%7E%21%27%28%29%25%2F");
  EXPECT_EQ(url_encode("\xc3\xa9\xe4\xb8\xad"), "%C3%A9%E4%B8%AD");
  EXPECT_EQ(url_encode(std::string_view("\0\n", 2)), "%00%0A");
  EXPECT_EQ(url_encode(""), "");
}

TEST(RegistryNames, DecodesWhatJavaAndNodeWrite) {
  EXPECT_EQ(url_decode("bolt%3A%2F%2Fh%3A1%3Fa%3Db+c%20d%2B").value(), "bolt://h:1?a=b c d+");
  EXPECT_EQ(url_decode("%c3%A9").value(), "\xc3\xa9");
  EXPECT_EQ(url_decode("").value(), "");
  for (const char* broken : {"%", "a%1", "%zz", "%1", "abc%4"}) {
    const Result<std::string> decoded = url_decode(broken);
    ASSERT_FALSE(decoded) << broken;
    EXPECT_EQ(decoded.error().code(), Code::kDecode);
  }
}

TEST(RegistryNames, AnyTextSurvives) {
  std::string all;
  for (int i = 0; i < 256; ++i) all += static_cast<char>(i);
  EXPECT_EQ(url_decode(url_encode(all)).value(), all);
}

TEST(RegistryNames, DataIds) {
  ServiceKey key;
  key.interface_name = "com.acme.Quotes";
  EXPECT_EQ(data_id(key), "com.acme.Quotes:1.0@DEFAULT");
  key.unique_id = "blue";
  EXPECT_EQ(data_id(key), "com.acme.Quotes:1.0:blue@DEFAULT");
  key.protocol = "rest";
  EXPECT_EQ(data_id(key), "com.acme.Quotes:1.0:blue@rest");
  EXPECT_EQ(parse_data_id(data_id(key)), key);
  EXPECT_EQ(parse_data_id("a:2.0@DEFAULT")->version, "2.0");
  EXPECT_EQ(parse_data_id("a:@DEFAULT")->version, "");
  EXPECT_FALSE(parse_data_id("a@DEFAULT"));
  EXPECT_FALSE(parse_data_id("a:1.0"));
}

TEST(RegistryNames, AnnouncedSaysWhatReadersLookFor) {
  ServiceKey key;
  key.interface_name = "com.acme.Quotes";
  const Provider provider = announced(key, parsed("bolt://10.0.0.1:12200?appName=shop")).value();
  EXPECT_EQ(provider.attribute("appName"), "shop");
  EXPECT_EQ(provider.attribute("interface"), "com.acme.Quotes");
  EXPECT_EQ(provider.attribute("version"), "1.0");
  EXPECT_EQ(provider.attribute("weight"), "100");
  EXPECT_EQ(provider.attribute("language"), "cpp");
  EXPECT_GE(provider.number("rpcVer", 0), 51'000);
  EXPECT_GT(provider.number("pid", 0), 0);
  EXPECT_GT(provider.number("startTime", 0), 1'600'000'000'000);
  // Java's consumers compare it with "", which no attribute is not.
  EXPECT_TRUE(provider.attributes.contains("uniqueId"));

  const std::string url = listed_url(provider);
  EXPECT_TRUE(url.starts_with("bolt://10.0.0.1:12200?version=1.0&appName=shop&")) << url;
  EXPECT_NE(url.find("&uniqueId=&"), std::string::npos) << url;
  EXPECT_EQ(parsed(url), provider);
}

TEST(RegistryNames, WhatAProviderSaysOfItselfStays) {
  ServiceKey key;
  key.interface_name = "com.acme.Quotes";
  key.unique_id = "blue";
  const Provider provider =
      announced(key, parsed("bolt://h:1?weight=7&startTime=5&pid=6&language=x&rpcVer=50400"))
          .value();
  EXPECT_EQ(provider.attribute("weight"), "7");
  EXPECT_EQ(provider.attribute("startTime"), "5");
  EXPECT_EQ(provider.attribute("pid"), "6");
  EXPECT_EQ(provider.attribute("language"), "x");
  EXPECT_EQ(provider.attribute("rpcVer"), "50400");
  EXPECT_EQ(provider.attribute("uniqueId"), "blue");
}

TEST(RegistryNames, AddressesThatNobodyReachesAreRefused) {
  ServiceKey key;
  key.interface_name = "com.acme.Quotes";
  for (const char* url :
       {"bolt://0.0.0.0:12200", "bolt://[::]:12200", "rest://h:1", "bolt://h:1?uniqueId=red"}) {
    const Result<Provider> provider = announced(key, parsed(url));
    ASSERT_FALSE(provider) << url;
    EXPECT_EQ(provider.error().code(), Code::kInvalidArgument);
    EXPECT_NE(provider.error().message().find("com.acme.Quotes:1.0"), std::string::npos);
  }
  Provider provider = parsed("bolt://h:1");
  provider.endpoint.port = 0;
  EXPECT_FALSE(announced(key, provider));
  provider.endpoint = net::Endpoint::parse("unix:/tmp/x").value();
  EXPECT_FALSE(announced(key, provider));
  provider = parsed("bolt://h:1");
  key.interface_name = "a/b";
  EXPECT_FALSE(announced(key, provider));
  key.interface_name = "";
  EXPECT_FALSE(announced(key, provider));
}

TEST(RegistryNames, WhatOthersWriteSaysWhyItDoesNotServe) {
  ServiceKey key;
  key.interface_name = "com.acme.Quotes";
  const auto why_not = [&](std::string_view url) { return normalised(parsed(url)).why_not(key); };
  EXPECT_EQ(why_not("bolt://h:1"), "");
  EXPECT_EQ(why_not("BOLT://h:1?uniqueId=&version=1.0"), "");                       // Java
  EXPECT_EQ(why_not("bolt://h:1?uniqueId=&protocol=&version=1.0&group=SOFA"), "");  // Node
  EXPECT_EQ(why_not("rest://h:1"), "it speaks rest, not bolt");
  EXPECT_EQ(why_not("bolt://h:1?uniqueId=blue"), "it has uniqueId 'blue', not ''");
  EXPECT_EQ(why_not("bolt://h:1?version=2.0"), "it has version 2.0, not 1.0");
  EXPECT_EQ(why_not("bolt://h:1?default.version=2.0"), "it has version 2.0, not 1.0");
  EXPECT_EQ(why_not("bolt://h:1?version=1.0&default.version=2.0"), "");
  key.unique_id = "blue";
  EXPECT_EQ(why_not("bolt://h:1?uniqueId=blue"), "");
  EXPECT_EQ(why_not("bolt://h:1"), "it has uniqueId '', not 'blue'");
}

TEST(RegistryNames, SwitchedOff) {
  EXPECT_FALSE(switched_off(parsed("bolt://h:1?enabled=true&disabled=false&category=providers")));
  EXPECT_FALSE(switched_off(parsed("bolt://h:1")));
  for (const char* url : {"h:1?enabled=false", "h:1?disabled=true", "h:1?category=routers"}) {
    EXPECT_TRUE(switched_off(parsed(url))) << url;
  }
}

TEST(RegistryNames, TheLatestOfTheSameProviderCounts) {
  const std::vector<Entry> entries = {{parsed("bolt://a:1?weight=5"), 10},
                                      {parsed("bolt://b:1?weight=1"), 30},
                                      {parsed("bolt://a:1?weight=7"), 20},
                                      {parsed("bolt://b:1?weight=2"), 25}};
  const Providers all = latest(entries);
  ASSERT_EQ(all.size(), 2u);
  EXPECT_EQ(all[0].weight(), 7);
  EXPECT_EQ(all[1].weight(), 1);
  // One server offers an interface under several names at one address.
  EXPECT_EQ(latest({{parsed("bolt://a:1?version=1.0&uniqueId="), 1},
                    {parsed("bolt://a:1?version=1.0&uniqueId=blue"), 2},
                    {parsed("bolt://a:1?version=2.0&uniqueId=blue"), 3}})
                .size(),
            3u);
}

TEST(RegistryNames, ConsumerUrl) {
  ServiceKey key;
  key.interface_name = "com.acme.Quotes";
  ConsumerInfo consumer;
  consumer.app_name = "shop";
  const std::string url = consumer_url(key, consumer, "10.0.0.9", "c1") + "&";
  EXPECT_TRUE(url.starts_with("bolt://10.0.0.9?version=1.0&")) << url;
  for (const char* pair : {"uniqueId=&", "appName=shop&", "timeout=3000&", "generic=false&",
                           "interface=com.acme.Quotes&", "id=c1&", "language=cpp&"}) {
    EXPECT_NE(url.find(pair), std::string::npos) << pair << " in " << url;
  }
}

TEST(RegistryNames, ZookeeperAddresses) {
  const RegistryAddress plain =
      RegistryAddress::parse("zookeeper://127.0.0.1:2181", "zookeeper", kZookeeperPort).value();
  EXPECT_EQ(plain.hosts(), "127.0.0.1:2181");
  EXPECT_EQ(plain.root, "/");
  const RegistryAddress full =
      RegistryAddress::parse("zookeeper://a:1,b,[::1]:3/x/y", "zookeeper", kZookeeperPort).value();
  EXPECT_EQ(full.hosts(), "a:1,b:2181,[::1]:3");
  EXPECT_EQ(full.root, "/x/y/");
  EXPECT_EQ(RegistryAddress::parse("zookeeper://a:1/", "zookeeper", kZookeeperPort).value().root,
            "/");
  EXPECT_EQ(RegistryAddress::parse("zookeeper://a:1/x/", "zookeeper", kZookeeperPort).value().root,
            "/x/");
  for (const char* wrong :
       {"zookeeper://", "zookeeper://a:1,", "zookeeper://,a:1", "zookeeper:a:1",
        "zookeeper://a:1//x", "zookeeper://a:x", "zookeeper://a:99999", "zookeeper://unix:/x",
        "zookeeper://u:p@h:1", "zookeeper://h:1?scheme=digest",
        "zookeeper://h:1/root?scheme=digest"}) {
    const Result<RegistryAddress> address =
        RegistryAddress::parse(wrong, "zookeeper", kZookeeperPort);
    ASSERT_FALSE(address) << wrong;
    EXPECT_EQ(address.error().code(), Code::kInvalidArgument);
    EXPECT_NE(address.error().message().find(wrong), std::string::npos);
    EXPECT_NE(address.error().message().find("expected zookeeper://"), std::string::npos);
  }
}

}  // namespace
}  // namespace settee::rpc::registry
