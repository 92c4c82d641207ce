// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0
//
// Described types from other forms than their own: null, references, objects that wrap a value, texts
// for numbers, maps for structs.

#include <charconv>
#include <cmath>
#include <string>
#include <string_view>
#include <vector>

#include "settee/hessian/internal/big_integer.h"
#include "settee/hessian/internal/decoder.h"

namespace settee::inline v0::hessian {

using detail::is_integer;
using detail::is_list;
using detail::is_map;
using detail::is_number;
using detail::is_object;
using detail::is_reference;
using detail::is_string;
using detail::Op;
using detail::store;
using detail::wanted;

namespace {

// A double as the text of a decimal number; false if it is none.
bool decimal_text(double number, std::string& text) {
  if (!std::isfinite(number)) return false;
  char digits[32];
  text.assign(digits, std::to_chars(digits, digits + sizeof digits, number).ptr);
  return true;
}

}  // namespace

// Makes map entries of an object's fields.
class Decoder::FieldFiller final : public ElementFiller {
 public:
  FieldFiller(Decoder& decoder, const TypeInfo& value, std::string_view name)
      : decoder_(decoder), value_(value), name_(name) {}
  Result<void> fill_key(void* key) override {
    if (!decoder_.r_.charge_bytes(name_.size())) return stop();
    static_cast<std::string*>(key)->assign(name_);
    return {};
  }
  Result<void> fill_value(void* value) override {
    if (decoder_.decode(value_, value)) [[likely]]
      return {};
    return stop();
  }

