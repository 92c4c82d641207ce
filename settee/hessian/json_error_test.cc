// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0
//
// Texts that are malformed, do not fit the type or exceed a limit.

#include <chrono>
#include <set>
#include <string>
#include <vector>

#include "settee/hessian/json_test_data.h"

namespace json_test {
namespace {

using settee::Bytes;
using settee::Decimal;

TEST(Json, ErrorsNameThePath) {
  EXPECT_EQ(
      through<Order>(R"({"lines":[{},{},{},{"price":"9"}]})"),
      "json: $.lines[3].price: expected a number that fits a double, found the string \"9\" at "
      "byte 28");
  EXPECT_EQ(
      through<Order>(R"({"parent":{"counts":{"a b":true}}})"),
      "json: $.parent.counts[\"a b\"]: expected a whole number from -2147483648 to 2147483647, "
      "found true at byte 27");
  EXPECT_EQ(
      through<Order>(R"({"parent":{"parent":[]}})"),
      "json: $.parent.parent: expected an object, a com.acme.Order, found an empty array at byte "
      "20");
  EXPECT_EQ(
      through<std::set<std::int32_t>>("[1,[2,3]]"),
      "json: $[1]: expected a whole number from -2147483648 to 2147483647, found an array of 2 at "
      "byte 3");
  EXPECT_EQ(through<std::string>("5"), "json: $: expected a string, found the number 5 at byte 0");
  EXPECT_EQ(through<bool>("\xef\xbb\xbf 0"),
            "json: $: expected true or false, found the number 0 at byte 4");
  EXPECT_EQ(through<std::vector<std::int32_t>>("{}"),
            "json: $: expected an array, found an empty object at byte 0");
  EXPECT_EQ((through<std::map<std::string, std::int32_t>>("[]")),
            "json: $: expected an object, found an empty array at byte 0");
  EXPECT_EQ(through<std::int32_t>("\"" + std::string(200, 'x') + "\""),
            "json: $: expected a whole number from -2147483648 to 2147483647, found the string \"" +
                std::string(40, 'x') + "...\" at byte 0");
  // A name from outside does not break a log's lines.
  EXPECT_EQ(
      (through<std::map<std::string, std::int32_t>>(R"({"a\nb":"\t"})")),
      "json: $[\"a\xef\xbf\xbd"
      "b\"]: expected a whole number from -2147483648 to 2147483647, found the string \"\\t\" at "
      "byte 8");
}

TEST(Json, LongPathsAreCutInTheMiddle) {
  std::string text = "1";
  for (int i = 0; i < 99; ++i) text = R"({"parent":)" + text + "}";
  const std::string message = through<Order>(text);
  EXPECT_EQ(message.substr(0, 24), "json: $.parent.parent.pa");
  EXPECT_NE(message.find(".parent ... .parent"), std::string::npos) << message;
  EXPECT_LT(message.size(), 400u);
}

TEST(Json, MalformedTexts) {
  struct Case {
    std::string_view text;
    std::string_view what;
  };
  const Case cases[] = {
      {"", "expected a value, the text ends at byte 0"},
      {" \n", "expected a value, the text ends at byte 2"},
      {"tru", "expected a value, found 'tru' at byte 0"},
      {"truex", "expected the end of the text, found 'x' at byte 4"},
      {"nul", "expected a value, found 'nul' at byte 0"},
      {"True", "expected a value, found 'True' at byte 0"},
      {"1 2", "expected the end of the text, found '2' at byte 2"},
      {"1]", "expected the end of the text, found ']' at byte 1"},
      {"[1] x", "expected the end of the text, found 'x' at byte 4"},
      {"{}{}", "expected the end of the text, found '{}' at byte 2"},
      {"[", "expected a value, the text ends at byte 1"},
      {"[1", "expected ',' or ']' in an array, the text ends at byte 2"},
      {"[1,", "expected a value, the text ends at byte 3"},
      {"[1,]", "expected a value, found ']' at byte 3"},
      {"[,1]", "expected a value, found ',1]' at byte 1"},
      {"[1 2]", "expected ',' or ']' in an array, found '2]' at byte 3"},
      {"[1}", "expected ',' or ']' in an array, found '}' at byte 2"},
      {"[[1]", "expected ',' or ']' in an array, the text ends at byte 4"},
      {"{", "expected a name in quotes, the text ends at byte 1"},
      {"{\"a\"", "expected ':' after a name, the text ends at byte 4"},
      {"{\"a\" 1}", "expected ':' after a name, found '1}' at byte 5"},
      {"{\"a\":}", "expected a value, found '}' at byte 5"},
      {"{\"a\":1,}", "expected a name in quotes, found '}' at byte 7"},
      {"{\"a\":1 \"b\":2}", "expected ',' or '}' in an object, found '\"b\":2}' at byte 7"},
      {"{\"a\":1]", "expected ',' or '}' in an object, found ']' at byte 6"},
      {"{a:1}", "expected a name in quotes, found 'a:1}' at byte 1"},
      {"{'a':1}", "expected a name in quotes, found ''a':1}' at byte 1"},
      {"{1:1}", "expected a name in quotes, found '1:1}' at byte 1"},
      {"{\"a\"}", "expected ':' after a name, found '}' at byte 4"},
      {"{null}", "expected a name in quotes, found 'null}' at byte 1"},
      {"]", "expected a value, found ']' at byte 0"},
      {":", "expected a value, found ':' at byte 0"},
      {"-", "expected a number, found '-' at byte 0"},
      {"[-x]", "expected a number, found '-x]' at byte 1"},
      {"+1", "expected a value, found '+1' at byte 0"},
      {".5", "expected a value, found '.5' at byte 0"},
      {"01", "expected a number as JSON has it, found '01' at byte 0"},
      {"1.", "expected a number as JSON has it, found '1.' at byte 0"},
      {"1.e5", "expected a number as JSON has it, found '1.e5' at byte 0"},
      {"[1e]", "expected a number as JSON has it, found '1e]' at byte 1"},
      {"0x10", "expected a number as JSON has it, found '0x10' at byte 0"},
      {"NaN", "expected a value, found 'NaN' at byte 0"},
      {"Infinity", "expected a value, found 'Infinity' at byte 0"},
      {"\"abc", "a string that does not end at byte 0"},
      {"[\"abc]", "a string that does not end at byte 1"},
      {"\"abc\\\"", "a string that does not end at byte 0"},
      {"\"\\", "a string that does not end at byte 0"},
      {"\"\\u12", "a string that does not end at byte 0"},
      {"\"a\\x\"", "an unknown escape '\\x\"' at byte 2"},
      {"\"\\u12g4\"", "an unknown escape '\\u12g4...' at byte 1"},
      {"\"\\u12\"", "an unknown escape '\\u12\"' at byte 1"},
      {"{\"\\q\":1}", "an unknown escape '\\q\":1}' at byte 2"},
      {"\"a\nb\"", "a control character in a string, it must be written \\u000a at byte 2"},
      {"\"a\x1f\"", "a control character in a string, it must be written \\u001f at byte 2"},
      {"\"a\xff\"", "bytes that are no UTF-8 at byte 2"},
      {"\"\xc3(\"", "bytes that are no UTF-8 at byte 1"},
      {"\"\xed\xa0\x80\"", "bytes that are no UTF-8 at byte 1"},
      {"\"\xf5\x80\x80\x80\"", "bytes that are no UTF-8 at byte 1"},
      {"[1,\xff]", "expected a value, found '\xef\xbf\xbd]' at byte 3"},
      {"\xef\xbb\xbf[1,]", "expected a value, found ']' at byte 6"},
      {"// c\n1",
       "expected a value, found '// c\xef\xbf\xbd"
       "1' at byte 0"},
      {"1\f", "expected the end of the text, found '\xef\xbf\xbd' at byte 1"},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.text);
    const std::string message = "json: malformed text: " + std::string(c.what);
    EXPECT_EQ(through<Value>(c.text), message);
    // What nobody asks for is checked all the same.
    if (c.text.substr(0, 3) == "\xef\xbb\xbf") continue;
    const std::string within = through<Line>("{\"unknown\":" + std::string(c.text) + "}");
    EXPECT_EQ(within.substr(0, 22), "json: malformed text: ");
  }
  EXPECT_EQ(through<Value>(std::string_view("\0", 1)).substr(0, 22), "json: malformed text: ");
  EXPECT_EQ(through<Value>(std::string_view("[1,\0]", 5)).substr(0, 22), "json: malformed text: ");
}

TEST(Json, TextsCutAnywhereAreErrors) {
  const std::string text =
      R"({"lines":[{"sku":"a\n\u00e9","count":-12,"price":1.5e-3}],"counts":{"é":1},"boxed":null})";
  ASSERT_TRUE(json::from_json<Order>(text));
  for (std::size_t size = 0; size < text.size(); ++size) {
    // An exact copy, so that a read beyond the end is seen.
    const std::vector<char> cut(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(size));
    Result<Order> order = json::from_json<Order>({cut.data(), cut.size()});
    ASSERT_FALSE(order) << size;
    ASSERT_EQ(order.error().code(), Code::kDecode);
  }
}

TEST(Json, LimitsOfTheText) {
  json::Limits limits;
  limits.text = 10;
  EXPECT_EQ(through<Value>("[1,2,3,4]", limits), "[1,2,3,4]");
  EXPECT_EQ(through<Value>("[1,2,3,4,5]", limits),
            "json: limit 'text' of 10 exceeded: the text has 11 bytes");
  limits = json::Limits();
  limits.depth = 3;
  EXPECT_EQ(through<Value>("[[[1]]]", limits), "[[[1]]]");
  EXPECT_EQ(through<Value>("[{\"a\":[[1]]}]", limits),
            "json: limit 'depth' of 3 exceeded at byte 7");
  EXPECT_EQ(through<Line>("{\"x\":[[[]]]}", limits), "json: limit 'depth' of 3 exceeded at byte 7");
  limits = json::Limits();
  limits.elements = 3;
  EXPECT_EQ(through<Value>("[1,2,3]", limits), "[1,2,3]");
  EXPECT_EQ(through<Value>("[0,[1,2,3,4]]", limits),
            "json: limit 'elements' of 3 exceeded at byte 3");
  EXPECT_EQ(through<Value>(R"({"a":1,"b":1,"c":1,"a":1})", limits),
            "json: limit 'elements' of 3 exceeded at byte 0");
  limits = json::Limits();
  limits.nodes = 4;
  EXPECT_EQ(through<Value>("[1,2,3]", limits), "[1,2,3]");
  EXPECT_EQ(through<Value>("[1,2,[3]]", limits), "json: limit 'nodes' of 4 exceeded at byte 6");
  EXPECT_EQ(through<Value>(R"({"a":{"b":1}})", limits),
            "json: limit 'nodes' of 4 exceeded at byte 10");
}

TEST(Json, LimitsOfWhatIsMade) {
  json::Limits limits;
  limits.bytes = 100;
  EXPECT_EQ(through<std::string>(in_quotes(std::string(100, 'x')), limits),
            in_quotes(std::string(100, 'x')));
  EXPECT_EQ(through<std::string>(in_quotes(std::string(101, 'x')), limits),
            "json: $: limit 'bytes' of 100 exceeded at byte 0");
  // Elements count by what they are in memory.
  EXPECT_EQ(through<std::vector<Line>>("[null,null,null,null,null,null]", limits),
            "json: $: limit 'bytes' of 100 exceeded at byte 0");
  EXPECT_EQ(through<std::vector<std::string>>(R"(["0123456789","0123456789"])", limits)[0], '[');
  EXPECT_EQ(through<std::set<std::int32_t>>("[1,2]", limits),
            "json: $: limit 'bytes' of 100 exceeded at byte 0");
  EXPECT_EQ((through<std::map<std::string, std::int32_t>>(R"({"a":1,"b":2})", limits)),
            "json: $: limit 'bytes' of 100 exceeded at byte 0");
  EXPECT_EQ(through<Value>("[[],[]]", limits),
            "json: $[0]: limit 'bytes' of 100 exceeded at byte 1");
  EXPECT_EQ(through<Bytes>(in_quotes(std::string(104, 'x')), limits),
            "json: $: limit 'bytes' of 100 exceeded at byte 0");
  EXPECT_EQ(through<Decimal>(std::string(104, '1'), limits),
            "json: $: limit 'bytes' of 100 exceeded at byte 0");
}

TEST(Json, NestingOfAnyDepthIsRefusedWithoutRecursion) {
  const std::pair<const char*, const char*> nests[] = {
      {"[", "]"}, {"{\"a\":", "}"}, {"[[{\"b\":", "}]]"}};
  for (const auto& [open, close] : nests) {
    std::string text;
    for (int i = 0; i < 1'000'000; ++i) text += open;
    Result<Value> value = json::parse_value(text);
    ASSERT_FALSE(value);
    EXPECT_EQ(value.error().message(),
              "json: malformed text: expected a value, the text ends at byte " +
                  std::to_string(text.size()));
    text += "1";
    for (int i = 0; i < 1'000'000; ++i) text += close;
    value = json::parse_value(text);
    ASSERT_FALSE(value);
    EXPECT_EQ(value.error().code(), Code::kLimit);
    EXPECT_NE(value.error().message().find("limit 'depth' of 128"), std::string::npos);
    EXPECT_FALSE(json::from_json<Order>(text));
    EXPECT_FALSE(json::from_json<std::int32_t>(text));
  }
  // However large the limit is set.
  json::Limits limits;
  limits.depth = 1'000'000;
  std::string deep = std::string(1000, '[') + std::string(1000, ']');
  EXPECT_EQ(through<Value>(deep, limits), deep);
  deep = "[" + deep + "]";
  EXPECT_EQ(through<Value>(deep, limits), "json: limit 'depth' of 1000 exceeded at byte 1000");
}

TEST(Json, ManyEqualOrCollidingNamesTakeNoSquare) {
  std::string text = "{";
  for (int i = 0; i < 200'000; ++i) text += "\"a" + std::to_string(i % 100'000) + "\":1,";
  text += "\"$class\":\"com.acme.X\"}";
  const auto start = std::chrono::steady_clock::now();
  Result<Value> value = json::parse_value(text);
  ASSERT_TRUE(value) << value.error().message();
  EXPECT_EQ(value->size(), 100'000u);
  // A square of that would take minutes.
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(20));
}

}  // namespace
}  // namespace json_test
