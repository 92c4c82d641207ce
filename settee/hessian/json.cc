// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0
//
// Reading. Writing is in json_write.cc.

#include "settee/hessian/json.h"

#include <fmt/format.h>

#include <algorithm>
#include <deque>
#include <limits>
#include <memory>
#include <optional>
#include <utility>

#include "settee/base/service.h"
#include "settee/hessian/codec.h"
#include "settee/hessian/internal/json_document.h"
#include "settee/hessian/internal/json_text.h"
#include "settee/hessian/internal/value_node.h"

namespace settee::inline v0::json {

using detail::Document;
using detail::NumberStatus;
using detail::Step;
using detail::Token;
using hessian::Value;

namespace {

constexpr std::string_view kClassKey = "$class";
constexpr std::string_view kValueKey = "$";

// A Value has its BigInteger in binary, and making that of digits takes the square of their number.
constexpr std::size_t kMostDigits = 2400;
// Java's class files end here, and Hessian's type names as well.
constexpr std::size_t kLongestClassName = 0xffff;
// What a container of a Value costs besides its items, for the limit on bytes.
constexpr std::size_t kNodeSize = 64;

// What "$class" may name other than a class of one's own.
enum class JavaKind : std::uint8_t {
  kBool,
  kByte,
  kShort,
  kInt,
  kLong,
  kFloat,
  kDouble,
  kChar,
  kString,
  kDate,
  kDecimal,
  kBigInteger,
  kAnything,
  kList,
  kMap,
  kObject,
};

struct JavaName {
  std::string_view name;
  JavaKind kind;
  std::string_view hessian = {};  // of collections: the type name that Java would write
};

constexpr JavaName kJavaNames[] = {
    {"boolean", JavaKind::kBool},
    {"byte", JavaKind::kByte},
    {"short", JavaKind::kShort},
    {"int", JavaKind::kInt},
    {"long", JavaKind::kLong},
    {"float", JavaKind::kFloat},
    {"double", JavaKind::kDouble},
    {"char", JavaKind::kChar},
    {"string", JavaKind::kString},
    {"date", JavaKind::kDate},
    {"object", JavaKind::kAnything},
    {"java.lang.Boolean", JavaKind::kBool},
    {"java.lang.Byte", JavaKind::kByte},
    {"java.lang.Short", JavaKind::kShort},
    {"java.lang.Integer", JavaKind::kInt},
    {"java.lang.Long", JavaKind::kLong},
    {"java.lang.Float", JavaKind::kFloat},
    {"java.lang.Double", JavaKind::kDouble},
    {"java.lang.Character", JavaKind::kChar},
    {"java.lang.String", JavaKind::kString},
    {"java.lang.CharSequence", JavaKind::kString},
    {"java.lang.Number", JavaKind::kAnything},
    {"java.lang.Object", JavaKind::kAnything},
    {"java.io.Serializable", JavaKind::kAnything},
    {"java.util.Date", JavaKind::kDate},
    {"java.math.BigDecimal", JavaKind::kDecimal},
    {"java.math.BigInteger", JavaKind::kBigInteger},
    {"java.util.List", JavaKind::kList},
    {"java.util.ArrayList", JavaKind::kList},
    {"java.util.Collection", JavaKind::kList},
    {"java.lang.Iterable", JavaKind::kList},
    {"java.util.LinkedList", JavaKind::kList, "java.util.LinkedList"},
    {"java.util.Vector", JavaKind::kList, "java.util.Vector"},
    {"java.util.Set", JavaKind::kList, "java.util.HashSet"},
    {"java.util.HashSet", JavaKind::kList, "java.util.HashSet"},
    {"java.util.LinkedHashSet", JavaKind::kList, "java.util.LinkedHashSet"},
    {"java.util.SortedSet", JavaKind::kList, "java.util.TreeSet"},
    {"java.util.TreeSet", JavaKind::kList, "java.util.TreeSet"},
    {"java.util.Map", JavaKind::kMap},
    {"java.util.HashMap", JavaKind::kMap},
    {"java.util.LinkedHashMap", JavaKind::kMap, "java.util.LinkedHashMap"},
    {"java.util.SortedMap", JavaKind::kMap, "java.util.TreeMap"},
    {"java.util.TreeMap", JavaKind::kMap, "java.util.TreeMap"},
    {"java.util.Hashtable", JavaKind::kMap, "java.util.Hashtable"},
    {"java.util.Properties", JavaKind::kMap, "java.util.Properties"},
    {"java.util.concurrent.ConcurrentMap", JavaKind::kMap,
     "java.util.concurrent.ConcurrentHashMap"},
    {"java.util.concurrent.ConcurrentHashMap", JavaKind::kMap,
     "java.util.concurrent.ConcurrentHashMap"},
};

JavaName java_type(std::string_view name) noexcept {
  for (const JavaName& known : kJavaNames) {
    if (known.name == name) return known;
  }
  const bool map = name.starts_with("java.util.") && name.ends_with("Map");
  return {name, map ? JavaKind::kMap : JavaKind::kObject, name};
}

// An array class in any of the ways to write one: "[I" and "[Lcom.acme.Order;" as Java's reflection,
// "[int" and "[com.acme.Order" as Hessian, "int[]" and "com.acme.Order[]" as Java's source.
struct ArrayType {
  std::size_t dimensions = 0;
  std::string_view element;
};

std::optional<ArrayType> array_type(std::string_view name) noexcept {
  ArrayType type;
  while (name.size() > 2 && name.substr(name.size() - 2) == "[]") {
    name.remove_suffix(2);
    ++type.dimensions;
  }
  if (type.dimensions == 0) {
    while (name.size() > 1 && name[0] == '[') {
      name.remove_prefix(1);
      ++type.dimensions;
    }
    if (type.dimensions == 0) return std::nullopt;
    if (name.size() == 1) {
      switch (name[0]) {
        case 'Z': name = "boolean"; break;
        case 'B': name = "byte"; break;
        case 'S': name = "short"; break;
        case 'I': name = "int"; break;
        case 'J': name = "long"; break;
        case 'F': name = "float"; break;
        case 'D': name = "double"; break;
        case 'C': name = "char"; break;
        default: break;
      }
    } else if (name.size() > 2 && name.front() == 'L' && name.back() == ';') {
      name = name.substr(1, name.size() - 2);
    }
  }
  type.element = name;
  return type;
}

// The type name that Hessian gives such an array.
std::string array_tag(const ArrayType& type) {
  std::string tag(type.dimensions, '[');
  if (type.element == "java.lang.String") {
    tag += "string";
  } else if (type.element == "java.lang.Object") {
    tag += "object";
  } else if (type.element == "java.util.Date") {
    tag += "date";
  } else {
    tag += type.element;
  }
  return tag;
}

bool is_nullable(const TypeInfo& type) noexcept {
  switch (type.kind) {
    case Kind::kOptional:
    case Kind::kPointer:
    case Kind::kAny:
      return true;
    case Kind::kVariant:
      return std::any_of(type.alternatives.begin(), type.alternatives.end(),
                         [](const TypeInfo* alternative) { return is_nullable(*alternative); });
    default:
      return false;
  }
}

// Whether null is an error at the top, as it is for Java's primitive types.
bool is_primitive(Kind kind) noexcept {
  switch (kind) {
    case Kind::kBool:
    case Kind::kInt8:
    case Kind::kInt16:
    case Kind::kInt32:
    case Kind::kInt64:
    case Kind::kChar16:
    case Kind::kFloat:
    case Kind::kDouble:
    case Kind::kDuration:
      return true;
    default:
      return false;
  }
}

// Whether a value of the type may be such a text; a variant tries no others.
bool may_be(const TypeInfo& type, Token token) noexcept {
  const bool number = token == Token::kNumber;
  const bool text = token == Token::kString || token == Token::kEscaped;
  switch (type.kind) {
    case Kind::kBool: return token == Token::kTrue || token == Token::kFalse;
    case Kind::kInt8:
    case Kind::kInt16:
    case Kind::kInt32:
    case Kind::kInt64:
    case Kind::kDuration:
      return number;
    case Kind::kFloat:
    case Kind::kDouble:
    case Kind::kDate:
    case Kind::kDecimal:
    case Kind::kBigInteger:
      return number || text;
    case Kind::kChar16:
    case Kind::kString:
    case Kind::kBytes:
    case Kind::kEnum:
      return text;
    case Kind::kStruct:
    case Kind::kMap:
      return token == Token::kObject;
    case Kind::kList:
    case Kind::kSet:
      return token == Token::kArray;
    case Kind::kArray:
      return token == Token::kArray || (text && type.element->kind == Kind::kChar16);
    case Kind::kOptional:
    case Kind::kPointer:
      return token == Token::kNull || may_be(*type.element, token);
    case Kind::kVariant:
      return std::any_of(type.alternatives.begin(), type.alternatives.end(),
                         [token](const TypeInfo* alternative) { return may_be(*alternative, token); });
    case Kind::kAny: return true;
    case Kind::kVoid:
    case Kind::kMessage:
      return false;
  }
  return false;
}

const TypeInfo& without_null(const TypeInfo& type) noexcept {
  const TypeInfo* inner = &type;
  while (inner->kind == Kind::kOptional || inner->kind == Kind::kPointer) inner = inner->element;
  return *inner;
}

std::string expectation(const TypeInfo& type) {
  const auto whole = [](auto zero) {
    using Number = decltype(zero);
    return fmt::format("a whole number from {} to {}", std::numeric_limits<Number>::min(),
                       std::numeric_limits<Number>::max());
  };
  switch (type.kind) {
    case Kind::kVoid: return "nothing";
    case Kind::kBool: return "true or false";
    case Kind::kInt8: return whole(std::int8_t{});
    case Kind::kInt16: return whole(std::int16_t{});
    case Kind::kInt32: return whole(std::int32_t{});
    case Kind::kInt64: return "a whole number of 64 bits";
    case Kind::kChar16: return "a string of one UTF-16 unit";
    case Kind::kFloat: return "a number that fits a float";
    case Kind::kDouble: return "a number that fits a double";
    case Kind::kString: return "a string";
    case Kind::kBytes: return "a string of Base64";
    case Kind::kDate: return "a whole number of milliseconds or a date like \"2024-05-01T12:00:00Z\"";
    case Kind::kDuration: return "a whole number of milliseconds";
    case Kind::kDecimal: return "a decimal number";
    case Kind::kBigInteger: return "a whole number";
    case Kind::kEnum: {
      std::string names;
      std::size_t listed = 0;
      for (const EnumeratorInfo& enumerator : type.enumerators) {
        if (listed != 0) names += ", ";
        if (++listed > 12) {
          names += "...";
          break;
        }
        names += enumerator.name;
      }
      return fmt::format("the name of a {} ({})", type.name, names);
    }
    case Kind::kStruct: return fmt::format("an object, a {}", type.name);
    case Kind::kList:
    case Kind::kArray:
    case Kind::kSet:
      return "an array";
    case Kind::kMap: return "an object";
    case Kind::kOptional:
    case Kind::kPointer:
      return expectation(*type.element) + " or null";
    case Kind::kVariant: {
      std::string text;
      for (const TypeInfo* alternative : type.alternatives) {
        if (!text.empty()) text += ", or ";
        text += expectation(*alternative);
      }
      return text;
    }
    case Kind::kAny: return "a value";
    case Kind::kMessage: return "something other than a protobuf message, which has no form in JSON";
  }
  return "a value";
}

class Reader {
 public:
  Reader(const Document& document, const ReadOptions& options)
      : document_(document), options_(options) {}