 private:
  Decoder& decoder_;
  const TypeInfo& value_;
  std::string_view name_;
};

// Whatever is not the usual form of a value of this type.
__attribute__((noinline)) bool Decoder::other(const TypeInfo& type, void* out) {
  const Op op = r_.op();
  if (!r_.ok()) return false;
  if (op == Op::kNull) {
    // Null leaves the default.
    ++r_.cursor_;
    if (type.kind == Kind::kVariant) empty_variant(type, out);
    return true;
  }
  if (type.kind == Kind::kVariant) return variant(type, out);
  if (is_reference(op)) return replay(type, out);
  const bool fields = is_object(op) || is_map(op);
  switch (type.kind) {
    case Kind::kInt8:
    case Kind::kInt16:
    case Kind::kInt32:
    case Kind::kInt64:
    case Kind::kDuration:
    case Kind::kFloat:
    case Kind::kDouble:
      // FloatHandle and its kin of Hessian 4; AtomicInteger and AtomicLong.
      if (fields) return unwrap(type, out, "_value", "value");
      break;
    case Kind::kString:
      // Class, File, Locale, StringBuilder, enum constants.
      if (fields) return unwrap(type, out, "value", "name");
      break;
    case Kind::kDate:
      // java.sql.Timestamp and its kin.
      if (fields) return unwrap(type, out, "value", "value");
      if (is_integer(op)) {
        std::int64_t millis;
        if (!r_.read_integer(millis, INT64_MIN, INT64_MAX, "a date")) return false;
        store(out, Date(Date::duration(millis)));
        return true;
      }
      break;
    case Kind::kChar16:
      if (is_string(op)) return character(out);
      break;
    case Kind::kDecimal:
      if (fields) return unwrap(type, out, "value", "value");
      return decimal(static_cast<Decimal*>(out)->text, op);
    case Kind::kBigInteger:
      if (fields) return big_integer_object(static_cast<BigInteger*>(out)->text);
      return whole_number(static_cast<BigInteger*>(out)->text, op);
    case Kind::kEnum:
      if (fields) return enum_object(type, out);
      if (is_string(op)) {
        std::string_view name;
        const std::uint8_t* start = r_.cursor_;
        return r_.read_string(name) && enumerator(type, out, name, start);
      }
      break;
    case Kind::kStruct:
      if (is_map(op)) return structure_of_map(type, out);
      break;
    case Kind::kMap:
      if (is_object(op) && type.key->kind == Kind::kString) return map_of_object(type, out);
      break;
    case Kind::kArray:
      if (is_string(op) && type.element->kind == Kind::kChar16) return characters(type, out);
      break;
    default: break;
  }
  return r_.fail_kind(wanted(type));
}

// Steps through the fields of an object or the entries of a map with text keys. `use(name)` reads
// the value.
template <class F>
bool Decoder::each_field(F&& use) {
  Container fields;
  if (is_object(r_.op())) {
    if (!r_.begin_object(fields)) return false;
    while (r_.step(fields)) {
      if (!use(fields.field)) return false;
    }
    return r_.ok();
  }
  if (!r_.begin_map(fields)) return false;
  while (r_.step(fields)) {
    if (is_string(r_.op())) {
      std::string_view name;
      if (!r_.read_string(name) || !use(name)) return false;
    } else if (!r_.skip() || !r_.skip()) {
      return false;
    }
  }
  return r_.ok();
}

// The value in an object that wraps one.
bool Decoder::unwrap(const TypeInfo& type, void* out, std::string_view name,
                     std::string_view or_name) {
  const std::uint8_t* start = r_.cursor_;
  bool found = false;
  const bool read = each_field([&](std::string_view field) {
    if (field != name && field != or_name) return r_.skip();
    found = true;
    return decode(type, out) || in(field);
  });
  if (!read) return false;
  if (!found) {
    return r_.fail_at(start, Code::kDecode,
                      std::string("expected ") + wanted(type) +
                          ", found an object without the field '" + std::string(name) + "'");
  }
  return true;
}

bool Decoder::character(void* out) {
  const std::uint8_t* start = r_.cursor_;
  std::u16string units;
  if (!read_units(units)) return false;
  if (units.size() != 1) {
    return r_.fail_at(
        start, Code::kDecode,
        "expected a character, found a string of " + std::to_string(units.size()) + " characters");
  }
  store(out, units[0]);
  return true;
}

bool Decoder::characters(const TypeInfo& type, void* out) {
  std::u16string units;
  if (!read_units(units)) return false;
  type.clear(out);
  type.reserve(out, units.size());
  for (const char16_t unit : units) store(type.append(out), unit);
  return true;
}

// A string as the UTF-16 units it is made of, lone surrogates and all.
bool Decoder::read_units(std::u16string& units) {
  const std::uint8_t* at = r_.cursor_;
  if (!r_.skip_text()) return false;
  const std::uint8_t* end = r_.cursor_;
  if (!r_.charge_bytes(static_cast<std::uint64_t>(end - at) * sizeof(char16_t))) return false;
  bool final = false;
  while (!final) {
    // The piece has been checked by skip_text().
    r_.cursor_ = at;
    std::size_t count;
    r_.read_piece(r_.ops_[*at], count, final);
    for (at = r_.cursor_; count > 0; --count) {
      if (*at < 0x80) {
        units += static_cast<char16_t>(*at++);
      } else if (*at < 0xe0) {
        units += static_cast<char16_t>((at[0] & 0x1f) << 6 | (at[1] & 0x3f));
        at += 2;
      } else if (*at < 0xf0) {
        units += static_cast<char16_t>((at[0] & 0x0f) << 12 | (at[1] & 0x3f) << 6 | (at[2] & 0x3f));
        at += 3;
      } else {
        const std::uint32_t c =
            (at[0] & 0x07u) << 18 | (at[1] & 0x3fu) << 12 | (at[2] & 0x3fu) << 6 | (at[3] & 0x3fu);
        units += static_cast<char16_t>(0xd7c0 + (c >> 10));
        units += static_cast<char16_t>(0xdc00 | (c & 0x3ff));
        at += 4;
        --count;
      }
    }
  }
  r_.cursor_ = end;
  return true;
}

bool Decoder::decimal(std::string& text, Op op) {
  const std::uint8_t* start = r_.cursor_;
  if (is_string(op)) {
    if (!r_.read_string(text)) return false;
    if (detail::is_decimal_text(text)) return true;
    return r_.fail_at(start, Code::kDecode, "\"" + text.substr(0, 64) + "\" is no decimal number");
  }
  if (!is_number(op)) return r_.fail_kind("a decimal number");
  Reader::Number number;
  if (!r_.read_number(number, "a decimal number")) return false;
  if (!number.floating) {
    text = std::to_string(number.integer);
    return true;
  }
  return decimal_text(number.real, text) ||
         r_.fail_at(start, Code::kDecode, std::to_string(number.real) + " is no decimal number");
}

bool Decoder::whole_number(std::string& text, Op op) {
  const std::uint8_t* start = r_.cursor_;
  if (is_string(op)) {
    if (!r_.read_string(text)) return false;
    if (detail::is_integer_text(text)) return true;
    return r_.fail_at(start, Code::kDecode, "\"" + text.substr(0, 64) + "\" is no whole number");
  }
  std::int64_t value;
  if (!r_.read_integer(value, INT64_MIN, INT64_MAX, "a big integer")) {
    return false;
  }
  text = std::to_string(value);
  return true;
}

bool Decoder::big_integer_object(std::string& text) {
  const std::uint8_t* start = r_.cursor_;
  std::int64_t sign = 0;
  std::vector<std::uint32_t> words;
  bool has_sign = false;
  bool has_words = false;
  const bool read = each_field([&](std::string_view field) {
    if (field == "signum") {
      has_sign = true;
      r_.op();
      return r_.read_integer(sign, -1, 1, "a sign") || in(field);
    }
    if (field != "mag") return r_.skip();
    has_words = true;
    return magnitude(words) || in(field);
  });
  if (!read) return false;
  if (!has_sign || !has_words) {
    return r_.fail_at(start, Code::kDecode,
                      "expected a big integer, found an object without 'signum' and 'mag'");
  }
  text = detail::to_decimal(std::move(words));
  if (sign < 0 && text != "0") text.insert(text.begin(), '-');
  return true;
}

bool Decoder::magnitude(std::vector<std::uint32_t>& words) {
  const Op op = r_.op();
  if (is_reference(op)) return with_target([&] { return magnitude(words); });
  if (!is_list(op)) return r_.fail_kind("a list of words");
  Container list;
  if (!r_.begin_list(list)) return false;
  words.clear();
  while (r_.step(list)) {
    if (words.size() >= r_.limits_.big_integer_words) {
      return r_.fail_limit("big_integer_words", r_.limits_.big_integer_words);
    }
    std::int32_t word;
    if (!r_.read_int(word)) return false;
    words.push_back(static_cast<std::uint32_t>(word));
  }
  return r_.ok();
}

bool Decoder::enum_object(const TypeInfo& type, void* out) {
  const std::uint8_t* start = r_.cursor_;
  std::string_view name;
  bool found = false;
  const bool read = each_field([&](std::string_view field) {
    if (field != "name") return r_.skip();
    found = true;
    return r_.read_string(name) || in(field);
  });
  if (!read) return false;
  if (!found) {
    return r_.fail_at(start, Code::kDecode,
                      "expected an enum constant, found an object without the field 'name'");
  }
  return enumerator(type, out, name, start);
}

bool Decoder::enumerator(const TypeInfo& type, void* out, std::string_view name,
                         const std::uint8_t* start) {
  for (const EnumeratorInfo& known : type.enumerators) {
    if (known.name == name) {
      type.enum_set(out, known.value);
      return true;
    }
  }
  return r_.fail_at(
      start, Code::kDecode,
      std::string(type.name) + " has no enumerator '" + std::string(name.substr(0, 64)) + "'");
}

bool Decoder::structure_of_map(const TypeInfo& type, void* out) {
  return each_field([&](std::string_view name) {
    for (const MemberInfo& member : type.members) {
      if (member.name == name) {
        return decode(*member.type, static_cast<char*>(out) + member.offset) || in(member.name);
      }
    }
    return r_.skip() || in(name);
  });
}

bool Decoder::map_of_object(const TypeInfo& type, void* out) {
  type.clear(out);
  return each_field([&](std::string_view name) {
    FieldFiller filler(*this, *type.element, name);
    return type.insert(out, filler).ok() || in(name);
  });
}

bool Decoder::replay(const TypeInfo& type, void* out) {
  return with_target([&] { return decode(type, out); });
}

}  // namespace settee::inline v0::hessian
