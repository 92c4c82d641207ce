// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0

#include <algorithm>
#include <bit>
#include <charconv>
#include <cmath>
#include <limits>
#include <memory>
#include <string>

#include "settee/hessian/codec.h"
#include "settee/hessian/internal/big_integer.h"
#include "settee/hessian/internal/reader_inline.h"
#include "settee/hessian/internal/value_node.h"

namespace settee::inline v0::hessian {

using detail::load_big;
using detail::Op;
using detail::store;
using detail::ValueAccess;

namespace {

// Space is reserved for at most this many bytes of elements at once; beyond, containers grow as
// elements really come.
constexpr std::size_t kReserveBytes = 64 * 1024;
constexpr std::uint32_t kUnknownField = 0xffffffff;

bool is_scalar(Kind kind) noexcept {
  switch (kind) {
    case Kind::kBool:
    case Kind::kInt8:
    case Kind::kInt16:
    case Kind::kInt32:
    case Kind::kInt64:
    case Kind::kDuration:
    case Kind::kChar16:
    case Kind::kFloat:
    case Kind::kDouble: return true;
    default: return false;
  }
}

const char* wanted(const TypeInfo& type) noexcept {
  switch (type.kind) {
    case Kind::kVoid: return "nothing";
    case Kind::kBool: return "a bool";
    case Kind::kInt8: return "a byte";
    case Kind::kInt16: return "a short";
    case Kind::kInt32: return "an int";
    case Kind::kInt64: return "a long";
    case Kind::kDuration: return "a number of milliseconds";
    case Kind::kChar16: return "a character";
    case Kind::kFloat: return "a float";
    case Kind::kDouble: return "a double";
    case Kind::kString: return "a string";
    case Kind::kBytes: return "binary";
    case Kind::kDate: return "a date";
    case Kind::kDecimal: return "a decimal number";
    case Kind::kBigInteger: return "a big integer";
    case Kind::kEnum: return "an enum constant";
    case Kind::kStruct: return "an object or map";
    case Kind::kList:
    case Kind::kArray:
    case Kind::kSet: return "a list";
    case Kind::kMap: return "a map or object";
    case Kind::kOptional:
    case Kind::kPointer: return wanted(*type.element);
    case Kind::kVariant: return "one of a variant's types";
    case Kind::kAny: return "a value";
    case Kind::kMessage: return "a protobuf message";
  }
  return "a value";
}

struct Range {
  std::int64_t min;
  std::int64_t max;
};
Range range_of(Kind kind) noexcept {
  switch (kind) {
    case Kind::kInt8: return {INT8_MIN, INT8_MAX};
    case Kind::kInt16: return {INT16_MIN, INT16_MAX};
    case Kind::kInt32: return {INT32_MIN, INT32_MAX};
    default: return {INT64_MIN, INT64_MAX};
  }
}

// A double as the text of a decimal number; false if it is none.
bool decimal_text(double number, std::string& text) {
  if (!std::isfinite(number)) return false;
  char digits[32];
  text.assign(digits, std::to_chars(digits, digits + sizeof digits, number).ptr);
  return true;
}

bool is_string(Op op) noexcept { return op >= Op::kStringShort && op <= Op::kStringChunk; }
bool is_bytes(Op op) noexcept { return op >= Op::kBytesShort && op <= Op::kBytesChunk; }
bool is_integer(Op op) noexcept { return op >= Op::kInt1 && op <= Op::kLong9; }
bool is_long(Op op) noexcept { return op >= Op::kLong1 && op <= Op::kLong9; }
bool is_double(Op op) noexcept { return op >= Op::kDouble0 && op <= Op::kDouble64; }
bool is_number(Op op) noexcept { return op >= Op::kInt1 && op <= Op::kDouble64; }
bool is_date(Op op) noexcept { return op == Op::kDate64 || op == Op::kDateMinutes4; }
bool is_list(Op op) noexcept { return op >= Op::kList3 && op <= Op::kListShort4; }
bool is_map(Op op) noexcept { return op >= Op::kMap3 && op <= Op::kMap4; }
bool is_object(Op op) noexcept { return op == Op::kObject || op == Op::kObjectShort4; }
bool is_reference(Op op) noexcept { return op >= Op::kReference8 && op <= Op::kReference4; }

}  // namespace

class Decoder {
 public:
  explicit Decoder(Reader& reader) noexcept : r_(reader) {}

  Result<void> run(const TypeInfo& type, void* value, DecodeOptions options, bool with_offset) {
    if (!r_.ok()) return r_.make_error(with_offset);
    bool done = true;
    if (options.null_scalar_is_error && is_scalar(type.kind) && r_.op() == Op::kNull) {
      done = r_.fail_at(r_.cursor_, Code::kDecode,
                        "null, where Java has a primitive " + java_name(type));
    }
    if (done && decode(type, value)) [[likely]]
      return {};
    if (!type.name.empty()) r_.add_path(type.name);
    return r_.make_error(with_offset);
  }

