// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0
//
// Base64 (RFC 4648). Read in either alphabet, with padding or without; written in the usual one, with
// padding.
//
// Threads: plain functions.

#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "settee/base/export.h"

namespace settee::inline v0::detail {

/// Bytes that so much Base64 makes, at most.
inline std::size_t base64_room(std::size_t text_size) noexcept { return text_size / 4 * 3 + 3; }
/// Decodes to `out`; the number of bytes, or nothing if the text is no Base64.
SETTEE_API std::optional<std::size_t> decode_base64(std::string_view text,
                                                    std::uint8_t* out) noexcept;
/// Writes Base64 of `n` bytes (padded when not a multiple of 3); returns the end.
SETTEE_API std::uint8_t* put_base64(std::uint8_t* at, const std::uint8_t* from,
                                    std::size_t n) noexcept;

/// The same as texts.
SETTEE_API std::string to_base64(std::string_view bytes);
SETTEE_API std::optional<std::string> from_base64(std::string_view text);

}  // namespace settee::inline v0::detail
