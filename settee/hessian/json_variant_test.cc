// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0
//
// Variants in JSON, and the class names that tell their alternatives apart.

#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "settee/hessian/json_test_data.h"

namespace json_test {

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

// Variants within variants, two alternatives of each fit: what makes careless readers take
// exponential time.
template <int n>
struct Level {
  std::variant<std::vector<Level<n - 1>>, settee::Array<Level<n - 1>>, std::int32_t> a;
};
template <>
struct Level<0> {
  std::int32_t a = 0;
};

}  // namespace json_test

SETTEE_STRUCT(json_test::Circle, "com.acme.Circle", radius)
SETTEE_STRUCT(json_test::Square, "com.acme.Square", side, name)
SETTEE_STRUCT(json_test::Shape, "com.acme.Shape", form, items)
template <int n>
struct settee::Describe<json_test::Level<n>> : settee::detail::DescribedStruct {
  static constexpr std::string_view kName = "com.acme.Level";
  SETTEE_DETAIL_MEMBERS(json_test::Level<n>, (SETTEE_DETAIL_OWN_MEMBERS(json_test::Level<n>, a)))
};

namespace json_test {
namespace {

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
  EXPECT_EQ(
      through<Shape>(R"({"form":[]})"),
      "json: $.form: expected an object, a com.acme.Circle, or an object, a com.acme.Square, or a "
      "string, or a whole number from -2147483648 to 2147483647, found an empty array at byte 8");
  // Where only one can be meant, its own error is told.
  EXPECT_EQ(
      through<Shape>(R"({"form":1.5})"),
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

TEST(Json, ClassNames) {
  json::WriteOptions options;
  options.type_names = json::TypeNames::kObjects;
  EXPECT_EQ(written(std::vector<Line>{{}}, options),
            R"([{"$class":"com.acme.Line","sku":"","count":1,"price":0.0}])");
  Shape shape;
  shape.form = Square{1, "s"};
  const std::string text = written(shape, options);
  EXPECT_EQ(
      text,
      R"({"$class":"com.acme.Shape","form":{"$class":"com.acme.Square","side":1.0,"name":"s"},)"
      R"("items":[]})");
  Result<Shape> again = json::from_json<Shape>(text);
  ASSERT_TRUE(again);
  EXPECT_EQ(again->form.index(), 1u);
}

}  // namespace
}  // namespace json_test
