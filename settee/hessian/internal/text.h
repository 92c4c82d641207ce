// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0
//
// Texts: UTF-8 on our side; on the wire UTF-16 units, each in the one to three bytes of UTF-8, so that
// a supplementary character is two 3-byte surrogates (CESU-8) and lengths count UTF-16 units.

#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

#include "settee/hessian/internal/wire.h"

namespace settee::inline v0::hessian::detail {

inline constexpr std::uint64_t kHighBits = 0x8080808080808080u;

/// Whether all bytes are below 0x80.
inline bool is_ascii(const void* data, std::size_t n) noexcept {
  const auto* p = static_cast<const std::uint8_t*>(data);
  if (n < 8) {
    std::uint8_t any = 0;
    for (std::size_t i = 0; i < n; ++i) any |= p[i];
    return any < 0x80;
  }
  const std::uint8_t* last = p + n;
#if defined(__SSE2__)
  if (n >= 16) {
    while (last - p > 64) {
      const __m128i* at = reinterpret_cast<const __m128i*>(p);
      const __m128i any =
          _mm_or_si128(_mm_or_si128(_mm_loadu_si128(at), _mm_loadu_si128(at + 1)),
                       _mm_or_si128(_mm_loadu_si128(at + 2), _mm_loadu_si128(at + 3)));
      if (_mm_movemask_epi8(any) != 0) return false;
      p += 64;
    }
    __m128i any = _mm_loadu_si128(reinterpret_cast<const __m128i*>(last - 16));
    for (; last - p > 16; p += 16) {
      any = _mm_or_si128(any, _mm_loadu_si128(reinterpret_cast<const __m128i*>(p)));
    }
    return _mm_movemask_epi8(any) == 0;
  }
#endif
  std::uint64_t any = load<std::uint64_t>(last - 8);
  for (; last - p > 8; p += 8) any |= load<std::uint64_t>(p);
  return (any & kHighBits) == 0;
}

/// Copies `n` <= 32 bytes; whether all are below 0x80. `to` must not overlap.
inline bool copy_short_ascii(std::uint8_t* to, const char* from, std::size_t n) noexcept {
  if (n >= 16) {
#if defined(__SSE2__)
    const __m128i a = _mm_loadu_si128(reinterpret_cast<const __m128i*>(from));
    const __m128i b = _mm_loadu_si128(reinterpret_cast<const __m128i*>(from + n - 16));
    _mm_storeu_si128(reinterpret_cast<__m128i*>(to), a);
    _mm_storeu_si128(reinterpret_cast<__m128i*>(to + n - 16), b);
    return _mm_movemask_epi8(_mm_or_si128(a, b)) == 0;
#else
    std::memcpy(to, from, n);
    return is_ascii(from, n);
#endif
  }
  if (n >= 8) {
    const auto a = load<std::uint64_t>(from);
    const auto b = load<std::uint64_t>(from + n - 8);
    store(to, a);
    store(to + n - 8, b);
    return ((a | b) & kHighBits) == 0;
  }
  if (n >= 4) {
    const auto a = load<std::uint32_t>(from);
    const auto b = load<std::uint32_t>(from + n - 4);
    store(to, a);
    store(to + n - 4, b);
    return ((a | b) & 0x80808080u) == 0;
  }
  std::uint8_t any = 0;
  for (std::size_t i = 0; i < n; ++i) {
    const auto byte = static_cast<std::uint8_t>(from[i]);
    to[i] = byte;
    any |= byte;
  }
  return any < 0x80;
}

/// Whether the first `n` <= 31 of `left` >= n bytes are all below 0x80.
inline bool is_short_ascii(const std::uint8_t* at, std::size_t n, std::size_t left) noexcept {
#if defined(__SSE2__)
  if (left >= 32) [[likely]] {
    const __m128i* from = reinterpret_cast<const __m128i*>(at);
    const auto low = static_cast<std::uint32_t>(_mm_movemask_epi8(_mm_loadu_si128(from)));
    const auto high = static_cast<std::uint32_t>(_mm_movemask_epi8(_mm_loadu_si128(from + 1)));
    return ((low | high << 16) & ((std::uint32_t{1} << n) - 1)) == 0;
  }
#else
  (void)left;
#endif
  return is_ascii(at, n);
}

/// Whether two names are the same; names are short, and mostly they are.
inline bool same_name(const char* a, std::size_t a_size, const char* b,
                      std::size_t b_size) noexcept {
  if (a_size != b_size) return false;
  if (a_size >= 16) return std::memcmp(a, b, a_size) == 0;
  if (a_size >= 8) {
    return ((load<std::uint64_t>(a) ^ load<std::uint64_t>(b)) |
            (load<std::uint64_t>(a + a_size - 8) ^ load<std::uint64_t>(b + a_size - 8))) == 0;
  }
  if (a_size >= 4) {
    return ((load<std::uint32_t>(a) ^ load<std::uint32_t>(b)) |
            (load<std::uint32_t>(a + a_size - 4) ^ load<std::uint32_t>(b + a_size - 4))) == 0;
  }
  for (std::size_t i = 0; i < a_size; ++i) {
    if (a[i] != b[i]) return false;
  }
  return true;
}

/// One character of UTF-8, or U+FFFD for a byte sequence that is none (as long as WHATWG's decoder
/// would take). `from` < `end`; moves `from` behind it.
std::uint32_t next_utf8(const char*& from, const char* end) noexcept;

struct TextMeasure {
  std::size_t units;  ///< UTF-16 units
  bool plain;         ///< the wire's bytes are the very same
};
TextMeasure measure_utf8(std::string_view text) noexcept;
inline TextMeasure measure(std::string_view text) noexcept {
  return is_ascii(text.data(), text.size()) ? TextMeasure{text.size(), true} : measure_utf8(text);
}

/// Writes characters in the wire's form until `end` or until `limit` is less than 6 bytes away. Moves
/// `from` on; returns the end of what was written.
std::uint8_t* to_wire(const char*& from, const char* end, std::uint8_t* to,
                      const std::uint8_t* limit) noexcept;

/// Moves on by as many whole characters as fit `units` UTF-16 units, which it counts down.
const char* skip_units(const char* from, const char* end, std::size_t& units) noexcept;

struct WireScan {
  const std::uint8_t* end;  ///< behind the last unit; null if the bytes end first or are malformed
  const std::uint8_t* bad;  ///< the malformed character when `end` is null, else null
  bool plain;               ///< well-formed UTF-8 without surrogates: may be taken as it is
};
/// Finds the end of `units` UTF-16 units. 4-byte sequences, which Java refuses, count as two units.
WireScan scan_wire(const std::uint8_t* from, const std::uint8_t* end, std::size_t units) noexcept;

/// Adds characters that scan_wire() has passed to `text` as UTF-8. `high` carries a high surrogate from
/// one piece of a text to the next (0: none): call finish_utf8() after the last.
void append_utf8(const std::uint8_t* from, const std::uint8_t* end, std::string& text,
                 std::uint16_t& high);
void finish_utf8(std::string& text, std::uint16_t& high);

}  // namespace settee::inline v0::hessian::detail
