// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0
//
// Containers and structs, and how they are laid out. There is one more file for each of scalars,
// variants, generic values, arguments and errors: json_scalar_test.cc and so on.

#include <limits>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <unordered_set>
#include <variant>
#include <vector>

#include "settee/hessian/json_test_data.h"

namespace json_test {

struct SoldOut : settee::BusinessException<SoldOut> {
  std::string sku;
};

struct Node {
  std::shared_ptr<Node> next;
};

}  // namespace json_test

SETTEE_EXCEPTION(json_test::SoldOut, "com.acme.SoldOut", sku)
SETTEE_STRUCT(json_test::Node, "com.acme.Node", next)

namespace json_test {
namespace {

using settee::Array;
using settee::BigInteger;
using settee::Buffer;
using settee::Date;
using settee::Decimal;
using settee::type_of;
using std::chrono::milliseconds;

TEST(Json, OptionalsPointersAndContainers) {
  both_ways(std::optional<std::int32_t>(), "null");
  both_ways(std::optional<std::int32_t>(5), "5");
  both_ways(std::vector<std::int32_t>{}, "[]");
  both_ways(std::vector<std::int32_t>{1, 2, 3}, "[1,2,3]");
  both_ways(std::vector<std::vector<std::string>>{{}, {"a", ""}}, R"([[],["a",""]])");
  both_ways(std::vector<std::optional<std::int32_t>>{1, std::nullopt}, "[1,null]");
  both_ways(std::set<std::string>{"a", "b"}, R"(["a","b"])");
  both_ways(std::unordered_set<std::int32_t>{4}, "[4]");
  both_ways(Array<std::int64_t>{1, -1}, "[1,-1]");
  both_ways(Array<bool>{true, false}, "[true,false]");
  both_ways(std::map<std::string, std::int32_t>{}, "{}");
  both_ways(std::map<std::string, std::int32_t>{{"", 1}, {"a\"", 2}}, R"({"":1,"a\"":2})");
}

TEST(Json, MapsWithOtherKeys) {
  both_ways(std::map<std::int32_t, std::string>{{-1, "a"}, {2, "b"}}, R"({"-1":"a","2":"b"})");
  both_ways(std::map<std::int64_t, bool>{{1L << 40, true}}, R"({"1099511627776":true})");
  both_ways(std::map<bool, std::int32_t>{{false, 0}, {true, 1}}, R"({"false":0,"true":1})");
  both_ways(std::map<Side, std::int32_t>{{Side::BUY, 1}}, R"({"BUY":1})");
  both_ways(std::map<double, std::int32_t>{{-0.5, 1}, {2, 3}}, R"({"-0.5":1,"2.0":3})");
  both_ways(std::map<double, std::int32_t>{{std::numeric_limits<double>::infinity(), 1}},
            R"({"Infinity":1})");
  both_ways(std::map<Date, std::int32_t>{{Date(milliseconds(0)), 1}},
            R"({"1970-01-01T00:00:00.000Z":1})");
  EXPECT_EQ((through<std::map<Date, std::int32_t>>(R"({"5":1})")),
            R"({"1970-01-01T00:00:00.005Z":1})");
  both_ways(std::map<char16_t, std::int32_t>{{u'ü', 1}}, "{\"ü\":1}");
  both_ways(std::map<Decimal, std::int32_t>{{Decimal("1.50"), 1}}, R"({"1.50":1})");
  both_ways(std::map<BigInteger, std::int32_t>{{BigInteger("99999999999999999999"), 1}},
            R"({"99999999999999999999":1})");
  both_ways(std::map<std::optional<std::int32_t>, std::int32_t>{{3, 1}}, R"({"3":1})");
  both_ways(std::map<std::int16_t, std::map<std::int8_t, std::int32_t>>{{1, {{2, 3}}}},
            R"({"1":{"2":3}})");
  EXPECT_EQ(
      (through<std::map<std::int32_t, std::string>>(R"({"1":"a"," 2":"b"})")),
      "json: $[\" 2\"]: expected a whole number from -2147483648 to 2147483647, found the string "
      "\" 2\" at byte 9");
  EXPECT_EQ((through<std::map<bool, std::int32_t>>(R"({"TRUE":1})")),
            "json: $.TRUE: expected true or false, found the string \"TRUE\" at byte 1");
  EXPECT_EQ((written(std::map<std::vector<std::int32_t>, std::int32_t>{{{1}, 2}})),
            "error: json: $: a map whose keys have no text in JSON");
  EXPECT_EQ((written(std::map<std::optional<std::int32_t>, std::int32_t>{{std::nullopt, 2}})),
            "error: json: $: a map whose keys have no text in JSON");
  EXPECT_EQ(
      (through<std::map<std::vector<std::int32_t>, std::int32_t>>(R"({"[1]":2})")),
      "json: $[\"[1]\"]: expected a map whose keys have a text in JSON, found the string \"[1]\" "
      "at byte 1");
}

TEST(Json, Structs) {
  Order order;
  order.id = "7";
  order.cents = 1250;
  order.side = Side::SELL;
  order.lines = {{"ab", 2, 6.25}, {"", 0, 0}};
  order.parent = std::make_unique<Order>();
  order.counts = {{"x", 1}};
  order.type_ = "t";
  const char* const text =
      R"({"cents":1250,"side":"SELL","lines":[{"sku":"ab","count":2,"price":6.25},)"
      R"({"sku":"","count":0,"price":0.0}],"boxed":null,"parent":{"cents":0,"side":"BUY","lines":[],)"
      R"("boxed":null,"parent":null,"counts":{},"type":"","id":"none"},"counts":{"x":1},"type":"t",)"
      R"("id":"7"})";
  EXPECT_EQ(written(order), text);
  EXPECT_EQ(through<Order>(text), text);
  // In any order, with anything between.
  Result<Order> read = json::from_json<Order>(
      "\xef\xbb\xbf { \"unknown\" : {\"deep\":[1,{\"a\":null}]}, \"type\":\"t\" "
      ",\n\"cen\\u0074s\":\t5} ");
  ASSERT_TRUE(read) << read.error().message();
  EXPECT_EQ(read->cents, 5);
  EXPECT_EQ(read->type_, "t");
  EXPECT_EQ(read->id, "none");
}

TEST(Json, MissingAndNullMembersKeepTheirDefaults) {
  const Result<Defaults> empty = json::from_json<Defaults>("{}");
  ASSERT_TRUE(empty);
  EXPECT_EQ(written(*empty), R"({"number":7,"text":"seven","list":[7],"boxed":7,"any":"seven"})");
  EXPECT_EQ(through<Defaults>(R"({"number":null,"text":null,"list":null,"boxed":null,"any":null})"),
            R"({"number":7,"text":"seven","list":[7],"boxed":null,"any":null})");
  EXPECT_EQ(through<std::vector<std::int32_t>>("[1,null]"), "[1,0]");
  EXPECT_EQ((through<std::map<std::string, std::int32_t>>(R"({"a":null})")), R"({"a":0})");
  EXPECT_EQ(through<std::vector<Line>>("[null]"), R"([{"sku":"","count":1,"price":0.0}])");
  // At the top nothing could be kept: as in Java a primitive type has no null.
  EXPECT_EQ(
      through<std::int32_t>("null"),
      "json: $: expected a whole number from -2147483648 to 2147483647, found null at byte 0");
  EXPECT_EQ(through<bool>("null"), "json: $: expected true or false, found null at byte 0");
  EXPECT_EQ(through<std::string>("null"), "\"\"");
  EXPECT_EQ(through<Line>("null"), R"({"sku":"","count":1,"price":0.0})");
}

TEST(Json, TheLastOfEqualNamesCounts) {
  EXPECT_EQ(through<Line>(R"({"sku":"a","count":1,"sku":"b","c\u006funt":2})"),
            R"({"sku":"b","count":2,"price":0.0})");
  // Whole: nothing of the first is left.
  EXPECT_EQ(through<Order>(R"({"parent":{"cents":1,"type":"x"},"parent":{"id":"y"}})"),
            through<Order>(R"({"parent":{"id":"y"}})"));
  EXPECT_EQ(through<Order>(R"({"lines":[1],"lines":[]})"), through<Order>("{}"));
  EXPECT_EQ((through<std::map<std::string, Line>>(R"({"a":{"count":5},"a":{"sku":"x"}})")),
            R"({"a":{"sku":"x","count":1,"price":0.0}})");
  EXPECT_EQ(through<Value>(R"({"a":1,"b":2,"\u0061":3})"), R"({"b":2,"a":3})");
}

TEST(Json, UnknownNamesMayBeRefused) {
  json::ReadOptions strict;
  strict.reject_unknown = true;
  EXPECT_EQ(through<Line>(R"({"$class":"com.acme.Line","sku":"a"})", strict),
            R"({"sku":"a","count":1,"price":0.0})");
  EXPECT_EQ(
      through<Order>(R"({"lines":[{"sku":"a","skv":"b"}]})", strict),
      "json: $.lines[0]: expected a name of com.acme.Line, found the string \"skv\" at byte 21");
}

TEST(Json, Exceptions) {
  SoldOut error;
  error.message = "gone";
  error.sku = "x";
  EXPECT_EQ(written(error), R"({"detailMessage":"gone","sku":"x"})");
  Result<SoldOut> read = json::from_json<SoldOut>(R"({"detailMessage":"m","stackTrace":[]})");
  ASSERT_TRUE(read);
  EXPECT_EQ(read->message, "m");
}

// --- layout --------------------------------------------------------------------------------------

TEST(Json, PrettyLayout) {
  Order order;
  order.lines = {{"a", 1, 2}};
  order.counts = {{"x", 1}};
  EXPECT_EQ(written(order, json::Layout::kPretty),
            "{\n"
            "  \"cents\": 0,\n"
            "  \"side\": \"BUY\",\n"
            "  \"lines\": [\n"
            "    {\n"
            "      \"sku\": \"a\",\n"
            "      \"count\": 1,\n"
            "      \"price\": 2.0\n"
            "    }\n"
            "  ],\n"
            "  \"boxed\": null,\n"
            "  \"parent\": null,\n"
            "  \"counts\": {\n"
            "    \"x\": 1\n"
            "  },\n"
            "  \"type\": \"\",\n"
            "  \"id\": \"none\"\n"
            "}");
  EXPECT_EQ(written(std::vector<std::set<std::int32_t>>{{}, {1}}, json::Layout::kPretty),
            "[\n  [],\n  [\n    1\n  ]\n]");
  EXPECT_EQ(
      json::to_text(Value::map({{"a", Value::list({1, Value::map()})}}), json::Layout::kPretty),
      "{\n  \"a\": [\n    1,\n    {}\n  ]\n}");
}

TEST(Json, WhatFailsLeavesNothingInTheBuffer) {
  Buffer out;
  out.append("head");
  const std::vector<Side> sides(5000, Side::BUY);
  std::vector<Side> wrong = sides;
  wrong.push_back(static_cast<Side>(5));
  Result<void> done = json::write(out, type_of<std::vector<Side>>(), &wrong);
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().code(), Code::kEncode);
  EXPECT_EQ(done.error().message(),
            "json: $[5000]: 5 is no enumerator of com.acme.Side; SETTEE_ENUM lists them");
  EXPECT_EQ(out.to_string(), "head");
  ASSERT_TRUE(json::write(out, type_of<std::vector<Side>>(), &sides));
  EXPECT_EQ(out.size(), 4 + 2 + 5000 * 6 - 1);
}

