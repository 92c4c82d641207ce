// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0
//
// Described types from JSON, and read(). Writing is in json_write.cc.

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "settee/base/detail/base64.h"
#include "settee/base/service.h"
#include "settee/hessian/internal/json_document.h"
#include "settee/hessian/internal/json_reader.h"
#include "settee/hessian/internal/json_text.h"
#include "settee/hessian/json.h"

namespace settee::inline v0::json {

namespace detail {

namespace {

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
    case Kind::kDuration: return true;
    default: return false;
  }
}

template <class T>
std::optional<T> special(std::string_view text) noexcept {
  if (text == "NaN") return std::numeric_limits<T>::quiet_NaN();
  if (text == "Infinity") return std::numeric_limits<T>::infinity();
  if (text == "-Infinity") return -std::numeric_limits<T>::infinity();
  return std::nullopt;
}

constexpr std::size_t kUnknown = static_cast<std::size_t>(-1);

// The member of that name; as a rule it is the one behind the last.
std::size_t find_member(const TypeInfo& type, std::string_view name, std::size_t hint) noexcept {
  const std::size_t count = type.members.size();
  if (hint < count && type.members[hint].name == name) [[likely]]
    return hint;
  for (std::size_t i = 0; i < count; ++i) {
    if (type.members[i].name == name) return i;
  }
  return kUnknown;
}

// A set or map keeps each element in a piece of memory of its own.
std::uint64_t element_cost(const TypeInfo& type) noexcept {
  return kNodeSize + std::uint64_t{type.element->size} + (type.key != nullptr ? type.key->size : 0);
}

bool is_number(std::string_view text) noexcept {
  return !text.empty() && number_size(text) == text.size();
}

}  // namespace

bool is_nullable(const TypeInfo& type) noexcept {
  switch (type.kind) {
    case Kind::kOptional:
    case Kind::kPointer:
    case Kind::kAny: return true;
    case Kind::kVariant:
      return std::any_of(type.alternatives.begin(), type.alternatives.end(),
                         [](const TypeInfo* alternative) { return is_nullable(*alternative); });
    default: return false;
  }
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
    case Kind::kDate:
      return "a whole number of milliseconds or a date like \"2024-05-01T12:00:00Z\"";
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
    case Kind::kSet: return "an array";
    case Kind::kMap: return "an object";
    case Kind::kOptional:
    case Kind::kPointer: return expectation(*type.element) + " or null";
    case Kind::kVariant: {
      std::string text;
      for (const TypeInfo* alternative : type.alternatives) {
        if (!text.empty()) text += ", or ";
        text += expectation(*alternative);
      }
      return text;
    }
    case Kind::kAny: return "a value";
    case Kind::kMessage:
      return "something other than a protobuf message, which has no form in JSON";
  }
  return "a value";
}

