// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0
//
// Values of every type, from a C++ client to another server and back.

#include <cmath>
#include <limits>

#include "interop/tests/foreign_server.h"
#include "settee/hessian/hessian.h"

namespace interop {
namespace {

using settee::BigInteger;
using settee::Code;
using settee::Date;
using settee::Decimal;
using settee::Error;
using settee::hessian::Value;

constexpr auto kIntMin = std::numeric_limits<std::int32_t>::min();
constexpr auto kIntMax = std::numeric_limits<std::int32_t>::max();
constexpr auto kLongMin = std::numeric_limits<std::int64_t>::min();
constexpr auto kLongMax = std::numeric_limits<std::int64_t>::max();

// The borders of every form that a number has on the wire.
const std::vector<std::int32_t> kInts{0,      1,       -1,      47,      48,     -16,
                                      -17,    2047,    2048,    -2048,   -2049,  262143,
                                      262144, -262144, -262145, kIntMax, kIntMin};
const std::vector<std::int64_t> kLongs{0,
                                       1,
                                       -1,
                                       15,
                                       16,
                                       -8,
                                       -9,
                                       2047,
                                       2048,
                                       -2048,
                                       -2049,
                                       262143,
                                       262144,
                                       -262144,
                                       -262145,
                                       kIntMax,
                                       kIntMin,
                                       kIntMax + std::int64_t{1},
                                       kIntMin - std::int64_t{1},
                                       (std::int64_t{1} << 53) - 1,
                                       (std::int64_t{1} << 53) + 1,
                                       -(std::int64_t{1} << 53) - 1,
                                       kLongMax,
                                       kLongMin};
const std::vector<double> kDoubles{0.0,
                                   1.0,
                                   -1.0,
                                   127,
                                   -128,
                                   128,
                                   32767,
                                   -32768,
                                   32768,
                                   0.5,
                                   12.25,
                                   3.14,
                                   1e10,
                                   1e300,
                                   kIntMax,
                                   std::numeric_limits<double>::denorm_min(),
                                   std::numeric_limits<double>::max(),
                                   std::numeric_limits<double>::quiet_NaN(),
                                   std::numeric_limits<double>::infinity(),
                                   -std::numeric_limits<double>::infinity()};

const std::string kEmoji = "\xf0\x9f\x98\x80";  // two UTF-16 units
const std::string kChinese = "\xe4\xb8\xad";    // one
const std::string kLastOfBmp = "\xef\xbf\xbf";

std::string times(std::size_t count, const std::string& text) {
  std::string all;
  all.reserve(count * text.size());
  for (std::size_t i = 0; i < count; ++i) all += text;
  return all;
}

template <class T>
bool same(const T& a, const T& b) {
  return a == b;
}
bool same(double a, double b) { return a == b || (std::isnan(a) && std::isnan(b)); }
bool same(const std::optional<double>& a, const std::optional<double>& b) {
  return a.has_value() == b.has_value() && (!a || same(*a, *b));
}
bool same(const std::optional<Array<double>>& a, const std::optional<Array<double>>& b) {
  if (!a || !b) return a.has_value() == b.has_value();
  return std::equal(a->begin(), a->end(), b->begin(), b->end(),
                    [](double x, double y) { return same(x, y); });
}

/// A user with every member set except `friend`.
User full_user(const std::string& id) {
  User user;
  user.id = id;
  user.name = "\xe5\xbc\xa0\xe4\xb8\x89 " + kEmoji + " " + id;
  user.age = 41;
  user.boxed = -7;
  user.score = 4'000'000'000;
  user.vip = true;
  user.tags = {"a", "", std::nullopt, kChinese};
  user.color = Color::GREEN;
  user.birth = Date(1'500'000'000'123ms);
  user.counts = std::map<std::string, std::optional<std::int32_t>>{{"one", 1}, {"many", 1 << 20}};
  user.ratio = 0.1;
  user.nick = Array<Text>{"n1", "n2"};
  user.numbers = Array<std::int32_t>{1, -1, 1 << 30};
  user.money = Decimal("12.3400");
  return user;
}

class ServerValues : public ServerTest {
 protected:
  template <class T>
  void expect_echo(Task<T> (TypeService::*method)(T), const std::vector<T>& values) {
    const auto reference = types();
    for (std::size_t i = 0; i < values.size(); ++i) {
      const T answer = ((*reference).*method)(values[i]).get();
      if (same(answer, values[i])) continue;
      ADD_FAILURE() << "value " << i << ": " << testing::PrintToString(values[i]).substr(0, 1000)
                    << "\ncame back as " << testing::PrintToString(answer).substr(0, 1000);
    }
  }
  template <class T>
  static std::vector<std::optional<T>> and_null(const std::vector<T>& values) {
    std::vector<std::optional<T>> all(values.begin(), values.end());
    all.push_back(std::nullopt);
    return all;
  }
};

TEST_P(ServerValues, Primitives) {
  expect_echo(&TypeService::echoBoolean, {true, false});
  expect_echo(&TypeService::echoInt, kInts);
  expect_echo(&TypeService::echoLong, kLongs);
  expect_echo(&TypeService::echoDouble, kDoubles);
  // SOFA's Hessian writes -0.0 as the one-byte zero: the sign may be lost, the value may not.
  EXPECT_EQ(types()->echoDouble(-0.0).get(), 0.0);
}

TEST_P(ServerValues, EightPrimitivesAtOnce) {
  EXPECT_EQ(types()->prim(true, -1, 300, u'c', 70000, 5, 1.5F, 2.25).get(),
            "true,-1,300,c,70000,5,1.5,2.25");
  EXPECT_EQ(
      types()->prim(false, -128, -32768, u'\u4e2d', kIntMin, kLongMin, -0.5F, -1234.0625).get(),
      "false,-128,-32768,\u4e2d,-2147483648,-9223372036854775808,-0.5,-1234.0625");
  EXPECT_EQ(types()->prim(true, 127, 32767, u'A', kIntMax, kLongMax, 0.25F, 0.125).get(),
            "true,127,32767,A,2147483647,9223372036854775807,0.25,0.125");
}

TEST_P(ServerValues, BoxedAndNull) {
  expect_echo(&TypeService::echoBoxedBoolean, {true, false, std::nullopt});
  expect_echo(&TypeService::echoBoxedInt, and_null(kInts));
  expect_echo(&TypeService::echoBoxedLong, and_null(kLongs));
  expect_echo(&TypeService::echoBoxedDouble, and_null(kDoubles));
  EXPECT_EQ(types()->boxed(std::int8_t{1}, std::int16_t{2}, u'x', 1.5F).get(), "1,2,x,1.5");
  EXPECT_EQ(types()->boxed({}, {}, {}, {}).get(), "null,null,null,null");
  EXPECT_EQ(types()->boxed(std::int8_t{-128}, {}, u'\u00e9', {}).get(), "-128,null,\u00e9,null");
}

TEST_P(ServerValues, Strings) {
  const std::string alphabet = "the quick brown fox jumps over the lazy dog 0123456789";
  expect_echo(&TypeService::echoString,
              {std::nullopt, "", "a", "hello", std::string(1, '\0'), "tab\tline\nend",
               alphabet.substr(0, 31), alphabet.substr(0, 32), std::string(255, 'x'),
               std::string(256, 'x'), std::string(1023, 'x'), std::string(1024, 'x')});
}

TEST_P(ServerValues, StringsBeyondAscii) {
  expect_echo(&TypeService::echoString,
              {"\u4e2d\u6587\u5b57\u7b26", "\u00e9\u00e8\u00fc\u00df", kEmoji,
               "a" + kEmoji + "b\U0001f1ea\U0001f1fa", "\u07ff\u0800" + kLastOfBmp,
               times(31, kChinese), times(32, kChinese), times(16, kEmoji)});
}

TEST_P(ServerValues, StringOf100KiB) {
  const std::string unit = "settee \u00e9\u00df \u4e2d\u6587 " + kEmoji + " ";
  expect_echo(&TypeService::echoString, {times(100 * 1024 / unit.size() + 1, unit)});
}

// A chunk has 32768 UTF-16 units at most; a surrogate pair may lie across its border.
TEST_P(ServerValues, StringsAroundTheChunkSize) {
  expect_echo(
      &TypeService::echoString,
      {std::string(32767, 'a'), std::string(32768, 'a'), std::string(32769, 'a'),
       std::string(65536, 'a'), std::string(70000, 'a'),
       std::string(32767, 'a') + kEmoji + std::string(12, 'b'),
       std::string(32766, 'a') + kEmoji + std::string(12, 'b'), std::string(65535, 'a') + kEmoji,
       times(20000, kEmoji), "x" + times(40000, kEmoji), times(32769, kChinese)});
}

TEST_P(ServerValues, BytesOfAllSizes) {
  std::vector<std::optional<Bytes>> values{std::nullopt};
  for (const std::size_t size : {0, 1, 15, 16, 1023, 1024, 32767, 32768, 32769, 40000, 70000}) {
    values.push_back(pattern(size));
  }
  expect_echo(&TypeService::echoBytes, values);
}

TEST_P(ServerValues, Dates) {
  std::vector<std::optional<Date>> values{std::nullopt};
  for (const std::int64_t ms :
       {std::int64_t{0}, std::int64_t{1}, std::int64_t{1'000'000'000'000},
        std::int64_t{1'700'000'000'123}, std::int64_t{60'000}, std::int64_t{-1},
        std::int64_t{-62'135'596'800'000}, std::int64_t{253'402'300'799'999}}) {
    values.push_back(Date(std::chrono::milliseconds(ms)));
  }
  expect_echo(&TypeService::echoDate, values);
}

TEST_P(ServerValues, DecimalsAndBigIntegers) {
  std::vector<std::optional<Decimal>> decimals{std::nullopt};
  for (const char* text : {"0", "1.50", "-1.50", "3.141592653589793238462643383279502884197",
                           "1E+20", "1E-20", "123456789012345678901234567890.0001"}) {
    decimals.push_back(Decimal(text));
  }
  expect_echo(&TypeService::echoDecimal, decimals);
  std::vector<std::optional<BigInteger>> integers{std::nullopt};
  for (const char* text :
       {"0", "1", "-1", "99", "4294967295", "4294967296", "9223372036854775807",
        "-9223372036854775808", "9223372036854775808", "-123456789012345678901234567890",
        "340282366920938463463374607431768211456"}) {
    integers.push_back(BigInteger(text));
  }
  expect_echo(&TypeService::echoBigInteger, integers);
}

TEST_P(ServerValues, Enums) {
  expect_echo(&TypeService::echoColor, {Color::RED, Color::GREEN, Color::BLUE, std::nullopt});
}

TEST_P(ServerValues, NestedObjects) {
  User nested = full_user("outer");
  nested.friend_ = std::make_shared<User>(full_user("middle"));
  nested.friend_->friend_ = std::make_shared<User>(full_user("inner"));
  nested.friend_->friend_->friend_ = std::make_shared<User>();
  expect_echo(&TypeService::echoUser, {full_user("1"), User(), std::nullopt, nested});
}

TEST_P(ServerValues, SharedObjectsAreCopiedIntoTypedOnes) {
  const auto shared = std::make_shared<User>(full_user("shared"));
  User a = full_user("a");
  User b = full_user("b");
  a.friend_ = shared;
  b.friend_ = shared;
  expect_echo(&TypeService::echoUsers, {std::vector<std::optional<User>>{a, b}});
}

TEST_P(ServerValues, CycleIntoTypedObjectsIsAnError) {
  // Java keeps the cycle, our typed decoder must refuse it and leave the connection usable. Node
  // cannot even take it: its answer is its business, as long as it is one.
  User user = full_user("cycle");
  user.friend_ = std::make_shared<User>(full_user("friend"));
  user.friend_->friend_ = user.friend_;
  const Error error = error_of(types()->echoUser(user));
  user.friend_->friend_.reset();
  if (java()) {
    EXPECT_EQ(error.code(), Code::kDecode) << error.what();
    EXPECT_NE(std::string(error.what()).find("friend"), std::string::npos) << error.what();
  }
  EXPECT_EQ(types()->echoInt(5).get(), 5);
}

TEST_P(ServerValues, Lists) {
  std::vector<Text> many;
  for (int i = 0; i < 300; ++i) {
    many.push_back(i % 7 == 0 ? Text() : Text("item " + std::to_string(i)));
  }
  using List = std::vector<Text>;
  expect_echo(&TypeService::echoStrings, {std::nullopt, List{}, List{"x"}, List{"b", "a"}, many});
  std::vector<std::optional<User>> users;
  for (int i = 0; i < 300; ++i) users.push_back(full_user("u" + std::to_string(i)));
  using UserList = std::vector<std::optional<User>>;
  expect_echo(&TypeService::echoUsers,
              {UserList{}, UserList{full_user("a"), std::nullopt, User()}, users});
}

TEST_P(ServerValues, MapsAndSets) {
  using Map = std::map<std::string, std::optional<std::int32_t>>;
  Map many;
  for (int i = 0; i < 300; ++i) many["key " + std::to_string(i)] = i * 1000;
  expect_echo(&TypeService::echoMap,
              {std::nullopt, Map{}, Map{{"", 0}, {kChinese, -1}, {"null", std::nullopt}}, many});
  using Set = std::set<std::string>;
  Set elements;
  for (int i = 0; i < 300; ++i) elements.insert("element " + std::to_string(i));
  expect_echo(&TypeService::echoSet, {std::nullopt, Set{}, Set{"a", kChinese, ""}, elements});
}

TEST_P(ServerValues, Arrays) {
  Array<std::int32_t> ints;
  Array<std::int64_t> longs;
  Array<double> doubles;
  Array<Text> texts;
  Array<std::optional<User>> users;
  for (int i = 0; i < 300; ++i) {
    ints.push_back(i * i * (i % 2 == 0 ? 1 : -1));
    longs.push_back(std::int64_t{i} * i * i * 1000);
    doubles.push_back(i / 8.0);
    texts.push_back("element " + std::to_string(i));
    users.push_back(full_user("u" + std::to_string(i)));
  }
  expect_echo(&TypeService::echoInts, {std::nullopt, Array<std::int32_t>{},
                                       Array<std::int32_t>(kInts.begin(), kInts.end()), ints});
  expect_echo(&TypeService::echoLongs, {std::nullopt, Array<std::int64_t>{},
                                        Array<std::int64_t>(kLongs.begin(), kLongs.end()), longs});
  expect_echo(
      &TypeService::echoDoubles,
      {std::nullopt, Array<double>{}, Array<double>(kDoubles.begin(), kDoubles.end()), doubles});
  expect_echo(&TypeService::echoStringArray,
              {std::nullopt, Array<Text>{}, Array<Text>{"a", std::nullopt, ""}, texts});
  expect_echo(&TypeService::echoUserArray,
              {std::nullopt, Array<std::optional<User>>{},
               Array<std::optional<User>>{full_user("a"), std::nullopt, User()}, users});
}

TEST_P(ServerValues, ContainersInContainers) {
  using Nested = std::map<std::string, Users>;
  expect_echo(&TypeService::echoNested,
              {Nested{},
               Nested{{"empty", std::vector<std::optional<User>>{}},
                      {"none", std::nullopt},
                      {"two", std::vector<std::optional<User>>{full_user("a"), full_user("b")}}}});
}

TEST_P(ServerValues, BenchUser) {
  bench::User user;
  user.id = 4'000'000'000;
  user.name = "Ada Lovelace King";
  user.age = 36;
  user.emails = {"ada@example.org.uk", "countess@example.com"};
  user.attributes = {{"city.of.birth", "London, England"},
                     {"favourite.topic", "analytical engine"}};
  user.created = Date(1'700'000'000'123ms);
  user.balance = 12345.678;
  user.active = true;
  user.tags = settee::Array<std::string>{"mathematician", "first-programmer"};
  user.score = 0.75F;
  const auto echo = client_.refer<bench::Echo>(url_);
  const bench::User answer = echo->echoUser(user).get();
  EXPECT_EQ(answer.id, user.id);
  EXPECT_EQ(answer.name, user.name);
  EXPECT_EQ(answer.age, user.age);
  EXPECT_EQ(answer.emails, user.emails);
  EXPECT_EQ(answer.attributes, user.attributes);
  EXPECT_EQ(answer.created, user.created);
  EXPECT_EQ(answer.balance, user.balance);
  EXPECT_EQ(answer.active, user.active);
  EXPECT_EQ(answer.tags, user.tags);
  EXPECT_EQ(answer.score, user.score);
  EXPECT_EQ(echo->echo("0123456789abcdef").get(), "0123456789abcdef");
  EXPECT_EQ(echo->echoBytes(pattern(40000)).get(), pattern(40000));
}

INTEROP_INSTANTIATE(ServerValues);

// ---- values whose type is known at run time only ----

class ServerObjects : public ServerTest {
 protected:
  Value echo(const Value& value) { return types()->echoObject(value).get(); }
  void expect_echo(const Value& value) {
    const Value answer = echo(value);
    EXPECT_EQ(answer, value) << value.to_string(500) << "\ncame back as " << answer.to_string(500);
  }
};

TEST_P(ServerObjects, Simple) {
  for (const Value& value :
       {Value(), Value(true), Value(7), Value("text"), Value(0.5), Value(Date(1ms)),
        Value(pattern(9)), Value::list(), Value::list({1, "two", nullptr, Value::list()})}) {
    expect_echo(value);
  }
  expect_echo(Value::map({{"int", 1},
                          {"text", "x"},
                          {"flag", true},
                          {"half", 0.5},
                          {"when", Date(1'500'000'000'123ms)},
                          {"nothing", nullptr},
                          {"list", Value::list({1, "two"})},
                          {"bytes", pattern(3)}}));
}

INTEROP_INSTANTIATE(ServerObjects);

/// sofa-rpc-node forgets the class of what it decodes, so this is not for it.
class ServerTypedObjects : public ServerObjects {};

TEST_P(ServerTypedObjects, ClassesAreKept) {
  const Value user = Value::object("com.settee.interop.User").set("name", "x").set("age", 3);
  for (const Value& value :
       {Value(5LL), Value(static_cast<long long>(kLongMax)),
        Value::enumerator("com.settee.interop.Color", "BLUE"), Value::decimal("1.50"),
        Value::list("[int", {1, 2}), Value::list("[string", {"a"}),
        Value::list("[object", {1, "a", nullptr}), Value::list("[long", {1LL, 2LL}),
        Value::list("java.util.LinkedList", {"a"}), Value::list("java.util.HashSet", {"a"}),
        Value::map("java.util.LinkedHashMap", {{"z", 1}, {"a", 2LL}}),
        Value::map("java.util.TreeMap", {{"a", 2LL}, {"z", 1}})}) {
    expect_echo(value);
  }
  const Value answer = echo(user);
  EXPECT_EQ(answer.type_name(), "com.settee.interop.User");
  EXPECT_EQ(answer["name"], Value("x"));
  EXPECT_EQ(answer["age"], Value(3));
}

TEST_P(ServerTypedObjects, EveryFieldOfAUser) {
  const User user = full_user("generic");
  const Value value = settee::hessian::to_value(settee::type_of<User>(), &user).value();
  const Value answer = echo(value);
  ASSERT_EQ(answer.type_name(), "com.settee.interop.User");
  User typed;
  settee::hessian::convert(answer, settee::type_of<User>(), &typed).value();
  EXPECT_EQ(typed, user);
}

TEST_P(ServerTypedObjects, CyclesAndSharedNodes) {
  const auto user = [](const char* id) {
    return Value::object("com.settee.interop.User").set("id", id).set("name", id);
  };
  // Two that know each other.
  Value first = user("first");
  Value second = user("second");
  second.set("friend", Value::weak(first));
  first.set("friend", second);
  Value answer = echo(first);
  EXPECT_EQ(answer["id"], Value("first"));
  EXPECT_EQ(answer["friend"]["id"], Value("second"));
  EXPECT_TRUE(answer["friend"]["friend"].same_node(answer)) << answer.to_string();
  // One that knows itself; a list and a map that hold themselves.
  Value self = user("self");
  self.set("friend", Value::weak(self));
  answer = echo(self);
  EXPECT_TRUE(answer["friend"].same_node(answer)) << answer.to_string();
  Value list = Value::list();
  list.push_back(Value::weak(list)).push_back("tail");
  answer = echo(list);
  EXPECT_TRUE(answer[0].same_node(answer)) << answer.to_string();
  EXPECT_EQ(answer[1], Value("tail"));
  Value map = Value::map();
  map.set("me", Value::weak(map));
  answer = echo(map);
  EXPECT_TRUE(answer["me"].same_node(answer)) << answer.to_string();
  // One in two places.
  const Value shared = user("shared");
  const Value price = Value::decimal("9.99");
  answer = echo(Value::list({shared, price, shared, price}));
  ASSERT_EQ(answer.size(), 4U);
  EXPECT_TRUE(answer[0].same_node(answer[2])) << answer.to_string();
  EXPECT_TRUE(answer[1].same_node(answer[3])) << answer.to_string();
  EXPECT_FALSE(answer[0].same_node(answer[1]));
}

INSTANTIATE_TEST_SUITE_P(Java, ServerTypedObjects, testing::Values(Server::kJava), name_of);
INSTANTIATE_TEST_SUITE_P(Cpp, ServerTypedObjects, testing::Values(Server::kCpp), name_of);

}  // namespace
}  // namespace interop
