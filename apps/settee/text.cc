// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0

#include "apps/settee/text.h"

#include <fmt/format.h>

#include <cstdint>

namespace settee::cli {

namespace {

// How many bytes the UTF-8 character at the beginning of `text` has; 0 if it is none.
std::size_t utf8_size(std::string_view text) {
  const auto byte = [text](std::size_t i) { return static_cast<std::uint8_t>(text[i]); };
  const std::uint8_t first = byte(0);
  if (first < 0x80) return 1;
  const std::size_t size = first < 0xc2   ? 0
                           : first < 0xe0 ? 2
                           : first < 0xf0 ? 3
                           : first < 0xf5 ? 4
                                          : 0;
  if (size == 0 || text.size() < size) return 0;
  for (std::size_t i = 1; i < size; ++i) {
    if ((byte(i) & 0xc0) != 0x80) return 0;
  }
  const bool too_long = (first == 0xe0 && byte(1) < 0xa0) || (first == 0xf0 && byte(1) < 0x90);
  const bool surrogate = first == 0xed && byte(1) >= 0xa0;
  const bool too_large = first == 0xf4 && byte(1) >= 0x90;
  return too_long || surrogate || too_large ? 0 : size;
}

}  // namespace

std::string printable(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  while (!text.empty()) {
    std::size_t size = utf8_size(text);
    const auto first = static_cast<std::uint8_t>(text[0]);
    // The second block of control characters, U+0080 to U+009F, moves cursors as well.
    const bool control = first < 0x20 || first == 0x7f ||
                         (first == 0xc2 && size == 2 && static_cast<std::uint8_t>(text[1]) < 0xa0);
    if (size != 0 && !control) {
      out.append(text.substr(0, size));
    } else if (first == '\n') {
      out += "\\n";
    } else if (first == '\r') {
      out += "\\r";
    } else if (first == '\t') {
      out += "\\t";
    } else {
      if (size == 0) size = 1;
      for (const char c : text.substr(0, size)) {
        out += fmt::format("\\x{:02x}", static_cast<std::uint8_t>(c));
      }
    }
    text.remove_prefix(size);
  }
  return out;
}

std::string shortened(std::string_view text, std::size_t limit) {
  if (text.size() <= limit) return std::string(text);
  std::size_t end = limit;
  while (end > 0 && (static_cast<std::uint8_t>(text[end]) & 0xc0) == 0x80) --end;
  return fmt::format("{}... ({} more bytes; --full shows all)", text.substr(0, end),
                     text.size() - end);
}

}  // namespace settee::cli
