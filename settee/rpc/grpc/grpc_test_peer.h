// Copyright The Settee Authors
// SPDX-License-Identifier: Apache-2.0
//
// For tests: a gRPC client whose frames are made by hand.

#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "settee/http/http2_test_peer.h"
#include "settee/rpc/grpc/internal/framing.h"
#include "settee/rpc/grpc/internal/proto_codec.h"

namespace grpc_test {

struct Field {
  std::string name;
  std::string value;
};
using Fields = std::vector<Field>;

/// A call's end.
struct Outcome {
  wire::Answer answer;
  std::string status;   ///< grpc-status, wherever it stood
  std::string message;  ///< grpc-message
  std::vector<std::string> messages;
};

inline std::string value_of(const std::string& fields, const std::string& name) {
  const std::size_t at = ("\r\n" + fields).find("\r\n" + name + ": ");
  if (at == std::string::npos) return "none";
  const std::size_t from = at + name.size() + 2;
  return fields.substr(from, fields.find("\r\n", from) - from);
}

inline std::string framed(std::string_view message, bool gzip = false) {
  settee::rpc::grpc::Output out;
  const std::size_t begin = settee::rpc::grpc::begin_message(out);
  out.append(message);
  settee::rpc::grpc::end_message(out, begin, gzip);
  return std::string(out.take().view());
}

/// The messages of a body.
inline std::vector<std::string> unframed(const std::string& body, bool gzip = false) {
  settee::rpc::grpc::MessageOptions options;
  options.gzip = gzip;
  settee::rpc::grpc::MessageReader reader(options);
  reader.add(settee::Bytes(std::string_view(body)));
  std::vector<std::string> messages;
  for (;;) {
    const auto message = reader.next();
    if (!message || !*message) return messages;
    messages.emplace_back((*message)->view());
  }
}

/// One HTTP/2 connection.
class GrpcPeer {
 public:
  explicit GrpcPeer(std::uint16_t port) : peer_(port) {}

  /// Opens a stream; its number.
  std::uint32_t begin(std::string_view path, const Fields& more = {}) {
    std::string fields =
        wire::literal("content-type", "application/grpc") + wire::literal("te", "trailers");
    for (const Field& field : more) fields += wire::literal(field.name, field.value);
    next_ += 2;
    EXPECT_TRUE(peer_.begin(next_, path, fields));
    return next_;
  }
  void send(std::uint32_t stream, std::string_view body, bool end) {
    EXPECT_TRUE(peer_.send_data(stream, body, end));
  }
  Outcome finish(std::uint32_t stream) {
    Outcome outcome;
    outcome.answer = peer_.answer(stream);
    const wire::Answer& answer = outcome.answer;
    outcome.status = value_of(answer.trailers, "grpc-status");
    const std::string& at = outcome.status == "none" ? answer.head : answer.trailers;
    outcome.status = value_of(at, "grpc-status");
    outcome.message = value_of(at, "grpc-message");
    outcome.messages = unframed(answer.body, value_of(answer.head, "grpc-encoding") == "gzip");
    return outcome;
  }
  Outcome call(std::string_view path, std::string_view body, const Fields& more = {}) {
    const std::uint32_t stream = begin(path, more);
    send(stream, body, true);
    return finish(stream);
  }
  wire::Http2Peer& http() { return peer_; }

 private:
  wire::Http2Peer peer_;
  std::uint32_t next_ = static_cast<std::uint32_t>(-1);
};

}  // namespace grpc_test
