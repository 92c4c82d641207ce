// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0

#include "settee/rpc/grpc/internal/message_source.h"

namespace settee::inline v0::rpc::grpc {

namespace {

// What a peer sends wrong is no Error of this process.
Error of_peer(const Error& error) {
  return error.code() == Code::kDecode ? Error(Code::kPeerDecode, error.message()) : error;
}

}  // namespace

Task<std::optional<Bytes>> MessageSource::next() {
  for (;;) {
    Result<std::optional<Bytes>> message = reader_.next();
    if (!message) co_return of_peer(message.error());
    if (*message) co_return std::move(*message);
    Task<std::optional<Bytes>> next = body_.next();
    Result<std::optional<Bytes>> part = co_await as_result(std::move(next));
    if (!part) co_return part.error();
    if (!*part) break;
    reader_.add(std::move(**part));
  }
  if (const Result<void> whole = reader_.finish(); !whole) co_return of_peer(whole.error());
  co_return std::optional<Bytes>();
}

}  // namespace settee::inline v0::rpc::grpc
