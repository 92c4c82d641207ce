// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0

#include "settee/base/detail/base64.h"

#include <array>

namespace settee::inline v0::detail {

namespace {

constexpr std::uint8_t kNoBase64 = 0xff;
constexpr std::array<std::uint8_t, 256> make_base64_values() {
  std::array<std::uint8_t, 256> values{};
  for (auto& value : values) value = kNoBase64;
  for (int i = 0; i < 26; ++i) {
    values[static_cast<std::size_t>('A' + i)] = static_cast<std::uint8_t>(i);
    values[static_cast<std::size_t>('a' + i)] = static_cast<std::uint8_t>(26 + i);
  }
  for (int i = 0; i < 10; ++i) {
    values[static_cast<std::size_t>('0' + i)] = static_cast<std::uint8_t>(52 + i);
  }
  values['+'] = values['-'] = 62;
  values['/'] = values['_'] = 63;
  return values;
}
constexpr std::array<std::uint8_t, 256> kBase64Values = make_base64_values();
constexpr char kBase64Digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

}  // namespace

std::optional<std::size_t> decode_base64(std::string_view text, std::uint8_t* out) noexcept {
  std::size_t padding = 0;
  while (padding < 2 && !text.empty() && text.back() == '=') {
    text.remove_suffix(1);
    ++padding;
  }
  const std::size_t rest = text.size() % 4;
  if (rest == 1 || (padding != 0 && (rest + padding) % 4 != 0)) return std::nullopt;
  std::uint8_t* to = out;
  const auto value = [&text](std::size_t i) {
    return std::uint32_t{kBase64Values[static_cast<std::uint8_t>(text[i])]};
  };
  std::size_t i = 0;
  for (; i + 4 <= text.size(); i += 4) {
    const std::uint32_t a = value(i);
    const std::uint32_t b = value(i + 1);
    const std::uint32_t c = value(i + 2);
    const std::uint32_t d = value(i + 3);
    if ((a | b | c | d) == kNoBase64) return std::nullopt;
    const std::uint32_t bits = a << 18 | b << 12 | c << 6 | d;
    *to++ = static_cast<std::uint8_t>(bits >> 16);
    *to++ = static_cast<std::uint8_t>(bits >> 8);
    *to++ = static_cast<std::uint8_t>(bits);
  }
  if (rest >= 2) {
    const std::uint32_t a = value(i);
    const std::uint32_t b = value(i + 1);
    const std::uint32_t c = rest == 3 ? value(i + 2) : 0;
    if ((a | b | c) == kNoBase64) return std::nullopt;
    const std::uint32_t bits = a << 18 | b << 12 | c << 6;
    *to++ = static_cast<std::uint8_t>(bits >> 16);
    if (rest == 3) *to++ = static_cast<std::uint8_t>(bits >> 8);
  }
  return static_cast<std::size_t>(to - out);
}

std::uint8_t* put_base64(std::uint8_t* at, const std::uint8_t* from, std::size_t n) noexcept {
  const auto put = [&at](std::uint32_t bits, int shift) {
    *at++ = static_cast<std::uint8_t>(kBase64Digits[bits >> shift & 63]);
  };
  for (; n >= 3; n -= 3, from += 3) {
    const std::uint32_t bits =
        std::uint32_t{from[0]} << 16 | std::uint32_t{from[1]} << 8 | std::uint32_t{from[2]};
    put(bits, 18);
    put(bits, 12);
    put(bits, 6);
    put(bits, 0);
  }
  if (n != 0) {
    const std::uint32_t bits =
        std::uint32_t{from[0]} << 16 | (n == 2 ? std::uint32_t{from[1]} << 8 : 0);
    put(bits, 18);
    put(bits, 12);
    if (n == 2) {
      put(bits, 6);
    } else {
      *at++ = '=';
    }
    *at++ = '=';
  }
  return at;
}

std::string to_base64(std::string_view bytes) {
  std::string text((bytes.size() + 2) / 3 * 4, '\0');
  put_base64(reinterpret_cast<std::uint8_t*>(text.data()),
             reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size());
  return text;
}

std::optional<std::string> from_base64(std::string_view text) {
  std::string bytes(base64_room(text.size()), '\0');
  const std::optional<std::size_t> size =
      decode_base64(text, reinterpret_cast<std::uint8_t*>(bytes.data()));
  if (!size) return std::nullopt;
  bytes.resize(*size);
  return bytes;
}

}  // namespace settee::inline v0::detail
