// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0
//
// Calls of any gRPC server with messages that are bytes, over Settee's HTTP client. Source of the
// format: PROTOCOL-HTTP2.md of gRPC; of the statuses: its statuscodes.md.

#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "settee/base/task.h"
#include "settee/http/client.h"

namespace settee::cli {

/// How a server ended a call.
struct GrpcStatus {
  static constexpr int kDeadlineExceeded = 4;
  static constexpr int kNotFound = 5;
  static constexpr int kUnimplemented = 12;

  int number = 0;
  std::string message;
  std::string details;  ///< A google.rpc.Status, serialized; empty: none.

  bool ok() const noexcept { return number == 0; }
  /// "NOT_FOUND (5): message"
  std::string text() const;
};

/// Appends a message with its prefix to the body of a request.
void add_grpc_message(std::string& body, std::string_view message);

/// Calls one server, with `fields` in the head of each call. Single-threaded, as the program is;
/// `client` and `fields` outlive it.
class GrpcCaller {
 public:
  using Show = std::function<void(std::string_view message)>;

  GrpcCaller(http::Client& client, http::Url server, const http::Headers& fields);

  /// Sends the messages in `body` and ends its side; `show` gets each message of the answer as it
  /// comes. An Error where there is no answer, or none of gRPC. The Context's deadline holds, and
  /// the server is told of it.
  Task<GrpcStatus> call(std::string path, std::string body, Show show);

  /// What was behind the last answer.
  const http::Headers& trailers() const noexcept { return trailers_; }

 private:
  http::Client& client_;
  const http::Url server_;
  const http::Headers& fields_;
  http::Headers trailers_;
};

}  // namespace settee::cli