  /// The error of the read that failed.
  Error take_error() { return std::move(*error_); }

  /// Reads node `at` into the object of type `type` at `out`. At the top null is no primitive.
  bool read_top(const TypeInfo& type, void* out, std::uint32_t at, const Step* up) {
    if (document_[at].token == Token::kNull && is_primitive(type.kind)) {
      return expected(expectation(type), at, up);
    }
    return read(type, out, at, up);
  }

  /// The same, but with false it may also be tried otherwise: there is no error yet, unless a limit was
  /// exceeded.
  bool try_top(const TypeInfo& type, void* out, std::uint32_t at, const Step* up) {
    ++trials_;
    const bool fits = read_top(type, out, at, up);
    --trials_;
    if (!fits) {
      places_.clear();
      visited_ = bytes_ = 0;
    }
    return fits;
  }
  bool exceeded() const noexcept { return error_.has_value(); }

  bool read_value(Value& out, std::uint32_t at, const Step* up) { return any(out, at, up); }
  bool read_value(std::string_view java_class, Value& out, std::uint32_t at, const Step* up) {
    return item(java_class, out, at, up);
  }

  /// Fails because node `at` is something else.
  bool expected(std::string_view what, std::uint32_t at, const Step* up) {
    if (trials_ > 0) return false;
    error_ = Error(Code::kDecode, fmt::format("json: {}: expected {}, found {} at byte {}",
                                              detail::path_text(up), what, describe(at),
                                              document_.offset(document_[at])));
    return false;
  }

