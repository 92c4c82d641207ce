// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0
//
// The writes that are hot enough to be inlined into writer and codec.

#pragma once

#include <bit>
#include <cstdint>
#include <string_view>

#include "settee/base/bytes.h"
#include "settee/hessian/dialect.h"
#include "settee/hessian/internal/text.h"
#include "settee/hessian/internal/wire.h"

namespace settee::inline v0::hessian::detail {

/// Writes an int at `at`, which has room for 5 bytes; returns the end.
inline std::uint8_t* put_int_at(std::uint8_t* at, std::int32_t value) noexcept {
  if (value >= -16 && value <= 47) {
    *at = static_cast<std::uint8_t>(0x90 + value);
    return at + 1;
  }
  if (value >= -2048 && value <= 2047) {
    store_big(at, static_cast<std::uint16_t>(0xc800 + value));
    return at + 2;
  }
  if (value >= -262144 && value <= 262143) {
    at[0] = static_cast<std::uint8_t>(0xd4 + (value >> 16));
    store_big(at + 1, static_cast<std::uint16_t>(value));
    return at + 3;
  }
  *at = 'I';
  store_big(at + 1, static_cast<std::uint32_t>(value));
  return at + 5;
}

/// Room for 9 bytes.
inline std::uint8_t* put_long_at(std::uint8_t* at, std::int64_t value, Dialect dialect) noexcept {
  if (value >= -8 && value <= 15) {
    *at = static_cast<std::uint8_t>(0xe0 + value);
    return at + 1;
  }
  if (value >= -2048 && value <= 2047) {
    store_big(at, static_cast<std::uint16_t>(0xf800 + value));
    return at + 2;
  }
  if (value >= -262144 && value <= 262143) {
    at[0] = static_cast<std::uint8_t>(0x3c + (value >> 16));
    store_big(at + 1, static_cast<std::uint16_t>(value));
    return at + 3;
  }
  if (value >= INT32_MIN && value <= INT32_MAX) {
    *at = dialect == Dialect::kSofa3 ? 'w' : 'Y';
    store_big(at + 1, static_cast<std::uint32_t>(value));
    return at + 5;
  }
  *at = 'L';
  store_big(at + 1, static_cast<std::uint64_t>(value));
  return at + 9;
}

/// Room for 9 bytes. As Java does, -0.0 becomes 0.0.
inline std::uint8_t* put_double_at(std::uint8_t* at, double value, Dialect dialect) noexcept {
  const bool sofa3 = dialect == Dialect::kSofa3;
  if (value >= -32768 && value <= 32767) {
    const auto whole = static_cast<std::int32_t>(value);
    if (whole == value) {
      if (whole == 0 || whole == 1) {
        *at = static_cast<std::uint8_t>((sofa3 ? 0x67 : 0x5b) + whole);
        return at + 1;
      }
      if (whole >= -128 && whole <= 127) {
        at[0] = sofa3 ? 0x69 : 0x5d;
        at[1] = static_cast<std::uint8_t>(whole);
        return at + 2;
      }
      at[0] = sofa3 ? 0x6a : 0x5e;
      store_big(at + 1, static_cast<std::uint16_t>(whole));
      return at + 3;
    }
  }
  if (sofa3) {
    // The comparison is false for NaN; a double beyond a float's range becomes an infinity.
    if (const float narrow = static_cast<float>(value); static_cast<double>(narrow) == value) {
      *at = 0x6b;
      store_big(at + 1, std::bit_cast<std::uint32_t>(narrow));
      return at + 5;
    }
  } else if (value > -2147483.648 && value < 2147483.648) {
    if (const auto mills = static_cast<std::int32_t>(value * 1000); 0.001 * mills == value) {
      *at = 0x5f;
      store_big(at + 1, static_cast<std::uint32_t>(mills));
      return at + 5;
    }
  }
  *at = 'D';
  store_big(at + 1, std::bit_cast<std::uint64_t>(value));
  return at + 9;
}

inline std::uint8_t* put_date_at(std::uint8_t* at, std::int64_t millis, Dialect dialect) noexcept {
  if (dialect == Dialect::kSofa3) {
    *at = 'd';
  } else if (millis % 60000 == 0 && millis / 60000 >= INT32_MIN && millis / 60000 <= INT32_MAX) {
    *at = 'K';
    store_big(at + 1, static_cast<std::uint32_t>(millis / 60000));
    return at + 5;
  } else {
    *at = 'J';
  }
  store_big(at + 1, static_cast<std::uint64_t>(millis));
  return at + 9;
}

inline void put_byte(Buffer& out, std::uint8_t byte) {
  *out.prepare(1) = byte;
  out.commit(1);
}
inline void put_int(Buffer& out, std::int32_t value) {
  std::uint8_t* at = out.prepare(5);
  out.commit(static_cast<std::size_t>(put_int_at(at, value) - at));
}
inline void put_long(Buffer& out, std::int64_t value, Dialect dialect) {
  std::uint8_t* at = out.prepare(9);
  out.commit(static_cast<std::size_t>(put_long_at(at, value, dialect) - at));
}
inline void put_double(Buffer& out, double value, Dialect dialect) {
  std::uint8_t* at = out.prepare(9);
  out.commit(static_cast<std::size_t>(put_double_at(at, value, dialect) - at));
}
inline void put_date(Buffer& out, std::int64_t millis, Dialect dialect) {
  std::uint8_t* at = out.prepare(9);
  out.commit(static_cast<std::size_t>(put_date_at(at, millis, dialect) - at));
}

/// Writes a string of at most 31 ASCII characters; false if `text` is none.
inline bool put_short_text(Buffer& out, std::string_view text) {
  if (text.size() > 31) return false;
  std::uint8_t* at = out.prepare(32);
  at[0] = static_cast<std::uint8_t>(text.size());
  if (!copy_short_ascii(at + 1, text.data(), text.size())) [[unlikely]]
    return false;
  out.commit(1 + text.size());
  return true;
}

}  // namespace settee::inline v0::hessian::detail
