// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0
//
// Writing the small texts of JSON to memory that has room. Each function returns the place behind.

#pragma once

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

#include <algorithm>
#include <bit>
#include <charconv>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>
#include <type_traits>

#include "settee/hessian/internal/wire.h"

namespace settee::inline v0::json::detail {

using hessian::detail::load;
using hessian::detail::store;

inline constexpr std::uint64_t kOnes = 0x0101010101010101u;
inline constexpr std::uint64_t kHighBits = 0x8080808080808080u;

/// Marks (at least the lowest of) the bytes that a JSON string cannot have as they are: control
/// characters, quote, backslash, and those of more than 7 bits when `ascii`.
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

/// Copies up to the first special byte, and a little beyond may be overwritten at `to`; returns how
/// many bytes are good. There is room for `n`.
template <bool ascii>
std::size_t copy_plain(std::uint8_t* to, const char* from, std::size_t n) noexcept {
#if defined(__SSE2__)
  if (n >= 16) {
    const auto chunk = [&](std::size_t i) -> unsigned {
      const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(from + i));
      _mm_storeu_si128(reinterpret_cast<__m128i*>(to + i), bytes);
      // Signed, so that bytes of more than 7 bits are below as well.
      const __m128i control = ascii
                                  ? _mm_cmplt_epi8(bytes, _mm_set1_epi8(0x20))
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

/// Writes the escape of a special ASCII character; at most 6 bytes.
inline std::uint8_t* put_escape(std::uint8_t* at, char c) noexcept {
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

inline std::uint8_t* put_utf8(std::uint8_t* at, std::uint32_t c) noexcept {
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

/// Room that any scalar but texts fits.
inline constexpr std::size_t kScalarRoom = 48;

inline std::uint8_t* put_whole(std::uint8_t* at, std::int64_t number) noexcept {
  char* to = reinterpret_cast<char*>(at);
  return reinterpret_cast<std::uint8_t*>(std::to_chars(to, to + kScalarRoom, number).ptr);
}

inline std::uint8_t* put_text(std::uint8_t* at, std::string_view text) noexcept {
  std::memcpy(at, text.data(), text.size());
  return at + text.size();
}

/// The shortest digits that are read as the same number, with a "." or exponent so that it is no int.
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

inline std::string_view view(const char* from, const std::uint8_t* end) noexcept {
  return {from, static_cast<std::size_t>(reinterpret_cast<const char*>(end) - from)};
}

}  // namespace settee::inline v0::json::detail