  /// A name's or string's text; escapes are replaced in `room`.
  std::string_view text(std::uint32_t at, std::string& room) const {
    const Document::Node& node = document_[at];
    if (node.token == Token::kString) return document_.inside(node);
    room.clear();
    detail::unescape(document_.inside(node), room);
    return room;
  }

  Step step_to(std::uint32_t name, const Step* up) const noexcept {
    const Document::Node& node = document_[name];
    return {up, document_.inside(node), 0, node.token == Token::kEscaped};
  }

 private:
  // Fills the elements of sets and maps.
  class Filler final : public ElementFiller {
   public:
    Filler(Reader& reader, const TypeInfo& type, const Step* up)
        : reader_(reader), type_(type), up_(up) {}
    void set(std::uint32_t name, std::uint32_t value) noexcept {
      name_ = name;
      value_ = value;
    }
    Result<void> fill_key(void* key) override {
      if (reader_.key(*type_.key, key, name_, up_)) return {};
      return stopped();
    }
    Result<void> fill_value(void* value) override {
      if (reader_.read(*type_.element, value, value_, up_)) return {};
      return stopped();
    }

   private:
    // The reader has the error that counts.
    static Error stopped() { return Error(Code::kDecode, "json: stopped"); }

    Reader& reader_;
    const TypeInfo& type_;
    const Step* up_;
    std::uint32_t name_ = 0;
    std::uint32_t value_ = 0;
  };

  bool is_text(std::uint32_t at) const noexcept {
    const Token token = document_[at].token;
    return token == Token::kString || token == Token::kEscaped;
  }

  std::string describe(std::uint32_t at) const {
    const Document::Node& node = document_[at];
    switch (node.token) {
      case Token::kNull: return "null";
      case Token::kTrue: return "true";
      case Token::kFalse: return "false";
      case Token::kNumber: return "the number " + detail::excerpt(document_.raw(node));
      case Token::kString:
      case Token::kEscaped:
        return "the string \"" + detail::excerpt(document_.inside(node)) + "\"";
      case Token::kArray: return node.size == 0 ? "an empty array" : fmt::format("an array of {}", node.size);
      case Token::kObject: return node.size == 0 ? "an empty object" : "an object";
    }
    return "a value";
  }

  // Limits end trials, too.
  bool over(const char* name, std::uint64_t limit, std::uint32_t at, const Step* up) {
    error_ = Error(Code::kLimit,
                   fmt::format("json: {}: limit '{}' of {} exceeded at byte {}",
                               detail::path_text(up), name, limit, document_.offset(document_[at])));
    return false;
  }
  bool charge(std::uint64_t bytes, std::uint32_t at, const Step* up) {
    bytes_ += bytes;
    if (bytes_ > options_.limits.bytes) [[unlikely]] {
      return over("bytes", options_.limits.bytes, at, up);
    }
    return true;
  }
  bool visit(std::uint64_t nodes, std::uint32_t at, const Step* up) {
    visited_ += nodes;
    if (visited_ > options_.limits.nodes) [[unlikely]] {
      return over("nodes", options_.limits.nodes, at, up);
    }
    return true;
  }

  // --- described types ---------------------------------------------------------------------------

  bool read(const TypeInfo& type, void* out, std::uint32_t at, const Step* up) {
    const Document::Node& node = document_[at];
    if (!visit(1, at, up)) [[unlikely]] return false;
    if (node.token == Token::kNull) return null(type, out, at, up);
    switch (type.kind) {
      case Kind::kVoid: return true;
      case Kind::kBool:
        if (node.token != Token::kTrue && node.token != Token::kFalse) break;
        *static_cast<bool*>(out) = node.token == Token::kTrue;
        return true;
      case Kind::kInt8:
      case Kind::kInt16:
      case Kind::kInt32:
      case Kind::kInt64:
      case Kind::kDuration:
        if (node.token != Token::kNumber || !number(type.kind, out, document_.raw(node))) break;
        return true;
      case Kind::kFloat:
      case Kind::kDouble:
        if (node.token == Token::kNumber) {
          if (!number(type.kind, out, document_.raw(node))) break;
          return true;
        }
        if (node.token != Token::kString || !not_finite(type.kind, out, document_.inside(node))) break;
        return true;
      case Kind::kDate:
        if (node.token == Token::kNumber) {
          if (!number(type.kind, out, document_.raw(node))) break;
          return true;
        }
        if (node.token != Token::kString || !date(out, document_.inside(node))) break;
        return true;
      case Kind::kDecimal:
      case Kind::kBigInteger:
        if (node.token != Token::kNumber && !is_text(at)) break;
        return digits(type, out, at, up);
      case Kind::kChar16:
        if (!is_text(at) || !character(out, at)) break;
        return true;
      case Kind::kString:
        if (!is_text(at)) break;
        return string(*static_cast<std::string*>(out), at, up);
      case Kind::kBytes:
        if (!is_text(at)) break;
        return bytes(*static_cast<Bytes*>(out), "a string of Base64", at, up);
      case Kind::kEnum: {
        if (!is_text(at)) break;
        std::string room;
        if (!enumerator(type, out, text(at, room))) break;
        return true;
      }
      case Kind::kStruct: return structure(type, out, at, up);
      case Kind::kOptional:
      case Kind::kPointer:
        return read(*type.element, type.emplace(out), at, up);
      case Kind::kArray:
        if (type.element->kind == Kind::kChar16 && is_text(at)) return characters(type, out, at, up);
        return list(type, out, at, up);
      case Kind::kList: return list(type, out, at, up);
      case Kind::kSet: return set(type, out, at, up);
      case Kind::kMap: return map(type, out, at, up);
      case Kind::kVariant: return variant(type, out, at, up);
      case Kind::kAny: return visited_any(*static_cast<Value*>(out), at, up);
      case Kind::kMessage: break;
    }
    return expected_type(type, at, up);
  }

