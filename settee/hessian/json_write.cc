// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0
//
// Writing. Reading is in json_read.cc.

#include <fmt/format.h>
#include <simdjson.h>

#include <algorithm>
#include <bit>
#include <charconv>
#include <cmath>
#include <cstring>
#include <memory>
#include <optional>
#include <type_traits>
#include <unordered_map>
#include <utility>
#include <vector>

#include "settee/base/service.h"
#include "settee/hessian/codec.h"
#include "settee/hessian/internal/json_text.h"
#include "settee/hessian/internal/text.h"
#include "settee/hessian/internal/value_node.h"
#include "settee/hessian/internal/wire.h"
#include "settee/hessian/json.h"

namespace settee::inline v0::json {

using detail::Step;
using hessian::Value;
using hessian::detail::load;
using hessian::detail::Node;
using hessian::detail::store;
using hessian::detail::ValueAccess;

namespace {

constexpr std::string_view kBigDecimalClass = "java.math.BigDecimal";
constexpr std::string_view kBigIntegerClass = "java.math.BigInteger";
// 32-bit words of a BigInteger whose digits are worked out, which takes the square of that.
constexpr std::size_t kMostWords = 256;

constexpr std::uint64_t kOnes = 0x0101010101010101u;
constexpr std::uint64_t kHighBits = 0x8080808080808080u;

// Marks (at least the lowest of) the bytes that a JSON string cannot have as they are: control
// characters, quote, backslash, and those of more than 7 bits when `ascii`.
template <bool ascii>
std::uint64_t special_bytes(std::uint64_t word) noexcept {
  const std::uint64_t control = (word - kOnes * 0x20) & ~word;
  const std::uint64_t quote = word ^ kOnes * '"';
  const std::uint64_t backslash = word ^ kOnes * '\\';
  std::uint64_t marks = control | ((quote - kOnes) & ~quote) | ((backslash - kOnes) & ~backslash);
  if (ascii) marks |= word;
  return marks & kHighBits;
}

template <bool ascii>
bool is_special(char c) noexcept {
  const auto byte = static_cast<std::uint8_t>(c);
  return byte < 0x20 || byte == '"' || byte == '\\' || (ascii && byte >= 0x80);
}

// Copies up to the first special byte, which a little beyond may be overwritten at `to`; returns how many
// bytes are good. There is room for `n`.
template <bool ascii>
std::size_t copy_plain(std::uint8_t* to, const char* from, std::size_t n) noexcept {
#if defined(__SSE2__)
  if (n >= 16) {
    const auto chunk = [&](std::size_t i) -> unsigned {
      const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(from + i));
      _mm_storeu_si128(reinterpret_cast<__m128i*>(to + i), bytes);
      // Signed, so that bytes of more than 7 bits are below as well.
      const __m128i control =
          ascii ? _mm_cmplt_epi8(bytes, _mm_set1_epi8(0x20))
                : _mm_cmpeq_epi8(_mm_min_epu8(bytes, _mm_set1_epi8(0x1f)), bytes);
      const __m128i marks =
          _mm_or_si128(control, _mm_or_si128(_mm_cmpeq_epi8(bytes, _mm_set1_epi8('"')),
                                             _mm_cmpeq_epi8(bytes, _mm_set1_epi8('\\'))));
      return static_cast<unsigned>(_mm_movemask_epi8(marks));
    };
    std::size_t i = 0;
    for (; i + 16 <= n; i += 16) {
      if (const unsigned marks = chunk(i); marks != 0) {
        return i + static_cast<std::size_t>(std::countr_zero(marks));
      }
    }
    if (i == n) return n;
    // The last 16 once more: what is before `i` is known to be plain.
    const unsigned marks = chunk(n - 16);
    return marks == 0 ? n : n - 16 + static_cast<std::size_t>(std::countr_zero(marks));
  }
#endif
  if constexpr (std::endian::native == std::endian::little) {
    if (n >= 8) {
      std::size_t i = 0;
      for (; i + 8 <= n; i += 8) {
        const auto word = load<std::uint64_t>(from + i);
        store(to + i, word);
        if (const std::uint64_t marks = special_bytes<ascii>(word); marks != 0) {
          return i + static_cast<std::size_t>(std::countr_zero(marks)) / 8;
        }
      }
      if (i == n) return n;
      const auto word = load<std::uint64_t>(from + n - 8);
      store(to + n - 8, word);
      const std::uint64_t marks = special_bytes<ascii>(word);
      return marks == 0 ? n : n - 8 + static_cast<std::size_t>(std::countr_zero(marks)) / 8;
    }
    if (n >= 4) {
      const auto head = load<std::uint32_t>(from);
      const auto tail = load<std::uint32_t>(from + n - 4);
      store(to, head);
      store(to + n - 4, tail);
      if (special_bytes<ascii>(std::uint64_t{tail} << 32 | head) == 0) return n;
    }
  }
  for (std::size_t i = 0; i < n; ++i) {
    if (is_special<ascii>(from[i])) return i;
    to[i] = static_cast<std::uint8_t>(from[i]);
  }
  return n;
}

// Writes the escape of a special ASCII character; at most 6 bytes.
std::uint8_t* put_escape(std::uint8_t* at, char c) noexcept {
  *at++ = '\\';
  switch (c) {
    case '"':
    case '\\': *at++ = static_cast<std::uint8_t>(c); return at;
    case '\b': *at++ = 'b'; return at;
    case '\f': *at++ = 'f'; return at;
    case '\n': *at++ = 'n'; return at;
    case '\r': *at++ = 'r'; return at;
    case '\t': *at++ = 't'; return at;
    default: break;
  }
  *at++ = 'u';
  *at++ = '0';
  *at++ = '0';
  *at++ = static_cast<std::uint8_t>('0' + (c >> 4));
  *at++ = static_cast<std::uint8_t>("0123456789abcdef"[c & 15]);
  return at;
}

std::uint8_t* put_utf8(std::uint8_t* at, std::uint32_t c) noexcept {
  if (c < 0x80) {
    *at++ = static_cast<std::uint8_t>(c);
  } else if (c < 0x800) {
    *at++ = static_cast<std::uint8_t>(0xc0 | c >> 6);
    *at++ = static_cast<std::uint8_t>(0x80 | (c & 0x3f));
  } else {
    if (c < 0x10000) {
      *at++ = static_cast<std::uint8_t>(0xe0 | c >> 12);
    } else {
      *at++ = static_cast<std::uint8_t>(0xf0 | c >> 18);
      *at++ = static_cast<std::uint8_t>(0x80 | (c >> 12 & 0x3f));
    }
    *at++ = static_cast<std::uint8_t>(0x80 | (c >> 6 & 0x3f));
    *at++ = static_cast<std::uint8_t>(0x80 | (c & 0x3f));
  }
  return at;
}

// Room that any scalar but texts fits.
constexpr std::size_t kScalarRoom = 48;

std::uint8_t* put_whole(std::uint8_t* at, std::int64_t number) noexcept {
  char* to = reinterpret_cast<char*>(at);
  return reinterpret_cast<std::uint8_t*>(std::to_chars(to, to + kScalarRoom, number).ptr);
}

std::uint8_t* put_text(std::uint8_t* at, std::string_view text) noexcept {
  std::memcpy(at, text.data(), text.size());
  return at + text.size();
}

// The shortest digits that are read as the same number, with a "." or exponent so that it is no int.
template <class T>
std::uint8_t* put_real(std::uint8_t* at, T number) noexcept {
  constexpr T kExact = std::is_same_v<T, float> ? T(16777216) : T(9007199254740992);
  if (std::abs(number) < kExact) {
    if (const auto whole = static_cast<std::int64_t>(number);
        static_cast<T>(whole) == number && (whole != 0 || !std::signbit(number))) {
      return put_text(put_whole(at, whole), ".0");
    }
  } else if (!std::isfinite(number)) {
    return put_text(at, std::isnan(number) ? "\"NaN\""
                        : number > 0       ? "\"Infinity\""
                                           : "\"-Infinity\"");
  }
  char* first = reinterpret_cast<char*>(at);
  char* end = std::to_chars(first, first + kScalarRoom, number).ptr;
  if (std::find_if(first, end, [](char c) { return c == '.' || c == 'e'; }) == end) {
    *end++ = '.';
    *end++ = '0';
  }
  return reinterpret_cast<std::uint8_t*>(end);
}

// Functions that write take the place to write to and return the place behind, or null after an error:
// so the place stays in a register.
class Emitter {
 public:
  Emitter(Buffer& out, const WriteOptions& options)
      : out_(out), options_(options), pretty_(options.layout == Layout::kPretty) {}

