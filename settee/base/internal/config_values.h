// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0
//
// The single values of a configuration: reading them from text, showing them, saying what was
// expected. Used by config.cc and config_bind.cc.

#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "settee/base/limits.h"
#include "settee/base/type_info.h"

namespace settee::inline v0::detail {

inline bool is_digit(char c) { return c >= '0' && c <= '9'; }
inline bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
inline char to_lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }
inline char to_upper(char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c; }
std::string lower(std::string_view text);
std::string_view trim(std::string_view text);

/// In double quotes, on one line, cut behind `max` bytes.
std::string quoted(std::string_view text, std::size_t max = std::string_view::npos);

/// The name that was probably meant by `word`, or nothing.
std::optional<std::string> meant(std::string_view word, const std::vector<std::string>& names);
/// "; did you mean X?" or "; the keys here are A, B".
std::string advice(std::string_view word, const std::vector<std::string>& names);

/// Whether a value of the kind stands in one scalar.
bool is_single(Kind kind);
/// The innermost element of optionals and pointers.
const TypeInfo& without_optional(const TypeInfo& type);

/// Whether a text is no value of a type, and what there is to say beyond what was expected.
struct Misfit {
  bool wrong = false;
  std::string note;
};

/// Reads the text into `out`, an object of the type, whose kind is single.
Misfit read_single(const TypeInfo& type, std::string_view text, void* out);
/// Shows a value of a single kind as read_single() takes it, texts in quotes.
std::string show_single(const TypeInfo& type, const void* value);
/// Also for optionals and pointers of single kinds.
std::string show_nullable(const TypeInfo& type, const void* value);
std::string show_duration(std::int64_t milliseconds);
std::string show_real(double value);

/// "an integer from 1 to 65535".
std::string expectation(const TypeInfo& type, const MemberLimits* limits);
/// What SETTEE_LIMITS bounds: the value or its size; without form if there is no such thing.
LimitValue measure(const TypeInfo& type, const void* value);
bool less(const LimitValue& a, const LimitValue& b);

}  // namespace settee::inline v0::detail
