// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0

#include "settee/rpc/provider.h"

#include <gtest/gtest.h>

#include <random>

namespace settee::rpc {
namespace {

Provider parsed(std::string_view url) {
  Result<Provider> provider = Provider::parse(url);
  EXPECT_TRUE(provider) << provider.error().what();
  return provider ? *std::move(provider) : Provider();
}

std::string refusal(std::string_view url) {
  const Result<Provider> provider = Provider::parse(url);
  EXPECT_FALSE(provider) << url << " was read as " << provider->to_string();
  if (provider) return {};
  EXPECT_EQ(provider.error().code(), Code::kInvalidArgument);
  return provider.error().message();
}

TEST(ServiceKeyTest, IsNamedAsServersDo) {
  EXPECT_EQ((ServiceKey{.interface_name = "com.acme.Quotes"}).unique_name(), "com.acme.Quotes:1.0");
  EXPECT_EQ((ServiceKey{.interface_name = "com.acme.Quotes", .version = "2.0", .unique_id = "blue"})
                .unique_name(),
            "com.acme.Quotes:2.0:blue");
}

TEST(ProviderTest, ReadsAllPartsOfAUrl) {
  const Provider provider =
      parsed("bolt://10.0.0.1:12201/com.acme.Quotes?weight=50&appName=shop&serialization=hessian2");
  EXPECT_EQ(provider.protocol, "bolt");
  EXPECT_EQ(provider.endpoint, (net::Endpoint{.host = "10.0.0.1", .port = 12201}));
  EXPECT_EQ(provider.path, "com.acme.Quotes");
  EXPECT_EQ(
      provider.attributes,
      (Provider::Attributes{{"weight", "50"}, {"appName", "shop"}, {"serialization", "hessian2"}}));
  EXPECT_EQ(provider.weight(), 50);
  EXPECT_EQ(provider.attribute("appName"), "shop");
  EXPECT_EQ(provider.attribute("appname"), "");
}

TEST(ProviderTest, WhatIsLeftOutHasItsDefault) {
  const auto check = [](std::string_view url, std::string_view shown) {
    SCOPED_TRACE(url);
    const Provider provider = parsed(url);
    EXPECT_EQ(provider.to_string(), shown);
    EXPECT_EQ(parsed(provider.to_string()), provider);
  };
  check("10.0.0.1", "bolt://10.0.0.1:12200");
  check("10.0.0.1:80", "bolt://10.0.0.1:80");
  check("bolt://quotes.acme.com", "bolt://quotes.acme.com:12200");
  check("rest://quotes.acme.com", "rest://quotes.acme.com:80");
  check("tri://quotes.acme.com/", "tri://quotes.acme.com:80");
  check("BOLT://Quotes", "bolt://Quotes:12200");
  check("bolt://a_b-c.d:1?", "bolt://a_b-c.d:1");
  check("bolt://a/?&&k=v&", "bolt://a:12200?k=v");
  check(" bolt://a:1 \r\n", "bolt://a:1");
  check("bolt://[::1]", "bolt://[::1]:12200");
  check("[fe80::1%eth0]:7", "bolt://[fe80::1%eth0]:7");
  check("bolt://[::ffff:10.0.0.1]:7/x", "bolt://[::ffff:10.0.0.1]:7/x");
  check("bolt://unix:/run/app.sock?weight=1", "bolt://unix:/run/app.sock?weight=1");
  check("bolt://unix:/run/a%3Fb%25.sock", "bolt://unix:/run/a%3Fb%25.sock");
  check("bolt://a//b/c", "bolt://a:12200//b/c");
}

TEST(ProviderTest, AttributesMayHoldAnything) {
  // Neither a protocol nor a path begins in an attribute.
  Provider provider = parsed("10.0.0.1:12200?callback=http://b:1/c?d=e");
  EXPECT_EQ(provider.protocol, "bolt");
  EXPECT_EQ(provider.path, "");
  EXPECT_EQ(provider.attribute("callback"), "http://b:1/c?d=e");

  provider = parsed("a?k%3d=%26%3F%25&%6b=x%2by+z&u=%E5%88%98&up=\xe5\x88\x98");
  EXPECT_EQ(provider.attribute("k="), "&?%");
  EXPECT_EQ(provider.attribute("k"), "x+y+z");
  EXPECT_EQ(provider.attribute("u"), "\xe5\x88\x98");
  EXPECT_EQ(provider.attribute("up"), "\xe5\x88\x98");

  // What is no percent-encoding is what Java wrote without any.
  provider = parsed("a?off=50%&x=%zz&y=%4&z=%%41&none&empty=&twice=1&twice=2");
  EXPECT_EQ(provider.attribute("off"), "50%");
  EXPECT_EQ(provider.attribute("x"), "%zz");
  EXPECT_EQ(provider.attribute("y"), "%4");
  EXPECT_EQ(provider.attribute("z"), "%A");
  EXPECT_TRUE(provider.attributes.contains("none"));
  EXPECT_TRUE(provider.attributes.contains("empty"));
  EXPECT_EQ(provider.attribute("twice"), "2");
  EXPECT_EQ(parsed(provider.to_string()), provider);
}

TEST(ProviderTest, RefusalsNameTheUrlAndTheReason) {
  const auto check = [](std::string url, std::string_view why) {
    SCOPED_TRACE(url);
    const std::string message = refusal(url);
    EXPECT_NE(message.find("'" + url + "'"), std::string::npos) << message;
    EXPECT_NE(message.find(why), std::string::npos) << message;
  };
  check("", "empty");
  check("://a:1", "no protocol before");
  check("b olt://a:1", "no protocol has such a name");
  check("1bolt://a:1", "no protocol has such a name");
  check("bolt://", "no host");
  check("bolt://:12200", "no host");
  check("bolt:///com.acme.Quotes", "no host");
  check("bolt://?weight=1", "no host");
  check("bolt://a:", "no port");
  check("bolt://a:x", "bad port");
  check("bolt://a:-1", "bad port");
  check("bolt://a:65536", "bad port");
  check("bolt://a:99999999999999999999", "bad port");
  check("bolt://a:0", "port 0");
  check("bolt://a:1:2", "brackets");
  check("bolt://::1", "brackets");
  check("bolt://[::1", "']'");
  check("bolt://[::1]12200", "behind ']'");
  check("bolt://[10.0.0.1]:1", "no IPv6 address");
  check("bolt://[:::]:1", "no IPv6 address");
  check("bolt://[::1%]:1", "interface");
  check("bolt://[::1%a b]:1", "interface");
  check("bolt://me@a:1", "user name");
  check("bolt://a:1,bolt://b:1", "brackets");
  check("bolt://a,b", "more than one");
  check("a b:1", "character");
  check("bolt://a%41:1", "character");
  check("bolt://a?=1", "without a name");
  check("bolt://unix:", "no path");
  check("bolt://unix", "unix:/path");
}

TEST(ProviderTest, RefusalsAreShortAndHaveNoControlCharacters) {
  const std::string message = refusal("bolt://" + std::string(1'000'000, '\x1b'));
  EXPECT_LT(message.size(), 1'000u);
  EXPECT_EQ(message.find('\x1b'), std::string::npos);
  EXPECT_NE(message.find("'bolt://???"), std::string::npos) << message;
  refusal(std::string("bolt://a\0b:1", 12));
  refusal(std::string("bolt://[::1\0]:1", 15));
  refusal("bolt://unix:/run/%00");
}

TEST(ProviderTest, NumbersThatAreNoneAreAsIfNotThere) {
  const Provider provider = parsed(
      "a?seven=7&minus=-7&blank=%207%20&half=7.5&word=x&none=&hex=0x7&high=9223372036854775807"
      "&too_high=9223372036854775808");
  EXPECT_EQ(provider.number("seven", 1), 7);
  EXPECT_EQ(provider.number("minus", 1), -7);
  EXPECT_EQ(provider.number("blank", 1), 7);
  EXPECT_EQ(provider.number("high", 1), std::numeric_limits<std::int64_t>::max());
  for (const char* name : {"half", "word", "none", "hex", "too_high", "absent"}) {
    EXPECT_EQ(provider.number(name, 1), 1) << name;
  }
}

TEST(ProviderTest, WeightIs100UnlessSaidAndNeverNegative) {
  EXPECT_EQ(parsed("a").weight(), 100);
  EXPECT_EQ(parsed("a?weight=0").weight(), 0);
  EXPECT_EQ(parsed("a?weight=-5").weight(), 0);
  EXPECT_EQ(parsed("a?weight=heavy").weight(), 100);
  EXPECT_EQ(parsed("a?weight=99999999999").weight(), std::numeric_limits<int>::max());
}

TEST(ProviderTest, IsTheSameWhateverItsWeight) {
  const Provider one = parsed("bolt://a:1/p?weight=1&serialization=hessian2&rpcVer=51000");
  EXPECT_TRUE(one.same_as(parsed("a:1/p?rpcVer=51000&serialization=hessian2&appName=x")));
  for (const char* other :
       {"rest://a:1/p?serialization=hessian2&rpcVer=51000",
        "bolt://b:1/p?serialization=hessian2&rpcVer=51000",
        "bolt://a:2/p?serialization=hessian2&rpcVer=51000",
        "bolt://a:1/q?serialization=hessian2&rpcVer=51000",
        "bolt://a:1/p?serialization=json&rpcVer=51000",
        "bolt://a:1/p?serialization=hessian2&rpcVer=51001",
        "bolt://a:1/p?serialization=hessian2&rpcVer=51000&uniqueId=blue",
        "bolt://a:1/p?serialization=hessian2&rpcVer=51000&version=2.0", "bolt://a:1/p"}) {
    EXPECT_FALSE(one.same_as(parsed(other))) << other;
  }
}

// Whatever was put into a Provider comes back from its url.
TEST(ProviderTest, AnyBytesInPathAndAttributesComeBack) {
  std::mt19937_64 random(1);
  const auto text = [&random](std::size_t least) {
    std::string out(least + random() % 8, '\0');
    for (char& c : out) c = static_cast<char>(random());
    return out;
  };
  for (int i = 0; i < 20'000; ++i) {
    Provider provider;
    provider.endpoint = {.host = i % 2 == 0 ? "a.b" : "fe80::1", .port = 7};
    provider.path = text(0);
    for (std::uint64_t n = random() % 4; n > 0; --n) provider.attributes[text(1)] = text(0);
    const std::string url = provider.to_string();
    ASSERT_EQ(parsed(url), provider) << url;
  }
}

// Random texts out of what urls are made of are read or refused, and what was read has a url that
// is read as the same.
TEST(ProviderTest, OddTextsAreReadOrRefused) {
  constexpr std::string_view kPieces[] = {
      "bolt", "://", ":",   "/",  "?",  "&",    "=",     "%",      "%4",   "%41", "%00",
      "[",    "]",   "::1", "%e", "@",  "unix", "unix:", "weight", "-1",   "80",  "65536",
      "a",    ".",   " ",   "\n", "\0", "#",    ",",     ";",      "\xff", "\\",  "10.0.0.1:12200",
      "+",    "tri",
  };
  std::mt19937_64 random(2);
  int read = 0;
  for (int i = 0; i < 200'000; ++i) {
    std::string url = i % 2 == 0 ? "bolt://a" : "";
    for (std::uint64_t n = random() % 10; n > 0; --n) url += kPieces[random() % std::size(kPieces)];
    const Result<Provider> provider = Provider::parse(url);
    if (!provider) {
      ASSERT_FALSE(provider.error().message().empty());
      continue;
    }
    ++read;
    const Result<Provider> again = Provider::parse(provider->to_string());
    ASSERT_TRUE(again) << url << ": " << again.error().what();
    ASSERT_EQ(*again, *provider) << url;
    (void)provider->weight();
  }
  EXPECT_GT(read, 20'000);
}

}  // namespace
}  // namespace settee::rpc