  std::uint8_t* begin() {
    limit_ = start_ = out_.prepare(kRoom);
    limit_ += kRoom;
    return start_;
  }
  void end(std::uint8_t* at) noexcept { out_.commit(static_cast<std::size_t>(at - start_)); }

  Error take_error() { return std::move(*error_); }

  std::uint8_t* write(std::uint8_t* at, const TypeInfo& type, const void* value, const Step* up) {
    switch (type.kind) {
      case Kind::kVoid: return put(at, "null");
      case Kind::kBool: return put(at, load<bool>(value) ? "true" : "false");
      case Kind::kInt8: return put_whole(room(at), load<std::int8_t>(value));
      case Kind::kInt16: return put_whole(room(at), load<std::int16_t>(value));
      case Kind::kInt32: return put_whole(room(at), load<std::int32_t>(value));
      case Kind::kInt64:
      case Kind::kDuration:
        return put_whole(room(at), load<std::int64_t>(value));
      case Kind::kChar16: return characters(at, {static_cast<const char16_t*>(value), 1});
      case Kind::kFloat: return put_real(room(at), load<float>(value));
      case Kind::kDouble: return put_real(room(at), load<double>(value));
      case Kind::kString: return text(at, *static_cast<const std::string*>(value));
      case Kind::kBytes: return base64(at, *static_cast<const Bytes*>(value));
      case Kind::kDate: return date(at, millis_of(value), options_.dates_as_text);
      case Kind::kDecimal: return digits(at, static_cast<const Decimal*>(value)->text, false, up);
      case Kind::kBigInteger: return digits(at, static_cast<const BigInteger*>(value)->text, true, up);
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
      case Kind::kAny: return generic(at, *static_cast<const Value*>(value), up);
      case Kind::kMessage:
        return fail(Code::kEncode, "a protobuf message has no form in JSON", up);
    }
    return fail(Code::kEncode, "a type of unknown kind", up);
  }