  __attribute__((noinline, cold)) bool expected_type(const TypeInfo& type, std::uint32_t at,
                                                     const Step* up) {
    if (trials_ > 0) return false;
    return expected(expectation(type), at, up);
  }

  bool null(const TypeInfo& type, void* out, std::uint32_t at, const Step* up) {
    switch (type.kind) {
      case Kind::kOptional:
      case Kind::kPointer:
        type.reset(out);
        return true;
      case Kind::kAny:
        *static_cast<Value*>(out) = Value();
        return true;
      case Kind::kVariant:
        for (std::size_t i = 0; i < type.alternatives.size(); ++i) {
          if (is_nullable(*type.alternatives[i])) {
            return null(*type.alternatives[i], type.emplace_alternative(out, i), at, up);
          }
        }
        return true;
      case Kind::kMessage: return expected_type(type, at, up);
      default: return true;
    }
  }

  template <class T>
  static bool store_whole(void* out, std::string_view number) noexcept {
    std::int64_t whole = 0;
    if (detail::parse_whole(number, whole) != NumberStatus::kOk ||
        whole < std::numeric_limits<T>::min() || whole > std::numeric_limits<T>::max()) {
      return false;
    }
    *static_cast<T*>(out) = static_cast<T>(whole);
    return true;
  }

  // Stores a JSON number; false if the type does not have it.
  static bool number(Kind kind, void* out, std::string_view number) noexcept {
    switch (kind) {
      case Kind::kInt8: return store_whole<std::int8_t>(out, number);
      case Kind::kInt16: return store_whole<std::int16_t>(out, number);
      case Kind::kInt32: return store_whole<std::int32_t>(out, number);
      case Kind::kInt64: return store_whole<std::int64_t>(out, number);
      case Kind::kFloat:
        return detail::parse_real(number, *static_cast<float*>(out)) == NumberStatus::kOk;
      case Kind::kDouble:
        return detail::parse_real(number, *static_cast<double*>(out)) == NumberStatus::kOk;
      default: break;
    }
    std::int64_t millis = 0;
    if (detail::parse_whole(number, millis) != NumberStatus::kOk) return false;
    if (kind == Kind::kDate) {
      *static_cast<Date*>(out) = Date(std::chrono::milliseconds(millis));
    } else {
      *static_cast<std::chrono::milliseconds*>(out) = std::chrono::milliseconds(millis);
    }
    return true;
  }

  template <class T>
  static std::optional<T> special(std::string_view text) noexcept {
    if (text == "NaN") return std::numeric_limits<T>::quiet_NaN();
    if (text == "Infinity") return std::numeric_limits<T>::infinity();
    if (text == "-Infinity") return -std::numeric_limits<T>::infinity();
    return std::nullopt;
  }
  static bool not_finite(Kind kind, void* out, std::string_view text) noexcept {
    if (kind == Kind::kFloat) {
      const std::optional<float> value = special<float>(text);
      if (value) *static_cast<float*>(out) = *value;
      return value.has_value();
    }
    const std::optional<double> value = special<double>(text);
    if (value) *static_cast<double*>(out) = *value;
    return value.has_value();
  }

  static bool date(void* out, std::string_view text) noexcept {
    const std::optional<std::int64_t> millis = detail::parse_date(text);
    if (millis) *static_cast<Date*>(out) = Date(std::chrono::milliseconds(*millis));
    return millis.has_value();
  }

  static bool enumerator(const TypeInfo& type, void* out, std::string_view name) noexcept {
    for (const EnumeratorInfo& known : type.enumerators) {
      if (known.name == name) {
        type.enum_set(out, known.value);
        return true;
      }
    }
    return false;
  }

  // The digits of a Decimal or BigInteger, as a JSON number.
  std::optional<std::string> digits_of(std::uint32_t at, bool whole) const {
    const Document::Node& node = document_[at];
    if (node.token == Token::kNumber) return detail::json_number(document_.raw(node), whole);
    std::string room;
    return detail::json_number(text(at, room), whole);
  }

  static void set_digits(Kind kind, void* out, std::string digits) {
    if (kind == Kind::kDecimal) {
      static_cast<Decimal*>(out)->text = std::move(digits);
    } else {
      static_cast<BigInteger*>(out)->text = std::move(digits);
    }
  }

  bool digits(const TypeInfo& type, void* out, std::uint32_t at, const Step* up) {
    if (!charge(document_[at].size, at, up)) return false;
    std::optional<std::string> found = digits_of(at, type.kind == Kind::kBigInteger);
    if (!found) return expected_type(type, at, up);
    set_digits(type.kind, out, std::move(*found));
    return true;
  }

  bool character(void* out, std::uint32_t at) const {
    std::u16string units;
    const std::string_view inside = document_.inside(document_[at]);
    if (inside.size() > 6) return false;
    detail::unescape(inside, units);
    if (units.size() != 1) return false;
    *static_cast<char16_t*>(out) = units[0];
    return true;
  }

