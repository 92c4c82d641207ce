// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0
//
// The arguments of a method in JSON.

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "settee/base/service.h"
#include "settee/hessian/json_test_data.h"

namespace json_test {
namespace {

using settee::Buffer;
using settee::ParameterInfo;
using settee::type_of;

struct Call {
  std::vector<ParameterInfo> parameters;
  std::vector<void*> places;

  template <class T>
  Call& with(std::string_view name, T& place) {
    parameters.push_back({name, &type_of<T>()});
    places.push_back(&place);
    return *this;
  }
  std::string read(std::string_view text,
                   const json::ReadOptions& options = json::ReadOptions()) const {
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
  EXPECT_EQ(call.read("5"),
            "argument name: json: $: expected a string, found the number 5 at byte 0");
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
  EXPECT_EQ(
      call.read(R"([1,"2"])"),
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
  for (const char* text : {"5", "[5]", R"({"any":5})", "null", "[]"})
    EXPECT_EQ(call.read(text), text);
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
  EXPECT_EQ(
      call.read(R"(["A",null,null])"),
      "argument count: json: $[1]: expected a whole number from -2147483648 to 2147483647, found "
      "null at byte 5");
  EXPECT_EQ(
      call.read(R"(["A",{},null])"),
      "argument count: json: $[1]: expected a whole number from -2147483648 to 2147483647, found "
      "an empty object at byte 5");
  EXPECT_EQ(
      call.read("\"A\""),
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
  EXPECT_EQ(
      parsed("[1,\"x\"]", {"long", "long"}),
      "json: $[1]: expected a whole number from -9223372036854775808 to 9223372036854775807 for a "
      "long, found the string \"x\" at byte 3");
}

}  // namespace
}  // namespace json_test
