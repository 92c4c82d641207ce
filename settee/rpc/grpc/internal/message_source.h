// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0
//
// The messages of a request's body, one after the other.
//
// Threads: belongs to one coroutine at a time.

#pragma once

#include <optional>
#include <utility>

#include "settee/base/task.h"
#include "settee/http/message.h"
#include "settee/rpc/grpc/internal/framing.h"

namespace settee::inline v0::rpc::grpc {

/// Between a stream's writer and its connection; each may be as large as messages are.
inline constexpr std::size_t kMessagesAhead = 4;

class MessageSource {
 public:
  MessageSource(http::Body body, MessageOptions options) noexcept
      : body_(std::move(body)), reader_(options) {}

  /// Nothing at the end. Ends with an Error (kPeerDecode, kLimit) for what is no message, or with what
  /// cut the body off.
  Task<std::optional<Bytes>> next();
  /// Good at the end.
  const http::Headers& trailers() const noexcept { return body_.trailers(); }

 private:
  http::Body body_;
  MessageReader reader_;
};

}  // namespace settee::inline v0::rpc::grpc