  bool characters(const TypeInfo& type, void* out, std::uint32_t at, const Step* up) {
    const Document::Node& node = document_[at];
    if (!charge(std::uint64_t{node.size} * 2, at, up)) return false;
    std::u16string units;
    detail::unescape(document_.inside(node), units);
    type.clear(out);
    type.reserve(out, units.size());
    for (const char16_t unit : units) *static_cast<char16_t*>(type.append(out)) = unit;
    return true;
  }

  bool string(std::string& out, std::uint32_t at, const Step* up) {
    const Document::Node& node = document_[at];
    const std::string_view inside = document_.inside(node);
    if (!charge(inside.size(), at, up)) [[unlikely]] return false;
    if (node.token == Token::kString) [[likely]] {
      out.assign(inside);
    } else {
      out.clear();
      detail::unescape(inside, out);
    }
    return true;
  }

  bool bytes(Bytes& out, std::string_view what, std::uint32_t at, const Step* up) {
    std::string room;
    const std::string_view base64 = text(at, room);
    if (!charge(base64.size(), at, up)) return false;
    if (base64.empty()) {
      out = Bytes();
      return true;
    }
    settee::detail::Block* block = settee::detail::block_new(detail::base64_room(base64.size()));
    Bytes made = Bytes::adopt(block, settee::detail::block_data(block), 0);
    const std::optional<std::size_t> size =
        detail::decode_base64(base64, settee::detail::block_data(block));
    if (!size) return expected(what, at, up);
    settee::detail::block_retain(block);
    out = Bytes::adopt(block, settee::detail::block_data(block), *size);
    return true;
  }

  static constexpr std::size_t kUnknown = static_cast<std::size_t>(-1);

  // The member of that name; as a rule it is the one behind the last.
  static std::size_t find_member(const TypeInfo& type, std::string_view name,
                                 std::size_t hint) noexcept {
    const std::size_t count = type.members.size();
    if (hint < count && type.members[hint].name == name) [[likely]] return hint;
    for (std::size_t i = 0; i < count; ++i) {
      if (type.members[i].name == name) return i;
    }
    return kUnknown;
  }

  bool structure(const TypeInfo& type, void* out, std::uint32_t at, const Step* up) {
    const Document::Node& node = document_[at];
    if (node.token != Token::kObject) return expected_type(type, at, up);
    if (!visit(node.size, at, up)) return false;
    // First which text each member has, the last of its name; then they are read in their order.
    const std::size_t base = places_.size();
    const std::size_t count = type.members.size();
    places_.resize(base + count, 0);
    std::size_t hint = 0;
    std::uint32_t name = at + 1;
    for (std::uint32_t i = 0; i < node.size; ++i) {
      std::string room;
      const std::string_view key = text(name, room);
      const std::size_t member = find_member(type, key, hint);
      if (member != kUnknown) [[likely]] {
        places_[base + member] = name + 1;
        hint = member + 1;
      } else if (options_.reject_unknown && key != kClassKey) {
        return expected(fmt::format("a name of {}", type.name), name, up);
      }
      name = document_[name + 1].next;
    }
    for (std::size_t i = 0; i < count; ++i) {
      const std::uint32_t place = places_[base + i];
      if (place == 0) continue;
      const MemberInfo& member = type.members[i];
      const Step step{up, member.name};
      if (!read(*member.type, static_cast<char*>(out) + member.offset, place, &step)) [[unlikely]] {
        return false;
      }
    }
    places_.resize(base);
    return true;
  }

  bool list(const TypeInfo& type, void* out, std::uint32_t at, const Step* up) {
    const Document::Node& node = document_[at];
    if (node.token != Token::kArray) return expected_type(type, at, up);
    const TypeInfo& element = *type.element;
    if (!charge(std::uint64_t{node.size} * element.size, at, up)) return false;
    type.clear(out);
    type.reserve(out, node.size);
    std::uint32_t child = at + 1;
    for (std::uint32_t i = 0; i < node.size; ++i) {
      const Step step{up, {}, i};
      if (!read(element, type.append(out), child, &step)) [[unlikely]] return false;
      child = document_[child].next;
    }
    return true;
  }

  // A set or map keeps each element in a piece of memory of its own.
  static std::uint64_t element_cost(const TypeInfo& type) noexcept {
    return kNodeSize + std::uint64_t{type.element->size} + (type.key != nullptr ? type.key->size : 0);
  }

  bool set(const TypeInfo& type, void* out, std::uint32_t at, const Step* up) {
    const Document::Node& node = document_[at];
    if (node.token != Token::kArray) return expected_type(type, at, up);
    if (!charge(node.size * element_cost(type), at, up)) return false;
    type.clear(out);
    std::uint32_t child = at + 1;
    for (std::uint32_t i = 0; i < node.size; ++i) {
      const Step step{up, {}, i};
      Filler filler(*this, type, &step);
      filler.set(0, child);
      if (!type.insert(out, filler)) [[unlikely]] return false;
      child = document_[child].next;
    }
    return true;
  }

  bool map(const TypeInfo& type, void* out, std::uint32_t at, const Step* up) {
    const Document::Node& node = document_[at];
    if (node.token != Token::kObject) return expected_type(type, at, up);
    if (!charge(node.size * element_cost(type), at, up)) return false;
    type.clear(out);
    std::uint32_t name = at + 1;
    for (std::uint32_t i = 0; i < node.size; ++i) {
      const Step step = step_to(name, up);
      Filler filler(*this, type, &step);
      filler.set(name, name + 1);
      if (!type.insert(out, filler)) [[unlikely]] return false;
      name = document_[name + 1].next;
    }
    return true;
  }