  std::uint8_t* generic(std::uint8_t* at, const Value& value, const Step* up);

  std::uint8_t* open(std::uint8_t* at, char bracket) {
    ++depth_;
    return put(at, bracket);
  }
  /// Between items, and before the first.
  std::uint8_t* separate(std::uint8_t* at, bool first) {
    if (!first) at = put(at, ',');
    return pretty_ ? line(at) : at;
  }
  std::uint8_t* close(std::uint8_t* at, char bracket, bool empty) {
    --depth_;
    if (pretty_ && !empty) at = line(at);
    return put(at, bracket);
  }
  std::uint8_t* put(std::uint8_t* at, char c) {
    at = room(at);
    *at = static_cast<std::uint8_t>(c);
    return at + 1;
  }
  /// A short text as it is.
  std::uint8_t* put(std::uint8_t* at, std::string_view plain) { return put_text(room(at), plain); }
  std::uint8_t* colon(std::uint8_t* at) { return pretty_ ? put(at, ": ") : put(at, ':'); }
  std::uint8_t* name(std::uint8_t* at, std::string_view name) { return colon(text(at, name)); }

 private:
  class SetVisitor final : public ElementVisitor {
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

  class MapVisitor final : public ElementVisitor {
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

  friend class ValueWriter;

  static constexpr std::size_t kRoom = 1024;
  // Texts leave so much room behind them, for the quote and what escapes need.
  static constexpr std::size_t kTextMargin = 16;

  // Room for any scalar.
  std::uint8_t* room(std::uint8_t* at) { return room(at, kScalarRoom); }
  std::uint8_t* room(std::uint8_t* at, std::size_t n) {
    if (static_cast<std::size_t>(limit_ - at) < n) [[unlikely]] return more(at, n);
    return at;
  }
  __attribute__((noinline)) std::uint8_t* more(std::uint8_t* at, std::size_t n) {
    end(at);
    n = std::max(n, kRoom);
    start_ = out_.prepare(n);
    limit_ = start_ + n;
    return start_;
  }

  __attribute__((noinline, cold)) std::uint8_t* fail(Code code, std::string what, const Step* up) {
    error_ = Error(code, "json: " + detail::path_text(up) + ": " + what);
    return nullptr;
  }

  std::uint8_t* line(std::uint8_t* at) {
    std::size_t spaces = std::size_t{2} * depth_;
    at = put(at, '\n');
    while (spaces > 0) {
      const std::size_t n = std::min(spaces, kScalarRoom);
      at = room(at);
      std::memset(at, ' ', n);
      at += n;
      spaces -= n;
    }
    return at;
  }

