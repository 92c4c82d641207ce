// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0
//
// What the tests of JSON share: described types, and the ways there and back.

#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "settee/base/reflect.h"
#include "settee/hessian/json.h"

namespace json_test {

namespace json = settee::json;
using settee::Code;
using settee::Result;
using settee::hessian::Value;

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

struct Defaults {
  std::int32_t number = 7;
  std::string text = "seven";
  std::vector<std::int32_t> list = {7};
  std::optional<std::int32_t> boxed = 7;
  Value any = Value("seven");
};

}  // namespace json_test

SETTEE_ENUM(json_test::Side, "com.acme.Side", BUY, SELL)
SETTEE_STRUCT(json_test::Line, "com.acme.Line", sku, count, price)
SETTEE_STRUCT(json_test::Base, "com.acme.Base", id)
SETTEE_DERIVED_STRUCT(json_test::Order, json_test::Base, "com.acme.Order", cents, side, lines,
                      boxed, parent, counts, (type_, "type"))
SETTEE_STRUCT(json_test::Defaults, "com.acme.Defaults", number, text, list, boxed, any)

namespace json_test {

/// The text of the value; "error: " and the message if it has none.
template <class T>
std::string written(const T& value, const json::WriteOptions& options = json::WriteOptions()) {
  Result<std::string> text = json::to_json(value, options);
  return text ? *text : "error: " + text.error().message();
}

/// The message of an error in reading.
inline std::string message_of(const settee::Error& error) {
  EXPECT_TRUE(error.code() == Code::kDecode || error.code() == Code::kLimit);
  return error.message();
}

/// Reads the text as a T and writes that again; the message if it is none.
template <class T>
std::string through(std::string_view text, const json::ReadOptions& options = json::ReadOptions()) {
  Result<T> value = json::from_json<T>(text, options);
  return value ? written(*value) : message_of(value.error());
}

// Apart from the template: gtest's macros in every instance of that would take long to compile.
inline void expect_both_ways(std::string_view text, const std::string& written_value,
                             const settee::Error* read_error, bool same) {
  SCOPED_TRACE(text);
  EXPECT_EQ(written_value, text);
  ASSERT_EQ(read_error, nullptr) << read_error->message();
  EXPECT_TRUE(same) << "it is read as another value";
}

/// The value is written as the text, and the text is read as an equal value.
template <class T>
void both_ways(const T& value, std::string_view text) {
  const Result<T> read = json::from_json<T>(text);
  expect_both_ways(text, written(value), read ? nullptr : &read.error(), read && *read == value);
}

inline std::string in_quotes(std::string_view inside) { return "\"" + std::string(inside) + "\""; }

}  // namespace json_test
