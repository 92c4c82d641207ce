// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0

#include "settee/rpc/rest/internal/arguments.h"

#include <gtest/gtest.h>

#include <optional>
#include <set>
#include <string>
#include <tuple>
#include <vector>

#include "settee/base/reflect.h"
#include "settee/base/task.h"

namespace rest_arguments {

enum class Side { BUY, SELL };

struct Order {
  std::string symbol;
  std::int64_t cents = 0;
};

struct Shop {
  virtual ~Shop() = default;
  virtual settee::Task<void> latest(std::string symbol) = 0;
  virtual settee::Task<void> find(std::string symbol, std::int32_t limit,
                                  std::optional<double> above) = 0;
  virtual settee::Task<void> kinds(bool yes, std::int8_t small, char16_t letter, Side side,
                                   settee::Date since, settee::Decimal price,
                                   settee::Bytes key) = 0;
  virtual settee::Task<void> many(std::vector<std::int32_t> ids, std::set<std::string> tags) = 0;
  virtual settee::Task<void> place(Order order) = 0;
  virtual settee::Task<void> change(std::string id, Order order, bool dry) = 0;
  virtual settee::Task<void> nothing() = 0;
};

}  // namespace rest_arguments

SETTEE_ENUM(rest_arguments::Side, "com.acme.Side", BUY, SELL)
SETTEE_STRUCT(rest_arguments::Order, "com.acme.Order", symbol, cents)
SETTEE_SERVICE(rest_arguments::Shop, "com.acme.Shop", (latest, symbol),
               (find, symbol, limit, above), (kinds, yes, small, letter, side, since, price, key),
               (many, ids, tags), (place, order), (change, id, order, dry), (nothing))

