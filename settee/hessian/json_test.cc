// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0

#include "settee/hessian/json.h"

#include <gtest/gtest.h>

#include <chrono>
#include <cmath>
#include <limits>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <variant>
#include <vector>

#include "settee/base/reflect.h"
#include "settee/base/service.h"
#include "settee/hessian/codec.h"

namespace json_test {

using settee::Array;
using settee::BigInteger;
using settee::Bytes;
using settee::Date;
using settee::Decimal;
using settee::hessian::Value;
using std::chrono::milliseconds;

enum class Side { BUY, SELL };

struct Line {
  std::string sku;
  std::int32_t count = 1;
  double price = 0;
};

struct Base {
  std::string id = "none";
};

struct Order : Base {
  std::int64_t cents = 0;
  Side side = Side::BUY;
  std::vector<Line> lines;
  std::optional<std::int32_t> boxed;
  std::unique_ptr<Order> parent;
  std::map<std::string, std::int32_t> counts;
  std::string type_;
};

struct Circle {
  double radius = 0;
};
struct Square {
  double side = 0;
  std::string name;
};

struct Shape {
  std::variant<Circle, Square, std::string, std::int32_t> form;
  std::vector<std::variant<std::int32_t, double, bool, std::optional<std::string>>> items;
};

struct Defaults {
  std::int32_t number = 7;
  std::string text = "seven";
  std::vector<std::int32_t> list = {7};
  std::optional<std::int32_t> boxed = 7;
  Value any = Value("seven");
};

struct SoldOut : settee::BusinessException<SoldOut> {
  std::string sku;
};

// Variants within variants, two alternatives of each fit: what makes careless readers take exponential
// time.
template <int n>
struct Level {
  std::variant<std::vector<Level<n - 1>>, Array<Level<n - 1>>, std::int32_t> a;
};
template <>
struct Level<0> {
  std::int32_t a = 0;
};

struct Node {
  std::shared_ptr<Node> next;
};

}  // namespace json_test

SETTEE_ENUM(json_test::Side, "com.acme.Side", BUY, SELL)
SETTEE_STRUCT(json_test::Line, "com.acme.Line", sku, count, price)
SETTEE_STRUCT(json_test::Base, "com.acme.Base", id)
SETTEE_DERIVED_STRUCT(json_test::Order, json_test::Base, "com.acme.Order", cents, side, lines, boxed,
                      parent, counts, (type_, "type"))
SETTEE_STRUCT(json_test::Circle, "com.acme.Circle", radius)
SETTEE_STRUCT(json_test::Square, "com.acme.Square", side, name)
SETTEE_STRUCT(json_test::Shape, "com.acme.Shape", form, items)
SETTEE_STRUCT(json_test::Defaults, "com.acme.Defaults", number, text, list, boxed, any)
SETTEE_EXCEPTION(json_test::SoldOut, "com.acme.SoldOut", sku)
template <int n>
struct settee::Describe<json_test::Level<n>> : settee::detail::DescribedStruct {
  static constexpr std::string_view kName = "com.acme.Level";
  SETTEE_DETAIL_MEMBERS(json_test::Level<n>, (SETTEE_DETAIL_OWN_MEMBERS(json_test::Level<n>, a)))
};
SETTEE_STRUCT(json_test::Node, "com.acme.Node", next)

