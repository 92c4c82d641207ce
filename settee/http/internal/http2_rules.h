// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0
//
// Http2Rules: what RFC 9113 (8.1 to 8.3) asks of a request, looked at while it comes. nghttp2's own
// check cannot be told to do without :authority and host, which Java SOFARPC's client sends neither of;
// all else that it asks for is asked for here.

#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "settee/base/export.h"

namespace settee::inline v0::http {

/// Every function is false when the request is malformed: its stream is to be reset then.
class SETTEE_API Http2Rules {
 public:
  /// The next field of the head, or of the trailers.
  bool field(std::string_view name, std::string_view value);
  /// The head is complete; what comes now is a body and trailers.
  bool head_end();
  bool data(std::size_t size);
  /// Nothing more comes.
  bool end() const { return !length_ || *length_ == received_; }

  /// Of the body, if the head has told it.
  std::optional<std::uint64_t> length() const { return length_; }

 private:
  enum Seen : std::uint8_t {
    kMethod = 1,
    kScheme = 2,
    kPath = 4,
    kAuthority = 8,
    kHost = 16,
    kPseudoEnd = 32,  // a field that is none has come, or the head has ended
  };

  bool first(Seen what);
  bool pseudo(std::string_view name, std::string_view value);

  std::uint8_t seen_ = 0;
  bool connect_ = false;
  bool web_ = false;       // the scheme is http or https
  bool absolute_ = false;  // the path begins with a slash
  bool asterisk_ = false;  // or is *, and
  bool options_ = false;   // may be that
  std::optional<std::uint64_t> length_;
  std::uint64_t received_ = 0;
};

}  // namespace settee::inline v0::http
