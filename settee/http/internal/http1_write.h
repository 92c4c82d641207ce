// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0
//
// How HTTP/1 messages are written, by both sides.
//
// Threads: plain functions.

#pragma once

#include <fmt/format.h>

#include <algorithm>
#include <string_view>

#include "settee/base/bytes.h"

namespace settee::inline v0::http {

/// name: value
inline void append_field(Buffer& out, std::string_view name, std::string_view value) {
  const std::size_t size = name.size() + value.size() + 4;
  std::uint8_t* at = out.prepare(size);
  at = std::copy(name.begin(), name.end(), at);
  *at++ = ':';
  *at++ = ' ';
  at = std::copy(value.begin(), value.end(), at);
  *at++ = '\r';
  *at = '\n';
  out.commit(size);
}

/// A part of a body, or its last chunk's mark too if it is the `end`.
inline void append_part(Buffer& out, Bytes bytes, bool chunked, bool end) {
  if (!chunked) {
    out.append(std::move(bytes));
    return;
  }
  if (!bytes.empty()) {
    char size[24];
    const auto written = fmt::format_to_n(size, sizeof size, "{:x}\r\n", bytes.size());
    out.append(size, written.size);
    out.append(std::move(bytes));
    out.append("\r\n");
  }
  if (end) out.append("0\r\n\r\n");
}

}  // namespace settee::inline v0::http