  // A string with its quotes.
  std::uint8_t* text(std::uint8_t* at, std::string_view text) {
    const char* from = text.data();
    const char* end = from + text.size();
    at = room(at, std::min(text.size(), kRoom / 2) + 2 * kTextMargin);
    *at++ = '"';
    const std::size_t plain =
        copy_plain<true>(at, from, std::min(text.size(), left(at)));
    at += plain;
    from += plain;
    if (from != end) [[unlikely]] at = rest_of_text(at, from, end);
    *at++ = '"';
    return at;
  }

  std::size_t left(const std::uint8_t* at) const noexcept {
    return static_cast<std::size_t>(limit_ - at) - kTextMargin;
  }

  // The text from its first byte that is not plain, or that found no room.
  __attribute__((noinline)) std::uint8_t* rest_of_text(std::uint8_t* at, const char* from,
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
        seen = simdjson::validate_utf8(from, static_cast<std::size_t>(end - from)) ? kValid : kInvalid;
        if (seen == kValid) continue;
      }
      at = put_utf8(at, hessian::detail::next_utf8(from, end));
    }
    return at;
  }

  // UTF-16 units as one string; surrogates that are no pair are escaped.
  std::uint8_t* characters(std::uint8_t* at, std::u16string_view units) {
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

  std::uint8_t* char_array(std::uint8_t* at, const TypeInfo& type, const void* value) {
    std::u16string units(type.count(value), u'\0');
    for (std::size_t i = 0; i < units.size(); ++i) units[i] = load<char16_t>(type.at(value, i));
    return characters(at, units);
  }

  std::uint8_t* base64(std::uint8_t* at, const Bytes& bytes) {
    constexpr std::size_t kPiece = 384;  // a multiple of 3, which makes 512
    at = put(at, '"');
    for (std::size_t done = 0; done < bytes.size();) {
      const std::size_t n = std::min(kPiece, bytes.size() - done);
      at = detail::put_base64(room(at, n / 3 * 4 + 4), bytes.data() + done, n);
      done += n;
    }
    return put(at, '"');
  }

  static std::int64_t millis_of(const void* date) noexcept {
    return static_cast<const Date*>(date)->time_since_epoch().count();
  }

  std::uint8_t* date(std::uint8_t* at, std::int64_t millis, bool as_text) {
    at = room(at);
    if (!as_text || !detail::has_date_text(millis)) return put_whole(at, millis);
    *at++ = '"';
    at = detail::put_date_text(at, millis);
    *at++ = '"';
    return at;
  }

  // The digits of a Decimal or BigInteger.
  std::uint8_t* digits(std::uint8_t* at, std::string_view digits, bool whole, const Step* up) {
    const std::optional<std::string> number = detail::json_number(digits, whole);
    if (!number) {
      return fail(Code::kEncode,
                  fmt::format("\"{}\" is no {} number", detail::excerpt(digits),
                              whole ? "whole" : "decimal"),
                  up);
    }
    return long_plain(at, *number);
  }

  std::uint8_t* long_plain(std::uint8_t* at, std::string_view plain) {
    while (plain.size() > kScalarRoom) {
      at = put(at, plain.substr(0, kScalarRoom));
      plain.remove_prefix(kScalarRoom);
    }
    return put(at, plain);
  }

  static const EnumeratorInfo* enumerator(const TypeInfo& type, const void* value) noexcept {
    const std::int64_t number = type.enum_get(value);
    for (const EnumeratorInfo& known : type.enumerators) {
      if (known.value == number) return &known;
    }
    return nullptr;
  }
  std::uint8_t* fail_enumerator(const TypeInfo& type, const void* value, const Step* up) {
    return fail(Code::kEncode,
                fmt::format("{} is no enumerator of {}; SETTEE_ENUM lists them", type.enum_get(value),
                            type.name),
                up);
  }

  // One more level; false after an error.
  bool enter(const Step* up) {
    if (depth_ < options_.depth) [[likely]] return true;
    fail(Code::kLimit,
         fmt::format("limit 'depth' of {} exceeded: does a pointer lead in a circle?", options_.depth),
         up);
    return false;
  }

  std::uint8_t* structure(std::uint8_t* at, const TypeInfo& type, const void* value, const Step* up) {
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
      if (at == nullptr) [[unlikely]] return nullptr;
    }
    return close(at, '}', first);
  }

