// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0
//
// Decimal text and the magnitude of a java.math.BigInteger: 32-bit words, most significant first.

#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace settee::inline v0::hessian::detail {

/// The decimal digits of a magnitude, "0" for an empty one. Takes the square of its length.
std::string to_decimal(std::vector<std::uint32_t> words);

/// The magnitude of decimal digits (nothing but digits), without leading zero words.
std::vector<std::uint32_t> to_magnitude(std::string_view digits);

/// Whether `text` is what Java's BigInteger(String) accepts: [+-]digits.
bool is_integer_text(std::string_view text) noexcept;

/// Whether `text` is what Java's BigDecimal(String) accepts: [+-]digits[.digits][e[+-]digits].
bool is_decimal_text(std::string_view text) noexcept;

}  // namespace settee::inline v0::hessian::detail
