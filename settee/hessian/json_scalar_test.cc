// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0
//
// Numbers, texts, dates and enums in JSON.

#include <cmath>
#include <cstring>
#include <limits>
#include <random>
#include <string>

#include "settee/hessian/json_test_data.h"

namespace json_test {
namespace {

using settee::Array;
using settee::BigInteger;
using settee::Bytes;
using settee::Date;
using settee::Decimal;
using std::chrono::milliseconds;

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
  EXPECT_EQ(
      through<std::int32_t>("1.5"),
      "json: $: expected a whole number from -2147483648 to 2147483647, found the number 1.5 at "
      "byte 0");
  EXPECT_EQ(through<std::int32_t>("1e-1").substr(0, 20), "json: $: expected a ");
  EXPECT_EQ(through<std::int8_t>("128"),
            "json: $: expected a whole number from -128 to 127, found the number 128 at byte 0");
  EXPECT_EQ(
      through<std::int16_t>("-32769"),
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
  const std::string pieces[] = {
      "plain text",        "\"", "\\", "\n", "ü", "世", "😀", "\xff", "\x80", "0123456789abcdef",
      std::string(1, '\0')};
  for (int i = 0; i < 3000; ++i) {
    std::string text;
    const std::size_t size = random() % (i % 50 == 0 ? 4000 : 40);
    while (text.size() < size) text += pieces[random() % std::size(pieces)];
    const bool valid =
        text.find('\xff') == std::string::npos && text.find('\x80') == std::string::npos;
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
    EXPECT_EQ(through<Bytes>(in_quotes(bad)),
              "json: $: expected a string of Base64, found the string \"" + std::string(bad) +
                  "\" at byte 0");
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
       {"", "2024", "2023-02-29", "2024-13-01", "2024-05-01T", "2024-05-01T24:00",
        "2024-05-01T12:60", "2024-05-01T12:00:60", "2024-05-01T12:00:00.", "2024-05-01T12:00:00X",
        "2024-05-01T12:00:00ZZ", "2024-05-01T12:00:00+", "2024-05-01T12:00:00+24:00",
        "2024-05-01T12:00:00+02:0", "1714564800123"}) {
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
    EXPECT_EQ(through<Decimal>(in_quotes(bad)),
              "json: $: expected a decimal number, found the string \"" + std::string(bad) +
                  "\" at byte 0");
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
  EXPECT_EQ(
      through<Side>(R"("HOLD")"),
      "json: $: expected the name of a com.acme.Side (BUY, SELL), found the string \"HOLD\" at "
      "byte 0");
  EXPECT_EQ(through<Side>("1").substr(0, 28), "json: $: expected the name o");
  EXPECT_EQ(written(static_cast<Side>(9)),
            "error: json: $: 9 is no enumerator of com.acme.Side; SETTEE_ENUM lists them");
}

}  // namespace
}  // namespace json_test
