// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0
//
// What characters mean in HTTP (RFC 9110, 5.5 and 5.6).

#pragma once

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <string>
#include <string_view>

#include "settee/base/detail/peer_log.h"

namespace settee::inline v0::http {

constexpr char lower(char c) noexcept {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c;
}

/// As same_name(), for who compares many.
inline bool same_text(std::string_view a, std::string_view b) noexcept {
  if (a.size() != b.size()) return false;
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (a[i] != b[i] && lower(a[i]) != lower(b[i])) return false;
  }
  return true;
}

inline constexpr std::array<bool, 256> kTokenCharacters = [] {
  std::array<bool, 256> made{};
  for (std::size_t c = '0'; c <= '9'; ++c) made[c] = true;
  for (std::size_t c = 'a'; c <= 'z'; ++c) made[c] = made[c - 'a' + 'A'] = true;
  for (const unsigned char c : std::string_view("!#$%&'*+-.^_`|~")) made[c] = true;
  return made;
}();

constexpr bool is_token(char c) noexcept { return kTokenCharacters[static_cast<unsigned char>(c)]; }

inline bool is_token(std::string_view text) noexcept {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) { return is_token(c); });
}

constexpr bool is_control(char c) noexcept {
  return static_cast<unsigned char>(c) < 0x20 || c == 0x7f;
}

inline bool is_field_value(std::string_view text) noexcept {
  return std::none_of(text.begin(), text.end(), [](char c) { return is_control(c) && c != '\t'; });
}

constexpr int hex_digit(char c) noexcept {
  if (c >= '0' && c <= '9') return c - '0';
  if (lower(c) >= 'a' && lower(c) <= 'f') return lower(c) - 'a' + 10;
  return -1;
}

/// Whether what a peer calls our host can be one, with its port: not a piece of another URL.
constexpr bool is_host(std::string_view text) noexcept {
  return std::none_of(text.begin(), text.end(), [](char c) {
    return c == ' ' || c == '\t' || c == '/' || c == '?' || c == '#' || c == '@' || c == ',' ||
           c == '\\';
  });
}

constexpr std::string_view trim(std::string_view text) noexcept {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

/// For messages, whatever a peer has written.
inline std::string printable(std::string_view text) { return settee::detail::printable(text, 200); }

inline std::string json_escaped(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (is_control(c)) {
      out += fmt::format("\\u{:04x}", static_cast<unsigned char>(c));
    } else {
      out += c;
    }
  }
  return out;
}

}  // namespace settee::inline v0::http
