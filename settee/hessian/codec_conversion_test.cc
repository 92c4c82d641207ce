// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0
//
// What goes into what: values of one kind on the wire, read into a type of another.

#include <gtest/gtest.h>

#include <limits>

#include "settee/hessian/codec_test_support.h"

namespace settee::hessian_test {
namespace {

using hessian::DecodeOptions;
using hessian::Dialect;
using hessian::Reader;
using hessian::Value;

TEST(Codec, NumbersWiden) {
  EXPECT_EQ(read<std::int64_t>("91"), 1);
  EXPECT_EQ(read<std::int32_t>("e1"), 1);
  EXPECT_EQ(read<std::int8_t>("8f"), -1);
  EXPECT_EQ(read<std::int16_t>("69ff"), -1);
  EXPECT_EQ(read<float>("93"), 3.0f);
  EXPECT_EQ(read<double>("ef"), 15.0);
  EXPECT_EQ(read<float>("4440091eb851eb851f"), 3.14f);
  EXPECT_EQ(read<std::chrono::milliseconds>("c830"), std::chrono::milliseconds(48));
  EXPECT_EQ(failure<std::int8_t>("c8ff"), "hessian: 255 does not fit a byte at byte 0");
  EXPECT_EQ(failure<std::int32_t>("777fffffff"), "");
  EXPECT_EQ(failure<std::int32_t>("4c0000000080000000"),
            "hessian: 2147483648 does not fit an int at byte 0");
  EXPECT_EQ(failure<std::int64_t>("6b3f000000"), "hessian: 0.500000 is not a long at byte 0");
  EXPECT_EQ(failure<std::int64_t>("4443e0000000000000"),
            "hessian: 9223372036854775808.000000 is not a long at byte 0");
  EXPECT_EQ(failure<float>("447e37e43c8800759c").substr(0, 20), "hessian: 10000000000");
  EXPECT_EQ(read<float>("6b7f800000"), std::numeric_limits<float>::infinity());
  EXPECT_EQ(failure<bool>("91"), "hessian: expected a bool, found an int at byte 0");
  EXPECT_EQ(failure<std::int32_t>("0131"), "hessian: expected an int, found a string at byte 0");
  EXPECT_EQ(failure<std::int32_t>(hex_value(Value::object("X").set("a", 1))),
            "hessian: expected an int, found an object without the field '_value' at byte 6");
}

TEST(Codec, TextsCharactersAndEnums) {
  EXPECT_EQ(read<char16_t>("0161"), u'a');
  EXPECT_EQ(read<char16_t>("01eda0bd"), char16_t{0xd83d});
  EXPECT_EQ(failure<char16_t>("00"),
            "hessian: expected a character, found a string of 0 characters at byte 0");
  EXPECT_EQ(failure<char16_t>("02eda0bdedb880"),
            "hessian: expected a character, found a string of 2 characters at byte 0");
  EXPECT_EQ(read<Array<char16_t>>("730001eda0bd01edb880"),
            (Array<char16_t>({char16_t{0xd83d}, char16_t{0xde00}})));
  EXPECT_EQ(read<Array<char16_t>>("03f09f988061"),
            (Array<char16_t>({char16_t{0xd83d}, char16_t{0xde00}, u'a'})));
  Array<char16_t> many(70'000, u'\u00e9');
  EXPECT_EQ(read<Array<char16_t>>(hex_of(many)), many);
  EXPECT_EQ(read<Color>("04424c5545"), Color::BLUE);
  EXPECT_EQ(read<Color>(hex_value(Value::map({{"name", "RED"}}))), Color::RED);
  EXPECT_EQ(read<std::string>(hex_of(Color::GREEN)), "GREEN");
  EXPECT_EQ(failure<Color>("0450494e4b"),
            "hessian: com.example.Color: com.example.Color has no enumerator 'PINK' at byte 0");
  EXPECT_EQ(failure<Color>(hex_value(Value::object("com.example.Color").set("x", 1))),
            "hessian: com.example.Color: expected an enum constant, found an object without the "
            "field 'name' at byte 22");
  EXPECT_EQ(failure<std::string>("91"), "hessian: expected a string, found an int at byte 0");
  Color none = static_cast<Color>(9);
  EXPECT_EQ(hessian::to_bytes(none).error().message(),
            "hessian: cannot write com.example.Color: 9 is no enumerator of com.example.Color; "
            "SETTEE_ENUM lists them");
}

TEST(Codec, DecimalsAndBigIntegers) {
  EXPECT_EQ(read<Decimal>("04312e3530").text, "1.50");
  EXPECT_EQ(read<Decimal>("91").text, "1");
  EXPECT_EQ(read<Decimal>("4c7fffffffffffffff").text, "9223372036854775807");
  EXPECT_EQ(read<Decimal>("6b3f000000").text, "0.5");
  EXPECT_EQ(failure<Decimal>("016e"), "hessian: \"n\" is no decimal number at byte 0");
  EXPECT_EQ(failure<Decimal>("447ff8000000000000"), "hessian: nan is no decimal number at byte 0");
  EXPECT_EQ(read<BigInteger>("022d37").text, "-7");
  EXPECT_EQ(read<BigInteger>("97").text, "7");
  EXPECT_EQ(failure<BigInteger>("03312e35"), "hessian: \"1.5\" is no whole number at byte 0");
  for (const char* text :
       {"0", "1", "-1", "4294967295", "4294967296", "-18446744073709551616",
        "1000000000000000000000000000000", "999999999999999999999999999999999"}) {
    EXPECT_EQ(read<BigInteger>(hex_of(BigInteger(text))).text, text);
  }
  EXPECT_EQ(read<BigInteger>(hex_of(BigInteger("+007"))).text, "7");
  EXPECT_EQ(read<BigInteger>(hex_of(BigInteger("-0"))).text, "0");
  EXPECT_EQ(failure<BigInteger>(hex_value(Value::map({{"signum", "x"}}))),
            "hessian: signum: expected a sign, found a string at byte 8");
  EXPECT_EQ(
      failure<BigInteger>(hex_value(Value::map({{"signum", 1}}))),
      "hessian: expected a big integer, found an object without 'signum' and 'mag' at byte 0");
  EXPECT_EQ(failure<BigInteger>(hex_value(Value::map({{"signum", 2}, {"mag", Value::list()}}))),
            "hessian: signum: 2 does not fit a sign at byte 8");
  EXPECT_EQ(hessian::to_bytes(BigInteger("1x")).error().message(),
            "hessian: cannot write java.math.BigInteger: \"1x\" is no whole number");
  for (const char* text : {"1", "-1.5", "+.5", "1.", "1e10", "1.5E-7"}) {
    EXPECT_TRUE(hessian::to_bytes(Decimal(text)).ok()) << text;
  }
  for (const char* text : {"", "-", ".", "1e", "1.2.3", " 1", "0x1", "NaN"}) {
    EXPECT_FALSE(hessian::to_bytes(Decimal(text)).ok()) << text;
  }
}

TEST(Codec, NullGivesTheDefault) {
  EXPECT_EQ(read<std::int32_t>("4e"), 0);
  EXPECT_EQ(read<std::string>("4e"), "");
  EXPECT_EQ(read<std::vector<std::string>>("566e024e01617a"), (std::vector<std::string>{"", "a"}));
  EXPECT_EQ(read<std::optional<std::int32_t>>("4e"), std::nullopt);
  EXPECT_EQ(read<std::unique_ptr<Point>>("4e"), nullptr);
  EXPECT_TRUE(read<Value>("4e").is_null());
  EXPECT_EQ((read<std::map<std::string, std::string>>("4d4e4e7a")),
            (std::map<std::string, std::string>{{"", ""}}));
  // Null resets what is nullable, in an object that had a value before.
  std::optional<std::int32_t> some = 5;
  const Octets null = from_hex("4e");
  Reader reader(null);
  ASSERT_TRUE(hessian::decode(reader, type_of<std::optional<std::int32_t>>(), &some).ok());
  EXPECT_EQ(some, std::nullopt);

  DecodeOptions strict;
  strict.null_scalar_is_error = true;
  Reader first(null);
  EXPECT_EQ(hessian::decode<std::int64_t>(first, strict).error().message(),
            "hessian: null, where Java has a primitive long at byte 0");
  Reader second(null);
  EXPECT_TRUE(hessian::decode<std::optional<std::int64_t>>(second, strict).ok());
  Reader third(null);
  EXPECT_TRUE(hessian::decode<std::string>(third, strict).ok());
  const Octets list = from_hex("566e014e7a");
  Reader fourth(list);
  EXPECT_TRUE(hessian::decode<std::vector<std::int64_t>>(fourth, strict).ok());
}

TEST(Codec, ContainersAreReplacedNotAddedTo) {
  std::vector<std::int32_t> list = {7, 8};
  std::map<std::string, std::int32_t> map = {{"old", 1}};
  const Octets bytes = from_hex("566e01917a 4d0161917a");
  Reader reader(bytes);
  ASSERT_TRUE(hessian::decode(reader, type_of<decltype(list)>(), &list).ok());
  ASSERT_TRUE(hessian::decode(reader, type_of<decltype(map)>(), &map).ok());
  EXPECT_EQ(list, (std::vector<std::int32_t>{1}));
  EXPECT_EQ(map, (std::map<std::string, std::int32_t>{{"a", 1}}));
}

TEST(Codec, VariantsTakeTheKindOnTheWire) {
  using V = std::variant<std::int64_t, std::int32_t, double, std::string, bool, Point, Base,
                         std::map<std::string, Value>, std::vector<std::int32_t>,
                         Array<std::int32_t>, std::set<std::int32_t>, Bytes, Date, Decimal, Color>;
  const auto index = [](const std::string& hex) { return read<V>(hex).index(); };
  EXPECT_EQ(index("e1"), 0u);
  EXPECT_EQ(index("91"), 1u);
  EXPECT_EQ(index("67"), 2u);
  EXPECT_EQ(index("00"), 3u);
  EXPECT_EQ(index("54"), 4u);
  EXPECT_EQ(index(hex_of(Point{1, 2})), 5u);
  EXPECT_EQ(index(hex_of(Base{"a", {}})), 6u);
  EXPECT_EQ(index("4d7a"), 7u);
  EXPECT_EQ(index(hex_value(Value::object("Unknown").set("a", 1))), 7u);
  EXPECT_EQ(index("566e007a"), 8u);
  EXPECT_EQ(index(hex_of(Array<std::int32_t>({1}))), 9u);
  EXPECT_EQ(index(hex_of(std::set<std::int32_t>({1}))), 10u);
  EXPECT_EQ(index("20"), 11u);
  EXPECT_EQ(index("640000000000000000"), 12u);
  EXPECT_EQ(index(hex_of(Decimal("1.5"))), 13u);
  EXPECT_EQ(index(hex_of(Color::RED)), 14u);
  EXPECT_EQ(index("4e"), 0u);

  // Not the very kind, but it fits.
  EXPECT_EQ(std::get<1>(read<std::variant<std::string, std::int8_t>>("e1")), 1);
  EXPECT_EQ(std::get<1>(read<std::variant<std::int8_t, std::int64_t>>("c8ff")), 255);
  EXPECT_EQ(std::get<0>(read<std::variant<double, std::string>>("91")), 1.0);
  EXPECT_EQ(std::get<0>(read<std::variant<Decimal, bool>>("03312e35")).text, "1.5");
  EXPECT_EQ(std::get<1>(read<std::variant<Color, std::string>>("0450494e4b")), "PINK");
  EXPECT_EQ(std::get<0>(read<std::variant<Point, bool>>(
                            hex_value(Value::object("com.example.SubPoint").set("x", 9))))
                .x,
            9);
  EXPECT_EQ(std::get<1>(read<std::variant<bool, Value>>("0161")), Value("a"));
  EXPECT_EQ(*std::get<1>(read<std::variant<bool, std::optional<std::int32_t>>>("93")), 3);
  EXPECT_EQ((read<std::variant<bool, std::optional<std::int32_t>>>("4e").index()), 1u);
  EXPECT_EQ((std::get<0>(read<std::variant<float, double>>("6b3f000000"))), 0.5f);
  EXPECT_EQ((std::get<1>(read<std::variant<float, double>>("4440091eb851eb851f"))), 3.14);
  // In a stream with references, and of a reference.
  using P = std::variant<std::string, Point>;
  const Value point = hessian::to_value(Point{1, 2}).value();
  const auto list = read<std::vector<P>>(hex_value(Value::list({point, "x", point})));
  EXPECT_EQ(std::get<Point>(list[0]), (Point{1, 2}));
  EXPECT_EQ(std::get<Point>(list[2]), (Point{1, 2}));

  EXPECT_EQ((failure<std::variant<std::int32_t, Point, Base>>(hex_value(Value::object("A.B")))),
            "hessian: no alternative of the variant fits A.B (int, com.example.Point, "
            "com.example.Base) at byte 6");
  EXPECT_EQ((failure<std::variant<std::int32_t, bool>>("0161")),
            "hessian: no alternative of the variant fits (int, boolean) at byte 0");
}

}  // namespace
}  // namespace settee::hessian_test
