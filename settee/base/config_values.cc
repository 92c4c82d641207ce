// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0

#include "settee/base/internal/config_values.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <system_error>

#include "settee/base/values.h"

namespace settee::inline v0::detail {

std::string lower(std::string_view text) {
  std::string result(text);
  std::transform(result.begin(), result.end(), result.begin(), to_lower);
  return result;
}

std::string_view trim(std::string_view text) {
  constexpr std::string_view kBlank = " \t\r\n";
  const std::size_t begin = text.find_first_not_of(kBlank);
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(kBlank) - begin + 1);
}

std::string quoted(std::string_view text, std::size_t max) {
  const bool cut = text.size() > max;
  if (cut) {
    text = text.substr(0, max);
    // No half characters.
    while (!text.empty() && (static_cast<unsigned char>(text.back()) & 0xC0) == 0x80) {
      text.remove_suffix(1);
    }
    if (!text.empty() && static_cast<unsigned char>(text.back()) >= 0xC0) text.remove_suffix(1);
  }
  std::string result = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      result += {'\\', c};
    } else if (c == '\n') {
      result += "\\n";
    } else if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F) {
      constexpr std::string_view kHex = "0123456789abcdef";
      result += {'\\', 'x', kHex[static_cast<unsigned char>(c) >> 4], kHex[c & 15]};
    } else {
      result += c;
    }
  }
  return result + (cut ? "...\"" : "\"");
}

namespace {

// How many letters must change to make `a` of `b`; neighbours swapped count once.
std::size_t distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> before(b.size() + 1);
  std::vector<std::size_t> last(b.size() + 1);
  std::vector<std::size_t> now(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) last[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    now[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      now[j] = std::min({last[j] + 1, now[j - 1] + 1, last[j - 1] + (a[i - 1] != b[j - 1])});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
        now[j] = std::min(now[j], before[j - 2] + 1);
      }
    }
    before.swap(last);
    last.swap(now);
  }
  return last[b.size()];
}

}  // namespace

std::optional<std::string> meant(std::string_view word, const std::vector<std::string>& names) {
  const auto plain = [](std::string_view name) {
    std::string letters;
    for (const char c : name.substr(0, 100)) {
      if (is_letter(c) || is_digit(c)) letters += to_lower(c);
    }
    return letters;
  };
  const std::string wanted = plain(word);
  std::size_t best = std::max<std::size_t>(1, wanted.size() / 3) + 1;
  std::optional<std::string> result;
  for (const std::string& name : names) {
    const std::size_t apart = distance(wanted, plain(name));
    if (apart < best) {
      best = apart;
      result = name;
    }
  }
  return result;
}

std::string advice(std::string_view word, const std::vector<std::string>& names) {
  if (const auto name = meant(word, names)) return "; did you mean " + *name + "?";
  if (names.empty()) return {};
  std::string text = "; the keys here are ";
  constexpr std::size_t kShown = 12;
  for (std::size_t i = 0; i < std::min(names.size(), kShown); ++i) {
    text += (i == 0 ? "" : ", ") + names[i];
  }
  return names.size() > kShown ? text + ", ..." : text;
}

