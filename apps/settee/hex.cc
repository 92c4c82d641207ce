// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0

#include "apps/settee/hex.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <optional>
#include <string>

#include "apps/settee/text.h"

namespace settee::cli {

namespace {

constexpr std::string_view kSpace = " \t\r\f\v";

bool is_digit(char c) noexcept {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

bool all_digits(std::string_view text) noexcept {
  return std::all_of(text.begin(), text.end(), is_digit);
}

std::uint64_t number(std::string_view digits) noexcept {
  std::uint64_t value = 0;
  std::from_chars(digits.data(), digits.data() + digits.size(), value, 16);
  return value;
}

std::string_view trimmed(std::string_view text) noexcept {
  const std::size_t begin = text.find_first_not_of(kSpace);
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(kSpace) - begin + 1);
}

std::vector<std::string_view> split(std::string_view text, std::string_view separators) {
  std::vector<std::string_view> parts;
  while (true) {
    const std::size_t begin = text.find_first_not_of(separators);
    if (begin == std::string_view::npos) return parts;
    const std::size_t end = std::min(text.find_first_of(separators, begin), text.size());
    parts.push_back(text.substr(begin, end - begin));
    text.remove_prefix(end);
  }
}

class HexText {
 public:
  Result<void> line(std::string_view text) {
    ++line_;
    text = trimmed(text);
    if (text.empty() || text[0] == '#') return {};
    if (text == "*") {
      return wrong("'*' stands for lines that hexdump left out: use hexdump -Cv (or xxd)");
    }
    const std::size_t bar = text.find('|');
    if (bar != std::string_view::npos) text = trimmed(text.substr(0, bar));

    std::optional<std::string_view> offset = offset_with_colon(text);
    if (offset) {  // xxd, tcpdump -x: two spaces end the digits
      text = trimmed(text.substr(text.find(':') + 1));
      text = text.substr(0, text.find("  "));
    } else {
      const std::vector<std::string_view> tokens = split(text, kSpace);
      const bool digits = std::all_of(tokens.begin(), tokens.end(), all_digits);
      const bool bytes_follow =
          tokens.size() > 1 && std::all_of(tokens.begin() + 1, tokens.end(),
                                           [](std::string_view t) { return t.size() == 2; });
      const std::string_view first = tokens[0];
      if (digits && first.size() == 7 && (tokens.size() > 1 || dump_)) {
        return wrong(
            "this looks like hexdump or od without -C, whose words are swapped or octal: "
            "use xxd or hexdump -C");
      }
      const bool last = dump_ && tokens.size() == 1;  // the size of all, behind the last line
      if (digits && first.size() >= 6 && first.size() <= 16 && (bytes_follow || last)) {
        offset = first;
        text.remove_prefix(first.size());
      }
    }
    if (offset) {
      const std::uint64_t at = number(*offset);
      if (!dump_) base_ = at - bytes_.size();
      dump_ = true;
      if (at != base_ + bytes_.size()) {
        return wrong(
            fmt::format("its offset is 0x{:x}, but the lines before it end at 0x{:x}: "
                        "some are missing or doubled",
                        at, base_ + bytes_.size()));
      }
    }
    return digits_of(text);
  }

  std::vector<std::uint8_t> take() { return std::move(bytes_); }

 private:
  Error wrong(std::string_view why) const {
    return Error(Code::kDecode, fmt::format("hex text, line {}: {}", line_, why));
  }

  static std::optional<std::string_view> offset_with_colon(std::string_view text) {
    const std::size_t colon = text.find(':');
    if (colon == std::string_view::npos) return std::nullopt;
    std::string_view offset = text.substr(0, colon);
    if (offset.starts_with("0x")) offset.remove_prefix(2);
    if (offset.size() < 4 || offset.size() > 16 || !all_digits(offset)) return std::nullopt;
    return offset;
  }

  Result<void> digits_of(std::string_view text) {
    std::string plain(text);
    for (std::size_t at = 0; (at = plain.find("\\x", at)) != std::string::npos;) {
      plain[at] = plain[at + 1] = ' ';
    }
    for (std::string_view token : split(plain, " \t\r\f\v,;:-")) {
      const std::string_view whole = token;
      const bool marked = token.starts_with("0x") || token.starts_with("0X");
      if (marked) token.remove_prefix(2);
      if (token.empty() || !all_digits(token)) {
        return wrong(fmt::format("'{}' is not in hex digits", shortened(printable(whole), 40)));
      }
      if (marked && token.size() == 1) {
        bytes_.push_back(static_cast<std::uint8_t>(number(token)));
        continue;
      }
      if (token.size() % 2 != 0) {
        return wrong(fmt::format("'{}' has an odd number of digits", shortened(whole, 40)));
      }
      for (std::size_t i = 0; i < token.size(); i += 2) {
        bytes_.push_back(static_cast<std::uint8_t>(number(token.substr(i, 2))));
      }
    }
    return {};
  }

  std::vector<std::uint8_t> bytes_;
  std::size_t line_ = 0;
  bool dump_ = false;  // lines have offsets
  std::uint64_t base_ = 0;
};

}  // namespace

Result<std::vector<std::uint8_t>> parse_hex(std::string_view text) {
  HexText hex;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    if (Result<void> read = hex.line(text.substr(0, end)); !read) return read.error();
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return hex.take();
}

bool looks_like_text(std::span<const std::uint8_t> bytes) noexcept {
  return std::all_of(bytes.begin(), bytes.end(), [](std::uint8_t c) {
    return (c >= 0x20 && c < 0x7f) || (c >= '\t' && c <= '\r');
  });
}

}  // namespace settee::cli
