// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0

#include "settee/hessian/internal/json_text.h"

#include <algorithm>
#include <charconv>
#include <chrono>
#include <limits>
#include <vector>

#include "settee/hessian/internal/text.h"

namespace settee::inline v0::json::detail {

namespace {

using hessian::detail::next_utf8;

std::size_t count_digits(std::string_view text) noexcept {
  std::size_t n = 0;
  while (n < text.size() && is_digit(text[n])) ++n;
  return n;
}

// A number's parts: its value is 0.DIGITS times ten to the power of `scale`, DIGITS without zeros at
// either end.
struct Decomposed {
  bool negative = false;
  std::int64_t scale = 0;
  std::size_t digits = 0;
  std::string_view mantissa;  // with a "." perhaps and zeros at both ends
};

Decomposed decompose(std::string_view number) noexcept {
  constexpr std::int64_t kFurthest = 1'000'000'000'000;
  Decomposed parts;
  if (!number.empty() && number[0] == '-') {
    parts.negative = true;
    number.remove_prefix(1);
  }
  const std::size_t mark = number.find_first_of("eE");
  std::int64_t exponent = 0;
  if (mark != std::string_view::npos) {
    std::string_view text = number.substr(mark + 1);
    const bool below = text[0] == '-';
    if (text[0] == '-' || text[0] == '+') text.remove_prefix(1);
    for (const char c : text) {
      if (exponent < kFurthest) exponent = exponent * 10 + (c - '0');
    }
    if (below) exponent = -exponent;
    number = number.substr(0, mark);
  }
  parts.mantissa = number;
  bool fraction = false;
  std::size_t zeros = 0;  // behind the last digit that is none
  for (const char c : number) {
    if (c == '.') {
      fraction = true;
    } else if (c == '0') {
      if (parts.digits == 0) {
        if (fraction) --parts.scale;
      } else {
        ++zeros;
        if (!fraction) ++parts.scale;
      }
    } else {
      parts.digits += zeros + 1;
      zeros = 0;
      if (!fraction) ++parts.scale;
    }
  }
  parts.scale += exponent;
  return parts;
}

template <class T>
NumberStatus parse_floating(std::string_view number, T& out) noexcept {
  const char* end = number.data() + number.size();
  const auto [stop, error] = std::from_chars(number.data(), end, out);
  if (error == std::errc::result_out_of_range) {
    // The library does not say in which direction.
    const Decomposed parts = decompose(number);
    if (parts.digits != 0 && parts.scale > 0) return NumberStatus::kOutOfRange;
    out = parts.negative ? T(-0.0) : T(0);
    return NumberStatus::kOk;
  }
  return stop == end ? NumberStatus::kOk : NumberStatus::kFraction;
}

// Reads exactly `n` digits from the front of `text`.
bool take_number(std::string_view& text, std::size_t n, int& out) noexcept {
  if (text.size() < n) return false;
  out = 0;
  for (std::size_t i = 0; i < n; ++i) {
    if (!is_digit(text[i])) return false;
    out = out * 10 + (text[i] - '0');
  }
  text.remove_prefix(n);
  return true;
}

bool take(std::string_view& text, char c) noexcept {
  if (text.empty() || text[0] != c) return false;
  text.remove_prefix(1);
  return true;
}

constexpr std::int64_t kYear0 = -62167219200000;
constexpr std::int64_t kYear10000 = 253402300800000;


int hex_value(char c) noexcept {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

// The four hexadecimal digits at `at`, which are known to be such.
std::uint32_t hex_unit(const char* at) noexcept {
  std::uint32_t unit = 0;
  for (int i = 0; i < 4; ++i) unit = unit << 4 | static_cast<std::uint32_t>(hex_value(at[i]));
  return unit;
}

constexpr bool is_high(std::uint32_t unit) { return (unit & 0xfffffc00) == 0xd800; }
constexpr bool is_low(std::uint32_t unit) { return (unit & 0xfffffc00) == 0xdc00; }
constexpr std::uint32_t kReplacement = 0xfffd;

char escaped_character(char c) noexcept {
  switch (c) {
    case 'b': return '\b';
    case 'f': return '\f';
    case 'n': return '\n';
    case 'r': return '\r';
    case 't': return '\t';
    default: return c;
  }
}

// Whether the bytes between `before` and `after`, which next_utf8() took for `c`, were that character.
bool was_well_formed(const char* before, const char* after, std::uint32_t c) noexcept {
  return c != kReplacement || (after - before == 3 && static_cast<unsigned char>(*before) == 0xef);
}

bool is_plain_name(std::string_view name) noexcept {
  if (name.empty() || is_digit(name[0])) return false;
  return std::all_of(name.begin(), name.end(), [](char c) {
    return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c == '$';
  });
}

// Looks for the first byte that JSON does not allow.
class Scanner {
 public:
  explicit Scanner(std::string_view text) : text_(text) {}

  bool scan() {
    if (!value()) return false;
    while (true) {
      skip_spaces();
      if (open_.empty()) return at_ == text_.size() || fail("expected the end of the text");
      const char c = here();
      if (open_.back() == '[') {
        if (c == ']') {
          close();
        } else if (c != ',') {
          return fail("expected ',' or ']' in an array");
        } else {
          ++at_;
          if (!value()) return false;
        }
      } else if (c == '}') {
        close();
      } else if (c != ',') {
        return fail("expected ',' or '}' in an object");
      } else {
        ++at_;
        if (!name() || !value()) return false;
      }
    }
  }

  Flaw flaw() && { return std::move(flaw_); }

 private:
  char here() const noexcept { return at_ < text_.size() ? text_[at_] : '\0'; }
  void skip_spaces() noexcept {
    while (at_ < text_.size() && is_space(text_[at_])) ++at_;
  }
  void close() {
    open_.pop_back();
    ++at_;
  }

  bool fail(std::string expected) {
    if (at_ >= text_.size()) {
      expected += ", the text ends";
    } else {
      expected += ", found '" + excerpt(text_.substr(at_, 64), 12) + "'";
    }
    return flaw(at_, std::move(expected));
  }
  bool flaw(std::size_t at, std::string what) {
    flaw_ = {at, std::move(what)};
    return false;
  }

  // A value, or the beginnings of values down to the first that is no container with something in it.
  bool value() {
    while (true) {
      skip_spaces();
      const char c = here();
      if (c == '[' || c == '{') {
        open_ += c;
        ++at_;
        skip_spaces();
        if (here() == (c == '[' ? ']' : '}')) {
          close();
          return true;
        }
        if (c == '{' && !name()) return false;
        continue;
      }
      if (c == '"') return string();
      if (c == '-' || is_digit(c)) return number();
      for (const std::string_view word : {"true", "false", "null"}) {
        if (text_.substr(at_, word.size()) == word) {
          at_ += word.size();
          return true;
        }
      }
      return fail("expected a value");
    }
  }

  bool name() {
    skip_spaces();
    if (here() != '"') return fail("expected a name in quotes");
    if (!string()) return false;
    skip_spaces();
    if (here() != ':') return fail("expected ':' after a name");
    ++at_;
    return true;
  }

  bool number() {
    const std::size_t n = number_size(text_.substr(at_));
    if (n == 0) return fail("expected a number");
    at_ += n;
    const char c = here();
    if (is_digit(c) || c == '.' || c == '-' || c == '+' || (c >= 'a' && c <= 'z') ||
        (c >= 'A' && c <= 'Z')) {
      at_ -= n;
      return fail("expected a number as JSON has it");
    }
    return true;
  }

  bool string() {
    const std::size_t first = at_++;
    while (at_ < text_.size()) {
      const char c = text_[at_];
      if (c == '"') {
        ++at_;
        return true;
      }
      if (static_cast<unsigned char>(c) < 0x20) {
        return flaw(at_, "a control character in a string, it must be written \\u00" +
                             std::string(1, static_cast<char>('0' + (c >> 4))) +
                             "0123456789abcdef"[c & 15]);
      }
      if (c == '\\') {
        // An escape that the end cuts off is an unfinished string.
        const std::size_t size = here_escape_size();
        if (size == 0) {
          return flaw(at_, "an unknown escape '" + excerpt(text_.substr(at_, 64), 6) + "'");
        }
        at_ += size;
      } else if (static_cast<unsigned char>(c) < 0x80) {
        ++at_;
      } else {
        const char* from = text_.data() + at_;
        const char* next = from;
        const std::uint32_t character = next_utf8(next, text_.data() + text_.size());
        if (!was_well_formed(from, next, character)) {
          return flaw(at_, "bytes that are no UTF-8");
        }
        at_ += static_cast<std::size_t>(next - from);
      }
    }
    return flaw(first, "a string that does not end");
  }

  std::size_t here_escape_size() const noexcept {
    const std::string_view rest = text_.substr(at_);
    if (rest.size() < 2) return rest.size();
    if (std::string_view("\"\\/bfnrt").find(rest[1]) != std::string_view::npos) return 2;
    if (rest[1] != 'u') return 0;
    for (std::size_t i = 2; i < 6; ++i) {
      if (i == rest.size()) return i;
      if (hex_value(rest[i]) < 0) return 0;
    }
    return 6;
  }

  std::string_view text_;
  std::size_t at_ = 0;
  std::string open_;  // '[' and '{', innermost last
  Flaw flaw_{};
};

}  // namespace

std::size_t number_size(std::string_view text) noexcept {
  std::size_t at = !text.empty() && text[0] == '-' ? 1 : 0;
  const std::size_t whole = count_digits(text.substr(at));
  if (whole == 0) return 0;
  at += text[at] == '0' ? 1 : whole;
  if (at < text.size() && text[at] == '.') {
    const std::size_t fraction = count_digits(text.substr(at + 1));
    if (fraction == 0) return at;
    at += 1 + fraction;
  }
  if (at < text.size() && (text[at] == 'e' || text[at] == 'E')) {
    const std::size_t sign =
        at + 1 < text.size() && (text[at + 1] == '+' || text[at + 1] == '-') ? 1 : 0;
    const std::size_t exponent = count_digits(text.substr(at + 1 + sign));
    if (exponent == 0) return at;
    at += 1 + sign + exponent;
  }
  return at;
}

NumberStatus parse_whole(std::string_view number, std::int64_t& out) noexcept {
  const char* end = number.data() + number.size();
  const auto [stop, error] = std::from_chars(number.data(), end, out);
  if (stop == end) {
    return error == std::errc() ? NumberStatus::kOk : NumberStatus::kOutOfRange;
  }
  const Decomposed parts = decompose(number);
  if (parts.digits == 0) {
    out = 0;
    return NumberStatus::kOk;
  }
  if (parts.scale < static_cast<std::int64_t>(parts.digits)) return NumberStatus::kFraction;
  if (parts.scale > 19) return NumberStatus::kOutOfRange;
  std::uint64_t magnitude = 0;  // 19 digits fit
  std::size_t taken = 0;
  for (const char c : parts.mantissa) {
    if (c == '.' || (taken == 0 && c == '0')) continue;
    if (taken++ == parts.digits) break;
    magnitude = magnitude * 10 + static_cast<std::uint64_t>(c - '0');
  }
  for (auto i = static_cast<std::int64_t>(parts.digits); i < parts.scale; ++i) magnitude *= 10;
  constexpr auto kMax = static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max());
  if (magnitude > kMax + (parts.negative ? 1 : 0)) return NumberStatus::kOutOfRange;
  out = static_cast<std::int64_t>(parts.negative ? 0 - magnitude : magnitude);
  return NumberStatus::kOk;
}

NumberStatus parse_real(std::string_view number, double& out) noexcept {
  return parse_floating(number, out);
}
NumberStatus parse_real(std::string_view number, float& out) noexcept {
  return parse_floating(number, out);
}

std::optional<std::string> json_number(std::string_view text, bool whole) {
  if (!whole && number_size(text) == text.size() && !text.empty()) return std::string(text);
  std::string number;
  if (!text.empty() && (text[0] == '-' || text[0] == '+')) {
    if (text[0] == '-') number += '-';
    text.remove_prefix(1);
  }
  std::size_t digits = count_digits(text);
  std::string_view integer = text.substr(0, digits);
  text.remove_prefix(digits);
  while (integer.size() > 1 && integer[0] == '0') integer.remove_prefix(1);
  number += integer.empty() ? std::string_view("0") : integer;
  if (!whole && take(text, '.')) {
    const std::size_t fraction = count_digits(text);
    if (fraction != 0) {
      number += '.';
      number += text.substr(0, fraction);
    }
    digits += fraction;
    text.remove_prefix(fraction);
  }
  if (digits == 0) return std::nullopt;
  if (!whole && !text.empty() && (text[0] == 'e' || text[0] == 'E')) {
    const std::size_t sign = text.size() > 1 && (text[1] == '+' || text[1] == '-') ? 1 : 0;
    const std::size_t exponent = count_digits(text.substr(1 + sign));
    if (exponent == 0) return std::nullopt;
    number += text.substr(0, 1 + sign + exponent);
    text.remove_prefix(1 + sign + exponent);
  }
  if (!text.empty()) return std::nullopt;
  return number;
}

std::optional<std::int64_t> parse_date(std::string_view text) noexcept {
  using namespace std::chrono;
  int year = 0;
  int month = 0;
  int day = 0;
  if (!take_number(text, 4, year) || !take(text, '-') || !take_number(text, 2, month) ||
      !take(text, '-') || !take_number(text, 2, day)) {
    return std::nullopt;
  }
  const year_month_day date{std::chrono::year(year), std::chrono::month(static_cast<unsigned>(month)),
                            std::chrono::day(static_cast<unsigned>(day))};
  if (!date.ok()) return std::nullopt;
  std::int64_t millis = sys_days(date).time_since_epoch().count() * std::int64_t{86'400'000};
  if (text.empty()) return millis;

  if (!take(text, 'T') && !take(text, 't') && !take(text, ' ')) return std::nullopt;
  int hour = 0;
  int minute = 0;
  int second = 0;
  if (!take_number(text, 2, hour) || !take(text, ':') || !take_number(text, 2, minute)) {
    return std::nullopt;
  }
  if (take(text, ':')) {
    if (!take_number(text, 2, second)) return std::nullopt;
    if (take(text, '.') || take(text, ',')) {
      const std::size_t digits = count_digits(text);
      if (digits == 0) return std::nullopt;
      // Java's Date has milliseconds: what is finer is cut off.
      int scale = 100;
      for (std::size_t i = 0; i < digits && scale > 0; ++i, scale /= 10) {
        millis += (text[i] - '0') * scale;
      }
      text.remove_prefix(digits);
    }
  }
  if (hour > 23 || minute > 59 || second > 59) return std::nullopt;
  millis += ((hour * 60 + minute) * 60 + second) * std::int64_t{1000};
  if (text.empty() || ((take(text, 'Z') || take(text, 'z')) && text.empty())) return millis;

  const bool west = text[0] == '-';
  if (!take(text, '+') && !take(text, '-')) return std::nullopt;
  int zone_hour = 0;
  int zone_minute = 0;
  if (!take_number(text, 2, zone_hour)) return std::nullopt;
  if (!text.empty()) {
    take(text, ':');
    if (!take_number(text, 2, zone_minute)) return std::nullopt;
  }
  if (!text.empty() || zone_hour > 23 || zone_minute > 59) return std::nullopt;
  const std::int64_t zone = (zone_hour * 60 + zone_minute) * std::int64_t{60'000};
  return millis + (west ? zone : -zone);
}

bool has_date_text(std::int64_t millis) noexcept {
  return millis >= kYear0 && millis < kYear10000;
}

std::uint8_t* put_date_text(std::uint8_t* at, std::int64_t millis) noexcept {
  using namespace std::chrono;
  const sys_time<milliseconds> when{milliseconds(millis)};
  const auto midnight = floor<days>(when);
  const year_month_day date{midnight};
  const auto of_day = static_cast<std::uint32_t>((when - midnight).count());
  const auto put = [&at](std::uint32_t number, std::uint32_t scale, char behind) {
    for (; scale > 0; scale /= 10) *at++ = static_cast<std::uint8_t>('0' + number / scale % 10);
    *at++ = static_cast<std::uint8_t>(behind);
  };
  put(static_cast<std::uint32_t>(static_cast<int>(date.year())), 1000, '-');
  put(static_cast<unsigned>(date.month()), 10, '-');
  put(static_cast<unsigned>(date.day()), 10, 'T');
  put(of_day / 3'600'000, 10, ':');
  put(of_day / 60'000 % 60, 10, ':');
  put(of_day / 1000 % 60, 10, '.');
  put(of_day % 1000, 100, 'Z');
  return at;
}

std::size_t bad_escape(std::string_view inside) noexcept {
  for (std::size_t at = inside.find('\\'); at != std::string_view::npos;
       at = inside.find('\\', at)) {
    if (at + 1 == inside.size()) return at;
    if (std::string_view("\"\\/bfnrt").find(inside[at + 1]) != std::string_view::npos) {
      at += 2;
      continue;
    }
    if (inside[at + 1] != 'u' || inside.size() - at < 6) return at;
    for (std::size_t i = at + 2; i < at + 6; ++i) {
      if (hex_value(inside[i]) < 0) return at;
    }
    at += 6;
  }
  return kNone;
}

void append_utf8(std::uint32_t c, std::string& out) {
  char bytes[4];
  std::size_t n = 0;
  const auto put = [&](std::uint32_t byte) { bytes[n++] = static_cast<char>(byte); };
  if (c < 0x80) {
    put(c);
  } else if (c < 0x800) {
    put(0xc0 | c >> 6);
    put(0x80 | (c & 0x3f));
  } else if (c < 0x10000) {
    put(0xe0 | c >> 12);
    put(0x80 | (c >> 6 & 0x3f));
    put(0x80 | (c & 0x3f));
  } else {
    put(0xf0 | c >> 18);
    put(0x80 | (c >> 12 & 0x3f));
    put(0x80 | (c >> 6 & 0x3f));
    put(0x80 | (c & 0x3f));
  }
  out.append(bytes, n);
}

void unescape(std::string_view inside, std::string& out) {
  while (true) {
    const std::size_t mark = inside.find('\\');
    out += inside.substr(0, mark);
    if (mark == std::string_view::npos) return;
    const char kind = inside[mark + 1];
    if (kind != 'u') {
      out += escaped_character(kind);
      inside.remove_prefix(mark + 2);
      continue;
    }
    std::uint32_t unit = hex_unit(inside.data() + mark + 2);
    inside.remove_prefix(mark + 6);
    if (is_high(unit)) {
      std::uint32_t low = 0;
      if (inside.size() >= 6 && inside[0] == '\\' && inside[1] == 'u') {
        low = hex_unit(inside.data() + 2);
      }
      if (is_low(low)) {
        unit = 0x10000 + ((unit & 0x3ff) << 10) + (low & 0x3ff);
        inside.remove_prefix(6);
      } else {
        unit = kReplacement;
      }
    } else if (is_low(unit)) {
      unit = kReplacement;
    }
    append_utf8(unit, out);
  }
}

void unescape(std::string_view inside, std::u16string& out) {
  const char* at = inside.data();
  const char* end = at + inside.size();
  while (at != end) {
    if (*at == '\\') {
      if (at[1] == 'u') {
        out += static_cast<char16_t>(hex_unit(at + 2));
        at += 6;
      } else {
        out += static_cast<char16_t>(escaped_character(at[1]));
        at += 2;
      }
      continue;
    }
    const std::uint32_t c = next_utf8(at, end);
    if (c >= 0x10000) {
      out += static_cast<char16_t>(0xd7c0 + (c >> 10));
      out += static_cast<char16_t>(0xdc00 | (c & 0x3ff));
    } else {
      out += static_cast<char16_t>(c);
    }
  }
}

std::optional<Flaw> find_flaw(std::string_view text) {
  Scanner scanner(text);
  if (scanner.scan()) return std::nullopt;
  return std::move(scanner).flaw();
}

std::string path_text(const Step* step) {
  constexpr std::size_t kLongestName = 64;
  constexpr std::size_t kMostSteps = 16;  // at either end
  std::vector<const Step*> steps;
  for (; step != nullptr; step = step->up) steps.push_back(step);
  std::string path = "$";
  for (auto at = steps.rbegin(); at != steps.rend(); ++at) {
    if (steps.size() > 2 * kMostSteps &&
        at == steps.rbegin() + static_cast<std::ptrdiff_t>(kMostSteps)) {
      path += " ... ";
      at = steps.rend() - static_cast<std::ptrdiff_t>(kMostSteps);
    }
    if ((*at)->name.data() == nullptr) {
      path += '[';
      path += std::to_string((*at)->index);
      path += ']';
      continue;
    }
    std::string unescaped;
    std::string_view name = (*at)->name;
    if ((*at)->escaped) {
      unescape(name, unescaped);
      name = unescaped;
    }
    const std::string cut = excerpt(name, kLongestName);
    name = cut;
    if (is_plain_name(name)) {
      path += '.';
      path += name;
      continue;
    }
    path += "[\"";
    for (const char c : name) {
      if (c == '"' || c == '\\') path += '\\';
      path += c;
    }
    path += "\"]";
  }
  return path;
}

std::string excerpt(std::string_view text, std::size_t limit) {
  std::string out;
  const char* at = text.data();
  const char* end = at + text.size();
  while (at != end) {
    if (out.size() >= limit) return out + "...";
    const std::uint32_t c = next_utf8(at, end);
    append_utf8(c < 0x20 || c == 0x7f ? kReplacement : c, out);
  }
  return out;
}

}  // namespace settee::inline v0::json::detail
