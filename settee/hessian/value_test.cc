// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0

#include "settee/hessian/value.h"

#include <gtest/gtest.h>

#include <limits>
#include <thread>

#include "settee/hessian/hessian_test_data.h"

namespace settee::hessian_test {
namespace {

using hessian::Dialect;
using hessian::Value;
using Type = Value::Type;

static_assert(sizeof(Value) == 16);
static_assert(std::is_nothrow_move_constructible_v<Value>);

TEST(Value, Scalars) {
  EXPECT_EQ(Value().type(), Type::kNull);
  EXPECT_TRUE(Value(nullptr).is_null());
  EXPECT_EQ(Value(true).as_bool().value(), true);
  EXPECT_EQ(Value(7).type(), Type::kInt);
  EXPECT_EQ(Value(std::int64_t{7}).type(), Type::kLong);
  EXPECT_EQ(Value(7LL).as_long().value(), 7);
  EXPECT_EQ(Value(2.5).as_double().value(), 2.5);
  const Date date(std::chrono::milliseconds(5));
  EXPECT_EQ(Value(date).as_date().value(), date);
  EXPECT_EQ(Value(Bytes("ab")).as_bytes().value(), Bytes("ab"));
}

TEST(Value, NumbersConvertWhereNothingIsLost) {
  EXPECT_EQ(Value(7).as_long().value(), 7);
  EXPECT_EQ(Value(7LL).as_int().value(), 7);
  EXPECT_EQ(Value(7.0).as_int().value(), 7);
  EXPECT_EQ(Value(7).as_double().value(), 7.0);
  EXPECT_FALSE(Value(1LL << 40).as_int().ok());
  EXPECT_FALSE(Value(7.5).as_long().ok());
  EXPECT_FALSE(Value(9.3e18).as_long().ok());
  EXPECT_FALSE(Value(std::numeric_limits<double>::quiet_NaN()).as_long().ok());
  EXPECT_FALSE(Value(true).as_int().ok());
  EXPECT_FALSE(Value("7").as_int().ok());
  EXPECT_EQ(Value("seven").as_int().error().message(),
            "hessian value: wanted an int, it is a string: \"seven\"");
  const Value null;
  EXPECT_EQ(null.as_string().error().code(), Code::kDecode);
}

TEST(Value, TextsShortAndLong) {
  std::string text;
  for (int i = 0; i < 40; ++i) {
    const Value value(text);
    const Value copy = value;
    EXPECT_EQ(value.as_string().value(), text);
    EXPECT_EQ(copy.as_string().value(), text);
    EXPECT_EQ(value, Value(std::string_view(text)));
    text += static_cast<char>('a' + i % 26);
  }
  Value value = text;
  Value moved = std::move(value);
  EXPECT_EQ(moved.as_string().value(), text);
  value = "again";
  EXPECT_EQ(value.as_string().value(), "again");
  value = value["nothing"];
  EXPECT_TRUE(value.is_null());
}

TEST(Value, BuildersAndAccess) {
  Value order = Value::object("com.acme.Order")
                    .set("id", 7)
                    .set("tags", Value::list({"a", "b"}))
                    .set("prices", Value::map({{"x", 1.5}, {2, "two"}}));
  EXPECT_EQ(order.type_name(), "com.acme.Order");
  EXPECT_EQ(order.size(), 3u);
  EXPECT_EQ(order["id"].as_int().value(), 7);
  EXPECT_EQ(order["tags"][1].as_string().value(), "b");
  EXPECT_EQ(order["tags"].items().size(), 2u);
  EXPECT_EQ(order["prices"]["x"], Value(1.5));
  EXPECT_EQ(*order["prices"].find(2), Value("two"));
  EXPECT_EQ(order["prices"].find(3), nullptr);
  EXPECT_EQ(order["prices"].entries()[0].key, Value("x"));
  EXPECT_EQ(order.field_name(1), "tags");
  EXPECT_EQ(order.field(0), Value(7));
  EXPECT_TRUE(order["nothing"]["deeper"][9].is_null());
  EXPECT_TRUE(order[99].is_null());
  EXPECT_EQ(order.field_name(99), "");
  order.set("id", 8);
  EXPECT_EQ(order["id"], Value(8));
  EXPECT_EQ(order.size(), 3u);
  EXPECT_TRUE(order.erase("id"));
  EXPECT_FALSE(order.erase("id"));
  EXPECT_EQ(order.size(), 2u);
  EXPECT_EQ(order.field_name(0), "tags");
  Value tags = order["tags"];
  tags.set(0, "z");
  EXPECT_EQ(order["tags"][0], Value("z"));  // copies share
  EXPECT_TRUE(tags.erase(1));
  EXPECT_EQ(order["tags"].size(), 1u);
  EXPECT_EQ(Value::enumerator("Color", "RED")["name"], Value("RED"));
  EXPECT_EQ(Value::decimal("1.5").type_name(), "java.math.BigDecimal");
}

TEST(Value, MisuseIsTold) {
  Value scalar = 5;
  EXPECT_THROW(scalar.set("a", 1), Error);
  EXPECT_THROW(scalar.push_back(1), Error);
  Value list = Value::list({1});
  EXPECT_THROW(list.set(1, 2), Error);
  EXPECT_THROW(list.set("a", 2), Error);
  Value object = Value::object("X");
  EXPECT_THROW(object.set(1, 2), Error);
  try {
    object.push_back(1);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), Code::kMisuse);
    EXPECT_EQ(error.message(), "hessian::Value::push_back() needs a list: the value is an object");
  }
}