namespace {

struct IntegerRange {
  std::int64_t min;
  std::int64_t max;
};

IntegerRange range_of(Kind kind) {
  switch (kind) {
    case Kind::kInt8: return {INT8_MIN, INT8_MAX};
    case Kind::kInt16: return {INT16_MIN, INT16_MAX};
    case Kind::kInt32: return {INT32_MIN, INT32_MAX};
    default: return {INT64_MIN, INT64_MAX};
  }
}

// Applies sign and factor; false if the result does not fit.
bool scale(std::uint64_t magnitude, bool negative, std::uint64_t factor, std::int64_t& out) {
  std::uint64_t product = 0;
  if (__builtin_mul_overflow(magnitude, factor, &product)) return false;
  const std::uint64_t most = static_cast<std::uint64_t>(INT64_MAX) + (negative ? 1 : 0);
  if (product > most) return false;
  out = static_cast<std::int64_t>(negative ? 0 - product : product);
  return true;
}

bool take_sign(std::string_view& text) {
  const bool negative = text.starts_with('-');
  if (negative || text.starts_with('+')) text.remove_prefix(1);
  return negative;
}

Misfit read_integer(std::string_view text, IntegerRange range, std::int64_t& out) {
  const bool negative = take_sign(text);
  int base = 10;
  if (text.starts_with("0x") || text.starts_with("0X")) {
    base = 16;
    text.remove_prefix(2);
  }
  std::uint64_t magnitude = 0;
  const auto [end, error] =
      std::from_chars(text.data(), text.data() + text.size(), magnitude, base);
  if (error == std::errc::invalid_argument) return {true, {}};
  if (base == 10 && text.size() > 1 && text[0] == '0' && is_digit(text[1])) {
    return {true, "; a leading 0 could mean octal, write it without"};
  }
  const std::string_view unit(end, static_cast<std::size_t>(text.data() + text.size() - end));
  std::uint64_t factor = 1;
  if (unit == "KiB") {
    factor = 1024;
  } else if (unit == "MiB") {
    factor = 1024 * 1024;
  } else if (unit == "GiB") {
    factor = 1024 * 1024 * 1024;
  } else if (!unit.empty()) {
    return {true, {}};
  }
  if (error == std::errc::result_out_of_range || !scale(magnitude, negative, factor, out) ||
      out < range.min || out > range.max) {
    return {true, ", which is not from " + std::to_string(range.min) + " to " +
                      std::to_string(range.max)};
  }
  return {};
}

Misfit read_real(std::string_view text, double& out) {
  const bool negative = take_sign(text);
  if (lower(text) == ".inf") {
    out = std::numeric_limits<double>::infinity();
  } else {
    if (text.empty() || !(is_digit(text[0]) || text[0] == '.')) return {true, {}};
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
    if (error == std::errc::result_out_of_range) return {true, ", which a double cannot hold"};
    if (error != std::errc() || end != text.data() + text.size()) return {true, {}};
  }
  if (negative) out = -out;
  return {};
}

struct DurationUnit {
  std::string_view name;
  std::int64_t milliseconds;
};
constexpr std::array kDurationUnits{DurationUnit{"d", 86'400'000}, DurationUnit{"h", 3'600'000},
                                    DurationUnit{"m", 60'000}, DurationUnit{"s", 1000},
                                    DurationUnit{"ms", 1}};

Misfit read_duration(std::string_view text, std::int64_t& out) {
  const std::string_view whole = text;
  const bool negative = take_sign(text);
  const std::string_view digits =
      text.substr(0, std::min(text.find_first_not_of("0123456789"), text.size()));
  text.remove_prefix(digits.size());
  std::string_view fraction;
  if (text.starts_with('.')) {
    text.remove_prefix(1);
    fraction = text.substr(0, std::min(text.find_first_not_of("0123456789"), text.size()));
    text.remove_prefix(fraction.size());
    if (fraction.empty()) return {true, {}};
    while (fraction.ends_with('0')) fraction.remove_suffix(1);
  }
  if (digits.empty()) return {true, {}};

  const std::string_view name = trim(text);
  if (name.empty() && digits == "0" && fraction.empty()) {
    out = 0;
    return {};
  }
  if (name.empty()) {
    const std::string number(whole);
    return {true, " without a unit; is it " + number + "ms or " + number + "s?"};
  }
  const auto* const unit =
      std::find_if(kDurationUnits.begin(), kDurationUnits.end(),
                   [&](const DurationUnit& known) { return known.name == name; });
  if (unit == kDurationUnits.end()) return {true, "; the units are ms, s, m, h and d"};

  // 18 digits behind the point and the unit fit into 128 bits, as does what is before it.
  if (fraction.size() > 18) return {true, ", which is finer than a millisecond"};
  std::uint64_t before = 0;
  std::uint64_t behind = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), before);
  std::from_chars(fraction.data(), fraction.data() + fraction.size(), behind);
  if (error != std::errc()) return {true, ", which is too long"};
  __extension__ using Wide = __int128;
  Wide one = 1;
  for (std::size_t i = 0; i < fraction.size(); ++i) one *= 10;
  if (behind * static_cast<Wide>(unit->milliseconds) % one != 0) {
    return {true, ", which is finer than a millisecond"};
  }
  const Wide sum = before * static_cast<Wide>(unit->milliseconds) +
                   behind * static_cast<Wide>(unit->milliseconds) / one;
  if (sum > INT64_MAX) return {true, ", which is too long"};
  out = static_cast<std::int64_t>(negative ? -sum : sum);
  return {};
}