  // A map's key, of which the text is in the name at `at`.
  bool key(const TypeInfo& type, void* out, std::uint32_t at, const Step* up) {
    std::string room;
    const std::string_view name = text(at, room);
    bool fits = false;
    switch (type.kind) {
      case Kind::kString:
        if (!charge(name.size(), at, up)) return false;
        static_cast<std::string*>(out)->assign(name);
        return true;
      case Kind::kBool:
        fits = name == "true" || name == "false";
        *static_cast<bool*>(out) = name == "true";
        break;
      case Kind::kInt8:
      case Kind::kInt16:
      case Kind::kInt32:
      case Kind::kInt64:
      case Kind::kDuration:
        fits = is_number(name) && number(type.kind, out, name);
        break;
      case Kind::kFloat:
      case Kind::kDouble:
        fits = is_number(name) ? number(type.kind, out, name) : not_finite(type.kind, out, name);
        break;
      case Kind::kDate:
        fits = is_number(name) ? number(type.kind, out, name) : date(out, name);
        break;
      case Kind::kDecimal:
      case Kind::kBigInteger:
        if (std::optional<std::string> digits =
                detail::json_number(name, type.kind == Kind::kBigInteger)) {
          set_digits(type.kind, out, std::move(*digits));
          fits = true;
        }
        break;
      case Kind::kChar16: fits = character(out, at); break;
      case Kind::kEnum: fits = enumerator(type, out, name); break;
      case Kind::kOptional:
      case Kind::kPointer:
        return key(*type.element, type.emplace(out), at, up);
      case Kind::kAny:
        *static_cast<Value*>(out) = Value(name);
        return charge(name.size(), at, up);
      default: return expected("a map whose keys have a text in JSON", at, up);
    }
    return fits || expected_type(type, at, up);
  }

  static bool is_number(std::string_view text) noexcept {
    return !text.empty() && detail::number_size(text) == text.size();
  }

  // --- variants ----------------------------------------------------------------------------------

  bool try_alternative(const TypeInfo& type, void* out, std::size_t i, std::uint32_t at,
                       const Step* up) {
    const std::size_t places = places_.size();
    ++trials_;
    const bool fits = read(*type.alternatives[i], type.emplace_alternative(out, i), at, up);
    --trials_;
    if (!fits) places_.resize(places);
    return fits;
  }

  static bool is_struct(const TypeInfo& type) noexcept {
    return without_null(type).kind == Kind::kStruct;
  }

  bool try_structs(const TypeInfo& type, void* out, std::size_t first, std::uint32_t at,
                   const Step* up) {
    for (std::size_t i = first; i < type.alternatives.size(); ++i) {
      if (!is_struct(*type.alternatives[i])) continue;
      if (try_alternative(type, out, i, at, up)) return true;
      if (error_) return false;
    }
    return false;
  }

  bool variant(const TypeInfo& type, void* out, std::uint32_t at, const Step* up) {
    const Token token = document_[at].token;
    const std::size_t count = type.alternatives.size();
    if (token == Token::kObject) {
      if (const Annotation annotation = annotation_of(at); annotation.name != 0) {
        std::string room;
        const std::string_view name = text(annotation.name, room);
        for (std::size_t i = 0; i < count; ++i) {
          const TypeInfo& inner = without_null(*type.alternatives[i]);
          if (inner.kind != Kind::kStruct || inner.name != name) continue;
          return read(*type.alternatives[i], type.emplace_alternative(out, i),
                      annotation.value != 0 ? annotation.value : at, up);
        }
      }
    }
    std::size_t candidates = 0;
    std::size_t structs = 0;
    std::size_t first = 0;
    for (std::size_t i = 0; i < count; ++i) {
      if (!may_be(*type.alternatives[i], token)) continue;
      if (candidates++ == 0) first = i;
      if (is_struct(*type.alternatives[i])) ++structs;
    }
    if (candidates == 1) {
      return read(*type.alternatives[first], type.emplace_alternative(out, first), at, up);
    }
    bool ask_all = structs >= 2 && !options_.reject_unknown;
    for (std::size_t i = first; i < count; ++i) {
      if (!may_be(*type.alternatives[i], token)) continue;
      if (ask_all && is_struct(*type.alternatives[i])) {
        // Where names are read over any struct fits any object: first ask for one that knows them all.
        ask_all = false;
        options_.reject_unknown = true;
        const bool fits = try_structs(type, out, i, at, up);
        options_.reject_unknown = false;
        if (fits || error_) return fits;
      }
      if (try_alternative(type, out, i, at, up)) return true;
      if (error_) return false;
    }
    return expected_type(type, at, up);
  }

  // --- generic values ----------------------------------------------------------------------------

  // The "$class" form: nodes of the class name and of the value, 0 where there is none.
  struct Annotation {
    std::uint32_t name = 0;
    std::uint32_t value = 0;
    bool is_array = false;
    bool is_map = false;
    bool is_enum = false;
  };