  std::uint8_t* list(std::uint8_t* at, const TypeInfo& type, const void* value, const Step* up) {
    if (!enter(up)) return nullptr;
    at = open(at, '[');
    const std::size_t count = type.count(value);
    for (std::size_t i = 0; i < count; ++i) {
      const Step step{up, {}, i};
      at = write(separate(at, i == 0), *type.element, type.at(value, i), &step);
      if (at == nullptr) [[unlikely]] return nullptr;
    }
    return close(at, ']', count == 0);
  }

  std::uint8_t* set(std::uint8_t* at, const TypeInfo& type, const void* value, const Step* up) {
    if (!enter(up)) return nullptr;
    SetVisitor visitor(*this, open(at, '['), type, up);
    type.for_each(value, visitor);
    if (visitor.at() == nullptr) return nullptr;
    return close(visitor.at(), ']', visitor.empty());
  }

  std::uint8_t* map(std::uint8_t* at, const TypeInfo& type, const void* value, const Step* up) {
    if (!enter(up)) return nullptr;
    MapVisitor visitor(*this, open(at, '{'), type, up);
    type.for_each(value, visitor);
    if (visitor.at() == nullptr) return nullptr;
    return close(visitor.at(), '}', visitor.empty());
  }

  // The name that a key of another type than string has; false if it has none.
  bool key_text(const TypeInfo& type, const void* key, std::string& out);