// Fills the elements of sets and maps.
class Reader::Filler final : public ElementFiller {
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

bool Reader::read_top(const TypeInfo& type, void* out, std::uint32_t at, const Step* up) {
  if (document_[at].token == Token::kNull && is_primitive(type.kind)) {
    return expected(expectation(type), at, up);
  }
  return read(type, out, at, up);
}

bool Reader::try_top(const TypeInfo& type, void* out, std::uint32_t at, const Step* up) {
  ++trials_;
  const bool fits = read_top(type, out, at, up);
  --trials_;
  if (!fits) {
    places_.clear();
    visited_ = bytes_ = 0;
  }
  return fits;
}

bool Reader::expected(std::string_view what, std::uint32_t at, const Step* up) {
  if (trials_ > 0) return false;
  error_ =
      Error(Code::kDecode, fmt::format("json: {}: expected {}, found {} at byte {}", path_text(up),
                                       what, describe(at), document_.offset(document_[at])));
  return false;
}

std::string Reader::describe(std::uint32_t at) const {
  const Document::Node& node = document_[at];
  switch (node.token) {
    case Token::kNull: return "null";
    case Token::kTrue: return "true";
    case Token::kFalse: return "false";
    case Token::kNumber: return "the number " + excerpt(document_.raw(node));
    case Token::kString:
    case Token::kEscaped: return "the string \"" + excerpt(document_.inside(node)) + "\"";
    case Token::kArray:
      return node.size == 0 ? "an empty array" : fmt::format("an array of {}", node.size);
    case Token::kObject: return node.size == 0 ? "an empty object" : "an object";
  }
  return "a value";
}

bool Reader::over(const char* name, std::uint64_t limit, std::uint32_t at, const Step* up) {
  error_ =
      Error(Code::kLimit, fmt::format("json: {}: limit '{}' of {} exceeded at byte {}",
                                      path_text(up), name, limit, document_.offset(document_[at])));
  return false;
}

bool Reader::read(const TypeInfo& type, void* out, std::uint32_t at, const Step* up) {
  const Document::Node& node = document_[at];
  if (!visit(1, at, up)) [[unlikely]]
    return false;
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
      if (node.token != Token::kString || !not_finite(type.kind, out, document_.inside(node)))
        break;
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
    case Kind::kPointer: return read(*type.element, type.emplace(out), at, up);
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

__attribute__((noinline, cold)) bool Reader::expected_type(const TypeInfo& type, std::uint32_t at,
                                                           const Step* up) {
  if (trials_ > 0) return false;
  return expected(expectation(type), at, up);
}

bool Reader::null(const TypeInfo& type, void* out, std::uint32_t at, const Step* up) {
  switch (type.kind) {
    case Kind::kOptional:
    case Kind::kPointer: type.reset(out); return true;
    case Kind::kAny: *static_cast<Value*>(out) = Value(); return true;
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

// Stores a JSON number; false if the type does not have it.
bool Reader::number(Kind kind, void* out, std::string_view number) noexcept {
  switch (kind) {
    case Kind::kInt8: return store_whole<std::int8_t>(out, number);
    case Kind::kInt16: return store_whole<std::int16_t>(out, number);
    case Kind::kInt32: return store_whole<std::int32_t>(out, number);
    case Kind::kInt64: return store_whole<std::int64_t>(out, number);
    case Kind::kFloat: return parse_real(number, *static_cast<float*>(out)) == NumberStatus::kOk;
    case Kind::kDouble: return parse_real(number, *static_cast<double*>(out)) == NumberStatus::kOk;
    default: break;
  }
  std::int64_t millis = 0;
  if (parse_whole(number, millis) != NumberStatus::kOk) return false;
  if (kind == Kind::kDate) {
    *static_cast<Date*>(out) = Date(std::chrono::milliseconds(millis));
  } else {
    *static_cast<std::chrono::milliseconds*>(out) = std::chrono::milliseconds(millis);
  }
  return true;
}

bool Reader::not_finite(Kind kind, void* out, std::string_view text) noexcept {
  if (kind == Kind::kFloat) {
    const std::optional<float> value = special<float>(text);
    if (value) *static_cast<float*>(out) = *value;
    return value.has_value();
  }
  const std::optional<double> value = special<double>(text);
  if (value) *static_cast<double*>(out) = *value;
  return value.has_value();
}

bool Reader::date(void* out, std::string_view text) noexcept {
  const std::optional<std::int64_t> millis = parse_date(text);
  if (millis) *static_cast<Date*>(out) = Date(std::chrono::milliseconds(*millis));
  return millis.has_value();
}

bool Reader::enumerator(const TypeInfo& type, void* out, std::string_view name) noexcept {
  for (const EnumeratorInfo& known : type.enumerators) {
    if (known.name == name) {
      type.enum_set(out, known.value);
      return true;
    }
  }
  return false;
}

// The digits of a Decimal or BigInteger, as a JSON number.
std::optional<std::string> Reader::digits_of(std::uint32_t at, bool whole) const {
  const Document::Node& node = document_[at];
  if (node.token == Token::kNumber) return json_number(document_.raw(node), whole);
  std::string room;
  return json_number(text(at, room), whole);
}

void Reader::set_digits(Kind kind, void* out, std::string digits) {
  if (kind == Kind::kDecimal) {
    static_cast<Decimal*>(out)->text = std::move(digits);
  } else {
    static_cast<BigInteger*>(out)->text = std::move(digits);
  }
}

bool Reader::digits(const TypeInfo& type, void* out, std::uint32_t at, const Step* up) {
  if (!charge(document_[at].size, at, up)) return false;
  std::optional<std::string> found = digits_of(at, type.kind == Kind::kBigInteger);
  if (!found) return expected_type(type, at, up);
  set_digits(type.kind, out, std::move(*found));
  return true;
}

bool Reader::character(void* out, std::uint32_t at) const {
  std::u16string units;
  const std::string_view inside = document_.inside(document_[at]);
  if (inside.size() > 6) return false;
  unescape(inside, units);
  if (units.size() != 1) return false;
  *static_cast<char16_t*>(out) = units[0];
  return true;
}

bool Reader::characters(const TypeInfo& type, void* out, std::uint32_t at, const Step* up) {
  const Document::Node& node = document_[at];
  if (!charge(std::uint64_t{node.size} * 2, at, up)) return false;
  std::u16string units;
  unescape(document_.inside(node), units);
  type.clear(out);
  type.reserve(out, units.size());
  for (const char16_t unit : units) *static_cast<char16_t*>(type.append(out)) = unit;
  return true;
}

bool Reader::string(std::string& out, std::uint32_t at, const Step* up) {
  const Document::Node& node = document_[at];
  const std::string_view inside = document_.inside(node);
  if (!charge(inside.size(), at, up)) [[unlikely]]
    return false;
  if (node.token == Token::kString) [[likely]] {
    out.assign(inside);
  } else {
    out.clear();
    unescape(inside, out);
  }
  return true;
}

bool Reader::bytes(Bytes& out, std::string_view what, std::uint32_t at, const Step* up) {
  std::string room;
  const std::string_view base64 = text(at, room);
  if (!charge(base64.size(), at, up)) return false;
  if (base64.empty()) {
    out = Bytes();
    return true;
  }
  settee::detail::Block* block =
      settee::detail::block_new(settee::detail::base64_room(base64.size()));
  Bytes made = Bytes::adopt(block, settee::detail::block_data(block), 0);
  const std::optional<std::size_t> size =
      settee::detail::decode_base64(base64, settee::detail::block_data(block));
  if (!size) return expected(what, at, up);
  settee::detail::block_retain(block);
  out = Bytes::adopt(block, settee::detail::block_data(block), *size);
  return true;
}

bool Reader::structure(const TypeInfo& type, void* out, std::uint32_t at, const Step* up) {
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

bool Reader::list(const TypeInfo& type, void* out, std::uint32_t at, const Step* up) {
  const Document::Node& node = document_[at];
  if (node.token != Token::kArray) return expected_type(type, at, up);
  const TypeInfo& element = *type.element;
  if (!charge(std::uint64_t{node.size} * element.size, at, up)) return false;
  type.clear(out);
  type.reserve(out, node.size);
  std::uint32_t child = at + 1;
  for (std::uint32_t i = 0; i < node.size; ++i) {
    const Step step{up, {}, i};
    if (!read(element, type.append(out), child, &step)) [[unlikely]]
      return false;
    child = document_[child].next;
  }
  return true;
}

bool Reader::set(const TypeInfo& type, void* out, std::uint32_t at, const Step* up) {
  const Document::Node& node = document_[at];
  if (node.token != Token::kArray) return expected_type(type, at, up);
  if (!charge(node.size * element_cost(type), at, up)) return false;
  type.clear(out);
  std::uint32_t child = at + 1;
  for (std::uint32_t i = 0; i < node.size; ++i) {
    const Step step{up, {}, i};
    Filler filler(*this, type, &step);
    filler.set(0, child);
    if (!type.insert(out, filler)) [[unlikely]]
      return false;
    child = document_[child].next;
  }
  return true;
}

bool Reader::map(const TypeInfo& type, void* out, std::uint32_t at, const Step* up) {
  const Document::Node& node = document_[at];
  if (node.token != Token::kObject) return expected_type(type, at, up);
  if (!charge(node.size * element_cost(type), at, up)) return false;
  type.clear(out);
  std::uint32_t name = at + 1;
  for (std::uint32_t i = 0; i < node.size; ++i) {
    const Step step = step_to(name, up);
    Filler filler(*this, type, &step);
    filler.set(name, name + 1);
    if (!type.insert(out, filler)) [[unlikely]]
      return false;
    name = document_[name + 1].next;
  }
  return true;
}

// A map's key, of which the text is in the name at `at`.
bool Reader::key(const TypeInfo& type, void* out, std::uint32_t at, const Step* up) {
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
    case Kind::kDuration: fits = is_number(name) && number(type.kind, out, name); break;
    case Kind::kFloat:
    case Kind::kDouble:
      fits = is_number(name) ? number(type.kind, out, name) : not_finite(type.kind, out, name);
      break;
    case Kind::kDate:
      fits = is_number(name) ? number(type.kind, out, name) : date(out, name);
      break;
    case Kind::kDecimal:
    case Kind::kBigInteger:
      if (std::optional<std::string> digits = json_number(name, type.kind == Kind::kBigInteger)) {
        set_digits(type.kind, out, std::move(*digits));
        fits = true;
      }
      break;
    case Kind::kChar16: fits = character(out, at); break;
    case Kind::kEnum: fits = enumerator(type, out, name); break;
    case Kind::kOptional:
    case Kind::kPointer: return key(*type.element, type.emplace(out), at, up);
    case Kind::kAny: *static_cast<Value*>(out) = Value(name); return charge(name.size(), at, up);
    default: return expected("a map whose keys have a text in JSON", at, up);
  }
  return fits || expected_type(type, at, up);
}

}  // namespace detail

Result<void> read(std::string_view text, const TypeInfo& type, void* value,
                  const ReadOptions& options) {
  // What a method without a result sends.
  if (type.kind == Kind::kVoid && detail::is_blank(text)) return {};
  detail::Document document;
  if (Result<void> parsed = document.parse(text, options.limits); !parsed) return parsed;
  detail::Reader reader(document, options);
  if (reader.read_top(type, value, 0, nullptr)) return {};
  return reader.take_error();
}

}  // namespace settee::inline v0::json
