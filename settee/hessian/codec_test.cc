// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0

#include "settee/hessian/codec.h"

#include <gtest/gtest.h>

#include <limits>

#include "settee/hessian/hessian_test_data.h"

namespace settee::hessian_test {
namespace {

using hessian::Container;
using hessian::DecodeOptions;
using hessian::Dialect;
using hessian::Reader;
using hessian::Value;
using hessian::Writer;

template <class T>
std::string hex_of(const T& value, Dialect dialect = Dialect::kSofa3) {
  return to_hex(hessian::to_bytes(value, dialect).value().span());
}

template <class T>
T read(std::string_view hex, Dialect dialect = Dialect::kSofa3) {
  return hessian::from_bytes<T>(from_hex(hex), dialect).value();
}

template <class T>
std::string failure(std::string_view hex, Dialect dialect = Dialect::kSofa3) {
  const Result<T> result = hessian::from_bytes<T>(from_hex(hex), dialect);
  return result.ok() ? "" : result.error().message();
}

// The bytes of a Value, to be read as something else.
std::string hex_value(const Value& value) { return hex_of(value); }

// ---- the table C++ ↔ Java: what our side writes is what Java writes ----

TEST(Codec, WritesWhatJavaWrites) {
  for (const auto& [file, dialect] : {std::pair{"golden_sofa3.txt", Dialect::kSofa3},
                                      std::pair{"golden_hessian2.txt", Dialect::kHessian2}}) {
    const auto java = [f = file](const char* name) { return to_hex(golden(f, name)); };
    SCOPED_TRACE(file);
    const auto hex = [d = dialect](const auto& value) { return hex_of(value, d); };
    EXPECT_EQ(hex(std::vector<Value>{1, "a"}), java("ArrayList[1,a]"));
    EXPECT_EQ(hex(std::vector<std::int32_t>{}), java("ArrayList[]"));
    EXPECT_EQ(hex(std::set<std::int32_t>{1}), java("HashSet[1]"));
    EXPECT_EQ(hex(Array<std::int32_t>({1, 2})), java("int[]{1,2}"));
    EXPECT_EQ(hex(Array<std::int32_t>()), java("int[]0"));
    EXPECT_EQ(hex(Array<std::string>({"a"})), java("String[]{a}"));
    EXPECT_EQ(hex(Array<Value>({Value(1)})), java("Object[]{1}"));
    EXPECT_EQ(
        hex(Array<std::optional<std::int32_t>>(std::vector<std::optional<std::int32_t>>(1, 1))),
        java("Integer[]{1}"));
    EXPECT_EQ(hex(Array<std::int64_t>({1})), java("long[]{1}"));
    EXPECT_EQ(hex(Array<double>({1.0})), java("double[]{1}"));
    EXPECT_EQ(hex(Array<bool>({true})), java("boolean[]{true}"));
    EXPECT_EQ(hex(Array<std::int16_t>({1})), java("short[]{1}"));
    EXPECT_EQ(hex(Array<float>({1.0f})), java("float[]{1}"));
    EXPECT_EQ(hex(Array<Date>({Date()})), java("Date[]"));
    Array<Array<std::int32_t>> numbers(2);
    numbers[0].push_back(1);
    numbers[1].push_back(2);
    EXPECT_EQ(hex(numbers), java("int[][]"));
    Array<Array<std::string>> words(2);
    words[0].push_back("a");
    words[1].push_back("b");
    EXPECT_EQ(hex(words), java("String[][]"));
    EXPECT_EQ(
        hex(Array<std::optional<std::int64_t>>(std::vector<std::optional<std::int64_t>>(1, 1))),
        java("Long[]"));
    EXPECT_EQ(hex(Array<Decimal>({Decimal("1")})), java("BigDecimal[]"));
    EXPECT_EQ(hex(Array<std::map<std::string, Value>>({{}})), java("Map[]"));
    EXPECT_EQ(hex(Array<std::vector<Value>>({{}})), java("List[]"));
    EXPECT_EQ(hex(Array<Bytes>({Bytes("\1"), Bytes("\2")})), java("byte[][]"));
    EXPECT_EQ(hex(std::map<std::string, Value>{}), java("HashMap{}"));
    EXPECT_EQ(hex(std::map<std::string, std::int32_t>{{"a", 1}}), java("HashMap{a:1}"));
    EXPECT_EQ(hex(Decimal("1.50")), java("BigDecimal 1.50"));
    EXPECT_EQ(hex(BigInteger("99")), java("BigInteger 99"));
    EXPECT_EQ(hex(Date(std::chrono::milliseconds(1'000'000'000'000))), java("date 1000000000000"));
  }
  EXPECT_EQ(hex_of(Array<char16_t>({u'a', u'b'})),
            to_hex(golden("golden_sofa3.txt", "char[]{a,b}")));
  EXPECT_EQ(hex_of(char16_t{u'A'}), to_hex(golden("golden_sofa3.txt", "char A")));
  EXPECT_EQ(hex_of(1.1f), to_hex(golden("golden_sofa3.txt", "float 1.1f")));
  EXPECT_EQ(hex_of(std::int16_t{5}), "95");
  EXPECT_EQ(hex_of(std::int8_t{-1}), "8f");
  EXPECT_EQ(hex_of(std::chrono::milliseconds(15)), "ef");
  EXPECT_EQ(hex_of(std::optional<std::string>()), "4e");
  EXPECT_EQ(hex_of(std::optional<std::string>("a")), "0161");
  EXPECT_EQ(hex_of(std::unique_ptr<Point>()), "4e");
  EXPECT_EQ(hex_of(Color::GREEN), hex_value(Value::enumerator("com.example.Color", "GREEN")));
  EXPECT_EQ(hex_of(Point{1, 2}), "4fa1" +
                                     to_hex(Octets({'c', 'o', 'm', '.', 'e', 'x', 'a', 'm', 'p',
                                                    'l', 'e', '.', 'P', 'o', 'i', 'n', 't'})) +
                                     "92017801796f909192");
  EXPECT_EQ(hex_of(Array<Point>({{1, 2}})).substr(0, 6), "567400");
  EXPECT_NE(hex_of(Array<Point>({{1, 2}})).find(to_hex(Octets({'[', 'c', 'o', 'm'}))),
            std::string::npos);
  EXPECT_EQ(hex_of(std::variant<std::int32_t, std::string>("a")), "0161");
}

TEST(Codec, ReadsWhatJavaWrites) {
  for (const auto& [file, dialect] : {std::pair{"golden_sofa3.txt", Dialect::kSofa3},
                                      std::pair{"golden_hessian2.txt", Dialect::kHessian2}}) {
    SCOPED_TRACE(file);
    const auto java = [f = file](const char* name) { return golden(f, name); };
    const auto as = [&, d = dialect]<class T>(const char* name, T) {
      const Octets bytes = java(name);
      const Result<T> value = hessian::from_bytes<T>(bytes, d);
      EXPECT_TRUE(value.ok()) << name << ": " << (value.ok() ? "" : value.error().message());
      return value.value_or(T());
    };
    EXPECT_EQ(as("LinkedList[1]", std::vector<std::int32_t>()), (std::vector<std::int32_t>{1}));
    EXPECT_EQ(as("singletonList", Array<std::string>()), (Array<std::string>({"x"})));
    EXPECT_EQ(as("TreeSet[1]", std::set<std::int64_t>()), (std::set<std::int64_t>{1}));
    EXPECT_EQ(as("iterator", std::vector<double>()), (std::vector<double>{1, 2}));
    EXPECT_EQ(as("int[][]", std::vector<std::vector<std::int16_t>>()),
              (std::vector<std::vector<std::int16_t>>{{1}, {2}}));
    EXPECT_EQ(as("byte[][]", Array<Bytes>()), (Array<Bytes>({Bytes("\1"), Bytes("\2")})));
    EXPECT_EQ(as("TreeMap", std::map<std::string, std::int32_t>()),
              (std::map<std::string, std::int32_t>{{"a", 1}}));
    EXPECT_EQ(as("singletonMap", std::unordered_map<std::string, Value>())["a"], Value(1));
    EXPECT_EQ(as("BigDecimal 1.50", Decimal()).text, "1.50");
    EXPECT_EQ(as("BigInteger 99", BigInteger()).text, "99");
    EXPECT_EQ(as("AtomicInteger", std::int32_t()), 3);
    EXPECT_EQ(as("AtomicLong", std::int64_t()), 3);
    EXPECT_EQ(as("Class String", std::string()), "java.lang.String");
    EXPECT_EQ(as("Locale", std::string()), "zh_CN");
    EXPECT_EQ(as("sql.Timestamp", Date()), Date());
    EXPECT_EQ(as("date 0", std::optional<Date>()), Date());
    const auto uuid = as("UUID", std::map<std::string, std::int64_t>());
    EXPECT_EQ(uuid, (std::map<std::string, std::int64_t>{{"leastSigBits", 2}, {"mostSigBits", 1}}));
  }
  // The handles of Hessian 4.
  const Octets number = golden("golden_hessian2.txt", "float 1.1f");
  EXPECT_EQ(hessian::from_bytes<float>(number, Dialect::kHessian2).value(), 1.1f);
  EXPECT_EQ(hessian::from_bytes<std::int16_t>(golden("golden_hessian2.txt", "short 5"),
                                              Dialect::kHessian2)
                .value(),
            5);
  EXPECT_EQ(hessian::from_bytes<std::optional<std::int8_t>>(
                golden("golden_hessian2.txt", "byte -1"), Dialect::kHessian2)
                .value(),
            -1);
}

// ---- structs ----

// alice.friend is bob, and bob.friend is alice again: a typed value cannot hold that.
TEST(Codec, ACycleInTypedValuesIsNamed) {
  const Octets bytes = golden("sofa_contents.txt", "java request echoUser cyclic");
  Reader reader(bytes);
  ASSERT_TRUE(reader.skip());  // SofaRequest
  Result<Friend> alice = hessian::decode<Friend>(reader);
  ASSERT_FALSE(alice.ok());
  EXPECT_EQ(alice.error().message(),
            "hessian: com.example.User.friend.friend: cyclic reference into a typed value; use a "
            "member of type hessian::Value at byte " +
                std::to_string(to_hex(bytes).find("4a03") / 2));
  // The generic value can.
  Reader again(bytes);
  ASSERT_TRUE(again.skip());
  const Value value = hessian::decode<Value>(again).value();
  EXPECT_TRUE(value["friend"]["friend"].same_node(value));
  EXPECT_TRUE(value["friend"]["friend"].is_weak());
}

TEST(Codec, ReadsAUserOfNode) {
  const Octets bytes = golden("sofa_contents.txt", "node request echoUser");
  Reader reader(bytes);
  ASSERT_TRUE(reader.skip());
  const Friend alice = hessian::decode<Friend>(reader).value();
  EXPECT_TRUE(reader.at_end());
  EXPECT_EQ(alice.name, "alice");
  EXPECT_EQ(alice.age, 30);
  EXPECT_EQ(alice.boxed, 5);
  EXPECT_EQ(alice.score, 99999);  // an int on the wire
  EXPECT_TRUE(alice.vip);
  EXPECT_EQ(alice.tags, (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(alice.color, Color::GREEN);
  EXPECT_EQ(alice.other, nullptr);
  EXPECT_EQ(alice.birth, Date(std::chrono::milliseconds(0x15d3ef79800)));
  EXPECT_EQ(alice.id, "");
}

TEST(Codec, FieldsGoByName) {
  // Another order, another class, unknown fields with classes and references of their own.
  const Value wire = Value::list({Value::object("com.example.SubPoint")
                                      .set("z", Value::list({Value::object("X").set("a", 1)}))
                                      .set("y", 2)
                                      .set("x", 1)});
  EXPECT_EQ(read<std::vector<Point>>(hex_value(wire)), (std::vector<Point>{{1, 2}}));
  // From a map; missing fields and null keep the default.
  EXPECT_EQ(read<Point>(hex_value(Value::map({{"y", 5}, {7, 8}, {"w", Value::map()}}))),
            (Point{0, 5}));
  EXPECT_EQ(read<Point>(hex_value(Value::object("P").set("x", nullptr).set("y", 3))),
            (Point{0, 3}));
  EXPECT_EQ(read<Point>("4e"), Point());
  // An object into a map.
  EXPECT_EQ((read<std::map<std::string, std::int32_t>>(hex_of(Point{3, 4}))),
            (std::map<std::string, std::int32_t>{{"x", 3}, {"y", 4}}));
  // Inherited fields are flat.
  Friend bob;
  bob.id = "b-1";
  bob.extra = "e";
  bob.name = "bob";
  const Value flat = hessian::to_value(bob).value();
  EXPECT_EQ(flat.type_name(), "com.example.User");
  EXPECT_EQ(flat["id"], Value("b-1"));
  EXPECT_EQ(flat.field_name(0), "name");
  EXPECT_EQ(hessian::convert<Base>(flat).value(), (Base{"b-1", "e"}));
}

TEST(Codec, ADefinitionServesSeveralTypes) {
  // The outer and the inner object are of one class, which goes into two types.
  Value inner = Value::object("T").set("id", "in").set("extra", nullptr).set("other", nullptr);
  Value outer = Value::object("T").set("id", "out").set("extra", inner).set("other", "x");
  const auto both = read<std::map<std::string, std::variant<std::string, Base>>>(hex_value(outer));
  EXPECT_EQ(std::get<std::string>(both.at("id")), "out");
  EXPECT_EQ(std::get<Base>(both.at("extra")).id, "in");
  const auto list = hex_value(Value::list({outer["extra"], outer["extra"]}));
  EXPECT_EQ((read<std::vector<Base>>(list)), (std::vector<Base>{{"in", {}}, {"in", {}}}));
}

TEST(Codec, EverythingComesBack) {
  for (const Dialect dialect : {Dialect::kSofa3, Dialect::kHessian2}) {
    for (int seed = 1; seed < 100; seed += 7) {
      const Everything e = make_everything(seed);
      const Bytes bytes = hessian::to_bytes(e, dialect).value();
      const Everything r = hessian::from_bytes<Everything>(bytes.span(), dialect).value();
      EXPECT_EQ(r.flag, e.flag);
      EXPECT_EQ(r.byte, e.byte);
      EXPECT_EQ(r.small, e.small);
      EXPECT_EQ(r.number, e.number);
      EXPECT_EQ(r.large, e.large);
      EXPECT_EQ(r.letter, e.letter);
      EXPECT_EQ(r.narrow, e.narrow);
      EXPECT_EQ(r.wide, e.wide);
      EXPECT_EQ(r.text, e.text);
      EXPECT_EQ(r.binary, e.binary);
      EXPECT_EQ(r.when, e.when);
      EXPECT_EQ(r.span, e.span);
      EXPECT_EQ(r.price, e.price);
      EXPECT_EQ(r.huge, e.huge);
      EXPECT_EQ(r.color, e.color);
      EXPECT_EQ(r.point, e.point);
      EXPECT_EQ(r.boxed, e.boxed);
      ASSERT_NE(r.maybe, nullptr);
      EXPECT_EQ(*r.maybe, *e.maybe);
      EXPECT_EQ(r.points, e.points);
      EXPECT_EQ(r.names, e.names);
      EXPECT_EQ(r.numbers, e.numbers);
      EXPECT_EQ(r.counts, e.counts);
      EXPECT_EQ(r.index, e.index);
      EXPECT_EQ(r.ints, e.ints);
      EXPECT_EQ(r.flags, e.flags);
      EXPECT_EQ(r.words, e.words);
      EXPECT_EQ(r.matrix, e.matrix);
      EXPECT_EQ(r.corners, e.corners);
      EXPECT_EQ(r.letters, e.letters);
      EXPECT_EQ(r.choice, e.choice);
      EXPECT_EQ(r.any, e.any);
      EXPECT_EQ(hessian::to_bytes(r, dialect)->size(), bytes.size());
      // By way of the generic form too.
      const Value value = hessian::from_bytes<Value>(bytes.span(), dialect).value();
      EXPECT_EQ(hessian::to_value(e).value(), value);
      EXPECT_EQ(hessian::convert<Everything>(value).value().index, e.index);
    }
    // All defaults: empty containers and nulls.
    const Everything e;
    const Bytes bytes = hessian::to_bytes(e, dialect).value();
    EXPECT_EQ(
        hessian::to_bytes(hessian::from_bytes<Everything>(bytes.span(), dialect).value(), dialect)
            .value(),
        bytes);
  }
}

TEST(Codec, BrokenOffAnywhereIsAnError) {
  for (const Dialect dialect : {Dialect::kSofa3, Dialect::kHessian2}) {
    const Bytes bytes = hessian::to_bytes(make_everything(3), dialect).value();
    for (std::size_t size = 0; size < bytes.size(); ++size) {
      const auto part = hessian::from_bytes<Everything>(bytes.span().first(size), dialect);
      ASSERT_FALSE(part.ok()) << size;
      EXPECT_EQ(part.error().code(), Code::kDecode);
    }
  }
}

TEST(Codec, RecursiveStructs) {
  Node root{1, std::make_unique<Node>(Node{2, nullptr, nullptr}),
            std::make_unique<Node>(Node{3, std::make_unique<Node>(), nullptr})};
  const Node again = read<Node>(hex_of(root));
  EXPECT_EQ(again.left->value, 2);
  EXPECT_EQ(again.right->left->value, 0);
  EXPECT_EQ(again.right->right, nullptr);
}

TEST(Codec, DepthIsBoundedInWriting) {
  auto deep = std::make_unique<Node>();
  for (int i = 1; i < 256; ++i) deep = std::make_unique<Node>(Node{i, std::move(deep), nullptr});
  EXPECT_TRUE(hessian::from_bytes<Node>(hessian::to_bytes(*deep)->span()).ok());
  deep = std::make_unique<Node>(Node{256, std::move(deep), nullptr});
  const Result<Bytes> refused = hessian::to_bytes(*deep);
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().code(), Code::kLimit);
  EXPECT_EQ(refused.error().message().substr(0, 54),
            "hessian: cannot write com.example.Node.left.left.left.");
  Buffer out;
  Writer writer(out);
  writer.set_depth_limit(257);
  EXPECT_TRUE(hessian::encode(writer, *deep).ok());
}

// ---- what goes into what ----

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

// ---- references ----

TEST(Codec, AReferenceIntoATypedValueIsReadAgain) {
  const Value point = Value::object("com.example.Point").set("x", 1).set("y", 2);
  const Value tags = Value::list({"a", "b"});
  const std::string points = hex_value(Value::list({point, point, Value::map({{"y", 9}}), point}));
  EXPECT_NE(points.find("4a01"), std::string::npos);
  EXPECT_EQ((read<std::vector<Point>>(points)),
            (std::vector<Point>{{1, 2}, {1, 2}, {0, 9}, {1, 2}}));
  EXPECT_EQ((read<std::vector<std::unique_ptr<Point>>>(points)[3]->y), 2);
  // Read again as something else; with class definitions, type names and references inside.
  Value inner = Value::list("[com.example.Point", {point, point});
  Value outer = Value::object("Outer")
                    .set("inner", inner)
                    .set("typed", Value::list("java.util.LinkedList", {tags, inner}));
  const Value both =
      Value::object("Both").set("first", outer).set("second", outer).set("third", inner);
  using Typed = std::map<std::string, std::map<std::string, std::vector<Value>>>;
  Value without = Value::object("Both").set("first", outer).set("second", outer);
  const auto maps = read<Typed>(hex_value(without));
  EXPECT_EQ(maps.at("first"), maps.at("second"));
  EXPECT_EQ(maps.at("second").at("inner")[1]["y"], Value(2));
  EXPECT_EQ(maps.at("second").at("typed")[0], tags);
  EXPECT_EQ(maps.at("second").at("typed")[1], inner);
  const auto third = read<std::map<std::string, Value>>(hex_value(both));
  EXPECT_TRUE(third.at("first").same_node(third.at("second")));
  EXPECT_TRUE(third.at("first")["inner"].same_node(third.at("third")));
}

TEST(Codec, TypedAndGenericReadersOfOneStreamShareReferences) {
  const Value shared = Value::object("com.example.Point").set("x", 1).set("y", 2);
  Value holder = Value::object("Holder").set("in", Value::list({shared})).set("skipped", nullptr);
  for (const Dialect dialect : {Dialect::kSofa3, Dialect::kHessian2}) {
    Buffer out;
    Writer writer(out, dialect);
    writer.keep_identities();
    ASSERT_TRUE(hessian::encode(writer, holder).ok());
    ASSERT_TRUE(hessian::encode(writer, shared).ok());
    ASSERT_TRUE(hessian::encode(writer, holder).ok());
    ASSERT_TRUE(hessian::encode(writer, Value::list({holder, shared})).ok());
    const Bytes bytes = out.bytes();
    {  // first skipped, then generic, then typed
      Reader reader(bytes.span(), dialect);
      ASSERT_TRUE(reader.skip());
      const Value point = hessian::decode<Value>(reader).value();
      EXPECT_EQ(point, shared);
      const auto typed = hessian::decode<std::map<std::string, std::vector<Point>>>(reader);
      ASSERT_TRUE(typed.ok()) << typed.error().what();
      EXPECT_EQ(typed->at("in"), (std::vector<Point>{{1, 2}}));
      const Value list = hessian::decode<Value>(reader).value();
      EXPECT_EQ(list[0], holder);
      EXPECT_TRUE(list[0]["in"][0].same_node(list[1]));
      EXPECT_TRUE(reader.at_end());
    }
    {  // first typed, then typed through a reference, then generic
      Reader reader(bytes.span(), dialect);
      ASSERT_TRUE((hessian::decode<std::map<std::string, std::vector<Point>>>(reader).ok()));
      EXPECT_EQ(hessian::decode<Point>(reader).value(), (Point{1, 2}));
      EXPECT_EQ(hessian::decode<Value>(reader).value(), holder);
      EXPECT_TRUE(reader.skip());
      EXPECT_TRUE(reader.at_end());
    }
    {  // all generic
      Reader reader(bytes.span(), dialect);
      const Value a = hessian::decode<Value>(reader).value();
      const Value b = hessian::decode<Value>(reader).value();
      const Value c = hessian::decode<Value>(reader).value();
      EXPECT_TRUE(a.same_node(c));
      EXPECT_TRUE(a["in"][0].same_node(b));
    }
  }
}

TEST(Codec, GenericMembersOfTypedValues) {
  // A struct with a generic member that leads back to the struct cannot be held, and says so.
  Value self = Value::object("com.example.Everything").set("number", 3);
  self.set("any", Value::weak(self));
  EXPECT_EQ(
      failure<Everything>(hex_value(self)),
      "hessian: com.example.Everything.any: reference from a generic value to a typed one that "
      "it is part of at byte " +
          std::to_string(hex_value(self).find("4a00") / 2));
  // Where the generic member itself is cyclic there is no trouble.
  Value ring = Value::list();
  ring.push_back(Value::weak(ring));
  Value fine = Value::object("com.example.Everything").set("any", ring);
  const Everything e = read<Everything>(hex_value(fine));
  EXPECT_TRUE(e.any[0].same_node(e.any));
}

TEST(Codec, PointersToOneObjectAreWrittenOnce) {
  auto carol = std::make_shared<Friend>();
  carol->name = "carol";
  const std::vector<std::shared_ptr<Friend>> list = {carol, carol, nullptr};
  const Value value = hessian::to_value(list).value();
  EXPECT_TRUE(value[0].same_node(value[1]));
  const auto copies = read<std::vector<std::shared_ptr<Friend>>>(hex_of(list));
  EXPECT_EQ(copies[1]->name, "carol");
  EXPECT_NE(copies[0], copies[1]);

  // Two who know each other: the first is a plain value, not a pointer.
  Friend alice;
  alice.name = "alice";
  alice.other = std::make_shared<Friend>();
  alice.other->name = "bob";
  alice.other->other = std::shared_ptr<Friend>(&alice, [](Friend*) {});
  const Value cycle = hessian::to_value(alice).value();
  EXPECT_TRUE(cycle["friend"]["friend"].same_node(cycle));
  EXPECT_EQ(cycle["friend"]["name"], Value("bob"));
  alice.other->other.reset();
}

TEST(Codec, IdentityEndsWithTheValueUnlessKept) {
  const Value list = Value::list();
  Buffer apart;
  Writer writer(apart);
  ASSERT_TRUE(hessian::encode(writer, list).ok());
  ASSERT_TRUE(hessian::encode(writer, list).ok());
  EXPECT_EQ(to_hex(apart), "566e007a566e007a");
  Buffer together;
  Writer keeping(together);
  keeping.keep_identities();
  const Value copy = list;
  ASSERT_TRUE(hessian::encode(keeping, list).ok());
  ASSERT_TRUE(hessian::encode(keeping, copy).ok());
  EXPECT_EQ(to_hex(together), "566e007a4a00");
  const Point point{1, 2};
  Buffer structs;
  Writer same(structs);
  same.keep_identities();
  ASSERT_TRUE(hessian::encode(same, point).ok());
  ASSERT_TRUE(hessian::encode(same, point).ok());
  EXPECT_EQ(to_hex(structs.slice(structs.size() - 2, 2).span()), "4a00");
}

TEST(Codec, ManySharedObjectsKeepTheirIdentity) {
  Value list = Value::list();
  std::vector<Value> shared;
  for (int i = 0; i < 500; ++i) shared.push_back(Value::list({i}));
  for (int round = 0; round < 3; ++round) {
    for (const Value& one : shared) list.push_back(Value(one));
  }
  const Value again = hessian::from_bytes<Value>(hessian::to_bytes(list)->span()).value();
  for (std::size_t i = 0; i < 500; ++i) {
    EXPECT_EQ(again[i], shared[i]);
    EXPECT_TRUE(again[i].same_node(again[i + 500]));
    EXPECT_TRUE(again[i].same_node(again[i + 1000]));
  }
}

// Copies of copies: reading again nests.
TEST(Codec, ReferencesThatChainAreBounded) {
  const auto chain = [](int length) {
    std::vector<Value> nodes;
    nodes.push_back(Value::object("com.example.Node").set("value", 0).set("left", nullptr));
    for (int i = 1; i < length; ++i) {
      nodes.push_back(Value::object("com.example.Node").set("value", i).set("left", nodes.back()));
    }
    return hex_value(Value::list({}, std::move(nodes)));
  };
  const auto fine = read<std::vector<Node>>(chain(100));
  EXPECT_EQ(fine[99].left->left->value, 97);
  EXPECT_NE(failure<std::vector<Node>>(chain(200)).find("limit 'depth' of 256 exceeded"),
            std::string::npos);
}

// ---- errors ----

TEST(Codec, ErrorsGiveThePath) {
  const Value wire = Value::object("com.example.Everything")
                         .set("points", Value::list({Value::map(), Value::map({{"x", "no"}})}))
                         .set("flag", true);
  EXPECT_EQ(
      failure<Everything>(hex_value(wire)),
      "hessian: com.example.Everything.points[1].x: expected an int, found a string at byte " +
          std::to_string(hex_value(wire).find("026e6f") / 2));
  const Value map = Value::map({{"fine", 1}, {"wrong", Value::list()}});
  EXPECT_EQ((failure<std::map<std::string, std::int32_t>>(hex_value(map))),
            "hessian: [\"wrong\"]: expected an int, found a list at byte 13");
  EXPECT_EQ((failure<std::map<std::int32_t, std::int32_t>>("4d91007a")),
            "hessian: [...]: expected an int, found a string at byte 2");
  EXPECT_EQ((failure<std::set<std::int32_t>>("566e0291007a")),
            "hessian: [1]: expected an int, found a string at byte 4");
  EXPECT_EQ(failure<std::vector<Point>>("4d7a"), "hessian: expected a list, found a map at byte 0");
  EXPECT_EQ(failure<Point>("566e007a"),
            "hessian: com.example.Point: expected an object or map, found a list at byte 0");
  EXPECT_EQ(failure<Date>("00"), "hessian: expected a date, found a string at byte 0");
  EXPECT_EQ(failure<Bytes>("00"), "hessian: expected binary, found a string at byte 0");

  Everything broken;
  broken.points.resize(2);
  broken.price.text = "ten";
  EXPECT_EQ(hessian::to_bytes(broken).error().message(),
            "hessian: cannot write com.example.Everything.price: \"ten\" is no decimal number");
  EXPECT_EQ(hessian::to_bytes(broken).error().code(), Code::kEncode);
  const std::map<std::string, std::vector<Decimal>> prices = {{"eur", {Decimal("1"), Decimal("")}}};
  EXPECT_EQ(hessian::to_bytes(prices).error().message(),
            "hessian: cannot write java.util.Map[\"eur\"][1]: \"\" is no decimal number");
  // A conversion has no bytes, so it names none.
  EXPECT_EQ(hessian::convert<Point>(Value("x")).error().message(),
            "hessian: com.example.Point: expected an object or map, found a string");
}

// A message as a protobuf class has it.
struct FakeMessage {
  std::size_t ByteSizeLong() const { return 0; }
  bool SerializeToArray(void*, int) const { return true; }
  bool ParseFromArray(const void*, int) { return true; }
};

TEST(Codec, MessagesDoNotTravel) {
  const std::vector<FakeMessage> messages(1);
  EXPECT_EQ(
      hessian::to_bytes(messages).error().message(),
      "hessian: cannot write java.util.List[0]: a protobuf message does not travel in Hessian");
  EXPECT_EQ(failure<FakeMessage>("4e"),
            "hessian: a protobuf message does not travel in Hessian at byte 0");
}

}  // namespace
}  // namespace settee::hessian_test