  Buffer& out_;
  WriteOptions options_;
  bool pretty_;
  std::uint32_t depth_ = 0;
  std::uint8_t* start_ = nullptr;  // of the room in the Buffer that is being filled
  std::uint8_t* limit_ = nullptr;
  std::optional<Error> error_;
};

std::string_view view(const char* from, const std::uint8_t* end) noexcept {
  return {from, static_cast<std::size_t>(reinterpret_cast<const char*>(end) - from)};
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
    case Kind::kDuration:
      out = view(scalar, put_whole(at, load<std::int64_t>(key)));
      return true;
    case Kind::kFloat:
    case Kind::kDouble: {
      const std::string_view number = view(scalar, type.kind == Kind::kFloat
                                                       ? put_real(at, load<float>(key))
                                                       : put_real(at, load<double>(key)));
      out = number[0] == '"' ? number.substr(1, number.size() - 2) : number;
      return true;
    }
    case Kind::kDate: {
      const std::int64_t millis = millis_of(key);
      out = view(scalar, detail::has_date_text(millis) ? detail::put_date_text(at, millis)
                                                       : put_whole(at, millis));
      return true;
    }
    case Kind::kDecimal:
    case Kind::kBigInteger: {
      const bool whole = type.kind == Kind::kBigInteger;
      std::optional<std::string> number = detail::json_number(
          whole ? static_cast<const BigInteger*>(key)->text : static_cast<const Decimal*>(key)->text,
          whole);
      if (number) out = std::move(*number);
      return number.has_value();
    }
    case Kind::kChar16: detail::append_utf8(load<char16_t>(key), out); return true;
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

// Writes one Value. Without recursion: a Value may be of any depth.
class ValueWriter {
 public:
  ValueWriter(Emitter& emitter, const Step* up)
      : emitter_(emitter),
        options_(emitter.options_),
        up_(up),
        all_(options_.type_names == TypeNames::kAll),
        objects_(options_.type_names != TypeNames::kNone) {}

  std::uint8_t* write(std::uint8_t* at, const Value& root) {
    at = value(at, root);
    while (at != nullptr && !stack_.empty()) {
      Frame& frame = stack_.back();
      if (frame.next == frame.count) {
        at = leave(at, frame);
        stack_.pop_back();
        continue;
      }
      const std::size_t i = frame.next++;
      at = emitter_.separate(at, i == 0 && frame.first);
      if (frame.pair != nullptr) {
        at = value(at, i == 0 ? frame.pair->key : frame.pair->value);
        continue;
      }
      switch (frame.node->type) {
        case Value::Type::kList: at = value(at, list(*frame.node).items[i]); break;
        case Value::Type::kMap: {
          const Value::Entry& entry = map(*frame.node).entries[i];
          if (frame.pairs) {
            at = open_pair(at, entry);
          } else {
            at = value(emitter_.name(at, key(entry.key)), entry.value);
          }
          break;
        }
        default: {
          const auto& fields = object(*frame.node);
          at = value(emitter_.name(at, fields.shape->fields[i]), fields.fields[i]);
        }
      }
    }
    return at;
  }

 private:
  static constexpr std::uint32_t kTop = static_cast<std::uint32_t>(-1);

  // A container being written.
  struct Frame {
    const Node* node = nullptr;
    const Value::Entry* pair = nullptr;  // not a node but an entry as [key, value]
    std::size_t next = 0;
    std::size_t count = 0;
    std::uint32_t place = kTop;
    bool first = true;     // nothing stands before the first item
    bool shared = false;   // is in seen_
    bool wrapped = false;  // within {"$class":...,"$": }
    bool pairs = false;    // a map as [key, value] pairs
  };

  // Where a container is: an item of another, which is at the place `up`.
  struct Place {
    std::uint32_t up;
    const Node* within;  // null: a pair
    bool by_index;
    std::size_t index;
  };

  static const hessian::detail::ListNode& list(const Node& node) noexcept {
    return static_cast<const hessian::detail::ListNode&>(node);
  }
  static const hessian::detail::MapNode& map(const Node& node) noexcept {
    return static_cast<const hessian::detail::MapNode&>(node);
  }
  static const hessian::detail::ObjectNode& object(const Node& node) noexcept {
    return static_cast<const hessian::detail::ObjectNode&>(node);
  }

  std::uint8_t* value(std::uint8_t* at, const Value& value) {
    if (++nodes_ > options_.nodes) [[unlikely]] {
      return fail(Code::kLimit, fmt::format("limit 'nodes' of {} exceeded", options_.nodes));
    }
    switch (value.type()) {
      case Value::Type::kNull: return emitter_.put(at, "null");
      case Value::Type::kBool:
        return emitter_.put(at, ValueAccess::scalar<bool>(value) ? "true" : "false");
      case Value::Type::kInt:
        return put_whole(emitter_.room(at), ValueAccess::scalar<std::int32_t>(value));
      case Value::Type::kLong: {
        const auto number = ValueAccess::scalar<std::int64_t>(value);
        const bool wrap = all_ && number == static_cast<std::int32_t>(number);
        if (wrap) at = begin_wrap(at, "long");
        at = put_whole(emitter_.room(at), number);
        return wrap ? end_wrap(at) : at;
      }
      case Value::Type::kDouble: {
        const auto number = ValueAccess::scalar<double>(value);
        const bool wrap = all_ && !std::isfinite(number);
        if (wrap) at = begin_wrap(at, "double");
        at = put_real(emitter_.room(at), number);
        return wrap ? end_wrap(at) : at;
      }
      case Value::Type::kDate:
        if (all_) at = begin_wrap(at, "java.util.Date");
        at = emitter_.date(at, ValueAccess::scalar<std::int64_t>(value), options_.dates_as_text);
        return all_ ? end_wrap(at) : at;
      case Value::Type::kString: return emitter_.text(at, ValueAccess::text(value));
      case Value::Type::kBytes:
        if (all_) at = begin_wrap(at, "[B");
        at = emitter_.base64(
            at, static_cast<const hessian::detail::BytesNode*>(ValueAccess::node(value))->bytes);
        return all_ ? end_wrap(at) : at;
      case Value::Type::kList:
      case Value::Type::kMap:
      case Value::Type::kObject:
        break;
    }
    return container(at, value);
  }

  // The names by which parse_value() knows a map.
  static bool is_known_map(std::string_view type) noexcept {
    return type.starts_with("java.util.") && type.ends_with("Map");
  }

  std::uint8_t* begin_wrap(std::uint8_t* at, std::string_view java_class, bool is_map = false) {
    at = emitter_.open(at, '{');
    at = emitter_.text(emitter_.name(emitter_.separate(at, true), "$class"), java_class);
    if (is_map) at = emitter_.put(emitter_.name(emitter_.separate(at, false), "isMap"), "true");
    return emitter_.name(emitter_.separate(at, false), "$");
  }
  std::uint8_t* end_wrap(std::uint8_t* at) { return emitter_.close(at, '}', false); }

  std::uint8_t* container(std::uint8_t* at, const Value& value) {
    const Node* node = ValueAccess::node(value);
    Frame frame{node};
    frame.count = value.size();
    if (options_.references && frame.count != 0) frame.place = note_place();
    // Only what more than one edge leads to can occur again.
    if (node->shared() && frame.count != 0) {
      const auto [seen, fresh] = seen_.try_emplace(node, frame.place);
      if (!fresh) {
        if (options_.references) return reference(at, seen->second);
        return fail(Code::kEncode, "the value contains itself, which JSON cannot say");
      }
      frame.shared = true;
    }
    switch (node->type) {
      case Value::Type::kList:
        if (all_ && !value.type_name().empty()) {
          at = begin_wrap(at, value.type_name());
          frame.wrapped = true;
        }
        at = emitter_.open(at, '[');
        break;
      case Value::Type::kMap: at = open_map(at, value, frame); break;
      default:
        if (const std::optional<std::string> number = number_of(value)) {
          if (all_) at = begin_wrap(at, value.type_name());
          at = emitter_.long_plain(at, *number);
          return all_ ? end_wrap(at) : at;
        }
        if (objects_) {
          if (has_special_names(object(*node).shape->fields)) {
            at = begin_wrap(at, value.type_name());
            frame.wrapped = true;
            at = emitter_.open(at, '{');
          } else {
            at = emitter_.separate(emitter_.open(at, '{'), true);
            at = emitter_.text(emitter_.name(at, "$class"), value.type_name());
            frame.first = false;
          }
        } else {
          at = emitter_.open(at, '{');
        }
    }
    stack_.push_back(frame);
    return at;
  }

  // In a form from which parse_value() makes the same again: with the class where there is one, keys that
  // are no texts in pairs, and set apart where keys look like the "$class" form.
  std::uint8_t* open_map(std::uint8_t* at, const Value& value, Frame& frame) {
    if (all_) {
      bool special = false;
      for (const Value::Entry& entry : value.entries()) {
        if (entry.key.type() != Value::Type::kString) {
          frame.pairs = true;
        } else {
          special = special || is_special_name(ValueAccess::text(entry.key));
        }
      }
      const std::string_view type = value.type_name();
      if (frame.pairs || special || !type.empty()) {
        at = begin_wrap(at, type.empty() ? std::string_view("java.util.HashMap") : type,
                        !type.empty() && !is_known_map(type));
        frame.wrapped = true;
      }
    }
    return emitter_.open(at, frame.pairs ? '[' : '{');
  }

  std::uint8_t* open_pair(std::uint8_t* at, const Value::Entry& entry) {
    Frame frame;
    frame.pair = &entry;
    frame.count = 2;
    if (options_.references) frame.place = note_place();
    stack_.push_back(frame);
    return emitter_.open(at, '[');
  }

  std::uint8_t* leave(std::uint8_t* at, const Frame& frame) {
    const bool is_array =
        frame.pair != nullptr || frame.pairs || frame.node->type == Value::Type::kList;
    if (frame.shared && !options_.references) seen_.erase(frame.node);
    at = emitter_.close(at, is_array ? ']' : '}', frame.count == 0 && frame.first);
    return frame.wrapped ? end_wrap(at) : at;
  }

  static bool is_special_name(std::string_view name) noexcept {
    return !name.empty() && name[0] == '$';
  }
  static bool has_special_names(const std::vector<std::string>& names) noexcept {
    return std::any_of(names.begin(), names.end(),
                       [](const std::string& name) { return is_special_name(name); });
  }

  // The digits, if the object is a number of java.math.
  static std::optional<std::string> number_of(const Value& value) {
    if (value.type_name() == kBigDecimalClass) {
      const Value& text = value["value"];
      if (text.type() != Value::Type::kString) return std::nullopt;
      return detail::json_number(ValueAccess::text(text), false);
    }
    if (value.type_name() == kBigIntegerClass && value["mag"].size() <= kMostWords) {
      Result<BigInteger> number = hessian::convert<BigInteger>(value);
      if (number) return detail::json_number(number->text, true);
    }
    return std::nullopt;
  }

  // The name that a key is.
  std::string key(const Value& key) {
    switch (key.type()) {
      case Value::Type::kString: return std::string(ValueAccess::text(key));
      case Value::Type::kDate:
      case Value::Type::kDouble: {
        char scalar[kScalarRoom];
        auto* at = reinterpret_cast<std::uint8_t*>(scalar);
        if (key.type() == Value::Type::kDate) {
          const auto millis = ValueAccess::scalar<std::int64_t>(key);
          if (!detail::has_date_text(millis)) return std::to_string(millis);
          return std::string(view(scalar, detail::put_date_text(at, millis)));
        }
        std::string number(view(scalar, put_real(at, ValueAccess::scalar<double>(key))));
        return number[0] == '"' ? number.substr(1, number.size() - 2) : number;
      }
      case Value::Type::kLong: return std::to_string(ValueAccess::scalar<std::int64_t>(key));
      case Value::Type::kObject:
        // An enum constant, or a number.
        if (std::optional<std::string> number = number_of(key)) return std::move(*number);
        if (key.size() == 1 && key["name"].type() == Value::Type::kString) {
          return std::string(ValueAccess::text(key["name"]));
        }
        break;
      default: break;
    }
    constexpr std::size_t kLongestKey = 1000;
    return key.to_string(kLongestKey);
  }

  std::uint8_t* reference(std::uint8_t* at, std::uint32_t place) {
    std::vector<Place> way;
    for (; place != kTop; place = way.back().up) way.push_back(places_[place]);
    std::reverse(way.begin(), way.end());
    at = emitter_.name(emitter_.separate(emitter_.open(at, '{'), true), "$ref");
    return emitter_.close(emitter_.text(at, path(way)), '}', false);
  }

  __attribute__((noinline, cold)) std::uint8_t* fail(Code code, std::string what) {
    std::vector<Place> way;
    for (const Frame& frame : stack_) way.push_back(place_within(frame));
    emitter_.error_ = Error(code, "json: " + path(way) + ": " + what);
    return nullptr;
  }

  // Of the item of `frame` that is being written.
  static Place place_within(const Frame& frame) noexcept {
    const bool by_index =
        frame.pair != nullptr || frame.pairs || frame.node->type == Value::Type::kList;
    return {frame.place, frame.node, by_index, frame.next - 1};
  }
  std::uint32_t note_place() {
    if (stack_.empty()) return kTop;
    places_.push_back(place_within(stack_.back()));
    return static_cast<std::uint32_t>(places_.size() - 1);
  }

  std::string path(const std::vector<Place>& way) {
    std::vector<std::string> names(way.size());
    std::vector<Step> steps(way.size());
    const Step* up = up_;
    for (std::size_t i = 0; i < way.size(); ++i) {
      const Place& place = way[i];
      steps[i].up = up;
      steps[i].index = place.index;
      if (!place.by_index && place.within->type == Value::Type::kMap) {
        names[i] = key(map(*place.within).entries[place.index].key);
        steps[i].name = names[i];
      } else if (!place.by_index) {
        steps[i].name = object(*place.within).shape->fields[place.index];
      }
      up = &steps[i];
    }
    return detail::path_text(up);
  }

  Emitter& emitter_;
  const WriteOptions& options_;
  const Step* up_;
  const bool all_;
  const bool objects_;
  std::uint64_t nodes_ = 0;
  std::vector<Frame> stack_;
  std::vector<Place> places_;
  // Nodes with several edges and their places; without references only those on the stack.
  std::unordered_map<const Node*, std::uint32_t> seen_;
};

std::uint8_t* Emitter::generic(std::uint8_t* at, const Value& value, const Step* up) {
  return ValueWriter(*this, up).write(at, value);
}

// Runs `put`, which gets an Emitter and the place to write to. After an error nothing stays in `out`.
template <class F>
Result<void> emit(Buffer& out, const WriteOptions& options, F&& put) {
  const std::size_t before = out.size();
  Emitter emitter(out, options);
  std::uint8_t* end = put(emitter, emitter.begin());
  if (end != nullptr) [[likely]] {
    emitter.end(end);
    return {};
  }
  out.truncate(before);
  return emitter.take_error();
}

}  // namespace

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

std::string to_text(const Value& value, Layout layout, TypeNames type_names) {
  WriteOptions options(layout);
  options.type_names = type_names;
  options.dates_as_text = true;
  options.references = true;
  options.nodes = static_cast<std::uint32_t>(-1);
  Buffer out;
  const Result<void> written = emit(out, options, [&](Emitter& emitter, std::uint8_t* at) {
    return emitter.generic(at, value, nullptr);
  });
  return written ? out.to_string() : "null";
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

}  // namespace settee::inline v0::json  // settee-check: allow file-length
