// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0

#include "settee/hessian/internal/big_integer.h"

#include <algorithm>

namespace settee::inline v0::hessian::detail {

namespace {

constexpr std::uint32_t kBillion = 1'000'000'000;  // nine digits are the most that fit a word
constexpr std::size_t kBillionDigits = 9;

bool is_digit(char c) noexcept { return c >= '0' && c <= '9'; }

std::size_t count_digits(std::string_view text) noexcept {
  return static_cast<std::size_t>(std::find_if_not(text.begin(), text.end(), is_digit) -
                                  text.begin());
}

void drop_sign(std::string_view& text) noexcept {
  if (!text.empty() && (text[0] == '+' || text[0] == '-')) text.remove_prefix(1);
}

}  // namespace

std::string to_decimal(std::vector<std::uint32_t> words) {
  std::string reversed;
  std::size_t first = 0;
  while (true) {
    while (first < words.size() && words[first] == 0) ++first;
    if (first == words.size()) break;
    std::uint64_t rest = 0;
    for (std::size_t i = first; i < words.size(); ++i) {
      rest = rest << 32 | words[i];
      words[i] = static_cast<std::uint32_t>(rest / kBillion);
      rest %= kBillion;
    }
    for (std::size_t i = 0; i < kBillionDigits; ++i) {
      reversed += static_cast<char>('0' + rest % 10);
      rest /= 10;
    }
  }
  while (!reversed.empty() && reversed.back() == '0') reversed.pop_back();
  if (reversed.empty()) return "0";
  std::reverse(reversed.begin(), reversed.end());
  return reversed;
}

std::vector<std::uint32_t> to_magnitude(std::string_view digits) {
  std::vector<std::uint32_t> words;  // least significant first until the end
  while (!digits.empty()) {
    const std::size_t n = std::min(kBillionDigits, digits.size());
    std::uint64_t carry = 0;
    std::uint64_t scale = 1;
    for (std::size_t i = 0; i < n; ++i) {
      carry = carry * 10 + static_cast<std::uint64_t>(digits[i] - '0');
      scale *= 10;
    }
    digits.remove_prefix(n);
    for (std::uint32_t& word : words) {
      carry += word * scale;
      word = static_cast<std::uint32_t>(carry);
      carry >>= 32;
    }
    if (carry != 0) words.push_back(static_cast<std::uint32_t>(carry));
  }
  std::reverse(words.begin(), words.end());
  return words;
}

bool is_integer_text(std::string_view text) noexcept {
  drop_sign(text);
  return !text.empty() && count_digits(text) == text.size();
}

bool is_decimal_text(std::string_view text) noexcept {
  drop_sign(text);
  std::size_t digits = count_digits(text);
  text.remove_prefix(digits);
  if (!text.empty() && text[0] == '.') {
    text.remove_prefix(1);
    const std::size_t fraction = count_digits(text);
    text.remove_prefix(fraction);
    digits += fraction;
  }
  if (digits == 0) return false;
  if (text.empty()) return true;
  if (text[0] != 'e' && text[0] != 'E') return false;
  text.remove_prefix(1);
  return is_integer_text(text);
}

}  // namespace settee::inline v0::hessian::detail
