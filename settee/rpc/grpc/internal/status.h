// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0
//
// How a gRPC call ends: status codes, the trailers that carry them, and deadlines as text. Sources of
// the formats: PROTOCOL-HTTP2.md of gRPC; google/rpc/status.proto and error_details.proto.
//
//   Error                                          gRPC status
//   kCancelled                                     1  CANCELLED
//   kUnknown, kBusiness, kPeerError                2  UNKNOWN
//   kInvalidArgument, kPeerDecode                  3  INVALID_ARGUMENT
//   kTimeout                                       4  DEADLINE_EXCEEDED
//   kBusy, kLimit, kOverflow                       8  RESOURCE_EXHAUSTED
//   kServiceNotFound, kMethodNotFound              12 UNIMPLEMENTED
//   kMisuse, kConfig, kEncode, kDecode, kIo,
//     kPeerEncode, kProtocol                       13 INTERNAL
//   kStopped, kConnectFailed, kConnectionClosed,
//     kNoProvider, and kBusy of a server that is
//     about to stop                                14 UNAVAILABLE
//   kPeerError of a caller that
//     ServerOptions::authenticate has refused      16 UNAUTHENTICATED
//
// An answer of Settee says its very Code in google.rpc.ErrorInfo (grpc-status-details-bin): `reason` is
// its name, as "BUSINESS", `domain` is "settee", and `metadata` has `code`, and of a business exception
// its class as `exception` and its value as JSON in `value`. Codes that tell of a process's own
// connections, addresses and options (kConnectFailed, kNoProvider, kStopped, kOverflow, kMisuse,
// kInvalidArgument, kIo, kConfig) and unknown ones are read as kPeerError. Without ErrorInfo a status
// means:
//
//   1 kCancelled      3 kPeerDecode    4 kTimeout             5, 12 kMethodNotFound
//   8 kBusy           14 kConnectionClosed                    all others kPeerError
//
// Threads: plain functions.

#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "settee/base/error.h"
#include "settee/http/message.h"

namespace settee::inline v0::rpc::grpc {

enum class Status : std::uint8_t {
  kOk = 0,
  kCancelled = 1,
  kUnknown = 2,
  kInvalidArgument = 3,
  kDeadlineExceeded = 4,
  kNotFound = 5,
  kResourceExhausted = 8,
  kUnimplemented = 12,
  kInternal = 13,
  kUnavailable = 14,
  kUnauthenticated = 16,
};

SETTEE_API Status status_of(const Error& error) noexcept;
/// Of an answer without ErrorInfo.
SETTEE_API Code code_of(Status status) noexcept;

/// grpc-status, grpc-message and grpc-status-details-bin of a call that ended so.
SETTEE_API void add_status(http::Headers& trailers, const Error& error);
/// The same of a status without more.
SETTEE_API void add_status(http::Headers& trailers, Status status, std::string_view message);

/// What trailers, or the head of an answer without a body, say of how the call ended.
SETTEE_API Result<void> read_status(const http::Headers& trailers);

/// As grpc-message is written: what is not printable ASCII, and '%', becomes %XX.
SETTEE_API std::string percent_encoded(std::string_view text);
/// Base64 without padding, as metadata whose name ends in -bin is written.
SETTEE_API std::string base64(std::string_view bytes);

/// A grpc-timeout, "100m"; nothing if it is none. Hours beyond a year are a year.
SETTEE_API std::optional<std::chrono::nanoseconds> parse_timeout(std::string_view text) noexcept;

}  // namespace settee::inline v0::rpc::grpc