namespace rest_arguments {
namespace {

using settee::rpc::rest::ArgumentTexts;

const settee::MethodInfo& method(std::string_view name) {
  for (const settee::MethodInfo& info : settee::service_of<Shop>().methods) {
    if (info.wire_name == name) return info;
  }
  throw std::logic_error("no such method");
}

// Reads into `arguments`; "" or the Error's message.
template <class... T>
std::string read(std::string_view name, const ArgumentTexts& texts, std::tuple<T...>& arguments) {
  void* places[sizeof...(T) + 1] = {};
  std::apply(
      [&places](auto&... argument) {
        std::size_t i = 0;
        ((places[i++] = &argument), ...);
      },
      arguments);
  const settee::Result<void> done =
      settee::rpc::rest::read_arguments(texts, method(name).parameters, places);
  return done ? "" : done.error().message();
}

ArgumentTexts query(std::string_view text) {
  ArgumentTexts texts;
  texts.query = text;
  texts.by_position = true;
  return texts;
}
ArgumentTexts body(std::string_view text, std::string_view query = {}) {
  ArgumentTexts texts;
  texts.query = query;
  texts.body = text;
  texts.has_body = true;
  return texts;
}

using FindArguments = std::tuple<std::string, std::int32_t, std::optional<double>>;

TEST(RestArguments, QueryValuesGoByName) {
  FindArguments found;
  EXPECT_EQ(read("find", query("limit=5&symbol=A%20C%2bM+E&above=1e3"), found), "");
  EXPECT_EQ(found, FindArguments("A C+M E", 5, 1000));
  FindArguments without;
  EXPECT_EQ(read("find", query("&symbol=&&limit=-7&"), without), "");
  EXPECT_EQ(without, FindArguments("", -7, std::nullopt));
}

TEST(RestArguments, EverySimpleTypeCanStandInAQuery) {
  std::tuple<bool, std::int8_t, char16_t, Side, settee::Date, settee::Decimal, settee::Bytes> got;
  EXPECT_EQ(read("kinds",
                 query("yes=true&small=-128&letter=%C3%A9&side=SELL&since=2024-05-01T12:00:00Z"
                       "&price=12.50&key=AQI%3D"),
                 got),
            "");
  EXPECT_TRUE(std::get<0>(got));
  EXPECT_EQ(std::get<1>(got), -128);
  EXPECT_EQ(std::get<2>(got), u'é');
  EXPECT_EQ(std::get<3>(got), Side::SELL);
  EXPECT_EQ(std::get<4>(got), settee::Date(std::chrono::milliseconds(1714564800000)));
  EXPECT_EQ(std::get<5>(got), settee::Decimal("12.50"));
  EXPECT_EQ(std::get<6>(got).view(), "\x01\x02");
}

TEST(RestArguments, AListHasOneValueForEachItem) {
  std::tuple<std::vector<std::int32_t>, std::set<std::string>> got;
  EXPECT_EQ(read("many", query("ids=3&tags=a&ids=1&tags=b%22%5C%0A"), got), "");
  EXPECT_EQ(std::get<0>(got), (std::vector<std::int32_t>{3, 1}));
  EXPECT_EQ(std::get<1>(got), (std::set<std::string>{"a", "b\"\\\n"}));
  std::tuple<std::vector<std::int32_t>, std::set<std::string>> none;
  EXPECT_EQ(read("many", query(""), none), "");
  EXPECT_TRUE(std::get<0>(none).empty());
}

TEST(RestArguments, ValuesUnderOtherNamesGoByPosition) {
  FindArguments found;
  EXPECT_EQ(read("find", query("a=ACME&b=5&c=2"), found), "");
  EXPECT_EQ(found, FindArguments("ACME", 5, 2));
  EXPECT_EQ(read("find", query("a=ACME&b=5"), found),
            "query: no name in it is a parameter of the method, and by position 2 values do not "
            "make 3 arguments; its parameters: symbol, limit, above");
  ArgumentTexts route = query("a=ACME&b=5&c=2");
  route.by_position = false;
  EXPECT_EQ(read("find", route, found),
            "query: a, b, c is no parameter of the method; its parameters: symbol, limit, above");
}

TEST(RestArguments, NamesOfWhichOnlySomeAreKnownAreRefused) {
  FindArguments found;
  EXPECT_EQ(read("find", query("symbol=ACME&limit=5&abvoe=1"), found),
            "query: abvoe is no parameter of the method; its parameters: symbol, limit, above");
  EXPECT_EQ(read("find", query("symbol=ACME&limit=5&limit=6"), found),
            "query: the parameter limit has 2 values and takes one");
}

TEST(RestArguments, WhatIsMissingOrWrongIsNamed) {
  FindArguments found;
  EXPECT_EQ(read("find", query("symbol=ACME"), found),
            "query: the parameter limit is missing; parameters: symbol, limit, above");
  for (const char* bad :
       {"", "five", "5x", "0x10", "99999999999", "1.5", "[1]", "1,2", "\"5\"", "null", "007"}) {
    const std::string message = read("find", query("symbol=A&limit=" + std::string(bad)), found);
    EXPECT_EQ(message.find("query: the parameter limit: json: $: expected a"), 0u) << message;
  }
  EXPECT_EQ(read("find", query("symbol=A%2&limit=1"), found),
            "query: bad percent-encoding in 'symbol=A%2'");
  EXPECT_EQ(read("find", query("symbol=%ff&limit=1"), found).substr(0, 35),
            "query: the parameter symbol: json: ");
  std::tuple<Order> order;
  EXPECT_EQ(read("place", query("order=1"), order),
            "query: the parameter order is a com.acme.Order, which only a body of JSON can have");
  EXPECT_EQ(read("place", query(""), order),
            "query: the parameter order is a com.acme.Order, which only a body of JSON can have");
}

TEST(RestArguments, LongNamesAreCutInMessages) {
  FindArguments found;
  const std::string message = read("find", query(std::string(8000, 'x') + "=1&symbol=A"), found);
  EXPECT_LT(message.size(), 300u);
  std::string many;
  for (int i = 0; i < 1000; ++i) many += "&n" + std::to_string(i) + "=1";
  EXPECT_LT(read("find", query(many + "&symbol=A"), found).size(), 400u);
}

TEST(RestArguments, ABodyNamesTheParametersOrListsThem) {
  for (const char* text : {R"({"symbol":"ACME","limit":5})", R"(["ACME",5,null])"}) {
    FindArguments found;
    EXPECT_EQ(read("find", body(text), found), "") << text;
    EXPECT_EQ(found, FindArguments("ACME", 5, std::nullopt));
  }
  for (const char* text : {R"({"symbol":"ACME"})", R"(["ACME"])", R"("ACME")"}) {
    std::tuple<std::string> symbol;
    EXPECT_EQ(read("latest", body(text), symbol), "") << text;
    EXPECT_EQ(std::get<0>(symbol), "ACME");
  }
  std::tuple<Order> order;
  EXPECT_EQ(read("place", body(R"({"symbol":"ACME","cents":7})"), order), "");
  EXPECT_EQ(std::get<0>(order).cents, 7);
  EXPECT_EQ(read("place", body(R"({"symbol":"ACME","cents":"7x"})"), order),
            "body: argument order: json: $.cents: expected a whole number of 64 bits, "
            "found the string \"7x\" at byte 25");
  FindArguments found;
  EXPECT_EQ(read("find", body(R"({"symbol":"ACME"})"), found),
            "body: json: $: expected the argument limit in the object, found an object at byte 0");
}

TEST(RestArguments, NothingIsEnoughWhereNothingIsNeeded) {
  std::tuple<> none;
  for (const char* text : {"", " \n", "{}", "[]", "null"}) {
    EXPECT_EQ(read("nothing", body(text), none), "") << text;
  }
  EXPECT_EQ(read("nothing", query(""), none), "");
  EXPECT_NE(read("nothing", query("a=1"), none), "");
  std::tuple<std::string> symbol;
  EXPECT_EQ(read("latest", body(""), symbol),
            "body: json: expected 1 argument (symbol), the text is empty");
}

TEST(RestArguments, PathQueryAndBodyFillOneCall) {
  using Arguments = std::tuple<std::string, Order, bool>;
  const std::pair<std::string_view, std::string> variables[] = {{"id", "a/b"}};
  ArgumentTexts texts = body(R"({"symbol":"ACME","cents":7})", "dry=true");
  texts.variables = variables;
  Arguments got;
  EXPECT_EQ(read("change", texts, got), "");
  EXPECT_EQ(std::get<0>(got), "a/b");
  EXPECT_EQ(std::get<1>(got).symbol, "ACME");
  EXPECT_TRUE(std::get<2>(got));
  // Two parameters are left: the body names them.
  texts.query = {};
  texts.body = R"({"order":{"symbol":"B"},"dry":false})";
  EXPECT_EQ(read("change", texts, got), "");
  EXPECT_EQ(std::get<1>(got).symbol, "B");
  texts.query = "id=7";
  EXPECT_EQ(read("change", texts, got), "query: the parameter id stands in the path already");
}

TEST(RestArguments, ADeepBodyIsRefused) {
  std::tuple<std::string> symbol;
  const std::string deep = std::string(10'000, '[') + std::string(10'000, ']');
  const std::string message = read("latest", body(deep), symbol);
  EXPECT_NE(message.find("depth"), std::string::npos) << message;
}

}  // namespace
}  // namespace rest_arguments
