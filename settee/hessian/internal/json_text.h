// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0
//
// The small texts within JSON: numbers, dates, Base64, escapes and paths.

#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "settee/base/bytes.h"

namespace settee::inline v0::json::detail {

inline bool is_digit(char c) noexcept { return c >= '0' && c <= '9'; }
inline bool is_space(char c) noexcept { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }

/// Bytes at the beginning of `text` that are a JSON number; 0 if it is none.
std::size_t number_size(std::string_view text) noexcept;

enum class NumberStatus : std::uint8_t { kOk, kFraction, kOutOfRange };

/// The whole number that a JSON number is: 7, 7.0, 70e-1.
NumberStatus parse_whole(std::string_view number, std::int64_t& out) noexcept;
/// The nearest double or float; numbers too small for it are 0.
NumberStatus parse_real(std::string_view number, double& out) noexcept;
NumberStatus parse_real(std::string_view number, float& out) noexcept;

/// The JSON number for what Java's BigDecimal(String) or, if `whole`, BigInteger(String) accepts: the
/// same digits, without "+" and needless zeros in front. Nothing if the text is none.
std::optional<std::string> json_number(std::string_view java_text, bool whole);

/// Milliseconds of an ISO 8601 date or date and time, in UTC if it names no zone.
std::optional<std::int64_t> parse_date(std::string_view text) noexcept;
/// Whether the date is in the years 0 to 9999, which have a text of four digits.
bool has_date_text(std::int64_t millis) noexcept;
/// Writes "2024-05-01T12:00:00.000Z", 24 bytes, of a date that has a text; returns the end.
std::uint8_t* put_date_text(std::uint8_t* at, std::int64_t millis) noexcept;

inline constexpr std::size_t kNone = static_cast<std::size_t>(-1);

/// Where the first malformed escape of a string's inside begins; kNone if there is none.
std::size_t bad_escape(std::string_view inside) noexcept;
/// Adds a string's inside, its escapes replaced. Surrogates that are no pair become U+FFFD.
void unescape(std::string_view inside, std::string& out);
/// Adds a string's inside as UTF-16 units, surrogates as they are.
void unescape(std::string_view inside, std::u16string& out);
/// Adds one character in UTF-8.
void append_utf8(std::uint32_t c, std::string& out);

/// What is wrong with a text that is no JSON, and where. Nothing if it is JSON.
struct Flaw {
  std::size_t at;
  std::string what;
};
std::optional<Flaw> find_flaw(std::string_view text);

/// One step of the way from the root to a value.
struct Step {
  const Step* up = nullptr;
  std::string_view name = {};  ///< of an object's member; null of an array's item
  std::size_t index = 0;
  bool escaped = false;  ///< the name is a string's inside as it stands in the text
};

/// "$.lines[3].price", "$[\"a b\"]". Long names are cut, and long ways in the middle.
std::string path_text(const Step* step);

/// The text, cut to about `limit` bytes at a character, with control characters and bytes that are no
/// UTF-8 replaced: fit for a message.
std::string excerpt(std::string_view text, std::size_t limit = 40);

}  // namespace settee::inline v0::json::detail
