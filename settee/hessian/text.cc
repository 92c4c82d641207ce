// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0

#include "settee/hessian/internal/text.h"

#include <bit>

namespace settee::inline v0::hessian::detail {

namespace {

constexpr std::uint32_t kReplacement = 0xfffd;

constexpr bool is_high(std::uint32_t unit) { return (unit & 0xfc00) == 0xd800; }
constexpr bool is_low(std::uint32_t unit) { return (unit & 0xfc00) == 0xdc00; }

// Whether four readable bytes begin with a well-formed character of three bytes that is no surrogate,
// which is what most text of Asia is made of.
inline bool is_plain_three(const void* at) noexcept {
  if constexpr (std::endian::native != std::endian::little) return false;
  const auto word = load<std::uint32_t>(at);
  if ((word & 0x00c0c0f0) != 0x008080e0) return false;
  const std::uint32_t top = (word & 0x0f) << 6 | (word >> 8 & 0x3f);  // the upper ten of 16 bits
  return top >= 0x20 && (top & 0x3e0) != 0x360;
}

void append_character(std::string& text, std::uint32_t c) {
  char bytes[4];
  std::size_t n = 0;
  if (c < 0x80) {
    bytes[n++] = static_cast<char>(c);
  } else if (c < 0x800) {
    bytes[n++] = static_cast<char>(0xc0 | c >> 6);
    bytes[n++] = static_cast<char>(0x80 | (c & 0x3f));
  } else if (c < 0x10000) {
    bytes[n++] = static_cast<char>(0xe0 | c >> 12);
    bytes[n++] = static_cast<char>(0x80 | (c >> 6 & 0x3f));
    bytes[n++] = static_cast<char>(0x80 | (c & 0x3f));
  } else {
    bytes[n++] = static_cast<char>(0xf0 | c >> 18);
    bytes[n++] = static_cast<char>(0x80 | (c >> 12 & 0x3f));
    bytes[n++] = static_cast<char>(0x80 | (c >> 6 & 0x3f));
    bytes[n++] = static_cast<char>(0x80 | (c & 0x3f));
  }
  text.append(bytes, n);
}

}  // namespace

std::uint32_t next_utf8(const char*& from, const char* end) noexcept {
  const auto byte = [&from](std::size_t i) { return static_cast<std::uint8_t>(from[i]); };
  const auto left = static_cast<std::size_t>(end - from);
  const std::uint8_t lead = byte(0);
  if (lead < 0x80) {
    ++from;
    return lead;
  }
  // The second byte's range is narrower after some leads: no overlong forms, no surrogates, nothing
  // above U+10FFFF.
  std::size_t length = 0;
  std::uint8_t low = 0x80;
  std::uint8_t high = 0xbf;
  if (lead >= 0xc2 && lead <= 0xdf) {
    length = 2;
  } else if (lead >= 0xe0 && lead <= 0xef) {
    length = 3;
    if (lead == 0xe0) low = 0xa0;
    if (lead == 0xed) high = 0x9f;
  } else if (lead >= 0xf0 && lead <= 0xf4) {
    length = 4;
    if (lead == 0xf0) low = 0x90;
    if (lead == 0xf4) high = 0x8f;
  } else {
    ++from;
    return kReplacement;
  }
  std::uint32_t c = lead & (0xffu >> (length + 1));
  for (std::size_t i = 1; i < length; ++i) {
    if (i >= left || byte(i) < low || byte(i) > high) {
      from += i;
      return kReplacement;
    }
    c = c << 6 | (byte(i) & 0x3f);
    low = 0x80;
    high = 0xbf;
  }
  from += length;
  return c;
}

TextMeasure measure_utf8(std::string_view text) noexcept {
  const char* at = text.data();
  const char* end = at + text.size();
  TextMeasure measure{0, true};
  while (at != end) {
    if (end - at >= 8 && (load<std::uint64_t>(at) & kHighBits) == 0) {
      at += 8;
      measure.units += 8;
      continue;
    }
    while (end - at >= 4 && is_plain_three(at)) {
      at += 3;
      measure.units += 1;
    }
    if (at == end) break;
    const char* before = at;
    const std::uint32_t c = next_utf8(at, end);
    if (c >= 0x10000) {
      measure.units += 2;
      measure.plain = false;
    } else {
      measure.units += 1;
      // A replacement that stands in the text itself is three bytes, EF BF BD, and plain.
      if (c == kReplacement && (at - before != 3 || *before != '\xef')) measure.plain = false;
    }
  }
  return measure;
}

std::uint8_t* to_wire(const char*& from, const char* end, std::uint8_t* to,
                      const std::uint8_t* limit) noexcept {
  const auto put = [&to](std::uint32_t unit) {
    *to++ = static_cast<std::uint8_t>(0xe0 | unit >> 12);
    *to++ = static_cast<std::uint8_t>(0x80 | (unit >> 6 & 0x3f));
    *to++ = static_cast<std::uint8_t>(0x80 | (unit & 0x3f));
  };
  while (from != end && limit - to >= 6) {
    const std::uint32_t c = next_utf8(from, end);
    if (c < 0x80) {
      *to++ = static_cast<std::uint8_t>(c);
    } else if (c < 0x800) {
      *to++ = static_cast<std::uint8_t>(0xc0 | c >> 6);
      *to++ = static_cast<std::uint8_t>(0x80 | (c & 0x3f));
    } else if (c < 0x10000) {
      put(c);
    } else {
      put(0xd7c0 + (c >> 10));
      put(0xdc00 | (c & 0x3ff));
    }
  }
  return to;
}

const char* skip_units(const char* from, const char* end, std::size_t& units) noexcept {
  while (units > 0 && from != end) {
    if (units >= 8 && end - from >= 8 && (load<std::uint64_t>(from) & kHighBits) == 0) {
      from += 8;
      units -= 8;
      continue;
    }
    if (end - from >= 4 && is_plain_three(from)) {
      from += 3;
      units -= 1;
      continue;
    }
    const char* next = from;
    const std::size_t takes = next_utf8(next, end) >= 0x10000 ? 2 : 1;
    if (takes > units) break;
    units -= takes;
    from = next;
  }
  return from;
}

WireScan scan_wire(const std::uint8_t* from, const std::uint8_t* end, std::size_t units) noexcept {
  bool plain = true;
  const auto continues = [](std::uint8_t byte) { return (byte & 0xc0) == 0x80; };
  while (units > 0) {
    if (units >= 8 && end - from >= 8 && (load<std::uint64_t>(from) & kHighBits) == 0) {
      from += 8;
      units -= 8;
      continue;
    }
    while (units > 0 && end - from >= 4 && is_plain_three(from)) {
      from += 3;
      units -= 1;
    }
    if (units == 0) break;
    if (from == end) return {nullptr, nullptr, false};
    const std::uint8_t lead = *from;
    if (lead < 0x80) {
      ++from;
      --units;
      continue;
    }
    std::size_t length = 0;
    std::size_t counts = 1;
    if ((lead & 0xe0) == 0xc0) {
      length = 2;
    } else if ((lead & 0xf0) == 0xe0) {
      length = 3;
    } else if (lead >= 0xf0 && lead <= 0xf4) {
      length = 4;
      counts = 2;
    } else {
      return {nullptr, from, false};
    }
    if (static_cast<std::size_t>(end - from) < length) return {nullptr, nullptr, false};
    for (std::size_t i = 1; i < length; ++i) {
      if (!continues(from[i])) return {nullptr, from, false};
    }
    if (counts > units) return {nullptr, from, false};
    if (length == 2) {
      plain = plain && lead >= 0xc2;
    } else if (length == 3) {
      plain = plain && (lead != 0xe0 || from[1] >= 0xa0) && (lead != 0xed || from[1] < 0xa0);
    } else {
      if ((lead == 0xf0 && from[1] < 0x90) || (lead == 0xf4 && from[1] > 0x8f)) {
        return {nullptr, from, false};
      }
    }
    from += length;
    units -= counts;
  }
  return {from, nullptr, plain};
}

void append_utf8(const std::uint8_t* from, const std::uint8_t* end, std::string& text,
                 std::uint16_t& high) {
  while (from != end) {
    const std::uint8_t lead = *from;
    if (lead < 0x80) {
      finish_utf8(text, high);
      const std::uint8_t* run = from;
      while (from != end && *from < 0x80) ++from;
      text.append(reinterpret_cast<const char*>(run), static_cast<std::size_t>(from - run));
      continue;
    }
    const std::size_t length = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
    std::uint32_t c = lead & (0x7fu >> length);
    for (std::size_t i = 1; i < length; ++i) c = c << 6 | (from[i] & 0x3fu);
    from += length;
    if (high != 0) {
      if (is_low(c)) {
        append_character(text, 0x10000 + ((high & 0x3ffu) << 10) + (c & 0x3ff));
        high = 0;
        continue;
      }
      finish_utf8(text, high);
    }
    if (is_high(c)) {
      high = static_cast<std::uint16_t>(c);
    } else {
      append_character(text, is_low(c) ? kReplacement : c);
    }
  }
}

void finish_utf8(std::string& text, std::uint16_t& high) {
  if (high != 0) append_character(text, kReplacement);
  high = 0;
}

}  // namespace settee::inline v0::hessian::detail