  Annotation annotation_of(std::uint32_t at) const {
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

  struct Member {
    std::string_view name;
    std::uint32_t name_node;
    std::uint32_t value;
  };

  // An object's members, the last of each name. Escaped names are kept in `room`.
  std::vector<Member> members_of(std::uint32_t at, std::deque<std::string>& room) const {
    std::vector<Member> members;
    const Document::Node& node = document_[at];
    members.reserve(node.size);
    std::uint32_t name = at + 1;
    for (std::uint32_t i = 0; i < node.size; ++i) {
      std::string_view key = document_.inside(document_[name]);
      if (document_[name].token == Token::kEscaped) {
        std::string& unescaped = room.emplace_back();
        detail::unescape(key, unescaped);
        key = unescaped;
      }
      members.push_back({key, name, name + 1});
      name = document_[name + 1].next;
    }
    drop_repeated(members);
    return members;
  }

  // By order, not by hash: no choice of names makes this slow.
  static void drop_repeated(std::vector<Member>& members) {
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

  bool any(Value& out, std::uint32_t at, const Step* up) {
    return visit(1, at, up) && visited_any(out, at, up);
  }

  bool visited_any(Value& out, std::uint32_t at, const Step* up) {
    const Document::Node& node = document_[at];
    switch (node.token) {
      case Token::kNull: out = Value(); return true;
      case Token::kTrue: out = Value(true); return true;
      case Token::kFalse: out = Value(false); return true;
      case Token::kNumber: return any_number(out, at, up);
      case Token::kString:
      case Token::kEscaped:
        return any_text(out, at, up);
      case Token::kArray: return any_list({}, {}, out, at, up);
      case Token::kObject: break;
    }
    const Annotation annotation = annotation_of(at);
    if (annotation.name == 0) return any_map({}, 0, out, at, up);
    return any_annotated(annotation, out, at, up);
  }

  bool any_text(Value& out, std::uint32_t at, const Step* up) {
    std::string room;
    const std::string_view found = text(at, room);
    if (!charge(found.size(), at, up)) return false;
    out = Value(found);
    return true;
  }

  bool any_number(Value& out, std::uint32_t at, const Step* up) {
    const std::string_view number = document_.raw(document_[at]);
    if (number.find_first_of(".eE") != std::string_view::npos) {
      double real = 0;
      if (detail::parse_real(number, real) != NumberStatus::kOk) {
        return expected("a number that fits a double", at, up);
      }
      out = Value(real);
      return true;
    }
    std::int64_t whole = 0;
    if (detail::parse_whole(number, whole) != NumberStatus::kOk) return big_integer(out, at, up);
    if (whole >= std::numeric_limits<std::int32_t>::min() &&
        whole <= std::numeric_limits<std::int32_t>::max()) {
      out = Value(static_cast<int>(whole));
    } else {
      out = Value(static_cast<long>(whole));
    }
    return true;
  }

  bool big_integer(Value& out, std::uint32_t at, const Step* up) {
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
  bool any_list(std::string_view type, std::string_view element, Value& out, std::uint32_t at,
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
  bool any_map(std::string_view type, std::uint32_t except, Value& out, std::uint32_t at,
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

  bool any_pairs(std::string_view type, Value& out, std::uint32_t at, const Step* up) {
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
  bool any_object(std::string_view type, std::uint32_t except, Value& out, std::uint32_t at,
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
    auto object = std::make_unique<hessian::detail::ObjectNode>(
        hessian::detail::ShapePointer(shape.release()));
    object->fields = std::move(fields);
    out = hessian::detail::ValueAccess::adopt(object.release());
    return true;
  }

  bool any_annotated(const Annotation& annotation, Value& out, std::uint32_t at, const Step* up) {
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
    return expected(fmt::format("the value of the {} behind \"$\"", detail::excerpt(name)), at, up);
  }

  bool check_class(std::string_view name, std::uint32_t at, const Step* up) {
    if (!name.empty() && name.size() <= kLongestClassName) return true;
    return expected(fmt::format("a class name of 1 to {} bytes", kLongestClassName), at, up);
  }

  // An argument or an item of an array of `name`s: what it says itself of its class comes first.
  bool item(std::string_view name, Value& out, std::uint32_t at, const Step* up) {
    if (document_[at].token == Token::kObject) {
      const Annotation annotation = annotation_of(at);
      if (annotation.name != 0) return any_annotated(annotation, out, at, up);
    }
    return of_class(name, false, out, at, up);
  }

  bool of_array(ArrayType type, Value& out, std::uint32_t at, const Step* up) {
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
  bool of_bytes(Value& out, std::uint32_t at, const Step* up) {
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
          detail::parse_whole(document_.raw(document_[child]), byte) != NumberStatus::kOk ||
          byte < -128 || byte > 255) {
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
  bool of_whole(const char* java, Value& out, std::uint32_t at, const Step* up) {
    Number number{};
    if (document_[at].token != Token::kNumber ||
        !store_whole<Number>(&number, document_.raw(document_[at]))) {
      return expected(fmt::format("a whole number from {} to {} for a {}",
                                  std::numeric_limits<Number>::min(),
                                  std::numeric_limits<Number>::max(), java),
                      at, up);
    }
    out = Value(static_cast<Made>(number));
    return true;
  }

  bool of_real(bool is_float, Value& out, std::uint32_t at, const Step* up) {
    const Document::Node& node = document_[at];
    const Kind kind = is_float ? Kind::kFloat : Kind::kDouble;
    float narrow = 0;
    double wide = 0;
    void* place = is_float ? static_cast<void*>(&narrow) : &wide;
    const bool fits = node.token == Token::kNumber   ? number(kind, place, document_.raw(node))
                      : node.token == Token::kString ? not_finite(kind, place, document_.inside(node))
                                                     : false;
    if (!fits) {
      return expected(is_float ? "a number that fits a float" : "a number that fits a double", at, up);
    }
    out = Value(is_float ? static_cast<double>(narrow) : wide);
    return true;
  }

  // The value at `at` as one of the Java class `name`.
  bool of_class(std::string_view name, bool is_map, Value& out, std::uint32_t at, const Step* up) {
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
        return expected(fmt::format("an object, or the name of a constant, of {}",
                                    detail::excerpt(name, 100)),
                        at, up);
    }
  }

  const Document& document_;
  ReadOptions options_;
  std::uint64_t visited_ = 0;
  std::uint64_t bytes_ = 0;
  int trials_ = 0;  // while not 0 only limits make an error
  std::vector<std::uint32_t> places_;  // of the members of the structs being read
  std::optional<Error> error_;
};

bool is_blank(std::string_view text) noexcept {
  return std::all_of(text.begin(), text.end(), detail::is_space);
}

Error argument_error(Reader& reader, const ParameterInfo& parameter) {
  const Error error = reader.take_error();
  if (parameter.name.empty()) return error;
  return error.within("argument " + std::string(parameter.name));
}

std::string names_of(std::span<const ParameterInfo> parameters) {
  std::string names;
  for (const ParameterInfo& parameter : parameters) {
    if (!names.empty()) names += ", ";
    names += parameter.name;
  }
  return names;
}

std::string count_of(std::size_t n) { return fmt::format("{} argument{}", n, n == 1 ? "" : "s"); }

Result<void> read_positions(Reader& reader, const Document& document,
                            std::span<const ParameterInfo> parameters, void* const* places) {
  if (document[0].size != parameters.size()) {
    reader.expected(fmt::format("{} ({})", count_of(parameters.size()), names_of(parameters)), 0,
                    nullptr);
    return reader.take_error();
  }
  std::uint32_t at = 1;
  for (std::size_t i = 0; i < parameters.size(); ++i) {
    const Step step{nullptr, {}, i};
    if (!reader.read_top(*parameters[i].type, places[i], at, &step)) {
      return argument_error(reader, parameters[i]);
    }
    at = document[at].next;
  }
  return {};
}

Result<void> read_names(Reader& reader, const Document& document,
                        std::span<const ParameterInfo> parameters, void* const* places,
                        bool reject_unknown) {
  std::vector<std::uint32_t> found(parameters.size(), 0);
  std::uint32_t name = 1;
  for (std::uint32_t i = 0; i < document[0].size; ++i) {
    std::string room;
    const std::string_view key = reader.text(name, room);
    const auto parameter =
        std::find_if(parameters.begin(), parameters.end(),
                     [key](const ParameterInfo& candidate) { return candidate.name == key; });
    if (parameter != parameters.end()) {
      found[static_cast<std::size_t>(parameter - parameters.begin())] = name + 1;
    } else if (reject_unknown && key != kClassKey) {
      reader.expected(fmt::format("the name of an argument ({})", names_of(parameters)), name,
                      nullptr);
      return reader.take_error();
    }
    name = document[name + 1].next;
  }
  for (std::size_t i = 0; i < parameters.size(); ++i) {
    const Step step{nullptr, parameters[i].name};
    if (found[i] == 0) {
      if (is_nullable(*parameters[i].type)) continue;
      reader.expected(fmt::format("the argument {} in the object", parameters[i].name), 0, nullptr);
      return reader.take_error();
    }
    if (!reader.read_top(*parameters[i].type, places[i], found[i], &step)) {
      return argument_error(reader, parameters[i]);
    }
  }
  return {};
}

Result<void> read_only_argument(Reader& reader, const Document& document,
                                std::span<const ParameterInfo> parameters, void* const* places,
                                bool reject_unknown) {
  const TypeInfo& type = *parameters[0].type;
  const Token token = document[0].token;
  const bool itself = may_be(type, token);
  if (token == Token::kObject && !itself) {
    return read_names(reader, document, parameters, places, reject_unknown);
  }
  if (token == Token::kArray) {
    if (!itself) return read_positions(reader, document, parameters, places);
    // An array for a list may stand for itself or hold the list.
    if (reader.try_top(type, places[0], 0, nullptr)) return {};
    const Step step{nullptr, {}, 0};
    if (!reader.exceeded() && document[0].size == 1 && document[1].token == Token::kArray &&
        reader.try_top(type, places[0], 1, &step)) {
      return {};
    }
    if (reader.exceeded()) return argument_error(reader, parameters[0]);
  }
  if (reader.read_top(type, places[0], 0, nullptr)) return {};
  return argument_error(reader, parameters[0]);
}

}  // namespace

Result<void> read(std::string_view text, const TypeInfo& type, void* value,
                  const ReadOptions& options) {
  // What a method without a result sends.
  if (type.kind == Kind::kVoid && is_blank(text)) return {};
  Document document;
  if (Result<void> parsed = document.parse(text, options.limits); !parsed) return parsed;
  Reader reader(document, options);
  if (reader.read_top(type, value, 0, nullptr)) return {};
  return reader.take_error();
}

Result<Value> parse_value(std::string_view text, const ReadOptions& options) {
  Document document;
  if (Result<void> parsed = document.parse(text, options.limits); !parsed) return parsed.error();
  Reader reader(document, options);
  Result<Value> result = Value();
  if (reader.read_value(*result, 0, nullptr)) return result;
  return reader.take_error();
}

Result<void> read_arguments(std::string_view text, std::span<const ParameterInfo> parameters,
                            void* const* places, const ReadOptions& options) {
  if (is_blank(text)) {
    if (parameters.empty()) return {};
    return Error(Code::kDecode, fmt::format("json: expected {} ({}), the text is empty",
                                            count_of(parameters.size()), names_of(parameters)));
  }
  Document document;
  if (Result<void> parsed = document.parse(text, options.limits); !parsed) return parsed;
  Reader reader(document, options);
  const Document::Node& root = document[0];
  if (parameters.empty()) {
    const bool container = root.token == Token::kArray || root.token == Token::kObject;
    if (root.token == Token::kNull || (container && root.size == 0)) return {};
    reader.expected("no arguments", 0, nullptr);
    return reader.take_error();
  }
  if (parameters.size() == 1) {
    return read_only_argument(reader, document, parameters, places, options.reject_unknown);
  }
  if (root.token == Token::kArray) return read_positions(reader, document, parameters, places);
  if (root.token == Token::kObject) {
    return read_names(reader, document, parameters, places, options.reject_unknown);
  }
  reader.expected(fmt::format("an array or object of {} ({})", count_of(parameters.size()),
                              names_of(parameters)),
                  0, nullptr);
  return reader.take_error();
}

Result<std::vector<Value>> parse_arguments(std::string_view text,
                                           std::span<const std::string> java_types,
                                           const ReadOptions& options) {
  Result<std::vector<Value>> result = std::vector<Value>();
  std::size_t count = 0;
  Document document;
  if (!is_blank(text)) {
    if (Result<void> parsed = document.parse(text, options.limits); !parsed) return parsed.error();
    count = document[0].token == Token::kArray ? document[0].size : 1;
  }
  if (!java_types.empty() && java_types.size() != count) {
    return Error(Code::kDecode, fmt::format("json: expected {} for the types given, found {}",
                                            count_of(java_types.size()), count_of(count)));
  }
  if (count == 0) return result;
  Reader reader(document, options);
  const bool array = document[0].token == Token::kArray;
  std::uint32_t at = array ? 1 : 0;
  result->resize(count);
  for (std::size_t i = 0; i < count; ++i) {
    const Step step{nullptr, {}, i};
    const Step* up = array ? &step : nullptr;
    Value& out = (*result)[i];
    if (java_types.empty() ? !reader.read_value(out, at, up)
                           : !reader.read_value(java_types[i], out, at, up)) {
      return reader.take_error();
    }
    at = document[at].next;
  }
  return result;
}

}  // namespace settee::inline v0::json  // settee-check: allow file-length
