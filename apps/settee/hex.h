// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0
//
// Bytes from text in hex digits, as people have them at hand: plain (xxd -p, log lines, 0x01, \x01,
// 01:02), or dumps with offsets and a column of characters (xxd, hexdump -C, od -Ax -tx1). Lines
// that begin with # are read over.

#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "settee/base/result.h"

namespace settee::cli {

/// The bytes; or an Error (kDecode) that names the line and what to do.
Result<std::vector<std::uint8_t>> parse_hex(std::string_view text);

/// Whether this could be such a text at all: nothing but printable ASCII and white space.
bool looks_like_text(std::span<const std::uint8_t> bytes) noexcept;

}  // namespace settee::cli