TEST(Json, PointersInACircleAreAnError) {
  auto node = std::make_shared<Node>();
  node->next = node;
  Result<std::string> text = json::to_json(*node);
  node->next.reset();
  ASSERT_FALSE(text);
  EXPECT_EQ(text.error().code(), Code::kLimit);
  EXPECT_NE(text.error().message().find(
                "limit 'depth' of 1000 exceeded: does a pointer lead in a circle?"),
            std::string::npos);
}

// A type without a form in JSON.
struct Message {
  std::size_t ByteSizeLong() const { return 0; }
  bool SerializeToArray(void*, int) const { return true; }
  bool ParseFromArray(const void*, int) { return true; }
};

TEST(Json, MessagesAreErrors) {
  EXPECT_EQ(written(Message()), "error: json: $: a protobuf message has no form in JSON");
  const char* const what =
      "json: $: expected something other than a protobuf message, which has no form in JSON, "
      "found ";
  EXPECT_EQ(through<Message>("{}"), what + std::string("an empty object at byte 0"));
  EXPECT_EQ(through<Message>("null"), what + std::string("null at byte 0"));
}

TEST(Json, VoidIsNull) {
  Buffer out;
  ASSERT_TRUE(json::write(out, type_of<void>(), nullptr));
  EXPECT_EQ(out.to_string(), "null");
  EXPECT_TRUE(json::read("null", type_of<void>(), nullptr));
  EXPECT_TRUE(json::read("", type_of<void>(), nullptr));
  EXPECT_TRUE(json::read("[1]", type_of<void>(), nullptr));
  EXPECT_FALSE(json::read("[1", type_of<void>(), nullptr));
}

}  // namespace
}  // namespace json_test
