// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0
//
// Described types to JSON: write(), to_json() and write_arguments(). Reading is in json_read.cc.

#include <fmt/format.h>
#include <simdjson.h>

#include <algorithm>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "settee/base/service.h"
#include "settee/hessian/internal/json_emitter.h"
#include "settee/hessian/internal/json_put.h"
#include "settee/hessian/internal/json_text.h"
#include "settee/hessian/internal/text.h"
#include "settee/hessian/json.h"

namespace settee::inline v0::json {

namespace detail {

class Emitter::SetVisitor final : public ElementVisitor {
 public:
  SetVisitor(Emitter& emitter, std::uint8_t* at, const TypeInfo& type, const Step* up)
      : emitter_(emitter), at_(at), type_(type), step_{up} {}
  bool visit(const void*, const void* value) override {
    at_ = emitter_.separate(at_, step_.index == 0);
    at_ = emitter_.write(at_, *type_.element, value, &step_);
    ++step_.index;
    return at_ != nullptr;
  }
  std::uint8_t* at() const noexcept { return at_; }
  bool empty() const noexcept { return step_.index == 0; }

 private:
  Emitter& emitter_;
  std::uint8_t* at_;
  const TypeInfo& type_;
  Step step_;
};

class Emitter::MapVisitor final : public ElementVisitor {
 public:
  MapVisitor(Emitter& emitter, std::uint8_t* at, const TypeInfo& type, const Step* up)
      : emitter_(emitter), at_(at), type_(type), up_(up) {}
  bool visit(const void* key, const void* value) override {
    at_ = emitter_.separate(at_, empty_);
    empty_ = false;
    std::string_view name = "";
    std::string made;
    if (type_.key->kind == Kind::kString) {
      name = *static_cast<const std::string*>(key);
    } else if (emitter_.key_text(*type_.key, key, made)) {
      name = made;
    } else {
      at_ = emitter_.fail(Code::kEncode, "a map whose keys have no text in JSON", up_);
      return false;
    }
    const Step step{up_, name};
    at_ = emitter_.write(emitter_.name(at_, name), *type_.element, value, &step);
    return at_ != nullptr;
  }
  std::uint8_t* at() const noexcept { return at_; }
  bool empty() const noexcept { return empty_; }