Misfit read_bool(std::string_view text, bool& out) {
  const std::string word = lower(text);
  for (const std::string_view yes : {"true", "yes", "on"}) {
    if (word == yes) return out = true, Misfit{};
  }
  for (const std::string_view no : {"false", "no", "off"}) {
    if (word == no) return out = false, Misfit{};
  }
  return {true, {}};
}

// Digits with a sign; for decimals also a fraction and an exponent.
bool is_number(std::string_view text, bool decimal) {
  take_sign(text);
  const auto digits = [&text] {
    std::size_t n = 0;
    while (n < text.size() && is_digit(text[n])) ++n;
    text.remove_prefix(n);
    return n;
  };
  std::size_t count = digits();
  if (decimal && text.starts_with('.')) {
    text.remove_prefix(1);
    count += digits();
  }
  if (decimal && count > 0 && !text.empty() && to_lower(text[0]) == 'e') {
    text.remove_prefix(1);
    take_sign(text);
    if (digits() == 0) return false;
  }
  return count > 0 && text.empty();
}

Misfit read_enum(const TypeInfo& type, std::string_view text, void* out) {
  for (const EnumeratorInfo& enumerator : type.enumerators) {
    if (enumerator.name != text) continue;
    type.enum_set(out, enumerator.value);
    return {};
  }
  return {true, {}};
}

}  // namespace

bool is_single(Kind kind) {
  switch (kind) {
    case Kind::kBool:
    case Kind::kInt8:
    case Kind::kInt16:
    case Kind::kInt32:
    case Kind::kInt64:
    case Kind::kFloat:
    case Kind::kDouble:
    case Kind::kString:
    case Kind::kDuration:
    case Kind::kDecimal:
    case Kind::kBigInteger:
    case Kind::kEnum: return true;
    default: return false;
  }
}

const TypeInfo& without_optional(const TypeInfo& type) {
  const TypeInfo* inner = &type;
  while (inner->kind == Kind::kOptional || inner->kind == Kind::kPointer) inner = inner->element;
  return *inner;
}

