// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0
//
// The value types that C++ lacks and Java services use: Array, Decimal, BigInteger, Date.
//
// Threads: plain values.

#pragma once

#include <chrono>
#include <compare>
#include <deque>
#include <string>
#include <type_traits>
#include <vector>

namespace settee::inline v0 {

/// java.util.Date: milliseconds since 1970 UTC.
using Date = std::chrono::time_point<std::chrono::system_clock, std::chrono::milliseconds>;

/// A Java array T[]; std::vector<T> is a java.util.List. byte[] is Bytes, char[] is std::u16string's
/// business and not supported.
template <class T>
class Array : public std::conditional_t<std::is_same_v<T, bool>, std::deque<T>, std::vector<T>> {
 public:
  using Base = std::conditional_t<std::is_same_v<T, bool>, std::deque<T>, std::vector<T>>;
  using Base::Base;
  Array() = default;
  Array(Base values) : Base(std::move(values)) {}
};

/// java.math.BigDecimal in its exact text form, e.g. "12.340" or "1E+3".
struct Decimal {
  std::string text = "0";
  Decimal() = default;
  explicit Decimal(std::string digits) : text(std::move(digits)) {}
  friend auto operator<=>(const Decimal&, const Decimal&) = default;
};

/// java.math.BigInteger in decimal text, e.g. "-18446744073709551616".
struct BigInteger {
  std::string text = "0";
  BigInteger() = default;
  explicit BigInteger(std::string digits) : text(std::move(digits)) {}
  friend auto operator<=>(const BigInteger&, const BigInteger&) = default;
};

}  // namespace settee::inline v0
