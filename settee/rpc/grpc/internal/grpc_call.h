// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0
//
// What a request's metadata says of a gRPC call, and how an answer to it is made. Source of the format:
// PROTOCOL-HTTP2.md of gRPC.
//
// Threads: plain functions and values.

#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "settee/base/error.h"
#include "settee/base/loop.h"
#include "settee/http/message.h"
#include "settee/rpc/call.h"
#include "settee/rpc/grpc/internal/framing.h"

namespace settee::inline v0::rpc::grpc {

/// Whether a content-type is gRPC's own, with protobuf messages.
bool is_grpc(std::string_view content_type) noexcept;

/// "/com.acme.Quotes/latest"
struct CallPath {
  std::string_view service;
  std::string_view method;
};
std::optional<CallPath> parse_path(std::string_view path) noexcept;

/// Views point into the request's headers.
struct CallMetadata {
  explicit CallMetadata(const http::Headers& headers);

  std::string_view timeout;
  std::string_view encoding;
  std::string_view accepts;    // encodings
  std::string_view unique_id;  // tri-service-version
  std::string_view app;        // of the caller
  bool sofa = false;           // a SOFARPC client has sent it
  Baggage baggage;

  bool gzip() const noexcept { return encoding == "gzip"; }
  /// Messages of the answer may be packed: the peer packs its own, and says that it reads such.
  bool answers_gzip() const noexcept;
  /// kNoDeadline without a timeout. An Error (kPeerDecode) if it is none.
  Result<TimePoint> deadline(TimePoint now) const;
  /// An Error (kMethodNotFound, as gRPC wants UNIMPLEMENTED) for an encoding that is not known.
  Result<void> check_encoding() const;
};

/// The head of an answer.
http::Response begin_response(bool gzip);
/// The call has ended with this Error; nothing but that is answered.
http::Response failed_response(const Error& error);
/// grpc-status 0.
http::Headers ok_trailers();
/// The same and what the handler sends back, or the Error of add_baggage().
Result<http::Headers> ok_trailers(const Baggage& baggage);
/// A handler's baggage as metadata. An Error if not all of it can be sent: kLimit beyond the 8 KiB of
/// fields that clients take, kEncode for a key that metadata cannot have.
Result<void> add_baggage(http::Headers& trailers, const Baggage& baggage);

}  // namespace settee::inline v0::rpc::grpc
