// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0
//
// Which of a variant's alternatives a value goes into.

#include <algorithm>
#include <cmath>
#include <string>
#include <string_view>

#include "settee/hessian/internal/big_integer.h"
#include "settee/hessian/internal/decoder.h"

namespace settee::inline v0::hessian {

using detail::is_bytes;
using detail::is_date;
using detail::is_double;
using detail::is_integer;
using detail::is_list;
using detail::is_long;
using detail::is_map;
using detail::is_number;
using detail::is_object;
using detail::is_reference;
using detail::is_string;
using detail::Op;
using detail::Range;
using detail::range_of;

namespace {

const TypeInfo& stripped(const TypeInfo& type) noexcept {
  return type.kind == Kind::kOptional || type.kind == Kind::kPointer ? stripped(*type.element)
                                                                     : type;
}

bool is_set(std::string_view type) noexcept { return type.find("Set") != std::string_view::npos; }

}  // namespace

// What a variant's alternatives are chosen by.
struct Decoder::Sight {
  Op op;
  std::string_view type;  // class or type name
  bool floating = false;
  std::int64_t integer = 0;
  double real = 0;
  std::string text;
};

// Looks at the value to come without reading it.
bool Decoder::look(Sight& sight) {
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
void Decoder::empty_variant(const TypeInfo& type, void* out) {
  for (std::size_t i = 0; i < type.alternatives.size(); ++i) {
    const Kind kind = type.alternatives[i]->kind;
    if (kind == Kind::kOptional || kind == Kind::kPointer || kind == Kind::kAny) {
      type.emplace_alternative(out, i);
      return;
    }
  }
}

bool Decoder::variant(const TypeInfo& type, void* out) {
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
bool Decoder::fits(const TypeInfo& type, const Sight& sight, bool exact, const TypeInfo& variant) {
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
      return is_number(op) &&
             (!exact || std::isnan(real) || static_cast<double>(static_cast<float>(real)) == real);
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

}  // namespace settee::inline v0::hessian