Misfit read_single(const TypeInfo& type, std::string_view text, void* out) {
  if (type.kind == Kind::kString) {
    *static_cast<std::string*>(out) = text;
    return {};
  }
  text = trim(text);
  std::int64_t integer = 0;
  double real = 0;
  Misfit misfit;
  switch (type.kind) {
    case Kind::kBool: return read_bool(text, *static_cast<bool*>(out));
    case Kind::kInt8:
    case Kind::kInt16:
    case Kind::kInt32:
    case Kind::kInt64:
      misfit = read_integer(text, range_of(type.kind), integer);
      if (misfit.wrong) return misfit;
      if (type.kind == Kind::kInt8) {
        *static_cast<std::int8_t*>(out) = static_cast<std::int8_t>(integer);
      } else if (type.kind == Kind::kInt16) {
        *static_cast<std::int16_t*>(out) = static_cast<std::int16_t>(integer);
      } else if (type.kind == Kind::kInt32) {
        *static_cast<std::int32_t*>(out) = static_cast<std::int32_t>(integer);
      } else {
        std::memcpy(out, &integer, sizeof(integer));  // long or long long
      }
      return {};
    case Kind::kDuration:
      misfit = read_duration(text, integer);
      if (!misfit.wrong) {
        *static_cast<std::chrono::milliseconds*>(out) = std::chrono::milliseconds(integer);
      }
      return misfit;
    case Kind::kFloat:
    case Kind::kDouble:
      misfit = read_real(text, real);
      if (misfit.wrong) return misfit;
      if (type.kind == Kind::kDouble) {
        *static_cast<double*>(out) = real;
      } else if (std::isfinite(real) && std::abs(real) > std::numeric_limits<float>::max()) {
        return {true, ", which a float cannot hold"};
      } else {
        *static_cast<float*>(out) = static_cast<float>(real);
      }
      return {};
    case Kind::kDecimal:
      if (!is_number(text, true)) return {true, {}};
      static_cast<Decimal*>(out)->text = text;
      return {};
    case Kind::kBigInteger:
      if (!is_number(text, false)) return {true, {}};
      static_cast<BigInteger*>(out)->text = text;
      return {};
    case Kind::kEnum: return read_enum(type, text, out);
    default: return {true, {}};
  }
}

namespace {

std::int64_t integer_at(const TypeInfo& type, const void* value) {
  std::int64_t integer = 0;
  switch (type.kind) {
    case Kind::kInt8: return *static_cast<const std::int8_t*>(value);
    case Kind::kInt16: return *static_cast<const std::int16_t*>(value);
    case Kind::kInt32: return *static_cast<const std::int32_t*>(value);
    case Kind::kDuration: return static_cast<const std::chrono::milliseconds*>(value)->count();
    default: std::memcpy(&integer, value, sizeof(integer)); return integer;
  }
}

}  // namespace

std::string show_duration(std::int64_t milliseconds) {
  if (milliseconds == 0) return "0ms";
  for (const DurationUnit& unit : kDurationUnits) {
    if (milliseconds % unit.milliseconds == 0) {
      return std::to_string(milliseconds / unit.milliseconds) + std::string(unit.name);
    }
  }
  return std::to_string(milliseconds) + "ms";
}

namespace {

template <class T>
std::string show_floating(T value) {
  if (std::isinf(value)) return value < 0 ? "-.inf" : ".inf";
  std::array<char, 64> text;
  const auto [end, error] = std::to_chars(text.data(), text.data() + text.size(), value);
  return {text.data(), end};
}

}  // namespace

std::string show_real(double value) { return show_floating(value); }

std::string show_single(const TypeInfo& type, const void* value) {
  switch (type.kind) {
    case Kind::kBool: return *static_cast<const bool*>(value) ? "true" : "false";
    case Kind::kInt8:
    case Kind::kInt16:
    case Kind::kInt32:
    case Kind::kInt64: return std::to_string(integer_at(type, value));
    case Kind::kDuration: return show_duration(integer_at(type, value));
    case Kind::kFloat: return show_floating(*static_cast<const float*>(value));
    case Kind::kDouble: return show_real(*static_cast<const double*>(value));
    case Kind::kString: return quoted(*static_cast<const std::string*>(value));
    case Kind::kDecimal: return static_cast<const Decimal*>(value)->text;
    case Kind::kBigInteger: return static_cast<const BigInteger*>(value)->text;
    case Kind::kEnum: {
      const std::int64_t number = type.enum_get(value);
      for (const EnumeratorInfo& enumerator : type.enumerators) {
        if (enumerator.value == number) return std::string(enumerator.name);
      }
      return std::to_string(number);
    }
    default: return "?";
  }
}

