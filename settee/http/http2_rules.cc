// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0

#include "settee/http/internal/http2_rules.h"

#include <nghttp2/nghttp2.h>

#include <algorithm>
#include <charconv>

#include "settee/http/internal/characters.h"
#include "settee/http/message.h"

namespace settee::inline v0::http {

namespace {

using Check = int (*)(const std::uint8_t*, std::size_t);

bool passes(Check check, std::string_view text) {
  return check(reinterpret_cast<const std::uint8_t*>(text.data()), text.size()) != 0;
}

bool is_scheme(std::string_view text) {
  if (text.empty() || lower(text.front()) < 'a' || lower(text.front()) > 'z') return false;
  return std::all_of(text.begin(), text.end(), [](char c) {
    return (lower(c) >= 'a' && lower(c) <= 'z') || (c >= '0' && c <= '9') || c == '+' || c == '-' ||
           c == '.';
  });
}

// Fields that say what becomes of an HTTP/1 connection (RFC 9113, 8.2.2).
bool of_a_connection(std::string_view name) {
  switch (name.size()) {
    case 7: return name == "upgrade";
    case 10: return name == "connection" || name == "keep-alive";
    case 16: return name == "proxy-connection";
    case 17: return name == "transfer-encoding";
    default: return false;
  }
}

}  // namespace

bool Http2Rules::first(Seen what) {
  if ((seen_ & what) != 0) return false;
  seen_ |= what;
  return true;
}

bool Http2Rules::pseudo(std::string_view name, std::string_view value) {
  if ((seen_ & kPseudoEnd) != 0) return false;
  if (name == ":method") {
    connect_ = value == "CONNECT";
    options_ = value == "OPTIONS";
    return first(kMethod) && passes(nghttp2_check_method, value);
  }
  if (name == ":path") {
    absolute_ = value.starts_with('/');
    asterisk_ = value == "*";
    return first(kPath) && !value.empty() && passes(nghttp2_check_path, value);
  }
  if (name == ":scheme") {
    web_ = same_name(value, "http") || same_name(value, "https");
    return first(kScheme) && is_scheme(value);
  }
  if (name == ":authority") {
    return first(kAuthority) && !value.empty() && passes(nghttp2_check_authority, value);
  }
  return false;
}

bool Http2Rules::field(std::string_view name, std::string_view value) {
  if (name.starts_with(':')) return pseudo(name, value);
  seen_ |= kPseudoEnd;
  if (!passes(nghttp2_check_header_name, name) || of_a_connection(name)) return false;
  if (name == "host") {
    return first(kHost) && !value.empty() && passes(nghttp2_check_authority, value);
  }
  if (name == "content-length") {
    std::uint64_t length = 0;
    const char* const end = value.data() + value.size();
    const auto [at, error] = std::from_chars(value.data(), end, length);
    if (value.empty() || error != std::errc() || at != end || length_) return false;
    length_ = length;
    return true;
  }
  if (name == "te") return same_name(value, "trailers");
  return passes(nghttp2_check_header_value_rfc9113, value);
}

bool Http2Rules::head_end() {
  seen_ |= kPseudoEnd;
  if (connect_) return (seen_ & (kScheme | kPath | kAuthority)) == kAuthority;
  constexpr std::uint8_t kAll = kMethod | kScheme | kPath;
  return (seen_ & kAll) == kAll && (!web_ || absolute_ || (asterisk_ && options_));
}

bool Http2Rules::data(std::size_t size) {
  received_ += size;
  return !length_ || received_ <= *length_;
}

}  // namespace settee::inline v0::http
