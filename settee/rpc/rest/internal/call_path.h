// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0
//
// What a request's head says of its call: the service and the method in its path, and in whose dialect
// it is written.

#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "settee/http/message.h"

namespace settee::inline v0::rpc::rest {

/// "/com.acme.Quotes:1.0/latest"
class SETTEE_API CallPath {
 public:
  /// The first two segments, percent-decoded; nothing if there are fewer, one is empty, or an escape is
  /// broken. The path must outlive it.
  static std::optional<CallPath> parse(std::string_view path);

  std::string_view service() const noexcept { return decoded_ ? decoded_->first : service_; }
  std::string_view method() const noexcept { return decoded_ ? decoded_->second : method_; }
  /// There are more segments.
  bool longer() const noexcept { return longer_; }

 private:
  std::string_view service_;
  std::string_view method_;
  std::optional<std::pair<std::string, std::string>> decoded_;  // if there was something to decode
  bool longer_ = false;
};

/// The names of SOFARPC's serializers that a body may be written with.
enum class Serializer : std::uint8_t { kHessian, kProtobuf, kJson };
/// As SOFARPC's server names it in its answers.
const char* to_string(Serializer serializer) noexcept;

/// Whether a SOFARPC consumer has sent it, and wants to be answered as its own server does: it names
/// its serializer in a header, or has a content type of Hessian or protobuf.
bool is_sofa(const http::Headers& headers) noexcept;
/// With what the body of such a request is written; nothing if its header names another serializer.
std::optional<Serializer> serializer_of(const http::Headers& headers) noexcept;

/// Whether a plain request's body may be JSON, as far as its content type says. curl's -d says
/// application/x-www-form-urlencoded whatever the text is.
bool may_be_json(const http::Headers& headers) noexcept;

}  // namespace settee::inline v0::rpc::rest