std::string show_nullable(const TypeInfo& type, const void* value) {
  const TypeInfo* inner = &type;
  while (value != nullptr && (inner->kind == Kind::kOptional || inner->kind == Kind::kPointer)) {
    value = inner->get(value);
    inner = inner->element;
  }
  return value == nullptr ? "null" : show_single(*inner, value);
}

namespace {

std::string show_limit(const LimitValue& limit, Kind kind) {
  if (limit.form == LimitValue::Form::kReal) return show_real(limit.real);
  return kind == Kind::kDuration ? show_duration(limit.integer) : std::to_string(limit.integer);
}

// " from 1 to 5", " of at least 1 byte".
std::string range_text(const MemberLimits* limits, Kind kind, std::string_view unit) {
  if (limits == nullptr) return {};
  const bool has_min = limits->min.form != LimitValue::Form::kNone;
  const bool has_max = limits->max.form != LimitValue::Form::kNone;
  const std::string min = show_limit(limits->min, kind);
  const std::string max = show_limit(limits->max, kind);
  std::string text;
  if (has_min && has_max) {
    text = (unit.empty() ? " from " : " of ") + min + " to " + max;
  } else if (has_min) {
    text = " of at least " + min;
  } else if (has_max) {
    text = " of at most " + max;
  } else {
    return {};
  }
  return unit.empty() ? text : text + " " + std::string(unit);
}

}  // namespace

std::string expectation(const TypeInfo& type, const MemberLimits* limits) {
  switch (type.kind) {
    case Kind::kBool: return "true or false";
    case Kind::kInt8:
    case Kind::kInt16:
    case Kind::kInt32:
    case Kind::kInt64: return "an integer" + range_text(limits, type.kind, "");
    case Kind::kFloat:
    case Kind::kDouble:
    case Kind::kDecimal: return "a number" + range_text(limits, type.kind, "");
    case Kind::kBigInteger: return "an integer";
    case Kind::kDuration:
      return "a duration such as 50ms, 3s or 2m" + range_text(limits, type.kind, "");
    case Kind::kString: return "a text" + range_text(limits, type.kind, "bytes");
    case Kind::kEnum: {
      std::string names = "one of ";
      for (std::size_t i = 0; i < type.enumerators.size(); ++i) {
        names += (i == 0 ? "" : ", ") + std::string(type.enumerators[i].name);
      }
      return names;
    }
    case Kind::kList:
    case Kind::kArray:
    case Kind::kSet: return "a list" + range_text(limits, type.kind, "elements");
    case Kind::kMap: return "a map" + range_text(limits, type.kind, "entries");
    case Kind::kStruct: {
      std::string names = "a section with the keys ";
      for (std::size_t i = 0; i < std::min<std::size_t>(type.members.size(), 12); ++i) {
        names += (i == 0 ? "" : ", ") + std::string(type.members[i].name);
      }
      return type.members.size() > 12 ? names + ", ..." : names;
    }
    default: return java_name(type);
  }
}

LimitValue measure(const TypeInfo& type, const void* value) {
  switch (type.kind) {
    case Kind::kInt8:
    case Kind::kInt16:
    case Kind::kInt32:
    case Kind::kInt64:
    case Kind::kDuration: return integer_at(type, value);
    case Kind::kFloat: return *static_cast<const float*>(value);
    case Kind::kDouble: return *static_cast<const double*>(value);
    case Kind::kString: return static_cast<const std::string*>(value)->size();
    case Kind::kList:
    case Kind::kArray:
    case Kind::kSet:
    case Kind::kMap: return type.count(value);
    default: return kNoLimit;
  }
}

bool less(const LimitValue& a, const LimitValue& b) {
  using Form = LimitValue::Form;
  if (a.form == Form::kNone || b.form == Form::kNone) return false;
  if (a.form == Form::kInteger && b.form == Form::kInteger) return a.integer < b.integer;
  return a.real < b.real;
}

}  // namespace settee::inline v0::detail