 private:
  Emitter& emitter_;
  std::uint8_t* at_;
  const TypeInfo& type_;
  const Step* up_;
  bool empty_ = true;
};

std::uint8_t* Emitter::write(std::uint8_t* at, const TypeInfo& type, const void* value,
                             const Step* up) {
  switch (type.kind) {
    case Kind::kVoid: return put(at, "null");
    case Kind::kBool: return put(at, load<bool>(value) ? "true" : "false");
    case Kind::kInt8: return put_whole(room(at), load<std::int8_t>(value));
    case Kind::kInt16: return put_whole(room(at), load<std::int16_t>(value));
    case Kind::kInt32: return put_whole(room(at), load<std::int32_t>(value));
    case Kind::kInt64:
    case Kind::kDuration: return put_whole(room(at), load<std::int64_t>(value));
    case Kind::kChar16: return characters(at, {static_cast<const char16_t*>(value), 1});
    case Kind::kFloat: return put_real(room(at), load<float>(value));
    case Kind::kDouble: return put_real(room(at), load<double>(value));
    case Kind::kString: return text(at, *static_cast<const std::string*>(value));
    case Kind::kBytes: return base64(at, *static_cast<const Bytes*>(value));
    case Kind::kDate: return date(at, millis_of(value), options_.dates_as_text);
    case Kind::kDecimal: return digits(at, static_cast<const Decimal*>(value)->text, false, up);
    case Kind::kBigInteger:
      return digits(at, static_cast<const BigInteger*>(value)->text, true, up);
    case Kind::kEnum: {
      const EnumeratorInfo* known = enumerator(type, value);
      return known != nullptr ? text(at, known->name) : fail_enumerator(type, value, up);
    }
    case Kind::kStruct: return structure(at, type, value, up);
    case Kind::kOptional:
    case Kind::kPointer: {
      const void* inner = type.get(value);
      return inner == nullptr ? put(at, "null") : write(at, *type.element, inner, up);
    }
    case Kind::kList: return list(at, type, value, up);
    case Kind::kArray:
      return type.element->kind == Kind::kChar16 ? char_array(at, type, value)
                                                 : list(at, type, value, up);
    case Kind::kSet: return set(at, type, value, up);
    case Kind::kMap: return map(at, type, value, up);
    case Kind::kVariant:
      return write(at, *type.alternatives[type.index(value)], type.alternative(value), up);
    case Kind::kAny: return generic(at, *static_cast<const hessian::Value*>(value), up);
    case Kind::kMessage: return fail(Code::kEncode, "a protobuf message has no form in JSON", up);
  }
  return fail(Code::kEncode, "a type of unknown kind", up);
}

__attribute__((noinline)) std::uint8_t* Emitter::more(std::uint8_t* at, std::size_t n) {
  end(at);
  n = std::max(n, kRoom);
  start_ = out_.prepare(n);
  limit_ = start_ + n;
  return start_;
}

// The text from its first byte that is not plain, or that found no room.
__attribute__((noinline)) std::uint8_t* Emitter::rest_of_text(std::uint8_t* at, const char* from,
                                                              const char* end) {
  enum { kAscii, kValid, kInvalid } seen = kAscii;  // of bytes of more than 7 bits
  while (from != end) {
    at = room(at, std::min(static_cast<std::size_t>(end - from), kRoom / 2) + 2 * kTextMargin);
    const std::size_t n = std::min(static_cast<std::size_t>(end - from), left(at));
    const std::size_t plain =
        seen == kValid ? copy_plain<false>(at, from, n) : copy_plain<true>(at, from, n);
    at += plain;
    from += plain;
    if (plain == n) continue;
    if (static_cast<std::uint8_t>(*from) < 0x80) {
      at = put_escape(at, *from++);
      continue;
    }
    if (seen == kAscii) {
      seen =
          simdjson::validate_utf8(from, static_cast<std::size_t>(end - from)) ? kValid : kInvalid;
      if (seen == kValid) continue;
    }
    at = put_utf8(at, hessian::detail::next_utf8(from, end));
  }
  return at;
}

// UTF-16 units as one string; surrogates that are no pair are escaped.
std::uint8_t* Emitter::characters(std::uint8_t* at, std::u16string_view units) {
  at = put(at, '"');
  for (std::size_t i = 0; i < units.size(); ++i) {
    at = room(at);
    const std::uint32_t unit = units[i];
    if (unit < 0x80) {
      const char c = static_cast<char>(unit);
      if (is_special<true>(c)) {
        at = put_escape(at, c);
      } else {
        *at++ = static_cast<std::uint8_t>(c);
      }
    } else if ((unit & 0xf800) != 0xd800) {
      at = put_utf8(at, unit);
    } else if ((unit & 0xfc00) == 0xd800 && i + 1 < units.size() &&
               (units[i + 1] & 0xfc00) == 0xdc00) {
      at = put_utf8(at, 0x10000 + ((unit & 0x3ff) << 10) + (units[++i] & 0x3ffu));
    } else {
      at = put_text(at, "\\u");
      for (int shift = 12; shift >= 0; shift -= 4) {
        *at++ = static_cast<std::uint8_t>("0123456789abcdef"[unit >> shift & 15]);
      }
    }
  }
  return put(at, '"');
}

std::uint8_t* Emitter::char_array(std::uint8_t* at, const TypeInfo& type, const void* value) {
  std::u16string units(type.count(value), u'\0');
  for (std::size_t i = 0; i < units.size(); ++i) units[i] = load<char16_t>(type.at(value, i));
  return characters(at, units);
}

// The digits of a Decimal or BigInteger.
std::uint8_t* Emitter::digits(std::uint8_t* at, std::string_view digits, bool whole,
                              const Step* up) {
  const std::optional<std::string> number = json_number(digits, whole);
  if (!number) {
    return fail(Code::kEncode,
                fmt::format("\"{}\" is no {} number", excerpt(digits), whole ? "whole" : "decimal"),
                up);
  }
  return long_plain(at, *number);
}

const EnumeratorInfo* Emitter::enumerator(const TypeInfo& type, const void* value) noexcept {
  const std::int64_t number = type.enum_get(value);
  for (const EnumeratorInfo& known : type.enumerators) {
    if (known.value == number) return &known;
  }
  return nullptr;
}

bool Emitter::fail_depth(const Step* up) {
  fail(
      Code::kLimit,
      fmt::format("limit 'depth' of {} exceeded: does a pointer lead in a circle?", options_.depth),
      up);
  return false;
}

std::uint8_t* Emitter::fail_enumerator(const TypeInfo& type, const void* value, const Step* up) {
  return fail(Code::kEncode,
              fmt::format("{} is no enumerator of {}; SETTEE_ENUM lists them", type.enum_get(value),
                          type.name),
              up);
}

std::uint8_t* Emitter::structure(std::uint8_t* at, const TypeInfo& type, const void* value,
                                 const Step* up) {
  if (!enter(up)) return nullptr;
  at = open(at, '{');
  bool first = true;
  if (options_.type_names != TypeNames::kNone) {
    at = text(name(separate(at, true), "$class"), type.name);
    first = false;
  }
  for (const MemberInfo& member : type.members) {
    at = name(separate(at, first), member.name);
    first = false;
    const Step step{up, member.name};
    at = write(at, *member.type, static_cast<const char*>(value) + member.offset, &step);
    if (at == nullptr) [[unlikely]]
      return nullptr;
  }
  return close(at, '}', first);
}

std::uint8_t* Emitter::list(std::uint8_t* at, const TypeInfo& type, const void* value,
                            const Step* up) {
  if (!enter(up)) return nullptr;
  at = open(at, '[');
  const std::size_t count = type.count(value);
  for (std::size_t i = 0; i < count; ++i) {
    const Step step{up, {}, i};
    at = write(separate(at, i == 0), *type.element, type.at(value, i), &step);
    if (at == nullptr) [[unlikely]]
      return nullptr;
  }
  return close(at, ']', count == 0);
}

std::uint8_t* Emitter::set(std::uint8_t* at, const TypeInfo& type, const void* value,
                           const Step* up) {
  if (!enter(up)) return nullptr;
  SetVisitor visitor(*this, open(at, '['), type, up);
  type.for_each(value, visitor);
  if (visitor.at() == nullptr) return nullptr;
  return close(visitor.at(), ']', visitor.empty());
}

std::uint8_t* Emitter::map(std::uint8_t* at, const TypeInfo& type, const void* value,
                           const Step* up) {
  if (!enter(up)) return nullptr;
  MapVisitor visitor(*this, open(at, '{'), type, up);
  type.for_each(value, visitor);
  if (visitor.at() == nullptr) return nullptr;
  return close(visitor.at(), '}', visitor.empty());
}

bool Emitter::key_text(const TypeInfo& type, const void* key, std::string& out) {
  char scalar[kScalarRoom];
  auto* at = reinterpret_cast<std::uint8_t*>(scalar);
  switch (type.kind) {
    case Kind::kBool: out = load<bool>(key) ? "true" : "false"; return true;
    case Kind::kInt8: out = view(scalar, put_whole(at, load<std::int8_t>(key))); return true;
    case Kind::kInt16: out = view(scalar, put_whole(at, load<std::int16_t>(key))); return true;
    case Kind::kInt32: out = view(scalar, put_whole(at, load<std::int32_t>(key))); return true;
    case Kind::kInt64:
    case Kind::kDuration: out = view(scalar, put_whole(at, load<std::int64_t>(key))); return true;
    case Kind::kFloat:
    case Kind::kDouble: {
      const std::string_view number =
          view(scalar, type.kind == Kind::kFloat ? put_real(at, load<float>(key))
                                                 : put_real(at, load<double>(key)));
      out = number[0] == '"' ? number.substr(1, number.size() - 2) : number;
      return true;
    }
    case Kind::kDate: {
      const std::int64_t millis = millis_of(key);
      out = view(scalar, has_date_text(millis) ? put_date_text(at, millis) : put_whole(at, millis));
      return true;
    }
    case Kind::kDecimal:
    case Kind::kBigInteger: {
      const bool whole = type.kind == Kind::kBigInteger;
      std::optional<std::string> number =
          json_number(whole ? static_cast<const BigInteger*>(key)->text
                            : static_cast<const Decimal*>(key)->text,
                      whole);
      if (number) out = std::move(*number);
      return number.has_value();
    }
    case Kind::kChar16: append_utf8(load<char16_t>(key), out); return true;
    case Kind::kEnum: {
      const EnumeratorInfo* known = enumerator(type, key);
      if (known != nullptr) out = known->name;
      return known != nullptr;
    }
    case Kind::kOptional:
    case Kind::kPointer: {
      const void* inner = type.get(key);
      return inner != nullptr && key_text(*type.element, inner, out);
    }
    case Kind::kString: out = *static_cast<const std::string*>(key); return true;
    default: return false;
  }
}

}  // namespace detail

using detail::emit;
using detail::Emitter;
using detail::Step;

Result<void> write(Buffer& out, const TypeInfo& type, const void* value,
                   const WriteOptions& options) {
  return emit(out, options, [&](Emitter& emitter, std::uint8_t* at) {
    return emitter.write(at, type, value, nullptr);
  });
}

Result<std::string> to_json(const TypeInfo& type, const void* value, const WriteOptions& options) {
  Buffer out;
  if (Result<void> written = write(out, type, value, options); !written) return written.error();
  return out.to_string();
}

Result<void> write_arguments(Buffer& out, std::span<const ParameterInfo> parameters,
                             const void* const* arguments, const WriteOptions& options) {
  if (parameters.size() == 1) return write(out, *parameters[0].type, arguments[0], options);
  return emit(out, options, [&](Emitter& emitter, std::uint8_t* at) {
    at = emitter.open(at, '[');
    for (std::size_t i = 0; i < parameters.size(); ++i) {
      const Step step{nullptr, {}, i};
      at = emitter.write(emitter.separate(at, i == 0), *parameters[i].type, arguments[i], &step);
      if (at == nullptr) return at;
    }
    return emitter.close(at, ']', parameters.empty());
  });
}

}  // namespace settee::inline v0::json
