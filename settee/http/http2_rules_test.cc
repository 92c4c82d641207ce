// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0

#include "settee/http/internal/http2_rules.h"

#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

namespace settee::http {
namespace {

using Fields = std::vector<std::pair<std::string, std::string>>;

const Fields kGet = {{":method", "GET"}, {":scheme", "http"}, {":path", "/"}, {":authority", "a"}};

bool takes(Http2Rules& rules, const Fields& fields) {
  for (const auto& [name, value] : fields) {
    if (!rules.field(name, value)) return false;
  }
  return true;
}

bool takes_head(const Fields& fields) {
  Http2Rules rules;
  return takes(rules, fields) && rules.head_end();
}

bool takes_with(const std::string& name, const std::string& value) {
  Fields fields = kGet;
  fields.emplace_back(name, value);
  return takes_head(fields);
}

TEST(Http2RulesTest, ARequestNeedsNoAuthority) {
  EXPECT_TRUE(takes_head(kGet));
  EXPECT_TRUE(takes_head({kGet.begin(), kGet.begin() + 3}));
}

TEST(Http2RulesTest, MethodSchemeAndPathAreThereOnce) {
  for (std::size_t i = 0; i < 4; ++i) {
    Fields fields = kGet;
    fields.push_back(kGet[i]);
    EXPECT_FALSE(takes_head(fields)) << "twice " << kGet[i].first;
    if (i == 3) continue;
    fields = kGet;
    fields.erase(fields.begin() + static_cast<std::ptrdiff_t>(i));
    EXPECT_FALSE(takes_head(fields)) << "without " << kGet[i].first;
  }
  EXPECT_FALSE(takes_head({}));
}

TEST(Http2RulesTest, PseudoFieldsAreKnownOnesAndComeFirst) {
  EXPECT_FALSE(takes_with(":status", "200"));
  EXPECT_FALSE(takes_with(":protocol", "websocket"));
  EXPECT_FALSE(takes_with(":", "x"));
  EXPECT_FALSE(takes_head({{"x", "y"}, kGet[0], kGet[1], kGet[2]}));
  EXPECT_FALSE(takes_head({kGet[0], kGet[1], kGet[2], {"x", "y"}, kGet[3]}));
}

TEST(Http2RulesTest, PseudoFieldsHaveValuesThatCanBe) {
  const auto with = [](std::size_t which, const std::string& value) {
    Fields fields = kGet;
    fields[which].second = value;
    return takes_head(fields);
  };
  for (const char* bad : {"", "G T", "GET\n"}) EXPECT_FALSE(with(0, bad)) << bad;
  for (const char* bad : {"", "1http", "ht tp"}) EXPECT_FALSE(with(1, bad)) << bad;
  for (const char* bad : {"", "a", "*", "/ b", "/\r\n"}) EXPECT_FALSE(with(2, bad)) << bad;
  for (const char* bad : {"", "a b", "a\r\n"}) EXPECT_FALSE(with(3, bad)) << bad;
  EXPECT_TRUE(with(1, "svn+ssh"));
  Fields options = kGet;
  options[0].second = "OPTIONS";
  options[2].second = "*";
  EXPECT_TRUE(takes_head(options));
}

TEST(Http2RulesTest, ConnectHasAnAuthorityAlone) {
  EXPECT_TRUE(takes_head({{":method", "CONNECT"}, {":authority", "a:1"}}));
  EXPECT_FALSE(takes_head({{":method", "CONNECT"}}));
  Fields fields = kGet;
  fields[0].second = "CONNECT";
  EXPECT_FALSE(takes_head(fields));
}

TEST(Http2RulesTest, FieldsOfAConnectionAreRefused) {
  for (const char* name :
       {"connection", "keep-alive", "proxy-connection", "transfer-encoding", "upgrade"}) {
    EXPECT_FALSE(takes_with(name, "x")) << name;
  }
  EXPECT_FALSE(takes_with("te", "gzip"));
  EXPECT_TRUE(takes_with("te", "trailers"));
}

TEST(Http2RulesTest, NamesAndValuesHaveTheBytesThatTheyMay) {
  for (const char* name : {"", "X", "a b", "a:b", "\x80", "a\n"}) {
    EXPECT_FALSE(takes_with(name, "x")) << name;
  }
  for (const std::string& value :
       {std::string("a\r\nb: c"), std::string("a\0b", 3), std::string(" a"), std::string("a\t")}) {
    EXPECT_FALSE(takes_with("x", value)) << value;
  }
  EXPECT_TRUE(takes_with("x-y", "a b\tc\xc3\xa4"));
  EXPECT_TRUE(takes_with("x", ""));
}

TEST(Http2RulesTest, HostIsThereOnceAndNotEmpty) {
  EXPECT_TRUE(takes_with("host", "a"));
  EXPECT_FALSE(takes_with("host", ""));
  EXPECT_FALSE(takes_with("host", "a\x7f"));
  Fields fields = kGet;
  fields.insert(fields.end(), {{"host", "a"}, {"host", "a"}});
  EXPECT_FALSE(takes_head(fields));
}

TEST(Http2RulesTest, ABodyHasTheLengthThatItsHeadTells) {
  for (const char* bad : {"", "-1", "+1", "1 ", "0x1", "1,1", "18446744073709551616"}) {
    EXPECT_FALSE(takes_with("content-length", bad)) << bad;
  }
  Http2Rules rules;
  ASSERT_TRUE(takes(rules, kGet) && rules.field("content-length", "3"));
  EXPECT_FALSE(rules.field("content-length", "3"));
  ASSERT_TRUE(rules.head_end());
  EXPECT_EQ(rules.length(), 3u);
  EXPECT_FALSE(rules.end());
  EXPECT_TRUE(rules.data(2));
  EXPECT_FALSE(rules.end());
  EXPECT_TRUE(rules.data(1));
  EXPECT_TRUE(rules.end());
  EXPECT_FALSE(rules.data(1));
}

TEST(Http2RulesTest, TrailersHaveNoPseudoFields) {
  Http2Rules rules;
  ASSERT_TRUE(takes(rules, {kGet[0], kGet[1], kGet[2]}) && rules.head_end());
  EXPECT_TRUE(rules.field("x", "y"));
  EXPECT_FALSE(rules.field("connection", "close"));
  Http2Rules bare;
  ASSERT_TRUE(takes(bare, {kGet[0], kGet[1], kGet[2]}) && bare.head_end());
  EXPECT_FALSE(bare.field(":authority", "a"));
}

}  // namespace
}  // namespace settee::http
