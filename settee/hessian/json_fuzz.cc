// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0
//
// Any bytes as JSON text, for a generic value and for a struct with members of every kind. What is read
// must be written as a text that gives the same again; and a text is malformed exactly when simdjson's
// other parser, which checks everything, says so.

#include <simdjson.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "settee/base/reflect.h"
#include "settee/base/service.h"
#include "settee/hessian/json.h"

namespace json_fuzz {

enum class Color { RED, GREEN };

struct Everything {
  bool yes = false;
  std::int8_t i8 = 0;
  std::int16_t i16 = 0;
  std::int32_t i32 = 0;
  std::int64_t i64 = 0;
  char16_t c = u'c';
  float f = 0;
  double d = 0;
  std::string s;
  settee::Bytes bytes;
  settee::Date date;
  std::chrono::milliseconds wait{};
  settee::Decimal decimal;
  settee::BigInteger integer;
  Color color = Color::RED;
  std::optional<std::int32_t> boxed;
  std::unique_ptr<Everything> next;
  std::vector<Everything> list;
  settee::Array<bool> flags;
  settee::Array<char16_t> chars;
  std::set<std::string> set;
  std::map<std::string, Everything> map;
  std::map<std::int32_t, std::string> numbers;
  std::map<Color, double> colors;
  std::variant<std::int32_t, std::string, std::vector<std::int32_t>, std::optional<double>> variant;
  settee::hessian::Value any;
};

}  // namespace json_fuzz

SETTEE_ENUM(json_fuzz::Color, "com.acme.Color", RED, GREEN)
SETTEE_STRUCT(json_fuzz::Everything, "com.acme.Everything", yes, i8, i16, i32, i64, c, f, d, s, bytes,
              date, wait, decimal, integer, color, boxed, next, list, flags, chars, set, map, numbers,
              colors, variant, any)

namespace {

namespace json = settee::json;
using json_fuzz::Everything;
using settee::Code;
using settee::Result;
using settee::hessian::Value;

[[noreturn]] void fault(const char* what, std::string_view detail) {
  std::fprintf(stderr, "json_fuzz: %s: %.*s\n", what, static_cast<int>(detail.size()), detail.data());
  std::abort();
}

template <class T>
bool is_malformed(const Result<T>& result) {
  return !result.ok() && (result.error().message().starts_with("json: malformed text: ") ||
                          result.error().message().starts_with("json: the parser failed"));
}

bool is_limit(const settee::Error& error) { return error.code() == Code::kLimit; }

void compare_parsers(std::string_view text, const Result<Value>& value) {
  if (!value && value.error().message().starts_with("json: the parser failed")) {
    fault("no reason found", value.error().message());
  }
  if ((!value && is_limit(value.error())) || text.starts_with("\xef\xbb\xbf")) return;
  simdjson::dom::parser parser;
  const simdjson::error_code code = parser.parse(text.data(), text.size()).error();
  if (is_malformed(value)) {
    if (code == simdjson::SUCCESS) fault("refused what is JSON", value.error().message());
    return;
  }
  // Numbers beyond its range and surrogates that are no pair are JSON all the same.
  if (code != simdjson::SUCCESS && code != simdjson::NUMBER_ERROR && code != simdjson::STRING_ERROR) {
    fault("accepted what is no JSON", simdjson::error_message(code));
  }
}

void check_value(std::string_view text) {
  const Result<Value> value = json::parse_value(text);
  compare_parsers(text, value);
  if (!value) return;
  const std::string all = json::to_text(*value, json::Layout::kCompact, json::TypeNames::kAll);
  const Result<Value> again = json::parse_value(all);
  if (!again) {
    // The "$class" form is deeper and longer.
    if (is_limit(again.error())) return;
    fault("does not read its own text", all + ": " + again.error().message());
  }
  if (!(*again == *value)) fault("reads its own text as something else", all);
  const std::string pretty = json::to_text(*value, json::Layout::kPretty);
  if (is_malformed(json::parse_value(pretty))) fault("writes no JSON", pretty);
}

void check_struct(std::string_view text) {
  const Result<Everything> read = json::from_json<Everything>(text);
  if (!read) return;
  const Result<std::string> written = json::to_json(*read);
  if (!written) fault("cannot write what it has read", written.error().message());
  const Result<Everything> again = json::from_json<Everything>(*written);
  if (!again) {
    if (is_limit(again.error())) return;
    fault("does not read its own text", *written + ": " + again.error().message());
  }
  const Result<std::string> rewritten = json::to_json(*again);
  if (!rewritten || *rewritten != *written) fault("writes another text", *written);
}

void check_arguments(std::string_view text) {
  std::vector<std::int32_t> numbers;
  std::string name;
  Value any;
  const settee::ParameterInfo parameters[] = {
      {"numbers", &settee::type_of<std::vector<std::int32_t>>()},
      {"name", &settee::type_of<std::string>()},
      {"any", &settee::type_of<Value>()},
  };
  void* const places[] = {&numbers, &name, &any};
  const std::span<const settee::ParameterInfo> all(parameters);
  for (std::size_t n = 0; n <= all.size(); ++n) {
    const Result<void> read = json::read_arguments(text, all.first(n), places);
    if (!read && read.error().message().empty()) fault("an error without words", text);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  check_value(text);
  check_struct(text);
  check_arguments(text);
  return 0;
}