TEST(Value, LargeMapsAreIndexed) {
  Value map = Value::map();
  for (int i = 0; i < 20'000; ++i) map.set("key " + std::to_string(i), i);
  for (int i = 0; i < 20'000; i += 3) map.set("key " + std::to_string(i), -i);
  EXPECT_EQ(map.size(), 20'000u);
  EXPECT_EQ(map["key 3"], Value(-3));
  EXPECT_EQ(*map.find("key 19999"), Value(19999));
  EXPECT_EQ(map.find("key 20000"), nullptr);
  EXPECT_TRUE(map.erase("key 0"));
  EXPECT_EQ(map.find("key 0"), nullptr);
  EXPECT_EQ(map["key 1"], Value(1));
  map.set("key 0", 0);
  EXPECT_EQ(map["key 0"], Value(0));
}

TEST(Value, ObjectsOfOneShapeDoNotDisturbEachOther) {
  const Bytes bytes = hessian::to_bytes(Value::list({Value::object("A").set("x", 1),
                                                     Value::object("A").set("x", 2)}))
                          .value();
  const Value list = hessian::from_bytes<Value>(bytes.span()).value();
  Value first = list[0];
  first.set("y", 3);
  EXPECT_EQ(list[0].size(), 2u);
  EXPECT_EQ(list[1].size(), 1u);
  EXPECT_EQ(list[1].field_name(1), "");
}

TEST(Value, Equality) {
  EXPECT_NE(Value(1), Value(1LL));
  EXPECT_NE(Value(1), Value(1.0));
  EXPECT_NE(Value(), Value(0));
  EXPECT_EQ(Value(std::numeric_limits<double>::quiet_NaN()),
            Value(std::numeric_limits<double>::quiet_NaN()));
  EXPECT_EQ(Value::list({1, "a", nullptr}), Value::list({1, "a", nullptr}));
  EXPECT_NE(Value::list({1, 2}), Value::list({2, 1}));
  EXPECT_NE(Value::list({1}), Value::list("[int", {Value(1)}));
  EXPECT_EQ(Value::map({{"a", 1}, {"b", 2}}), Value::map({{"b", 2}, {"a", 1}}));
  EXPECT_NE(Value::map({{"a", 1}, {"b", 2}}), Value::map({{"b", 2}, {"c", 1}}));
  EXPECT_EQ(Value::map({{Value::list({1}), 2}}), Value::map({{Value::list({1}), 2}}));
  EXPECT_EQ(Value::object("A").set("x", 1).set("y", 2), Value::object("A").set("y", 2).set("x", 1));
  EXPECT_NE(Value::object("A").set("x", 1), Value::object("B").set("x", 1));
  EXPECT_NE(Value::object("A").set("x", 1), Value::object("A").set("y", 1));
  EXPECT_EQ(Value(Bytes("a")), Value(Bytes("a")));
}

Value ring(int length) {
  Value first = Value::object("Ring").set("n", 0);
  Value last = first;
  for (int i = 1; i < length; ++i) {
    Value next = Value::object("Ring").set("n", i % 2);
    last.set("next", next);
    last = next;
  }
  last.set("next", Value::weak(first));
  return first;
}

TEST(Value, Cycles) {
  const Value a = ring(4);
  const Value b = ring(4);
  EXPECT_EQ(a, b);
  EXPECT_EQ(a, a);
  EXPECT_NE(a, ring(3));
  // A ring of two walks the same way round as one of four.
  EXPECT_EQ(a, ring(2));
  EXPECT_EQ(ring(2).to_string(), "Ring{n: 0, next: Ring{n: 1, next: <cycle>}}");
  for (const Dialect dialect : {Dialect::kSofa3, Dialect::kHessian2}) {
    const Bytes bytes = hessian::to_bytes(a, dialect).value();
    const Value again = hessian::from_bytes<Value>(bytes.span(), dialect).value();
    EXPECT_EQ(again, a);
    EXPECT_TRUE(again["next"]["next"]["next"]["next"].same_node(again));
    EXPECT_FALSE(again["next"]["next"].same_node(again));
    EXPECT_EQ(hessian::to_bytes(again, dialect).value(), bytes);
  }
  const Value copy = a.clone();
  EXPECT_EQ(copy, a);
  EXPECT_FALSE(copy.same_node(a));
  EXPECT_TRUE(copy["next"]["next"]["next"]["next"].same_node(copy));
}

TEST(Value, WeakEdgesEndWithTheirTarget) {
  Value child = Value::object("Child");
  {
    Value parent = Value::object("Parent").set("child", child);
    child.set("parent", Value::weak(parent));
    EXPECT_EQ(child["parent"].type(), Type::kObject);
    EXPECT_TRUE(child["parent"].is_weak());
    EXPECT_EQ(child["parent"]["child"]["parent"].type_name(), "Parent");
    const Value held = child["parent"].lock();
    EXPECT_FALSE(held.is_weak());
    EXPECT_TRUE(held.same_node(parent));
  }
  EXPECT_TRUE(child["parent"].is_null());
  EXPECT_TRUE(child["parent"].lock().is_null());
  EXPECT_TRUE(child["parent"]["child"].is_null());
  EXPECT_EQ(child.size(), 1u);
  EXPECT_EQ(child.to_string(), "Child{parent: null}");
  EXPECT_EQ(hessian::to_value(child).value(), child);
  EXPECT_EQ(hessian::from_bytes<Value>(hessian::to_bytes(child)->span()).value(), child);
  Value scalar = Value::weak(Value(5));
  EXPECT_EQ(scalar, Value(5));
  EXPECT_FALSE(scalar.is_weak());
}

TEST(Value, ATargetThatWasWeakEdgedFromOutside) {
  // The owner goes first, then copies of the weak edge.
  std::vector<Value> weak;
  {
    const Value owner = Value::list({1, 2, 3});
    for (int i = 0; i < 3; ++i) weak.push_back(Value::weak(owner));
    const Value copy = weak[0];
    EXPECT_EQ(copy.size(), 3u);
  }
  for (Value& edge : weak) EXPECT_TRUE(edge.is_null());
  EXPECT_EQ(weak[0], Value());
  EXPECT_EQ(weak[0].size(), 0u);
  EXPECT_TRUE(weak[0].items().empty());
}

TEST(Value, DeepStructuresEndWithoutRecursion) {
  Value deep = 1;
  for (int i = 0; i < 1'000'000; ++i) deep = Value::list({std::move(deep)});
  const Value copy = deep.clone();
  EXPECT_EQ(deep, copy);
  EXPECT_LT(deep.to_string().size(), 5000u);
  const Result<Bytes> refused = hessian::to_bytes(deep);
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().code(), Code::kLimit);
}

TEST(Value, AssigningAPartOfItself) {
  Value value = Value::list({Value::list({Value::list({"deep inside of it"})})});
  value = value[0];
  EXPECT_EQ(value[0][0], Value("deep inside of it"));
  Value inner = value[0];
  value = std::move(inner);
  EXPECT_EQ(value[0], Value("deep inside of it"));
  value = *&value;
  EXPECT_EQ(value.size(), 1u);
}

TEST(Value, ToStringIsForPeople) {
  EXPECT_EQ(Value().to_string(), "null");
  EXPECT_EQ(Value(true).to_string(), "true");
  EXPECT_EQ(Value(5).to_string(), "5");
  EXPECT_EQ(Value(5LL).to_string(), "5L");
  EXPECT_EQ(Value(5.0).to_string(), "5.0");
  EXPECT_EQ(Value(0.1).to_string(), "0.1");
  EXPECT_EQ(Value(1e300).to_string(), "1e+300");
  EXPECT_EQ(Value("a\"b\\c\nd\x01").to_string(), "\"a\\\"b\\\\c\\nd\\u0001\"");
  EXPECT_EQ(Value(Date(std::chrono::milliseconds(1'499'875'200'123))).to_string(),
            "2017-07-12T16:00:00.123Z");
  EXPECT_EQ(Value(Date(std::chrono::milliseconds(-1))).to_string(), "1969-12-31T23:59:59.999Z");
  EXPECT_EQ(Value(Date(std::chrono::milliseconds(INT64_MAX))).to_string(),
            "date(9223372036854775807 ms)");
  EXPECT_EQ(Value(Bytes("\1\2")).to_string(), "bytes(2) 0102");
  EXPECT_EQ(Value::list("[int", {Value(1), Value(2)}).to_string(), "[int[1, 2]");
  EXPECT_EQ(Value::map({{"a", 1}, {2, "b"}}).to_string(), "{\"a\": 1, 2: \"b\"}");
  EXPECT_EQ(Value::object("A").set("x", Value::list()).to_string(), "A{x: []}");
  // Bounded, and cut between characters.
  const std::string text = Value(std::string(100, '\xc3') + "x").to_string(10);
  EXPECT_LE(text.size(), 13u);
  Value list = Value::list();
  for (int i = 0; i < 100'000; ++i) list.push_back("\u4e2d\u6587");
  EXPECT_LT(list.to_string(100).size(), 110u);
  EXPECT_EQ(list.to_string(100).substr(list.to_string(100).size() - 3), "...");
}

TEST(Value, ReadingFromManyThreads) {
  const Value shared = ring(10);
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([shared] {
      for (int n = 0; n < 1000; ++n) {
        Value at = shared;
        for (int k = 0; k < 25; ++k) at = at["next"].lock();
        EXPECT_EQ(at["n"], Value(25 % 10 % 2));
        EXPECT_FALSE(hessian::to_bytes(shared)->empty());
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
}

}  // namespace
}  // namespace settee::hessian_test