 private:
  // Stops a container; the reader knows what went wrong.
  __attribute__((noinline, cold)) static Result<void> stop() { return Error(Code::kDecode, ""); }

  // Fill the elements of sets and maps.
  class Filler final : public ElementFiller {
   public:
    Filler(Decoder& decoder, const TypeInfo* key, const TypeInfo& value)
        : decoder_(decoder), key_(key), value_(value) {}
    Result<void> fill_key(void* key) override {
      if (decoder_.element(*key_, key)) [[likely]]
        return {};
      return stop();
    }
    Result<void> fill_value(void* value) override {
      if (decoder_.element(value_, value)) [[likely]]
        return {};
      return stop();
    }

   private:
    Decoder& decoder_;
    const TypeInfo* key_;
    const TypeInfo& value_;
  };

  // Makes map entries of an object's fields.
  class FieldFiller final : public ElementFiller {
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

  __attribute__((noinline, cold)) bool in(std::string_view step) {
    r_.add_path(step);
    return false;
  }
  __attribute__((noinline, cold)) bool in_item(std::size_t i) {
    return in("[" + std::to_string(i) + "]");
  }

  bool decode(const TypeInfo& type, void* out) {
    switch (type.kind) {
      case Kind::kBool:
        if (r_.cursor_ != r_.end_ && (*r_.cursor_ == 'T' || *r_.cursor_ == 'F')) [[likely]] {
          store(out, *r_.cursor_++ == 'T');
          return true;
        }
        return other(type, out);
      case Kind::kInt32:
        if (r_.cursor_ != r_.end_ && (*r_.cursor_ & 0xc0) == 0x80) [[likely]] {
          store(out, static_cast<std::int32_t>(*r_.cursor_++ - 0x90));
          return true;
        }
        return number(type, out);
      case Kind::kInt8:
      case Kind::kInt16:
      case Kind::kInt64:
      case Kind::kDuration:
      case Kind::kFloat:
      case Kind::kDouble: return number(type, out);
      case Kind::kString: return string(type, *static_cast<std::string*>(out));
      case Kind::kDate:
        if (const Op op = r_.op(); is_date(op)) [[likely]] {
          Date date;
          if (!r_.read_date(date)) return false;
          store(out, date);
          return true;
        }
        return other(type, out);
      case Kind::kBytes:
        if (is_bytes(r_.op())) return r_.read_bytes(*static_cast<Bytes*>(out));
        return other(type, out);
      case Kind::kStruct:
        if (const Op op = r_.op(&type); is_object(op)) [[likely]]
          return structure(type, out);
        return other(type, out);
      case Kind::kList:
      case Kind::kArray:
        if (is_list(r_.op())) [[likely]]
          return list(type, out);
        return other(type, out);
      case Kind::kSet:
        if (is_list(r_.op())) [[likely]]
          return set(type, out);
        return other(type, out);
      case Kind::kMap:
        if (is_map(r_.op())) [[likely]]
          return map(type, out);
        return other(type, out);
      case Kind::kOptional:
      case Kind::kPointer:
        if (r_.op() == Op::kNull) {
          ++r_.cursor_;
          type.reset(out);
          return true;
        }
        if (!r_.ok() || !r_.charge_bytes(type.element->size)) return false;
        return decode(*type.element, type.emplace(out));
      case Kind::kAny: return any(*static_cast<Value*>(out));
      case Kind::kVoid: return r_.skip();
      case Kind::kMessage:
        return r_.fail_at(r_.cursor_, Code::kDecode,
                          "a protobuf message does not travel in Hessian");
      case Kind::kChar16:
      case Kind::kDecimal:
      case Kind::kBigInteger:
      case Kind::kEnum:
      case Kind::kVariant: return other(type, out);
    }
    return other(type, out);
  }

  bool string(const TypeInfo& type, std::string& out) {
    const std::uint8_t* at = r_.cursor_;
    const std::size_t left = r_.left();
    if (left > 32) [[likely]] {
      const std::size_t size = *at++;
      if (size < 32 && detail::is_short_ascii(at, size, left - 1) && size <= r_.bytes_left_)
          [[likely]] {
        r_.bytes_left_ -= size;
        r_.cursor_ = at + size;
        assign(out, reinterpret_cast<const char*>(at), size);
        return true;
      }
    } else if (left != 0 && *at < left && *at < 32 && detail::is_ascii(at + 1, *at) &&
               *at <= r_.bytes_left_) {
      // The same where the input ends.
      r_.bytes_left_ -= *at;
      r_.cursor_ = at + 1 + *at;
      out.assign(reinterpret_cast<const char*>(at + 1), *at);
      return true;
    }
    return long_string(type, out);
  }

