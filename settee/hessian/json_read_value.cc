// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0
//
// Generic values from JSON, with "$class" and without, and parse_value().

#include <fmt/format.h>

#include <algorithm>
#include <deque>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "settee/hessian/codec.h"
#include "settee/hessian/internal/json_document.h"
#include "settee/hessian/internal/json_java_class.h"
#include "settee/hessian/internal/json_reader.h"
#include "settee/hessian/internal/json_text.h"
#include "settee/hessian/internal/value_node.h"

namespace settee::inline v0::json {

namespace detail {

namespace {

constexpr std::string_view kValueKey = "$";

// A Value has its BigInteger in binary, and making that of digits takes the square of their number.
constexpr std::size_t kMostDigits = 2400;
// Java's class files end here, and Hessian's type names as well.
constexpr std::size_t kLongestClassName = 0xffff;

}  // namespace

struct Reader::Member {
  std::string_view name;
  std::uint32_t name_node;
  std::uint32_t value;
};

Reader::Annotation Reader::annotation_of(std::uint32_t at) const {
  const Document::Node& node = document_[at];
  Annotation annotation;
  bool has_name = false;
  std::uint32_t name = at + 1;
  for (std::uint32_t i = 0; i < node.size; ++i) {
    const std::string_view key = document_.inside(document_[name]);
    const std::uint32_t value = name + 1;
    const bool yes = document_[value].token == Token::kTrue;
    if (key == kClassKey) {
      has_name = is_text(value);
      annotation.name = value;
    } else if (key == kValueKey) {
      annotation.value = value;
    } else if (key == "isArray") {
      annotation.is_array = yes;
    } else if (key == "isMap") {
      annotation.is_map = yes;
    } else if (key == "isEnum") {
      annotation.is_enum = yes;
    }
    name = document_[value].next;
  }
  return has_name ? annotation : Annotation();
}

// An object's members, the last of each name. Escaped names are kept in `room`.
std::vector<Reader::Member> Reader::members_of(std::uint32_t at,
                                               std::deque<std::string>& room) const {
  std::vector<Member> members;
  const Document::Node& node = document_[at];
  members.reserve(node.size);
  std::uint32_t name = at + 1;
  for (std::uint32_t i = 0; i < node.size; ++i) {
    std::string_view key = document_.inside(document_[name]);
    if (document_[name].token == Token::kEscaped) {
      std::string& unescaped = room.emplace_back();
      unescape(key, unescaped);
      key = unescaped;
    }
    members.push_back({key, name, name + 1});
    name = document_[name + 1].next;
  }
  drop_repeated(members);
  return members;
}

// By order, not by hash: no choice of names makes this slow.
void Reader::drop_repeated(std::vector<Member>& members) {
  if (members.size() < 2) return;
  std::vector<std::uint32_t> order(members.size());
  for (std::uint32_t i = 0; i < order.size(); ++i) order[i] = i;
  std::sort(order.begin(), order.end(), [&members](std::uint32_t a, std::uint32_t b) {
    const int names = members[a].name.compare(members[b].name);
    return names != 0 ? names < 0 : a < b;
  });
  bool repeated = false;
  for (std::size_t i = 0; i + 1 < order.size(); ++i) {
    if (members[order[i]].name != members[order[i + 1]].name) continue;
    members[order[i]].value = 0;
    repeated = true;
  }
  if (repeated) std::erase_if(members, [](const Member& member) { return member.value == 0; });
}

bool Reader::any(Value& out, std::uint32_t at, const Step* up) {
  return visit(1, at, up) && visited_any(out, at, up);
}

bool Reader::visited_any(Value& out, std::uint32_t at, const Step* up) {
  const Document::Node& node = document_[at];
  switch (node.token) {
    case Token::kNull: out = Value(); return true;
    case Token::kTrue: out = Value(true); return true;
    case Token::kFalse: out = Value(false); return true;
    case Token::kNumber: return any_number(out, at, up);
    case Token::kString:
    case Token::kEscaped: return any_text(out, at, up);
    case Token::kArray: return any_list({}, {}, out, at, up);
    case Token::kObject: break;
  }
  const Annotation annotation = annotation_of(at);
  if (annotation.name == 0) return any_map({}, 0, out, at, up);
  return any_annotated(annotation, out, at, up);
}

bool Reader::any_text(Value& out, std::uint32_t at, const Step* up) {
  std::string room;
  const std::string_view found = text(at, room);
  if (!charge(found.size(), at, up)) return false;
  out = Value(found);
  return true;
}

bool Reader::any_number(Value& out, std::uint32_t at, const Step* up) {
  const std::string_view number = document_.raw(document_[at]);
  if (number.find_first_of(".eE") != std::string_view::npos) {
    double real = 0;
    if (parse_real(number, real) != NumberStatus::kOk) {
      return expected("a number that fits a double", at, up);
    }
    out = Value(real);
    return true;
  }
  std::int64_t whole = 0;
  if (parse_whole(number, whole) != NumberStatus::kOk) return big_integer(out, at, up);
  if (whole >= std::numeric_limits<std::int32_t>::min() &&
      whole <= std::numeric_limits<std::int32_t>::max()) {
    out = Value(static_cast<int>(whole));
  } else {
    out = Value(static_cast<long>(whole));
  }
  return true;
}

bool Reader::big_integer(Value& out, std::uint32_t at, const Step* up) {
  if (document_[at].size > kMostDigits) {
    return expected(fmt::format("a whole number of at most {} digits", kMostDigits), at, up);
  }
  std::optional<std::string> digits = digits_of(at, true);
  if (!digits) return expected("a whole number", at, up);
  // The Hessian codec knows the fields that Java's class has.
  Result<Value> made = hessian::to_value(BigInteger(std::move(*digits)));
  if (!made) {
    error_ = made.error();
    return false;
  }
  out = std::move(*made);
  return true;
}

// A list whose items are of the class `element`, of any if that is empty.
bool Reader::any_list(std::string_view type, std::string_view element, Value& out, std::uint32_t at,
                      const Step* up) {
  const Document::Node& node = document_[at];
  if (!charge(kNodeSize + type.size() + node.size * sizeof(Value), at, up)) return false;
  std::vector<Value> items(node.size);
  std::uint32_t child = at + 1;
  for (std::uint32_t i = 0; i < node.size; ++i) {
    const Step step{up, {}, i};
    if (element.empty() ? !any(items[i], child, &step) : !item(element, items[i], child, &step)) {
      return false;
    }
    child = document_[child].next;
  }
  out = Value::list(type, std::move(items));
  return true;
}

// A map of the object at `at`, without its member at `except`.
bool Reader::any_map(std::string_view type, std::uint32_t except, Value& out, std::uint32_t at,
                     const Step* up) {
  const Document::Node& node = document_[at];
  if (!charge(kNodeSize + type.size() + node.size * sizeof(Value::Entry), at, up)) return false;
  std::deque<std::string> room;
  const std::vector<Member> members = members_of(at, room);
  std::vector<Value::Entry> entries;
  entries.reserve(members.size());
  for (const Member& member : members) {
    if (member.value == except) continue;
    if (!charge(member.name.size(), at, up)) return false;
    const Step step = step_to(member.name_node, up);
    Value::Entry& entry = entries.emplace_back();
    entry.key = Value(member.name);
    if (!any(entry.value, member.value, &step)) return false;
  }
  out = Value::map(type, std::move(entries));
  return true;
}

bool Reader::any_pairs(std::string_view type, Value& out, std::uint32_t at, const Step* up) {
  const Document::Node& node = document_[at];
  if (!charge(kNodeSize + type.size() + node.size * sizeof(Value::Entry), at, up)) return false;
  std::vector<Value::Entry> entries(node.size);
  std::uint32_t pair = at + 1;
  for (std::uint32_t i = 0; i < node.size; ++i) {
    const Step step{up, {}, i};
    if (document_[pair].token != Token::kArray || document_[pair].size != 2) {
      return expected("a pair of key and value", pair, &step);
    }
    const Step key{&step, {}, 0};
    const Step value{&step, {}, 1};
    if (!any(entries[i].key, pair + 1, &key) ||
        !any(entries[i].value, document_[pair + 1].next, &value)) {
      return false;
    }
    pair = document_[pair].next;
  }
  out = Value::map(type, std::move(entries));
  return true;
}

// An object with the members at `at`, without the one at `except`.
bool Reader::any_object(std::string_view type, std::uint32_t except, Value& out, std::uint32_t at,
                        const Step* up) {
  const Document::Node& node = document_[at];
  if (!charge(2 * kNodeSize + type.size() + node.size * (sizeof(Value) + sizeof(std::string)), at,
              up)) {
    return false;
  }
  std::deque<std::string> room;
  const std::vector<Member> members = members_of(at, room);
  // Not by Value::set(), which looks for the field first.
  auto shape = std::make_unique<hessian::detail::Shape>(type);
  std::vector<Value> fields;
  fields.reserve(members.size());
  for (const Member& member : members) {
    if (member.value == except) continue;
    if (!charge(member.name.size(), at, up)) return false;
    const Step step = step_to(member.name_node, up);
    if (!any(fields.emplace_back(), member.value, &step)) return false;
    shape->fields.emplace_back(member.name);
  }
  auto object =
      std::make_unique<hessian::detail::ObjectNode>(hessian::detail::ShapePointer(shape.release()));
  object->fields = std::move(fields);
  out = hessian::detail::ValueAccess::adopt(object.release());
  return true;
}

bool Reader::any_annotated(const Annotation& annotation, Value& out, std::uint32_t at,
                           const Step* up) {
  std::string room;
  const std::string_view name = text(annotation.name, room);
  if (!check_class(name, annotation.name, up)) return false;
  if (annotation.value != 0) {
    const Step step{up, kValueKey};
    if (annotation.is_array && !array_type(name)) {
      return of_array({1, name}, out, annotation.value, &step);
    }
    return of_class(name, annotation.is_map, out, annotation.value, &step);
  }
  const JavaName type = java_type(name);
  if (type.kind == JavaKind::kMap) return any_map(type.hessian, annotation.name, out, at, up);
  if (type.kind == JavaKind::kObject && !array_type(name)) {
    return any_object(name, annotation.name, out, at, up);
  }
  return expected(fmt::format("the value of the {} behind \"$\"", excerpt(name)), at, up);
}

bool Reader::check_class(std::string_view name, std::uint32_t at, const Step* up) {
  if (!name.empty() && name.size() <= kLongestClassName) return true;
  return expected(fmt::format("a class name of 1 to {} bytes", kLongestClassName), at, up);
}

// An argument or an item of an array of `name`s: what it says itself of its class comes first.
bool Reader::item(std::string_view name, Value& out, std::uint32_t at, const Step* up) {
  if (document_[at].token == Token::kObject) {
    const Annotation annotation = annotation_of(at);
    if (annotation.name != 0) return any_annotated(annotation, out, at, up);
  }
  return of_class(name, false, out, at, up);
}

bool Reader::of_array(ArrayType type, Value& out, std::uint32_t at, const Step* up) {
  const Token token = document_[at].token;
  if (token == Token::kNull) {
    out = Value();
    return true;
  }
  const JavaKind kind = java_type(type.element).kind;
  const bool primitive = type.dimensions == 1 && type.element.find('.') == std::string_view::npos;
  if (primitive && kind == JavaKind::kByte) {
    if (is_text(at)) {
      Bytes made;
      if (!bytes(made, "a string of Base64 or an array of bytes", at, up)) return false;
      out = Value(std::move(made));
      return true;
    }
    return of_bytes(out, at, up);
  }
  if (primitive && kind == JavaKind::kChar && is_text(at)) return any_text(out, at, up);
  if (token != Token::kArray) return expected("an array", at, up);
  const std::string tag = array_tag(type);
  if (type.dimensions == 1) return any_list(tag, type.element, out, at, up);
  return any_list(tag, std::string_view(tag).substr(1), out, at, up);
}

// byte[] as an array of numbers, signed as in Java or not as in Node.
bool Reader::of_bytes(Value& out, std::uint32_t at, const Step* up) {
  const Document::Node& node = document_[at];
  if (node.token != Token::kArray) {
    return expected("a string of Base64 or an array of bytes", at, up);
  }
  if (!charge(node.size, at, up)) return false;
  std::vector<std::uint8_t> made;
  made.reserve(node.size);
  std::uint32_t child = at + 1;
  for (std::uint32_t i = 0; i < node.size; ++i) {
    std::int64_t byte = 0;
    if (document_[child].token != Token::kNumber ||
        parse_whole(document_.raw(document_[child]), byte) != NumberStatus::kOk || byte < -128 ||
        byte > 255) {
      const Step step{up, {}, i};
      return expected("a byte, from -128 to 255", child, &step);
    }
    made.push_back(static_cast<std::uint8_t>(byte));
    child = document_[child].next;
  }
  out = Value(Bytes(std::span<const std::uint8_t>(made)));
  return true;
}

template <class Number, class Made>
bool Reader::of_whole(const char* java, Value& out, std::uint32_t at, const Step* up) {
  Number number{};
  if (document_[at].token != Token::kNumber ||
      !store_whole<Number>(&number, document_.raw(document_[at]))) {
    return expected(
        fmt::format("a whole number from {} to {} for a {}", std::numeric_limits<Number>::min(),
                    std::numeric_limits<Number>::max(), java),
        at, up);
  }
  out = Value(static_cast<Made>(number));
  return true;
}

bool Reader::of_real(bool is_float, Value& out, std::uint32_t at, const Step* up) {
  const Document::Node& node = document_[at];
  const Kind kind = is_float ? Kind::kFloat : Kind::kDouble;
  float narrow = 0;
  double wide = 0;
  void* place = is_float ? static_cast<void*>(&narrow) : &wide;
  const bool fits = node.token == Token::kNumber   ? number(kind, place, document_.raw(node))
                    : node.token == Token::kString ? not_finite(kind, place, document_.inside(node))
                                                   : false;
  if (!fits) {
    return expected(is_float ? "a number that fits a float" : "a number that fits a double", at,
                    up);
  }
  out = Value(is_float ? static_cast<double>(narrow) : wide);
  return true;
}

// The value at `at` as one of the Java class `name`.
bool Reader::of_class(std::string_view name, bool is_map, Value& out, std::uint32_t at,
                      const Step* up) {
  const Document::Node& node = document_[at];
  if (!visit(1, at, up)) return false;
  if (node.token == Token::kNull) {
    out = Value();
    return true;
  }
  if (const std::optional<ArrayType> array = array_type(name)) return of_array(*array, out, at, up);
  JavaName type = java_type(name);
  if (is_map && type.kind == JavaKind::kObject) type.kind = JavaKind::kMap;
  switch (type.kind) {
    case JavaKind::kBool:
      if (node.token != Token::kTrue && node.token != Token::kFalse) {
        return expected("true or false", at, up);
      }
      out = Value(node.token == Token::kTrue);
      return true;
    case JavaKind::kByte: return of_whole<std::int8_t, int>("byte", out, at, up);
    case JavaKind::kShort: return of_whole<std::int16_t, int>("short", out, at, up);
    case JavaKind::kInt: return of_whole<std::int32_t, int>("int", out, at, up);
    case JavaKind::kLong: return of_whole<std::int64_t, long>("long", out, at, up);
    case JavaKind::kFloat: return of_real(true, out, at, up);
    case JavaKind::kDouble: return of_real(false, out, at, up);
    case JavaKind::kChar: {
      char16_t unit = 0;
      if (!is_text(at) || !character(&unit, at)) {
        return expected("a string of one UTF-16 unit", at, up);
      }
      return any_text(out, at, up);
    }
    case JavaKind::kString:
      return is_text(at) ? any_text(out, at, up) : expected("a string", at, up);
    case JavaKind::kDate: {
      Date when;
      if (node.token == Token::kNumber   ? !number(Kind::kDate, &when, document_.raw(node))
          : node.token == Token::kString ? !date(&when, document_.inside(node))
                                         : true) {
        return expected(expectation(type_of<Date>()), at, up);
      }
      out = Value(when);
      return true;
    }
    case JavaKind::kDecimal: {
      if (node.token != Token::kNumber && !is_text(at)) return expected("a decimal number", at, up);
      if (!charge(node.size, at, up)) return false;
      std::optional<std::string> digits = digits_of(at, false);
      if (!digits) return expected("a decimal number", at, up);
      out = Value::decimal(*digits);
      return true;
    }
    case JavaKind::kBigInteger:
      if (node.token != Token::kNumber && !is_text(at)) return expected("a whole number", at, up);
      return big_integer(out, at, up);
    case JavaKind::kAnything: return visited_any(out, at, up);
    case JavaKind::kList:
      if (node.token != Token::kArray) return expected("an array", at, up);
      return any_list(type.hessian, {}, out, at, up);
    case JavaKind::kMap:
      if (node.token == Token::kObject) return any_map(type.hessian, 0, out, at, up);
      if (node.token == Token::kArray) return any_pairs(type.hessian, out, at, up);
      return expected("an object or an array of pairs", at, up);
    case JavaKind::kObject: break;
  }
  if (!check_class(name, at, up)) return false;
  switch (node.token) {
    case Token::kObject: return any_object(name, 0, out, at, up);
    case Token::kArray: return any_list(name, {}, out, at, up);
    case Token::kString:
    case Token::kEscaped: {
      std::string room;
      const std::string_view constant = text(at, room);
      if (!charge(2 * kNodeSize + constant.size() + name.size(), at, up)) return false;
      out = Value::enumerator(name, constant);
      return true;
    }
    default:
      return expected(
          fmt::format("an object, or the name of a constant, of {}", excerpt(name, 100)), at, up);
  }
}

}  // namespace detail

Result<hessian::Value> parse_value(std::string_view text, const ReadOptions& options) {
  detail::Document document;
  if (Result<void> parsed = document.parse(text, options.limits); !parsed) return parsed.error();
  detail::Reader reader(document, options);
  Result<hessian::Value> result = hessian::Value();
  if (reader.read_value(*result, 0, nullptr)) return result;
  return reader.take_error();
}

}  // namespace settee::inline v0::json