namespace json_test {
namespace {

namespace json = settee::json;
using settee::Buffer;
using settee::Code;
using settee::Error;
using settee::ParameterInfo;
using settee::Result;
using settee::type_of;

template <class T>
std::string written(const T& value, const json::WriteOptions& options = json::WriteOptions()) {
  Result<std::string> text = json::to_json(value, options);
  return text ? *text : "error: " + text.error().message();
}

// Reads the text as a T and writes that again; the message if it is none.
template <class T>
std::string through(std::string_view text, const json::ReadOptions& options = json::ReadOptions()) {
  Result<T> value = json::from_json<T>(text, options);
  if (!value) {
    EXPECT_TRUE(value.error().code() == Code::kDecode || value.error().code() == Code::kLimit);
    return value.error().message();
  }
  return written(*value);
}

// The value is written as the text, and the text is read as an equal value.
template <class T>
void both_ways(const T& value, std::string_view text) {
  SCOPED_TRACE(text);
  EXPECT_EQ(written(value), text);
  Result<T> read = json::from_json<T>(text);
  ASSERT_TRUE(read) << read.error().message();
  EXPECT_EQ(*read, value);
}

std::string in_quotes(std::string_view inside) { return "\"" + std::string(inside) + "\""; }

// --- described types -----------------------------------------------------------------------------

TEST(Json, BoolsAndIntegers) {
  both_ways(true, "true");
  both_ways(false, "false");
  both_ways<std::int8_t>(-128, "-128");
  both_ways<std::int16_t>(32767, "32767");
  both_ways<std::int32_t>(-2147483648, "-2147483648");
  both_ways<std::int64_t>(std::numeric_limits<std::int64_t>::min(), "-9223372036854775808");
  both_ways<std::int64_t>(std::numeric_limits<std::int64_t>::max(), "9223372036854775807");
  both_ways<std::int64_t>(0, "0");
  both_ways(milliseconds(1500), "1500");
}

TEST(Json, IntegersWrittenAsOtherNumbersAreReadWhenWhole) {
  EXPECT_EQ(through<std::int32_t>("3.0"), "3");
  EXPECT_EQ(through<std::int32_t>("-0"), "0");
  EXPECT_EQ(through<std::int32_t>("-0.0"), "0");
  EXPECT_EQ(through<std::int32_t>("0e99999999999999999999"), "0");
  EXPECT_EQ(through<std::int32_t>("12e2"), "1200");
  EXPECT_EQ(through<std::int32_t>("1200E-2"), "12");
  EXPECT_EQ(through<std::int32_t>("0.00120e+4"), "12");
  EXPECT_EQ(through<std::int64_t>("9007199254740993.0"), "9007199254740993");
  EXPECT_EQ(through<std::int64_t>("-9.223372036854775808e18"), "-9223372036854775808");
  EXPECT_EQ(through<std::int64_t>("9.223372036854775808e18"),
            "json: $: expected a whole number of 64 bits, found the number 9.223372036854775808e18 "
            "at byte 0");
  EXPECT_EQ(through<std::int32_t>("1.5"),
            "json: $: expected a whole number from -2147483648 to 2147483647, found the number 1.5 at "
            "byte 0");
  EXPECT_EQ(through<std::int32_t>("1e-1").substr(0, 20), "json: $: expected a ");
  EXPECT_EQ(through<std::int8_t>("128"),
            "json: $: expected a whole number from -128 to 127, found the number 128 at byte 0");
  EXPECT_EQ(through<std::int16_t>("-32769"),
            "json: $: expected a whole number from -32768 to 32767, found the number -32769 at byte 0");
  EXPECT_EQ(through<std::int64_t>("9223372036854775808").substr(0, 20), "json: $: expected a ");
  EXPECT_EQ(through<std::int64_t>("1e999999999999999999999").substr(0, 20), "json: $: expected a ");
}

TEST(Json, Reals) {
  both_ways(0.0, "0.0");
  both_ways(1.0, "1.0");
  both_ways(-2.5, "-2.5");
  both_ways(0.1, "0.1");
  both_ways(1e300, "1e+300");
  both_ways(5e-324, "5e-324");
  both_ways(123456789012.0, "123456789012.0");
  both_ways(std::numeric_limits<double>::max(), "1.7976931348623157e+308");
  both_ways(0.1f, "0.1");
  both_ways(16777216.0f, "16777216.0");
  both_ways(std::numeric_limits<double>::infinity(), "\"Infinity\"");
  both_ways(-std::numeric_limits<double>::infinity(), "\"-Infinity\"");
  both_ways(-std::numeric_limits<float>::infinity(), "\"-Infinity\"");
  EXPECT_EQ(written(std::numeric_limits<double>::quiet_NaN()), "\"NaN\"");
  EXPECT_TRUE(std::isnan(*json::from_json<double>("\"NaN\"")));
  EXPECT_TRUE(std::isnan(*json::from_json<float>("\"NaN\"")));
  EXPECT_EQ(written(-0.0), "-0.0");
  EXPECT_TRUE(std::signbit(*json::from_json<double>("-0.0")));
  EXPECT_EQ(through<double>("7"), "7.0");
  EXPECT_EQ(through<double>("1e-9999"), "0.0");
  EXPECT_EQ(through<double>("0e9999"), "0.0");
  EXPECT_EQ(through<double>("1e9999"),
            "json: $: expected a number that fits a double, found the number 1e9999 at byte 0");
  EXPECT_EQ(through<float>("1e39"),
            "json: $: expected a number that fits a float, found the number 1e39 at byte 0");
  EXPECT_EQ(through<double>("\"nan\"").substr(0, 20), "json: $: expected a ");
}

TEST(Json, RealsKeepAllTheirBits) {
  std::mt19937_64 random(7);
  for (int i = 0; i < 20000; ++i) {
    const auto bits = random();
    double number = 0;
    std::memcpy(&number, &bits, sizeof number);
    if (!std::isfinite(number)) continue;
    const std::string text = written(number);
    Result<double> again = json::from_json<double>(text);
    ASSERT_TRUE(again) << text;
    ASSERT_EQ(*again, number) << text;
    ASSERT_NE(text.find_first_of(".e"), std::string::npos) << text;
  }
}

TEST(Json, Strings) {
  both_ways<std::string>("", R"("")");
  both_ways<std::string>("plain", R"("plain")");
  both_ways<std::string>("a\"b\\c/d", R"("a\"b\\c/d")");
  both_ways<std::string>("\b\f\n\r\t", R"("\b\f\n\r\t")");
  both_ways<std::string>(std::string("\0\x01\x1f\x7f", 4), "\"\\u0000\\u0001\\u001f\x7f\"");
  both_ways<std::string>("Grüße, 世界 😀", "\"Grüße, 世界 😀\"");
  EXPECT_EQ(through<std::string>(R"("\u0047r\u00fc\u00DF\ud83d\ude00\/")"), "\"Grüß😀/\"");
  // Surrogates that are no pair.
  EXPECT_EQ(through<std::string>(R"("a\ud83d")"), "\"a\xef\xbf\xbd\"");
  EXPECT_EQ(through<std::string>(R"("\ude00\ud83dx\ud83d\u0041")"),
            "\"\xef\xbf\xbd\xef\xbf\xbdx\xef\xbf\xbd\x41\"");
}

TEST(Json, StringsOfAnyBytesAreValidJson) {
  EXPECT_EQ(written<std::string>("a\xff\"b\xc3(\xe2\x82z\xed\xa0\x80\xf4\x90\x80\x80"),
            "\"a\xef\xbf\xbd\\\"b\xef\xbf\xbd(\xef\xbf\xbdz\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"
            "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\"");
  std::mt19937 random(11);
  const std::string pieces[] = {"plain text", "\"", "\\", "\n", "ü", "世", "😀",
                                "\xff",       "\x80", "0123456789abcdef", std::string(1, '\0')};
  for (int i = 0; i < 3000; ++i) {
    std::string text;
    const std::size_t size = random() % (i % 50 == 0 ? 4000 : 40);
    while (text.size() < size) text += pieces[random() % std::size(pieces)];
    const bool valid = text.find('\xff') == std::string::npos && text.find('\x80') == std::string::npos;
    const std::string as_json = written(text);
    Result<std::string> again = json::from_json<std::string>(as_json);
    ASSERT_TRUE(again) << again.error().message();
    if (valid) {
      ASSERT_EQ(*again, text);
    }
  }
}

TEST(Json, StringsOfEveryLengthWithOneSpecialByteAnywhere) {
  for (std::size_t size = 1; size < 70; ++size) {
    for (std::size_t at = 0; at < size; ++at) {
      for (const char* special : {"\"", "\\", "\x1f", "\xc3\xbc"}) {
        std::string text(size, 'x');
        text.replace(at, 1, special);
        Result<std::string> again = json::from_json<std::string>(written(text));
        ASSERT_TRUE(again);
        ASSERT_EQ(*again, text);
      }
    }
  }
}

TEST(Json, LongTextsRunOverManyBlocks) {
  std::string text;
  for (int i = 0; i < 200000; ++i) text += static_cast<char>(i % 7 == 0 ? '"' : 'a' + i % 26);
  EXPECT_EQ(*json::from_json<std::string>(written(text)), text);
  std::vector<std::string> list(1000, std::string(333, 'x'));
  EXPECT_EQ(*json::from_json<std::vector<std::string>>(written(list)), list);
  const Bytes bytes(text);
  EXPECT_EQ(*json::from_json<Bytes>(written(bytes)), bytes);
}

TEST(Json, Chars) {
  both_ways(u'x', R"("x")");
  both_ways(u'"', R"("\"")");
  both_ways(u'\0', R"("\u0000")");
  both_ways(u'ü', "\"ü\"");
  both_ways(u'世', "\"世\"");
  both_ways(static_cast<char16_t>(0xd83d), R"("\ud83d")");
  EXPECT_EQ(through<char16_t>(R"("\u4e16")"), "\"世\"");
  EXPECT_EQ(through<char16_t>(R"("ab")"),
            "json: $: expected a string of one UTF-16 unit, found the string \"ab\" at byte 0");
  EXPECT_EQ(through<char16_t>("\"\"").substr(0, 20), "json: $: expected a ");
  EXPECT_EQ(through<char16_t>("\"😀\"").substr(0, 20), "json: $: expected a ");
  both_ways<Array<char16_t>>({u'a', u'\n', u'ü', 0xd83d, 0xde00, 0xd83d}, "\"a\\nü😀\\ud83d\"");
  EXPECT_EQ(through<Array<char16_t>>(R"(["a","b"])"), R"("ab")");
}

TEST(Json, Base64) {
  both_ways(Bytes(), "\"\"");
  both_ways(Bytes(std::string_view("f")), R"("Zg==")");
  both_ways(Bytes(std::string_view("fo")), R"("Zm8=")");
  both_ways(Bytes(std::string_view("foo")), R"("Zm9v")");
  both_ways(Bytes(std::string_view("\xfb\xff\xfe", 3)), R"("+//+")");
  EXPECT_EQ(through<Bytes>(R"("-__-")"), R"("+//+")");
  EXPECT_EQ(through<Bytes>(R"("Zm8")"), R"("Zm8=")");
  EXPECT_EQ(through<Bytes>(R"("\u005am9v")"), R"("Zm9v")");
  for (const char* bad : {"Z", "Zm9vZ", "Z===", "Zm=v", "Zm9v=", "Zm 9", "Zg=", "====", "="}) {
    EXPECT_EQ(through<Bytes>(in_quotes(bad)), "json: $: expected a string of Base64, found the string \"" +
                                               std::string(bad) + "\" at byte 0");
  }
  EXPECT_EQ(through<Bytes>("[1]"),
            "json: $: expected a string of Base64, found an array of 1 at byte 0");
}

TEST(Json, Dates) {
  const Date date{milliseconds(1714564800123)};
  both_ways(date, "1714564800123");
  both_ways(Date(milliseconds(-1)), "-1");
  json::WriteOptions text;
  text.dates_as_text = true;
  EXPECT_EQ(written(date, text), R"("2024-05-01T12:00:00.123Z")");
  EXPECT_EQ(written(Date(milliseconds(-1)), text), R"("1969-12-31T23:59:59.999Z")");
  EXPECT_EQ(written(Date(milliseconds(-62167219200000)), text), R"("0000-01-01T00:00:00.000Z")");
  EXPECT_EQ(written(Date(milliseconds(-62167219200001)), text), "-62167219200001");
  EXPECT_EQ(written(Date(milliseconds(253402300799999)), text), R"("9999-12-31T23:59:59.999Z")");
  EXPECT_EQ(written(Date(milliseconds(253402300800000)), text), "253402300800000");
  EXPECT_EQ(written(Date(milliseconds(std::numeric_limits<std::int64_t>::max())), text),
            "9223372036854775807");
  const std::pair<const char*, const char*> readable[] = {
      {"2024-05-01T12:00:00.123Z", "1714564800123"},
      {"2024-05-01T12:00:00.1239999z", "1714564800123"},
      {"2024-05-01T12:00:00Z", "1714564800000"},
      {"2024-05-01 12:00", "1714564800000"},
      {"2024-05-01t12:00:00,5", "1714564800500"},
      {"2024-05-01", "1714521600000"},
      {"2024-05-01T14:00:00+02:00", "1714564800000"},
      {"2024-05-01T12:00:00.000+0000", "1714564800000"},
      {"2024-05-01T06:30:00-0530", "1714564800000"},
      {"2024-05-01T14:00+02", "1714564800000"},
      {"2024-02-29", "1709164800000"},
  };
  for (const auto& [from, to] : readable) EXPECT_EQ(through<Date>(in_quotes(from)), to) << from;
  for (const char* bad :
       {"", "2024", "2023-02-29", "2024-13-01", "2024-05-01T", "2024-05-01T24:00", "2024-05-01T12:60",
        "2024-05-01T12:00:60", "2024-05-01T12:00:00.", "2024-05-01T12:00:00X", "2024-05-01T12:00:00ZZ",
        "2024-05-01T12:00:00+", "2024-05-01T12:00:00+24:00", "2024-05-01T12:00:00+02:0", "1714564800123"}) {
    EXPECT_EQ(through<Date>(in_quotes(bad)),
              "json: $: expected a whole number of milliseconds or a date like "
              "\"2024-05-01T12:00:00Z\", found the string \"" +
                  std::string(bad) + "\" at byte 0");
  }
}

TEST(Json, DecimalsKeepTheirDigits) {
  both_ways(Decimal("12.340"), "12.340");
  both_ways(Decimal("1E+3"), "1E+3");
  both_ways(Decimal("-0.00000000000000000000000000000000001"),
            "-0.00000000000000000000000000000000001");
  const std::string long_digits(5000, '7');
  both_ways(Decimal(long_digits + "." + long_digits), long_digits + "." + long_digits);
  EXPECT_EQ(written(Decimal("+1.50")), "1.50");
  EXPECT_EQ(written(Decimal(".5")), "0.5");
  EXPECT_EQ(written(Decimal("5.")), "5");
  EXPECT_EQ(written(Decimal("007e5")), "7e5");
  EXPECT_EQ(through<Decimal>(R"("12.340")"), "12.340");
  EXPECT_EQ(through<Decimal>(R"("+.5e-3")"), "0.5e-3");
  for (const char* bad : {"", ".", "1..2", "1e", "e5", "0x1", "1 ", "NaN"}) {
    EXPECT_EQ(through<Decimal>(in_quotes(bad)), "json: $: expected a decimal number, found the string \"" +
                                                 std::string(bad) + "\" at byte 0");
    EXPECT_EQ(written(Decimal(bad)),
              "error: json: $: \"" + std::string(bad) + "\" is no decimal number");
  }
  both_ways(BigInteger("-18446744073709551616"), "-18446744073709551616");
  both_ways(BigInteger(long_digits), long_digits);
  EXPECT_EQ(through<BigInteger>(R"("+0012")"), "12");
  EXPECT_EQ(through<BigInteger>("1.0"),
            "json: $: expected a whole number, found the number 1.0 at byte 0");
  EXPECT_EQ(written(BigInteger("1.5")), "error: json: $: \"1.5\" is no whole number");
}

TEST(Json, Enums) {
  both_ways(Side::SELL, R"("SELL")");
  EXPECT_EQ(through<Side>(R"("\u0042UY")"), R"("BUY")");
  EXPECT_EQ(through<Side>(R"("HOLD")"),
            "json: $: expected the name of a com.acme.Side (BUY, SELL), found the string \"HOLD\" at "
            "byte 0");
  EXPECT_EQ(through<Side>("1").substr(0, 28), "json: $: expected the name o");
  EXPECT_EQ(written(static_cast<Side>(9)),
            "error: json: $: 9 is no enumerator of com.acme.Side; SETTEE_ENUM lists them");
}

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
  EXPECT_EQ((through<std::map<std::int32_t, std::string>>(R"({"1":"a"," 2":"b"})")),
            "json: $[\" 2\"]: expected a whole number from -2147483648 to 2147483647, found the string "
            "\" 2\" at byte 9");
  EXPECT_EQ((through<std::map<bool, std::int32_t>>(R"({"TRUE":1})")),
            "json: $.TRUE: expected true or false, found the string \"TRUE\" at byte 1");
  EXPECT_EQ((written(std::map<std::vector<std::int32_t>, std::int32_t>{{{1}, 2}})),
            "error: json: $: a map whose keys have no text in JSON");
  EXPECT_EQ((written(std::map<std::optional<std::int32_t>, std::int32_t>{{std::nullopt, 2}})),
            "error: json: $: a map whose keys have no text in JSON");
  EXPECT_EQ((through<std::map<std::vector<std::int32_t>, std::int32_t>>(R"({"[1]":2})")),
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
      "\xef\xbb\xbf { \"unknown\" : {\"deep\":[1,{\"a\":null}]}, \"type\":\"t\" ,\n\"cen\\u0074s\":\t5} ");
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
  EXPECT_EQ(through<std::int32_t>("null"),
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
  EXPECT_EQ(through<Order>(R"({"lines":[{"sku":"a","skv":"b"}]})", strict),
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

TEST(Json, Variants) {
  EXPECT_EQ(through<Shape>(R"({"form":"text","items":[1,1.5,true,"x",null]})"),
            R"({"form":"text","items":[1,1.5,true,"x",null]})");
  EXPECT_EQ(through<Shape>(R"({"form":7})"), R"({"form":7,"items":[]})");
  // The one that knows all the names, else the first.
  EXPECT_EQ(through<Shape>(R"({"form":{"side":2,"name":"q"}})"),
            R"({"form":{"side":2.0,"name":"q"},"items":[]})");
  EXPECT_EQ(through<Shape>(R"({"form":{"radius":2,"other":1}})"),
            R"({"form":{"radius":2.0},"items":[]})");
  EXPECT_EQ(through<Shape>(R"({"form":{"$class":"com.acme.Square","radius":2,"side":1}})"),
            R"({"form":{"side":1.0,"name":""},"items":[]})");
  EXPECT_EQ(through<Shape>(R"({"form":{"$class":"com.acme.Square","$":{"side":1}}})"),
            R"({"form":{"side":1.0,"name":""},"items":[]})");
  EXPECT_EQ(through<Shape>(R"({"form":null})"), R"({"form":{"radius":0.0},"items":[]})");
  EXPECT_EQ(through<Shape>(R"({"form":[]})"),
            "json: $.form: expected an object, a com.acme.Circle, or an object, a com.acme.Square, or a "
            "string, or a whole number from -2147483648 to 2147483647, found an empty array at byte 8");
  // Where only one can be meant, its own error is told.
  EXPECT_EQ(through<Shape>(R"({"form":1.5})"),
            "json: $.form: expected a whole number from -2147483648 to 2147483647, found the number 1.5 "
            "at byte 8");
  EXPECT_EQ(through<Shape>(R"({"items":[{}]})").substr(0, 20), "json: $.items[0]: ex");
}

TEST(Json, VariantsWithinVariantsCostNoMoreThanTheLimit) {
  std::string text = R"({"a":"wrong"})";
  for (int i = 0; i < 30; ++i) text = R"({"a":[)" + text + "]}";
  json::Limits limits;
  limits.nodes = 200'000;
  Result<Level<30>> read = json::from_json<Level<30>>(text, limits);
  ASSERT_FALSE(read);
  EXPECT_EQ(read.error().code(), Code::kLimit);
  EXPECT_NE(read.error().message().find("limit 'nodes' of 200000 exceeded"), std::string::npos)
      << read.error().message();
}

// --- errors and limits ---------------------------------------------------------------------------

TEST(Json, ErrorsNameThePath) {
  EXPECT_EQ(through<Order>(R"({"lines":[{},{},{},{"price":"9"}]})"),
            "json: $.lines[3].price: expected a number that fits a double, found the string \"9\" at "
            "byte 28");
  EXPECT_EQ(through<Order>(R"({"parent":{"counts":{"a b":true}}})"),
            "json: $.parent.counts[\"a b\"]: expected a whole number from -2147483648 to 2147483647, "
            "found true at byte 27");
  EXPECT_EQ(through<Order>(R"({"parent":{"parent":[]}})"),
            "json: $.parent.parent: expected an object, a com.acme.Order, found an empty array at byte "
            "20");
  EXPECT_EQ(through<std::set<std::int32_t>>("[1,[2,3]]"),
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
  EXPECT_EQ((through<std::map<std::string, std::int32_t>>(R"({"a\nb":"\t"})")),
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
      {"// c\n1", "expected a value, found '// c\xef\xbf\xbd""1' at byte 0"},
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
  EXPECT_EQ(through<Value>("[{\"a\":[[1]]}]", limits), "json: limit 'depth' of 3 exceeded at byte 7");
  EXPECT_EQ(through<Line>("{\"x\":[[[]]]}", limits), "json: limit 'depth' of 3 exceeded at byte 7");
  limits = json::Limits();
  limits.elements = 3;
  EXPECT_EQ(through<Value>("[1,2,3]", limits), "[1,2,3]");
  EXPECT_EQ(through<Value>("[0,[1,2,3,4]]", limits), "json: limit 'elements' of 3 exceeded at byte 3");
  EXPECT_EQ(through<Value>(R"({"a":1,"b":1,"c":1,"a":1})", limits),
            "json: limit 'elements' of 3 exceeded at byte 0");
  limits = json::Limits();
  limits.nodes = 4;
  EXPECT_EQ(through<Value>("[1,2,3]", limits), "[1,2,3]");
  EXPECT_EQ(through<Value>("[1,2,[3]]", limits), "json: limit 'nodes' of 4 exceeded at byte 6");
  EXPECT_EQ(through<Value>(R"({"a":{"b":1}})", limits), "json: limit 'nodes' of 4 exceeded at byte 10");
}

TEST(Json, LimitsOfWhatIsMade) {
  json::Limits limits;
  limits.bytes = 100;
  EXPECT_EQ(through<std::string>(in_quotes(std::string(100, 'x')), limits), in_quotes(std::string(100, 'x')));
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
  EXPECT_EQ(through<Value>("[[],[]]", limits), "json: $[0]: limit 'bytes' of 100 exceeded at byte 1");
  EXPECT_EQ(through<Bytes>(in_quotes(std::string(104, 'x')), limits),
            "json: $: limit 'bytes' of 100 exceeded at byte 0");
  EXPECT_EQ(through<Decimal>(std::string(104, '1'), limits),
            "json: $: limit 'bytes' of 100 exceeded at byte 0");
}

TEST(Json, NestingOfAnyDepthIsRefusedWithoutRecursion) {
  const std::pair<const char*, const char*> nests[] = {{"[", "]"}, {"{\"a\":", "}"}, {"[[{\"b\":", "}]]"}};
  for (const auto& [open, close] : nests) {
    std::string text;
    for (int i = 0; i < 1'000'000; ++i) text += open;
    Result<Value> value = json::parse_value(text);
    ASSERT_FALSE(value);
    EXPECT_EQ(value.error().message(), "json: malformed text: expected a value, the text ends at byte " +
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

// --- writing -------------------------------------------------------------------------------------

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
  EXPECT_EQ(json::to_text(Value::map({{"a", Value::list({1, Value::map()})}}), json::Layout::kPretty),
            "{\n  \"a\": [\n    1,\n    {}\n  ]\n}");
}

TEST(Json, ClassNames) {
  json::WriteOptions options;
  options.type_names = json::TypeNames::kObjects;
  EXPECT_EQ(written(std::vector<Line>{{}}, options),
            R"([{"$class":"com.acme.Line","sku":"","count":1,"price":0.0}])");
  Shape shape;
  shape.form = Square{1, "s"};
  const std::string text = written(shape, options);
  EXPECT_EQ(text,
            R"({"$class":"com.acme.Shape","form":{"$class":"com.acme.Square","side":1.0,"name":"s"},)"
            R"("items":[]})");
  Result<Shape> again = json::from_json<Shape>(text);
  ASSERT_TRUE(again);
  EXPECT_EQ(again->form.index(), 1u);
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
      "json: $: expected something other than a protobuf message, which has no form in JSON, found ";
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

// --- generic values ------------------------------------------------------------------------------

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
         Value::list({1, Value::list({true, nullptr}), Value::map({{"a", Value::map({{"b", "c"}})}})}));
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
  parses(R"({"$class":"com.acme.Order","$":{"cents":5,"tags":["a"]},"$abstractClass":"x","generic":[]})",
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
  parses(R"({"$class":"java.lang.Double","$":"-Infinity"})", -std::numeric_limits<double>::infinity());
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
  parses(R"({"$class":"com.acme.User","isArray":true,"$":[{"n":1},{"$class":"com.acme.Admin","n":2}]})",
         users);
  parses(R"({"$class":"java.util.List","$":[1]})", Value::list({1}));
  parses(R"({"$class":"java.util.ArrayList","$":[1]})", Value::list({1}));
  parses(R"({"$class":"java.util.Set","$":[1]})", Value::list("java.util.HashSet", {1}));
  parses(R"({"$class":"java.util.LinkedList","$":[1]})", Value::list("java.util.LinkedList", {1}));
  parses(R"({"$class":"com.acme.Bag","$":[1]})", Value::list("com.acme.Bag", {1}));
  parses(R"({"$class":"java.util.HashMap","$":{"a":1}})", Value::map({{"a", 1}}));
  parses(R"({"$class":"java.util.HashMap","a":1})", Value::map({{"a", 1}}));
  parses(R"({"$class":"java.util.TreeMap","$":{"a":1}})", Value::map("java.util.TreeMap", {{"a", 1}}));
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
       "json: $[0].$: expected a whole number from -2147483648 to 2147483647 for a int, found the number "
       "2147483648 at byte 21"},
      {R"({"$class":"byte","$":128})",
       "json: $.$: expected a whole number from -128 to 127 for a byte, found the number 128 at byte 21"},
      {R"({"$class":"long","$":"5"})",
       "json: $.$: expected a whole number from -9223372036854775808 to 9223372036854775807 for a long, "
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
       "json: $.$: expected a whole number of milliseconds or a date like \"2024-05-01T12:00:00Z\", found "
       "the string \"soon\" at byte 31"},
      {R"({"$class":"java.math.BigDecimal","$":"x"})",
       "json: $.$: expected a decimal number, found the string \"x\" at byte 37"},
      {R"({"$class":"java.math.BigInteger","$":1.5})",
       "json: $.$: expected a whole number, found the number 1.5 at byte 37"},
      {R"({"$class":"[I","$":5})", "json: $.$: expected an array, found the number 5 at byte 19"},
      {R"({"$class":"[I","$":[1,"2"]})",
       "json: $.$[1]: expected a whole number from -2147483648 to 2147483647 for a int, found the string "
       "\"2\" at byte 22"},
      {R"({"$class":"[B","$":[1,256]})",
       "json: $.$[1]: expected a byte, from -128 to 255, found the number 256 at byte 22"},
      {R"({"$class":"[B","$":"%"})",
       "json: $.$: expected a string of Base64 or an array of bytes, found the string \"%\" at byte 19"},
      {R"({"$class":"[B","$":{}})",
       "json: $.$: expected a string of Base64 or an array of bytes, found an empty object at byte 19"},
      {R"({"$class":"java.util.List","$":{}})",
       "json: $.$: expected an array, found an empty object at byte 31"},
      {R"({"$class":"java.util.Map","$":1})",
       "json: $.$: expected an object or an array of pairs, found the number 1 at byte 30"},
      {R"({"$class":"java.util.Map","$":[[1]]})",
       "json: $.$[0]: expected a pair of key and value, found an array of 1 at byte 31"},
      {R"({"$class":"com.acme.X","$":5})",
       "json: $.$: expected an object, or the name of a constant, of com.acme.X, found the number 5 at "
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
  EXPECT_EQ(json::to_text(order),
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
  EXPECT_EQ(json::to_text(Value::map({{"a", shared}, {"b c", shared}, {"d", Value::list({shared})}})),
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
  EXPECT_EQ(written(defaults, options),
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

// --- arguments -----------------------------------------------------------------------------------

struct Call {
  std::vector<ParameterInfo> parameters;
  std::vector<void*> places;

  template <class T>
  Call& with(std::string_view name, T& place) {
    parameters.push_back({name, &type_of<T>()});
    places.push_back(&place);
    return *this;
  }
  std::string read(std::string_view text, const json::ReadOptions& options = json::ReadOptions()) const {
    Result<void> done = json::read_arguments(text, parameters, places.data(), options);
    return done ? write() : done.error().message();
  }
  std::string write() const {
    Buffer out;
    Result<void> done = json::write_arguments(out, parameters, places.data());
    return done ? out.to_string() : done.error().message();
  }
};

TEST(JsonArguments, None) {
  const Call call;
  EXPECT_EQ(call.write(), "[]");
  for (const char* text : {"", " \n", "[]", "{}", "null"}) EXPECT_EQ(call.read(text), "[]");
  EXPECT_EQ(call.read("[1]"), "json: $: expected no arguments, found an array of 1 at byte 0");
  EXPECT_EQ(call.read("5"), "json: $: expected no arguments, found the number 5 at byte 0");
}

TEST(JsonArguments, OneScalar) {
  std::string name;
  Call call;
  call.with("name", name);
  EXPECT_EQ(call.read(R"("bare")"), R"("bare")");
  EXPECT_EQ(call.read(R"(["first"])"), R"("first")");
  EXPECT_EQ(call.read(R"({"x":1,"name":"named"})"), R"("named")");
  EXPECT_EQ(call.read(R"([5])"),
            "argument name: json: $[0]: expected a string, found the number 5 at byte 1");
  EXPECT_EQ(call.read("5"), "argument name: json: $: expected a string, found the number 5 at byte 0");
  EXPECT_EQ(call.read(R"({"name":5})"),
            "argument name: json: $.name: expected a string, found the number 5 at byte 8");
  EXPECT_EQ(call.read(R"({"nam":"x"})"),
            "json: $: expected the argument name in the object, found an object at byte 0");
  EXPECT_EQ(call.read("[]"), "json: $: expected 1 argument (name), found an empty array at byte 0");
  EXPECT_EQ(call.read(R"(["a","b"])"),
            "json: $: expected 1 argument (name), found an array of 2 at byte 0");
  EXPECT_EQ(call.read(""), "json: expected 1 argument (name), the text is empty");
  json::ReadOptions strict;
  strict.reject_unknown = true;
  EXPECT_EQ(call.read(R"({"name":"a","x":1})", strict),
            "json: $: expected the name of an argument (name), found the string \"x\" at byte 12");
}

TEST(JsonArguments, OneStructOrMapIsTheBody) {
  Line line;
  Call call;
  call.with("line", line);
  EXPECT_EQ(call.read(R"({"sku":"a"})"), R"({"sku":"a","count":1,"price":0.0})");
  EXPECT_EQ(call.read(R"([{"sku":"b"}])"), R"({"sku":"b","count":1,"price":0.0})");
  EXPECT_EQ(call.read(R"({"line":{"sku":"c"}})"), R"({"sku":"b","count":1,"price":0.0})");
  std::map<std::string, std::int32_t> map;
  Call maps;
  maps.with("map", map);
  EXPECT_EQ(maps.read(R"({"map":5})"), R"({"map":5})");
  std::optional<Line> optional;
  Call optionals;
  optionals.with("line", optional);
  EXPECT_EQ(optionals.read(R"({"sku":"d"})"), R"({"sku":"d","count":1,"price":0.0})");
  EXPECT_EQ(optionals.read("null"), "null");
  EXPECT_EQ(optionals.read("[null]"), "null");
}

TEST(JsonArguments, OneListIsItselfOrWithinAnArray) {
  std::vector<std::int32_t> list;
  Call call;
  call.with("list", list);
  EXPECT_EQ(call.read("[1,2]"), "[1,2]");
  EXPECT_EQ(call.read("[]"), "[]");
  EXPECT_EQ(call.read("[[1,2]]"), "[1,2]");
  EXPECT_EQ(call.read("[[]]"), "[]");
  EXPECT_EQ(call.read(R"({"list":[3]})"), "[3]");
  EXPECT_EQ(call.read(R"([1,"2"])"),
            "argument list: json: $[1]: expected a whole number from -2147483648 to 2147483647, found "
            "the string \"2\" at byte 3");
  std::vector<std::vector<std::int32_t>> lists;
  Call nested;
  nested.with("lists", lists);
  EXPECT_EQ(nested.read("[[1,2]]"), "[[1,2]]");
  EXPECT_EQ(nested.read("[[[1,2]]]"), "[[1,2]]");
  // Trying twice counts only once.
  json::Limits limits;
  limits.nodes = 5;
  EXPECT_EQ(call.read("[[1,2,3]]", limits), "[1,2,3]");
}

TEST(JsonArguments, OneThatMayBeAnythingIsTheBody) {
  Value any;
  Call call;
  call.with("any", any);
  for (const char* text : {"5", "[5]", R"({"any":5})", "null", "[]"}) EXPECT_EQ(call.read(text), text);
}

TEST(JsonArguments, Several) {
  std::string symbol;
  std::int32_t count = 0;
  std::optional<std::string> note;
  Call call;
  call.with("symbol", symbol).with("count", count).with("note", note);
  EXPECT_EQ(call.read(R"(["A",5,"n"])"), R"(["A",5,"n"])");
  EXPECT_EQ(call.read(R"({"count":6,"symbol":"B","note":null,"x":0})"), R"(["B",6,null])");
  note = "kept";
  EXPECT_EQ(call.read(R"({"count":7,"symbol":"C"})"), R"(["C",7,"kept"])");
  EXPECT_EQ(call.read(R"(["A",5])"),
            "json: $: expected 3 arguments (symbol, count, note), found an array of 2 at byte 0");
  EXPECT_EQ(call.read(R"({"symbol":"A"})"),
            "json: $: expected the argument count in the object, found an object at byte 0");
  EXPECT_EQ(call.read(R"(["A",null,null])"),
            "argument count: json: $[1]: expected a whole number from -2147483648 to 2147483647, found "
            "null at byte 5");
  EXPECT_EQ(call.read(R"(["A",{},null])"),
            "argument count: json: $[1]: expected a whole number from -2147483648 to 2147483647, found "
            "an empty object at byte 5");
  EXPECT_EQ(call.read("\"A\""),
            "json: $: expected an array or object of 3 arguments (symbol, count, note), found the string "
            "\"A\" at byte 0");
  EXPECT_EQ(call.read(""), "json: expected 3 arguments (symbol, count, note), the text is empty");
  EXPECT_EQ(call.read("[1,"), "json: malformed text: expected a value, the text ends at byte 3");
}

TEST(JsonArguments, WithoutTypes) {
  const auto parsed = [](std::string_view text, std::vector<std::string> types = {}) {
    Result<std::vector<Value>> values = json::parse_arguments(text, types);
    if (!values) return values.error().message();
    return Value::list({}, *values).to_string();
  };
  EXPECT_EQ(parsed(""), "[]");
  EXPECT_EQ(parsed("[]"), "[]");
  EXPECT_EQ(parsed("[5,\"a\"]"), "[5, \"a\"]");
  EXPECT_EQ(parsed("5"), "[5]");
  EXPECT_EQ(parsed("[[5]]"), "[[5]]");
  EXPECT_EQ(parsed(R"([5,{"a":1},[1],null])", {"long", "com.acme.X", "[J", "int"}),
            "[5L, com.acme.X{a: 1}, [long[1L], null]");
  EXPECT_EQ(parsed(R"([{"$class":"int","$":5}])", {"long"}), "[5]");
  EXPECT_EQ(parsed("[5]", {"long", "long"}),
            "json: expected 2 arguments for the types given, found 1 argument");
  EXPECT_EQ(parsed("[1,\"x\"]", {"long", "long"}),
            "json: $[1]: expected a whole number from -9223372036854775808 to 9223372036854775807 for a "
            "long, found the string \"x\" at byte 3");
}

}  // namespace
}  // namespace json_test  // settee-check: allow file-length