  // decode() with the most usual of elements first.
  bool element(const TypeInfo& type, void* out) {
    return type.kind == Kind::kString ? string(type, *static_cast<std::string*>(out))
                                      : decode(type, out);
  }

  // out.assign() for texts of at most 31 bytes, with 31 readable ones; out is mostly new.
  static void assign(std::string& out, const char* text, std::size_t size) {
    constexpr std::size_t kInPlace = 15;  // what a string holds without the heap
    if (size <= kInPlace) {
      // A copy of constant length is two moves instead of a call, and cannot throw.
      std::destroy_at(&out);
      std::construct_at(&out, text, kInPlace);
      out.resize(size);
    } else if (size <= out.capacity()) {
      out.assign(text, size);
    } else {
      out = std::string(text, size);
    }
  }

  __attribute__((noinline)) bool long_string(const TypeInfo& type, std::string& out) {
    if (is_string(r_.op())) return r_.read_string(out);
    return other(type, &out);
  }

  bool number(const TypeInfo& type, void* out) {
    const std::uint8_t* start = r_.cursor_;
    if (r_.left() >= 9) [[likely]] {
      // The usual forms, without the checks that the shorter end of the input needs.
      const Op op = r_.ops_[*start];
      if (type.kind == Kind::kInt32 || type.kind == Kind::kInt64) {
        std::int64_t value = 0;
        std::size_t size = 0;
        switch (op) {
          case Op::kInt1:
            value = *start - 0x90;
            size = 1;
            break;
          case Op::kInt2:
            value = ((start[0] - 0xc8) << 8) + start[1];
            size = 2;
            break;
          case Op::kInt3:
            value = ((start[0] - 0xd4) << 16) + load_big<std::uint16_t>(start + 1);
            size = 3;
            break;
          case Op::kLong1:
            value = *start - 0xe0;
            size = 1;
            break;
          case Op::kLong2:
            value = ((start[0] - 0xf8) << 8) + start[1];
            size = 2;
            break;
          case Op::kLong3:
            value = ((start[0] - 0x3c) << 16) + load_big<std::uint16_t>(start + 1);
            size = 3;
            break;
          case Op::kInt5:
          case Op::kLong5:
            value = static_cast<std::int32_t>(load_big<std::uint32_t>(start + 1));
            size = 5;
            break;
          case Op::kLong9:
            value = static_cast<std::int64_t>(load_big<std::uint64_t>(start + 1));
            size = type.kind == Kind::kInt64 ? 9 : 0;
            break;
          default: break;
        }
        if (size != 0) [[likely]] {
          r_.cursor_ = start + size;
          if (type.kind == Kind::kInt64) {
            store(out, value);
          } else {
            store(out, static_cast<std::int32_t>(value));
          }
          return true;
        }
      } else if (op == Op::kDouble64 && type.kind == Kind::kDouble) {
        store(out, std::bit_cast<double>(load_big<std::uint64_t>(start + 1)));
        r_.cursor_ = start + 9;
        return true;
      } else if (op == Op::kDoubleFloat3 && type.kind == Kind::kFloat) {
        store(out, std::bit_cast<float>(load_big<std::uint32_t>(start + 1)));
        r_.cursor_ = start + 5;
        return true;
      }
    }
    return any_number(type, out);
  }

  __attribute__((noinline)) bool any_number(const TypeInfo& type, void* out) {
    if (!is_number(r_.op())) return other(type, out);
    const std::uint8_t* start = r_.cursor_;
    if (type.kind == Kind::kDouble || type.kind == Kind::kFloat) {
      Reader::Number number;
      if (!r_.read_number(number, "a double")) return false;
      const double real = number.floating ? number.real : static_cast<double>(number.integer);
      if (type.kind == Kind::kDouble) {
        store(out, real);
        return true;
      }
      const auto narrow = static_cast<float>(real);
      if (std::isinf(narrow) && !std::isinf(real)) {
        return r_.fail_at(start, Code::kDecode, std::to_string(real) + " does not fit a float");
      }
      store(out, narrow);
      return true;
    }
    const Range range = range_of(type.kind);
    std::int64_t value;
    if (!r_.read_integer(value, range.min, range.max, wanted(type))) return false;
    switch (type.kind) {
      case Kind::kInt8: store(out, static_cast<std::int8_t>(value)); break;
      case Kind::kInt16: store(out, static_cast<std::int16_t>(value)); break;
      case Kind::kInt32: store(out, static_cast<std::int32_t>(value)); break;
      default: store(out, value); break;
    }
    return true;
  }

