// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0
//
// Generic values from JSON and to it, with "$class" and without.

#include <limits>
#include <string>

#include "settee/hessian/codec.h"
#include "settee/hessian/json_test_data.h"

namespace json_test {
namespace {

using settee::BigInteger;
using settee::Bytes;
using settee::Date;
using std::chrono::milliseconds;

void parses(std::string_view text, const Value& expected) {
  SCOPED_TRACE(text);
  Result<Value> value = json::parse_value(text);
  ASSERT_TRUE(value) << value.error().message();
  EXPECT_EQ(*value, expected) << value->to_string();
  // And back in the form that says all.
  const std::string again = json::to_text(*value, json::Layout::kCompact, json::TypeNames::kAll);
  Result<Value> reread = json::parse_value(again);
  ASSERT_TRUE(reread) << again << ": " << reread.error().message();
  EXPECT_EQ(*reread, *value) << again;
}

Value big(const char* digits) { return *settee::hessian::to_value(BigInteger(digits)); }

TEST(JsonValue, PlainJson) {
  parses("null", Value());
  parses("true", true);
  parses("false", false);
  parses("7", 7);
  parses("-2147483648", std::numeric_limits<std::int32_t>::min());
  parses("2147483648", 2147483648L);
  parses("9223372036854775807", std::numeric_limits<std::int64_t>::max());
  parses("-9223372036854775808", std::numeric_limits<std::int64_t>::min());
  parses("9223372036854775808", big("9223372036854775808"));
  parses("-123456789012345678901234567890", big("-123456789012345678901234567890"));
  parses("1.5", 1.5);
  parses("1.0", 1.0);
  parses("1e3", 1000.0);
  parses(R"("")", "");
  parses(R"("short")", "short");
  parses(R"("a text of more than fourteen \"bytes\"")", "a text of more than fourteen \"bytes\"");
  parses("[]", Value::list());
  parses("{}", Value::map());
  parses(R"([1,[true,null],{"a":{"b":"c"}}])",
         Value::list(
             {1, Value::list({true, nullptr}), Value::map({{"a", Value::map({{"b", "c"}})}})}));
  EXPECT_EQ(through<Value>("1e400"),
            "json: $: expected a number that fits a double, found the number 1e400 at byte 0");
  EXPECT_EQ(through<Value>("[" + std::string(2401, '1') + "]"),
            "json: $[0]: expected a whole number of at most 2400 digits, found the number " +
                std::string(40, '1') + "... at byte 1");
}

TEST(JsonValue, Objects) {
  Value order = Value::object("com.acme.Order").set("cents", 5).set("tags", Value::list({"a"}));
  parses(R"({"$class":"com.acme.Order","$":{"cents":5,"tags":["a"]}})", order);
  parses(R"({"$":{"cents":5,"tags":["a"]},"$class":"com.acme.Order"})", order);
  parses(R"({"$class":"com.acme.Order","cents":5,"tags":["a"]})", order);
  parses(R"({"cents":5,"tags":["a"],"$class":"com.acme.Order"})", order);
  parses(
      R"({"$class":"com.acme.Order","$":{"cents":5,"tags":["a"]},"$abstractClass":"x","generic":[]})",
      order);
  parses(R"({"$class":"com.acme.Order"})", Value::object("com.acme.Order"));
  parses(R"({"$class":"com.acme.Order","$":{}})", Value::object("com.acme.Order"));
  parses(R"({"$class":"com.acme.Order","$":null})", Value());
  parses(R"({"$class":"com.acme.A","b":{"$class":"com.acme.B","c":{"$class":"long","$":1}}})",
         Value::object("com.acme.A").set("b", Value::object("com.acme.B").set("c", 1L)));
  // "$class" of something else is a name like any other.
  parses(R"({"$class":5,"a":1})", Value::map({{"$class", 5}, {"a", 1}}));
  parses(R"({"$":5})", Value::map({{"$", 5}}));
  // The flags are fields where there is no "$".
  parses(R"({"$class":"com.acme.A","isMap":true,"isArray":false})",
         Value::object("com.acme.A").set("isMap", true).set("isArray", false));
  // Behind "$" names are what they say.
  parses(R"({"$class":"com.acme.A","$":{"$class":"x","$":1}})",
         Value::object("com.acme.A").set("$class", "x").set("$", 1));
}

TEST(JsonValue, Enums) {
  const Value buy = Value::enumerator("com.acme.Side", "BUY");
  parses(R"({"$class":"com.acme.Side","$":{"name":"BUY"}})", buy);
  parses(R"({"$class":"com.acme.Side","$":{"name":"BUY"},"isEnum":true})", buy);
  parses(R"({"$class":"com.acme.Side","$":"BUY"})", buy);
}

TEST(JsonValue, Scalars) {
  parses(R"({"$class":"boolean","$":true})", true);
  parses(R"({"$class":"java.lang.Boolean","$":false})", false);
  parses(R"({"$class":"byte","$":-128})", -128);
  parses(R"({"$class":"java.lang.Short","$":300})", 300);
  parses(R"({"$class":"int","$":5.0})", 5);
  parses(R"({"$class":"long","$":5})", 5L);
  parses(R"({"$class":"java.lang.Long","$":-5})", -5L);
  parses(R"({"$class":"double","$":5})", 5.0);
  parses(R"({"$class":"double","$":"NaN"})", std::numeric_limits<double>::quiet_NaN());
  parses(R"({"$class":"java.lang.Double","$":"-Infinity"})",
         -std::numeric_limits<double>::infinity());
  parses(R"({"$class":"float","$":0.1})", static_cast<double>(0.1f));
  parses(R"({"$class":"char","$":"c"})", "c");
  parses(R"({"$class":"java.lang.Character","$":"\u00fc"})", "ü");
  parses(R"({"$class":"java.lang.String","$":"s"})", "s");
  parses(R"({"$class":"java.util.Date","$":1714564800123})", Date(milliseconds(1714564800123)));
  parses(R"({"$class":"java.util.Date","$":"2024-05-01T12:00:00.123Z"})",
         Date(milliseconds(1714564800123)));
  parses(R"({"$class":"java.util.Date","$":9223372036854775807})",
         Date(milliseconds(std::numeric_limits<std::int64_t>::max())));
  parses(R"({"$class":"java.math.BigDecimal","$":12.340})", Value::decimal("12.340"));
  parses(R"({"$class":"java.math.BigDecimal","$":"1E+3"})", Value::decimal("1E+3"));
  parses(R"({"$class":"java.math.BigInteger","$":12})", big("12"));
  parses(R"({"$class":"java.math.BigInteger","$":"-99999999999999999999"})",
         big("-99999999999999999999"));
  parses(R"({"$class":"java.lang.Object","$":[1]})", Value::list({1}));
  parses(R"({"$class":"long","$":null})", Value());
}

TEST(JsonValue, ArraysAndCollections) {
  const Bytes bytes(std::string_view("\x01\xff", 2));
  parses(R"({"$class":"[B","$":"Af8="})", bytes);
  parses(R"({"$class":"byte[]","$":[1,255]})", bytes);
  parses(R"({"$class":"[byte","$":[1,-1]})", bytes);
  for (const char* name : {"[I", "int[]", "[int"}) {
    parses(R"({"$class":")" + std::string(name) + R"(","$":[1,2]})", Value::list("[int", {1, 2}));
  }
  parses(R"({"$class":"[J","$":[1,2]})", Value::list("[long", {1L, 2L}));
  parses(R"({"$class":"[D","$":[1]})", Value::list("[double", {1.0}));
  parses(R"({"$class":"[Z","$":[true]})", Value::list("[boolean", {true}));
  parses(R"({"$class":"[S","$":[1]})", Value::list("[short", {1}));
  parses(R"({"$class":"[F","$":[1]})", Value::list("[float", {1.0}));
  parses(R"({"$class":"[C","$":"ab"})", "ab");
  for (const char* name : {"[Ljava.lang.String;", "java.lang.String[]", "[string"}) {
    parses(R"({"$class":")" + std::string(name) + R"(","$":["a",null]})",
           Value::list("[string", {"a", nullptr}));
  }
  parses(R"({"$class":"[Ljava.util.Date;","$":[0]})", Value::list("[date", {Date()}));
  parses(R"({"$class":"[Ljava.lang.Object;","$":[0,"x",{"a":1}]})",
         Value::list("[object", {0, "x", Value::map({{"a", 1}})}));
  parses(R"({"$class":"[Ljava.lang.Long;","$":[1,null]})",
         Value::list("[java.lang.Long", {1L, nullptr}));
  parses(R"({"$class":"[[I","$":[[1],[]]})",
         Value::list("[[int", {Value::list("[int", {1}), Value::list("[int", {})}));
  parses(R"({"$class":"byte[][]","$":["AQ=="]})",
         Value::list("[[byte", {Bytes(std::string_view("\x01"))}));
  const Value users = Value::list("[com.acme.User", {Value::object("com.acme.User").set("n", 1),
                                                     Value::object("com.acme.Admin").set("n", 2)});
  for (const char* name : {"[Lcom.acme.User;", "com.acme.User[]", "[com.acme.User"}) {
    parses(R"({"$class":")" + std::string(name) +
               R"(","$":[{"n":1},{"$class":"com.acme.Admin","$":{"n":2}}]})",
           users);
  }
  parses(
      R"({"$class":"com.acme.User","isArray":true,"$":[{"n":1},{"$class":"com.acme.Admin","n":2}]})",
      users);
  parses(R"({"$class":"java.util.List","$":[1]})", Value::list({1}));
  parses(R"({"$class":"java.util.ArrayList","$":[1]})", Value::list({1}));
  parses(R"({"$class":"java.util.Set","$":[1]})", Value::list("java.util.HashSet", {1}));
  parses(R"({"$class":"java.util.LinkedList","$":[1]})", Value::list("java.util.LinkedList", {1}));
  parses(R"({"$class":"com.acme.Bag","$":[1]})", Value::list("com.acme.Bag", {1}));
  parses(R"({"$class":"java.util.HashMap","$":{"a":1}})", Value::map({{"a", 1}}));
  parses(R"({"$class":"java.util.HashMap","a":1})", Value::map({{"a", 1}}));
  parses(R"({"$class":"java.util.TreeMap","$":{"a":1}})",
         Value::map("java.util.TreeMap", {{"a", 1}}));
  parses(R"({"$class":"java.util.WeakHashMap","$":{}})", Value::map("java.util.WeakHashMap", {}));
  parses(R"({"$class":"com.acme.Map","isMap":true,"$":{"a":1}})",
         Value::map("com.acme.Map", {{"a", 1}}));
  parses(R"({"$class":"java.util.Map","$":[[1,"a"],[true,"b"],[{"$class":"long","$":1},[2]]]})",
         Value::map({{1, "a"}, {true, "b"}, {1L, Value::list({2})}}));
  parses(R"({"$class":"java.util.Map","$":{"$class":"x","$":1}})",
         Value::map({{"$class", "x"}, {"$", 1}}));
}

TEST(JsonValue, ErrorsOfTheClassForm) {
  const std::pair<const char*, const char*> cases[] = {
      {R"([{"$class":"int","$":2147483648}])",
       "json: $[0].$: expected a whole number from -2147483648 to 2147483647 for a int, found the "
       "number "
       "2147483648 at byte 21"},
      {R"({"$class":"byte","$":128})",
       "json: $.$: expected a whole number from -128 to 127 for a byte, found the number 128 at "
       "byte 21"},
      {R"({"$class":"long","$":"5"})",
       "json: $.$: expected a whole number from -9223372036854775808 to 9223372036854775807 for a "
       "long, "
       "found the string \"5\" at byte 21"},
      {R"({"$class":"long"})",
       "json: $: expected the value of the long behind \"$\", found an object at byte 0"},
      {R"({"$class":"[I"})",
       "json: $: expected the value of the [I behind \"$\", found an object at byte 0"},
      {R"({"$class":"float","$":1e39})",
       "json: $.$: expected a number that fits a float, found the number 1e39 at byte 22"},
      {R"({"$class":"boolean","$":0})",
       "json: $.$: expected true or false, found the number 0 at byte 24"},
      {R"({"$class":"char","$":"ab"})",
       "json: $.$: expected a string of one UTF-16 unit, found the string \"ab\" at byte 21"},
      {R"({"$class":"java.lang.String","$":5})",
       "json: $.$: expected a string, found the number 5 at byte 33"},
      {R"({"$class":"java.util.Date","$":"soon"})",
       "json: $.$: expected a whole number of milliseconds or a date like "
       "\"2024-05-01T12:00:00Z\", found "
       "the string \"soon\" at byte 31"},
      {R"({"$class":"java.math.BigDecimal","$":"x"})",
       "json: $.$: expected a decimal number, found the string \"x\" at byte 37"},
      {R"({"$class":"java.math.BigInteger","$":1.5})",
       "json: $.$: expected a whole number, found the number 1.5 at byte 37"},
      {R"({"$class":"[I","$":5})", "json: $.$: expected an array, found the number 5 at byte 19"},
      {R"({"$class":"[I","$":[1,"2"]})",
       "json: $.$[1]: expected a whole number from -2147483648 to 2147483647 for a int, found the "
       "string "
       "\"2\" at byte 22"},
      {R"({"$class":"[B","$":[1,256]})",
       "json: $.$[1]: expected a byte, from -128 to 255, found the number 256 at byte 22"},
      {R"({"$class":"[B","$":"%"})",
       "json: $.$: expected a string of Base64 or an array of bytes, found the string \"%\" at "
       "byte 19"},
      {R"({"$class":"[B","$":{}})",
       "json: $.$: expected a string of Base64 or an array of bytes, found an empty object at byte "
       "19"},
      {R"({"$class":"java.util.List","$":{}})",
       "json: $.$: expected an array, found an empty object at byte 31"},
      {R"({"$class":"java.util.Map","$":1})",
       "json: $.$: expected an object or an array of pairs, found the number 1 at byte 30"},
      {R"({"$class":"java.util.Map","$":[[1]]})",
       "json: $.$[0]: expected a pair of key and value, found an array of 1 at byte 31"},
      {R"({"$class":"com.acme.X","$":5})",
       "json: $.$: expected an object, or the name of a constant, of com.acme.X, found the number "
       "5 at "
       "byte 27"},
      {R"({"$class":"","$":5})",
       "json: $: expected a class name of 1 to 65535 bytes, found the string \"\" at byte 10"},
  };
  for (const auto& [text, message] : cases) EXPECT_EQ(through<Value>(text), message);
}

TEST(JsonValue, TextForPeople) {
  const Value order = Value::object("com.acme.Order")
                          .set("id", 7L)
                          .set("price", Value::decimal("12.340"))
                          .set("big", big("-99999999999999999999"))
                          .set("when", Date(milliseconds(0)))
                          .set("raw", Bytes(std::string_view("foo")))
                          .set("ratio", 1.0)
                          .set("none", nullptr)
                          .set("side", Value::enumerator("com.acme.Side", "BUY"))
                          .set("tags", Value::list("[string", {"a\n"}))
                          .set("map", Value::map({{1, 2}, {true, 3}, {1.5, 4}, {"x", 5}, {5L, 6}}));
  EXPECT_EQ(
      json::to_text(order),
      R"({"id":7,"price":12.340,"big":-99999999999999999999,"when":"1970-01-01T00:00:00.000Z",)"
      R"("raw":"Zm9v","ratio":1.0,"none":null,"side":{"name":"BUY"},"tags":["a\n"],)"
      R"("map":{"1":2,"true":3,"1.5":4,"x":5,"5":6}})");
  EXPECT_EQ(json::to_text(Value::list({Value::enumerator("com.acme.Side", "BUY"), 7L}),
                          json::Layout::kCompact, json::TypeNames::kObjects),
            R"([{"$class":"com.acme.Side","name":"BUY"},7])");
  EXPECT_EQ(json::to_text(Value::map({{Value::enumerator("com.acme.Side", "BUY"), 1},
                                      {Date(milliseconds(0)), 2},
                                      {Value::decimal("1.0"), 3},
                                      {nullptr, 4},
                                      {Value::list({1}), 5}})),
            R"({"BUY":1,"1970-01-01T00:00:00.000Z":2,"1.0":3,"null":4,"[1]":5})");
  EXPECT_EQ(json::to_text(Value::object("java.math.BigDecimal").set("value", "no number")),
            R"({"value":"no number"})");
}

TEST(JsonValue, WhatOccursAgainIsNamed) {
  const Value shared = Value::list({1});
  EXPECT_EQ(
      json::to_text(Value::map({{"a", shared}, {"b c", shared}, {"d", Value::list({shared})}})),
      R"({"a":[1],"b c":{"$ref":"$.a"},"d":[{"$ref":"$.a"}]})");
  Value user = Value::object("com.acme.User").set("name", "x");
  Value friends = Value::list({Value::object("com.acme.User").set("back", Value::weak(user))});
  user.set("friends", friends);
  EXPECT_EQ(json::to_text(user), R"({"name":"x","friends":[{"back":{"$ref":"$"}}]})");
  EXPECT_EQ(json::to_text(user, json::Layout::kCompact, json::TypeNames::kAll),
            R"({"$class":"com.acme.User","name":"x","friends":[{"$class":"com.acme.User",)"
            R"("back":{"$ref":"$"}}]})");
  const Value inner = Value::map({{"a b", Value::list({0, shared})}});
  EXPECT_EQ(json::to_text(Value::list({inner, shared})),
            R"([{"a b":[0,[1]]},{"$ref":"$[0][\"a b\"][1]"}])");
  // Empty ones say nothing by being the same.
  const Value empty = Value::list();
  EXPECT_EQ(json::to_text(Value::list({empty, empty})), "[[],[]]");
}

TEST(JsonValue, ForProgramsSharingIsWrittenOutAndACircleIsAnError) {
  const Value shared = Value::list({1});
  EXPECT_EQ(written(Value::list({shared, shared})), "[[1],[1]]");
  Value user = Value::object("com.acme.User");
  user.set("list", Value::list({0, Value::weak(user)}));
  EXPECT_EQ(written(user),
            "error: json: $.list[1]: the value contains itself, which JSON cannot say");
  Defaults defaults;
  defaults.any = user;
  EXPECT_EQ(written(defaults),
            "error: json: $.any.list[1]: the value contains itself, which JSON cannot say");
  json::WriteOptions options;
  options.references = true;
  EXPECT_EQ(
      written(defaults, options),
      R"({"number":7,"text":"seven","list":[7],"boxed":7,"any":{"list":[0,{"$ref":"$.any"}]}})");
  // Forty lists that hold the next twice would be a million million values.
  Value doubled = Value::list({1});
  for (int i = 0; i < 40; ++i) doubled = Value::list({doubled, doubled});
  EXPECT_LT(json::to_text(doubled).size(), 20'000u);
  options = json::WriteOptions();
  options.nodes = 100'000;
  const std::string message = written(doubled, options);
  EXPECT_NE(message.find("limit 'nodes' of 100000 exceeded"), std::string::npos) << message;
}

TEST(JsonValue, AnyDepthIsWritten) {
  Value deep = Value::list();
  for (int i = 1; i < 100'000; ++i) deep = Value::list({deep});
  EXPECT_EQ(json::to_text(deep), std::string(100'000, '[') + std::string(100'000, ']'));
  EXPECT_EQ(written(deep).size(), 200'000u);
}

TEST(JsonValue, DatesInProgramsAreNumbers) {
  EXPECT_EQ(written(Value::list({Date(milliseconds(5))})), "[5]");
  EXPECT_EQ(json::to_text(Date(milliseconds(-62167219200001))), "-62167219200001");
}

}  // namespace
}  // namespace json_test