  // Whatever is not the usual form of a value of this type.
  __attribute__((noinline)) bool other(const TypeInfo& type, void* out) {
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
  bool each_field(F&& use) {
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
  bool unwrap(const TypeInfo& type, void* out, std::string_view name, std::string_view or_name) {
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

  bool character(void* out) {
    const std::uint8_t* start = r_.cursor_;
    std::u16string units;
    if (!read_units(units)) return false;
    if (units.size() != 1) {
      return r_.fail_at(start, Code::kDecode,
                        "expected a character, found a string of " + std::to_string(units.size()) +
                            " characters");
    }
    store(out, units[0]);
    return true;
  }

  bool characters(const TypeInfo& type, void* out) {
    std::u16string units;
    if (!read_units(units)) return false;
    type.clear(out);
    type.reserve(out, units.size());
    for (const char16_t unit : units) store(type.append(out), unit);
    return true;
  }

  // A string as the UTF-16 units it is made of, lone surrogates and all.
  bool read_units(std::u16string& units) {
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
          units +=
              static_cast<char16_t>((at[0] & 0x0f) << 12 | (at[1] & 0x3f) << 6 | (at[2] & 0x3f));
          at += 3;
        } else {
          const std::uint32_t c = (at[0] & 0x07u) << 18 | (at[1] & 0x3fu) << 12 |
                                  (at[2] & 0x3fu) << 6 | (at[3] & 0x3fu);
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

  bool decimal(std::string& text, Op op) {
    const std::uint8_t* start = r_.cursor_;
    if (is_string(op)) {
      if (!r_.read_string(text)) return false;
      if (detail::is_decimal_text(text)) return true;
      return r_.fail_at(start, Code::kDecode,
                        "\"" + text.substr(0, 64) + "\" is no decimal number");
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

  bool whole_number(std::string& text, Op op) {
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

  bool big_integer_object(std::string& text) {
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

  bool magnitude(std::vector<std::uint32_t>& words) {
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

  bool enum_object(const TypeInfo& type, void* out) {
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

  bool enumerator(const TypeInfo& type, void* out, std::string_view name,
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

  // Finds the members that a class definition's fields go to. Mostly both have the same order.
  void plan(std::uint32_t number, const TypeInfo& type) {
    Reader::Definition& definition = r_.definitions_[number];
    definition.planned = &type;
    const auto members = type.members;
    std::size_t next = 0;
    for (std::uint32_t i = 0; i < definition.fields; ++i) {
      Reader::Field& field = r_.fields_[definition.first_field + i];
      field.member = kUnknownField;
      for (std::size_t tried = 0; tried < members.size(); ++tried) {
        if (next >= members.size()) next = 0;
        const std::string_view name = members[next].name;
        if (detail::same_name(field.name, field.size, name.data(), name.size())) {
          field.member = static_cast<std::uint32_t>(next++);
          break;
        }
        ++next;
      }
    }
  }

  bool structure(const TypeInfo& type, void* out) {
    const std::uint8_t* start = r_.cursor_;
    std::uint32_t number = 0;
    std::uint32_t reference = 0;
    if (!r_.read_class_number(number) || !r_.enter(start, reference)) return false;
    const std::uint32_t count = r_.definitions_[number].fields;
    if (count > r_.left()) [[unlikely]]
      return r_.fail_end();
    if (!r_.charge_nodes(count)) return false;
    const std::uint32_t first = r_.definitions_[number].first_field;
    const MemberInfo* members = type.members.data();
    for (std::uint32_t i = 0; i < count; ++i) {
      // An object within this one may have used the definition for another type.
      if (r_.definitions_[number].planned != &type) plan(number, type);
      const Reader::Field& field = r_.fields_[first + i];
      if (field.member == kUnknownField) {
        if (!r_.skip()) [[unlikely]]
          return in(Reader::name_of(r_.fields_[first + i]));
        continue;
      }
      const MemberInfo& member = members[field.member];
      void* to = static_cast<char*>(out) + member.offset;
      if (!element(*member.type, to)) [[unlikely]]
        return in(member.name);
    }
    r_.leave(reference);
    return true;
  }

  bool structure_of_map(const TypeInfo& type, void* out) {
    return each_field([&](std::string_view name) {
      for (const MemberInfo& member : type.members) {
        if (member.name == name) {
          return decode(*member.type, static_cast<char*>(out) + member.offset) || in(member.name);
        }
      }
      return r_.skip() || in(name);
    });
  }

  bool list(const TypeInfo& type, void* out) {
    Container list;
    if (!r_.begin_list(list)) return false;
    const TypeInfo& element = *type.element;
    type.clear(out);
    if (list.count == Container::kUnknown) return endless_list(type, out, list);
    if (!r_.charge_bytes(list.count * element.size)) return false;
    std::size_t room = list.count;
    if (room * element.size > kReserveBytes) room = kReserveBytes / element.size;
    type.reserve(out, room);
    for (std::size_t i = 0; i < list.count; ++i) {
      if (!this->element(element, type.append(out))) [[unlikely]]
        return in_item(i);
    }
    list.index = list.count;
    r_.step(list);
    return r_.ok();
  }

  bool endless_list(const TypeInfo& type, void* out, Container& list) {
    while (r_.step(list)) {
      if (!r_.charge_bytes(type.element->size)) return false;
      if (!decode(*type.element, type.append(out))) [[unlikely]]
        return in_item(list.index - 1);
    }
    return r_.ok();
  }

  bool set(const TypeInfo& type, void* out) {
    Container list;
    if (!r_.begin_list(list)) return false;
    type.clear(out);
    Filler filler(*this, nullptr, *type.element);
    while (r_.step(list)) {
      if (!r_.charge_bytes(type.element->size)) return false;
      if (!type.insert(out, filler)) [[unlikely]]
        return in_item(list.index - 1);
    }
    return r_.ok();
  }

  bool map(const TypeInfo& type, void* out) {
    Container map;
    if (!r_.begin_map(map)) return false;
    type.clear(out);
    Filler filler(*this, type.key, *type.element);
    const std::uint64_t entry_size = std::uint64_t{type.key->size} + type.element->size;
    while (r_.step(map)) {
      const std::uint8_t* start = r_.cursor_;
      if (!r_.charge_bytes(entry_size)) return false;
      if (!type.insert(out, filler)) [[unlikely]]
        return in_entry(start);
    }
    return r_.ok();
  }

  bool map_of_object(const TypeInfo& type, void* out) {
    type.clear(out);
    return each_field([&](std::string_view name) {
      FieldFiller filler(*this, *type.element, name);
      return type.insert(out, filler).ok() || in(name);
    });
  }

  // Names the entry that begins at `start` in the path of a failure.
  __attribute__((noinline, cold)) bool in_entry(const std::uint8_t* start) {
    Reader probe({start, static_cast<std::size_t>(r_.end_ - start)}, r_.dialect_);
    std::string_view key;
    if (is_string(probe.op()) && probe.read_string(key)) {
      return in("[\"" + std::string(key.substr(0, 64)) + "\"]");
    }
    return in("[...]");
  }

  // Reads again what a reference names, by calling `read` there.
  template <class F>
  bool with_target(F&& read) {
    const std::uint8_t* start = r_.cursor_;
    std::uint32_t number;
    if (!r_.read_reference(number)) return false;
    const Reader::Referenced target = r_.references_[number];
    if (target.active) {
      return r_.fail_at(start, Code::kDecode,
                        "cyclic reference into a typed value; use a member of type hessian::Value");
    }
    if (r_.depth_left_ == 0) return r_.fail_limit("depth", r_.limits_.depth);
    if (!r_.charge_nodes(1)) return false;
    --r_.depth_left_;
    const std::uint8_t* behind = r_.cursor_;
    const bool was_replaying = r_.replaying_;
    const std::uint32_t was_next = r_.replay_next_;
    r_.cursor_ = r_.begin_ + target.start;
    r_.replaying_ = true;
    r_.replay_next_ = number;
    const bool done = read();
    r_.replaying_ = was_replaying;
    r_.replay_next_ = was_next;
    ++r_.depth_left_;
    if (!done) return false;
    r_.cursor_ = behind;
    return true;
  }

  bool replay(const TypeInfo& type, void* out) {
    return with_target([&] { return decode(type, out); });
  }

  // ---- variants ----

  // What a variant's alternatives are chosen by.
  struct Sight {
    Op op;
    std::string_view type;  // class or type name
    bool floating = false;
    std::int64_t integer = 0;
    double real = 0;
    std::string text;
  };

  // Looks at the value to come without reading it.
  bool look(Sight& sight) {
    sight.op = r_.op();
    if (!r_.ok()) return false;
    const std::uint8_t* start = r_.cursor_;
    const std::uint32_t nodes = r_.nodes_left_;
    const std::uint32_t types = r_.types_.size();
    const std::uint32_t references = r_.references_.size();
    const std::uint32_t next = r_.replay_next_;
    const std::uint32_t depth = r_.depth_left_;
    const std::uint64_t bytes = r_.bytes_left_;
    if (is_number(sight.op)) {
      Reader::Number number;
      if (!r_.read_number(number, "a number")) return false;
      sight.floating = number.floating;
      if (number.floating) {
        sight.real = number.real;
      } else {
        sight.integer = number.integer;
      }
    } else if (is_string(sight.op)) {
      // Only short ones can name an enumerator or be a number.
      std::string_view text;
      if (*r_.cursor_ < 0x20) {
        if (!r_.read_string(text)) return false;
        sight.text = text;
      }
    } else if (is_list(sight.op) || is_map(sight.op) || is_object(sight.op)) {
      Container container;
      if (is_list(sight.op)) {
        if (!r_.begin_list(container)) return false;
      } else if (is_map(sight.op)) {
        if (!r_.begin_map(container)) return false;
      } else if (!r_.begin_object(container)) {
        return false;
      }
      sight.type = container.type;
      // Once more when it is really read. While replaying it was known, and not active, before.
      r_.references_[container.reference].active = false;
    }
    r_.cursor_ = start;
    r_.nodes_left_ = nodes;
    r_.types_.shrink(types);
    r_.references_.shrink(references);
    r_.replay_next_ = next;
    r_.depth_left_ = depth;
    r_.bytes_left_ = bytes;
    return true;
  }

  // Null goes to the first alternative that can be null.
  static void empty_variant(const TypeInfo& type, void* out) {
    for (std::size_t i = 0; i < type.alternatives.size(); ++i) {
      const Kind kind = type.alternatives[i]->kind;
      if (kind == Kind::kOptional || kind == Kind::kPointer || kind == Kind::kAny) {
        type.emplace_alternative(out, i);
        return;
      }
    }
  }

  bool variant(const TypeInfo& type, void* out) {
    if (is_reference(r_.op())) {
      return with_target([&] { return variant(type, out); });
    }
    const std::uint8_t* start = r_.cursor_;
    Sight sight;
    if (!look(sight)) return false;
    for (const bool exact : {true, false}) {
      for (std::size_t i = 0; i < type.alternatives.size(); ++i) {
        if (fits(*type.alternatives[i], sight, exact, type)) {
          if (!r_.charge_bytes(type.alternatives[i]->size)) return false;
          return decode(*type.alternatives[i], type.emplace_alternative(out, i));
        }
      }
    }
    std::string text = "no alternative of the variant fits";
    if (!sight.type.empty()) text += " " + std::string(sight.type.substr(0, 128));
    text += " (";
    for (std::size_t i = 0; i < type.alternatives.size(); ++i) {
      if (i != 0) text += ", ";
      text += java_name(*type.alternatives[i]);
    }
    return r_.fail_at(start, Code::kDecode, text + ")");
  }

  // Whether the value is of the very kind of `type`, or (not exact) can be read as one.
  bool fits(const TypeInfo& type, const Sight& sight, bool exact, const TypeInfo& variant) {
    if (type.kind == Kind::kOptional || type.kind == Kind::kPointer) {
      return fits(*type.element, sight, exact, variant);
    }
    const Op op = sight.op;
    const bool whole = is_integer(op);
    const bool integral = whole || (is_double(op) && sight.real >= -0x1p63 && sight.real < 0x1p63 &&
                                    std::trunc(sight.real) == sight.real);
    const std::int64_t integer = whole      ? sight.integer
                                 : integral ? static_cast<std::int64_t>(sight.real)
                                            : 0;
    const double real = whole ? static_cast<double>(sight.integer) : sight.real;
    const auto in_range = [&] {
      const Range range = range_of(type.kind);
      return integral && integer >= range.min && integer <= range.max;
    };
    switch (type.kind) {
      case Kind::kBool: return op == Op::kTrue || op == Op::kFalse;
      case Kind::kInt8:
      case Kind::kInt16:
      case Kind::kInt32:
        if (exact && !(whole && !is_long(op))) {
          return (type.kind == Kind::kInt8 && sight.type == "com.caucho.hessian.io.ByteHandle") ||
                 (type.kind == Kind::kInt16 && sight.type == "com.caucho.hessian.io.ShortHandle");
        }
        return in_range();
      case Kind::kInt64:
      case Kind::kDuration: return exact ? is_long(op) : integral;
      case Kind::kFloat:
        if (sight.type == "com.caucho.hessian.io.FloatHandle") return true;
        if (exact && !is_double(op)) return false;
        return is_number(op) && (!exact || std::isnan(real) ||
                                 static_cast<double>(static_cast<float>(real)) == real);
      case Kind::kDouble: return exact ? is_double(op) : is_number(op);
      case Kind::kChar16: return !exact && is_string(op) && *r_.cursor_ == 1;
      case Kind::kString: return is_string(op);
      case Kind::kBytes: return is_bytes(op);
      case Kind::kDate:
        return is_date(op) || (exact ? false : sight.type.substr(0, 9) == "java.sql.");
      case Kind::kDecimal:
        if (sight.type == "java.math.BigDecimal") return true;
        return !exact && ((is_number(op) && std::isfinite(real)) ||
                          (is_string(op) && detail::is_decimal_text(sight.text)));
      case Kind::kBigInteger:
        if (sight.type == "java.math.BigInteger") return true;
        return !exact && (integral || (is_string(op) && detail::is_integer_text(sight.text)));
      case Kind::kEnum:
        if (is_object(op) || is_map(op)) return sight.type == type.name;
        return !exact && is_string(op) &&
               std::any_of(type.enumerators.begin(), type.enumerators.end(),
                           [&](const EnumeratorInfo& known) { return known.name == sight.text; });
      case Kind::kStruct:
        if (!is_object(op) && !is_map(op)) return false;
        if (sight.type == type.name) return true;
        // Of another class: only where no other struct could be meant.
        return !exact && std::count_if(variant.alternatives.begin(), variant.alternatives.end(),
                                       [](const TypeInfo* other) {
                                         return stripped(*other).kind == Kind::kStruct;
                                       }) == 1;
      case Kind::kList:
        return is_list(op) && (!exact || (sight.type.substr(0, 1) != "[" && !is_set(sight.type)));
      case Kind::kArray:
        if (is_string(op)) return !exact && type.element->kind == Kind::kChar16;
        return is_list(op) && (!exact || sight.type.substr(0, 1) == "[");
      case Kind::kSet: return is_list(op) && (!exact || is_set(sight.type));
      case Kind::kMap:
        return is_map(op) || (!exact && is_object(op) && type.key->kind == Kind::kString);
      case Kind::kVariant:
        return !exact && std::any_of(type.alternatives.begin(), type.alternatives.end(),
                                     [&](const TypeInfo* inner) {
                                       return fits(*inner, sight, true, type) ||
                                              fits(*inner, sight, false, type);
                                     });
      case Kind::kAny: return !exact;
      default: return false;
    }
  }

  static const TypeInfo& stripped(const TypeInfo& type) noexcept {
    return type.kind == Kind::kOptional || type.kind == Kind::kPointer ? stripped(*type.element)
                                                                       : type;
  }
  static bool is_set(std::string_view type) noexcept {
    return type.find("Set") != std::string_view::npos;
  }

  // ---- generic values ----

  bool any(Value& out) {
    const Op op = r_.op();
    if (!r_.ok()) return false;
    if (is_string(op)) {
      std::string_view text;
      const std::uint8_t* at = r_.cursor_;
      const std::size_t size = *at;
      if (size < 32 && size < r_.left() && detail::is_short_ascii(at + 1, size, r_.left() - 1))
          [[likely]] {
        text = {reinterpret_cast<const char*>(at + 1), size};
        r_.cursor_ = at + 1 + size;
      } else if (!long_text(text)) {
        return false;
      }
      if (!r_.charge_bytes(text.size())) return false;
      out = Value(text);
      return true;
    }
    if (is_number(op)) {
      Reader::Number number;
      if (!r_.read_number(number, "a number")) return false;
      if (number.floating) {
        out = Value(number.real);
      } else if (is_long(op)) {
        out = Value(static_cast<long long>(number.integer));
      } else {
        out = Value(static_cast<int>(number.integer));
      }
      return true;
    }
    if (is_list(op)) return list_value(out);
    if (is_map(op)) return map_value(out);
    if (is_object(op)) return object_value(out);
    if (is_reference(op)) return referenced_value(out);
    if (is_date(op)) {
      Date date;
      if (!r_.read_date(date)) return false;
      out = Value(date);
      return true;
    }
    if (is_bytes(op)) {
      Bytes bytes;
      if (!r_.read_bytes(bytes)) return false;
      out = Value(std::move(bytes));
      return true;
    }
    switch (op) {
      case Op::kNull: out = Value(); break;
      case Op::kTrue: out = Value(true); break;
      case Op::kFalse: out = Value(false); break;
      default: return r_.fail_kind("a value");
    }
    ++r_.cursor_;
    return true;
  }

  // A text for immediate use.
  bool long_text(std::string_view& text) {
    if (r_.ops_[*r_.cursor_] != Op::kStringChunk) {
      const std::uint8_t* start = r_.cursor_;
      std::size_t units;
      bool final;
      const std::uint8_t* end;
      bool plain;
      if (!r_.read_piece(r_.ops_[*start], units, final) || !r_.scan_units(units, end, plain)) {
        return false;
      }
      if (plain) {
        text = {reinterpret_cast<const char*>(r_.cursor_),
                static_cast<std::size_t>(end - r_.cursor_)};
        r_.cursor_ = end;
        return true;
      }
      r_.cursor_ = start;
    }
    scratch_.clear();
    if (!r_.read_string(scratch_)) return false;
    text = scratch_;
    return true;
  }

  // Makes `node` known as the value of `reference` and gives it to `out`. Both own it: what the reader
  // notes must outlive whatever the caller does with `out`.
  template <class N>
  N& adopt(std::unique_ptr<N> made, std::uint32_t reference, Value& out) {
    N* node = made.release();
    detail::retain_strong(node);
    out = ValueAccess::adopt(node);
    detail::Node*& place = r_.references_[reference].node;
    if (place != nullptr) detail::release_strong(place);
    place = node;
    r_.owns_nodes_ = true;
    return *node;
  }

  const detail::ShapePointer& type_shape(std::string_view type) {
    if (type != last_type_.name()) last_type_ = detail::ShapePointer::of_type(type);
    return last_type_;
  }

  bool list_value(Value& out) {
    Container list;
    if (!r_.begin_list(list) || !r_.charge_bytes(sizeof(detail::ListNode))) return false;
    auto& node = adopt(std::make_unique<detail::ListNode>(), list.reference, out);
    node.shape = type_shape(list.type);
    if (list.count != Container::kUnknown) {
      node.items.reserve(std::min(list.count, kReserveBytes / sizeof(Value)));
    }
    while (r_.step(list)) {
      if (!r_.charge_bytes(sizeof(Value))) return false;
      if (!any(node.items.emplace_back())) [[unlikely]]
        return in_item(list.index - 1);
    }
    return r_.ok();
  }

  bool map_value(Value& out) {
    Container map;
    if (!r_.begin_map(map) || !r_.charge_bytes(sizeof(detail::MapNode))) return false;
    auto& node = adopt(std::make_unique<detail::MapNode>(), map.reference, out);
    node.shape = type_shape(map.type);
    node.entries.reserve(4);
    while (r_.step(map)) {
      if (!r_.charge_bytes(sizeof(Value::Entry))) return false;
      Value::Entry& entry = node.entries.emplace_back();
      if (!any(entry.key)) [[unlikely]]
        return false;
      if (!any(entry.value)) [[unlikely]]
        return in("[" + entry.key.to_string(64) + "]");
    }
    return r_.ok();
  }

  detail::ShapePointer shape_of(std::uint32_t number) {
    Reader::Definition& definition = r_.definitions_[number];
    if (definition.shape == nullptr) {
      auto shape = std::make_unique<detail::Shape>(Reader::name_of(definition));
      shape->fields.reserve(definition.fields);
      for (std::uint32_t i = 0; i < definition.fields; ++i) {
        shape->fields.emplace_back(Reader::name_of(r_.fields_[definition.first_field + i]));
      }
      // Java's generic objects come with a definition each: those of a list share one shape.
      const detail::Shape* before = number == 0 ? nullptr : r_.definitions_[number - 1].shape;
      if (before != nullptr && before->same(*shape)) {
        detail::retain(before);
        definition.shape = before;
      } else {
        definition.shape = shape.release();
      }
      r_.owns_shapes_ = true;
    }
    detail::retain(definition.shape);
    return detail::ShapePointer(const_cast<detail::Shape*>(definition.shape));
  }

  bool object_value(Value& out) {
    Container object;
    if (!r_.begin_object(object) || !r_.charge_bytes(sizeof(detail::ObjectNode))) return false;
    auto& node = adopt(std::make_unique<detail::ObjectNode>(shape_of(object.definition)),
                       object.reference, out);
    // As many values as its class has fields, even if the message breaks off.
    if (!r_.charge_bytes(object.count * sizeof(Value))) return false;
    node.fields.resize(object.count);
    while (r_.step(object)) {
      if (!any(node.fields[object.index - 1])) [[unlikely]]
        return in(object.field);
    }
    return r_.ok();
  }

  bool referenced_value(Value& out) {
    const std::uint8_t* start = r_.cursor_;
    std::uint32_t number;
    if (!r_.read_reference(number)) return false;
    const Reader::Referenced target = r_.references_[number];
    if (target.node != nullptr) {
      if (target.active) {
        out = ValueAccess::weak_to(target.node);
      } else {
        detail::retain_strong(target.node);
        out = ValueAccess::adopt(target.node);
      }
      return true;
    }
    if (target.active) {
      return r_.fail_at(start, Code::kDecode,
                        "reference from a generic value to a typed one that it is part of");
    }
    r_.cursor_ = start;
    return with_target([&] { return any(out); });
  }

  Reader& r_;
  std::string scratch_;
  detail::ShapePointer last_type_;
};

Result<void> decode(Reader& reader, const TypeInfo& type, void* value, DecodeOptions options) {
  return Decoder(reader).run(type, value, options, true);
}

Result<void> from_bytes(std::span<const std::uint8_t> bytes, const TypeInfo& type, void* value,
                        Dialect dialect, const Limits& limits) {
  Reader reader(bytes, dialect, limits);
  if (Result<void> done = decode(reader, type, value); !done) return done;
  if (!reader.at_end()) {
    reader.fail(Code::kDecode, std::to_string(bytes.size() - reader.offset()) +
                                   " bytes are left behind the value");
    return reader.error();
  }
  return {};
}

// Through bytes, so that the rules are the same by construction.
Result<void> convert(const Value& value, const TypeInfo& type, void* out) {
  if (type.kind == Kind::kAny) {
    *static_cast<Value*>(out) = value;
    return {};
  }
  Result<Bytes> bytes = to_bytes(type_of<Value>(), &value);
  if (!bytes) return bytes.error();
  Reader reader(bytes->span());
  return Decoder(reader).run(type, out, DecodeOptions(), false);
}

Result<Value> to_value(const TypeInfo& type, const void* value) {
  if (type.kind == Kind::kAny) return *static_cast<const Value*>(value);
  Result<Bytes> bytes = to_bytes(type, value);
  if (!bytes) return bytes.error();
  return from_bytes<Value>(bytes->span());
}

}  // namespace settee::inline v0::hessian  // settee-check: allow file-length
